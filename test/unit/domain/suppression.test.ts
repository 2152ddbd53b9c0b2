import { describe, expect, test } from '@jest/globals';
import type { AddressBook } from '../../../src/domain/addresses.ts';
import { addressesOf } from '../../../src/domain/addresses.ts';
import { newConversation } from '../../../src/domain/conversation.ts';
import type { FlowContext } from '../../../src/domain/decision.ts';
import type { RowOutcome } from '../../../src/domain/outbox.ts';
import { conversationAddresses, type Refusals, writingOf } from '../../../src/domain/suppression.ts';
import { anna, channels, contextOf, facts, Story, seconds, t0 } from './given.ts';

const content = { text: 'Hello' };
const sent: RowOutcome = { kind: 'sent' };
const book: AddressBook = { isKeyed: true, hash: (form) => `h${form}`, hashes: (form) => [`h${form}`, `~${form}`] };
const ask = { id: 'ask', type: 'message', channel: 'sms', content, waitForReply: 'P1D' };
const later = { id: 'later', type: 'message', channel: 'push', content, waitForReply: 'P1D' };
const wait = { id: 'rest', type: 'wait', for: 'P1D' };
const of = (stages: unknown[], more: Partial<FlowContext> = {}): Story =>
  new Story(contextOf(stages, { addressBook: book, topic: 'news', ...more }));
const asked = (stages: unknown[] = [ask], more: Partial<FlowContext> = {}): Story =>
  of(stages, more).due(0).answer(1, sent);
const suppressed = (story: Story) => story.decision.unit?.suppressions;
const added = (story: Story) =>
  suppressed(story)?.map((change) =>
    change.kind === 'add' ? [change.suppression._id, change.suppression.reason] : change,
  );

