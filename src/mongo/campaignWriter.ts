import type { ClientSession, Db, Document, UpdateFilter } from 'mongodb';
import { MongoServerError } from 'mongodb';
import type { CampaignWrite } from '../domain/campaignPorts.ts';
import { isAsDecided } from '../domain/campaignWrites.ts';
import { ServiceError } from '../domain/errors.ts';
import { campaignKey } from '../domain/ids.ts';
import { foldCounters, results } from '../domain/metrics.ts';
import type { CampaignDocument, ExpansionSlice, Id, Metrics, Run } from '../domain/model.ts';
import type { Clock } from '../domain/systemPorts.ts';
import { type Collections, collections } from './collections.ts';
import { insertDocuments, updateDocuments } from './commands.ts';
import { counterUpdates } from './counters.ts';
import type { MongoLedger } from './ledger.ts';

/** How often the copy of `expansion` in the campaign is renewed, ms: each write of a campaign with an inline audience rewrites up to 16 MB. */
const copyEveryMs = 1_000;

/** The fenced writes of `MongoCampaigns`. Every write of a campaign changes its `version`, by which the stream knows it as ours. */
export class CampaignWriter {
  private readonly db: Db;
  private readonly of: Collections;
  private readonly ledger: Pick<MongoLedger, 'transact'>;
  private readonly clock: Clock;
  private readonly memberId: string;
  private readonly copied = new Map<string, number>();

  constructor(params: {
    db: Db;
    ledger: Pick<MongoLedger, 'transact'>;
    clock: Clock;
    memberId: string;
  }) {
    this.db = params.db;
    this.of = collections(params.db);
    this.ledger = params.ledger;
    this.clock = params.clock;
    this.memberId = params.memberId;
  }

  /**
   * The conditions are read in the snapshot of the transaction, so whoever changes a document that is written makes it start again.
   * @throws ServiceError `document_invalid` for a child that is larger than a document can be.
   */
  async commit(write: CampaignWrite): Promise<boolean> {
    const { campaignId, expectStatus, expectRun, expectMigration, campaign, run, child } = write;
    const work = async (session: ClientSession): Promise<boolean> => {
      const found = await this.head(campaignId, session);
      if (expectStatus === undefined ? found !== undefined : expectStatus !== '*' && found?.status !== expectStatus)
        return false;
      if (run || expectRun || expectMigration !== undefined) {
        const projection = { settled: 1, expansion: 1, occurrences: 1, 'migration.number': 1 };
        const there = await this.of.runs.findOne({ _id: campaignId }, { session, projection });
        if (!isAsDecided(write, there ?? undefined)) return false;
      }
      if (campaign && found) await this.updateCampaign(found, campaign.set, session, campaign.unset);
      if (run && 'insert' in run) await this.of.runs.insertOne(run.insert, { session });
      else if (run) await this.updateRun(campaignId, run.set, session, run.unset);
      if (child && (await this.head(child._id, session)) === undefined)
        await this.of.campaigns.insertOne(child as CampaignDocument, { session });
      return true;
    };
    try {
      return await falseIfDuplicate(this.ledger.transact('campaign', work));
    } catch (error) {
      // only an occurrence has others' contacts in it
      throw child && isTooLarge(error) ? new ServiceError('document_invalid', noRoom, { cause: error }) : error;
    }
  }

  async expand(slice: ExpansionSlice): Promise<boolean> {
    const { campaignId, conversations, addresses = [], expansion, counters } = slice;
    const key = campaignKey(campaignId);
    const copies = expansion.done || this.clock.monotonic() - (this.copied.get(key) ?? -Infinity) >= copyEveryMs;
    const work = async (session: ClientSession): Promise<boolean> => {
      const update: UpdateFilter<Run> = {
        $set: { expansion, updatedAt: this.now() },
        ...(conversations.length > 0 ? { $inc: { wake: 1 } } : {}),
      };
      const { matchedCount } = await this.of.runs.updateOne(expandable(slice), update, { session });
      if (matchedCount === 0) return false;
      if (conversations.length > 0) await insertDocuments(this.db, 'conversation_states', conversations, session);
      const taken = addresses.map((_id) => ({ _id }));
      if (taken.length > 0) await insertDocuments(this.db, 'campaign_addresses', taken, session);
      const updates = counterUpdates(this.memberId, new Map([[key, { campaignId, delta: counters }]]));
      if (updates.length > 0) await updateDocuments(this.db, 'campaign_counters', updates, session);
      const found = copies ? await this.head(campaignId, session) : undefined;
      if (found) await this.updateCampaign(found, { expansion: copyOf(expansion) }, session);
      return true;
    };
    const expanded = await falseIfDuplicate(this.ledger.transact('expand', work));
    if (expanded && expansion.done) this.copied.delete(key);
    else if (expanded && copies) this.copied.set(key, this.clock.monotonic());
    return expanded;
  }

