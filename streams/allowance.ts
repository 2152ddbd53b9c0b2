import type { RateStore } from '../src/domain/ratePorts.ts';
import { horizonMs, type Pace, paceOf, type RateLimit } from '../src/domain/rates.ts';
import type { Clock, Logger } from '../src/domain/systemPorts.ts';

export interface AllowanceParams {
  /** Of the limit, as in `rate_limits`. */
  id: string;
  store: Pick<RateStore, 'take'>;
  clock: Clock;
  /** Uniform in [0, 1): members that were given nothing do not ask again together. */
  random: () => number;
  logger: Logger;
  /** What of the work for it comes to this member, above 0 to 1. Absent: all. */
  share?: () => number;
  /** Lanes are passed over while it has no slots: of its rows none is decided then. */
  isOfLane?: boolean;
  /** The time of a slot has come, and somebody waited for it. */
  onSlot: () => void;
  /** There are more slots, or it may be asked for them again. */
  onNews: () => void;
}

/** Slots of one question to the store, by this member's monotonic clock. */
interface Slots {
  /** When they were given. */
  from: number;
  first: number;
  count: number;
  used: number;
  pace: Pace;
}

/** Asked for no more often, ms: who has just been given some leaves the others their turn. */
const leastGapMs = 100;
/** Slots that are asked for to begin with. */
const leastWanted = 2;
/** From a question that failed to the next, ms. */
const failedGapMs = 500;
/** Turns are told no longer ahead, ms: who was told one may never come back, and a rate may be raised. */
const toldMs = 1_200_000;
/** What lasts is said so often, ms. */
const warnEveryMs = 10_000;

/**
 * What a member may hand over of a limit that holds over all of them: slots are asked for while there is work for them, at most a
 * quarter of a second's at a time, and are lost soon after their time, so that an idle member keeps none from the others.
 */
export class Allowance {
  private readonly params: AllowanceParams;
  private limit: RateLimit | undefined;
  /** Rows that will ask for a slot: they are decided, and wait to leave. */
  reserved = 0;
  /** Of those, the ones that wait for nothing else. */
  aside = 0;
  private pace: Pace = { everyMs: 0, atOnce: 1, usableMs: 0 };
  private given: Slots[] = [];
  /** Asked for at a time. */
  private wanting = leastWanted;
  /** Since it was last asked for more: slots that were used, and that nobody used in their time. */
  private used = 0;
  private lost = 0;
  private isAsking = false;
  /** All slots that come before long were given out, to us or to others. */
  private isSpent = false;
  private asked: Promise<void> = Promise.resolve();
  /** Not asked for before, monotonic ms. */
  private againAt = Number.NEGATIVE_INFINITY;
  private cancelAgain: (() => void) | undefined;
  private cancelSlot: (() => void) | undefined;
  private warnedAt = Number.NEGATIVE_INFINITY;
  private stopped = false;
  /** When the last of those that wait elsewhere has its turn, monotonic ms. */
  private turnAt = Number.NEGATIVE_INFINITY;

  constructor(params: AllowanceParams, limit: RateLimit | undefined) {
    this.params = params;
    this.limit = limit;
    if (limit) this.pace = paceOf(limit);
  }

  /** Another limit, or none: what was given by the one before is void. */
  set(limit: RateLimit | undefined): void {
    if (limit?.perSecond === this.limit?.perSecond && limit?.burst === this.limit?.burst) return;
    this.limit = limit;
    if (limit) this.pace = paceOf(limit);
    this.given = [];
    this.turnAt = Number.NEGATIVE_INFINITY;
    this.isSpent = false;
    this.wanting = leastWanted;
    this.againAt = Number.NEGATIVE_INFINITY;
    this.cancelAgain?.();
    this.cancelAgain = undefined;
    if (this.stopped) return;
    this.params.onSlot();
    this.params.onNews();
  }

  /** Slots whose time is there, or comes before long; endless without a limit. */
  get room(): number {
    if (this.limit === undefined) return Number.POSITIVE_INFINITY;
    this.forget();
    return this.given.reduce((sum, { count, used }) => sum + count - used, 0);
  }

  /** Slots whose time is there; endless without a limit. */
  get ready(): number {
    if (this.limit === undefined) return Number.POSITIVE_INFINITY;
    this.forget();
    const now = this.params.clock.monotonic();
    return this.given.reduce((sum, slots) => sum + readyOf(slots, now), 0);
  }

  /** It is the rate that gives no more: not that nobody asked, or that the answer is on its way. */
  get isBinding(): boolean {
    return this.limit !== undefined && this.isSpent;
  }

  get isOfLane(): boolean {
    return this.params.isOfLane === true;
  }

  /** From slot to slot, ms; 0 without a limit. */
  get everyMs(): number {
    return this.limit === undefined ? 0 : this.pace.everyMs;
  }

  /**
   * From now to when another row is worth a try, ms: behind those that were told so before it, and those `aside`. Who would wait for
   * longer than is told is spread over as long behind it: his turn is found when he is back.
   */
  turnInMs(): number {
    const { clock, random, share = () => 1 } = this.params;
    const now = clock.monotonic();
    const stepMs = this.everyMs / Math.max(0.01, share());
    const turnAt = Math.max(now + this.waitMs + this.aside * stepMs, this.turnAt) + stepMs;
    if (turnAt - now > toldMs) return toldMs * (1 + random());
    this.turnAt = turnAt;
    return turnAt - now;
  }

