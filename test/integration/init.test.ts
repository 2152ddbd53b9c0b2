import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { Decimal128, type Document, Double, Long } from 'mongodb';
import { ServiceError } from '../../src/domain/errors.ts';
import { collections as definitions } from '../../src/domain/generated/schemas.ts';
import { MongoChangeSource } from '../../src/mongo/changeSource.ts';
import { connect, replicaSetId } from '../../src/mongo/client.ts';
import {
  collections,
  initDatabase,
  ownCollections,
  readCluster,
  schemaVersion,
  uuidOf,
} from '../../src/mongo/collections.ts';
import { indexes } from '../../src/mongo/indexes.ts';
import { MongoLedger } from '../../src/mongo/ledger.ts';
import { MongoMembership } from '../../src/mongo/membership.ts';
import { createGuard } from '../../src/mongo/retry.ts';
import { validatorOf } from '../../src/mongo/validators.ts';
import { recordingInstruments, silentLogger } from '../support/fakes.ts';
import { failCommand, testDatabase, testUri } from '../support/mongo.ts';
import { standalone, withUsers } from '../support/ownMongod.ts';
import { waitFor } from '../support/waitFor.ts';

const run = (status = 'running'): Document => ({
  _id: randomUUID(),
  partition: 0,
  status,
  settled: false,
  priority: Long.fromNumber(5),
  flow: {
    stages: [
      {
        id: 'intro',
        type: 'message',
        channel: 'email',
        content: { text: 'Hi', body: [1] },
        followUps: [{ after: 'P1D' }],
      },
      { id: 'pause', type: 'wait', for: 'P1D' },
      { id: 'done', type: 'end', outcome: 'finished' },
    ],
  },
  variables: {},
  campaign: {},
  audience: { kind: 'inline' },
  expansion: { expanded: 0, skipped: {}, done: false },
  wake: new Double(0),
  createdAt: new Date(),
  updatedAt: new Date(),
});

test('open runs whose documents are in another collection of campaigns than they were are noted, whoever looks at them', async () => {
  await using database = await testDatabase('init');
  const { db } = database;
  await initDatabase(db, { partitions: 4 });
  const { campaigns, runs } = collections(db);
  await campaigns.insertOne({ _id: 'kept', status: 'running' } as never);
  await runs.insertMany(['kept', 'lost'].map((_id) => ({ ...run(), _id, collectionUuid: 'another' }) as never));
  await initDatabase(db, { partitions: 4 });
  const noted = await runs.find({ collectionUuid: await uuidOf(db, 'campaigns') } as never).toArray();
  expect(noted.map(({ _id }) => _id)).toEqual(['kept']);
});

