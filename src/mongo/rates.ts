import type { Db, Document } from 'mongodb';
import { idleMs, type RateStore, rateOfCampaign } from '../domain/ratePorts.ts';
import { againIn, type Grant, horizonMs, type Pace, type RateLimit, type RateWords } from '../domain/rates.ts';
import { type Collections, collections } from './collections.ts';

/** Longer, a slot is of no use, ms. */
const patienceMs = 2_000;
const tidyingMs = 30_000;

/** Nobody took slots for so long, by the server's clock, and no operator wrote it. */
const idle = {
  ...{ rate: { $exists: false }, burst: { $exists: false } },
  $expr: { $lte: ['$tat', { $subtract: [{ $toDouble: { $toLong: '$$NOW' } }, idleMs] }] },
};

/** Slots by one update of one document, on the server's clock (`$$NOW`): no clock of a member decides. */
export class MongoRates implements RateStore {
  private readonly of: Collections;

  constructor({ db }: { db: Db }) {
    this.of = collections(db);
  }

  async take(_id: string, { perSecond, burst }: RateLimit, pace: Pace, want: number): Promise<Grant> {
    const update = slots(pace, want, { perSecond, burst });
    const options = { upsert: true, returnDocument: 'after', projection: { taken: 1 }, maxTimeMS: patienceMs } as const;
    const found = await this.of.rates.findOneAndUpdate({ _id }, update, options);
    const { at = 0, count = 0, first = 0 } = found?.taken ?? {};
    const firstInMs = first - at;
    return { count, firstInMs, againInMs: againIn(firstInMs + count * pace.everyMs), pace };
  }

  async forget(_id: string): Promise<void> {
    await this.of.rates.deleteOne({ _id }, { maxTimeMS: patienceMs });
  }

  async forgetIdle(): Promise<void> {
    await this.of.rates.deleteMany({ _id: { $gte: 'domain:', $lt: 'domain;' }, ...idle }, { maxTimeMS: tidyingMs });
    await this.forgetCampaigns();
  }

  /** Mostly there are none that stand idle: those of campaigns that wait or are paused, and what a crash left. */
  private async forgetCampaigns(): Promise<void> {
    const options = { projection: { _id: 1 }, maxTimeMS: tidyingMs } as const;
    const found = await this.of.rates
      .find({ _id: { $gte: 'campaign:', $lt: 'campaign;' }, ...idle }, options)
      .toArray();
    if (found.length === 0) return;
    // asked afterwards: a run that is new by now has taken slots by then, or takes them anew
    const open = await this.of.runs.find({ settled: false }, options).toArray();
    const inUse = new Set(open.map(({ _id }) => rateOfCampaign(_id)));
    const over = found.map(({ _id }) => _id).filter((id) => !inUse.has(id));
    if (over.length > 0) await this.of.rates.deleteMany({ _id: { $in: over }, ...idle }, { maxTimeMS: tidyingMs });
  }

  async words(): Promise<ReadonlyMap<string, RateWords>> {
    const written = { $or: [{ rate: { $exists: true } }, { burst: { $exists: true } }] };
    const options = { projection: { rate: 1, burst: 1 }, maxTimeMS: patienceMs };
    const found = await this.of.rates.find(written, options).toArray();
    return new Map(found.map(({ _id, rate, burst }) => [_id, wordsOf({ rate, burst })]));
  }
}

const wordsOf = ({ rate, burst }: { rate?: unknown; burst?: unknown }): RateWords => ({
  ...(rate === undefined ? {} : { rate: plain(rate) }),
  ...(burst === undefined ? {} : { burst: plain(burst) }),
});

/** Numbers of any BSON type as what they mean. */
const plain = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && '_bsontype' in value ? Number(String(value)) : value;

/** As `takeSlots`. */
function slots({ everyMs, atOnce }: Pace, want: number, inForce: RateLimit): Document[] {
  const furthest = { $add: ['$taken.at', horizonMs + atOnce * everyMs] };
  const base = { $max: ['$taken.at', { $min: [{ $ifNull: ['$tat', '$taken.at'] }, furthest] }] };
  const most = {
    $add: [{ $floor: { $divide: [{ $subtract: [{ $add: ['$taken.at', horizonMs] }, '$taken.first'] }, everyMs] } }, 1],
  };
  return [
    { $set: { inForce, taken: { at: { $toDouble: { $toLong: '$$NOW' } } } } },
    { $set: { 'taken.first': { $subtract: [base, (atOnce - 1) * everyMs] } } },
    { $set: { 'taken.count': { $max: [0, { $min: [want, most] }] } } },
    { $set: { tat: { $add: [base, { $multiply: ['$taken.count', everyMs] }] } } },
  ];
}
