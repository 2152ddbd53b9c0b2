/** Where campaigns, their runs, templates and audiences are stored. It has an in-memory fake and a real adapter, which pass one suite (`test/contract`). */
import type { LastEntry } from './enrollments.ts';
import type { ContactSource } from './exit.ts';
import type { AgedReceipts } from './guard.ts';
import type {
  CampaignDocument,
  Exclusion,
  ExpansionSlice,
  Id,
  Metrics,
  PinnedAudience,
  Run,
  RunState,
  Template,
} from './model.ts';
import type { RunHead } from './runHeads.ts';

/** A conditional change of the campaign and of its run, in one fenced transaction. */
export interface CampaignWrite {
  campaignId: Id;
  /** Status the campaign document must still have; undefined: it must be gone. `"*"`: whatever it is. */
  expectStatus: string | undefined | '*';
  /** What its run must still be; absent: whatever it is. The two are not read in one snapshot, and a run may be settled in between. */
  expectRun?: RunState;
  /** The occurrence that its run must still have ahead. */
  expectNext?: Date;
  /** Number of the last migration that its run must have had, 0 for none. */
  expectMigration?: number;
  campaign?: { set: Partial<CampaignDocument>; unset?: (keyof CampaignDocument)[] };
  /** Another campaign that is inserted; one of that `_id` that is there stays as it is. */
  child?: Record<string, unknown> & { _id: Id };
  run?: { insert: Run } | { set: Partial<Run>; unset?: (keyof Run)[] };
}

export interface AudiencePage {
  /** `raw` is the source document; the caller maps and checks it. `after` of the last one resumes behind it. */
  documents: { raw: Record<string, unknown>; after: unknown }[];
  done: boolean;
  /** Set when the page was bounded by what was looked at, and all of it is done with: where it ended, and how many that were. */
  looked?: { after: unknown; count: number };
}

/** What every member looks at before a message leaves, as it is stored. */
export interface CampaignHead {
  status: unknown;
  /** `schedule.endAt`, where it is a date. */
  endAt?: Date;
  /** A migration is asked for, and not answered. */
  isAsking?: true;
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
  /** The same, without what they pinned, which may be large: flow, variables, and of a recurring campaign the child. */
  openRunHeads(): Promise<RunHead[]>;
  /** Ids of campaign documents in a status that asks for something from us, or of no known status. For sweeps; paged by the store itself. */
  needingAttention(): AsyncIterable<Id>;
  /** Of the documents as stored; missing ones are absent from the map. Keyed by `campaignKey`. */
  heads(ids: readonly Id[], signal?: AbortSignal): Promise<Map<string, CampaignHead>>;
  /** "stopped" when `settings.control` says so. */
  sending(signal?: AbortSignal): Promise<'on' | 'stopped'>;
  /** Whether an audience can be read. Reads nothing of it. Throws ServiceError `document_invalid`, by path, for what is refused for good. */
  checkAudience(audience: PinnedAudience, exits: boolean): Promise<void>;
  /**
   * The next page of a collection audience, ordered by `_id` across types. `after` undefined starts. `most`: documents looked at,
   * at most; absent: as many as it takes within about a second, and a part of them where that is not enough.
   */
  audiencePage(
    source: { collection: string; filter: Record<string, unknown> },
    after: unknown,
    limit: number,
    most?: number,
  ): Promise<AudiencePage>;
  /** The last `_id` of a collection; undefined when it is empty. */
  lastKey(collection: string): Promise<unknown>;
  /** Which of these conversations exist. */
  existing(conversationIds: readonly string[]): Promise<Set<string>>;
  /**
   * Which of these contact ids are among those to be left out, by `campaignKey`. Throws ServiceError `document_invalid` for a
   * collection or filter that is refused, also when no ids are asked for.
   */
  excluded(exclusion: Exclusion, ids: readonly Id[]): Promise<Set<string>>;
  /** Documents of contacts by their ids, in order of `_id`, with the source's fields alone; undefined when it took too long. Throws ServiceError `document_invalid` for what is refused for good. */
  sources(source: ContactSource, ids: readonly Id[]): Promise<Record<string, unknown>[] | undefined>;
  /** Which of these `campaign_addresses` are taken. */
  takenAddresses(keys: readonly string[]): Promise<Set<string>>;
  /** Removes the `campaign_addresses` of a campaign whose audience is expanded. May be repeated. */
  forgetAddresses(campaignId: Id): Promise<void>;
  /** The last conversation of contacts in a campaign, by the `_id` of their first; those without one are absent. */
  lastEntries(firstIds: readonly string[]): Promise<Map<string, LastEntry>>;
  /** False when `expectStatus`, `expectRun`, `expectNext` or `expectMigration` no longer held, the run to insert existed, or an `expansion` to set is of a run that was expanded further since; nothing was written then. Throws ServiceError `document_invalid` for a child that the database will never take. */
  commit(write: CampaignWrite): Promise<boolean>;
  /** Inserts the slice's conversations and takes its addresses, stores `expansion` in run and campaign and raises `wake`. False when `from` or `migration` no longer held. */
  expand(slice: ExpansionSlice): Promise<boolean>;
  /** Takes these partitions off `migration.left` of the run, if that is still its last migration. */
  asked(campaignId: Id, migration: number, partitions: readonly number[]): Promise<void>;
  /** Folded counters of a campaign over all members, in one snapshot, with the rows still pending. */
  counters(campaignId: Id): Promise<{ metrics: Metrics; pending: number; aged: AgedReceipts }>;
  /** Campaigns whose counters changed since the last call (by server time, with overlap). */
  changedCounters(): Promise<Id[]>;
  /** Writes `metrics` to campaign and run, unless the run is settled. */
  fold(campaignId: Id, metrics: Metrics): Promise<void>;
  /** Folds what was counted since the run was settled, in one transaction: of several at once the last one sees what all counted. `results` stay. Nothing for a run that is open. */
  foldLate(campaignId: Id): Promise<void>;
  /** Campaigns whose run is settled, with counters of which something may not be in its metrics. */
  unfolded(): Promise<Id[]>;
  /**
   * Ends the run if, in one snapshot, expansion is done, nothing is active and nothing pending: writes metrics, results,
   * statuses and completedAt. False when something is still open or the run is settled.
   */
  settle(campaignId: Id): Promise<boolean>;
}
