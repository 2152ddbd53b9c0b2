// Generated from schemas/*.json by `npm run generate`. Do not edit.

import type { Audience, Expansion, Id, Metrics, PinnedAudience, RenderedContent } from '../model.ts';

export type Stage = MessageStage | WaitStage | EndStage;
/**
 * `control`: the stop switch. `cluster`: what is fixed for all members.
 *
 */
export type Setting = ControlSetting | ClusterSetting;

/**
 * One per campaign and member, folded into `metrics`.
 *
 */
export interface Counters {
  _id: string;
  campaignId: Id;
  memberId: string;
  pending?: number;
  counts?: Record<string, unknown>;
  updatedAt?: Date;
}
/**
 * Our own record of a campaign: what was pinned at the start, how far the audience is expanded, what is folded.
 *
 */
export interface Run {
  _id: Id;
  tenant?: string;
  partition: number;
  status: 'scheduled' | 'running' | 'paused' | 'cancelled' | 'completed';
  /**
   * true when nothing of the campaign is left to do.
   */
  settled: boolean;
  priority: number;
  flow: Flow;
  variables: Record<string, unknown>;
  /**
   * What templates see as `campaign`.
   */
  campaign: Record<string, unknown>;
  audience: PinnedAudience;
  schedule?: {
    startAt?: Date;
    endAt?: Date;
  };
  /**
   * When the `endAt` of its schedule was taken in, if that was while it ran; where the end before it had come already, that end. Absent: it was known from the start.
   */
  endTakenInAt?: Date;
  /**
   * How to leave: becomes the headers of RFC 8058, and `unsubscribe.url` and `unsubscribe.mailto` in templates of content. Both are Liquid, over what content sees and `token`, which names the conversation.
   */
  unsubscribe?: {
    /**
     * An https:// address.
     */
    url?: string;
    /**
     * A mail address, with ?subject=… or not (RFC 6068).
     */
    mailto?: string;
  };
  template?: {
    id?: string;
    version?: number;
  };
  expansion: Expansion;
  /**
   * UUID of the collection `campaigns` in which its document was last seen: one that was dropped and made again has another.
   */
  collectionUuid?: string;
  /**
   * Raised by every commit that inserts conversations.
   */
  wake: number;
  metrics?: Metrics;
  endReason?: 'campaign_ended' | 'campaign_cancelled';
  pausedReason?: string;
  /**
   * When it was paused after its start, the newest 100; without `until` it still is.
   */
  pauses?: {
    from: Date;
    until?: Date;
    [k: string]: unknown;
  }[];
  createdAt: Date;
  startedAt?: Date;
  completedAt?: Date;
  updatedAt: Date;
  trace?: {
    traceparent?: string;
  };
}
/**
 * A graph of stages; the first is the entry.
 *
 */
export interface Flow {
  /**
   * @minItems 1
   * @maxItems 500
   */
  stages: Stage[];
}
/**
 * What to run. Written by other services; version, error, expansion, metrics, results, startedAt, completedAt and trace by us.
 *
 */
export interface CampaignDocument {
  _id: Id;
  tenant?: string;
  name?: string;
  topic?: string;
  type?: 'sequence' | 'broadcast';
  status: 'draft' | 'pending' | 'scheduled' | 'running' | 'paused' | 'completed' | 'cancelled' | 'failed';
  /**
   * 0 to 9: weight when there is not enough capacity (weight = priority + 1).
   */
  priority?: number;
  transactional?: boolean;
  schedule?: {
    startAt?: Date;
    endAt?: Date;
  };
  audience: Audience;
  templateId?: string;
  templateVersion?: number;
  flow?: Flow;
  variables?: Record<string, unknown>;
  /**
   * How to leave: becomes the headers of RFC 8058, and `unsubscribe.url` and `unsubscribe.mailto` in templates of content. Both are Liquid, over what content sees and `token`, which names the conversation.
   */
  unsubscribe?: {
    /**
     * An https:// address.
     */
    url?: string;
    /**
     * A mail address, with ?subject=… or not (RFC 6068).
     */
    mailto?: string;
  };
  version?: number;
  error?: {
    code: string;
    message: string;
    path?: string;
    [k: string]: unknown;
  };
  expansion?: Record<string, unknown>;
  metrics?: Metrics;
  results?: Record<string, unknown>;
  startedAt?: Date;
  completedAt?: Date;
  trace?: Record<string, unknown>;
  [k: string]: unknown;
}
/**
 * One person of an audience. `id` is unique in a campaign.
 *
 */