describe('initDatabase', () => {
  test('makes collections, validators, indexes, partitions and the cluster setting; again changes nothing', async () => {
    await using database = await testDatabase('init');
    const { db } = database;
    const first = await initDatabase(db, { partitions: 16 });
    expect(first.problems).toEqual([]);
    expect(first.partitions).toBe(16);
    const existing = await db.listCollections().toArray();
    expect(new Set(existing.map(({ name }) => name))).toEqual(new Set(Object.keys(definitions)));
    for (const { collection, name, key, partialFilterExpression } of indexes) {
      const found = (await db.collection(collection).indexes()).find((index) => index.name === name);
      expect(found).toMatchObject({ key, ...(partialFilterExpression ? { partialFilterExpression } : {}) });
    }
    expect(await collections(db).partitions.find().sort({ _id: 1 }).toArray()).toEqual(
      [...Array(16).keys()].map((_id) => ({ _id })),
    );
    expect(await collections(db).settings.find().toArray()).toEqual([
      { _id: 'cluster', partitions: 16, schemaVersion },
    ]);

    await collections(db).partitions.updateOne({ _id: 3 }, { $set: { owner: 'm' } });
    expect(await initDatabase(db, { partitions: 16 })).toEqual({ ...first, changes: [] });
    expect(await collections(db).partitions.findOne({ _id: 3 })).toEqual({ _id: 3, owner: 'm' });
    expect(await readCluster(db)).toEqual({ partitions: 16, clusterId: first.clusterId });
  });

  test('several replicas at once agree; those who ask for another count are refused with both numbers', async () => {
    await using database = await testDatabase('init');
    const clients = await Promise.all([1, 2, 3, 4].map(() => connect(database.uri, { appName: 'init' })));
    const dbs = clients.map((client) => client.db(database.name));
    const outcomes = await Promise.allSettled(
      dbs.map((db, index) => initDatabase(db, { partitions: index < 3 ? 8 : 9 })),
    );
    await Promise.all(clients.map((client) => client.close()));
    const { partitions } = await readCluster(database.db);
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => reason);
    expect(refused).toHaveLength(partitions === 8 ? 1 : 3);
    for (const error of refused) {
      expect(error).toMatchObject({ code: 'partitions_mismatch' });
      expect(error.message).toMatch(/\b8\b/);
      expect(error.message).toMatch(/\b9\b/);
    }
    expect(await collections(database.db).partitions.countDocuments()).toBe(partitions);
  });

  test('refuses another count and leaves everything as it was', async () => {
    await using database = await testDatabase('init');
    await initDatabase(database.db, { partitions: 4 });
    await expect(initDatabase(database.db, { partitions: 32 })).rejects.toMatchObject({
      code: 'partitions_mismatch',
      message: expect.stringMatching(/4 partitions.*32/),
    });
    expect(await collections(database.db).partitions.countDocuments()).toBe(4);
  });

  test('goes on where an earlier call broke off, and mends what was dropped', async () => {
    await using database = await testDatabase('init');
    const { db } = database;
    await initDatabase(db, { partitions: 4 });
    await db.dropCollection('campaigns');
    await db.collection('messages').dropIndex('pending');
    await collections(db).partitions.deleteOne({ _id: 2 });
    await expect(readCluster(db)).rejects.toMatchObject({ code: 'not_initialised' });
    await db.command({ collMod: 'members', validator: {} });
    const { changes } = await initDatabase(db, { partitions: 4 });
    expect(changes).toEqual([
      'collection campaigns',
      'validator of members',
      'index messages.pending',
      'index campaigns.status',
      '1 partitions',
    ]);
  });

  test('an older release leaves the validators of a newer one alone', async () => {
    await using database = await testDatabase('init');
    const { db } = database;
    await initDatabase(db, { partitions: 4 });
    await db
      .collection('settings')
      .updateOne({ _id: 'cluster' as never }, { $set: { schemaVersion: schemaVersion + 1 } });
    await db.command({ collMod: 'members', validator: { newer: { $exists: false } } });
    expect((await initDatabase(db, { partitions: 4 })).changes).toEqual([]);
    expect(await db.collection('settings').findOne()).toMatchObject({ schemaVersion: schemaVersion + 1 });
  });

  test('an index of the same name in another form is reported, the rest is made', async () => {
    await using database = await testDatabase('init');
    await database.db.collection('campaigns').createIndex({ name: 1 }, { name: 'status' });
    const { problems } = await initDatabase(database.db, { partitions: 4 });
    expect(problems).toEqual([expect.stringContaining('campaigns.status')]);
    expect(await readCluster(database.db)).toMatchObject({ partitions: 4 });
  });

  test('a database that was never prepared says so', async () => {
    await using database = await testDatabase('init');
    await expect(readCluster(database.db)).rejects.toMatchObject({ code: 'not_initialised' });
    await expect(replicaSetId(database.db)).rejects.toMatchObject({ code: 'not_initialised' });
  });

  test('the names of ours cover every schema', () => {
    for (const name of Object.keys(definitions)) expect(ownCollections).toContain(name);
    expect(validatorOf('messages')).toBeUndefined();
    expect(validatorOf('contacts')).toBeUndefined();
  });
});

