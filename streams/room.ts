import type { ChannelQueue } from './channelQueue.ts';
import type { RowsInDoubt } from './inDoubt.ts';
import type { Hold } from './laneHolds.ts';

export interface RoomParams {
  /** Rows in doubt on this member, at most. */
  concurrency: number;
  doubt: RowsInDoubt;
  queues: ReadonlyMap<string, ChannelQueue>;
  /** Nothing leaves: the member stops, or all sending is stopped. */
  isShut: () => boolean;
}

const nothing: ReadonlyMap<string, number> = new Map();

/** How many rows may come in doubt: on a member, on each of its channels, and by their rates and circuits. */
export class Room {
  private readonly params: RoomParams;

  constructor(params: RoomParams) {
    this.params = params;
  }

  /** How many more on a channel ("-": on any), beside those that are `planned` (by channel). */
  left(channel: string, planned: ReadonlyMap<string, number> = nothing): number {
    const { concurrency, doubt, queues, isShut } = this.params;
    if (isShut()) return 0;
    let total = concurrency - doubt.size;
    for (const count of planned.values()) total -= count;
    if (channel === '-') return Math.max(0, total);
    const queue = queues.get(channel);
    if (queue === undefined) return 0;
    const used = (name: string): number => doubt.countOf(name) + (planned.get(name) ?? 0);
    // a channel that hangs must not hold up all: what each other one can send at a time is kept for it, as far as that goes round
    const share = Math.floor(concurrency / (2 * queues.size));
    for (const other of queues.values())
      if (other !== queue) total -= Math.max(0, Math.min(other.channel.concurrency, share) - used(other.channel.name));
    return Math.max(0, Math.min(queue.bound - used(channel), queue.allowed(planned.get(channel) ?? 0), total));
  }

  /** Why nothing more may be decided on a channel ("-": on none), where that is for no lack of members. */
  heldBy(channel: string): Hold | undefined {
    const { doubt, queues, isShut } = this.params;
    return isShut() ? 'stopped' : queues.get(channel)?.heldBy(doubt.countOf(channel));
  }

  /** Something is due on the channel: where a rate holds it back, more of it is asked for. */
  wanted(channel: string): void {
    const { doubt, queues, isShut } = this.params;
    const queue = queues.get(channel);
    if (queue?.allowance === undefined || isShut()) return;
    if (queue.bound > doubt.countOf(channel)) queue.allowance.ask();
  }
}
