import { expect, test } from '@jest/globals';
import { failCommand, testDatabase } from '../support/mongo.ts';

test('every test database is its own, takes transactions and change streams, and is gone after close', async () => {
  await using first = await testDatabase('same');
  const second = await testDatabase('same');
  expect(second.name).not.toBe(first.name);
  const stream = second.db.watch();
  const session = second.client.startSession();
  await second.db.createCollection('things');
  const change = stream.next();
  await session.withTransaction(() => second.db.collection('things').insertOne({ a: 1 }, { session }));
  await session.endSession();
  expect(await change).toMatchObject({ operationType: 'insert' });
  await stream.close();
  await second.close();
  const { databases } = await first.client.db('admin').admin().listDatabases({ nameOnly: true });
  expect(databases.map((database) => database.name)).not.toContain(second.name);
});

test('failCommand hits only the client it names', async () => {
  await using aimed = await testDatabase('fail', { appName: 'aimed', retryWrites: false });
  await using other = await testDatabase('fail');
  await using _point = await failCommand(other.client, {
    appName: 'aimed',
    failCommands: ['insert'],
    errorCode: 11_602,
    times: 1,
  });
  await other.db.collection('c').insertOne({ ok: true });
  await expect(aimed.db.collection('c').insertOne({ ok: false })).rejects.toMatchObject({ code: 11_602 });
  await aimed.db.collection('c').insertOne({ ok: true });
});

test('failCommand hits only the collection it names, and one at a time of those who want it', async () => {
  await using mine = await testDatabase('fail', { appName: 'like others' });
  await using other = await testDatabase('fail', { appName: 'like others' });
  const point = await failCommand(mine.client, {
    ...{
      appName: 'like others',
      namespace: `${mine.name}.c`,
      failCommands: ['find'],
      errorCode: 13,
      times: 'alwaysOn',
    },
  });
  const next = failCommand(other.client, {
    ...{
      appName: 'like others',
      namespace: `${other.name}.c`,
      failCommands: ['find'],
      errorCode: 13,
      times: 'alwaysOn',
    },
  });
  await expect(mine.db.collection('c').findOne()).rejects.toMatchObject({ code: 13 });
  expect(await other.db.collection('c').findOne()).toBeNull();
  expect(await mine.db.collection('d').findOne()).toBeNull();
  await point.off();
  await using _ = await next;
  await expect(other.db.collection('c').findOne()).rejects.toMatchObject({ code: 13 });
  expect(await mine.db.collection('c').findOne()).toBeNull();
});
