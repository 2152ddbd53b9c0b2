import { expect, test } from '@jest/globals';
import { MongoVitals } from '../../src/mongo/vitals.ts';
import { failCommand, testDatabase } from '../support/mongo.ts';

test("the switch and the oplog's ends are read; who may not read the oplog is told no error", async () => {
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
  const failing = { failCommands: ['find'], appName, namespace: 'local.oplog.rs', errorCode: 13, times: 2 };
  await using _ = await failCommand(client, failing);
  expect(await vitals.oplog()).toBeUndefined();
});
