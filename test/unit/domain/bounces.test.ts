/** A provider that says at once that an address takes nothing: what a receipt would lead to later. */
import { describe, expect, test } from '@jest/globals';
import type { AddressBook } from '../../../src/domain/addresses.ts';
import type { FlowContext } from '../../../src/domain/decision.ts';
import type { Message } from '../../../src/domain/model.ts';
import type { RowOutcome } from '../../../src/domain/outbox.ts';
import { replayEvent } from '../../../src/domain/replay.ts';
import { contextOf, Story, seconds } from './given.ts';

const content = { text: 'Hello' };
const bounce: RowOutcome = { kind: 'rejected', code: 'twilio_30005', message: 'unknown handset', bounce: true };
const sent: RowOutcome = { kind: 'sent' };
const book: AddressBook = { isKeyed: true, hash: (form) => `h${form}`, hashes: (form) => [`h${form}`] };
const ask = { id: 'ask', type: 'message', channel: 'sms', content, waitForReply: 'P1D' };
const push = { id: 'push', type: 'message', channel: 'push', content, waitForReply: 'P1D' };
const over = { id: 'over', type: 'end', outcome: 'over' };
const rest = { id: 'rest', type: 'wait', for: 'P1D' };
const first = 'spring:anna/1';
const rule = (then: object) => ({ on: 'bounce', then });
const told = {
  ...{ _id: `bounced:${first}`, type: 'bounce', channel: 'sms', address: '+491', data: { messageId: first } },
  at: new Date(seconds(2)),
};

const of = (stages: unknown[], more: Partial<FlowContext> = {}, rules: unknown[] = []): Story =>
  new Story(contextOf(stages, { addressBook: book, ...more }, rules));
const refused = (stages: unknown[], rules: unknown[] = []): Story => of(stages, {}, rules).due(0).answer(2, bounce);
const added = (story: Story) =>
  story.decision.unit?.suppressions?.map((change) =>
    change.kind === 'add' ? [change.suppression._id, change.suppression.reason] : change,
  );
/** As providers tell later, of a message by our id. */
const receipt = (story: Story, second: number, more: object = {}): Story => {
  const event = { id: `e${second}`, type: 'bounce', data: { messageId: first }, ...more };
  story.conversation = { ...story.conversation, inbox: [...story.conversation.inbox, event] as never };
  return story.decide(second, { rows: [...story.rows.values()] });
};
const row = (story: Story): Message | undefined => story.rows.get(first);

test('the address is suppressed with the answer, the row says why, the conversation ends as at a hard bounce', () => {
  const story = refused([
    { ...ask, on: { failed: 'later' } },
    { ...ask, id: 'later' },
  ]);
  expect(added(story)).toEqual([['sms:*:h+491', 'bounce']]);
  expect(row(story)).toMatchObject({
    ...{ status: 'failed', reason: 'provider_rejected', error: { code: 'twilio_30005', message: 'unknown handset' } },
    ...{ bouncedAt: new Date(seconds(2)), handedAt: new Date(seconds(2)) },
  });
  expect(row(story)).not.toHaveProperty('pending');
  expect(row(story)).not.toHaveProperty('sentAt');
  const byReceipt = receipt(of([ask]).due(0).answer(2, sent), 9);
  const end = { status: 'suppressed', outcome: 'bounced', reason: 'suppressed' };
  for (const one of [story, byReceipt]) {
    expect(one.conversation).toMatchObject(end);
    expect(one.conversation.history.at(-1)).toMatchObject({ event: 'ended', detail: end });
  }
  expect(story.counters).toEqual({
    ...{ total: 1, suppressed: 1, 'outcomes.bounced': 1, 'stages.ask.entered': 1 },
    ...{ 'messages.failed': 1, 'reasons.provider_rejected': 1, 'messages.bounced': 1, 'aged.bounced.10s': 1 },
  });
  expect(story.decision.unit?.inbound).toEqual([told]);
});