export interface Contact {
  /**
   * String of up to 128 bytes, number or ObjectId.
   */
  id: Id;
  email?: string;
  phone?: string;
  whatsapp?: string;
  url?: string;
  name?: string;
  locale?: string;
  timezone?: string;
  country?: string;
  /**
   * Anything the templates use.
   */
  attributes?: Record<string, unknown>;
}
/**
 * One per campaign and contact. Written by us; others only $push to `inbox`.
 *
 */
export interface Conversation {
  _id: string;
  campaignId: Id;
  tenant?: string;
  contact: Contact;
  partition: number;
  /**
   * +1 at every write of ours; absent from others' pushes.
   */
  version: number;
  status: 'active' | 'completed' | 'escalated' | 'failed' | 'suppressed' | 'cancelled';
  /**
   * The stage it is in.
   */
  stage: string;
  /**
   * What comes next in the stage: 0 its message, n its n-th follow-up, one more than there are follow-ups: the end of its silence.
   */
  step: number;
  nextActionAt?: Date;
  nextChannel?: string;
  /**
   * true until its first action; gives what continues a conversation a share of its own.
   */
  opening?: true;
  delayed?: 'retry';
  sequence: number;
  awaiting?: string;
  addresses?: string[];
  outcome?: string;
  /**
   * First reply of a person.
   */
  repliedAt?: Date;
  reason?: string;
  variant?: Record<string, unknown>;
  variables?: Record<string, unknown>;
  error?: {
    code: string;
    message: string;
    path?: string;
    [k: string]: unknown;
  };
  inbox: InboxEvent[];
  /**
   * @maxItems 1000
   */
  consumed: string[];
  /**
   * @maxItems 100
   */
  history: HistoryEntry[];
  trace?: {
    traceparent?: string;
  };
  createdAt: Date;
  updatedAt: Date;
  expireAt?: Date;
}
export interface InboxEvent {
  id?: string;
  type: string;
  channel?: string;
  text?: string;
  at?: Date;
  data?: Record<string, unknown>;
  auto?: boolean;
  machine?: boolean;
  [k: string]: unknown;
}
export interface HistoryEntry {
  at: Date;
  stage?: string;
  event: string;
  detail?: Record<string, unknown>;
}
/**
 * What could not be used, and why.
 *
 */
export interface DeadLetter {
  _id?: Id;
  collection: string;
  documentId?: unknown;
  conversationId?: string;
  campaignId?: Id;
  reason: string;
  error?: {
    code: string;
    message: string;
    path?: string;
    [k: string]: unknown;
  };
  document?: unknown;
  at: Date;
}
export interface MessageStage {
  id: string;
  type: 'message';
  /**
   * Name of a configured channel.
   */
  channel: string;
  content: Content;
  /**
   * Time between entering the stage and its message.
   */
  delay?: string;
  /**
   * @maxItems 50
   */
  followUps?: FollowUp[];
  /**
   * How long to wait for a reply after the last message of the stage.
   */
  waitForReply?: string;
  /**
   * Where an event leads: reply, noReply, bounce, failed or a word of the author.
   */
  on?: {
    [k: string]: string;
  };
}
/**
 * Its strings are Liquid templates over `contact`, `variables`, `campaign` (`id`, `name`), `conversation` (`id`, `stage`, `step`, `sequence`) and, where the campaign has `unsubscribe`, `unsubscribe.url` and `unsubscribe.mailto`: the links of this conversation, for people to see.
 *
 */
