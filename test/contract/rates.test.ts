/** Slots of a limit, in memory and by the server's clock. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Double, Int32, Long, ObjectId } from 'bson';
import type { Run } from '../../src/domain/model.ts';
import { type RateStore, rateOfCampaign } from '../../src/domain/ratePorts.ts';
import { paceOf, rateLimit } from '../../src/domain/rates.ts';
import { MongoRates } from '../../src/mongo/rates.ts';
import { manualClock } from '../support/clock.ts';
import { MemoryDatabase } from '../support/memory/database.ts';
import { MemoryRates } from '../support/memory/rates.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';

interface Limit {
  taken?: { at: number };
}

interface Harness {
  store: RateStore;
  put(document: { _id: string; [field: string]: unknown }): Promise<void>;
  putRun(run: Pick<Run, '_id' | 'settled'>): Promise<void>;
  get(id: string): Promise<Limit | undefined>;
  /** ms since the epoch, of the server. */
  now(): number;
  close(): Promise<void>;
}

async function inMemory(): Promise<Harness> {
  const clock = manualClock(1_000_000);
  const database = new MemoryDatabase({ clock });
  return {
    now: () => clock.now(),
    store: new MemoryRates({ database, memberId: 'm1' }),
    put: async (document) => database.rates.put(document as never),
    putRun: async (run) => database.runs.put(run as Run),
    get: async (id) => database.rates.get(id) as Limit | undefined,
    close: async () => {},
  };
}

let shared: TestDatabase | undefined;
async function onMongo(): Promise<Harness> {
  shared ??= await testDatabase('rates');
  const of = shared.db.collection<{ _id: string }>('rate_limits');
  const runs = shared.db.collection('campaign_runs');
  return {
    store: new MongoRates({ db: shared.db }),
    put: async ({ _id, ...rest }) => void (await of.replaceOne({ _id }, rest, { upsert: true })),
    putRun: async (run) => void (await runs.insertOne(run as never)),
    get: async (_id) => ((await of.findOne({ _id })) as Limit | null) ?? undefined,
    now: () => Date.now(),
    close: async () => void (await Promise.all([of.deleteMany({}), runs.deleteMany({})])),
  };
}
afterAll(() => shared?.close());

const id = 'channel:sms';
const limit = rateLimit(100);
const pace = paceOf(limit);

/** When slots were taken last, by the server's clock: that of the test may go on while the server stands still. */
const takenAt = async (on: Harness, id: string): Promise<number> => (await on.get(id))?.taken?.at ?? Number.NaN;