test('where the address itself is what was refused, the row says so', () => {
  const story = of([ask])
    .due(0)
    .answer(2, { ...bounce, code: 'address_invalid' });
  expect(row(story)).toMatchObject({ status: 'failed', reason: 'address_invalid' });
  expect(story.counters).toMatchObject({ 'reasons.address_invalid': 1, 'messages.bounced': 1 });
});

describe('the flow goes', () => {
  const stages = [{ ...ask, on: { bounce: 'push', failed: 'over' } }, over, push];

  test('on.bounce', () => {
    const story = refused(stages);
    expect(story.conversation).toMatchObject({ status: 'active', stage: 'push', nextChannel: 'push' });
    expect(story.conversation.event).toMatchObject({ type: 'bounce', channel: 'sms', data: { messageId: first } });
    expect(added(story)).toHaveLength(1);
    expect(story.due(3).decision.send?.channel).toBe('push');
  });

  test('where a rule leads it', () => {
    const story = refused([ask, over, push], [rule({ goto: 'push' })]);
    expect(story.conversation).toMatchObject({ status: 'active', stage: 'push' });
  });

  test('on.bounce of the stage that sent it, also when that was left', () => {
    const story = of([{ ...ask, on: { bounce: 'push', help: 'rest' } }, over, rest, push])
      .due(0)
      .events(1, { type: 'reply', text: 'help' });
    expect(story.conversation.stage).toBe('rest');
    expect(story.answer(2, bounce).conversation.stage).toBe('push');
  });

  test('on, where neither its message nor the next one is on that channel', () => {
    const story = refused([{ ...ask, waitForReply: undefined }, rest, push]);
    expect(story.conversation).toMatchObject({ status: 'active', stage: 'rest' });
    expect(added(story)).toHaveLength(1);
  });

  test('to whoever takes over, although the contact was the one who was to be told', () => {
    const notify = { channel: 'sms', to: '+491', content };
    const story = refused([{ id: 'e', type: 'escalate', to: 'team', notify }]);
    expect(story.conversation).toMatchObject({ status: 'escalated' });
    expect(added(story)).toHaveLength(1);
  });

  test('nowhere, when it ended meanwhile; the address is suppressed, and others are told', () => {
    const story = of([ask]).due(0).events(1, { type: 'reply', text: 'yes' }).answer(2, bounce);
    expect(story.conversation).toMatchObject({ status: 'completed', outcome: 'replied' });
    expect(added(story)).toHaveLength(1);
    expect(story.decision.unit?.inbound).toEqual([told]);
  });
});

describe('a bounce is counted once', () => {
  const bounced = (story: Story) =>
    Object.entries(story.counters).filter(([path]) => /^(messages|aged)\.bounced/.test(path));

  test.each([['bounce'], ['failed']])('when a receipt %p of it comes later', (type) => {
    const story = receipt(refused([{ ...ask, on: { bounce: 'push' } }, over, push]), 60, { type });
    expect(bounced(story)).toEqual([
      ['messages.bounced', 1],
      ['aged.bounced.10s', 1],
    ]);
    expect(row(story)).toMatchObject({ status: 'failed', bouncedAt: new Date(seconds(2)) });
    expect(story.conversation).toMatchObject({ status: 'active', stage: 'push' });
  });

  test('when a receipt of it was there before the answer', () => {
    const story = of([{ ...ask, on: { bounce: 'push' } }, over, push]).due(0);
    receipt(story, 1);
    // the row in flight knows what was recorded on it meanwhile
    story.row = { ...(story.row as Message), bouncedAt: new Date(seconds(1)) };
    const said = story.answer(2, bounce);
    expect(bounced(said)).toEqual([
      ['messages.bounced', 1],
      ['aged.bounced.10s', 1],
    ]);
    expect(row(said)).toMatchObject({ status: 'failed', bouncedAt: new Date(seconds(1)) });
  });

  test('when what others are told comes back to it', () => {
    const story = refused([{ ...ask, on: { bounce: 'push' } }, over, push]);
    const { _id: id, address: _, ...event } = told;
    const again = receipt(story, 3, { ...event, id });
    expect(again.conversation).toMatchObject({ status: 'active', stage: 'push' });
    expect(bounced(again)).toHaveLength(2);
  });

  test('by the time since it was handed over, not since it was decided', () => {
    const retry: RowOutcome = {
      kind: 'retry',
      code: 'smtp_451',
      message: 'later',
      counts: true,
      retryAfterMs: 600_000,
    };
    const story = of([ask]).due(0).answer(1, retry).due(700).answer(702, bounce);
    expect(bounced(story)).toContainEqual(['aged.bounced.10s', 1]);
  });
});