  async asked(campaignId: Id, migration: number, partitions: readonly number[]): Promise<void> {
    const filter = { _id: campaignId, 'migration.number': migration };
    const update = { $pull: { 'migration.left': { $in: [...partitions] } }, $set: { updatedAt: this.now() } };
    await this.ledger.transact('asked', (session) =>
      this.of.runs.updateOne(filter, update as UpdateFilter<Run>, { session }),
    );
  }

  async fold(campaignId: Id, metrics: Metrics): Promise<void> {
    await this.withRoom((toCampaign) =>
      this.ledger.transact('fold', async (session) => {
        const update = { $set: { metrics, updatedAt: this.now() } };
        const { matchedCount } = await this.of.runs.updateOne({ _id: campaignId, settled: false }, update, { session });
        const found = toCampaign ? await this.head(campaignId, session) : undefined;
        if (matchedCount === 0 || found === undefined) return;
        const run = await this.of.runs.findOne({ _id: campaignId }, { session, projection: { expansion: 1 } });
        const expansion = run ? { expansion: copyOf(run.expansion) } : {};
        await this.updateCampaign(found, { metrics, ...expansion }, session);
      }),
    );
  }

  async foldLate(campaignId: Id): Promise<void> {
    await this.withRoom((toCampaign) =>
      this.ledger.transact('fold', async (session) => {
        const run = await this.of.runs.findOne({ _id: campaignId }, { session, projection: { settled: 1 } });
        if (!run?.settled) return;
        const { metrics } = await this.folded(campaignId, session);
        await this.takeFlags(campaignId, session);
        await this.updateRun(campaignId, { metrics }, session);
        const found = toCampaign ? await this.head(campaignId, session) : undefined;
        if (found) await this.updateCampaign(found, { metrics }, session);
      }),
    );
  }

  private async folded(campaignId: Id, session: ClientSession): Promise<{ metrics: Metrics; pending: number }> {
    return foldCounters(await this.of.counters.find({ campaignId }, { session }).toArray(), this.now());
  }

  /** Of the counters that were folded in this transaction: so it conflicts with whoever counts meanwhile, and one of the two begins again. */
  private async takeFlags(campaignId: Id, session: ClientSession): Promise<void> {
    const flagged = { campaignId, unfolded: { $exists: true } };
    await this.of.counters.updateMany(flagged, { $unset: { unfolded: '' } }, { session });
  }

  /**
   * A pause or a cancellation by others that the run does not know of yet is recorded there first, and a paused campaign
   * completes after it was resumed (or at its `endAt`): false until then.
   */
  settle(campaignId: Id): Promise<boolean> {
    return this.withRoom((metricsToCampaign) =>
      this.ledger.transact('settle', async (session) => {
        const run = await this.of.runs.findOne({ _id: campaignId }, { session });
        if (run === null || !isEnding(run)) return false;
        const found = await this.head(campaignId, session);
        const cancelled = endsCancelled(run, found?.status);
        if (run.status !== 'cancelled' && found && holdsBack(found.status, run)) return false;
        const { metrics, pending } = await this.folded(campaignId, session);
        if (metrics.active !== 0 || pending !== 0) return false;
        await this.takeFlags(campaignId, session);
        const status = cancelled ? 'cancelled' : 'completed';
        const ended = { status, completedAt: this.now() } as const;
        await this.updateRun(campaignId, { settled: true, metrics, ...ended }, session);
        const figures = metricsToCampaign ? { metrics, results: results(run, metrics, this.now()) } : {};
        // its limits may have been taken away since
        await this.of.ramps.deleteOne({ _id: campaignId }, { session });
        const expansion = { expansion: copyOf(run.expansion) };
        if (found) await this.updateCampaign(found, { ...ended, ...expansion, ...figures }, session);
        return true;
      }),
    );
  }