describe.each([
  ['in memory', inMemory],
  ['on MongoDB', onMongo],
])('slots of a rate %s', (_, make) => {
  let on: Harness;
  beforeEach(async () => {
    on = await make();
  });
  afterEach(() => on.close());

  test('the first ones come at once, and others take what is left', async () => {
    const first = await on.store.take(id, limit, pace, 30);
    expect(first).toMatchObject({ count: 30, againInMs: 0, pace });
    expect(first.firstInMs).toBeCloseTo(-290, 3);
    const [firstAt, second, secondAt] = [
      await takenAt(on, id),
      await on.store.take(id, limit, pace, 1_000),
      await takenAt(on, id),
    ];
    // those of the next quarter of a second, and of what passed meanwhile by the server's clock; never more than after a pause
    expect(second.count).toBe(Math.min(55, 25 + Math.floor((secondAt - firstAt) / 10)));
    const [third, thirdAt] = [await on.store.take(id, limit, pace, 1_000), await takenAt(on, id)];
    const passed = Math.floor((thirdAt - secondAt) / 10);
    expect(third.count).toBeGreaterThanOrEqual(Math.min(55, passed));
    expect(third.count).toBeLessThanOrEqual(Math.min(55, passed + 1));
    expect(third.againInMs).toBeLessThanOrEqual(10);
  });

  test('many at the same time never get more than there is', async () => {
    await on.store.take('channel:before', limit, pace, 1);
    const before = await takenAt(on, 'channel:before');
    const all = await Promise.all(Array.from({ length: 20 }, () => on.store.take(id, limit, pace, 25)));
    const passed = (await takenAt(on, id)) - before;
    const total = all.reduce((sum, { count }) => sum + count, 0);
    expect(total).toBeGreaterThanOrEqual(55);
    expect(total).toBeLessThanOrEqual(55 + passed / 10 + 1);
  });

  test('a limit that was raised holds before long, whatever the slower one gave out before', async () => {
    const slow = rateLimit(5 / 3_600);
    await on.store.take(id, slow, paceOf(slow), 1);
    const next = await on.store.take(id, limit, pace, 25);
    expect(next.againInMs).toBeLessThanOrEqual(10);
  });

  test('the document tells what is in force, and what operators wrote stays', async () => {
    await on.put({ _id: id, rate: '100/s' });
    await on.store.take(id, limit, pace, 1);
    expect(await on.get(id)).toMatchObject({ rate: '100/s', inForce: limit, taken: { count: 1 } });
  });

  test('what nobody takes from is forgotten: of domains, and of campaigns that are over or gone; others only by their name', async () => {
    const tat = (ago: number): number => on.now() - ago;
    const ids = ['domain:mail:idle.test', 'domain:mail:used.test', 'domain:mail:written.test', 'channel:mail'];
    await on.put({ _id: 'domain:mail:idle.test', tat: tat(61_000) });
    await on.put({ _id: 'domain:mail:used.test', tat: tat(50_000) });
    await on.put({ _id: 'domain:mail:written.test', rate: '5/s', tat: tat(61_000) });
    await on.put({ _id: 'channel:mail', tat: tat(61_000) });
    await on.store.forgetIdle();
    const left = async () => Promise.all(ids.map(async (one) => (await on.get(one)) !== undefined));
    expect(await left()).toEqual([false, true, true, true]);
    for (const one of ids) await on.store.forget(one);
    expect(await left()).toEqual([false, false, false, false]);
  });

  test('slots of campaigns that are over or gone do not stay for ever, whoever died before he tidied up', async () => {
    const old = on.now() - 61_000;
    const objectId = new ObjectId('65a000000000000000000001');
    await on.putRun({ _id: 'open', settled: false });
    await on.putRun({ _id: objectId, settled: false });
    await on.putRun({ _id: 'over', settled: true });
    await on.putRun({ _id: 'late', settled: true });
    await on.putRun({ _id: 'said', settled: true });
    const ids = ['open', objectId, 'over', 'late', 'said', 'gone', 7].map(rateOfCampaign);
    for (const one of ids) await on.put({ _id: one, tat: one === 'campaign:late' ? old + 20_000 : old });
    await on.put({ _id: 'campaign:said', tat: old, burst: 3 });
    await on.store.forgetIdle();
    const left = await Promise.all(ids.map(async (one) => ((await on.get(one)) === undefined ? [] : [one])));
    expect(left.flat()).toEqual([
      'campaign:open',
      `campaign:~${objectId.toHexString()}`,
      'campaign:late',
      'campaign:said',
    ]);
  });

  test('what operators wrote is read with what it means', async () => {
    await on.put({ _id: id, rate: '5/m', burst: new Int32(3) });
    await on.put({ _id: 'channel:push', rate: new Double(2.5) });
    await on.put({ _id: 'channel:fax', burst: Long.fromNumber(7) });
    await on.store.take('channel:untouched', limit, pace, 1);
    const words = await on.store.words();
    expect([...words.keys()].sort()).toEqual(['channel:fax', id].concat('channel:push').sort());
    expect(words.get(id)).toMatchObject({ rate: '5/m' });
    expect(Number(words.get(id)?.burst)).toBe(3);
    expect(Number(words.get('channel:push')?.rate)).toBe(2.5);
    expect(Number(words.get('channel:fax')?.burst)).toBe(7);
  });
});
