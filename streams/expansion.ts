import { ignoreElements, merge, type Observable } from 'rxjs';
import { backoffMs } from '../src/domain/backoff.ts';
import { isServiceError } from '../src/domain/errors.ts';
import { campaignKey } from '../src/domain/ids.ts';
import type { Id } from '../src/domain/model.ts';
import { AudienceSlices, type AudienceSlicesParams, type Expanding, toExpand } from './audienceSlices.ts';
import type { OneByOne } from './oneByOne.ts';
import { readLoop } from './operators/readLoop.ts';
import { Sleepers } from './sleepers.ts';
import { pause, Waker } from './waker.ts';

/** Campaigns whose slices are prepared side by side: a page that takes long holds up no other. */
const atOnce = 4;

export interface ExpansionParams extends AudienceSlicesParams {
  random: () => number;
  /** What else is decided about a campaign waits for its slice. */
  queue: OneByOne;
  /** The database will not give the rest of an audience, now or later. */
  onRefused: (id: Id, error: Error) => void;
}

/** `failures`: in a row. */
type Turn = Expanding & { failures: number };

/**
 * Turns audiences into conversations, slice by slice and in turn among the campaigns that are at it, so that a large one
 * holds up no small one. Every slice starts from the stored run: it stops by itself when the run is paused, over, or
 * somebody else's, and goes on where it was when it is added again.
 */
export class Expansion {
  private readonly params: ExpansionParams;
  /** Not at it for a reason that is known: another try is armed, or the flow is of no use here. */
  private readonly resting = new Set<string>();
  /** In order of their turns. */
  private readonly turns = new Map<string, Turn>();
  /** Whose turn it is. */
  private readonly underway = new Set<string>();
  private readonly waker = new Waker();
  private readonly slices: AudienceSlices;
  /** Of live audiences: they were read to their end, and are looked at again. */
  private readonly sleepers: Sleepers;

  readonly stream$: Observable<never>;

  constructor(params: ExpansionParams) {
    this.params = params;
    this.sleepers = new Sleepers(params.clock, params.signal);
    this.slices = new AudienceSlices(params);
    const loop$ = readLoop(
      () => this.waker.until(() => this.next() !== undefined, params.signal),
      () => this.tick(),
    );
    this.stream$ = merge(...Array.from({ length: atOnce }, () => loop$)).pipe(ignoreElements());
  }

  /** Campaigns that have a turn ahead. */
  get size(): number {
    return this.turns.size;
  }

  add(id: Id): void {
    const key = campaignKey(id);
    if (this.sleepers.has(key)) return;
    if (!this.turns.has(key)) this.turns.set(key, { ...toExpand(id), failures: 0 });
    this.waker.wake();
  }

  has(id: Id): boolean {
    const key = campaignKey(id);
    return this.turns.has(key) || this.resting.has(key) || this.sleepers.has(key);
  }

  remove(id: Id): void {
    const key = campaignKey(id);
    this.sleepers.forget(key);
    this.resting.delete(key);
    this.turns.delete(key);
    this.slices.forget(key);
    this.waker.wake();
  }

  private next(): [string, Turn] | undefined {
    const { isFull } = this.slices;
    for (const turn of this.turns) if (!this.underway.has(turn[0]) && !(isFull && turn[1].isWaiting)) return turn;
    return undefined;
  }

  /** One slice of the campaign whose turn it is; false when there was none. Never rejects: a campaign that fails has its next turn after a while. */
  async tick(): Promise<boolean> {
    const turn = this.next();
    if (turn === undefined || this.params.signal.aborted) return false;
    const [key, expanding] = turn;
    this.turns.delete(key);
    this.turns.set(key, expanding);
    this.underway.add(key);
    try {
      return await this.take(key, expanding);
    } finally {
      this.underway.delete(key);
      if (!this.turns.has(key)) this.slices.forget(key);
      this.waker.wake();
    }
  }

  private async take(key: string, expanding: Turn): Promise<boolean> {
    const { queue, signal, logger, clock, random } = this.params;
    try {
      const more = await queue.run(key, () => this.slices.next(expanding));
      expanding.failures = 0;
      if (more !== true && this.turns.get(key) === expanding) {
        this.turns.delete(key);
        // its flow is of no use here
        if (more === 'unusable') this.resting.add(key);
        if (more === 'later') this.sleepers.sleep(key, expanding.live.restMs, () => this.again(key, expanding));
      }
    } catch (error) {
      if (this.turns.get(key) === expanding) this.turns.delete(key);
      if (signal.aborted) return false;
      if (isServiceError(error, 'document_invalid')) {
        this.params.onRefused(expanding.id, error);
        return true;
      }
      expanding.failures += 1;
      const delayMs = backoffMs(expanding.failures, random, { baseMs: 200, capMs: 30_000 });
      logger.warn('an audience could not be expanded further; it is tried again', {
        campaignId: expanding.id,
        delayMs,
        error,
      });
      this.resting.add(key);
      void pause(clock, delayMs, signal).then(() => this.again(key, expanding));
    }
    return true;
  }

  private again(key: string, expanding: Turn): void {
    this.resting.delete(key);
    if (this.params.signal.aborted || this.turns.has(key)) return;
    this.turns.set(key, expanding);
    this.waker.wake();
  }
}
