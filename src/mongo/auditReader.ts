/** What `audit` reads: few fields, by ranges of `_id`, at one point in time. */
import type { AggregateOptions, ClientSession, Db, Document, FindOptions, MongoClient } from 'mongodb';
import type { AuditedConversation, AuditedRow } from '../domain/audit.ts';
import { keyOfAny } from '../domain/auditPlace.ts';
import type { CampaignState } from '../domain/auditStuck.ts';
import { isDropped } from '../domain/campaign.ts';
import { conversationRange } from '../domain/ids.ts';
import { foldCounters } from '../domain/metrics.ts';
import type { ControlSetting, Id, Metrics, Run } from '../domain/model.ts';
import { campaignQueries } from './campaigns.ts';
import { serverTime } from './client.ts';
import { type Collections, collections, uuidOf } from './collections.ts';
import { mongoErrorOf } from './values.ts';

/** A campaign, its run and the stop switch, as far as they are looked at. */
export interface CampaignHead extends CampaignState {
  run: CampaignState['run'] & Pick<Run, 'metrics'>;
  /** `metrics` belong to `results`: both are written at the end, or, where they have no room, neither. */
  campaign: { status?: unknown; startAt?: unknown; metrics?: unknown; hasResults: boolean } | undefined;
}

export const isArray = (field: string): Document => ({ $isArray: `$${field}` });

const conversationFields: Document = {
  ...{
    campaignId: 1,
    partition: 1,
    version: 1,
    status: 1,
    stage: 1,
    sequence: 1,
    nextActionAt: 1,
    nextChannel: 1,
    opening: 1,
  },
  ...{ awaiting: 1, outcome: 1, reason: 1, repliedAt: 1, 'error.code': 1, updatedAt: 1, expireAt: 1 },
  told: { $cond: [isArray('history'), { $size: '$history' }, 0] },
  repeated: {
    $cond: [isArray('consumed'), { $subtract: [{ $size: '$consumed' }, { $size: { $setUnion: '$consumed' } }] }, 0],
  },
  waiting: { $cond: [isArray('inbox'), { $size: '$inbox' }, 1] },
  first: {
    $let: {
      vars: { event: { $cond: [isArray('inbox'), { $arrayElemAt: ['$inbox', 0] }, null] } },
      in: { id: '$$event.id', type: '$$event.type', at: '$$event.at' },
    },
  },
  // an author's event may be called "ended" too, but tells no status
  ended: {
    $filter: {
      input: { $cond: [isArray('history'), '$history', []] },
      cond: { $and: [{ $eq: ['$$this.event', 'ended'] }, { $gt: ['$$this.detail.status', null] }] },
    },
  },
};

const rowFields: Document = {
  ...{ campaignId: 1, conversationId: 1, partition: 1, status: 1, stage: 1, step: 1, reason: 1, pending: 1 },
  ...{ attempts: 1, queuedAt: 1, handedAt: 1, sentAt: 1, worker: 1, expireAt: 1, replay: 1 },
};

const runFields: Document = {
  ...{ status: 1, settled: 1, expansion: 1, updatedAt: 1, schedule: 1, pausedReason: 1, metrics: 1, collectionUuid: 1 },
  ...{ 'audience.kind': 1, 'audience.live': 1, occurrences: 1 },
  ...{ startedAt: 1, endReason: 1, endTakenInAt: 1, 'flow.stages.id': 1, 'flow.stages.type': 1 },
  ...{ 'flow.stages.event': 1, 'flow.stages.timeout': 1, 'flows.flow.stages.id': 1, 'flows.flow.stages.type': 1 },
  ...{ 'flows.flow.stages.event': 1, 'flows.flow.stages.timeout': 1 },
};

type StoredConversation = Omit<AuditedConversation, 'endedAt' | 'firstEvent'> & {
  first?: unknown;
  ended?: { at?: Date }[];
};

function audited({ first, ended = [], ...conversation }: StoredConversation): AuditedConversation {
  // one that was brought back had ended before
  const endedAt = conversation.status === 'active' ? undefined : ended.at(-1)?.at;
  return {
    ...conversation,
    ...(endedAt === undefined ? {} : { endedAt }),
    ...(conversation.waiting > 0 ? { firstEvent: JSON.stringify(first) } : {}),
  };
}

/** Ids in one query, at most. */
const idsAtOnce = 5_000;

/** Reads with or without a snapshot. */
export class AuditReader {
  /** ms since the epoch by the server's clock, when reading began. */
  readonly now: number;
  private readonly db: Db;
  private readonly of: Collections;
  private readonly options: Pick<FindOptions & AggregateOptions, 'session' | 'readConcern'>;
  private readonly session: ClientSession | undefined;

  private constructor(db: Db, now: number, session: ClientSession | undefined) {
    this.db = db;
    this.of = collections(db);
    this.now = now;
    this.session = session;
    this.options = session ? { session, readConcern: { level: 'snapshot' } } : {};
  }

  /** Sees the documents as they are at each read. */
  static async latest(db: Db): Promise<AuditReader> {
    return new AuditReader(db, (await serverTime(db)).getTime(), undefined);
  }

