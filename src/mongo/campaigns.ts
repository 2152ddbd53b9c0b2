import type { Db, Document, Filter, FindCursor } from 'mongodb';
import { headOf } from '../domain/campaignPins.ts';
import { campaignKey, isObjectId } from '../domain/ids.ts';
import { foldCounters } from '../domain/metrics.ts';
import type {
  CampaignDocument,
  ControlSetting,
  Counters,
  ExpansionSlice,
  Id,
  Metrics,
  Run,
  Template,
} from '../domain/model.ts';
import type { AudiencePage, CampaignHead, CampaignStore, CampaignWrite, Clock } from '../domain/ports.ts';
import { type AudienceSource, readAudiencePage } from './audience.ts';
import { CampaignWriter } from './campaignWriter.ts';
import { type Collections, collections } from './collections.ts';
import type { MongoLedger } from './ledger.ts';

export interface MongoCampaignsParams {
  db: Db;
  ledger: Pick<MongoLedger, 'transact'>;
  clock: Clock;
  memberId: string;
}

/**
 * Statuses in which a campaign asks for nothing. A cancelled one with something left to do has an open run. `$nin` of
 * plain values gives an index the ranges between them, of every type.
 */
const restingStatuses = ['cancelled', 'completed', 'draft', 'failed'];

/**
 * How far `changedCounters` looks back, ms: a transaction commits later than it stamps, at most by the server's limit on
 * its life (60 s).
 */
const lookbackMs = 60_000;

/** Queries by name, so that their plans can be asserted on the very same objects. */
export const campaignQueries = {
  needingAttention: { status: { $nin: restingStatuses } } as Filter<CampaignDocument>,
  openRuns: { settled: false } as Filter<Run>,
  /** By the server's clock, and not behind the newest stamp seen, so that a pause of ours misses nothing. */
  changedCounters: (newestSeen: Date | undefined): Filter<Counters> => ({
    $expr: { $gte: ['$updatedAt', { $subtract: [{ $min: [newestSeen ?? null, '$$NOW'] }, lookbackMs] }] },
  }),
  latestTemplate: (id: string): Document => ({ '_id.id': id, '_id.version': { $type: 'number' } }),
};

type ChangedCounter = Pick<Counters, '_id' | 'campaignId' | 'updatedAt' | 'pending'> & { counts?: { active?: number } };

export class MongoCampaigns implements CampaignStore {
  private readonly db: Db;
  private readonly clock: Clock;
  private readonly of: Collections;
  private readonly writer: CampaignWriter;
  /** Counter documents seen within the look-back, with what they said. */
  private seen = new Map<string, string>();
  private newestStamp: Date | undefined;

  constructor({ db, ledger, clock, memberId }: MongoCampaignsParams) {
    this.db = db;
    this.clock = clock;
    this.of = collections(db);
    this.writer = new CampaignWriter({ db, ledger, clock, memberId });
  }

  async campaign(id: Id): Promise<Record<string, unknown> | undefined> {
    return (await this.of.campaigns.findOne({ _id: id })) ?? undefined;
  }

  /** By fields: a writer may have put them in the other order, which makes another `_id`. */
  async template(id: string, version: number): Promise<Template | undefined> {
    return (await this.of.templates.findOne({ '_id.id': id, '_id.version': version })) ?? undefined;
  }

  async latestTemplate(id: string): Promise<Template | undefined> {
    const options = { sort: { '_id.version': -1 } } as const;
    return (await this.of.templates.findOne(campaignQueries.latestTemplate(id), options)) ?? undefined;
  }

  async run(id: Id): Promise<Run | undefined> {
    return (await this.of.runs.findOne({ _id: id })) ?? undefined;
  }

  runs(ids: readonly Id[]): Promise<Run[]> {
    return this.of.runs.find({ _id: { $in: [...ids] } }).toArray();
  }

  openRuns(): Promise<Run[]> {
    return this.of.runs.find(campaignQueries.openRuns).toArray();
  }

  /** The ids are read at once, for who takes them may need longer for one than a cursor lives; only open campaigns are among them. */
  async *needingAttention(): AsyncIterable<Id> {
    const cursor: FindCursor<{ _id: unknown }> = this.of.campaigns.find(campaignQueries.needingAttention, {
      projection: { _id: 1 },
    });
    for (const { _id } of await cursor.toArray()) if (isId(_id)) yield _id;
  }

  async heads(ids: readonly Id[], signal?: AbortSignal): Promise<Map<string, CampaignHead>> {
    if (ids.length === 0) return new Map();
    const options = { projection: { status: 1, 'schedule.endAt': 1 }, ...(signal && { signal }) };
    const found = await this.of.campaigns.find({ _id: { $in: [...ids] } }, options).toArray();
    return new Map(found.map((campaign) => [campaignKey(campaign._id), headOf(campaign)]));
  }

  async sending(signal?: AbortSignal): Promise<'on' | 'stopped'> {
    const control = (await this.of.settings.findOne(
      { _id: 'control' },
      signal && { signal },
    )) as Partial<ControlSetting> | null;
    return control?.sending === 'stopped' ? 'stopped' : 'on';
  }

  audiencePage(source: AudienceSource, after: unknown, limit: number): Promise<AudiencePage> {
    return readAudiencePage(this.db, source, after, limit);
  }

  async existing(conversationIds: readonly string[]): Promise<Set<string>> {
    const found = await this.of.conversations
      .find({ _id: { $in: [...conversationIds] } }, { projection: { _id: 1 } })
      .toArray();
    return new Set(found.map(({ _id }) => _id));
  }

  commit(write: CampaignWrite): Promise<boolean> {
    return this.writer.commit(write);
  }

  expand(slice: ExpansionSlice): Promise<boolean> {
    return this.writer.expand(slice);
  }

  async counters(campaignId: Id): Promise<{ metrics: Metrics; pending: number }> {
    // Counters of one conversation may move between members' documents, so they are read at one point in time.
    const documents = await this.of.counters.find({ campaignId }, { readConcern: { level: 'snapshot' } }).toArray();
    return foldCounters(documents, new Date(this.clock.now()));
  }

  /** The first call tells of what changed in the minute before it. */
  async changedCounters(): Promise<Id[]> {
    const found = (await this.of.counters
      .find(campaignQueries.changedCounters(this.newestStamp), {
        projection: { campaignId: 1, updatedAt: 1, pending: 1, 'counts.active': 1 },
      })
      .toArray()) as ChangedCounter[];
    const changed = new Map<string, Id>();
    const seen = new Map<string, string>();
    for (const { _id, campaignId, updatedAt, pending, counts } of found) {
      // A stamp has milliseconds, and two commits may share one: what decides about completion is compared too.
      const said = `${updatedAt?.getTime()} ${pending} ${counts?.active}`;
      seen.set(_id, said);
      if (this.seen.get(_id) !== said) changed.set(campaignKey(campaignId), campaignId);
      if (updatedAt && (this.newestStamp === undefined || updatedAt > this.newestStamp)) this.newestStamp = updatedAt;
    }
    this.seen = seen;
    return [...changed.values()];
  }

  fold(campaignId: Id, metrics: Metrics): Promise<void> {
    return this.writer.fold(campaignId, metrics);
  }

  settle(campaignId: Id): Promise<boolean> {
    return this.writer.settle(campaignId);
  }
}

const isId = (value: unknown): value is Id =>
  typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value)) || isObjectId(value);
