/** What is in doubt on a member: rows that were committed `sending`, until their result is committed. */
import type { Conversation, Message, Unit } from '../src/domain/model.ts';
import type { RateWait } from '../src/domain/ratePorts.ts';
import type { Allowance } from './allowance.ts';
import type { Asked } from './gate.ts';

/** A row in doubt: committed `sending`, its result not yet committed. */
export interface InDoubt {
  row: Message;
  /** When the try was committed, ms. */
  decidedAt: number;
  /** When its send window closes, ms since the epoch: from then on it is held. Absent: it has none. */
  until?: number | undefined;
  /** The conversation as it was last written by us; absent for a row that was adopted. */
  conversation?: Conversation;
  /** The conversation moved on while the row waited to leave: it is decided again first. */
  overtaken?: boolean;
  /** When it was asked whether its contact may be written to, and nothing spoke against it. */
  clearAt?: Asked | undefined;
  /** Its contact must not be written to: it is decided again. */
  refused?: boolean;
  /** Limits beside that of its channel, while it waits to leave: of each it needs a slot. */
  limits?: readonly Allowance[] | undefined;
  /** It waits beside its queue for a slot of this one, and has none reserved of the others. */
  asideFor?: Allowance | undefined;
  /** It did: it does not wait behind those that do. */
  wasAside?: boolean;
  /** For so long at most, all in all, monotonic ms. */
  asideUntil?: number;
  /** It waited for a slot. */
  rateWait?: RateWait | undefined;
}

/** Rows in doubt, by conversation: at most one of each. */
export class RowsInDoubt {
  private readonly entries = new Map<string, InDoubt>();
  private readonly byChannel = new Map<string, number>();

  get size(): number {
    return this.entries.size;
  }

  countOf(channel: string): number {
    return this.byChannel.get(channel) ?? 0;
  }

  all(): IterableIterator<InDoubt> {
    return this.entries.values();
  }

  get(conversationId: string): InDoubt | undefined {
    return this.entries.get(conversationId);
  }

  add(entry: InDoubt): void {
    const { conversationId, channel } = entry.row;
    const replaced = this.entries.get(conversationId);
    if (replaced) this.remove(replaced.row);
    this.entries.set(conversationId, entry);
    this.byChannel.set(channel, (this.byChannel.get(channel) ?? 0) + 1);
  }

  /** False when another row of the conversation is in doubt, or none. */
  remove({ _id, conversationId, channel }: Message): boolean {
    if (this.entries.get(conversationId)?.row._id !== _id) return false;
    this.entries.delete(conversationId);
    this.byChannel.set(channel, (this.byChannel.get(channel) ?? 1) - 1);
    return true;
  }

  /** A conversation of a row in doubt was written meanwhile (an event came). */
  rewritten(conversation: Conversation): void {
    const entry = this.entries.get(conversation._id);
    if (entry === undefined) return;
    if (entry.conversation && !standsAlike(entry.conversation, conversation)) entry.overtaken = true;
    entry.conversation = conversation;
  }

  /** Receipts came for a row in doubt: its answer is recorded beside them. */
  received({ conversationId, rows }: Pick<Unit, 'conversationId' | 'rows'>): void {
    const entry = this.entries.get(conversationId);
    for (const { id, set } of rows)
      if (entry?.row._id === id && set.status === undefined) Object.assign(entry.row, set);
  }
}

/** Whether what was decided in the one place holds in the other. */
const standsAlike = (a: Conversation, b: Conversation): boolean =>
  a.status === b.status && a.stage === b.stage && a.step === b.step && a.sequence === b.sequence;
