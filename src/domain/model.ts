/**
 * The words of the service as types: what the generated document types refer to, and what lives only in memory.
 * Document types themselves come from `schemas/` (see `generated/types.ts`) and are re-exported here.
 */
import type {
  Contact,
  ContactPressure,
  Conversation,
  Enrollment,
  Escalation,
  Flow,
  InboundEvent,
  Message,
  Suppression,
} from './generated/types.ts';

export type * from './generated/types.ts';

/** An ObjectId as far as the domain needs to know it: the driver's class stays outside. */
export interface ObjectIdLike {
  toHexString(): string;
}
/** A document id as its writer chose it. */
export type Id = string | number | ObjectIdLike;

/** Where the contacts of a campaign come from, as its author wrote it. */
export type Audience = (
  | { contacts: unknown[]; collection?: never; filter?: never; map?: never }
  | {
      collection: string;
      filter?: Record<string, unknown>;
      map?: Record<string, unknown>;
      contacts?: never;
    }
) & {
  mode?: 'snapshot' | 'live';
  dedupeBy?: 'id' | 'address';
  exclude?: { collection: string; filter?: Record<string, unknown>; map?: { id: string } };
};

/** The audience as pinned in the run; inline contacts stay in the campaign document (they may be 16 MB). */
export type PinnedAudience = (
  | { kind: 'inline' }
  /** Contacts come one by one. */
  | { kind: 'enrollments' }
  | {
      kind: 'collection';
      collection: string;
      filter: Record<string, unknown>;
      map: Record<string, unknown>;
      /** Who joins later enters, too. */
      live?: true;
    }
) & {
  /** The contact field whose value no two contacts may share. */
  dedupeBy?: string;
  exclude?: Exclusion;
};

/** Whose ids are left out of an audience. */
export interface Exclusion {
  collection: string;
  filter: Record<string, unknown>;
  /** Where the contact's id is in its documents, dotted. */
  idPath: string;
}

/** Why a contact of an audience did not enter. */
export type Skipped = Partial<
  Record<'duplicate_contact' | 'contact_invalid' | 'duplicate_address' | 'excluded', number>
>;

/** How far an audience is expanded. `after` is the `_id` of the last source document, or the number of inline contacts done. */
export interface Expansion {
  expanded: number;
  skipped: Skipped;
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
    complained: number;
  };
  replied: number;
  stages: Record<string, { entered: number; sent: number; replied: number }>;
  reasons: Record<string, number>;
  /** Conversations by `outcome`, ours and the author's words. */
  outcomes: Record<string, number>;
  /** By split stage and variant: drawn into it, and then messages sent and conversations replied, wherever that was. */
  variants?: Record<string, Record<string, { entered: number; sent: number; replied: number }>>;
  /** By number: conversations that went over to another version of the template, and those that stayed, by the stage they stood in. */
  migrations?: Record<string, { moved: Record<string, number>; stayed: Record<string, number> }>;
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
   * it: then the answer counts all the same), `queued` for another try of it, its status as read for a receipt. Undefined: any
   * pending row takes it, and none is needed.
   */
  from: Message['status'] | undefined;
  set: Partial<Message>;
  unset: (keyof Message)[];
}

/** What a decision does to the documents by which people are asked in. The store fills in the transcript of a new one. */
export type EscalationChange =
  | { kind: 'opened'; document: Escalation /** Number of messages so far. */; sequence: number }
  | { kind: 'ended'; id: string; set: Pick<Escalation, 'status' | 'endedAt'> };

/** A suppression that comes, or one that its person takes back: then only for a reason of hers, and none stored after `at`. */
export type SuppressionChange = { kind: 'add'; suppression: Suppression } | { kind: 'lift'; id: string; at: Date };

/**
 * What limits count, in this order whatever order they are listed in: raises, what counts no more, returns, takes. A unit misses as
 * a whole when the document of a raise is of another version by now, or when a take would be one too many for its period.
 */
export type LimitChange =
  /** `version` as read; undefined: there was none. The document is as it will be. */
  | { kind: 'raise'; version: number | undefined; document: ContactPressure }
  /** A message that its contact does not get counts no more, if it did. `id`: of the document. */
  | { kind: 'lower'; id: string; messageId: string }
  /** One message of the unit's campaign leaves in the period of its ramp that began at `from`. */
  | { kind: 'take'; from: Date; limit: number }
  /** One that was taken for that period does not leave. */
  | { kind: 'return'; from: Date };

/** What one conversation does in one round: all of it is committed, or none. */
export interface Unit {
  conversationId: string;
  campaignId: Id;
  /** Absent when only the outbox row changes (a message that went out as planned). */
  change?: ConversationChange;
  inserts: Message[];
  rows: MessageChange[];
  counters: CounterDelta;
  escalations?: EscalationChange[];
  /** An ended conversation goes on: its run must not be settled. */
  reopens?: boolean;
  /** Its run is settled: what is counted has to be folded once more. */
  late?: boolean;
  /** What counts for the caps of contacts and the ramp of the campaign. */
  limits?: readonly LimitChange[];
  /** Addresses that must not be written to from now on, or may be again. */
  suppressions?: readonly SuppressionChange[];
  /** What other conversations have to hear of, as anybody writes it; once, whoever writes it again. */
  inbound?: readonly InboundEvent[];
  deadLetters: { reason: string; error?: { code: string; message: string; path?: string }; document?: unknown }[];
}

/** A contact that passed the checks, with everything its conversation needs. */
export interface ExpansionSlice {
  campaignId: Id;
  /** `expansion.after` of the run as read: the guard against expanding a slice twice. */
  from: unknown;
  /** Number of the run's last migration as read, if it had one: its conversations follow that version. */
  migration?: number;
  /** Of a live audience, `expansion.expanded` of the run as read: a pass over all of it leaves `after` as it is. */
  expectExpanded?: number;
  /** The new `expansion`; `expanded` and `skipped` are the totals. */
  expansion: Expansion;
  conversations: Conversation[];
  /** `campaign_addresses` that are taken by them; absent where addresses may be shared. */
  addresses?: string[];
  counters: CounterDelta;
}

/** Enrollments of one campaign, or of none, and what became of them. */
export interface EnrollmentSlice {
  /** Where contacts enter or are counted as left out: only while its run takes them. Absent: nothing but the answers is written. */
  entering?: {
    campaignId: Id;
    conversations: Conversation[];
    /** First conversations of contacts that enter again, with what `entries` becomes. */
    again: { id: string; entries: number }[];
    skipped: Skipped;
    counters: CounterDelta;
    /** As of an `ExpansionSlice`. */
    migration?: number;
  };
  answers: { id: unknown; set: Pick<Enrollment, 'conversationId' | 'reason' | 'error'> }[];
  /** Written beside what keeps waiting. */
  faults: { id: unknown; error: { code: string; message: string; path?: string } }[];
  /** What stays as it is, since nothing can be written to it. */
  deadLetters?: { documentId: unknown; reason: string; error: { code: string; message: string } }[];
}

export type { Contact, Flow };
