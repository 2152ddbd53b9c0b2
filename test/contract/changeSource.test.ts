import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Decimal128, type Document, Double, Long, ObjectId } from 'mongodb';
import type { Change, ChangeSource } from '../../src/domain/changePorts.ts';
import type { StreamPosition } from '../../src/domain/model.ts';
import { filterVersion, MongoChangeSource } from '../../src/mongo/changeSource.ts';
import { connect, replicaSetId } from '../../src/mongo/client.ts';
import { collections, initDatabase } from '../../src/mongo/collections.ts';
import { systemClock as clock } from '../../src/worker/systemClock.ts';
import { manualClock } from '../support/clock.ts';
import { MemoryChangeSource, MemoryLog, memoryPosition } from '../support/memory/changeSource.ts';
import { failCommand, type TestDatabase, testDatabase, testUri } from '../support/mongo.ts';
import { waitFor } from '../support/waitFor.ts';

const maxAwaitTimeMs = 100;
const silentFor = (ms: number): string => `the change stream was silent for ${ms} ms`;

/** A document as another service may write it. */
interface Loose {
  _id: string | number | ObjectId | Long;
  inbox?: Document[];
  version?: number;
  schemaVersion?: number;
  beat?: number;
  status?: string;
  text?: string;
  owner?: string;
  position?: StreamPosition;
  sending?: string;
}

interface World {
  source(): ChangeSource;
  /** Another service inserts a campaign. */
  insertCampaign(id: string): Promise<void>;
  /** Another service pushes to a conversation's inbox. */
  push(id: string): Promise<void>;
  close(): Promise<void>;
}

async function memoryWorld(): Promise<World> {
  const log = new MemoryLog();
  return {
    source: () => new MemoryChangeSource({ log, clock, maxAwaitTimeMs, batchSize: 3 }),
    insertCampaign: async (id) => log.append({ kind: 'campaign', id, deleted: false }),
    push: async (id) => log.append({ kind: 'conversation', id }),
    close: async () => {},
  };
}

async function mongoWorld(): Promise<World> {
  const database = await testDatabase('changes');
  const { db } = database;
  await initDatabase(db, { partitions: 4 });
  const replicaSet = await replicaSetId(db);
  return {
    source: () => new MongoChangeSource({ db, replicaSet, clock, maxAwaitTimeMs, batchSize: 3 }),
    async insertCampaign(id) {
      await db.collection<{ _id: string }>('campaigns').insertOne({ _id: id });
    },
    async push(id) {
      const states = db.collection<{ _id: string; inbox: Document[] }>('conversation_states');
      await states.updateOne({ _id: id }, { $push: { inbox: { type: 'reply' } } }, { upsert: true });
      await states.updateOne({ _id: id }, { $push: { inbox: { type: 'reply' } } });
    },
    close: () => database.close(),
  };
}

/** Reads until this many changes came; the position is that of the last batch. */
async function take(source: ChangeSource, count: number): Promise<{ changes: Change[]; position: StreamPosition }> {
  const changes: Change[] = [];
  const deadline = performance.now() + 10_000;
  for (;;) {
    const batch = await source.read();
    changes.push(...batch.changes);
    if (changes.length >= count) return { changes, position: batch.position };
    if (performance.now() > deadline) throw new Error(`only ${JSON.stringify(changes)}`);
  }
}
const ids = (changes: readonly Change[]): unknown[] => changes.map((change) => 'id' in change && change.id);