describe('one that bounced and is tried again', () => {
  const again = (): Story => {
    const story = refused([ask]);
    const event = replayEvent(row(story) as Message, {}, new Date(seconds(100)));
    story.conversation = { ...story.conversation, inbox: [event] };
    return story.decide(100, { rows: [...story.rows.values()] });
  };

  test('bounced no more, and may arrive', () => {
    const story = again();
    expect(row(story)).toMatchObject({ status: 'queued', replay: { count: 1 } });
    expect(row(story)).not.toHaveProperty('bouncedAt');
    const before = { total: 1, suppressed: 1, 'outcomes.bounced': 1, 'stages.ask.entered': 1 };
    expect(story.counters).toEqual({ ...before, pending: 1 });
    story.due(101).answer(102, sent);
    expect(row(story)).toMatchObject({ status: 'sent' });
    expect(story.counters).toEqual({ ...before, 'messages.sent': 1, 'stages.ask.sent': 1 });
    // and what is told of it later is news
    expect(row(receipt(story, 110))).toMatchObject({ status: 'bounced', bouncedAt: new Date(seconds(110)) });
    expect(story.counters).toMatchObject({ 'messages.bounced': 1, 'aged.bounced.10s': 1 });
  });

  test('or bounces anew, and counts once', () => {
    const story = again().due(101).answer(102, bounce);
    expect(row(story)).toMatchObject({ status: 'failed', bouncedAt: new Date(seconds(102)) });
    expect(story.counters).toMatchObject({ 'messages.failed': 1, 'messages.bounced': 1, 'aged.bounced.10s': 1 });
  });
});

test('what others are told does not come back to end a conversation that fell back and went on', () => {
  const { waitForReply: _, ...intro } = { ...ask, fallback: { channel: 'push' } };
  const later = { ...intro, id: 'later', delay: 'PT1H' };
  const story = refused([intro, later]).due(3).answer(4, sent);
  expect(story.conversation).toMatchObject({ status: 'active', stage: 'later', nextChannel: 'sms' });
  // whoever pushes asks for that first
  expect(story.conversation.consumed).toEqual([told._id]);
  const { _id: id, address: __, ...event } = told;
  receipt(story, 5, { ...event, id });
  expect(story.conversation).toMatchObject({ status: 'active', stage: 'later', inbox: [] });
});

test('another conversation of the address ends by what it is told, and its messages did not bounce', () => {
  const story = of([ask]);
  story.conversation = { ...story.conversation, _id: 'summer:anna' };
  story.due(0).answer(1, sent);
  const { _id: id, ...event } = told;
  receipt(story, 5, { ...event, id });
  expect(story.conversation).toMatchObject({ status: 'suppressed', outcome: 'bounced' });
  expect(story.counters).not.toHaveProperty('messages.bounced');
});

test.each([
  [
    'a colleague',
    { id: 'e', type: 'escalate', to: 'team', notify: { channel: 'sms', to: '+499', content } },
    'escalated',
  ],
  ['a service', { id: 'w', type: 'webhook', channel: 'push', to: 'https://b.test/', body: { text: 'a' } }, 'failed'],
])('an address of %s is none of the contact: the message failed, and nobody is suppressed', (_, stage, status) => {
  const story = refused([stage]);
  expect([added(story), story.decision.unit?.inbound]).toEqual([undefined, undefined]);
  expect(story.conversation.status).toBe(status);
  expect(story.counters).not.toHaveProperty('messages.bounced');
});
