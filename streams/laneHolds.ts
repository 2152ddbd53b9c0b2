import type { Conversation } from '../src/domain/model.ts';
import type { RateKind, RateWait } from '../src/domain/ratePorts.ts';
import type { Clock } from '../src/domain/systemPorts.ts';

/** Why nothing of a lane may be decided, where more members would not help: a rate, a channel that is left alone, or all sending is stopped. */
export type Hold = RateKind | 'circuit' | 'stopped';

interface Held {
  why: Hold;
  /** ms since the epoch. */
  since: number;
  /** Since when there is room for it, monotonic ms. Absent: there is none. */
  freeSince?: number;
}

/** A lane that has had room for so long stands behind nothing, ms: behind a rate it has some whenever slots come, until they are used. */
const freeMs = 5_000;

const isRate = (why: Hold): why is RateKind => why !== 'circuit' && why !== 'stopped';

/** Which lanes have something due and stand behind something, and since when: in memory, for metrics alone. */
export class LaneHolds {
  /** By key of the lane. */
  private readonly holds = new Map<string, Held>();
  private readonly behind = new WeakMap<Conversation, RateWait>();
  private readonly clock: Pick<Clock, 'now' | 'monotonic'>;

  constructor(clock: Pick<Clock, 'now' | 'monotonic'>) {
    this.clock = clock;
  }

  /** A lane has something due; `why`: nothing of it may be decided now. */
  look(key: string, why: Hold | undefined): void {
    const known = this.holds.get(key);
    if (why !== undefined) {
      const goesOn = known !== undefined && (known.why === why || (isRate(known.why) && isRate(why)));
      this.holds.set(key, { why, since: goesOn ? known.since : this.clock.now() });
    } else if (known !== undefined) {
      const now = this.clock.monotonic();
      known.freeSince ??= now;
      if (now - known.freeSince > freeMs) this.holds.delete(key);
    }
  }

  /** Nothing of it is due, or it is no more. */
  forget(key: string): void {
    this.holds.delete(key);
  }

  has(key: string): boolean {
    return this.holds.has(key);
  }

  /** The rate it stands behind. */
  rateOf(key: string): RateWait | undefined {
    const held = this.holds.get(key);
    return held !== undefined && isRate(held.why) ? { kind: held.why, since: held.since } : undefined;
  }

  /** Conversations were taken from a lane: what it stands behind is what they waited for. */
  took(key: string, conversations: readonly Conversation[]): void {
    const rate = this.rateOf(key);
    if (rate) for (const one of conversations) this.behind.set(one, rate);
  }

  /** The rate that the lane of a conversation stood behind when it was taken. */
  rateBefore(conversation: Conversation): RateWait | undefined {
    return this.behind.get(conversation);
  }
}
