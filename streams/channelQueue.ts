import type { Channel } from '../src/domain/channelPorts.ts';
import type { Allowance } from './allowance.ts';
import { Circuit, type CircuitParams } from './circuit.ts';
import type { InDoubt } from './inDoubt.ts';
import type { Hold } from './laneHolds.ts';

/** A row that waits beside its queue for a slot of a limit. */
export interface Aside {
  entry: InDoubt;
  limit: Allowance;
  /** Monotonic ms. */
  until: number;
}

/** Rows that wait to leave by one channel, in their order, and how many of its rows may be in doubt. */
export class ChannelQueue {
  readonly channel: Channel;
  readonly circuit: Circuit;
  /** What its rate allows; absent: everything. */
  readonly allowance: Allowance | undefined;
  /** Rows handed over and not answered. */
  active = 0;
  /** Since when rows wait for slots of its rate, ms since the epoch. */
  private waitsSince: number | undefined;
  private entries: InDoubt[] = [];
  private head = 0;
  /** Those that wait for a slot of a limit of their own, and hold up nobody else. */
  private aside: Aside[] = [];
  /** Since rows last came. */
  private answered = 0;
  private mostInDoubt: number;

  constructor(channel: Channel, circuit: Omit<CircuitParams, 'concurrency'>, allowance?: Allowance) {
    this.channel = channel;
    this.allowance = allowance;
    this.circuit = new Circuit({ ...circuit, concurrency: channel.concurrency });
    this.mostInDoubt = 2 * channel.concurrency;
  }

  /**
   * Rows of the channel in doubt, at most: twice its concurrency, and more while it gets through them before the next round is there;
   * as many as its circuit lets through.
   */
  get bound(): number {
    return Math.min(this.mostInDoubt, this.circuit.limit);
  }

  /** What waits or is on its way beyond what the channel sends at a time; less than none: slots that stand idle. */
  get excess(): number {
    return this.entries.length - this.head + this.active - this.channel.concurrency;
  }

  /** The row whose turn it is; undefined when none waits or every slot is used. */
  get next(): InDoubt | undefined {
    const slots = Math.min(this.channel.concurrency, this.circuit.limit);
    return this.active < slots ? this.entries[this.head] : undefined;
  }

  /** Rows that may be decided beside those that wait and the `planned`, as far as the rate goes. */
  allowed(planned: number): number {
    const { allowance, entries, head } = this;
    if (allowance === undefined) return Number.POSITIVE_INFINITY;
    return allowance.room - (entries.length - head) - Math.max(0, planned);
  }

  /** Why no more of it may be decided, where that is for no lack of members. @param inDoubt Its rows in doubt. */
  heldBy(inDoubt: number): Hold | undefined {
    const { circuit, allowance } = this;
    if (circuit.isOpen || circuit.isTrying || inDoubt >= circuit.limit) return 'circuit';
    return allowance?.isBinding === true && this.allowed(0) <= 0 ? 'channel' : undefined;
  }

  /** The `next` one has no slot of its rate. @param now ms since the epoch. */
  waits(now: number): void {
    this.waitsSince ??= now;
  }

  /** The `next` one has one; who waits for something else from here on waits for no rate. */
  hasSlot(entry: InDoubt): void {
    if (this.waitsSince !== undefined)
      entry.rateWait ??= { kind: 'channel', since: Math.max(this.waitsSince, entry.decidedAt) };
  }

  /** None waits for a slot of its rate. */
  waitsNoMore(): void {
    this.waitsSince = undefined;
  }

  waiting(): readonly InDoubt[] {
    return [...this.entries.slice(this.head), ...this.aside.map(({ entry }) => entry)];
  }

  /** All that wait, who do so no more. */
  drain(): readonly InDoubt[] {
    const all = this.waiting();
    this.waitsNoMore();
    this.entries = [];
    this.head = 0;
    for (const { limit } of this.aside) limit.aside -= 1;
    this.aside = [];
    return all;
  }

  put(entry: InDoubt): void {
    this.entries.push(entry);
  }

  /** `next` leaves the queue. */
  shift(): void {
    this.head += 1;
    if (this.head === this.entries.length || this.head > 1024) {
      this.entries.splice(0, this.head);
      this.head = 0;
    }
  }

  /** More rows of it may be set aside: those that are take no more than half of what may be in doubt. */
  hasRoomAside({ isOfLane }: Allowance): boolean {
    // a lane that was promised its slots has no other place to wait
    return this.aside.length < (isOfLane ? 2 : 1) * this.channel.concurrency;
  }

  get hasAside(): boolean {
    return this.aside.length > 0;
  }

  /** A row that was the `next` one waits for a slot of this limit, until then at most, monotonic ms. */
  setAside(entry: InDoubt, limit: Allowance, until: number): void {
    this.aside.push({ entry, limit, until });
    limit.aside += 1;
    entry.asideFor = limit;
    // it takes no slots of the others from who can use them
    for (const other of entry.limits ?? []) if (other !== limit) other.reserved -= 1;
  }

  /**
   * Those for whose limit there are slots now are the next ones again, in their order; the others are asked for. Returned are those
   * that have waited for too long, or may not leave any more: they wait here no longer.
   */
  recall(now: number, mayLeave: (entry: InDoubt) => boolean): Aside[] {
    if (this.aside.length === 0) return [];
    const ready = new Map<Allowance, number>();
    const [back, left, over]: [Aside[], Aside[], Aside[]] = [[], [], []];
    for (const one of this.aside) {
      const slots = ready.get(one.limit) ?? one.limit.ready;
      const isReady = slots > 0 && mayLeave(one.entry);
      if (isReady) ready.set(one.limit, slots - 1);
      (isReady ? back : one.until <= now || !mayLeave(one.entry) ? over : left).push(one);
    }
    this.aside = left;
    for (const { entry, limit } of [...back, ...over]) {
      limit.aside -= 1;
      entry.asideFor = undefined;
      entry.wasAside = true;
      for (const other of entry.limits ?? []) if (other !== limit) other.reserved += 1;
    }
    for (const limit of new Set(left.map((one) => one.limit))) limit.wanted();
    if (back.length > 0) this.entries.splice(this.head, 0, ...back.map(({ entry }) => entry));
    return over;
  }

  began(): void {
    this.active += 1;
  }

  ended(): void {
    this.active -= 1;
    this.answered += 1;
  }

  /**
   * Rows came, where `excess` was left of the rounds before. A channel that used all its slots and stands idle waits for rounds: it
   * may have twice as many in doubt, up to `most`. One that has more left than it can send at a time is slower: what waits there
   * only adds to what a kill repeats.
   */
  adjust(excess: number, inDoubt: number, most: number): void {
    const { channel, mostInDoubt, answered } = this;
    this.answered = 0;
    if (excess < 0 && answered >= channel.concurrency && inDoubt >= mostInDoubt)
      this.mostInDoubt = Math.min(2 * mostInDoubt, Math.max(mostInDoubt, most));
    else if (excess > channel.concurrency) this.mostInDoubt = Math.max(mostInDoubt >> 1, 2 * channel.concurrency);
  }
}
