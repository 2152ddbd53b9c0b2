/**
 * The words of the service as types: what the generated document types refer to, and what lives only in memory.
 * Document types themselves come from `schemas/` (see `generated/types.ts`) and are re-exported here.
 */
import type { Contact, Conversation, Flow, Message } from './generated/types.ts';

export type * from './generated/types.ts';

/** An ObjectId as far as the domain needs to know it: the driver's class stays outside. */
export interface ObjectIdLike {
  toHexString(): string;
}
/** A document id as its writer chose it. */
export type Id = string | number | ObjectIdLike;

/** Where the contacts of a campaign come from, as its author wrote it. */
export type Audience =
  | { contacts: unknown[]; collection?: never; filter?: never; map?: never }
  | {
      collection: string;
      filter?: Record<string, unknown>;
      map?: Record<string, unknown>;
      contacts?: never;
    };

/** The audience as pinned in the run; inline contacts stay in the campaign document (they may be 16 MB). */
export type PinnedAudience =
  | { kind: 'inline' }
  | { kind: 'collection'; collection: string; filter: Record<string, unknown>; map: Record<string, unknown> };

/** How far an audience is expanded. `after` is the `_id` of the last source document, or the number of inline contacts done. */
export interface Expansion {
  expanded: number;
  skipped: Partial<Record<'duplicate_contact' | 'contact_invalid', number>>;
  after?: unknown;
  done: boolean;
}

/** Whether a campaign has a run, and whether that is over. */
export type RunState = 'none' | 'open' | 'settled';

export type EndedStatus = Exclude<Conversation['status'], 'active'>;

/** The contract's `campaigns.metrics`. */
export interface Metrics {
  total: number;
  active: number;
  completed: number;
  escalated: number;
  failed: number;
  suppressed: number;
  cancelled: number;
  messages: {
    sent: number;
    failed: number;
    uncertain: number;
    skipped: number;
    followUps: number;
    delivered: number;
    bounced: number;
  };
  replied: number;
  stages: Record<string, { entered: number; sent: number; replied: number }>;
  reasons: Record<string, number>;
  /** Conversations by `outcome`, ours and the author's words. */
  outcomes: Record<string, number>;
  updatedAt: Date;
}

/** What a message says, after its templates were rendered. Every field is ready to leave. */
export interface RenderedContent {
  subject?: string;
  text?: string;
  html?: string;
  body?: unknown;
  attachments?: Record<string, unknown>[];
  /** Mail: the sender, `Name <address>` or the address alone, as the channel had it when the message was decided. */
  from?: string;
  /** Mail: the recipient's name. */
  toName?: string;
  /** Mail: headers that go out beside the usual ones, by name. */
  headers?: Record<string, string>;
}

export type SkipReason = NonNullable<Message['reason']>;

/** Flat counter deltas by dotted path: `active`, `messages.sent`, `stages.intro.entered`, `reasons.retries_exhausted`, `pending`. */
export type CounterDelta = Record<string, number>;

/** The unit of fairness: one campaign on one channel, what opens a conversation apart from what continues one. */
export interface Lane {
  campaignId: Id;
  /** Channel the next action needs, "-" when it needs none. */
  channel: string;
  opening: boolean;
}

/** A guarded change of one conversation. It applies only to the document as it was read. */
export interface ConversationChange {
  id: string;
  /** `version` as read: the guard, together with `inboxSize`. */
  version: number;
  /** Length of `inbox` as read, so that an event stored before the commit wins over the change; -1: it was no array. */
  inboxSize: number;
  /** Fields to set; never `version`, `updatedAt` or `history`, which the store writes itself. */
  set: Partial<Conversation>;
  unset: (keyof Conversation)[];
  /** Entries to append; the store keeps the newest 100. */
  history: Conversation['history'];
}

/** A change of an outbox row that already exists. */
export interface MessageChange {
  id: string;
  /** For metrics only. */
  channel: string;
  /**
   * Status that the row must still have, else the unit misses: `sending` for what records its answer (somebody may have deleted
   * it: then the answer counts all the same), `queued` for another try of it. Undefined: any pending row takes it, and none is needed.
   */
  from: 'sending' | 'queued' | undefined;
  set: Partial<Message>;
  unset: (keyof Message)[];
}

/** What one conversation does in one round: all of it is committed, or none. */
export interface Unit {
  conversationId: string;
  campaignId: Id;
  /** Absent when only the outbox row changes (a message that went out as planned). */
  change?: ConversationChange;
  inserts: Message[];
  rows: MessageChange[];
  counters: CounterDelta;
  deadLetters: { reason: string; error?: { code: string; message: string; path?: string }; document?: unknown }[];
}

/** A contact that passed the checks, with everything its conversation needs. */
export interface ExpansionSlice {
  campaignId: Id;
  /** `expansion.after` of the run as read: the guard against expanding a slice twice. */
  from: unknown;
  /** The new `expansion`; `expanded` and `skipped` are the totals. */
  expansion: Expansion;
  conversations: Conversation[];
  counters: CounterDelta;
}

export type { Contact, Flow };