describe('what an event says about its address', () => {
  test.each([
    [{ type: 'reply', text: 'STOP' }, 'sms:*:h+491', 'opt_out'],
    [{ type: 'reply', text: 'stop please', channel: 'sms' }, 'sms:*:h+491', 'opt_out'],
    [{ type: 'reply', text: 'stop', channel: 'push' }, 'push:*:hhttps://a.test/', 'opt_out'],
    [{ type: 'unsubscribe' }, 'sms:news:h+491', 'unsubscribe'],
    [{ type: 'unsubscribe', channel: 'a web page' }, 'sms:news:h+491', 'unsubscribe'],
    [{ type: 'unsubscribe', data: { topic: '*' } }, 'sms:*:h+491', 'unsubscribe'],
    [{ type: 'unsubscribe', data: { topic: 'tips' } }, 'sms:tips:h+491', 'unsubscribe'],
    [{ type: 'unsubscribe', data: { topic: '' } }, 'sms:news:h+491', 'unsubscribe'],
    [{ type: 'complaint' }, 'sms:*:h+491', 'complaint'],
    [{ type: 'bounce' }, 'sms:*:h+491', 'bounce'],
    [{ type: 'bounce', machine: true }, 'sms:*:h+491', 'bounce'],
  ])('%j suppresses %s as %s', (event, id, reason) => {
    const story = asked().events(5, event);
    expect(suppressed(story)).toEqual([
      { kind: 'add', suppression: { _id: id, reason, campaignId: 'spring', at: new Date(seconds(5)) } },
    ]);
  });

  test.each([
    { type: 'reply', text: 'stop', auto: true },
    { type: 'reply', text: 'stop', machine: true },
    { type: 'reply', text: 'when does it stop?' },
    { type: 'reply', text: 5 },
    { type: 'reply' },
    { type: 'unsubscribe', machine: true },
    { type: 'clicked', text: 'stop' },
    { type: 'opened' },
    { type: 'failed' },
    { type: 'bounce', data: { soft: true } },
    { type: 'stop' },
  ])('%j suppresses nothing', (event) => {
    expect(suppressed(asked().events(5, event))).toBeUndefined();
  });

  test('the words count after the end, too', () => {
    const ended = asked().events(3, { type: 'reply', text: 'Thanks!' });
    expect(ended.conversation.status).toBe('completed');
    expect(added(ended.events(9, { type: 'reply', text: 'STOP' }))).toEqual([['sms:*:h+491', 'opt_out']]);
  });

  test('START takes back what a person said, on all topics and on that of the campaign, up to its own time', () => {
    const at = new Date(t0);
    expect(suppressed(asked().events(5, { type: 'reply', text: 'START', at }))).toEqual([
      { kind: 'lift', id: 'sms:*:h+491', at },
      { kind: 'lift', id: 'sms:news:h+491', at },
    ]);
    const without = asked([ask], { topic: undefined }).events(5, { type: 'reply', text: 'unstop', at });
    expect(suppressed(without)).toMatchObject([{ at }, { id: 'sms:default:h+491' }]);
  });

  test.each([[undefined], [new Date(Number.NaN)]])(
    'START at no known time (%p) may be older than any opt-out: it takes nothing back',
    (at) => {
      const event = { type: 'reply', text: 'START', ...(at === undefined ? {} : { at }) };
      expect(suppressed(asked().events(5, event)) ?? []).toEqual([]);
    },
  );

  test('a bounce of what went to somebody else is not about the contact', () => {
    const story = asked();
    story.conversation = { ...story.conversation, inbox: [{ type: 'bounce' }] };
    const rows = [...story.rows.values()].map((row) => ({ ...row, to: '+499' }));
    expect(suppressed(story.decide(5, { rows }))).toBeUndefined();
    expect(story.conversation.status).toBe('active');
  });

  test('who leaves another topic stays in this one', () => {
    const story = asked().events(5, { type: 'unsubscribe', data: { topic: 'tips' } });
    expect(added(story)).toEqual([['sms:tips:h+491', 'unsubscribe']]);
    expect(story.conversation.status).toBe('active');
    expect(story.events(6, { type: 'unsubscribe', data: { topic: '*' } }).conversation.status).toBe('suppressed');
  });

  test('a rule that suppresses keeps the address from every campaign', () => {
    const story = asked();
    const rules = [{ on: 'reply', action: { suppress: true } }] as never;
    story.context = { ...story.context, flow: { ...story.context.flow, rules } };
    expect(added(story.events(5, { type: 'reply', text: 'leave it' }))).toEqual([['sms:*:h+491', 'rule']]);
    expect(story.conversation).toMatchObject({ status: 'suppressed', outcome: 'suppressed' });
  });

  test('without an address, or a way to hash it, there is nothing to suppress', () => {
    expect(suppressed(new Story(contextOf([ask])).due(0).events(1, { type: 'complaint' }))).toBeUndefined();
    const nobody = new Story(contextOf([ask], { addressBook: book }), { id: 'nobody' });
    expect(suppressed(nobody.events(1, { type: 'complaint' }))).toBeUndefined();
  });

  test('a channel that only other members have: what the conversation keeps of it is suppressed', () => {
    const story = asked();
    story.context = { ...story.context, channels: new Map([['push', facts('push', 'url')]]) };
    story.conversation = { ...story.conversation, addresses: ['sms:kept', 'push:other'] };
    expect(added(story.events(5, { type: 'reply', text: 'STOP' }))).toEqual([['sms:*:kept', 'opt_out']]);
    const { inbox, ...rest } = story.conversation;
    story.conversation = { ...rest, inbox: [...inbox, { type: 'bounce', data: { messageId: 'spring:anna/1' } }] };
    expect(added(story.decide(6, { rows: [...story.rows.values()] }))).toEqual([['sms:*:kept', 'bounce']]);
  });

  test('in a mail fewer words are meant for us', () => {
    expect([writingOf('email'), writingOf('phone'), writingOf(undefined)]).toEqual(['mail', 'phone', 'phone']);
  });
});

