import type { ClientSession, Db } from 'mongodb';
import { MongoServerError } from 'mongodb';
import { campaignKey } from '../domain/ids.ts';
import type { LimitStore } from '../domain/limitPorts.ts';
import type { CampaignRamp, ContactPressure, Id, LimitChange, Unit } from '../domain/model.ts';
import { type Collections, collections } from './collections.ts';
import { type UpdateStatement, updateDocuments } from './commands.ts';

type Change<K extends LimitChange['kind']> = Extract<LimitChange, { kind: K }>;

/** Longer, a question is of no use, ms. */
const patienceMs = 5_000;
const duplicateKey = 11000;

export class MongoLimits implements LimitStore {
  private readonly of: Collections;

  constructor({ db }: { db: Db }) {
    this.of = collections(db);
  }

  pressures(ids: readonly string[]): Promise<ContactPressure[]> {
    return this.of.pressures.find({ _id: { $in: [...ids] } }, { maxTimeMS: patienceMs }).toArray();
  }

  ramps(campaignIds: readonly Id[]): Promise<CampaignRamp[]> {
    return this.of.ramps.find({ _id: { $in: [...campaignIds] } }, { maxTimeMS: patienceMs }).toArray();
  }
}

/** What all units of one transaction take of a ramp. */
interface Taken {
  campaignId: Id;
  from: Date;
  limit: number;
  count: number;
}

const isLimited = ({ limits }: Unit): boolean => limits !== undefined;

const changesOf = <K extends LimitChange['kind']>({ limits = [] }: Unit, kind: K): Change<K>[] =>
  limits.filter((change): change is Change<K> => change.kind === kind);

/** What a round writes of limits inside its one transaction: a document a contact, and one a campaign with a ramp. */
export class LimitWriter {
  private readonly db: Db;
  private readonly of: Collections;

  constructor(db: Db) {
    this.db = db;
    this.of = collections(db);
  }

  /** Conversations whose units would miss, in the snapshot of the transaction: what those before them take counts. */
  async missing(all: readonly Unit[], session: ClientSession): Promise<Set<string>> {
    const missed = new Set<string>();
    const units = all.filter(isLimited);
    if (units.length === 0) return missed;
    const versions = await this.versions(units, session);
    const used = await this.used(units, session);
    for (const unit of units) {
      const raises = changesOf(unit, 'raise');
      const [take] = changesOf(unit, 'take');
      const key = campaignKey(unit.campaignId);
      const ramp = afterReturns(unit, used.get(key));
      const before = take && usedIn(take.from, ramp);
      const isAsRead = raises.every(({ version, document }) => versions.get(document._id) === version);
      if (!isAsRead || (take !== undefined && Number(before) >= take.limit)) {
        missed.add(unit.conversationId);
        continue;
      }
      for (const { document } of raises) versions.set(document._id, document.version);
      const from = take && new Date(Math.max(take.from.getTime(), ramp?.from.getTime() ?? 0));
      if (from) used.set(key, { _id: unit.campaignId, from, used: Number(before) + 1 });
      else if (ramp) used.set(key, ramp);
    }
    return missed;
  }

  private async versions(units: readonly Unit[], session: ClientSession): Promise<Map<string, number>> {
    const ids = units.flatMap((unit) => changesOf(unit, 'raise').map(({ document }) => document._id));
    if (ids.length === 0) return new Map();
    const found = await this.of.pressures
      .find({ _id: { $in: ids } }, { session, projection: { version: 1 } })
      .toArray();
    return new Map(found.map(({ _id, version }) => [_id, version]));
  }

  private async used(units: readonly Unit[], session: ClientSession): Promise<Map<string, CampaignRamp>> {
    const ids = units.filter(isOfRamp).map(({ campaignId }) => campaignId);
    if (ids.length === 0) return new Map();
    const found = await this.of.ramps.find({ _id: { $in: ids } }, { session }).toArray();
    return new Map(found.map((ramp) => [campaignKey(ramp._id), ramp]));
  }

  /** False: something is not as it was read. Another one who writes them at the same time begins again. */
  async write(all: readonly Unit[], session: ClientSession): Promise<boolean> {
    const units = all.filter(isLimited);
    if (units.length === 0) return true;
    try {
      return (await this.writePressures(units, session)) && (await this.writeRamps(units, session));
    } catch (error) {
      // what was not there when it was read is there now
      if (error instanceof MongoServerError && error.code === duplicateKey) return false;
      throw error;
    }
  }

  private async writePressures(units: readonly Unit[], session: ClientSession): Promise<boolean> {
    const raises = units.flatMap((unit) => changesOf(unit, 'raise')).map(raising);
    const lowers = units.flatMap((unit) => changesOf(unit, 'lower')).map(lowering);
    if (raises.length > 0 && (await updateDocuments(this.db, 'contact_pressure', raises, session)) !== raises.length)
      return false;
    if (lowers.length > 0) await updateDocuments(this.db, 'contact_pressure', lowers, session);
    return true;
  }

  private async writeRamps(units: readonly Unit[], session: ClientSession): Promise<boolean> {
    const returns = units.flatMap((unit) =>
      changesOf(unit, 'return').map(({ from }) => ({ q: { _id: unit.campaignId, from }, u: { $inc: { used: -1 } } })),
    );
    const takes = new Map<string, Taken>();
    for (const unit of units)
      for (const { from, limit } of changesOf(unit, 'take')) {
        const key = campaignKey(unit.campaignId);
        const before = takes.get(key)?.count ?? 0;
        takes.set(key, { campaignId: unit.campaignId, from, limit, count: before + 1 });
      }
    if (returns.length > 0) await updateDocuments(this.db, 'campaign_ramps', returns, session);
    if (takes.size === 0) return true;
    return (await updateDocuments(this.db, 'campaign_ramps', [...takes.values()].map(taking), session)) === takes.size;
  }
}

const raising = ({ version, document: { _id, ...fields } }: Change<'raise'>): UpdateStatement => ({
  q: { _id, version: version ?? { $exists: false } },
  u: { $set: fields },
  upsert: version === undefined,
});

const lowering = ({ id, messageId }: Change<'lower'>): UpdateStatement => ({
  q: { _id: id, 'sends.id': messageId },
  u: { $pull: { sends: { id: messageId } }, $inc: { version: 1 } },
});

/** Matches while there is room in the period, or another one before it was the last; inserts the first time. */
const taking = ({ campaignId, from, limit, count }: Taken): UpdateStatement => ({
  q: { _id: campaignId, $or: [{ from: { $lt: from } }, { from: { $gte: from }, used: { $lte: limit - count } }] },
  u: [
    {
      $set: {
        used: { $cond: [{ $lt: [{ $ifNull: ['$from', new Date(0)] }, from] }, count, { $add: ['$used', count] }] },
        from: { $max: ['$from', from] },
      },
    },
  ] as never,
  upsert: true,
});

const isOfRamp = ({ limits = [] }: Unit): boolean => limits.some(({ kind }) => kind === 'take' || kind === 'return');

const afterReturns = (unit: Unit, stored: CampaignRamp | undefined): CampaignRamp | undefined => {
  const returned = changesOf(unit, 'return').filter(({ from }) => from.getTime() === stored?.from.getTime());
  return stored && { ...stored, used: stored.used - returned.length };
};

/** Messages that were taken for a period, or for a later one by another member's clock. */
const usedIn = (from: Date, stored: CampaignRamp | undefined): number =>
  stored === undefined || stored.from < from ? 0 : stored.used;
