import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Long, ObjectId } from 'mongodb';
import type { AudiencePage } from '../../src/domain/campaignPorts.ts';
import type { PinnedAudience } from '../../src/domain/model.ts';
import { readAudiencePage, readLastKey } from '../../src/mongo/audience.ts';
import { checkAudience } from '../../src/mongo/audienceCheck.ts';
import { checkAudienceCollection, checkFilter } from '../../src/mongo/audienceRefusals.ts';
import { failCommand, type TestDatabase, testDatabase } from '../support/mongo.ts';

describe('the filter of an audience', () => {
  test.each<[string, unknown]>([
    ['nothing', {}],
    ['fields and operators', { country: 'DE', age: { $gte: 18 }, $or: [{ a: 1 }, { b: { $elemMatch: { c: /x/ } } }] }],
    ['an expression', { $expr: { $gt: ['$score', '$limit'] } }],
    ['values of all types', { a: null, b: new ObjectId(), c: new Date(), d: [1, [2]], e: Long.fromNumber(1) }],
    ['a refused word as a value', { text: '$where' }],
  ])('%s is allowed', (_, filter) => {
    expect(checkFilter(filter)).toBeUndefined();
  });

  test.each<[string, unknown]>([
    ['$where', { $where: 'sleep(1e9)' }],
    ['$or[1].$where', { $or: [{ a: 1 }, { $where: 'true' }] }],
    ['$expr.$eq[0].$function', { $expr: { $eq: [{ $function: { body: 'f', args: [], lang: 'js' } }, 1] } }],
    ['a.$not.$near', { a: { $not: { $near: [1, 2] } } }],
    ['$text', { $text: { $search: 'x' } }],
  ])('%s is refused', (path, filter) => {
    expect(checkFilter(filter)).toMatchObject({ path, code: 'filter_refused' });
  });

  test('one nested without end is refused', () => {
    const endless: Record<string, unknown> = {};
    endless['$nor'] = endless;
    expect(checkFilter(endless)?.message).toMatch(/100 levels/);
  });
});

test.each(['campaigns', 'messages', 'suppressions', 'system.users', '', '$cmd', 'a\0b'])(
  'the collection "%s" is no audience',
  (name) => {
    expect(checkAudienceCollection(name)).toBeDefined();
    expect(checkAudienceCollection('contacts')).toBeUndefined();
  },
);

describe('reading an audience', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await testDatabase('audience');
  });
  afterAll(() => database.close());
  const page = (
    collection: string,
    filter: Record<string, unknown>,
    after?: unknown,
    limit = 10,
  ): Promise<AudiencePage> => readAudiencePage(database.db, { collection, filter }, after, limit);

  test('what the server refuses is the fault of the document', async () => {
    await database.db.collection('people').insertOne({ name: 'Ada' });
    await database.db.createCollection('view', { viewOn: 'people', pipeline: [] });
    for (const filter of [{ $foo: 1 }, { a: { $regex: '(' } }, { $or: [] }, { $expr: { $foo: 1 } }])
      await expect(page('people', filter)).rejects.toMatchObject({ code: 'document_invalid' });
    await expect(page('view', {})).rejects.toMatchObject({ code: 'document_invalid' });
    await expect(page('suppressions', {})).rejects.toMatchObject({ code: 'document_invalid' });
    expect((await page('people', {})).documents).toHaveLength(1);
  });

  test('a filter is checked without a look at the documents, and what looks contacts up needs an index', async () => {
    const { db } = database;
    await db.collection('users').insertMany([{ ref: 1 }, { ref: 2 }]);
    const users = { kind: 'collection', collection: 'users', filter: {}, map: { id: '$ref' } } as const;
    const fault = async (audience: PinnedAudience, exits = true): Promise<string | undefined> =>
      checkAudience(db, audience, exits).then(
        () => undefined,
        (error: Error) => error.message.split(': ')[0],
      );
    for (const filter of [{ $foo: 1 }, { a: { $regex: '(' } }, { $or: [] }, { $expr: { $foo: 1 } }])
      expect(await fault({ ...users, filter }, false)).toBe('audience.filter');
    expect(await fault({ ...users, collection: 'view' }, false)).toBe('audience.filter');
    expect(await fault({ ...users, collection: 'suppressions' }, false)).toBe('audience.collection');
    const exclude = { collection: 'users', filter: {}, idPath: 'ref' };
    expect(await fault(users, false)).toBeUndefined();
    expect(await fault(users)).toBe('audience.map.id');
    expect(await fault({ kind: 'inline', exclude })).toBe('audience.exclude.map.id');
    expect(await fault({ kind: 'inline', exclude: { ...exclude, filter: { $foo: 1 } } })).toBe(
      'audience.exclude.filter',
    );
    await db.collection('users').createIndex({ ref: 1 }, { partialFilterExpression: { ref: { $gt: 5 } } });
    await db.collection('users').createIndex({ other: 1, ref: 1 });
    expect(await fault(users)).toBe('audience.map.id');
    await db.collection('users').createIndex({ ref: -1, other: 1 });
    expect(await fault(users)).toBeUndefined();
    expect(await fault({ kind: 'inline', exclude })).toBeUndefined();
  });

  test('a page that takes the server too long comes as all that fit of the next ones', async () => {
    const appName = 'audience too long';
    await using own = await testDatabase('too_long', { appName });
    const people = Array.from({ length: 40 }, (_, _id) => ({ _id, country: _id === 39 ? 'LI' : 'DE' }));
    await own.db.collection<{ _id: number }>('people').insertMany(people);
    const source = { collection: 'people', filter: { country: 'LI' } };
    {
      await using _ = await failCommand(own.client, { failCommands: ['find'], appName, times: 1, errorCode: 50 });
      const all = await readAudiencePage(own.db, source, undefined, 10);
      expect(all.documents.map(({ after }) => after)).toEqual([39]);
      expect(all.done).toBe(true);
    }
    const some = await readAudiencePage(own.db, source, undefined, 10, 30);
    expect(some).toEqual({ documents: [], done: false, looked: { after: 29, count: 30 } });
    expect(await readLastKey(own.db, 'people')).toBe(39);
  });

  test('a page is bounded by bytes: large documents come in more pages, none is lost', async () => {
    const large = Array.from({ length: 6 }, (_, _id) => ({ _id, text: 'x'.repeat(6_000_000) }));
    for (const document of large) await database.db.collection<{ _id: number }>('large').insertOne(document);
    const sizes: number[] = [];
    for (let after: unknown, done = false; !done; ) {
      const { documents, done: last } = await page('large', {}, after, 100);
      sizes.push(documents.length);
      after = documents.at(-1)?.after;
      done = last;
    }
    expect(sizes.reduce((sum, size) => sum + size)).toBe(6);
    expect(Math.max(...sizes)).toBeLessThan(6);
  });

  test('numbers of all types share one order', async () => {
    const ids = [Long.fromString('9007199254740993'), 2.5, Long.fromNumber(3), -1];
    await database.db.collection<{ _id: unknown }>('numbers').insertMany(ids.map((_id) => ({ _id })));
    const seen: string[] = [];
    for (let after: unknown, done = false; !done; ) {
      const { documents, done: last } = await page('numbers', {}, after, 1);
      seen.push(...documents.map(({ raw }) => String(raw['_id'])));
      after = documents.at(-1)?.after;
      done = last;
    }
    expect(seen).toEqual(['-1', '2.5', '3', '9007199254740993']);
  });
});
