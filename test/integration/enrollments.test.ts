/** Enrollments on a real mongod: work that is killed between any two of its steps, and members that hand over meanwhile. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { EnrollmentStore } from '../../src/domain/enrollmentPorts.ts';
import { ServiceError } from '../../src/domain/errors.ts';
import type { Conversation, Enrollment, Run } from '../../src/domain/model.ts';
import { newTraceparent } from '../../src/domain/trace.ts';
import { isNoFaultOfDocuments } from '../../src/mongo/away.ts';
import { initDatabase } from '../../src/mongo/collections.ts';
import { waitingQuery } from '../../src/mongo/enrollments.ts';
import { Enrollments } from '../../streams/enrollments.ts';
import { Runs } from '../../streams/runs.ts';
import { mongoStores, run } from '../contract/harness.ts';
import { manualClock } from '../support/clock.ts';
import { recordingInstruments, silentLogger } from '../support/fakes.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { channels } from '../unit/domain/given.ts';

const partitions = 16;
let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase('enrollments', { readConcernLevel: 'majority', writeConcern: { w: 'majority' } });
  await initDatabase(database.db, { partitions });
});
afterEach(async () => {
  for (const { collectionName } of await database.db.collections())
    if (collectionName !== 'settings' && collectionName !== 'partitions')
      await database.db.collection(collectionName).deleteMany({});
});
afterAll(() => database.close());

const clock = manualClock();
const spring = (over: Partial<Run> = {}): Run =>
  run('spring', {
    audience: { kind: 'enrollments' },
    flow: { stages: [{ id: 'intro', type: 'message', channel: 'sms', content: { text: 'Hi' } }] },
    ...over,
  });
const insert = (name: string, documents: readonly object[]) => database.db.collection(name).insertMany([...documents]);
const of = (_id: number, contact: unknown, more: object = {}) => ({ _id, campaignId: 'spring', contact, ...more });
const stored = () => database.db.collection<Enrollment>('enrollments').find().sort({ _id: 1 }).toArray();
const conversations = () =>
  database.db.collection<Conversation>('conversation_states').find().sort({ _id: 1 }).toArray();

/** Stops before or after the `at`-th call of the store, as a kill does: the call itself may have taken effect. */
function killedAt(store: EnrollmentStore, at: number, after: boolean): EnrollmentStore {
  let calls = 0;
  const gate = async <T>(work: () => Promise<T>): Promise<T> => {
    const isLast = ++calls === at;
    const killed = new ServiceError('database_unreachable', 'killed');
    if (calls > at || (isLast && !after)) throw killed;
    const result = await work();
    if (isLast) throw killed;
    return result;
  };
  return {
    page: (...all) => gate(() => store.page(...all)),
    waiting: (...all) => gate(() => store.waiting(...all)),
    answer: (...all) => gate(() => store.answer(...all)),
  };
}

async function member(id: string, owns: (partition: number) => boolean, wrap = (store: EnrollmentStore) => store) {
  const stores = await mongoStores(database.db, id, clock);
  const runs = new Runs({
    ...{ campaigns: stores.campaigns, channels, memberId: id, clock, logger: silentLogger, onChanged: () => {} },
  });
  const entered: string[] = [];
  const enrollments = new Enrollments({
    ...{
      store: wrap(stores.enrollments),
      campaigns: stores.campaigns,
      runs,
      partitions,
      owns,
      clock,
      isNoFaultOfDocuments,
    },
    ...{ logger: silentLogger, instruments: recordingInstruments(), signal: new AbortController().signal },
    onEntered: (key) => entered.push(key),
    traceparent: () =>
      newTraceparent(
        () => new Uint8Array(24).fill(7),
        () => false,
      ),
  });
  return { ...stores, runs, enrollments, entered };
}
const all = () => true;

