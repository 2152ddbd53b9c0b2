import { asyncScheduler, concatMap, defer, ignoreElements, type Observable, type SchedulerLike } from 'rxjs';
import { backoffMs } from '../src/domain/backoff.ts';
import type { Change, ChangeBatch, ChangeSource } from '../src/domain/changePorts.ts';
import { isServiceError } from '../src/domain/errors.ts';
import type { StreamPosition } from '../src/domain/model.ts';
import type { PositionTracker } from '../src/domain/positions.ts';
import type { Clock, Instruments, Logger } from '../src/domain/systemPorts.ts';
import { readLoop } from './operators/readLoop.ts';
import { retryBackoff } from './operators/retryBackoff.ts';

export interface Handled {
  /** Whatever takes longer: only the position waits for it. */
  rest: Promise<void>;
}

export interface ChangesParams {
  source: ChangeSource;
  tracker: PositionTracker;
  /** Resolves once the next changes may be handled; what it gives, once everything these ask for is done, or was made durable. */
  handle: (changes: readonly Change[]) => Promise<Handled | undefined>;
  /** Looks for everything a gap in the stream may hide; `dropped`: a collection was dropped or renamed, and has to be made again first. */
  sweep: (dropped: boolean) => Promise<void>;
  /** Told of each batch as it comes; `asked` when nothing that was stored before it is left behind the batch. */
  heard?: (changes: readonly Change[], asked: { monotonic: number; wall: number } | undefined) => void;
  /** How long the next batch may be waited for, ms; undefined: as long as the source does by itself. */
  awaitMs?: () => number | undefined;
  clock: Clock;
  random: () => number;
  logger: Logger;
  instruments: Instruments;
  /** Times the pauses before the stream is opened again. */
  scheduler?: SchedulerLike;
}

/**
 * The member's one change stream: opened behind the position, read batch by batch with one ahead at most, and opened again
 * after any end or error, for ever. Without a position, or when the history no longer holds it, a sweep closes the gap, and
 * no position is stored before the sweep is done.
 */
export class Changes {
  private readonly params: ChangesParams;
  private previous: Promise<void> = Promise.resolve();
  /** What takes longer of all that was handled. */
  private rest: Promise<unknown> = Promise.resolve();
  /** How often the stream was opened: what failed in an earlier one is no failure of this. */
  private openings = 0;
  private failure: Error | undefined;
  private sweepDue = false;
  private expected = false;
  private heardAt: number | undefined;
  private openNow = false;
  private caughtUp = Number.NEGATIVE_INFINITY;
  /** Raised by `rewind`: a stream opened in an earlier one is behind no longer the right position. */
  private epoch = 0;
  private openedIn = 0;

  readonly stream$: Observable<never>;

  constructor(params: ChangesParams) {
    this.params = params;
    this.stream$ = defer(() => this.open()).pipe(
      concatMap(() =>
        readLoop(
          async () => ({
            asked: { monotonic: params.clock.monotonic(), wall: params.clock.now() },
            batch: await params.source.read(params.awaitMs?.()),
          }),
          ({ batch, asked }) => this.accept(batch, asked),
        ),
      ),
      retryBackoff({
        delayMs: (attempt) => (this.expected ? 0 : backoffMs(attempt, params.random, { baseMs: 100, capMs: 10_000 })),
        onRetry: (error) => this.broken(error),
        scheduler: params.scheduler ?? asyncScheduler,
      }),
      ignoreElements(),
    );
  }

  get isOpen(): boolean {
    return this.openNow;
  }

  /** What was stored before (monotonic ms) has been handled, but for what a sweep is at. */
  get caughtUpTo(): number {
    return this.caughtUp;
  }

  /** Ms since something was heard, empty batches included; undefined before the first. */
  silenceMs(): number | undefined {
    return this.heardAt === undefined ? undefined : this.params.clock.monotonic() - this.heardAt;
  }

  /**
   * The position went back (partitions were claimed): called inside the claim, maybe more than once. From here on nothing of
   * what is being read moves the position; `reopen` then reads again from there.
   */
  rewind(position: StreamPosition | undefined): void {
    this.epoch += 1;
    this.caughtUp = Number.NEGATIVE_INFINITY;
    this.params.tracker.rewind(position);
  }

  /** After `rewind`: does not wait for the batch that is being read. */
  async reopen(): Promise<void> {
    if (!this.openNow || this.openedIn === this.epoch) return;
    this.expected = true;
    await this.params.source.close();
  }

  close(): Promise<void> {
    this.openNow = false;
    return this.params.source.close();
  }

  private async open(): Promise<void> {
    const { source, tracker, logger, instruments } = this.params;
    const from = tracker.done;
    this.openedIn = this.epoch;
    tracker.rewind(from);
    this.previous = Promise.resolve();
    this.rest = Promise.resolve();
    this.openings += 1;
    this.failure = undefined;
    this.expected = false;
    if (from !== undefined) {
      try {
        await source.open(from);
        this.opened();
        return;
      } catch (error) {
        if (!isServiceError(error, 'position_lost')) throw error;
        const planned = (error.cause as { why?: unknown } | undefined)?.why === 'filter_version';
        if (!planned) instruments.event('position_lost');
        logger[planned ? 'info' : 'warn']('the position cannot be resumed; a sweep closes the gap', {
          code: 'position_lost',
          position: from,
          error,
        });
      }
    }
    await source.open(undefined);
    if (this.openedIn === this.epoch) tracker.rewind(undefined);
    this.sweepDue = true;
    this.opened();
  }

  private opened(): void {
    this.openNow = true;
    this.heardAt = this.params.clock.monotonic();
  }

  private async accept(
    { changes, position, complete }: ChangeBatch,
    asked: { monotonic: number; wall: number },
  ): Promise<void> {
    const { tracker, handle, clock, instruments } = this.params;
    const { epoch } = this;
    if (this.openedIn !== epoch) {
      this.expected = true;
      throw new Error('the position went back');
    }
    const silence = this.silenceMs() ?? 0;
    this.heardAt = clock.monotonic();
    instruments.streamLag(silence);
    this.params.heard?.(changes, complete ? asked : undefined);
    const swept = changes.some(({ kind }) => kind === 'sweep');
    const sweeping = this.sweepDue || swept;
    this.sweepDue = false;
    const done = tracker.begin(position, 1 + (sweeping ? 1 : 0));
    const handled = (): void => {
      if (complete && epoch === this.epoch) {
        this.caughtUp = Math.max(this.caughtUp, asked.monotonic);
        instruments.positionAge(clock.monotonic() - this.caughtUp);
      }
      done();
    };
    // the rest of the stream does not wait for a sweep, only the position does
    if (sweeping) this.params.sweep(swept).then(done, this.failing());
    await this.previous;
    if (this.failure !== undefined) throw this.failure;
    const failed = this.failing();
    this.previous = (changes.length > 0 ? handle(changes) : Promise.resolve(undefined)).then((left) => {
      this.rest = Promise.all([this.rest, left?.rest]).then(handled);
      this.rest.catch(failed);
    }, failed);
  }

  private failing(): (error: unknown) => void {
    const { openings } = this;
    return (error) => {
      if (openings === this.openings) this.failed(error);
    };
  }

  /** Met by the next batch: the stream is then read again from the position, and what failed with it. */
  private failed(error: unknown): void {
    this.failure ??= error instanceof Error ? error : new Error(String(error));
  }

  private broken(error: unknown): void {
    this.openNow = false;
    if (this.expected) return;
    this.params.instruments.event('stream_reopened');
    this.params.logger.warn('the change stream broke and is opened again', { error });
  }
}