describe('an opt-out and the conversation', () => {
  test('STOP ends one whose message is on that channel, and is no reply', () => {
    const story = asked([{ ...ask, on: { reply: 'later' } }, later]).events(5, { type: 'reply', text: 'Stop.' });
    expect(story.conversation).toMatchObject({ status: 'suppressed', outcome: 'unsubscribed', reason: 'suppressed' });
    expect(story.counters['replied']).toBeUndefined();
  });

  test.each([
    ['the current message', [ask, later], 'sms', 'suppressed'],
    ['the next message', [ask, later], 'push', 'suppressed'],
    ['the next message, behind a pause', [ask, wait, later], 'push', 'suppressed'],
    ['another message', [ask, { ...ask, id: 'more' }, later], 'push', 'active'],
    ['no message, as the flow ends', [ask, { id: 'over', type: 'end', outcome: 'over' }, later], 'push', 'active'],
    [
      'no message, as nothing follows',
      [ask, wait, { ...wait, id: 'again' }, { ...later, id: 'x' }].slice(0, 3),
      'push',
      'active',
    ],
  ])('an opt-out of the channel of %s', (_, stages, channel, status) => {
    const story = asked(stages);
    story.events(5, { type: 'unsubscribe', channel });
    expect(story.conversation.status).toBe(status);
  });

  test('one that stands in a pause between messages', () => {
    const first = { id: 'rest', type: 'wait', for: 'P1D' };
    expect(of([first, ask, later]).events(1, { type: 'unsubscribe', channel: 'sms' }).conversation.status).toBe(
      'suppressed',
    );
    expect(of([first, ask, later]).events(1, { type: 'unsubscribe' }).conversation.status).toBe('suppressed');
    expect(of([first, ask, later]).events(1, { type: 'unsubscribe', channel: 'push' }).conversation.status).toBe(
      'active',
    );
  });

  test('a flow without messages ends with an opt-out that names no channel', () => {
    const story = of([wait]).events(1, { type: 'unsubscribe' });
    expect([story.conversation.status, suppressed(story)]).toEqual(['suppressed', undefined]);
  });

  test('pauses without end lead to no message that is looked for', () => {
    const pauses = Array.from({ length: 120 }, (_, n) => ({ id: `w${n}`, type: 'wait', for: 'P1D' }));
    const story = of([...pauses, ask]).events(1, { type: 'unsubscribe', channel: 'sms' });
    expect(story.conversation.status).toBe('active');
  });

  test('HELP and START are no replies: they go where their author says, or nowhere', () => {
    const story = asked().events(5, { type: 'reply', text: 'HELP' }, { type: 'reply', text: 'start' });
    expect([story.conversation.status, story.conversation.repliedAt]).toEqual(['active', undefined]);
    const led = asked([{ ...ask, on: { help: 'later' } }, later]).events(5, { type: 'reply', text: 'help!' });
    expect(led.conversation.stage).toBe('later');
  });

  test('a soft bounce ends nothing; with on.bounce it leads there', () => {
    const soft = { type: 'bounce', data: { soft: true } };
    expect(asked().events(5, soft).conversation.status).toBe('active');
    expect(asked([{ ...ask, on: { bounce: 'later' } }, later]).events(5, soft).conversation.stage).toBe('later');
  });
});