export interface Content {
  subject?: string;
  text?: string;
  html?: string;
  /**
   * Any JSON value; its strings are Liquid templates.
   */
  body?: unknown;
  /**
   * @maxItems 20
   */
  attachments?: Record<string, unknown>[];
  /**
   * Variants by BCP 47 tag; the longest tag that fits the contact's locale wins.
   */
  locales?: {
    [k: string]: ContentVariant;
  };
}
export interface ContentVariant {
  subject?: string;
  text?: string;
  html?: string;
  body?: unknown;
  /**
   * @maxItems 20
   */
  attachments?: Record<string, unknown>[];
}
export interface FollowUp {
  /**
   * Time of silence before this follow-up is sent.
   */
  after: string;
  content?: Content;
  channel?: string;
}
export interface WaitStage {
  id: string;
  type: 'wait';
  for: string;
}
export interface EndStage {
  id: string;
  type: 'end';
  outcome: string;
}
export interface StreamPosition {
  /**
   * Resume token (`_data`); compares as a string.
   */
  token: string;
  /**
   * Identity of the replica set it belongs to.
   */
  replicaSet: string;
  filterVersion: number;
}
/**
 * One worker thread in the cluster.
 *
 */
export interface Member {
  _id: string;
  host: string;
  thread: number;
  /**
   * lsid of the ledger's session (UUID).
   */
  sessionId?: unknown;
  beat: number;
  position?: StreamPosition;
  filterVersion: number;
  channels: string[];
  version: string;
  startedAt: Date;
}
/**
 * Outbox and log of what went out. `_id` = `<conversationId>/<sequence>` is the idempotency key.
 *
 */
export interface Message {
  _id: string;
  campaignId: Id;
  conversationId: string;
  partition: number;
  stage: string;
  step: number;
  variant?: string;
  channel: string;
  to?: string;
  content?: RenderedContent;
  status: 'queued' | 'sending' | 'sent' | 'failed' | 'uncertain' | 'skipped' | 'delivered' | 'bounced';
  reason?:
    | 'suppressed'
    | 'unsubscribed_topic'
    | 'provider_opted_out'
    | 'address_missing'
    | 'address_invalid'
    | 'not_allowed'
    | 'contact_invalid'
    | 'duplicate_contact'
    | 'duplicate_address'
    | 'hold_out'
    | 'frequency_cap'
    | 'window_expired'
    | 'late_skipped'
    | 'campaign_ended'
    | 'campaign_cancelled'
    | 'stopped'
    | 'superseded'
    | 'replied'
    | 'exit_condition'
    | 'session_closed'
    | 'template_variable_missing'
    | 'template_error'
    | 'content_empty'
    | 'provider_rejected'
    | 'retries_exhausted'
    | 'uncertain';
  attempts: number;
  dueAt: Date;
  /**
   * true while queued or sending.
   */
  pending?: true;
  providerMessageId?: string;
  error?: {
    code: string;
    message: string;
    path?: string;
    [k: string]: unknown;
  };
  queuedAt: Date;
  handedAt?: Date;
  sentAt?: Date;
  deliveredAt?: Date;
  worker?: string;
  trace?: {
    traceparent?: string;
  };
  expireAt?: Date;
}
/**
 * A hash slice of the conversations.
 *
 */
export interface Partition {
  _id: number;
  owner?: string;
  position?: StreamPosition;
}
export interface ControlSetting {
  _id: 'control';
  sending: 'on' | 'stopped';
}
export interface ClusterSetting {
  _id: 'cluster';
  partitions: number;
  schemaVersion: number;
}
/**
 * A flow under a name and a version. Never changed in place.
 *
 */
export interface Template {
  _id: {
    id: string;
    version: number;
  };
  flow: Flow;
  /**
   * Defaults; the campaign's own variables win.
   */
  variables?: Record<string, unknown>;
  [k: string]: unknown;
}
