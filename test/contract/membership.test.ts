import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ClientSession } from 'mongodb';
import type { Ledger, MembershipStore } from '../../src/domain/memberPorts.ts';
import type { Member, StreamPosition } from '../../src/domain/model.ts';
import { collections, initDatabase } from '../../src/mongo/collections.ts';
import { MongoLedger } from '../../src/mongo/ledger.ts';
import { MongoMembership } from '../../src/mongo/membership.ts';
import { systemClock as clock } from '../../src/worker/systemClock.ts';
import { recordingInstruments, silentLogger } from '../support/fakes.ts';
import { MemoryDatabase } from '../support/memory/database.ts';
import { MemoryLedger } from '../support/memory/ledger.ts';
import { MemoryMembership } from '../support/memory/membership.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';

const partitionCount = 8;
const all = [...Array(partitionCount).keys()];
const leaseTtlMs = 5_000;
const at = (token: string): StreamPosition => ({ token, replicaSet: 'rs0', filterVersion: 1 });

interface Actor {
  id: string;
  store: MembershipStore;
  ledger: Ledger;
  /** What the ledger stores with each fence. */
  position: StreamPosition | undefined;
  /** What `onClaim` was told, oldest first. */
  claims: (StreamPosition | undefined)[];
  document: Member;
}

interface World {
  actor(position?: StreamPosition): Promise<Actor>;
  /** Removes a member's document by hand, partitions still naming it. */
  removeMember(id: string): Promise<void>;
  close(): Promise<void>;
}

const document = (sessionId?: unknown): Member => ({
  _id: randomUUID(),
  host: 'test',
  thread: 0,
  beat: 0,
  filterVersion: 1,
  channels: [],
  version: '0.0.0',
  startedAt: new Date(),
  ...(sessionId === undefined ? {} : { sessionId }),
});

async function memoryWorld(): Promise<World> {
  const database = new MemoryDatabase({ clock, partitions: partitionCount });
  return {
    async actor(position) {
      const member = document();
      const actor: Partial<Actor> = { id: member._id, position, claims: [], document: member };
      const ledger = new MemoryLedger({
        database,
        memberId: member._id,
        leaseTtlMs,
        clock,
        position: () => actor.position,
      });
      const store = new MemoryMembership({ database, ledger, onClaim: (from) => actor.claims?.push(from) });
      await store.join(member);
      return Object.assign(actor, { ledger, store }) as Actor;
    },
    async removeMember(id) {
      database.members.delete(id);
    },
    async close() {},
  };
}

async function mongoWorld(): Promise<World> {
  const database: TestDatabase = await testDatabase('membership');
  const { client, db } = database;
  await initDatabase(db, { partitions: partitionCount });
  const ledgers: MongoLedger[] = [];
  return {
    async actor(position) {
      const memberId = randomUUID();
      const actor: Partial<Actor> = { id: memberId, position, claims: [] };
      const ledger = new MongoLedger({
        client,
        db,
        memberId,
        leaseTtlMs,
        clock,
        logger: silentLogger,
        instruments: recordingInstruments(),
        position: () => actor.position,
        random: Math.random,
      });
      ledgers.push(ledger);
      const member = { ...document(ledger.sessionId), _id: memberId };
      const store = new MongoMembership({
        db,
        ledger,
        clock,
        maxTimeMs: leaseTtlMs,
        onClaim: (from) => actor.claims?.push(from),
      });
      await store.join(member);
      return Object.assign(actor, { ledger, store, document: member }) as Actor;
    },
    async removeMember(id) {
      await collections(db).members.deleteOne({ _id: id });
    },
    async close() {
      await Promise.all(ledgers.map((ledger) => ledger.close()));
      await database.close();
    },
  };
}

