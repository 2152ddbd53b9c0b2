/** Inbound events and suppressions as they are stored: one suite for the fake and for MongoDB. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type Document, ObjectId, UUID } from 'mongodb';
import type { InboundStore, SuppressionStore } from '../../src/domain/inboundPorts.ts';
import type { Conversation, Id, Suppression, SuppressionChange } from '../../src/domain/model.ts';
import { reasonsByStrength } from '../../src/domain/suppression.ts';
import { initDatabase } from '../../src/mongo/collections.ts';
import { inboundQueries, MongoInbound } from '../../src/mongo/inbound.ts';
import { MongoSuppressions } from '../../src/mongo/suppressions.ts';
import { manualClock } from '../support/clock.ts';
import { MemoryDatabase } from '../support/memory/database.ts';
import { MemoryInbound } from '../support/memory/inbound.ts';
import { MemorySuppressions } from '../support/memory/suppressions.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { conversation, row } from './harness.ts';

interface World {
  inbound: InboundStore;
  suppressions: SuppressionStore;
  insert(collection: string, ...documents: object[]): Promise<void>;
  find(collection: string): Promise<Document[]>;
  close(): Promise<void>;
}

async function memoryWorld(): Promise<World> {
  const database = new MemoryDatabase({ clock: manualClock() });
  const names = { inbound_events: 'inbound', conversation_states: 'conversations', messages: 'messages' } as const;
  const of = (name: string) =>
    (name === 'suppressions' ? database.suppressions : database[names[name as keyof typeof names]]) as ReturnType<
      typeof database.audience
    >;
  return {
    inbound: new MemoryInbound({ database, memberId: 'm1' }),
    suppressions: new MemorySuppressions({ database, memberId: 'm1' }),
    insert: async (name, ...documents) => {
      for (const document of documents) of(name).insert(document as { _id: unknown });
    },
    find: async (name) => of(name).find(),
    close: async () => {},
  };
}

let prepared: Promise<TestDatabase> | undefined;
async function mongoWorld(): Promise<World> {
  prepared ??= testDatabase('inbound').then(async (database) => {
    await initDatabase(database.db, { partitions: 4 });
    return database;
  });
  const { db } = await prepared;
  return {
    inbound: new MongoInbound({ db }),
    suppressions: new MongoSuppressions({ db }),
    insert: async (name, ...documents) => void (await db.collection(name).insertMany(documents)),
    find: (name) => db.collection(name).find().sort({ _id: 1 }).toArray(),
    close: async () => {
      for (const name of ['inbound_events', 'conversation_states', 'messages', 'suppressions'])
        await db.collection(name).deleteMany({});
    },
  };
}
afterAll(async () => (await prepared)?.close());

const at = new Date('2026-01-05T09:00:00Z');
const later = new Date(at.getTime() + 1000);

describe.each([
  ['in memory', memoryWorld],
  ['on MongoDB', mongoWorld],
])('%s', (_, make) => {
  let world: World;
  beforeEach(async () => {
    world = await make();
  });
  afterEach(() => world.close());

  describe('suppressions', () => {
    const add = (_id: string, reason: Suppression['reason'] = 'opt_out', on = at): SuppressionChange => ({
      kind: 'add',
      suppression: { _id, reason, at: on },
    });

    test('are found by their ids, and paged in their order', async () => {
      await world.suppressions.write([add('sms:*:b'), add('sms:*:a'), add('sms:news:a')]);
      expect(await world.suppressions.among(['sms:*:a', 'sms:*:x'])).toEqual(
        new Map([['sms:*:a', { reason: 'opt_out', willed: true }]]),
      );
      expect([await world.suppressions.among([]), await world.suppressions.page(undefined, 2)]).toEqual([
        new Map(),
        ['sms:*:a', 'sms:*:b'],
      ]);
      expect(await world.suppressions.page('sms:*:b', 2)).toEqual(['sms:news:a']);
    });

    test('what is suppressed tells when that was said last; twice at a time is once', async () => {
      await Promise.all([1, 2, 3].map(() => world.suppressions.write([add('sms:*:a'), add('sms:*:a')])));
      await world.suppressions.write([add('sms:*:a', 'unsubscribe', later)]);
      expect(await world.find('suppressions')).toEqual([
        { _id: 'sms:*:a', reason: 'opt_out', willed: true, at: later },
      ]);
      await world.suppressions.write([add('sms:*:a')]);
      expect(await world.find('suppressions')).toMatchObject([{ at: later }]);
    });

    test('a reason gives way to a stronger one, whichever comes first, and takes its campaign along', async () => {
      const all = reasonsByStrength.flatMap((first) => reasonsByStrength.map((second) => [first, second] as const));
      const of = (first: string, second: string): string => `sms:*:${first} ${second}`;
      const said = (id: string, reason: Suppression['reason'], campaignId?: string): SuppressionChange => ({
        kind: 'add',
        suppression: { _id: id, reason, at, ...(campaignId === undefined ? {} : { campaignId }) },
      });
      await world.suppressions.write(all.map(([first, second]) => said(of(first, second), first, '$first')));
      await world.suppressions.write(all.map(([first, second]) => said(of(first, second), second)));
      const stored = new Map((await world.find('suppressions')).map((one) => [one['_id'] as unknown, one]));
      for (const [first, second] of all) {
        const isStronger = reasonsByStrength.indexOf(second) > reasonsByStrength.indexOf(first);
        expect(stored.get(of(first, second))).toEqual({
          ...{ _id: of(first, second), reason: isStronger ? second : first, at },
          ...(isStronger ? {} : { campaignId: '$first' }),
          ...(first === 'bounce' && second === 'bounce' ? {} : { willed: true }),
        });
      }
    });

    test('START after a complaint that followed STOP lifts nothing', async () => {
      await world.suppressions.write([add('sms:*:a')]);
      await world.suppressions.write([add('sms:*:a', 'complaint')]);
      await world.suppressions.write([{ kind: 'lift', id: 'sms:*:a', at: later }]);
      expect(await world.find('suppressions')).toMatchObject([{ reason: 'complaint' }]);
    });

    test('no bounce hides what was said before or after it, also by a release that did not keep that', async () => {
      const seen = async () =>
        [...(await world.suppressions.among(ids))].map(([id, { reason, willed }]) => [id, reason, willed]);
      const ids = ['a', 'b', 'c', 'd', 'e'].map((name) => `sms:*:${name}`);
      await world.insert(
        'suppressions',
        { _id: 'sms:*:c', reason: 'opt_out', at },
        { _id: 'sms:*:d', reason: 'bounce', at },
      );
      await world.suppressions.write([add('sms:*:a'), add('sms:*:b', 'bounce'), add('sms:*:e', 'rule')]);
      await world.suppressions.write([add('sms:*:a', 'bounce'), add('sms:*:b'), add('sms:*:e', 'bounce')]);
      await world.suppressions.write([add('sms:*:c', 'bounce'), add('sms:*:d', 'bounce'), add('sms:*:a', 'bounce')]);
      expect(await seen()).toEqual([
        ['sms:*:a', 'bounce', true],
        ['sms:*:b', 'bounce', true],
        ['sms:*:c', 'bounce', true],
        ['sms:*:d', 'bounce', undefined],
        ['sms:*:e', 'rule', true],
      ]);
      // START takes back what was said, not the bounce, and not what was said after it
      const early = new Date(at.getTime() - 1);
      await world.suppressions.write([
        ...ids.filter((id) => id !== 'sms:*:b').map((id) => ({ kind: 'lift' as const, id, at: later })),
        { kind: 'lift', id: 'sms:*:b', at: early },
      ]);
      expect(await seen()).toEqual([
        ['sms:*:a', 'bounce', undefined],
        ['sms:*:b', 'bounce', true],
        ['sms:*:c', 'bounce', undefined],
        ['sms:*:d', 'bounce', undefined],
        ['sms:*:e', 'rule', true],
      ]);
    });

    test('what was said once more is not lifted by what was said before that', async () => {
      await world.suppressions.write([add('sms:*:a')]);
      await world.suppressions.write([
        { kind: 'lift', id: 'sms:*:a', at: new Date(at.getTime() + 1) },
        add('sms:*:a', 'opt_out', later),
      ]);
      expect(await world.find('suppressions')).toHaveLength(1);
      await world.suppressions.write([add('sms:*:b', 'opt_out', later), add('sms:*:b')]);
      await world.suppressions.write([{ kind: 'lift', id: 'sms:*:b', at }]);
      expect(await world.find('suppressions')).toHaveLength(2);
    });

    test('only what a person said is taken back, and not what she said afterwards', async () => {
      const lift = (id: string, on = later): SuppressionChange => ({ kind: 'lift', id, at: on });
      const reasons = reasonsByStrength;
      await world.suppressions.write([
        ...reasons.map((reason) => add(`sms:*:${reason}`, reason)),
        add('sms:*:again', 'opt_out', later),
      ]);
      await world.suppressions.write([
        ...reasons.map((reason) => lift(`sms:*:${reason}`)),
        lift('sms:*:again', at),
        lift('none'),
      ]);
      const left = (await world.find('suppressions')).map(({ _id }) => _id);
      expect(left).toEqual(['again', 'bounce', 'complaint', 'manual', 'rule'].map((name) => `sms:*:${name}`));
      await world.suppressions.write([]);
    });
  });

  describe('inbound events', () => {
    const event = (_id: unknown, more: object = {}) => ({ _id, type: 'reply', ...more });

    test('those that nobody handled are read, across types of ids, page by page', async () => {
      const id = new ObjectId();
      await world.insert(
        'inbound_events',
        event('b'),
        event(id),
        event(7),
        event('a'),
        event('done', { handledAt: at }),
      );
      const seen: Id[] = [];
      for (let after: Id | undefined; ; ) {
        const page = await world.inbound.unhandled(after, 2);
        seen.push(...page);
        if (page.length < 2) break;
        after = page.at(-1);
      }
      expect(seen.map(String)).toEqual(['7', 'a', 'b', String(id)]);
      const read = await world.inbound.events([id, 'a', 7, 'done', 'gone']);
      expect(read.events.map(({ _id }) => String(_id)).sort()).toEqual(['7', 'a', String(id)].sort());
      expect(read.rest).toEqual([]);
    });

    test('those that may be opt-outs by their type are told among all that wait', async () => {
      const ids = ['a', 'b', 'c', 'd'];
      const types = ['reply', 'unsubscribe', 'complaint', 'bounce'];
      await world.insert(
        'inbound_events',
        ...ids.map((id, n) => event(id, { type: types[n] })),
        ...['delivered', 'opened', 'clicked', 'failed', 'paid'].map((type) => event(type, { type })),
        event('done', { handledAt: at }),
      );
      expect((await world.inbound.optOuts(10)).sort()).toEqual(ids);
      await world.insert('inbound_events', ...[1, 2, 3, 4].map((n) => event(`a${n}`, { type: 'reply' })));
      // none stands behind those of another type
      expect((await world.inbound.optOuts(3)).sort()).toEqual(['a2', 'a3', 'a4', 'b', 'c', 'd']);
    });

    test('they are marked once', async () => {
      const error = { code: 'type', message: 'no', path: 'at' };
      await world.insert('inbound_events', event('a'), event('b'), event('c'));
      await world.inbound.mark(
        [
          { id: 'a', mark: { kind: 'moved', conversations: ['x'] } },
          { id: 'b', mark: { kind: 'unmatched' } },
          { id: 'c', mark: { kind: 'failed', error } },
        ],
        at,
      );
      await world.inbound.mark([{ id: 'a', mark: { kind: 'unmatched' } }], later);
      await world.inbound.mark([], later);
      expect(await world.find('inbound_events')).toEqual([
        event('a', { handledAt: at, conversations: ['x'] }),
        event('b', { handledAt: at, unmatched: true }),
        event('c', { handledAt: at, status: 'failed', error }),
      ]);
    });

    test('where they go is noted once, and tells how many were', async () => {
      await world.insert(
        'inbound_events',
        event('a'),
        event('b', { conversations: ['x'] }),
        event('c', { handledAt: at }),
      );
      const aims = ['a', 'b', 'c', 'gone'].map((id) => ({ id, conversations: ['y', 'z'] }));
      expect(await world.inbound.aim(aims)).toBe(1);
      expect(await world.inbound.aim(aims.slice(0, 1))).toBe(0);
      expect(await world.inbound.aim([])).toBe(0);
      const stored = (await world.find('inbound_events')).map(({ conversations }) => conversations);
      expect(stored).toEqual([['y', 'z'], ['x'], undefined]);
    });

    test('many addresses asked for at once lose nothing to one of them', async () => {
      const people = Array.from({ length: 700 }, (_, n) =>
        ['spring', 'summer'].map((campaign) => conversation(campaign, `p${n}`, { addresses: [`sms:${n}`] })),
      ).flat();
      await world.insert('conversation_states', ...people);
      const found = await world.inbound.openAt(Array.from({ length: 700 }, (_, n) => `sms:${n}`));
      expect(new Set(found.map(({ _id }) => _id)).size).toBe(1400);
    });

    test('open conversations are found by their addresses, any by their ids, rows by the id their provider gave', async () => {
      const [a, b, c] = ['a', 'b', 'c'].map((id) =>
        conversation('spring', id, { addresses: ['sms:1', `mail:${id}`] }),
      ) as [Conversation, Conversation, Conversation];
      await world.insert('conversation_states', a, b, { ...c, status: 'completed' });
      await world.insert('messages', row(a, 1, { providerMessageId: 'p' }), row(b));
      const ids = (found: { _id: string }[]) => found.map(({ _id }) => _id).sort();
      expect(ids(await world.inbound.openAt(['sms:1', 'sms:2']))).toEqual([a._id, b._id]);
      expect(ids(await world.inbound.openAt(['mail:c']))).toEqual([]);
      expect(await world.inbound.openAt([])).toEqual([]);
      expect(ids(await world.inbound.conversations([c._id, 'gone']))).toEqual([c._id]);
      expect(await world.inbound.conversations([])).toEqual([]);
      expect(await world.inbound.rowsOf(['p', 'q'])).toMatchObject([
        { _id: `${a._id}/1`, conversationId: a._id, channel: 'console' },
      ]);
      expect(await world.inbound.rowsOf([])).toEqual([]);
    });

    test('a push comes once, in order, and leaves version and the rest alone', async () => {
      const a = conversation('spring', 'a', { consumed: ['old'] });
      await world.insert('conversation_states', a);
      const push = (id: string) => ({ conversation: a._id, event: { id, type: 'reply' } });
      const all = [push('1'), push('2'), push('1'), push('old'), { ...push('3'), conversation: 'gone' }];
      await Promise.all([world.inbound.push(all), world.inbound.push([push('1')])]);
      expect(await world.inbound.push([])).toEqual(new Map());
      const [stored] = await world.find('conversation_states');
      expect(stored).toMatchObject({ version: 1, updatedAt: a.updatedAt });
      expect(stored?.['inbox'].map(({ id }: { id: string }) => id).sort()).toEqual(['1', '2']);
    });

    test('a push that its conversation cannot take is told, and the others come', async () => {
      const [a, b] = ['a', 'b'].map((id) => conversation('spring', id)) as [Conversation, Conversation];
      await world.insert('conversation_states', { ...a, inbox: 'x' }, b);
      const refused = await world.inbound.push([
        { conversation: a._id, event: { id: '1', type: 'reply' } },
        { conversation: b._id, event: { id: '1', type: 'reply' } },
      ]);
      expect([...refused.keys()]).toEqual([0]);
      expect((await world.find('conversation_states')).map(({ inbox }) => inbox.length)).toEqual([1, 1]);
    });
  });
});

describe('on MongoDB', () => {
  test('an id of a type that none of ours has is marked as well', async () => {
    const world = await mongoWorld();
    const id = new UUID();
    await world.insert('inbound_events', { _id: id, type: 'reply' });
    expect(await world.inbound.unhandled(undefined, 10)).toHaveLength(1);
    await world.inbound.mark([{ id: id as never, mark: { kind: 'unmatched' } }], at);
    expect(await world.inbound.unhandled(undefined, 10)).toEqual([]);
    await world.close();
  });

  test('large events are read a part at a time, and none is left out', async () => {
    const world = await mongoWorld();
    const ids = Array.from({ length: 12 }, (_, n) => `e${n}`);
    for (const _id of ids) await world.insert('inbound_events', { _id, type: 'reply', text: 'x'.repeat(2_000_000) });
    const seen: Id[] = [];
    let parts = 0;
    for (let left: Id[] = [...ids, 'gone']; left.length > 0; parts++) {
      const { events, rest } = await world.inbound.events(left);
      seen.push(...events.map(({ _id }) => _id));
      left = rest;
    }
    expect([seen.sort(), parts > 1]).toEqual([ids.sort(), true]);
    await world.close();
  });

  test('an id that a provider gives to everything finds a bounded number of messages, and the others theirs', async () => {
    const world = await mongoWorld();
    const many = Array.from({ length: 1500 }, (_, n) =>
      row(conversation('spring', `c${n}`), 1, { providerMessageId: n === 0 ? 'mine' : 'ok' }),
    );
    await world.insert('messages', ...many);
    const found = await world.inbound.rowsOf(['ok', 'mine']);
    expect(found.length).toBeLessThanOrEqual(1001);
    expect(found.filter(({ providerMessageId }) => providerMessageId === 'mine')).toHaveLength(1);
    await world.close();
  });

  test('every standing query reads what it finds, among many that are done', async () => {
    const world = await mongoWorld();
    const { db } = await (prepared as Promise<TestDatabase>);
    const many = Array.from({ length: 500 }, (_, n) => n);
    await world.insert(
      'inbound_events',
      ...many.map((n) => ({ _id: `e${n}`, type: 'reply', ...(n < 490 ? { handledAt: at } : {}) })),
    );
    await world.insert(
      'conversation_states',
      ...many.map((n) =>
        conversation('spring', `c${n}`, { addresses: ['sms:1'], status: n < 490 ? 'completed' : 'active' }),
      ),
    );
    await world.insert(
      'messages',
      ...many.map((n) => row(conversation('spring', `c${n}`), 1, n < 490 ? {} : { providerMessageId: 'p' })),
    );
    const examined = async (collection: string, filter: object): Promise<number> => {
      const plan = await db.collection(collection).find(filter).explain('executionStats');
      const { executionStats: stats } = plan as {
        executionStats: { totalKeysExamined: number; nReturned: number; totalDocsExamined: number };
      };
      expect([stats.nReturned, stats.totalDocsExamined]).toEqual([10, 10]);
      return stats.totalKeysExamined;
    };
    expect(await examined('conversation_states', inboundQueries.openAt(['sms:1']))).toBeLessThanOrEqual(11);
    expect(await examined('messages', inboundQueries.rowsOf(['p']))).toBeLessThanOrEqual(11);
    expect(await examined('inbound_events', inboundQueries.unhandled())).toBeLessThanOrEqual(11);
    expect(await world.inbound.unhandled(undefined, 1000)).toHaveLength(10);
    const look = db.collection('inbound_events').find(inboundQueries.optOuts(), { projection: { _id: 1 } });
    const { executionStats: stats } = (await look.hint('opt_outs').explain('executionStats')) as Document;
    expect([stats.nReturned, stats.totalDocsExamined]).toEqual([10, 0]);
    expect(stats.totalKeysExamined).toBeLessThanOrEqual(15);
    await world.close();
  });
});
