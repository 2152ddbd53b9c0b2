/** Documents of other drivers, which MongoDB stores and this one cannot decode: they stop nobody. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { BSONRegExp } from 'mongodb';
import { initDatabase } from '../../src/mongo/collections.ts';
import { conversation, mongoStores, partitions, run } from '../contract/harness.ts';
import { brokenBinary } from '../support/brokenBinary.ts';
import { manualClock } from '../support/clock.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';

let database: TestDatabase;
let stores: Awaited<ReturnType<typeof mongoStores>>;
beforeAll(async () => {
  database = await testDatabase('decoding', { readConcernLevel: 'majority', writeConcern: { w: 'majority' } });
  await initDatabase(database.db, { partitions });
});
beforeEach(async () => {
  stores = await mongoStores(database.db, 'm1', manualClock());
});
afterEach(async () => {
  await stores.close();
  for (const name of ['members', 'people', 'enrollments', 'conversation_states', 'campaigns'])
    await database.db.collection(name).deleteMany({});
});
afterAll(() => database.close());

/** As bytes, so that nothing is serialised twice. */
const insert = (collection: string, documents: readonly object[]) =>
  database.db.command({ insert: collection, documents });
const pcre = new BSONRegExp('(?i)a++', 'x');
const odd = () => ({ pcre, bad: brokenBinary(), list: [1, brokenBinary()] });
const read = { pcre, bad: null, list: [1, null] };

test('a binary that the driver refuses is what is stored', async () => {
  await insert('people', [{ _id: 1, ...odd() }]);
  await expect(database.db.collection('people').findOne({})).rejects.toThrow('too long binary size');
});

test('contacts: in pages of an audience, in exceptions, and read again', async () => {
  await insert('people', [
    { _id: 1, name: 'Ada' },
    { _id: 2, name: 'Bob', attributes: odd() },
    { _id: 3, name: brokenBinary() },
  ]);
  const source = { collection: 'people', filter: {} };
  const found = [
    { _id: 1, name: 'Ada' },
    { _id: 2, name: 'Bob', attributes: read },
    { _id: 3, name: null },
  ];
  for (const most of [undefined, 10]) {
    const page = await stores.campaigns.audiencePage(source, undefined, 10, most);
    expect(page.documents.map(({ raw }) => raw)).toEqual(found);
    expect(page.done).toBe(true);
  }
  const again = { collection: 'people', idPath: '_id', fields: ['_id', 'name', 'attributes'] };
  expect(await stores.campaigns.sources(again, [1, 2, 3])).toEqual(found);
  const exclusion = { collection: 'people', filter: {}, idPath: 'name' };
  expect((await stores.campaigns.excluded(exclusion, ['Ada', 'Bob'])).size).toBe(2);
});

test('enrollments: heads and whole ones', async () => {
  await insert('enrollments', [
    { _id: 1, campaignId: 'c', contact: { id: 'ada' } },
    { _id: 2, campaignId: 'c', contact: { id: 'bob', attributes: odd() } },
    { _id: 3, campaignId: 'c', contact: { id: brokenBinary() } },
  ]);
  const { heads, done } = await stores.enrollments.page('c', undefined, 10);
  expect(heads.map(({ contact }) => contact)).toEqual([{ id: 'ada' }, { id: 'bob' }, { id: null }]);
  expect(done).toBe(true);
  const { documents, rest } = await stores.enrollments.waiting([1, 2, 3]);
  expect(documents.map(({ contact }) => contact)).toEqual([
    { id: 'ada' },
    { id: 'bob', attributes: read },
    { id: null },
  ]);
  expect(rest).toEqual([]);
});

test('conversations: an event that cannot be read keeps its place in the inbox', async () => {
  const due = { nextActionAt: new Date(0), nextChannel: 'sms' };
  const inbox = [{ id: 'e1', type: 'reply', data: odd() }, brokenBinary()];
  await insert('conversation_states', [conversation('c', 'ada', due), { ...conversation('c', 'bob', due), inbox }]);
  const expected = [[], [{ id: 'e1', type: 'reply', data: read }, null]];
  const found = await stores.conversations.byIds(['c:ada', 'c:bob']);
  expect(found.map((one) => one.inbox)).toEqual(expected);
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  const lane = { campaignId: 'c', channel: 'sms', opening: false };
  const taken = await stores.conversations.due(lane, all, new Date(), 10);
  expect(taken.map((one) => one.inbox).toSorted((a, b) => a.length - b.length)).toEqual(expected);
});

test('campaigns: what everybody looks at before a message leaves', async () => {
  await insert('campaigns', [
    { _id: 'c', status: 'running' },
    { _id: 'd', status: brokenBinary(), schedule: { endAt: new Date(5) } },
  ]);
  await database.db.collection('campaign_runs').insertOne(run('c') as never);
  const heads = await stores.campaigns.heads(['c', 'd']);
  expect([...heads.values()]).toEqual([{ status: 'running' }, { status: undefined, endAt: new Date(5) }]);
});
