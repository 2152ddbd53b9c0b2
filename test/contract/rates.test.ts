/** Slots of a limit, in memory and by the server's clock. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Double, Int32, Long } from 'bson';
import type { RateStore } from '../../src/domain/ratePorts.ts';
import { paceOf, rateLimit } from '../../src/domain/rates.ts';
import { MongoRates } from '../../src/mongo/rates.ts';
import { manualClock } from '../support/clock.ts';
import { MemoryDatabase } from '../support/memory/database.ts';
import { MemoryRates } from '../support/memory/rates.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';

interface Harness {
  store: RateStore;
  put(document: { _id: string; [field: string]: unknown }): Promise<void>;
  get(id: string): Promise<Record<string, unknown> | undefined>;
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
    get: async (id) => database.rates.get(id) as Record<string, unknown> | undefined,
    close: async () => {},
  };
}

let shared: TestDatabase | undefined;
async function onMongo(): Promise<Harness> {
  shared ??= await testDatabase('rates');
  const of = shared.db.collection<{ _id: string }>('rate_limits');
  return {
    store: new MongoRates({ db: shared.db }),
    put: async ({ _id, ...rest }) => void (await of.replaceOne({ _id }, rest, { upsert: true })),
    get: async (_id) => ((await of.findOne({ _id })) as Record<string, unknown> | null) ?? undefined,
    now: () => Date.now(),
    close: async () => void (await of.deleteMany({})),
  };
}
afterAll(() => shared?.close());

const id = 'channel:sms';
const limit = rateLimit(100);
const pace = paceOf(limit);

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
    const second = await on.store.take(id, limit, pace, 1_000);
    // those at once and of the next quarter of a second, and of what passed meanwhile
    expect(second.count).toBeGreaterThanOrEqual(25);
    expect(second.count).toBeLessThan(25 + 200);
    const third = await on.store.take(id, limit, pace, 1_000);
    expect(third.count).toBeLessThan(20);
    expect(third.againInMs).toBeLessThanOrEqual(10);
  });

  test('many at the same time never get more than there is', async () => {
    const before = Date.now();
    const all = await Promise.all(Array.from({ length: 20 }, () => on.store.take(id, limit, pace, 25)));
    const passed = Date.now() - before;
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

  test('limits of domains that nobody takes from are forgotten; others only by their name', async () => {
    const tat = (ago: number): number => on.now() - ago;
    await on.put({ _id: 'domain:mail:idle.test', tat: tat(61_000) });
    await on.put({ _id: 'domain:mail:used.test', tat: tat(50_000) });
    await on.put({ _id: 'domain:mail:written.test', rate: '5/s', tat: tat(61_000) });
    await on.put({ _id: 'campaign:spring', tat: tat(61_000) });
    await on.store.forgetIdle();
    const ids = ['domain:mail:idle.test', 'domain:mail:used.test', 'domain:mail:written.test', 'campaign:spring'];
    const left = async () => Promise.all(ids.map(async (one) => (await on.get(one)) !== undefined));
    expect(await left()).toEqual([false, true, true, true]);
    for (const one of ids) await on.store.forget(one);
    expect(await left()).toEqual([false, false, false, false]);
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
