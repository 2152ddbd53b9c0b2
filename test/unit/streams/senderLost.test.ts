/** What a member finds of one that was killed: its rows leave again, and are never said to have been skipped. */
import { expect, test } from '@jest/globals';
import { type Member, member } from './member.ts';

const asking = {
  ...{ id: 'intro', type: 'message', channel: 'sms', content: { text: 'Hello' }, waitForReply: 'PT1H' },
};
const id = 'spring:ada';
const first = `${id}/1`;

/** The row in flight, as whoever takes its partition over finds it. */
async function takenOver(more: Member): Promise<void> {
  const { dispatch, ownership, all, signal, row, wire } = more;
  wire.splice(0);
  const sending = row(first);
  if (sending === undefined) throw new Error('no row is in flight');
  dispatch.settled(sending);
  ownership.lost(all.map(({ _id }) => _id));
  ownership.gained(all);
  await ownership.takeUp(all, signal);
}

/** Its sender was lost, and it waits to leave again while its campaign is paused. */
async function waitingAgain() {
  const one = await member([asking]);
  await one.turn();
  await takenOver(one);
  one.runs.seen('spring', { status: 'paused' }, one.clock.monotonic());
  await one.turn();
  return one;
}

test('a reply that is there when the loss is recorded: the row may have left', async () => {
  const one = await member([asking]);
  await one.turn();
  await takenOver(one);
  one.database.push(id, { id: 'r', type: 'reply' });
  await one.turn(id);
  expect(one.row(first)).toMatchObject({ status: 'uncertain', reason: 'uncertain' });
  expect(one.conversation(id)).toMatchObject({ status: 'completed', outcome: 'replied' });
  expect(await one.counters()).toMatchObject({ pending: 0 });
});

test('a reply that comes while it waits to leave again: the row may have left', async () => {
  const one = await waitingAgain();
  one.database.push(id, { id: 'r', type: 'reply' });
  await one.turn(id);
  expect(one.row(first)).toMatchObject({ status: 'uncertain', reason: 'uncertain' });
  expect(await one.counters()).toMatchObject({ pending: 0 });
});

test('its conversation is deleted while it leaves again, and that try leads to nothing: it may have left before', async () => {
  const one = await member([asking]);
  await one.turn();
  await takenOver(one);
  await one.turn();
  await one.turn();
  expect(one.wire.map((sent) => sent.id)).toEqual([first]);
  one.database.conversations.delete(id);
  await one.answer({ kind: 'retry', code: 'busy', message: 'later', counts: true });
  await one.turn();
  expect(one.row(first)).toMatchObject({ status: 'uncertain', handedAt: expect.any(Date) });
});

test('its conversation is quarantined while it waits to leave again: it may have left', async () => {
  const one = await waitingAgain();
  one.database.conversations.update(id, { inbox: 'gone' as never });
  await one.turn(id);
  expect(one.conversation(id)).toMatchObject({ status: 'failed', error: { code: 'poisoned' } });
  expect(one.row(first)).toMatchObject({ status: 'uncertain', reason: 'uncertain' });
  expect(await one.counters()).toMatchObject({ pending: 0 });
});

test('the provider says that it was delivered, then a reply ends its conversation: it is delivered', async () => {
  const one = await waitingAgain();
  one.database.push(id, { id: 'd', type: 'delivered', data: { messageId: first } });
  one.database.push(id, { id: 'r', type: 'reply' });
  await one.turn(id);
  expect(one.row(first)).toMatchObject({ status: 'delivered', deliveredAt: expect.any(Date) });
  const { pending, metrics } = await one.counters();
  expect([pending, metrics.messages.delivered, metrics.messages.uncertain]).toEqual([0, 1, 0]);
});

test('a refusal that says the contact has left is told, though its conversation is gone', async () => {
  const one = await member([asking]);
  await one.turn();
  one.database.conversations.delete(id);
  await one.answer({ kind: 'rejected', code: 'opted_out', message: 'left' });
  await one.turn();
  expect(one.row(first)).toMatchObject({ status: 'failed', reason: 'provider_opted_out' });
  expect(one.database.inbound.get(`opted_out:${first}`)).toMatchObject({ type: 'unsubscribe', channel: 'sms' });
});

test.each([false, true])(
  'a refusal that says the address is dead is told and counted once, though its conversation is gone (a receipt came before: %p)',
  async (isKnown) => {
    const one = await member([asking]);
    await one.turn();
    if (isKnown) {
      one.database.push(id, { id: 'b', type: 'bounce', data: { messageId: first } });
      await one.turn(id);
    }
    one.database.conversations.delete(id);
    await one.answer({ kind: 'rejected', code: 'smtp_550', message: 'disabled', bounce: true });
    await one.turn();
    expect(one.row(first)).toMatchObject({
      status: 'failed',
      reason: 'provider_rejected',
      bouncedAt: expect.any(Date),
    });
    expect(one.database.inbound.get(`bounced:${first}`)).toMatchObject({
      ...{ type: 'bounce', channel: 'sms', address: '+ada', data: { messageId: first } },
    });
    const { metrics, pending } = await one.counters();
    expect([pending, metrics.messages.failed, metrics.messages.bounced]).toEqual([0, 1, 1]);
  },
);