test('given enrollments of every kind, then each is answered where its author looks, and what waits is told for what', async () => {
  await insert('campaign_runs', [spring(), run('other', { campaign: { type: 'broadcast' } })]);
  await insert('campaigns', [
    { _id: 'draft', status: 'draft' },
    { _id: 'failed', status: 'failed' },
  ]);
  await insert('enrollments', [
    of(1, { id: 'ada', phone: '+491' }),
    of(2, { id: 'ada', phone: '+491' }),
    of(3, { email: 'x' }),
    of(4, { id: 'bea' }, { at: 'noon' }),
    of(5, { id: 'bea' }, { campaignId: 'other' }),
    of(6, { id: 'bea' }, { campaignId: 'none' }),
    of(7, { id: 'bea' }, { campaignId: 'draft' }),
    of(8, { id: 'bea' }, { campaignId: 'failed' }),
    of(9, { id: 'bea' }, { campaignId: { a: 1 } }),
    of(10, { id: 'bea' }, { campaignId: ['spring'] }),
  ]);
  const { enrollments, entered, close } = await member('m1', all);
  await enrollments.look();
  const answers = (await stored()).map(({ _id, handledAt, conversationId, reason, error }) => [
    ...[_id, handledAt !== undefined, conversationId ?? reason, error?.path],
  ]);
  expect(answers).toEqual([
    [1, true, 'spring:ada', undefined],
    [2, true, 'duplicate_contact', undefined],
    [3, true, 'contact_invalid', 'contact'],
    [4, true, 'not_allowed', 'at'],
    [5, true, 'not_allowed', 'campaignId'],
    [6, false, undefined, 'campaignId'],
    [7, false, undefined, undefined],
    [8, true, 'campaign_ended', undefined],
    [9, true, 'not_allowed', 'campaignId'],
    [10, true, 'not_allowed', 'campaignId'],
  ]);
  expect(entered).toEqual(['spring']);
  await insert('campaign_runs', [{ ...spring(), _id: 'none' }]);
  await enrollments.look('none');
  expect((await stored())[5]).toMatchObject({ conversationId: 'none:bea' });
  expect((await stored())[5]).not.toHaveProperty('error');
  await close();
});

test.each(Array.from({ length: 12 }, (_, n) => [1 + (n >> 1), n % 2 === 1] as const))(
  'given work that is killed at call %i (after it: %p), then another member goes on, and each contact entered once',
  async (at, after) => {
    await insert('campaign_runs', [spring()]);
    const people = Array.from({ length: 600 }, (_, n) => of(n, { id: `k${n % 450}`, phone: '+491' }));
    await insert('enrollments', people);
    const first = await member('m1', all, (store) => killedAt(store, at, after));
    await expect(first.enrollments.look()).rejects.toThrow('killed');
    await first.fence();
    const second = await member('m2', all);
    await second.enrollments.look();
    expect((await conversations()).map(({ contact }) => contact.id).sort()).toEqual(
      [...new Set(people.map(({ contact }) => (contact as { id: string }).id))].sort(),
    );
    const answers = await stored();
    expect(answers.filter(({ conversationId }) => conversationId !== undefined)).toHaveLength(450);
    expect(answers.filter(({ reason }) => reason === 'duplicate_contact')).toHaveLength(150);
    expect((await second.campaigns.counters('spring')).metrics).toMatchObject({ total: 450, active: 450 });
    expect(await second.campaigns.run('spring')).toMatchObject({
      expansion: { expanded: 450, skipped: { duplicate_contact: 150 } },
    });
    await first.close();
    await second.close();
  },
);

test('given members that both take the same partitions for theirs, then a contact is never in it twice', async () => {
  await insert('campaign_runs', [spring({ reentry: { policy: 'afterEnd' } })]);
  const members = await Promise.all(['m1', 'm2', 'm3'].map((id) => member(id, all)));
  await insert(
    'enrollments',
    Array.from({ length: 300 }, (_, n) => of(n, { id: `k${n % 100}` })),
  );
  const ids = Array.from({ length: 300 }, (_, n) => n);
  const offers = members.map(({ enrollments }, n) => enrollments.offer(n === 1 ? ids.toReversed() : ids));
  for (const { status } of await Promise.allSettled(offers)) expect(['fulfilled', 'rejected']).toContain(status);
  await members[0]?.enrollments.look();
  expect(await conversations()).toHaveLength(100);
  expect(await database.db.collection('enrollments').countDocuments({ handledAt: null })).toBe(0);
  expect(await members[0]?.campaigns.run('spring')).toMatchObject({
    expansion: { expanded: 100, skipped: { duplicate_contact: 200 } },
  });
  for (const { close } of members) await close();
});

test('given a contact that ended and may enter again, then its next conversation has the next number', async () => {
  await insert('campaign_runs', [spring({ reentry: { policy: 'afterEnd' } })]);
  const { enrollments, close } = await member('m1', all);
  for (const n of [1, 2, 3]) {
    await insert('enrollments', [of(n, { id: 'ada' }), of(n + 10, { id: 'ada' })]);
    await enrollments.offer([n, n + 10]);
    await database.db.collection('conversation_states').updateMany({}, { $set: { status: 'completed' } });
  }
  expect((await conversations()).map(({ _id, entries }) => [_id, entries])).toEqual([
    ['spring:ada', 3],
    ['spring:ada:2', undefined],
    ['spring:ada:3', undefined],
  ]);
  expect((await stored()).map(({ conversationId, reason }) => conversationId ?? reason)).toEqual([
    ...['spring:ada', 'spring:ada:2', 'spring:ada:3'],
    ...['duplicate_contact', 'duplicate_contact', 'duplicate_contact'],
  ]);
  await close();
});

