import type { Db, Document, Filter, FindCursor } from 'mongodb';
import { addressRange } from '../domain/audience.ts';
import { headOf } from '../domain/campaignPins.ts';
import type { AudiencePage, CampaignHead, CampaignStore, CampaignWrite } from '../domain/campaignPorts.ts';
import type { LastEntry } from '../domain/enrollments.ts';
import type { ContactSource } from '../domain/exit.ts';
import { campaignKey, isObjectId } from '../domain/ids.ts';
import { foldAged, foldCounters } from '../domain/metrics.ts';
import type {
  CampaignDocument,
  ControlSetting,
  Counters,
  Exclusion,
  ExpansionSlice,
  Id,
  Metrics,
  PinnedAudience,
  Run,
  Template,
} from '../domain/model.ts';
import { type RunHead, runHeadFields } from '../domain/runHeads.ts';
import type { Clock } from '../domain/systemPorts.ts';
import { type AudienceSource, readAudiencePage, readExcluded, readLastKey, readSources } from './audience.ts';
import { checkAudience } from './audienceCheck.ts';
import { CampaignWriter } from './campaignWriter.ts';
import { type Collections, collections } from './collections.ts';
import { readAll } from './decoding.ts';
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
/** Runs in one query. */
const runsAtOnce = 1_000;
/** Removed by one statement. */
const addressesAtOnce = 5_000;

/** Queries by name, so that their plans can be asserted on the very same objects. */
export const campaignQueries = {
  needingAttention: { status: { $nin: restingStatuses } } as Filter<CampaignDocument>,
  openRuns: { settled: false } as Filter<Run>,
  /** By the server's clock, and not behind the newest stamp seen, so that a pause of ours misses nothing. */
  changedCounters: (newestSeen: Date | undefined): Filter<Counters> => ({
    $expr: { $gte: ['$updatedAt', { $subtract: [{ $min: [newestSeen ?? null, '$$NOW'] }, lookbackMs] }] },
  }),
  unfolded: { unfolded: { $exists: true } } as Filter<Counters>,
  latestTemplate: (id: string): Document => ({ '_id.id': id, '_id.version': { $type: 'number' } }),
};

/** Of a child nothing but that it is there: it has no type of its own. */
const headFields = { ...Object.fromEntries(runHeadFields.map((name) => [name, 1])), 'child.type': 1 };

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

  openRunHeads(): Promise<RunHead[]> {
    return this.of.runs.find<RunHead>(campaignQueries.openRuns, { projection: headFields }).toArray();
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
    const options = {
      projection: { status: 1, 'schedule.endAt': 1, 'migrate.toVersion': 1 },
      ...(signal && { signal }),
    };
    const found = await readAll((how) => this.of.campaigns.find({ _id: { $in: [...ids] } }, { ...options, ...how }));
    return new Map(found.map((campaign) => [campaignKey(campaign._id), headOf(campaign)]));
  }

  async sending(signal?: AbortSignal): Promise<'on' | 'stopped'> {
    const control = (await this.of.settings.findOne(
      { _id: 'control' },
      signal && { signal },
    )) as Partial<ControlSetting> | null;
    return control?.sending === 'stopped' ? 'stopped' : 'on';
  }

  checkAudience(audience: PinnedAudience, exits: boolean): Promise<void> {
    return checkAudience(this.db, audience, exits);
  }

  audiencePage(source: AudienceSource, after: unknown, limit: number, most?: number): Promise<AudiencePage> {
    return readAudiencePage(this.db, source, after, limit, most);
  }

  lastKey(collection: string): Promise<unknown> {
    return readLastKey(this.db, collection);
  }

  async existing(conversationIds: readonly string[]): Promise<Set<string>> {
    const found = await this.of.conversations
      .find({ _id: { $in: [...conversationIds] } }, { projection: { _id: 1 } })
      .toArray();
    return new Set(found.map(({ _id }) => _id));
  }

  excluded(exclusion: Exclusion, ids: readonly Id[]): Promise<Set<string>> {
    return readExcluded(this.db, exclusion, ids);
  }

  sources(source: ContactSource, ids: readonly Id[]): Promise<Record<string, unknown>[] | undefined> {
    return readSources(this.db, source, ids);
  }

  async takenAddresses(keys: readonly string[]): Promise<Set<string>> {
    const found = await this.of.addresses.find({ _id: { $in: [...keys] } }).toArray();
    return new Set(found.map(({ _id }) => _id));
  }

  /** In parts, none of which keeps the server busy for long. */
  async forgetAddresses(campaignId: Id): Promise<void> {
    const { from, to } = addressRange(campaignId);
    const options = { sort: { _id: 1 }, limit: addressesAtOnce } as const;
    for (;;) {
      const found = await this.of.addresses.find({ _id: { $gte: from, $lt: to } }, options).toArray();
      const last = found.at(-1);
      if (last === undefined) return;
      await this.of.addresses.deleteMany({ _id: { $gte: from, $lte: last._id } });
    }
  }

  async lastEntries(firstIds: readonly string[]): Promise<Map<string, LastEntry>> {
    const projection = { status: 1, createdAt: 1, entries: 1 };
    const read = (ids: readonly string[]) =>
      this.of.conversations.find({ _id: { $in: [...ids] } }, { projection }).toArray();
    const firsts = await read(firstIds);
    const later = firsts.flatMap(({ _id, entries }) => (entries === undefined ? [] : [`${_id}:${entries}`]));
    const last = new Map(later.length > 0 ? (await read(later)).map((found) => [found._id, found]) : []);
    return new Map(
      firsts.map((first) => {
        const { status, createdAt } = last.get(`${first._id}:${first.entries}`) ?? first;
        return [first._id, { entry: first.entries ?? 1, status, createdAt }];
      }),
    );
  }

  commit(write: CampaignWrite): Promise<boolean> {
    return this.writer.commit(write);
  }

  expand(slice: ExpansionSlice): Promise<boolean> {
    return this.writer.expand(slice);
  }

  asked(campaignId: Id, migration: number, partitions: readonly number[]): Promise<void> {
    return this.writer.asked(campaignId, migration, partitions);
  }

  async counters(campaignId: Id): ReturnType<CampaignStore['counters']> {
    // Counters of one conversation may move between members' documents, so they are read at one point in time.
    const documents = await this.of.counters.find({ campaignId }, { readConcern: { level: 'snapshot' } }).toArray();
    return { ...foldCounters(documents, new Date(this.clock.now())), aged: foldAged(documents) };
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

  foldLate(campaignId: Id): Promise<void> {
    return this.writer.foldLate(campaignId);
  }

  /** Flagged are the counters of open campaigns, too; those are looked up by their runs, few as they are. */
  async unfolded(): Promise<Id[]> {
    const flagged = await this.of.counters.distinct('campaignId', campaignQueries.unfolded);
    const found: Id[] = [];
    for (let from = 0; from < flagged.length; from += runsAtOnce) {
      const settled = { _id: { $in: flagged.slice(from, from + runsAtOnce) }, settled: true };
      for (const { _id } of await this.of.runs.find(settled, { projection: { _id: 1 } }).toArray()) found.push(_id);
    }
    return found;
  }

  settle(campaignId: Id): Promise<boolean> {
    return this.writer.settle(campaignId);
  }
}

const isId = (value: unknown): value is Id =>
  typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value)) || isObjectId(value);