describe('validators', () => {
  test('take what the service writes, numbers of any type, and refuse the rest', async () => {
    await using database = await testDatabase('init');
    const { db } = database;
    await initDatabase(db, { partitions: 4 });
    const runs = db.collection('campaign_runs');
    await runs.insertOne(run());
    const member = { host: 'h', thread: 0, filterVersion: 1, channels: ['a'], version: '1', startedAt: new Date() };
    await db
      .collection<Document & { _id: string }>('members')
      .insertOne({ _id: 'm', ...member, beat: Long.fromNumber(3) });
    const settings = db.collection<{ _id: string; sending: string }>('settings');
    await settings.insertOne({ _id: 'control', sending: 'on' });
    await db
      .collection('dead_letters')
      .insertOne({ collection: 'campaigns', reason: 'x', document: { a: 1 }, at: new Date() });

    const refused = { code: 121 };
    await expect(runs.insertOne(run('resting'))).rejects.toMatchObject(refused);
    await expect(runs.insertOne({ ...run(), priority: 1.5 })).rejects.toMatchObject(refused);
    await expect(runs.insertOne({ ...run(), priority: Number.NaN })).rejects.toMatchObject(refused);
    await expect(runs.insertOne({ ...run(), wake: Decimal128.fromString('1') })).rejects.toMatchObject(refused);
    await expect(runs.insertOne({ ...run(), flow: { stages: [{ id: 'x', type: 'dance' }] } })).rejects.toMatchObject(
      refused,
    );
    await expect(runs.insertOne({ ...run(), createdAt: '2026-01-01' })).rejects.toMatchObject(refused);
    // of a newer release, whose replicas are at work already
    await runs.insertOne({ ...run(), _id: 'newer', extra: 1 } as never);
    const wrong = settings.updateOne({ _id: 'control' }, { $set: { sending: 'maybe' } });
    await expect(wrong).rejects.toMatchObject(refused);
  });
});

describe('the identity of the history', () => {
  test('is stable, and another one for a database that was made anew', async () => {
    await using database = await testDatabase('init');
    const { db } = database;
    await initDatabase(db, { partitions: 4 });
    const id = await replicaSetId(db);
    expect(id).toMatch(/^rs0\/[0-9a-f-]{36}$/);
    expect(await replicaSetId(db)).toBe(id);
    await db.dropDatabase();
    await initDatabase(db, { partitions: 4 });
    expect(await replicaSetId(db)).not.toBe(id);
  });
});

describe('connect', () => {
  test('a standalone server is refused, and so is a replica set that was not initiated', async () => {
    for (const args of [[], ['--replSet', 'rs0']]) {
      const { port, stop } = await standalone(args);
      const connecting = connect(`mongodb://127.0.0.1:${port}/`, { appName: 't', serverSelectionTimeoutMs: 1_000 });
      await expect(connecting).rejects.toMatchObject({ code: 'not_a_replica_set' });
      await stop();
    }
  });

  test('a server out of reach and a URI that says nothing have codes of their own', async () => {
    const options = { appName: 't', serverSelectionTimeoutMs: 300 };
    await expect(connect('mongodb://127.0.0.1:1/', options)).rejects.toMatchObject({ code: 'database_unreachable' });
    await expect(connect('http://somewhere', options)).rejects.toMatchObject({ code: 'config_invalid' });
    await expect(connect('mongodb://h/?noSuchOption=1', options)).rejects.toMatchObject({ code: 'config_invalid' });
  });

  test('what concerns safety wins over the URI', async () => {
    const uri = `${testUri()}&w=1&timeoutMS=100&retryWrites=false`;
    const client = await connect(uri, { appName: 't', writeTimeoutMs: 3_000 });
    expect(client.options.timeoutMS).toBeUndefined();
    expect(client.options.retryWrites).toBe(true);
    expect(client.options.writeConcern).toMatchObject({ w: 'majority', wtimeoutMS: 3_000 });
    await client.close();
  });
});

