/** Where conversations and outbox rows are stored. It has an in-memory fake and a real adapter, which pass one suite (`test/contract`). */
import type { Conversation, Id, Lane, Message, Unit } from './model.ts';

export interface RoundReceipt {
  /** Conversations whose guard missed, or an answer's row was no longer `sending`: nothing of their unit was written; they are to be decided again. */
  missed: Set<string>;
  /** Units left out because they alone cannot be written (too large, refused by the server), each with its error. */
  poisoned: Map<string, Error>;
}

export interface ConversationStore {
  /** Whole documents; ids that do not exist are left out. */
  byIds(ids: readonly string[]): Promise<Conversation[]>;
  /** The lane's due conversations (`nextActionAt <= now`): partition by partition in the order given, each in order of due time. `history`, which nothing is decided by, may come empty. `stages`: only those that stand in one of them and have written no message that waits. */
  due(
    lane: Lane,
    partitions: readonly number[],
    now: Date,
    limit: number,
    stages?: readonly string[],
  ): Promise<Conversation[]>;
  /** When the lane's earliest conversation is due, of those later than `after` if given; undefined when nothing waits. */
  nextDue(lane: Lane, partitions: readonly number[], after?: Date): Promise<Date | undefined>;
  /** Ids of conversations with a pending inbox, by id, paged. */
  withInbox(partitions: readonly number[], after: string | undefined, limit: number): Promise<string[]>;
  /** Rows in status queued or sending, by id, paged. `headsOnly`: without their content. */
  pendingMessages(
    partitions: readonly number[],
    after: string | undefined,
    limit: number,
    headsOnly?: boolean,
  ): Promise<Message[]>;
  /** Outbox rows; ids that do not exist are left out. `headsOnly`: without their content. */
  messages(ids: readonly string[], headsOnly?: boolean): Promise<Message[]>;
  /** Ids of a campaign's active conversations in these partitions, by id, paged. `notAsked`: those that the migration of this number has not asked. */
  activeOf(
    campaignId: Id,
    partitions: readonly number[],
    after: string | undefined,
    limit: number,
    notAsked?: number,
  ): Promise<string[]>;
  /**
   * In their order, in as few fenced transactions as hold them, as if every guard held. Ends before the first transaction of
   * which something cannot be written (a guard missed, the server refused something, it is away): nothing is written
   * behind what is left. Returns the conversations of the units that are.
   */
  commitInOrder(units: readonly Unit[]): Promise<Set<string>>;
  /** In as few fenced transactions as hold them; a missed guard or a poisonous unit leaves the others untouched. Order inside: fence, conversations, rows, counters. */
  commit(units: readonly Unit[]): Promise<RoundReceipt>;
}