describe.each([
  ['in memory', memoryWorld],
  ['on MongoDB', mongoWorld],
])('membership store %s', (_name, newWorld) => {
  let world: World;
  beforeEach(async () => {
    world = await newWorld();
  });
  afterEach(() => world.close());

  const stored = async (actor: Actor): Promise<Member | undefined> =>
    (await actor.store.members()).find(({ _id }) => _id === actor.id);
  const owners = async ({ store }: Actor): Promise<(string | undefined)[]> =>
    (await store.partitions()).map(({ owner }) => owner);
  const positions = async ({ store }: Actor): Promise<(string | undefined)[]> =>
    (await store.partitions()).map(({ position }) => position?.token);

  test('joins with beat 0, and joining again changes nothing', async () => {
    const a = await world.actor();
    expect(await a.store.members()).toEqual([a.document]);
    await a.ledger.beat();
    await a.store.join(a.document);
    expect(await stored(a)).toMatchObject({ _id: a.id, beat: 1 });
    expect(await a.store.partitions()).toEqual(all.map((_id) => ({ _id })));
  });

  test('claims what nobody owns and tells where its last owner was', async () => {
    const [a, b] = [await world.actor(), await world.actor()];
    await a.store.claim([0, 1]);
    await a.store.release([1], at('0a'));
    expect(await b.store.claim([0, 1, 2])).toEqual([
      { _id: 1, owner: b.id, position: at('0a') },
      { _id: 2, owner: b.id },
    ]);
    expect(await b.store.claim([0])).toEqual([]);
    expect(await b.store.claim([])).toEqual([]);
    expect((await owners(a)).slice(0, 4)).toEqual([a.id, b.id, b.id, undefined]);
  });

  test('gives each partition to one of those who claim it at once', async () => {
    const actors = await Promise.all([world.actor(), world.actor(), world.actor()]);
    // A lease is what conflicting transactions are tried again within.
    for (const { ledger } of actors) await ledger.beat();
    const claimed = await Promise.all(actors.map(({ store }) => store.claim(all)));
    expect(claimed.flat().length).toBe(partitionCount);
    expect(new Set(claimed.flat().map(({ _id }) => _id)).size).toBe(partitionCount);
    const [first] = actors;
    const byDocument = first ? await owners(first) : [];
    for (const { _id, owner } of claimed.flat()) expect(byDocument[_id]).toBe(owner);
  });

  test.each([
    ['earlier', '05', '05'],
    ['later', '99', '0a'],
  ])('a claim reads on from the earliest position: own is %s', async (_case, own, expected) => {
    const [a, b] = [await world.actor(), await world.actor(at(own))];
    await a.store.claim([0, 1]);
    await a.store.release([0], at('0a'));
    await a.store.release([1], at('0c'));
    await b.ledger.beat();
    await b.store.claim([0, 1]);
    expect((await stored(b))?.position).toEqual(at(expected));
    expect(b.claims.at(-1)).toEqual(at(expected));
  });

  test.each([
    ['none', undefined],
    ['one of another history', { ...at('0a'), replicaSet: 'other' }],
    ['one of another filter', { ...at('0a'), filterVersion: 2 }],
  ])('a claim of a partition with no usable position (%s) leaves none, which asks for a sweep', async (_case, left) => {
    const [a, b] = [await world.actor(), await world.actor(at('0b'))];
    await a.store.claim([0]);
    await a.store.release([0], left);
    await b.store.claim([0]);
    expect(await stored(b)).not.toHaveProperty('position');
    expect(b.claims.at(-1)).toBeUndefined();
  });

  test('a first claim takes the position of what is claimed', async () => {
    const [a, b] = [await world.actor(), await world.actor()];
    await a.store.claim([3]);
    await a.store.release([3], at('0a'));
    await b.store.claim([3]);
    expect((await stored(b))?.position).toEqual(at('0a'));
  });

  test('releases only its own, and without a position leaves the one that is there', async () => {
    const [a, b] = [await world.actor(), await world.actor()];
    await a.store.claim([0, 1]);
    await b.store.claim([2]);
    await a.store.release([0, 2], at('0a'));
    expect((await owners(a)).slice(0, 3)).toEqual([undefined, a.id, b.id]);
    await a.store.claim([0]);
    await a.store.release([0], undefined);
    expect((await positions(a)).slice(0, 3)).toEqual(['0a', undefined, undefined]);
  });

  test('takes a member over only at the very beat that was seen', async () => {
    const [a, b] = [await world.actor(), await world.actor(at('0d'))];
    await b.store.claim([0, 1]);
    const seen = await stored(b);
    await b.ledger.beat();
    expect(seen && (await a.store.takeOver(seen))).toBe(false);
    expect((await owners(a)).slice(0, 2)).toEqual([b.id, b.id]);

    const now = await stored(b);
    expect(now && (await a.store.takeOver(now))).toBe(true);
    expect(await stored(b)).toBeUndefined();
    expect((await owners(a)).slice(0, 2)).toEqual([undefined, undefined]);
    expect((await positions(a)).slice(0, 3)).toEqual(['0d', '0d', undefined]);
    expect(now && (await a.store.takeOver(now))).toBe(false);
  });

  test('whoever was taken over can write nothing more', async () => {
    const [a, b] = [await world.actor(), await world.actor()];
    await b.store.claim([0]);
    const seen = await stored(b);
    expect(seen && (await a.store.takeOver(seen))).toBe(true);
    await expect(b.ledger.beat()).rejects.toMatchObject({ code: 'fenced' });
    await expect(b.store.claim([1])).rejects.toMatchObject({ code: 'fenced' });
    await expect(b.store.release([0], at('0a'))).rejects.toMatchObject({ code: 'fenced' });
    await expect(seen && b.store.takeOver(seen)).resolves.toBe(false);
    await b.store.leave(at('0a'));
    expect((await positions(a))[0]).toBeUndefined();
  });

  test('of two who take the same member over, one does', async () => {
    const [a, b, dead] = [await world.actor(), await world.actor(), await world.actor()];
    await dead.store.claim(all);
    await a.ledger.beat();
    await b.ledger.beat();
    const seen = (await stored(dead)) ?? dead.document;
    const outcome = await Promise.all([a.store.takeOver(seen), b.store.takeOver(seen)]);
    expect(outcome.sort()).toEqual([false, true]);
    expect(await owners(a)).toEqual(all.map(() => undefined));
  });

  test('leaves with everything freed, and may leave twice', async () => {
    const [a, b] = [await world.actor(), await world.actor()];
    await b.store.claim([0, 1]);
    await b.store.leave(at('0e'));
    expect(await a.store.members()).toHaveLength(1);
    expect((await owners(a)).slice(0, 2)).toEqual([undefined, undefined]);
    expect((await positions(a)).slice(0, 2)).toEqual(['0e', '0e']);
    await b.store.leave(at('0f'));
    expect((await positions(a))[0]).toBe('0e');
  });

  test('a partition of an owner without a document may be claimed', async () => {
    const [a, b] = [await world.actor(), await world.actor()];
    await b.store.claim([0]);
    await world.removeMember(b.id);
    expect(await a.store.claim([0])).toEqual([{ _id: 0, owner: a.id }]);
  });
});

