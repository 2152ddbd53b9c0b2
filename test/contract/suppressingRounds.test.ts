/** What a round writes beside conversations and rows: suppressions, and receipts on rows that are pending no longer. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Conversation, Message, Suppression, SuppressionChange, Unit } from '../../src/domain/model.ts';
import { conversation, type Harness, memoryHarness, mongoHarnesses, row, unit } from './harness.ts';

const mongo = mongoHarnesses();
afterAll(() => mongo.close());

const at = new Date('2026-01-05T09:00:00Z');
const add = (_id: string, reason: Suppression['reason'] = 'opt_out'): SuppressionChange => ({
  kind: 'add',
  suppression: { _id, reason, at, campaignId: 'spring' },
});
const lift = (id: string): SuppressionChange => ({ kind: 'lift', id, at: new Date(at.getTime() + 1) });

describe.each([
  ['in memory', memoryHarness],
  ['on MongoDB', mongo.make],
])('a round %s', (_, make) => {
  let on: Harness;
  beforeEach(async () => {
    on = await make();
  });
  afterEach(() => on.close());

  const put = async (id: string, over: Partial<Conversation> = {}): Promise<Conversation> => {
    const one = conversation('spring', id, over);
    await on.insert('conversation_states', [one]);
    return one;
  };
  const consuming = (read: Conversation, ...suppressions: SuppressionChange[]): Unit =>
    unit(read, { inserts: [], counters: {}, suppressions });

  test('writes what its units suppress, once, and takes back what a person said', async () => {
    const [a, b, c] = [await put('a'), await put('b'), await put('c')] as [Conversation, Conversation, Conversation];
    const first = [
      consuming(a, add('sms:*:1'), add('sms:*:2', 'bounce'), add('sms:*:4')),
      consuming(b, add('sms:*:1', 'complaint')),
    ];
    expect(await on.conversations.commitInOrder(first)).toEqual(new Set());
    expect(await on.find('suppressions')).toEqual([
      { _id: 'sms:*:1', reason: 'complaint', willed: true, at, campaignId: 'spring' },
      { _id: 'sms:*:2', reason: 'bounce', at, campaignId: 'spring' },
      { _id: 'sms:*:4', reason: 'opt_out', willed: true, at, campaignId: 'spring' },
    ]);
    const back = consuming(c, lift('sms:*:1'), lift('sms:*:2'), lift('sms:*:3'), lift('sms:*:4'));
    expect(await on.conversations.commit([back])).toMatchObject({ missed: new Set() });
    expect(await on.find('suppressions')).toMatchObject([{ _id: 'sms:*:1' }, { _id: 'sms:*:2' }]);
  });

  test('keeps an opt-out beside a bounce until its person takes it back', async () => {
    const [a, b] = [await put('a'), await put('b')];
    await on.conversations.commitInOrder([consuming(a, add('sms:*:1'), add('sms:*:1', 'bounce'))]);
    expect(await on.find('suppressions')).toMatchObject([{ reason: 'bounce', willed: true }]);
    await on.conversations.commit([consuming(b, lift('sms:*:1'))]);
    expect(await on.find('suppressions')).toEqual([{ _id: 'sms:*:1', reason: 'bounce', at, campaignId: 'spring' }]);
  });

  test('writes nothing of a unit whose conversation changed meanwhile', async () => {
    const a = await put('a');
    await on.push(a._id, { type: 'reply' });
    const receipt = await on.conversations.commit([consuming(a, add('sms:*:1'))]);
    expect([receipt.missed, await on.find('suppressions')]).toEqual([new Set([a._id]), []]);
  });

  test('two members may suppress the same address at a time', async () => {
    const other = await on.member('m2');
    const [a, b] = [await put('a'), await put('b')];
    const done = await Promise.all([
      on.conversations.commit([consuming(a, add('sms:*:1'))]),
      other.conversations.commit([consuming(b, add('sms:*:1'))]),
    ]);
    expect(done.map(({ missed, poisoned }) => [missed.size, poisoned.size])).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(await on.find('suppressions')).toHaveLength(1);
  });

  test.each(['sent', 'delivered', 'failed', 'uncertain'] as const)(
    'keeps a receipt on a row that is %s',
    async (status) => {
      const a = await put('a');
      const { pending: _gone, ...answered } = row(a, 1, { status });
      await on.insert('messages', [answered]);
      const receipt = { id: `${a._id}/1`, channel: 'sms', from: status, set: { bouncedAt: at }, unset: [] };
      expect(await on.conversations.commitInOrder([{ ...consuming(a), rows: [receipt] }])).toEqual(new Set());
      expect(await on.find<Message>('messages')).toMatchObject([{ status, bouncedAt: at }]);
    },
  );

  test('decides again about a receipt whose row has another status by now, or is gone', async () => {
    const [a, b] = [await put('a'), await put('b')];
    await on.insert('messages', [row(a, 1, { status: 'delivered' })]);
    const receipts = [a, b].map((one) => ({
      ...consuming(one),
      rows: [{ id: `${one._id}/1`, channel: 'sms', from: 'sent' as const, set: { deliveredAt: at }, unset: [] }],
    }));
    const { missed } = await on.conversations.commit(receipts);
    expect(missed).toEqual(new Set([a._id, b._id]));
  });

  test('tells others what they have to hear of, once, with the rest of its unit', async () => {
    const [a, b] = [await put('a'), await put('b')];
    const event = {
      ...{ _id: 'opted_out:spring:a/1', type: 'unsubscribe', channel: 'sms', address: '+491', at },
      data: { topic: '*' },
    };
    expect(await on.conversations.commitInOrder([{ ...consuming(a), inbound: [event] }])).toEqual(new Set());
    await on.conversations.commit([{ ...consuming(b), inbound: [{ ...event, address: '+492' }] }]);
    expect(await on.find('inbound_events')).toEqual([event]);
  });

  test('reads rows without their content where that is not needed', async () => {
    const a = await put('a');
    await on.insert('messages', [row(a)]);
    const [head] = await on.conversations.messages([`${a._id}/1`], true);
    expect(head).toMatchObject({ _id: `${a._id}/1`, status: 'sending' });
  });
});