describe('least privilege', () => {
  const rw = { createUser: 'rw', pwd: 'pw', roles: [{ role: 'readWrite', db: 'app' }] };

  test('readWrite on the database is enough; what it does not allow is reported and the rest goes on', async () => {
    const { uri, stop } = await withUsers([rw]);
    const [root, client] = await Promise.all(['root', 'rw'].map((user) => connect(uri(user), { appName: 't' })));
    if (root === undefined || client === undefined) throw new Error('no clients');
    const db = client.db('app');
    expect(await initDatabase(db, { partitions: 4 })).toMatchObject({ problems: [], partitions: 4 });
    const replicaSet = await replicaSetId(db);

    await root.db('app').command({ collMod: 'members', validator: {} });
    await root.db('app').collection('campaigns').dropIndex('status');
    const { problems, changes } = await initDatabase(db, { partitions: 4 });
    expect(problems).toEqual([expect.stringMatching(/members.*dbAdmin/)]);
    expect(changes).toEqual(['index campaigns.status']);

    const clock = { now: Date.now, monotonic: () => performance.now(), after: () => () => {} };
    const source = new MongoChangeSource({ db, replicaSet, clock, maxAwaitTimeMs: 50 });
    await source.open(undefined);
    expect(await source.read()).toMatchObject({ changes: [] });
    await source.close();

    const document = {
      host: 'h',
      thread: 0,
      beat: 0,
      filterVersion: 1,
      channels: [],
      version: '1',
      startedAt: new Date(),
    };
    const common = { client, db, leaseTtlMs: 5_000, clock, logger: silentLogger, instruments: recordingInstruments() };
    const ledgers = ['a', 'b'].map(
      (memberId) => new MongoLedger({ ...common, memberId, position: () => undefined, random: Math.random }),
    );
    const [store] = ledgers.map((ledger) => new MongoMembership({ db, ledger, clock, maxTimeMs: 5_000 }));
    for (const { memberId, sessionId } of ledgers) await store?.join({ _id: memberId, ...document, sessionId });
    const members = (await store?.members()) ?? [];
    const dead = members.find(({ _id }) => _id === 'b');
    // what stands open may be asked for with the rights of the worker alone
    expect(await store?.endForgotten(members)).toMatchObject({ ended: 0 });
    expect(dead && (await store?.takeOver(dead))).toBe(true);

    await Promise.all([...ledgers, root, client].map((closing) => closing.close()));
    await stop();
  });
});

describe('guarded', () => {
  test('mends what a second try mends, and lets errors of its own through at once', async () => {
    const appName = `guard-${randomUUID()}`;
    await using database = await testDatabase('init');
    const client = await connect(testUri(), { appName });
    const read = (): Promise<Document | null> => client.db(database.name).collection('x').findOne();
    const { guarded } = createGuard({ firstPauseMs: 1, maxPauseMs: 5 });
    {
      const cut = { failCommands: ['find'], appName, closeConnection: true, times: 5 };
      await using _ = await failCommand(database.client, cut);
      expect(await guarded(read)).toBeNull();
    }
    let tries = 0;
    const refused = guarded(() => {
      tries += 1;
      return client.db(database.name).command({ find: 'x', filter: { $nonsense: 1 } });
    });
    await expect(refused).rejects.toMatchObject({ code: 2 });
    expect(tries).toBe(1);
    await client.close();
  });

  test('opens while the database is away, answers at once then, and closes by itself', async () => {
    const states: string[] = [];
    const { guarded } = createGuard({ retries: 0, failures: 3, probeAfterMs: 50, onState: (s) => states.push(s) });
    const away = (): Promise<never> => Promise.reject(new ServiceError('database_unreachable', 'away'));
    for (let i = 0; i < 3; i++) await expect(guarded(away)).rejects.toThrow('away');
    let called = false;
    const blocked = guarded(async () => {
      called = true;
    });
    await expect(blocked).rejects.toMatchObject({
      code: 'database_unreachable',
      message: expect.stringContaining('breaker'),
    });
    expect(called).toBe(false);
    expect(await waitFor(() => guarded(async () => 'back'), { what: 'the breaker to close' })).toBe('back');
    expect(states).toEqual(['open', 'half-open', 'closed']);
  });
});