test('given a contact that the server refuses, then it alone is told so, and the others enter', async () => {
  await insert('campaign_runs', [spring()]);
  await insert(
    'enrollments',
    Array.from({ length: 9 }, (_, n) => of(n, { id: `k${n}` })),
  );
  const refusing = (store: EnrollmentStore): EnrollmentStore => ({
    page: (...args) => store.page(...args),
    waiting: (...args) => store.waiting(...args),
    answer: (slice) =>
      slice.entering?.conversations.some(({ contact }) => contact.id === 'k4')
        ? Promise.reject(new RangeError('larger than the 16 MB that a document can hold'))
        : store.answer(slice),
  });
  const { enrollments, close } = await member('m1', all, refusing);
  await enrollments.look();
  expect(await conversations()).toHaveLength(8);
  expect((await stored())[4]).toMatchObject({
    reason: 'contact_invalid',
    error: { message: expect.stringMatching(/16 MB/) },
  });
  await close();
});

test('given one that nothing can be written to, then it alone is left alone, and told to operators', async () => {
  await insert('campaign_runs', [spring()]);
  await insert('enrollments', [of(1, { id: 'ada' }), of(3, { id: 'cyd' })]);
  const room = 16 * 1024 * 1024 - 150;
  await insert('enrollments', [of(2, { id: 'bob', attributes: { text: 'x'.repeat(room) } })]);
  const { enrollments, close } = await member('m1', all);
  await enrollments.offer([1, 2, 3]);
  await enrollments.look();
  expect((await conversations()).map(({ _id }) => _id)).toEqual(['spring:ada', 'spring:cyd']);
  expect(await database.db.collection('dead_letters').find().toArray()).toMatchObject([
    { collection: 'enrollments', documentId: 2, reason: 'poisoned' },
  ]);
  await close();
});

test('given more than a page whose campaign is a list, then they are answered, and what comes behind them is, too', async () => {
  await insert('campaign_runs', [spring()]);
  const lists = Array.from({ length: 1_100 }, (_, n) => of(n, { id: n }, { campaignId: ['aaa', 'spring'] }));
  await insert('enrollments', [...lists, of(5_000, { id: 'ada' })]);
  const { enrollments, close } = await member('m1', all);
  await enrollments.look();
  expect(await database.db.collection('enrollments').countDocuments({ reason: 'not_allowed' })).toBe(1_100);
  expect((await conversations()).map(({ _id }) => _id)).toEqual(['spring:ada']);
  await close();
});

test('given a run that ended or was paused unseen, then its enrollments are told, or wait', async () => {
  await insert('campaign_runs', [spring(), { ...spring(), _id: 'autumn' }]);
  const { enrollments, runs, close } = await member('m1', all);
  await runs.load(['spring', 'autumn']);
  await database.db.collection<Run>('campaign_runs').updateOne({ _id: 'spring' }, { $set: { status: 'paused' } });
  const ended = { status: 'cancelled', endReason: 'campaign_ended' } as const;
  await database.db.collection<Run>('campaign_runs').updateOne({ _id: 'autumn' }, { $set: ended });
  await insert('enrollments', [of(1, { id: 'ada' }), of(2, { id: 'ada' }, { campaignId: 'autumn' })]);
  await enrollments.offer([1, 2]);
  expect((await stored()).map(({ handledAt, reason }) => [handledAt !== undefined, reason])).toEqual([
    [false, undefined],
    [true, 'campaign_ended'],
  ]);
  expect(await conversations()).toEqual([]);
  // what rests is passed over
  expect(await enrollments.forgotten()).toEqual(new Map());
  await close();
});

test('a page reads keys of its own index only', async () => {
  const waiting = Array.from({ length: 400 }, (_, n) => of(n, { id: n }, { campaignId: n % 4 }));
  const handled = Array.from({ length: 400 }, (_, n) =>
    of(1_000 + n, { id: n }, { campaignId: 1, handledAt: new Date() }),
  );
  await insert('enrollments', [...waiting, ...handled]);
  for (const [campaignId, after, returned] of [
    [1, undefined, 50],
    [1, { campaignId: 1, _id: 201 }, 49],
    [undefined, { campaignId: 3, _id: 395 }, 1],
  ] as const) {
    const { executionStats } = await waitingQuery(database.db, campaignId, after, 50).explain('executionStats');
    expect(executionStats).toMatchObject({ nReturned: returned });
    expect(executionStats.totalKeysExamined).toBeLessThanOrEqual(returned + 2);
  }
});