  /** More is wanted than there is ready: `onSlot` or `onNews` tells when it is worth another look. */
  wanted(): void {
    if (this.limit === undefined || this.stopped) return;
    this.ask();
    const now = this.params.clock.monotonic();
    const waits = this.given.map((slots) => afterReady(slots, now)).filter((waitMs) => waitMs > 0);
    if (waits.length > 0) this.wakeIn(Math.min(...waits));
    // all are ready, and may be lost before they are used: who waits for one of another limit too takes none
    else if (!this.isAsking && this.cancelAgain === undefined) this.wakeIn(leastGapMs);
  }

  /** One may be handed over now. If not, `onSlot` tells when it is worth another try. */
  take(): boolean {
    if (this.limit === undefined) return true;
    this.forget();
    const next = this.given[0];
    if (next === undefined) this.ask();
    else {
      const waitMs = timeOf(next) - this.params.clock.monotonic();
      if (waitMs <= 0) {
        next.used += 1;
        this.used += 1;
        return true;
      }
      this.wakeIn(waitMs);
    }
    return false;
  }

  /** To the next slot, as far as is known, ms. */
  get waitMs(): number {
    this.forget();
    const [next] = this.given;
    const at = next === undefined ? (this.isAsking ? 0 : this.againAt) : timeOf(next);
    return Math.max(0, at - this.params.clock.monotonic());
  }

  /** There is work for more; `onNews` tells when there are more slots, or when to ask again. */
  ask(): void {
    const { limit } = this;
    if (limit === undefined || this.isAsking || this.stopped) return;
    // slots that rows wait for already are as good as used
    if (this.room - this.reserved > this.wanting / 2) return;
    const waitMs = this.againAt - this.params.clock.monotonic();
    if (waitMs > 0) this.askIn(waitMs);
    else this.asked = this.fetch(limit, this.amount(limit));
  }

  /** As many as were used of the last ones, or twice as many where all of them were: who has little to do takes little. */
  private amount({ perSecond }: RateLimit): number {
    const most = Math.max(1, Math.ceil((perSecond * horizonMs) / 1_000));
    const next = this.lost > 0 ? this.used : 2 * this.wanting;
    this.wanting = Math.min(most, Math.max(leastWanted, next));
    this.used = 0;
    this.lost = 0;
    return Math.min(most, this.wanting);
  }

  /** Nothing is asked for any more. Resolves when the last answer has come. */
  stop(): Promise<void> {
    this.stopped = true;
    this.cancelAgain?.();
    this.cancelSlot?.();
    return this.asked;
  }

  private async fetch(limit: RateLimit, want: number): Promise<void> {
    const { store, id, clock, random, onNews, onSlot } = this.params;
    const { pace } = this;
    this.isAsking = true;
    let gapMs = failedGapMs;
    try {
      const { count, firstInMs, againInMs } = await store.take(id, limit, pace, want);
      // later than the server's now by the way back: rather late than early
      const from = clock.monotonic();
      if (count > 0 && limit === this.limit) this.given.push({ from, first: from + firstInMs, count, used: 0, pace });
      if (limit === this.limit) this.isSpent = againInMs > 0;
      gapMs = limit === this.limit ? Math.max(leastGapMs, againInMs) * (1 + 0.2 * random()) : 0;
    } catch (error) {
      this.warn(error);
    }
    this.isAsking = false;
    if (this.stopped) return;
    this.againAt = clock.monotonic() + gapMs;
    this.askIn(gapMs);
    onSlot();
    onNews();
  }

  private askIn(ms: number): void {
    if (this.cancelAgain !== undefined) return;
    this.cancelAgain = this.params.clock.after(ms, () => {
      this.cancelAgain = undefined;
      this.params.onSlot();
      this.params.onNews();
    });
  }

  private wakeIn(ms: number): void {
    if (this.cancelSlot !== undefined) return;
    this.cancelSlot = this.params.clock.after(ms, () => {
      this.cancelSlot = undefined;
      this.params.onSlot();
    });
  }

  /** Those whose time is over. */
  private forget(): void {
    const now = this.params.clock.monotonic();
    for (const slots of this.given)
      while (slots.used < slots.count && timeOf(slots) + slots.pace.usableMs < now) {
        slots.used += 1;
        this.lost += 1;
      }
    if (this.given.some(({ used, count }) => used === count))
      this.given = this.given.filter((one) => one.used < one.count);
  }

  private warn(error: unknown): void {
    const { clock, logger, id } = this.params;
    if (clock.monotonic() - this.warnedAt < warnEveryMs) return;
    this.warnedAt = clock.monotonic();
    logger.warn('no slots could be taken of a rate limit; its messages wait', { limit: id, error });
  }
}

/** Of the next slot. */
const timeOf = (slots: Slots): number => timeOfSlot(slots, slots.used);

const timeOfSlot = ({ from, first, pace }: Slots, index: number): number =>
  Math.max(from, first + index * pace.everyMs);

/** Slots whose time is there. */
function readyOf({ from, first, count, used, pace }: Slots, now: number): number {
  if (now < from) return 0;
  return Math.max(0, Math.min(count, Math.floor((now - first) / pace.everyMs) + 1) - used);
}

/** From now to the time of the first slot that is not ready, ms; less than 0: all of them are. */
function afterReady(slots: Slots, now: number): number {
  const index = slots.used + readyOf(slots, now);
  return index < slots.count ? timeOfSlot(slots, index) - now : -1;
}
