import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { insertDocuments, updateDocuments } from '../../src/mongo/commands.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';

describe('commands inside a transaction', () => {
  let at: TestDatabase;
  beforeAll(async () => {
    at = await testDatabase();
    await at.db.createCollection('things');
  });
  afterAll(() => at.close());

  /** As in the ledger, where the fence comes first: a transaction begins at the server with its first command. */
  const inTransaction = async <T>(work: (session: import('mongodb').ClientSession) => Promise<T>): Promise<T> => {
    const session = at.client.startSession();
    try {
      return await session.withTransaction(async () => {
        await at.db.collection('fence').updateOne({}, { $inc: { beat: 1 } }, { session, upsert: true });
        return work(session);
      });
    } finally {
      await session.endSession();
    }
  };

  test('what is undefined is left out, not written as null', async () => {
    await inTransaction((session) =>
      insertDocuments(at.db, 'things', [{ _id: 'u', gone: undefined, deep: { gone: undefined } }], session),
    );
    expect(await at.db.collection<{ _id: string }>('things').findOne({ _id: 'u' })).toEqual({ _id: 'u', deep: {} });
  });

  test('more than one message holds goes in several; the count is of all', async () => {
    const text = 'x'.repeat(7_000_000);
    const documents = Array.from({ length: 4 }, (_, n) => ({ _id: `big${n}`, text }));
    await inTransaction((session) => insertDocuments(at.db, 'things', documents, session));
    const updates = documents.map(({ _id }) => ({ q: { _id }, u: { $set: { text: `${text}y` } } }));
    expect(await inTransaction((session) => updateDocuments(at.db, 'things', updates, session))).toBe(4);
    expect(await at.db.collection('things').countDocuments({ text: /xy$/ })).toBe(4);
  }, 30_000);

  test('a refused document is an error with its code, and nothing of the transaction stays', async () => {
    const work = inTransaction((session) => insertDocuments(at.db, 'things', [{ _id: 'new' }, { _id: 'u' }], session));
    await expect(work).rejects.toMatchObject({ code: 11000, message: expect.stringContaining('duplicate key') });
    expect(await at.db.collection<{ _id: string }>('things').findOne({ _id: 'new' })).toBeNull();
  });

  test('a document that fits into no message is an error of its own', async () => {
    const documents = [{ _id: 'small' }, { _id: 'huge', text: 'x'.repeat(20_000_000) }];
    await expect(inTransaction((session) => insertDocuments(at.db, 'things', documents, session))).rejects.toThrow(
      RangeError,
    );
    expect(await at.db.collection<{ _id: string }>('things').findOne({ _id: 'small' })).toBeNull();
  });
});