describe('an address that is suppressed', () => {
  const refuse = (...entries: [string, 'suppressed' | 'unsubscribed_topic'][]): Refusals => new Map(entries);

  test.each(['suppressed', 'unsubscribed_topic'] as const)(
    '%s: the message is skipped, and others go on by the other channel',
    (reason) => {
      const story = of([{ ...ask, waitForReply: undefined }, later]).decide(0, {
        slot: true,
        refusals: refuse(['sms', reason]),
      });
      expect(story.rows.get('spring:anna/1')).toMatchObject({ status: 'skipped', reason, to: '+491', attempts: 0 });
      expect(story.row).toMatchObject({ _id: 'spring:anna/2', channel: 'push' });
      expect(story.counters).toMatchObject({ 'messages.skipped': 1, [`reasons.${reason}`]: 1, pending: 1 });
    },
  );

  test('where no message of the flow could reach the contact, the conversation ends as suppressed', () => {
    const single = of([ask]).decide(0, { slot: true, refusals: refuse(['sms', 'suppressed']) });
    expect(single.conversation).toMatchObject({ status: 'suppressed', outcome: 'suppressed', reason: 'suppressed' });
    const lonely = new Story(contextOf([ask, later], { addressBook: book }), { id: 'anna', phone: '+491' });
    lonely.decide(0, { slot: true, refusals: refuse(['sms', 'unsubscribed_topic']) });
    expect(lonely.conversation).toMatchObject({ status: 'suppressed', reason: 'unsubscribed_topic' });
  });

  test('a channel that this member does not have may still be open', () => {
    const story = of([ask, later]);
    story.context = { ...story.context, channels: new Map([...channels].slice(0, 1)) };
    story.decide(0, { slot: true, refusals: refuse(['sms', 'suppressed']) });
    expect(story.conversation.status).toBe('active');
  });

  test('transactional campaigns heed no opt-out of a topic, and every other', () => {
    const topic = of([ask], { transactional: true }).decide(0, {
      slot: true,
      refusals: refuse(['sms', 'unsubscribed_topic']),
    });
    expect(topic.row?.status).toBe('sending');
    const all = of([ask], { transactional: true }).decide(0, { slot: true, refusals: refuse(['sms', 'suppressed']) });
    expect(all.conversation.status).toBe('suppressed');
  });

  test.each([
    ['held back at the gate', { kind: 'held' }],
    ['to be tried again', { kind: 'retry', code: 'busy', message: 'busy', counts: true }],
  ] as [string, RowOutcome][])('a row that was %s is skipped', (_, outcome) => {
    const story = of([ask]).due(0).answer(1, outcome);
    expect(story.rows.get('spring:anna/1')?.status).toBe('queued');
    story.decide(90, { slot: true, refusals: refuse(['sms', 'suppressed']) });
    expect(story.rows.get('spring:anna/1')).toMatchObject({ status: 'skipped', reason: 'suppressed' });
    expect([story.row, story.counters['pending'], story.counters['messages.skipped']]).toEqual([
      undefined,
      undefined,
      1,
    ]);
    expect(story.conversation).toMatchObject({ status: 'suppressed' });
  });

  test('after a row that was skipped the flow goes on by another channel', () => {
    for (const stages of [
      [{ ...ask, waitForReply: undefined }, later],
      [{ ...ask, waitForReply: 'PT1M' }, later],
    ]) {
      const story = of(stages).due(0).answer(1, { kind: 'held' });
      story.decide(5, { slot: true, refusals: refuse(['sms', 'suppressed']) });
      expect(story.conversation).toMatchObject({ status: 'active' });
      expect(story.rows.get('spring:anna/1')?.status).toBe('skipped');
    }
    const last = of([later, { ...ask, waitForReply: undefined }])
      .due(0)
      .answer(1, sent)
      .due(90_000)
      .answer(90_001, { kind: 'held' });
    last.decide(90_005, { slot: true, refusals: refuse(['sms', 'suppressed']) });
    expect(last.conversation).toMatchObject({ status: 'completed', outcome: 'finished' });
  });
});

describe('addresses of a conversation', () => {
  test('a new one keeps them', () => {
    const { flow } = contextOf([ask]);
    const place = {
      run: { _id: 'spring', variables: {} },
      flow,
      contact: anna,
      now: t0,
      partitions: 8,
      traceparent: 't',
    };
    expect(newConversation({ ...place, addresses: ['sms:h+491'] }).conversation.addresses).toEqual(['sms:h+491']);
    expect(newConversation(place).conversation.addresses).toBeUndefined();
  });

  const context = contextOf([ask, later], { addressBook: book });
  const made = addressesOf(anna, context.flow, channels, book);

  test('those it keeps, while they may be all there are; else made anew', () => {
    const kept = (addresses: unknown) =>
      conversationAddresses({ contact: anna, addresses: addresses as string[] }, context);
    expect(kept(made)).toEqual(made);
    expect(kept(undefined)).toEqual(made);
    expect(kept('nonsense')).toEqual(made);
    expect(kept([made[0], 5])).toEqual(made);
    expect(kept(['sms:~old', 'push:~old'])).toEqual(['sms:~old', 'push:~old', ...made]);
    expect(conversationAddresses({ contact: anna }, { ...context, addressBook: undefined })).toEqual([]);
  });
});

