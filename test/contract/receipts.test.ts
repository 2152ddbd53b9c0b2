/** Receipts that nobody listens to: one suite for the fake and for MongoDB. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { DirectReceipt } from '../../src/domain/inboundPorts.ts';
import type { Counters, Message, Run } from '../../src/domain/model.ts';
import { conversation, type Harness, memoryHarness, mongoHarnesses, row, run } from './harness.ts';

const mongo = mongoHarnesses();
afterAll(() => mongo.close());

const at = new Date('2026-01-05T09:00:00Z');
const later = new Date(at.getTime() + 1000);

describe.each([
  ['in memory', memoryHarness],
  ['on MongoDB', mongo.make],
])('receipts %s', (_, make) => {
  let on: Harness;
  beforeEach(async () => {
    on = await make();
  });
  afterEach(() => on.close());

  const put = async (id: string, over: Partial<Message> = {}): Promise<Message> => {
    const one = conversation('spring', id);
    const { pending: _gone, ...answered } = row(one, 1, { status: 'sent', ...over });
    const stored = over.pending === undefined ? answered : { ...answered, pending: over.pending };
    await on.insert('conversation_states', [one]);
    await on.insert('messages', [stored]);
    return stored as Message;
  };
  const receipt = async (
    _id: string,
    { _id: rowId, conversationId, campaignId }: Message,
    more: Partial<DirectReceipt['event']> = {},
    happenedAt = at,
    stored: object = {},
  ): Promise<DirectReceipt> => {
    const event = { type: 'delivered', ...more };
    await on.insert('inbound_events', [{ _id, ...event, ...stored }]);
    return { id: _id, event, at: happenedAt, row: { _id: rowId, conversationId, campaignId }, migration: 0 };
  };
  const rows = () => on.find<Message>('messages');
  const counts = async () => (await on.find<Counters>('campaign_counters')).map(({ counts: own }) => own);

  test('are stamped, counted once and marked, past the conversation', async () => {
    const [a, b] = [await put('a'), await put('b', { status: 'uncertain', reason: 'uncertain' })];
    const all = [
      await receipt('1', a, {}, later),
      await receipt('2', a),
      await receipt('3', a, { type: 'opened' }),
      await receipt('4', a, { type: 'clicked', machine: true }),
      await receipt('5', b),
    ];
    const moved = [a, b].map(({ channel }) => ({ channel, status: 'delivered' }));
    expect(await on.receipts.stamp(all, later)).toEqual({ left: new Set(), moved });
    expect(await on.receipts.stamp(all, at)).toEqual({ left: new Set(), moved: [] });
    const [first, second] = await rows();
    expect(first).toMatchObject({ status: 'delivered', deliveredAt: at, openedAt: at });
    expect(first).not.toHaveProperty('clickedAt');
    expect(second).toMatchObject({ status: 'delivered', deliveredAt: at });
    expect(await counts()).toEqual([{ messages: { delivered: 2, uncertain: -1 } }]);
    for (const event of await on.find('inbound_events')) expect(event).toMatchObject({ handledAt: later });
    expect((await on.find('inbound_events'))[0]).toMatchObject({ conversations: [a.conversationId] });
    expect(await on.find('conversation_states')).toMatchObject([
      { version: 1, inbox: [], consumed: [] },
      { version: 1, inbox: [] },
    ]);
  });

  test.each([
    ['is on its way', { status: 'sending', pending: true }],
    ['waits for another try', { status: 'queued', pending: true }],
  ] as const)('of a row that %s are left to its conversation, untouched', async (_what, over) => {
    const a = await put('a', over);
    const all = [await receipt('1', a), await receipt('2', { ...a, _id: 'spring:gone/1' })];
    expect((await on.receipts.stamp(all, later)).left).toEqual(new Set(['1', '2']));
    expect(await rows()).toMatchObject([{ status: over.status }]);
    expect((await rows())[0]).not.toHaveProperty('deliveredAt');
    expect((await on.find('inbound_events')).map(({ handledAt }) => handledAt)).toEqual([undefined, undefined]);
    expect(await counts()).toEqual([]);
  });

  test('of a campaign that was migrated since its flows were looked at are left to its conversation', async () => {
    const migration = { number: 1, from: 1, to: 2, left: [0], startedAt: at };
    await on.insert('campaign_runs', [run('spring', { migration } as Partial<Run>)]);
    const one = await receipt('1', await put('a'));
    expect((await on.receipts.stamp([one], later)).left).toEqual(new Set(['1']));
    expect((await rows())[0]).not.toHaveProperty('deliveredAt');
    expect((await on.receipts.stamp([{ ...one, migration: 1 }], later)).left).toEqual(new Set());
    expect((await rows())[0]).toMatchObject({ deliveredAt: at });
  });

  test('that were handled, or noted for an inbox, are somebody else\u0027s', async () => {
    const a = await put('a');
    const all = [
      await receipt('1', a, {}, at, { handledAt: at }),
      await receipt('2', a, {}, at, { conversations: [a.conversationId] }),
      { ...(await receipt('3', a)), id: 'deleted' },
    ];
    expect((await on.receipts.stamp(all, later)).left).toEqual(new Set());
    expect((await rows())[0]).not.toHaveProperty('deliveredAt');
    expect((await on.receipts.stamp([], later)).left).toEqual(new Set());
  });

  test('two members at a time: each is counted once', async () => {
    const other = await on.member('m2');
    const all: DirectReceipt[] = [];
    for (let n = 0; n < 20; n++) all.push(await receipt(`e${n}`, await put(`k${n}`)));
    await Promise.all([on.receipts.stamp(all, later), other.receipts.stamp(all, later)]);
    const delivered = (await counts()).reduce(
      (sum, one) => sum + Number((one?.['messages'] as { delivered?: number } | undefined)?.delivered ?? 0),
      0,
    );
    expect(delivered).toBe(20);
  });

  test('of a member that was taken over write nothing', async () => {
    const one = await receipt('1', await put('a'));
    await on.fence();
    await expect(on.receipts.stamp([one], later)).rejects.toMatchObject({ code: 'fenced' });
    expect((await rows())[0]).not.toHaveProperty('deliveredAt');
  });
});
