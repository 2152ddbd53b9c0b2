/** How fast a simulated channel takes messages: so many at a time, so many a second, the rest in the order it came. */

export interface PaceFacts {
  /** Messages that are with it at a time. */
  concurrency: number;
  /** Messages a second over any span, and a burst of as many; absent: no limit. */
  perSecond?: number;
  latencyMs: number;
}

const second = 1000;

export class ChannelPace {
  readonly latencyMs: number;
  private readonly concurrency: number;
  private readonly gapMs: number;
  private busy = 0;
  /** Theoretical arrival time (GCRA, as of ITU-T I.371): when the messages so far would have left, one after the other. */
  private arrival = Number.NEGATIVE_INFINITY;
  private waiting: number[] = [];
  private head = 0;

  constructor({ concurrency, perSecond, latencyMs }: PaceFacts) {
    this.concurrency = concurrency;
    this.gapMs = perSecond === undefined ? 0 : second / perSecond;
    this.latencyMs = latencyMs;
  }

  hasRoom(now: number): boolean {
    return this.busy < this.concurrency && this.freeAt <= now;
  }

  /** When its rate allows the next message, whole ms. */
  get freeAt(): number {
    const tolerance = Math.max(0, second - this.gapMs);
    // a sum of many gaps is a little off
    return Math.ceil(this.arrival - tolerance - 1e-6);
  }

  /** When to look again for those who wait; undefined: not before an answer. */
  get wakeAt(): number | undefined {
    return this.busy < this.concurrency ? this.freeAt : undefined;
  }

  begin(now: number): void {
    this.busy += 1;
    this.arrival = Math.max(this.arrival, now) + this.gapMs;
  }

  end(): void {
    this.busy -= 1;
  }

  wait(who: number): void {
    this.waiting.push(who);
  }

  get isWaitedFor(): boolean {
    return this.head < this.waiting.length;
  }

  /** Whoever waits longest. */
  nextWaiting(): number | undefined {
    const who = this.waiting[this.head];
    if (who === undefined) return undefined;
    this.head += 1;
    if (this.head === this.waiting.length || this.head > 10_000) {
      this.waiting = this.waiting.slice(this.head);
      this.head = 0;
    }
    return who;
  }
}
