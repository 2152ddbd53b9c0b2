import type { Clock } from '../src/domain/systemPorts.ts';
import type { Allowance } from './allowance.ts';
import type { ChannelQueue } from './channelQueue.ts';
import type { InDoubt } from './inDoubt.ts';
import type { Rates } from './rates.ts';

export interface SlotWaitsParams {
  rates?: Pick<Rates, 'narrow'>;
  clock: Clock;
  queues: () => Iterable<ChannelQueue>;
  /** What was decided of a row still holds. */
  mayLeave: (entry: InDoubt) => boolean;
  /** It goes back, as if it had never been about to leave; `inMs`: worth another try then. */
  hold: (entry: InDoubt, why: { inMs?: number }) => void;
  /** What is next in a queue may leave. */
  pump: (queue: ChannelQueue) => void;
}

/** A row that would wait for longer for a slot waits in its lane, ms. */
export const longestWaitMs = 1_000;
/** Those that wait for a slot beside their queue are looked at so often, ms. */
const recallMs = 250;

/** Rows whose limits are narrower than that of their channel: where one has no slot they wait beside the queue, and hold up nobody. */
export class SlotWaits {
  private readonly params: SlotWaitsParams;
  private cancelRecall: (() => void) | undefined;
  private stopped = false;

  constructor(params: SlotWaitsParams) {
    this.params = params;
  }

  /** A row that is about to wait in a queue counts for the slots that it will need. */
  reserve(entry: InDoubt): void {
    const limits = this.params.rates?.narrow(entry.row);
    if (limits === undefined || limits.length === 0) return;
    entry.limits = limits;
    for (const limit of limits) limit.reserved += 1;
  }

  /** The limit that has no slot for it; who came later does not overtake those that wait already. */
  lacking({ limits, wasAside }: InDoubt): Allowance | undefined {
    return limits?.find(({ ready, aside }) => ready <= (wasAside ? 0 : aside));
  }

  /** It leaves: a slot of each is used. */
  use(entry: InDoubt): void {
    for (const limit of entry.limits ?? []) limit.take();
    this.free(entry);
  }

  /** It waits for slots no longer. */
  free(entry: InDoubt): void {
    const { limits = [], asideFor } = entry;
    for (const limit of limits) if (asideFor === undefined || asideFor === limit) limit.reserved -= 1;
    entry.limits = undefined;
    entry.asideFor = undefined;
  }

  /** It waits for a slot of this limit beside its queue; where that takes long, in its lane, or until its turn. */
  setAside(queue: ChannelQueue, entry: InDoubt, limit: Allowance): void {
    const { clock } = this.params;
    const waitMs = limit.waitMs + limit.aside * limit.everyMs;
    const isOver = entry.asideUntil !== undefined && entry.asideUntil <= clock.monotonic();
    if (isOver || !queue.hasRoomAside(limit) || waitMs > longestWaitMs) this.putBack(entry, limit);
    else {
      entry.asideUntil ??= clock.monotonic() + longestWaitMs;
      entry.rateWait ??= { kind: limit.isOfLane ? 'campaign' : 'domain', since: clock.now() };
      queue.setAside(entry, limit, entry.asideUntil);
      this.recallLater();
    }
    limit.wanted();
  }

  /** Whoever waits for a slot is looked at again, at the latest when he has waited long enough. */
  recall(): void {
    const { clock, mayLeave, pump } = this.params;
    this.cancelRecall?.();
    this.cancelRecall = undefined;
    if (this.stopped) return;
    let isWaiting = false;
    for (const queue of this.params.queues()) {
      for (const { entry, limit } of queue.recall(clock.monotonic(), mayLeave)) this.putBack(entry, limit);
      pump(queue);
      isWaiting ||= queue.hasAside;
    }
    if (isWaiting) this.recallLater();
  }

  stop(): void {
    this.stopped = true;
    this.cancelRecall?.();
  }

  private recallLater(): void {
    this.cancelRecall ??= this.params.clock.after(recallMs, () => this.recall());
  }

  /** Its lane knows how fast its campaign is, and nothing of domains. */
  private putBack(entry: InDoubt, limit: Allowance): void {
    const { mayLeave, hold } = this.params;
    hold(entry, limit.isOfLane || !mayLeave(entry) ? {} : { inMs: limit.turnInMs() });
  }
}