  /** A campaign of nearly 16 MB may have no room for our figures: the run has them then. */
  private async withRoom<T>(work: (hasRoom: boolean) => Promise<T>): Promise<T> {
    try {
      return await work(true);
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      return work(false);
    }
  }

  private async head(id: Id, session: ClientSession): Promise<StoredHead | undefined> {
    const projection = { status: 1, version: 1 };
    return (await this.of.campaigns.findOne({ _id: id }, { session, projection })) ?? undefined;
  }

  private updateCampaign(
    { _id, version }: StoredHead,
    set: Partial<CampaignDocument>,
    session: ClientSession,
    unset: readonly (keyof CampaignDocument)[] = [],
  ) {
    const update = { $set: { ...set, version: versionAfter(version) }, ...unsetOf(unset) };
    return this.of.campaigns.updateOne({ _id }, update as UpdateFilter<CampaignDocument>, { session });
  }

  private updateRun(_id: Id, set: Partial<Run>, session: ClientSession, unset: readonly (keyof Run)[] = []) {
    const update = { $set: { ...set, updatedAt: this.now() }, ...unsetOf(unset) };
    return this.of.runs.updateOne({ _id }, update as UpdateFilter<Run>, { session });
  }

  private now(): Date {
    return new Date(this.clock.now());
  }
}

/** As stored: others may have put anything there. */
type StoredHead = { _id: Id; status?: unknown; version?: unknown };

/** Nothing is inserted for a run that ended in the meantime, nor when another member was here first. */
const expandable = ({ campaignId, from, expectExpanded, migration }: ExpansionSlice): Document => ({
  _id: campaignId,
  'migration.number': migration ?? { $exists: false },
  settled: false,
  status: { $ne: 'cancelled' },
  endReason: { $exists: false },
  ...(expectExpanded === undefined ? {} : { 'expansion.expanded': expectExpanded }),
  'expansion.after': from === undefined ? { $exists: false } : { $exists: true, $eq: from },
});

/** A migration that was asked for a moment ago is answered first. */
const isEnding = (run: Run): boolean =>
  !run.settled &&
  ((run.expansion.done && !isMigrating(run)) || run.status === 'cancelled' || run.endReason !== undefined);

const isMigrating = ({ migration }: Run): boolean => migration !== undefined && migration.completedAt === undefined;

const holdsBack = (campaignStatus: unknown, run: Run): boolean =>
  campaignStatus === 'cancelled' ||
  (run.endReason === undefined && (campaignStatus === 'paused' || run.status === 'paused'));

/** A campaign that came to its `endAt` is completed, unless its author cancels it while it is being ended. */
const endsCancelled = ({ status, endReason }: Run, campaignStatus: unknown): boolean =>
  status === 'cancelled' && (endReason !== 'campaign_ended' || campaignStatus === 'cancelled');

const copyOf = ({ expanded, skipped, done }: Run['expansion']): Record<string, unknown> => ({
  expanded,
  skipped,
  done,
});

/** Whatever was there, another number than before. */
function versionAfter(version: unknown): number {
  const number = Number(version ?? 0);
  return Number.isSafeInteger(number + 1) ? number + 1 : 1;
}

const unsetOf = (fields: readonly PropertyKey[]): { $unset?: Record<string, ''> } =>
  fields.length > 0 ? { $unset: Object.fromEntries(fields.map((field) => [field, ''])) } : {};

/** Somebody inserted the same in between: nothing was written, and the caller looks again. */
async function falseIfDuplicate(transaction: Promise<boolean>): Promise<boolean> {
  try {
    return await transaction;
  } catch (error) {
    if (error instanceof MongoServerError && error.code === 11_000) return false;
    throw error;
  }
}

const noRoom = 'audience.contacts: an occurrence would be larger than a document can be (16 MB); use a collection';

/** The document would be larger than the server takes. */
const isTooLarge = (error: unknown): boolean =>
  error instanceof MongoServerError && [10_334, 17_419, 17_420].includes(Number(error.code));