  /** Sees one cluster time, that of the first read, for about five minutes (`minSnapshotHistoryWindowInSeconds`). */
  static async snapshot(client: MongoClient, db: Db): Promise<AuditReader> {
    const now = (await serverTime(db)).getTime();
    return new AuditReader(db, now, client.startSession({ snapshot: true }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session?.endSession();
  }

  /** Undefined without a run. */
  async head(_id: Id): Promise<CampaignHead | undefined> {
    const { runs, campaigns, settings } = this.of;
    const run = await runs.findOne({ _id }, { ...this.options, projection: runFields });
    if (run === null) return undefined;
    const fields = { status: 1, startAt: '$schedule.startAt', metrics: 1, hasResults: { $gt: ['$results', null] } };
    const campaign = await campaigns.findOne({ _id }, { ...this.options, projection: fields });
    const dropped = campaign === null && isDropped(run, (await uuidOf(this.db, 'campaigns')) ?? 'missing');
    const control = (await settings.findOne({ _id: 'control' }, this.options)) as Partial<ControlSetting> | null;
    return {
      run,
      campaign: (campaign as unknown as CampaignHead['campaign'] | null) ?? undefined,
      dropped,
      sending: control?.sending === 'stopped' ? 'stopped' : 'on',
      now: this.now,
    };
  }

  /** All of them, or those of these ids. */
  async runs(ids?: readonly Id[]): Promise<Pick<Run, '_id' | 'settled'>[]> {
    const options = { ...this.options, projection: { settled: 1 }, sort: { _id: 1 } } as const;
    return this.of.runs.find(ids === undefined ? {} : { _id: { $in: [...ids] } }, options).toArray();
  }

  /** Campaigns that ask for something, with their status: without a run nobody has decided them. */
  async waiting(ids?: readonly Id[]): Promise<{ _id: Id; status: unknown }[]> {
    const { needingAttention } = campaignQueries;
    const filter = ids === undefined ? needingAttention : { ...needingAttention, _id: { $in: [...ids] } };
    return this.of.campaigns.find(filter, { ...this.options, projection: { status: 1 } }).toArray();
  }

  /** Those of these campaigns that ask for something and have no run. */
  async withoutRun(ids: readonly Id[]): Promise<{ _id: Id; status: unknown }[]> {
    const waiting = await this.waiting(ids);
    const known = new Set((await this.runs(ids)).map(({ _id }) => keyOfAny(_id)));
    return waiting.filter(({ _id }) => !known.has(keyOfAny(_id)));
  }

  /** The first conversation or row from this id on. */
  async first(
    of: 'conversations' | 'messages',
    from: string,
  ): Promise<{ _id: string; campaignId?: unknown } | undefined> {
    const options = { ...this.options, projection: { campaignId: 1 }, sort: { _id: 1 } } as const;
    const filter = { _id: { $gte: from } };
    const { conversations, messages } = this.of;
    const found = of === 'messages' ? messages.findOne(filter, options) : conversations.findOne(filter, options);
    return (await found) ?? undefined;
  }

  async counters(campaignId: Id): Promise<{ metrics: Metrics; pending: number }> {
    const found = await this.of.counters.find({ campaignId }, this.options).toArray();
    return foldCounters(found, new Date(this.now));
  }

  /** The next conversations of a campaign in order of `_id`. */
  async conversations(campaignId: Id, after: string | undefined, limit: number): Promise<AuditedConversation[]> {
    const { from, to } = conversationRange(campaignId);
    const range = after === undefined ? { $gte: from, $lt: to } : { $gt: after, $lt: to };
    const found = await this.of.conversations
      .find({ _id: range }, { ...this.options, projection: conversationFields, sort: { _id: 1 }, limit })
      .toArray();
    return (found as unknown as StoredConversation[]).map(audited);
  }

  async byIds(ids: readonly string[]): Promise<AuditedConversation[]> {
    const found = await this.of.conversations
      .find({ _id: { $in: [...ids] } }, { ...this.options, projection: conversationFields })
      .toArray();
    return (found as unknown as StoredConversation[]).map(audited);
  }

  async rows(ids: readonly string[]): Promise<Map<string, AuditedRow>> {
    const rows = new Map<string, AuditedRow>();
    for (let at = 0; at < ids.length; at += idsAtOnce) {
      const part = ids.slice(at, at + idsAtOnce);
      const found = this.of.messages.find({ _id: { $in: part } }, { ...this.options, projection: rowFields });
      for (const row of (await found.toArray()) as AuditedRow[]) rows.set(row._id, row);
    }
    return rows;
  }

  async countRows(campaignId: Id): Promise<number> {
    return this.of.messages.countDocuments(rowRange(campaignId, undefined), this.options);
  }

  /** The next rows of a campaign in order of `_id`. */
  async rowsAfter(campaignId: Id, after: string | undefined, limit: number): Promise<AuditedRow[]> {
    const options = { ...this.options, projection: rowFields, sort: { _id: 1 }, limit } as const;
    return (await this.of.messages.find(rowRange(campaignId, after), options).toArray()) as AuditedRow[];
  }
}

/** Ids of rows begin with those of their conversations. */
function rowRange(campaignId: Id, after: string | undefined): { _id: { $gte?: string; $gt?: string; $lt: string } } {
  const { from, to } = conversationRange(campaignId);
  return { _id: after === undefined ? { $gte: from, $lt: to } : { $gt: after, $lt: to } };
}

/** SnapshotTooOld, SnapshotUnavailable: what was read at that time can no longer be read on. */
export const isSnapshotGone = (error: unknown): boolean => [239, 246].includes(Number(mongoErrorOf(error)?.code));