describe.each([
  ['in memory', memoryWorld],
  ['on MongoDB', mongoWorld],
])('change source %s', (_name, newWorld) => {
  let world: World;
  let source: ChangeSource;
  beforeEach(async () => {
    world = await newWorld();
    source = world.source();
  });
  afterEach(async () => {
    await source.close();
    await world.close();
  });

  test('tells what happened after it was opened, in order, and nothing from before', async () => {
    await world.insertCampaign('before');
    await source.open(undefined);
    await world.insertCampaign('a');
    await world.push('a:1');
    await world.insertCampaign('b');
    expect((await take(source, 3)).changes).toEqual([
      { kind: 'campaign', id: 'a', deleted: false },
      { kind: 'conversation', id: 'a:1' },
      { kind: 'campaign', id: 'b', deleted: false },
    ]);
  });

  test('goes on behind a position, also with another source', async () => {
    await source.open(undefined);
    await world.insertCampaign('a');
    const { position } = await take(source, 1);
    await source.close();
    await world.insertCampaign('b');
    const other = world.source();
    await other.open(position);
    expect(ids((await take(other, 1)).changes)).toEqual(['b']);
    await other.open(position);
    expect(ids((await take(other, 1)).changes)).toEqual(['b']);
    await other.close();
  });

  test('a position stands for its whole batch', async () => {
    await source.open(undefined);
    const start = (await source.read()).position;
    for (const id of ['a', 'b', 'c', 'd', 'e']) await world.insertCampaign(id);
    await source.open(start);
    const seen: unknown[] = [];
    while (seen.length < 5) {
      const { changes, position } = await source.read();
      seen.push(...ids(changes));
      expect(changes.length).toBeLessThanOrEqual(3);
      await source.open(position);
    }
    expect(seen).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  test('an idle source answers with empty batches that have a position', async () => {
    await source.open(undefined);
    const empty = [await source.read(), await source.read(), await source.read()];
    for (const { changes, position } of empty) {
      expect(changes).toEqual([]);
      expect(position).toEqual({ token: expect.any(String), replicaSet: expect.any(String), filterVersion });
    }
    const [first = '', second = '', third = ''] = empty.map(({ position }) => position.token);
    expect(first <= second && second <= third).toBe(true);
    await world.insertCampaign('a');
    await source.open(empty[2]?.position);
    expect(ids((await take(source, 1)).changes)).toEqual(['a']);
  });

  test.each([
    ['another replica set', (position: StreamPosition) => ({ ...position, replicaSet: 'else/1' }), 'replica_set'],
    [
      'another filter',
      (position: StreamPosition) => ({ ...position, filterVersion: filterVersion + 1 }),
      'filter_version',
    ],
    ['no history at all', (position: StreamPosition) => ({ ...position, token: 'made up' }), 'history'],
  ])('refuses a position of %s', async (_case, change, why) => {
    await source.open(undefined);
    const { position } = await source.read();
    await expect(source.open(change(position))).rejects.toMatchObject({ code: 'position_lost', cause: { why } });
    await expect(source.read()).rejects.toMatchObject({ code: 'internal' });
    await source.open(undefined);
    expect(await source.read()).toMatchObject({ changes: [] });
  });

  test('closing ends a read under way, and may be repeated', async () => {
    await source.open(undefined);
    await source.read();
    const reading = source.read();
    const outcome = reading.catch((error: unknown) => error);
    await source.close();
    await source.close();
    await outcome;
    await expect(source.read()).rejects.toMatchObject({ code: 'internal' });
  });
});

describe('change source in memory', () => {
  test('a truncated history loses the positions in it', async () => {
    const log = new MemoryLog();
    const source = new MemoryChangeSource({ log, clock, maxAwaitTimeMs });
    log.append({ kind: 'control' }, { kind: 'control' });
    log.truncate();
    await expect(source.open(memoryPosition(1))).rejects.toMatchObject({ code: 'position_lost' });
    await source.open(memoryPosition(2));
    source.fail(new Error('broken'));
    await expect(source.read()).rejects.toThrow('broken');
    expect(source.isOpen).toBe(false);
  });
});

describe('change source on MongoDB', () => {
  let database: TestDatabase;
  let source: MongoChangeSource;
  let replicaSet: string;
  beforeEach(async () => {
    database = await testDatabase('changes');
    await initDatabase(database.db, { partitions: 4 });
    replicaSet = await replicaSetId(database.db);
    source = new MongoChangeSource({ db: database.db, replicaSet, clock, maxAwaitTimeMs });
    await source.open(undefined);
  });
  afterEach(async () => {
    await source.close();
    await database.close();
  });
  const collection = (name: string) => database.db.collection<Loose>(name);
  /** Everything that came before a last campaign of this id. */
  const changesUntil = async (mark: string): Promise<Change[]> => {
    await collection('campaigns').insertOne({ _id: mark });
    const changes: Change[] = [];
    for (;;) {
      for (const change of (await source.read()).changes) {
        if (change.kind === 'campaign' && change.id === mark) return changes;
        changes.push(change);
      }
    }
  };

  test("lets through others' changes, and nothing of ours but that a campaign failed", async () => {
    const oid = new ObjectId();
    const states = collection('conversation_states');
    await states.insertOne({ _id: 'ours', version: 1, inbox: [] });
    await states.updateOne({ _id: 'ours' }, { $set: { version: 2, inbox: [] } });
    await states.updateOne({ _id: 'ours' }, { $push: { inbox: { type: 'reply' } } });
    await states.updateOne({ _id: 'ours' }, { $inc: { version: 1 }, $set: { inbox: [] } });
    await states.deleteOne({ _id: 'ours' });
    await collection('campaigns').insertOne({ _id: oid, status: 'pending' });
    await collection('campaigns').updateOne({ _id: oid }, { $set: { version: 1, status: 'running' } });
    // which other members learn of no other way
    await collection('campaigns').updateOne({ _id: oid }, { $set: { version: 2, status: 'failed' } });
    await collection('campaigns').updateOne({ _id: oid }, { $set: { status: 'paused' } });
    await collection('campaigns').replaceOne({ _id: oid }, { status: 'pending' });
    await collection('campaigns').deleteOne({ _id: oid });
    await collection('messages').insertOne({ _id: 'ours/1' });
    await collection('contacts').insertOne({ _id: 'x' });
    const campaign = { kind: 'campaign', id: oid };
    expect(await changesUntil('end')).toEqual([
      { kind: 'conversation', id: 'ours' },
      { ...campaign, deleted: false },
      { ...campaign, deleted: false },
      { ...campaign, deleted: false },
      { ...campaign, deleted: false },
      { ...campaign, deleted: true },
    ]);
  });

  test('tells of owners, members, the stop switch and rates, not of positions, beats and slots', async () => {
    const partitions = collection('partitions');
    await partitions.updateOne({ _id: 1 }, { $set: { owner: 'm' } });
    await partitions.updateOne({ _id: 1 }, { $set: { position: { token: 'x', replicaSet: 'r', filterVersion: 1 } } });
    await partitions.updateOne({ _id: 1 }, { $unset: { owner: '' } });
    const member = { _id: 'm', host: 'h', thread: 0, beat: 0, filterVersion: 1, channels: [], version: '0' };
    await collections(database.db).members.insertOne({ ...member, startedAt: new Date() });
    await collection('members').updateOne({ _id: 'm' }, { $inc: { beat: 1 } });
    await collection('members').deleteOne({ _id: 'm' });
    await collection('settings').insertOne({ _id: 'control', sending: 'stopped' });
    await collection('settings').updateOne({ _id: 'cluster' }, { $set: { schemaVersion: 2 } });
    const rate = { _id: 'channel:sms' };
    await collections(database.db).rates.insertOne({ ...rate, rate: '5/s' });
    for (const at of [4, 5]) await collection('rate_limits').updateOne(rate, [{ $set: { tat: 5, taken: { at } } }]);
    await collection('rate_limits').updateOne(rate, { $set: { rate: '6/s' } });
    await collection('rate_limits').updateOne(rate, { $unset: { rate: '' } });
    await collection('rate_limits').deleteOne(rate);
    expect(await changesUntil('end')).toEqual([
      { kind: 'partition', id: 1 },
      { kind: 'partition', id: 1 },
      { kind: 'member', id: 'm' },
      { kind: 'control' },
      ...Array.from({ length: 4 }, () => ({ kind: 'rate', id: 'channel:sms' })),
    ]);
  });

  test('numbers of any BSON type are numbers; an _id that no campaign can have is passed over', async () => {
    const documents = [5, Long.fromNumber(7), Decimal128.fromString('8'), new Double(9), { a: 1 }].map((_id) => ({
      _id,
    }));
    await database.db.command({ insert: 'campaigns', documents });
    expect(ids(await changesUntil('end'))).toEqual([5, 7, 8, 9]);
  });

  test('a push by an update with a pipeline is seen', async () => {
    const states = collection('conversation_states');
    await states.insertOne({ _id: 'c', version: 1, inbox: [] });
    await states.updateOne({ _id: 'c' }, [{ $set: { inbox: { $concatArrays: ['$inbox', [{ type: 'reply' }]] } } }]);
    expect(await changesUntil('end')).toEqual([{ kind: 'conversation', id: 'c' }]);
  });

  test('a near-16 MB document rewritten is one small event', async () => {
    const text = 'x'.repeat(15_900_000);
    await collection('campaigns').insertOne({ _id: 'large', text });
    await collection('campaigns').replaceOne({ _id: 'large' }, { text: `${text}y` });
    expect(ids(await changesUntil('end'))).toEqual(['large', 'large']);
  });

  test('a collection of ours that is dropped or renamed asks for a sweep, one of others does not; the stream goes on', async () => {
    await collection('contacts').insertOne({ _id: 'x' });
    await collection('contacts').drop();
    await collection('campaigns').drop();
    await collection('templates').rename('elsewhere');
    await collection('elsewhere').rename('templates');
    const changes = await changesUntil('end');
    expect(changes).toEqual([
      { kind: 'sweep', why: 'drop campaigns' },
      { kind: 'sweep', why: 'rename templates to elsewhere' },
      { kind: 'sweep', why: 'rename elsewhere to templates' },
    ]);
  });

  test('a dropped database ends the stream with a sweep, and its position can be gone on from', async () => {
    await database.db.dropDatabase();
    const { changes, position } = await waitFor(
      async () => {
        const batch = await source.read();
        return batch.changes.some((change) => change.kind === 'sweep' && change.why === 'invalidate')
          ? batch
          : undefined;
      },
      { what: 'the invalidate event', intervalMs: 0 },
    );
    expect(changes.at(-1)).toEqual({ kind: 'sweep', why: 'invalidate' });
    await expect(source.read()).rejects.toThrow('ended');
    await source.open(position);
    expect(await changesUntil('end')).toEqual([]);
  });

  test('a position ahead of the server is of another history', async () => {
    const { position } = await source.read();
    const token = position.token.replace(/^82......../, '82FF000000');
    await expect(source.open({ ...position, token })).rejects.toMatchObject({
      code: 'position_lost',
      cause: { why: 'replica_set' },
    });
  });

  describe('with a client of its own', () => {
    const appName = `changes-${randomUUID()}`;
    const openCursors = async (): Promise<Document[]> =>
      database.client
        .db('admin')
        .aggregate([
          { $currentOp: { idleCursors: true, allUsers: true } },
          { $match: { ns: `${database.name}.$cmd.aggregate`, 'cursor.tailable': true } },
        ])
        .toArray();

    test.each([286, 280, 260])('server error %i means that the position is lost', async (errorCode) => {
      const client = await connect(testUri(), { appName });
      const own = new MongoChangeSource({ db: client.db(database.name), replicaSet, clock, maxAwaitTimeMs });
      await own.open(undefined);
      const { position } = await own.read();
      {
        await using _ = await failCommand(database.client, { failCommands: ['getMore'], appName, errorCode });
        await expect(own.read()).rejects.toMatchObject({ code: 'position_lost', cause: { why: 'history' } });
      }
      {
        await using _ = await failCommand(database.client, { failCommands: ['aggregate'], appName, errorCode });
        await expect(own.open(position)).rejects.toMatchObject({ code: 'position_lost', cause: { why: 'history' } });
      }
      await own.open(position);
      await own.close();
      await client.close();
    });

    test('a foreign kill, a lost connection and a silent server close it; it opens again where it was', async () => {
      const client = await connect(testUri(), { appName });
      const db = client.db(database.name);
      const admin = database.client.db('admin');
      const patience = manualClock();
      const own = new MongoChangeSource({ db, replicaSet, clock: patience, maxAwaitTimeMs, silenceMs: 400 });
      await source.close();
      await own.open(undefined);
      let { position } = await own.read();
      const survives = async (id: string, meanwhile = async (): Promise<void> => {}): Promise<void> => {
        const closed = expect(own.read()).rejects.not.toMatchObject({ code: 'internal' });
        await meanwhile();
        await closed;
        await collection('campaigns').insertOne({ _id: id });
        await own.open(position);
        const seen = await take(own, 1);
        expect(ids(seen.changes)).toEqual([id]);
        position = seen.position;
      };

      const [cursor] = await openCursors();
      await database.db.command({ killCursors: '$cmd.aggregate', cursors: [cursor?.['cursor'].cursorId] });
      await survives('killed');
      {
        await using _ = await failCommand(database.client, {
          failCommands: ['getMore'],
          appName,
          closeConnection: true,
        });
        await survives('cut');
      }
      {
        const silent = { failCommands: ['getMore'], appName, blockTimeMS: 4_000 };
        await using _ = await failCommand(database.client, silent);
        const asks = { $match: { appName, op: 'getmore', active: true } };
        await survives('silent', async () => {
          await waitFor(async () => (await admin.aggregate([{ $currentOp: {} }, asks]).toArray()).length > 0, {
            what: 'a question that is not answered',
          });
          patience.advance(400);
        });
      }
      await own.close();
      await client.close();
    });

    test.each([
      ['', ['aggregate']],
      [', also when answers come too late', ['aggregate', 'killSessions']],
    ])('a long way to go before the stream opens is waited for longer each time%s', async (_name, failCommands) => {
      const client = await connect(testUri(), { appName });
      const own = new MongoChangeSource({
        db: client.db(database.name),
        replicaSet,
        clock,
        maxAwaitTimeMs,
        silenceMs: 300,
      });
      const { position } = await source.read();
      await using _ = await failCommand(database.client, {
        failCommands,
        appName,
        times: 'alwaysOn',
        blockTimeMS: 1_000,
      });
      const waits: string[] = [];
      for (let isOpen = false; !isOpen && waits.length < 9; )
        isOpen = await own.open(position).then(
          () => true,
          (error: Error) => {
            waits.push(error.message);
            return false;
          },
        );
      // a server that does not even say what time it has is asked again as soon: no reason to wait for the stream less, or longer
      const longer = waits.filter((wait, n) => n === 0 || wait !== silentFor(300));
      // its message told each time how long; a busy machine may need one more
      expect(longer).toEqual(longer.map((_, n) => silentFor(300 * 2 ** n)));
      expect(longer.length).toBeGreaterThanOrEqual(2);
      expect(waits.length).toBeLessThan(9);
      await own.close();
      await client.close();
    });

    test('int64 comes as the driver itself takes it: at a bigint in an error its monitor throws, where nobody can catch it', async () => {
      const replies: Document[] = [];
      const db: typeof database.db = Object.create(database.db);
      db.command = async (...given) => {
        const reply = await database.db.command(...given);
        replies.push(reply);
        return reply;
      };
      const own = new MongoChangeSource({ db, replicaSet, clock, maxAwaitTimeMs });
      await own.open(undefined);
      await own.read();
      await own.read();
      await own.close();
      const cursors = replies.flatMap(({ cursor }) => (cursor === undefined ? [] : [cursor.id]));
      expect(cursors).toEqual([expect.any(Long), expect.any(Long)]);
    });

    test('a hundred starts and stops leave no cursor on the server', async () => {
      await source.close();
      for (let round = 0; round < 100; round++) {
        const own = new MongoChangeSource({ db: database.db, replicaSet, clock });
        await own.open(undefined);
        if (round % 3 === 0) await own.read();
        // Closed in the middle of a read that waits for news.
        const reading = round % 3 === 1 ? own.read().then(() => own.read()) : Promise.resolve();
        const settled = reading.catch(() => {});
        await own.close();
        await settled;
      }
      await waitFor(async () => (await openCursors()).length === 0, { what: 'no cursor to be open' });
    });
  });
});