describe('for whom something is', () => {
  const refusals: Refusals = new Map([['sms', 'suppressed']]);
  const retry: RowOutcome = { kind: 'retry', code: 'http_503', message: 'later', counts: true };

  test('a message is for the contact, also when its address was written anew meanwhile', () => {
    const story = of([ask]).due(0).answer(1, retry);
    story.conversation = { ...story.conversation, contact: { ...anna, phone: '+49 2' } };
    story.decide(60, { slot: true, refusals });
    expect(story.rows.get('spring:anna/1')).toMatchObject({ status: 'skipped', reason: 'suppressed' });
  });

  test.each([
    ['+49 1', undefined],
    ['0049 (1)', undefined],
    ['+499', 'e'],
  ])('a colleague at %s is asked in unless that is the contact', (to, stage) => {
    const story = of([{ id: 'e', type: 'escalate', to: 'team', notify: { channel: 'sms', to, content } }]);
    expect(story.decide(0, { slot: true, refusals }).decision.send?.stage).toBe(stage);
  });
});

test('whoever has no address on the channel is not the colleague who is asked in', () => {
  const refusals: Refusals = new Map([['sms', 'suppressed']]);
  const notify = { channel: 'sms', to: '+491', content };
  const context = contextOf([{ id: 'e', type: 'escalate', to: 'team', notify }], { addressBook: book });
  const story = new Story(context, { id: 'nobody' }).decide(0, { slot: true, refusals });
  expect(story.decision.send?.to).toBe('+491');
});

describe('a provider that has it that the contact left', () => {
  const refused: RowOutcome = { kind: 'rejected', code: 'opted_out', message: 'HTTP 400: opted out' };
  const event = {
    ...{ _id: 'opted_out:spring:anna/1', type: 'unsubscribe', channel: 'sms', address: '+491', data: { topic: '*' } },
    at: new Date(seconds(2)),
  };

  test('suppresses the address for all topics with its answer, and ends the conversation as an opt-out does', () => {
    const story = of([{ ...ask, on: { failed: 'later' }, fallback: { channel: 'push' } }, later])
      .due(0)
      .answer(2, refused);
    expect(added(story)).toEqual([['sms:*:h+491', 'provider_opted_out']]);
    expect(story.conversation).toMatchObject({
      ...{ status: 'suppressed', outcome: 'unsubscribed', reason: 'provider_opted_out' },
    });
    expect(story.rows.get('spring:anna/1')).toMatchObject({ status: 'failed', reason: 'provider_opted_out' });
    expect(story.counters).toMatchObject({ 'messages.failed': 1, 'reasons.provider_opted_out': 1, suppressed: 1 });
    expect(story.counters['active']).toBeUndefined();
    expect(story.decision.unit?.inbound).toEqual([event]);
  });

  test('one that went on meanwhile, to another channel, stays; the address is suppressed', () => {
    const push = { ...later, id: 'p1', waitForReply: 'P1D' };
    const story = of([
      { ...ask, on: { help: 'p1' } },
      { id: 'x', type: 'end', outcome: 'x' },
      push,
      { ...later, id: 'p2' },
    ])
      .due(0)
      .events(1, { type: 'reply', text: 'help' })
      .answer(2, refused);
    expect(added(story)).toEqual([['sms:*:h+491', 'provider_opted_out']]);
    expect(story.conversation).toMatchObject({ status: 'active', stage: 'p1' });
  });

  test('one that already waits for a message on another channel goes on', () => {
    const story = of([{ ...ask, waitForReply: undefined }, wait, later])
      .due(0)
      .answer(2, refused);
    expect(story.conversation).toMatchObject({ status: 'active', stage: 'rest' });
    expect(added(story)).toEqual([['sms:*:h+491', 'provider_opted_out']]);
  });

  test('one that ended meanwhile stays as it is', () => {
    const story = of([ask]).due(0).events(1, { type: 'reply', text: 'yes' }).answer(2, refused);
    expect(story.conversation).toMatchObject({ status: 'completed', outcome: 'replied' });
    expect(added(story)).toHaveLength(1);
  });

  test('a colleague who was asked in by it is none of the contact: the notification failed', () => {
    const notify = { channel: 'sms', to: '+499', content };
    const story = of([{ id: 'e', type: 'escalate', to: 'team', notify }])
      .due(0)
      .answer(2, refused);
    expect([suppressed(story), story.decision.unit?.inbound]).toEqual([undefined, undefined]);
    expect(story.conversation.status).toBe('escalated');
  });
});
