import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ClientSession } from 'mongodb';
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
  const inTransaction = async <T>(work: (session: ClientSession) => Promise<T>): Promise<T> => {
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

  test('the count is of all statements, upserted documents among them', async () => {
    await inTransaction((session) => insertDocuments(at.db, 'things', [{ _id: 'a' }, { _id: 'b' }], session));
    const updates = [
      { q: { _id: { $in: ['a', 'b'] } }, u: { $set: { x: 1 } }, multi: true },
      { q: { _id: 'c' }, u: { $set: { x: 1 } }, upsert: true },
      { q: { _id: 'nobody' }, u: { $set: { x: 1 } } },
    ];
    expect(await inTransaction((session) => updateDocuments(at.db, 'things', updates, session))).toBe(3);
    expect(await at.db.collection('things').countDocuments({ x: 1 })).toBe(3);
  });

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
