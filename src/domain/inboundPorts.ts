/** What the inbound pipeline and the suppressions need from outside. Each has an in-memory fake and a real adapter, which pass one suite (`test/contract`). */
import type { Fault } from './errors.ts';
import type { Conversation, Id, InboxEvent, Message, Suppression, SuppressionChange } from './model.ts';

/** Who must not be written to, as it is stored. */
export interface SuppressionStore {
  /** Those of the ids that are stored, and why. */
  among(ids: readonly string[], signal?: AbortSignal): Promise<Map<string, Pick<Suppression, 'reason' | 'willed'>>>;
  /** All ids in their order, paged. */
  page(after: string | undefined, limit: number): Promise<string[]>;
  /** Of no fence: repeated, they change nothing more. What is suppressed already changes its reason to a stronger one alone, and keeps `willed`. */
  write(changes: readonly SuppressionChange[]): Promise<void>;
}

/** A conversation as far as events are routed by it. */
export type ConversationHead = Pick<
  Conversation,
  '_id' | 'campaignId' | 'contact' | 'status' | 'createdAt' | 'updatedAt' | 'sequence'
> &
  Partial<Pick<Conversation, 'addresses'>>;

/** An outbox row as far as events are routed by it. */
export type RowHead = Pick<Message, '_id' | 'conversationId' | 'campaignId' | 'channel'> &
  Partial<Pick<Message, 'to' | 'providerMessageId'>>;

/** How an event was taken; `handledAt` is set with it. */
export type InboundMark =
  /** `error`: what it asked for beside that could not be done. */
  | { kind: 'moved'; conversations: readonly string[]; error?: Fault }
  | { kind: 'unmatched'; error?: Fault }
  | { kind: 'failed'; error: Fault };

/** A receipt that is nothing but a stamp on its row. */
export interface DirectReceipt {
  /** Of its event. */
  id: Id;
  event: Pick<InboxEvent, 'type' | 'machine'>;
  /** When it happened. */
  at: Date;
  row: Pick<RowHead, '_id' | 'conversationId' | 'campaignId'>;
  /** Number of the run's last migration, 0 before the first, as far as whoever looked at its flows knew. */
  migration: number;
}

export interface Stamped {
  /**
   * Of the events whose row is gone or still on its way, or whose campaign was migrated since, of which nothing was written: they go
   * by the conversation.
   */
  left: Set<Id>;
  /** Rows that have another status now. */
  moved: Pick<Message, 'channel' | 'status'>[];
}

export interface ReceiptStore {
  /**
   * Stamps rows, counts, and marks the events as moved, in one fenced transaction; what was handled before stays.
   */
  stamp(receipts: readonly DirectReceipt[], at: Date): Promise<Stamped>;
}

export interface InboundStore {
  /**
   * As they are stored, whatever their shape, as many as some megabytes hold; those that are gone or handled are left out. `rest`
   * is to be asked for again.
   */
  events(ids: readonly Id[]): Promise<{ events: (Record<string, unknown> & { _id: Id })[]; rest: Id[] }>;
  /** Ids of events that nobody handled, across types of ids; `after` is the last one of the page before. */
  unhandled(after: Id | undefined, limit: number): Promise<Id[]>;
  /** Ids of events that nobody handled and that may be opt-outs by their type (`optOutTypes`): all, or where there are so many the newest of each type, so many each at most. */
  optOuts(limit: number): Promise<Id[]>;
  /** Active conversations that have one of these addresses; a thousand of each at most. */
  openAt(addresses: readonly string[]): Promise<ConversationHead[]>;
  /** Conversations in any status. */
  conversations(ids: readonly string[]): Promise<ConversationHead[]>;
  /** A thousand of each at most: an id that more have is none. */
  rowsOf(providerMessageIds: readonly string[]): Promise<RowHead[]>;
  /**
   * Notes where events go, before they are pushed there: whoever does it again goes to the same. Returns how many were noted;
   * fewer than given when somebody else was there before.
   */
  aim(aims: readonly { id: Id; conversations: readonly string[] }[]): Promise<number>;
  /** Each once by the event's id, whoever else pushes it; `version` stays. Returns the pushes that the server refused, by their index. */
  push(pushes: readonly { conversation: string; event: InboxEvent & { id: string } }[]): Promise<Map<number, Error>>;
  mark(marks: readonly { id: Id; mark: InboundMark }[], at: Date): Promise<void>;
}
