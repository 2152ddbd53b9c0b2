import { ignoreElements, type Observable } from 'rxjs';
import type { Clock, Instruments, Logger } from '../src/domain/systemPorts.ts';
import { readLoop } from './operators/readLoop.ts';
import { pause } from './waker.ts';

/** What is compared with the documents. */
export interface Check {
  /** For the log: `inbox`, `message`, `due`, `run`, `campaign`, `enrollment`. */
  readonly kind: string;
  /**
   * What the documents ask for and nobody here seems to be at, by id, each with how it stands: who is at it changes that.
   * May name what is only just being dealt with.
   */
  look(): Promise<Map<string, string>>;
  /** What `look` names next time, where it names a part only. Called when a turn is over. */
  next?(): void;
  /** Takes up what stood still. */
  repair(ids: readonly string[]): Promise<void>;
}

export interface ReconcileParams {
  checks: readonly Check[];
  /** Whether the member is at work: its lease holds, the change stream is open, nothing is being swept. What stands still otherwise is not forgotten. */
  sound: () => boolean;
  /** What was stored before this (monotonic ms) and is told by changes was taken in: a backlog is not forgotten either. */
  caughtUpTo: () => number;
  clock: Clock;
  random: () => number;
  logger: Logger;
  instruments: Instruments;
  signal: AbortSignal;
}

/** From one turn to the next, with jitter, so that members do not ask at once. */
const everyMs = 60_000;
/** What is being dealt with stands otherwise after this long, in which the member was at work without a break. */
const patienceMs = 10_000;
const stepMs = 1_000;
/** Named in the log, at most. */
const namedInLog = 10;

/**
 * The safety net under hints, sweeps and due times: compares the documents with what is being worked on, all the while and
 * slowly. What it finds twice, unchanged, was forgotten: it is taken up, counted and logged. Nothing should ever be found.
 */
export class Reconcile {
  private readonly params: ReconcileParams;

  /** One turn after the other until the signal is aborted. Errors never end it. */
  readonly stream$: Observable<never>;

  constructor(params: ReconcileParams) {
    this.params = params;
    this.stream$ = readLoop(
      () => pause(params.clock, everyMs * (0.75 + params.random() / 2), params.signal),
      () => this.tick(),
    ).pipe(ignoreElements());
  }

  /** One turn over all checks; what fails is looked at in the next. Returns how much was taken up. */
  async tick(): Promise<number> {
    const { checks, signal, logger } = this.params;
    let repaired = 0;
    for (const check of checks) {
      if (signal.aborted) return repaired;
      try {
        repaired += await this.compare(check);
      } catch (error) {
        logger.debug('what is worked on could not be compared with the documents', { kind: check.kind, error });
      }
      check.next?.();
    }
    return repaired;
  }

  private async compare(check: Check): Promise<number> {
    const { clock, caughtUpTo, instruments } = this.params;
    const first = await check.look();
    const lookedAt = clock.monotonic();
    if (first.size === 0) {
      instruments.standing(check.kind, 0);
      return 0;
    }
    if (!(await this.atWork()) || caughtUpTo() < lookedAt) return 0;
    const second = await check.look();
    const ids = [...first].filter(([id, was]) => second.get(id) === was).map(([id]) => id);
    instruments.standing(check.kind, ids.length);
    if (ids.length === 0) return 0;
    this.tell(check.kind, ids);
    await check.repair(ids);
    return ids.length;
  }

  /** Waits; false when the member was frozen, cut off, or is to stop. */
  private async atWork(): Promise<boolean> {
    const { clock, signal, sound } = this.params;
    for (let waitedMs = 0; waitedMs < patienceMs; waitedMs += stepMs) {
      const began = clock.monotonic();
      if (!sound()) return false;
      await pause(clock, stepMs, signal);
      if (signal.aborted || clock.monotonic() - began > 2 * stepMs) return false;
    }
    return sound();
  }

  private tell(kind: string, ids: readonly string[]): void {
    const { logger, instruments } = this.params;
    instruments.event('reconciled', ids.length);
    logger.warn('something that had to be done was forgotten; it is taken up now', {
      code: 'reconciled',
      kind,
      count: ids.length,
      ids: ids.slice(0, namedInLog),
    });
  }
}
