import type { Conversation } from '../src/domain/model.ts';

/** What a round may take up. */
export interface Demand {
  /** Conversations, at most. */
  capacity: number;
  /** Of these on a channel ("-": none), at most. */
  room: (channel: string) => number;
  /** Not wanted: a row of it is in flight, or it is being written. */
  skip: (id: string) => boolean;
  /** By lane key, how many would be found and are not wanted. */
  hidden: ReadonlyMap<string, number>;
}

/** Due conversations that were read for a round to come, while another one commits. Their guards tell if they changed meanwhile. */
export class LoadAhead {
  private waiting: Conversation[] = [];

  get size(): number {
    return this.waiting.length;
  }

  ids(): Set<string> {
    return new Set(this.waiting.map(({ _id }) => _id));
  }

  some(test: (one: Conversation) => boolean): boolean {
    return this.waiting.some(test);
  }

  add(conversations: readonly Conversation[]): void {
    this.waiting.push(...conversations);
  }

  /** Those that may be taken up, in order. What finds no room on its channel goes to `dropped`, so that it holds up nobody. */
  take(
    { capacity, room, skip }: Demand,
    owned: ReadonlySet<number>,
    dropped: (one: Conversation) => void,
  ): Conversation[] {
    const left = new Map<string, number>();
    const taken: Conversation[] = [];
    let read = 0;
    for (; read < this.waiting.length && taken.length < capacity; read++) {
      const one = this.waiting[read] as Conversation;
      if (skip(one._id) || !owned.has(one.partition)) continue;
      const channel = one.nextChannel ?? '-';
      const free = left.get(channel) ?? room(channel);
      left.set(channel, free - 1);
      if (free > 0) taken.push(one);
      else dropped(one);
    }
    this.waiting = this.waiting.slice(read);
    return taken;
  }

  clear(): void {
    this.waiting = [];
  }
}
