/** What the pipelines need from outside. Each port has an in-memory fake and a real adapter that pass one contract suite (`test/contract`). */
import type { Fault } from './errors.ts';
import type {
  CampaignDocument,
  Conversation,
  ExpansionSlice,
  Id,
  Lane,
  Member,
  Message,
  Metrics,
  Partition,
  RenderedContent,
  Run,
  RunState,
  StreamPosition,
  Template,
  Unit,
} from './model.ts';

export interface Clock {
  /** Wall clock, ms since the epoch. For due times and stamps, never for ownership. */
  now(): number;
  /** Monotonic clock, ms. */
  monotonic(): number;
  /** Calls back after `ms`; returns a function that cancels. */
  after(ms: number, callback: () => void): () => void;
}

export interface Logger {
  error(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  debug(message: string, fields?: Record<string, unknown>): void;
}

// ---------------------------------------------------------------- the fence

/** The member's one writer. Every fenced transaction goes through its queue and session, raises `beat` and stores `position`. */
export interface Ledger {
  readonly memberId: string;
  /**
   * Ms of lease left, by the larger of monotonic and wall time since the last successful fence statement was sent; 0 or less
   * when it ran out or none was written yet. Nothing may be handed over then.
   */
  leaseRemaining(): number;
  /** Monotonic ms of the last successful fence statement; undefined before the first. */
  readonly fencedAt: number | undefined;
  /** An empty round: extends the lease, stores the position. Throws ServiceError `fenced` when the member was taken over. */
  beat(): Promise<void>;
  /** Waits for what is queued; nothing is accepted afterwards. */
  close(): Promise<void>;
}

// ---------------------------------------------------------------- conversations

export interface RoundReceipt {
  /** Conversations whose guard missed, or an answer's row was no longer `sending`: nothing of their unit was written; they are to be decided again. */
  missed: Set<string>;
  /** Units left out because they alone cannot be written (too large, refused by the server), each with its error. */
  poisoned: Map<string, Error>;
}

export interface ConversationStore {
  /** Whole documents; ids that do not exist are left out. */
  byIds(ids: readonly string[]): Promise<Conversation[]>;
  /** The lane's due conversations (`nextActionAt <= now`): partition by partition in the order given, each in order of due time. `history`, which nothing is decided by, may come empty. */
  due(lane: Lane, partitions: readonly number[], now: Date, limit: number): Promise<Conversation[]>;
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
  /** Whole outbox rows; ids that do not exist are left out. */
  messages(ids: readonly string[]): Promise<Message[]>;
  /** Ids of a campaign's active conversations in these partitions, by id, paged. */
  activeOf(campaignId: Id, partitions: readonly number[], after: string | undefined, limit: number): Promise<string[]>;
  /**
   * In their order, in as few fenced transactions as hold them, as if every guard held. Ends before the first transaction of
   * which something cannot be written (a guard missed, the server refused something, it is away): nothing is written
   * behind what is left. Returns the conversations of the units that are.
   */
  commitInOrder(units: readonly Unit[]): Promise<Set<string>>;
  /** In as few fenced transactions as hold them; a missed guard or a poisonous unit leaves the others untouched. Order inside: fence, conversations, rows, counters. */
  commit(units: readonly Unit[]): Promise<RoundReceipt>;
}

// ---------------------------------------------------------------- campaigns

/** A conditional change of the campaign and of its run, in one fenced transaction. */
export interface CampaignWrite {
  campaignId: Id;
  /** Status the campaign document must still have; undefined: it must be gone. `"*"`: whatever it is. */
  expectStatus: string | undefined | '*';
  /** What its run must still be; absent: whatever it is. The two are not read in one snapshot, and a run may be settled in between. */
  expectRun?: RunState;
  campaign?: { set: Partial<CampaignDocument>; unset?: (keyof CampaignDocument)[] };
  run?: { insert: Run } | { set: Partial<Run>; unset?: (keyof Run)[] };
}

export interface AudiencePage {
  /** `raw` is the source document; the caller maps and checks it. `after` of the last one resumes behind it. */
  documents: { raw: Record<string, unknown>; after: unknown }[];
  done: boolean;
}

/** What every member looks at before a message leaves, as it is stored. */
export interface CampaignHead {
  status: unknown;
  /** `schedule.endAt`, where it is a date. */
  endAt?: Date;
}

export interface CampaignStore {
  /** The document as it is stored, whatever its shape; undefined when there is none. */
  campaign(id: Id): Promise<Record<string, unknown> | undefined>;
  template(id: string, version: number): Promise<Template | undefined>;
  /** Highest version of a template. */
  latestTemplate(id: string): Promise<Template | undefined>;
  run(id: Id): Promise<Run | undefined>;
  runs(ids: readonly Id[]): Promise<Run[]>;
  /** Every run that is not settled. */
  openRuns(): Promise<Run[]>;
  /** Ids of campaign documents in a status that asks for something from us, or of no known status. For sweeps; paged by the store itself. */
  needingAttention(): AsyncIterable<Id>;
  /** Of the documents as stored; missing ones are absent from the map. Keyed by `campaignKey`. */
  heads(ids: readonly Id[], signal?: AbortSignal): Promise<Map<string, CampaignHead>>;
  /** "stopped" when `settings.control` says so. */
  sending(signal?: AbortSignal): Promise<'on' | 'stopped'>;
  /** The next page of a collection audience, ordered by `_id` across types. `after` undefined starts. */
  audiencePage(
    source: { collection: string; filter: Record<string, unknown> },
    after: unknown,
    limit: number,
  ): Promise<AudiencePage>;
  /** Which of these conversations exist. */
  existing(conversationIds: readonly string[]): Promise<Set<string>>;
  /** False when `expectStatus` or `expectRun` no longer held, the run to insert existed, or an `expansion` to set is of a run that was expanded further since; nothing was written then. */
  commit(write: CampaignWrite): Promise<boolean>;
  /** Inserts the slice's conversations, stores `expansion` in run and campaign and raises `wake`. False when `from` no longer held. */
  expand(slice: ExpansionSlice): Promise<boolean>;
  /** Folded counters of a campaign over all members, in one snapshot, with the rows still pending. */
  counters(campaignId: Id): Promise<{ metrics: Metrics; pending: number }>;
  /** Campaigns whose counters changed since the last call (by server time, with overlap). */
  changedCounters(): Promise<Id[]>;
  /** Writes `metrics` to campaign and run. */
  fold(campaignId: Id, metrics: Metrics): Promise<void>;
  /**
   * Ends the run if, in one snapshot, expansion is done, nothing is active and nothing pending: writes metrics, results,
   * statuses and completedAt. False when something is still open or the run is settled.
   */
  settle(campaignId: Id): Promise<boolean>;
}

// ---------------------------------------------------------------- membership

export interface MembershipStore {
  /** Inserts the `members` document (beat 0). */
  join(member: Member): Promise<void>;
  members(): Promise<Member[]>;
  partitions(): Promise<Partition[]>;
  /** Ends the session of a dead member, then, if its beat is still `beat`, removes it and frees its partitions with its position. False when it lived on. */
  takeOver(member: Member): Promise<boolean>;
  /** Claims those of the partitions that nobody owns; returns the claimed ones with their positions. */
  claim(partitions: readonly number[]): Promise<Partition[]>;
  /** Frees own partitions, leaving `position` behind for the next owner. */
  release(partitions: readonly number[], position: StreamPosition | undefined): Promise<void>;
  /** Frees everything and removes the `members` document. */
  leave(position: StreamPosition | undefined): Promise<void>;
}

// ---------------------------------------------------------------- change stream

/** What a change says: where to look, nothing else. */
export type Change =
  | { kind: 'campaign'; id: Id; deleted: boolean }
  | { kind: 'run'; id: Id }
  | { kind: 'conversation'; id: string; partition?: never }
  | { kind: 'partition'; id: number }
  | { kind: 'member'; id: string }
  | { kind: 'control' }
  /** A collection was dropped, renamed, or the stream says something unknown: everything is to be swept. */
  | { kind: 'sweep'; why: string };

export interface ChangeBatch {
  changes: Change[];
  /** Position after this batch; set for empty batches too. */
  position: StreamPosition;
  /** Nothing that was stored when it was asked for is left behind it. */
  complete: boolean;
}

export interface ChangeSource {
  /** Opens behind `position`, or at now. Resolves when the server has the cursor. Throws ServiceError `position_lost` when the history is gone or not ours. */
  open(position: StreamPosition | undefined): Promise<void>;
  /** The next batch; waits up to a second and may be empty. Any error leaves the source closed. */
  read(): Promise<ChangeBatch>;
  close(): Promise<void>;
}

// ---------------------------------------------------------------- channels

/** What a channel hands over. Every try of a `messageId` carries the same bytes. */
export interface OutboundMessage {
  messageId: string;
  campaignId: Id;
  conversationId: string;
  channel: string;
  to: string;
  content: RenderedContent;
  stage: string;
  step: number;
  /** When it was decided: the date of a mail, the same for every try. */
  queuedAt: Date;
  traceparent?: string;
}

export type SendResult =
  | { kind: 'sent'; providerMessageId?: string }
  /** May be tried again. `counts` false: no attempt was made (429, refused before anything left). */
  | { kind: 'retry'; code: string; message: string; retryAfterMs?: number; counts: boolean }
  /** May have left, nobody knows (time-out, connection lost after the request was written). */
  | { kind: 'unknown'; code: string; message: string }
  /** Final. */
  | { kind: 'rejected'; code: string; message: string };

export interface Channel {
  readonly name: string;
  /** Contact field that holds the address (`email`, `phone`, ...). */
  readonly address: string;
  /** Concurrent sends. */
  readonly concurrency: number;
  readonly delivery: 'at-least-once' | 'at-most-once';
  readonly attempts: number;
  readonly giveUpMs: number;
  /** Content fields of which at least one must be there. */
  readonly needs: readonly (keyof RenderedContent)[];
  /** What every mail of the channel says, settled in its rows. Absent where the channel does not write mail itself. */
  readonly mail?: { readonly from: string; readonly headers: Readonly<Record<string, string>> };
  /**
   * Never throws: whatever happens is a result. `signal` aborts what is on the wire. `mayBegin` is asked just before the first
   * byte can leave; when it says no, nothing leaves, and it is a retry that counts as no attempt. With `last` false it is asked
   * again before the message is complete.
   */
  send(message: OutboundMessage, signal: AbortSignal, mayBegin?: (last?: boolean) => boolean): Promise<SendResult>;
  close(): Promise<void>;
}

/** What the domain has to know of a channel. */
export type ChannelFacts = Pick<Channel, 'name' | 'address' | 'delivery' | 'attempts' | 'giveUpMs' | 'needs' | 'mail'>;

export type { Fault };

// ---------------------------------------------------------------- what is measured

/** Counted and timed by the pipelines; `src/telemetry/metrics.ts` turns it into Prometheus series. Names say the unit. */
export interface Instruments {
  /** Conversations that were created (`active`) or reached this end. */
  conversations(status: Conversation['status'], count: number): void;
  /** Rows by channel and the status a committed round gave them. */
  messages(channel: string, status: Message['status'], count: number): void;
  /** One committed round: how long, how many conversations. */
  round(durationMs: number, units: number): void;
  /** How late due work was decided, once per conversation taken from its lane whose decision was committed. */
  lateness(ms: number): void;
  /** From handing over to the answer, per send. */
  send(channel: string, durationMs: number, result: SendResult['kind']): void;
  /** Age of the change stream's last batch (empty ones count). */
  streamLag(ms: number): void;
  partitionsOwned(count: number): void;
  inDoubt(count: number): void;
  /** Transactions of the ledger by outcome. */
  transaction(outcome: 'committed' | 'retried' | 'failed'): void;
  /** Events worth an alert: position_lost, fenced, taken_over, poisoned, stream_reopened, reconciled, campaign_failed. */
  event(name: string, count?: number): void;
}