/** A member whose round hangs with the row of a conversation locked, beside one that is well. */
async function hangingRound() {
  const database = await testDatabase('membership');
  const { client, db } = database;
  await initDatabase(db, { partitions: partitionCount });
  const { conversations } = collections(db);
  const common = { client, db, leaseTtlMs, clock, logger: silentLogger, random: Math.random };
  let passedMs = 0;
  const join = async (): Promise<{ ledger: MongoLedger; store: MongoMembership; member: Member }> => {
    const memberId = randomUUID();
    const instruments = recordingInstruments();
    const ledger = new MongoLedger({ ...common, memberId, instruments, position: () => undefined });
    const watch = { monotonic: () => clock.monotonic() + passedMs };
    const store = new MongoMembership({ db, ledger, clock: watch, maxTimeMs: leaseTtlMs });
    const member = { ...document(ledger.sessionId), _id: memberId };
    await store.join(member);
    return { ledger, store, member };
  };
  const [alive, dead] = [await join(), await join()];
  await dead.ledger.beat();
  await db.collection<{ _id: string; inbox: unknown[] }>('conversation_states').insertOne({ _id: 'c:1', inbox: [] });
  const [locked, finish] = [gate(), gate()];
  let tries = 0;
  const statement = (session: ClientSession) =>
    conversations.updateOne({ _id: 'c:1' }, { $inc: { version: 1 } }, { session });
  const hanging = dead.ledger.transact('round', async (session) => {
    tries += 1;
    await statement(session);
    locked.open();
    await finish.opened;
  });
  const outcome = hanging.catch((error: unknown) => error);
  await locked.opened;
  return {
    ...{ alive, dead, outcome, finish: finish.open, tries: () => tries },
    /** Ms pass for those who look. */
    pass: (ms: number) => {
      passedMs += ms;
    },
    /** Another statement of the round that hangs. */
    act: () => statement(dead.ledger.session),
    push: () =>
      conversations.updateOne({ _id: 'c:1' }, { $push: { inbox: { id: 'e1', type: 'reply' } } }, { maxTimeMS: 2_000 }),
    async [Symbol.asyncDispose]() {
      finish.open();
      await Promise.all([alive.ledger.close(), dead.ledger.close()]);
      await database.close();
    },
  };
}

function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

describe('membership store on MongoDB', () => {
  test("a take-over ends the dead member's open transaction, so that its locks hold nobody up", async () => {
    await using world = await hangingRound();
    expect(await world.alive.store.takeOver({ ...world.dead.member, beat: 1 })).toBe(true);
    await world.push();
    world.finish();
    expect(await world.outcome).toMatchObject({ code: 'fenced' });
  });

  test('a transaction that nobody goes on with is ended long before that, and whoever lives after all does it again', async () => {
    await using world = await hangingRound();
    const { alive, dead } = world;
    const members = [alive.member, dead.member];
    expect(await alive.store.endForgotten(members)).toMatchObject({ ended: 0 });
    world.pass(600);
    expect(await dead.store.endForgotten(members)).toMatchObject({ ended: 0 });
    expect(await alive.store.endForgotten(members)).toMatchObject({ ended: 1 });
    await world.push();
    world.finish();
    expect(await world.outcome).toBeUndefined();
    expect(world.tries()).toBe(2);
    expect(await alive.store.endForgotten(members)).toMatchObject({ ended: 0 });
  });

  test('a transaction in which something happens in between is left alone', async () => {
    await using world = await hangingRound();
    const { alive, dead } = world;
    for (let look = 0; look < 3; look++) {
      expect(await alive.store.endForgotten([dead.member])).toMatchObject({ ended: 0 });
      await world.act();
      world.pass(600);
    }
    expect(await alive.store.endForgotten([dead.member])).toMatchObject({ ended: 0 });
    world.finish();
    expect(await world.outcome).toBeUndefined();
    expect(world.tries()).toBe(1);
  });
});
