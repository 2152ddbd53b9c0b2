import { expect, test } from '@jest/globals';
import { MongoClient } from 'mongodb';
import { MongoVitals } from '../../src/mongo/vitals.ts';
import { failCommand, testDatabase } from '../support/mongo.ts';
import { withUsers } from '../support/ownMongod.ts';

test("the switch and the oplog's ends are read; where Atlas keeps the oplog to itself it is told no error", async () => {
  const appName = 'vitals test';
  await using database = await testDatabase('vitals', { appName });
  const { client, db } = database;
  const vitals = new MongoVitals({ client, db });
  expect(await vitals.sendingStopped()).toBe(false);
  await db.collection<{ _id: string }>('settings').insertOne({ _id: 'control', ...{ sending: 'stopped' } });
  expect(await vitals.sendingStopped()).toBe(true);
  const oplog = await vitals.oplog();
  expect(oplog?.firstMs).toBeLessThanOrEqual(oplog?.lastMs ?? 0);
  expect(Math.abs((oplog?.lastMs ?? 0) - Date.now())).toBeLessThan(60_000);
  const failing = { failCommands: ['find'], appName, namespace: 'local.oplog.rs', errorCode: 8000, times: 2 };
  await using _ = await failCommand(client, failing);
  expect(await vitals.oplog()).toBeUndefined();
});

test('role oplogReader of docs/security.md is what the ends of the oplog need; without it they are no error', async () => {
  const readWrite = { role: 'readWrite', db: 'communication_base' };
  const privileges = [{ resource: { db: 'local', collection: 'oplog.rs' }, actions: ['find'] }];
  const { uri, stop } = await withUsers([
    { createRole: 'oplogReader', roles: [], privileges },
    { createUser: 'blind', pwd: 'pw', roles: [readWrite] },
    { createUser: 'seeing', pwd: 'pw', roles: [readWrite, 'oplogReader'] },
  ]);
  const spanOf = async (user: string): Promise<unknown> => {
    const client = new MongoClient(uri(user));
    try {
      return await new MongoVitals({ client, db: client.db('communication_base') }).oplog();
    } finally {
      await client.close();
    }
  };
  try {
    expect(await spanOf('seeing')).toEqual({ firstMs: expect.any(Number), lastMs: expect.any(Number) });
    expect(await spanOf('blind')).toBeUndefined();
  } finally {
    await stop();
  }
});
