/** A message that its channel cannot deliver: the fallback of its stage takes its place, once. */
import { describe, expect, test } from '@jest/globals';
import type { AddressBook } from '../../../src/domain/addresses.ts';
import { channelsOf } from '../../../src/domain/channelsOf.ts';
import { limitsOf } from '../../../src/domain/compileLimits.ts';
import { ContactChecks } from '../../../src/domain/contactChecks.ts';
import type { FlowContext } from '../../../src/domain/decision.ts';
import { compileFlow } from '../../../src/domain/flow.ts';
import { flowMessages, letterAt } from '../../../src/domain/flowMessages.ts';
import type { Flow, Message, Run } from '../../../src/domain/model.ts';
import type { RowOutcome } from '../../../src/domain/outbox.ts';
import { contextsNow } from '../../../src/domain/runContexts.ts';
import { story } from '../../../src/domain/story.ts';
import { nextOf, type StoryContext } from '../../../src/domain/storyNext.ts';
import { whyOf } from '../../../src/domain/storyWhy.ts';
import type { Refusal, Refusals } from '../../../src/domain/suppression.ts';
import { anna, channels, contextOf, facts, Story, seconds, t0 } from './given.ts';
import { simulated } from './simulated.ts';

const content = { text: 'Hello' };
const sent: RowOutcome = { kind: 'sent' };
const refused: RowOutcome = { kind: 'rejected', code: 'no', message: 'never' };
const busy: RowOutcome = { kind: 'retry', code: 'http_500', message: 'busy', counts: true };
const book: AddressBook = { isKeyed: true, hash: (form) => `h${form}`, hashes: (form) => [`h${form}`] };
const ask = { id: 'ask', type: 'message', channel: 'push', content, fallback: { channel: 'sms' }, waitForReply: 'P1D' };
const quiet = { id: 'quiet', type: 'end', outcome: 'no_answer' };
const of = (stages: unknown[], more: Partial<FlowContext> = {}, contact = anna): Story =>
  new Story(contextOf(stages, { addressBook: book, topic: 'news', ...more }), contact);
const rowsOf = ({ rows }: Story): string[] =>
  [...rows.values()].map(({ _id, stage, step, channel, status, reason = '', fallback }) =>
    `${_id.split('/')[1]} ${stage}/${step} ${channel}${fallback ? '!' : ''} ${status} ${reason}`.trimEnd(),
  );
const rowAt = (story: Story, n: number): Message => [...story.rows.values()][n - 1] as Message;

describe('after it failed for good', () => {
  test.each<[string, RowOutcome, string]>([
    ['refused', refused, 'provider_rejected'],
    ['to an address that is none', { ...refused, code: 'address_invalid' } as RowOutcome, 'address_invalid'],
  ])('one that is %s goes out by the fallback, as the next message, in the same place', (_, outcome, reason) => {
    const story = of([{ ...ask, on: { failed: 'quiet' } }, quiet])
      .due(0)
      .answer(2, outcome);
    expect(story.conversation).toMatchObject({
      ...{ status: 'active', stage: 'ask', step: 0, sequence: 1, fallback: true },
      ...{ nextChannel: 'sms', nextActionAt: new Date(seconds(2)) },
    });
    expect(story.row).toBeUndefined();
    story.due(3);
    expect(story.row).toMatchObject({ to: '+491', content, stage: 'ask', step: 0, fallback: true, channel: 'sms' });
    story.answer(4, sent);
    expect(rowsOf(story)).toEqual([`1 ask/0 push failed ${reason}`, '2 ask/0 sms! sent']);
    expect([rowAt(story, 1), rowAt(story, 2)].map(({ gaveWay }) => gaveWay)).toEqual([true, undefined]);
    expect(story.conversation).toMatchObject({ stage: 'ask', step: 1, sequence: 2 });
    expect(story.counters).toMatchObject({
      ...{ 'messages.failed': 1, 'messages.sent': 1, [`reasons.${reason}`]: 1 },
      ...{ 'stages.ask.entered': 1, 'stages.ask.sent': 1, active: 1 },
    });
    expect(story.counters['pending']).toBeUndefined();
    expect(story.conversation.history.map(({ event, detail }) => [event, detail])).toEqual([
      ['entered', undefined],
      ['message', { sequence: 1, step: 0 }],
      ['fallback', { messageId: 'spring:anna/1', channel: 'sms', reason }],
      ['message', { sequence: 2, step: 0 }],
    ]);
  });

  test('one whose tries are used up', () => {
    const story = of([ask]).due(0).answer(1, busy).due(9).answer(10, busy).due(19).answer(20, busy).due(21);
    expect(rowsOf(story)).toEqual(['1 ask/0 push failed retries_exhausted', '2 ask/0 sms! sending']);
    expect(story.row?.attempts).toBe(1);
  });

  test('only if the fallback fails, too, on.failed leads on, and it is not tried a third way', () => {
    const story = of([{ ...ask, on: { failed: 'quiet' } }, quiet])
      .due(0)
      .answer(2, refused)
      .due(3)
      .answer(4, refused);
    expect(story.conversation).toMatchObject({ stage: 'quiet', sequence: 2 });
    expect(story.conversation.fallback).toBeUndefined();
    const without = of([ask]).due(0).answer(2, refused).due(3).answer(4, refused);
    expect(without.conversation).toMatchObject({ status: 'failed', reason: 'provider_rejected', sequence: 2 });
    expect(without.counters).toMatchObject({ 'messages.failed': 2, failed: 1 });
  });

  test.each<[string, RowOutcome]>([
    ['an opt-out that its provider knows of', { ...refused, code: 'opted_out' } as RowOutcome],
    ['a recipient that the channel is not to write to', { ...refused, code: 'not_allowed' } as RowOutcome],
    ['one that may have left', { kind: 'unknown', code: 'timeout', message: 'nobody knows' }],
  ])('%s leads to no fallback', (_, outcome) => {
    const story = of([ask]).due(0).answer(2, outcome).due(3);
    expect(rowsOf(story)).toHaveLength(1);
    expect(story.conversation.fallback).toBeUndefined();
  });

  test('the stage that the flow moved on to was not entered', () => {
    const flow = [
      { ...ask, waitForReply: undefined },
      { id: 'more', type: 'message', channel: 'sms', content, delay: 'PT9S' },
    ];
    const story = of(flow).due(0);
    expect(story.conversation.stage).toBe('more');
    story.answer(1, refused);
    expect(story.counters).toMatchObject({ 'stages.ask.entered': 1 });
    expect(story.counters).not.toHaveProperty(['stages.more.entered']);
    story.due(2).answer(3, sent).due(30).answer(31, sent);
    expect(rowsOf(story).slice(1)).toEqual(['2 ask/0 sms! sent', '3 more/0 sms sent']);
    expect(story.counters).toMatchObject({ 'stages.ask.entered': 1, 'stages.more.entered': 1 });
    expect(story.conversation).toMatchObject({ status: 'completed', outcome: 'finished' });
  });

  test('an event that led on comes first', () => {
    const story = of([{ ...ask, on: { custom: 'quiet' } }, quiet])
      .due(0)
      .events(1, { type: 'custom' });
    story.answer(2, refused).due(3);
    expect(rowsOf(story)).toEqual(['1 ask/0 push failed provider_rejected']);
    expect(story.conversation.outcome).toBe('no_answer');
  });

  test('it keeps to the window of its stage', () => {
    const sendWindow = { from: '09:00', to: '09:10', timezone: 'UTC' };
    const story = of([{ ...ask, sendWindow }])
      .due(0)
      .answer(660, refused);
    expect(story.conversation).toMatchObject({ delayed: 'window', nextActionAt: new Date(seconds(86_400)) });
    story.due(86_400).answer(86_401, sent);
    expect(rowsOf(story)[1]).toBe('2 ask/0 sms! sent');
  });
});

describe('what cannot be sent', () => {
  const { url: _, ...without } = anna;

  test('no address: both messages are decided at once', () => {
    const story = of([ask], {}, without).due(0);
    expect(rowsOf(story)).toEqual(['1 ask/0 push skipped address_missing', '2 ask/0 sms! sending']);
    expect(story.counters).toMatchObject({ 'messages.skipped': 1, pending: 1 });
  });

  test('nor one there: it goes on as silence does', () => {
    const story = of([ask], {}, { id: 'anna' }).due(0);
    expect(rowsOf(story)).toEqual(['1 ask/0 push skipped address_missing', '2 ask/0 sms! skipped address_missing']);
    expect(story.conversation).toMatchObject({ status: 'active', step: 1, sequence: 2 });
  });

  test('content that fails: only where the fallback says something else', () => {
    const missing = { text: '{{ variables.missing }}' };
    const same = of([{ ...ask, content: missing }]).due(0);
    expect(rowsOf(same)).toEqual(['1 ask/0 push failed template_variable_missing']);
    expect(same.conversation.status).toBe('failed');
    const other = of([{ ...ask, content: missing, fallback: { channel: 'sms', content } }]).due(0);
    expect(rowsOf(other)).toEqual(['1 ask/0 push failed template_variable_missing', '2 ask/0 sms! sending']);
  });

  test('a limit, or that it is late, leads to none', () => {
    const late = { after: { months: 0, ms: 1000 }, policy: 'skip' } as const;
    const skipped = of([ask], { flow: { ...contextOf([ask]).flow, late } }).due(10);
    expect(rowsOf(skipped)).toEqual(['1 ask/0 push skipped late_skipped']);
    const cap = { count: 1, per: { months: 0, ms: 3_600_000 }, delays: false };
    const before = of([ask], { cap, campaignId: 'winter' }).due(0);
    const capped = of([ask], { cap });
    capped.limits = before.limits;
    expect(rowsOf(capped.due(1))).toEqual(['1 ask/0 push skipped frequency_cap']);
    expect([skipped, capped].map(({ conversation }) => conversation.fallback)).toEqual([undefined, undefined]);
  });

  test('a message that failed counts no more for the limit of its contact: the fallback leaves', () => {
    const cap = { count: 1, per: { months: 0, ms: 3_600_000 }, delays: false };
    const story = of([ask], { cap }).due(0).answer(1, refused).due(2);
    expect(rowsOf(story)[1]).toBe('2 ask/0 sms! sending');
    const taken = of([ask], { cap }).due(0).answer(1, refused);
    const other = of([ask], { cap, campaignId: 'winter' });
    other.limits = taken.limits;
    other.due(2);
    expect(rowsOf(taken.due(3))[1]).toBe('2 ask/0 sms! skipped frequency_cap');
  });
});

describe('opt-outs are not got round', () => {
  const refuse = (...entries: [string, Refusal][]): Refusals => new Map(entries);
  const after = { channel: 'sms', after: 'PT10M' };

  test.each<Refusal>(['suppressed', 'unsubscribed_topic'])('who is %s gets nothing by the fallback', (why) => {
    const story = of([ask]).decide(0, { slot: true, refusals: refuse(['push', why]) });
    expect(rowsOf(story)).toEqual([`1 ask/0 push skipped ${why}`]);
    expect(story.conversation).toMatchObject({ status: 'suppressed', reason: why });
  });

  test('an address that bounced is no opt-out', () => {
    const refusals = refuse(['push', 'bounced']);
    const story = of([ask]).decide(0, { slot: true, refusals });
    expect(rowsOf(story)).toEqual(['1 ask/0 push skipped suppressed', '2 ask/0 sms! sending']);
    const both = of([ask]).decide(0, { slot: true, refusals: refuse(['push', 'bounced'], ['sms', 'bounced']) });
    expect(rowsOf(both)).toEqual(['1 ask/0 push skipped suppressed', '2 ask/0 sms! skipped suppressed']);
    expect(both.conversation.status).toBe('suppressed');
  });

  test('whoever left where the message was to go meanwhile gets it nowhere', () => {
    const refusals = refuse(['push', 'unsubscribed_topic']);
    const story = of([ask]).due(0).answer(1, refused).decide(2, { slot: true, refusals });
    expect(rowsOf(story)[1]).toBe('2 ask/0 sms! skipped unsubscribed_topic');
    const again = of([ask]).due(0).answer(1, refused).due(2).answer(3, busy).decide(99, { slot: true, refusals });
    expect(rowsOf(again)[1]).toBe('2 ask/0 sms! skipped unsubscribed_topic');
    const transactional = of([ask], { transactional: true }).due(0).answer(1, refused);
    expect(rowsOf(transactional.decide(2, { slot: true, refusals }))[1]).toBe('2 ask/0 sms! sending');
  });

  test('whoever left the fallback keeps the conversation as long as a channel is left', () => {
    const more = { id: 'more', type: 'message', channel: 'push', content };
    const refusals = refuse(['sms', 'suppressed']);
    const story = of([ask, more]).due(0).answer(1, refused).decide(2, { slot: true, refusals });
    expect(rowsOf(story)[1]).toBe('2 ask/0 sms! skipped suppressed');
    expect(story.conversation.status).toBe('active');
  });

  test('a row that waited, of an address that bounced meanwhile', () => {
    const refusals = refuse(['push', 'bounced']);
    const story = of([ask]).due(0).answer(1, busy).decide(99, { slot: true, refusals });
    expect(rowsOf(story)).toEqual(['1 ask/0 push skipped suppressed', '2 ask/0 sms! sending']);
    // nobody knows whether it left before
    const lost = of([ask]).due(0).answer(1, { kind: 'lost' }).decide(99, { slot: true, refusals });
    expect(rowsOf(lost)).toEqual(['1 ask/0 push uncertain uncertain']);
  });

  test('an opt-out ends a conversation whose message waits for another try, or to give way', () => {
    for (const fallback of [ask.fallback, after]) {
      const story = of([{ ...ask, fallback }])
        .due(0)
        .answer(1, busy)
        .events(2, { type: 'unsubscribe', channel: 'push' });
      expect(story.conversation.status).toBe('suppressed');
      expect(rowAt(story, 1)).toMatchObject({ status: 'skipped', reason: 'suppressed', channel: 'push' });
    }
    const behind = { id: 'behind', type: 'message', channel: 'sms', content, delay: 'PT9S' };
    const flow = [{ ...ask, waitForReply: undefined, fallback: after }, behind];
    const moved = of(flow).due(0).answer(1, busy).events(2, { type: 'unsubscribe', channel: 'push' });
    expect(moved.conversation.status).toBe('suppressed');
  });

  test('and one whose last message went by the fallback, but not by a channel it has left', () => {
    const fallen = (): Story => of([ask]).due(0).answer(1, refused).due(2).answer(3, sent);
    expect(fallen().events(4, { type: 'unsubscribe', channel: 'sms' }).conversation.status).toBe('suppressed');
    expect(fallen().events(4, { type: 'unsubscribe' }).decision.unit?.suppressions).toMatchObject([
      { suppression: { _id: 'sms:news:h+491' } },
    ]);
    expect(fallen().events(4, { type: 'unsubscribe', channel: 'push' }).conversation.status).toBe('active');
    const pending = of([ask]).due(0).answer(1, refused).events(2, { type: 'unsubscribe', channel: 'push' });
    expect(pending.conversation.status).toBe('suppressed');
  });
});

describe('what its provider took and could not deliver', () => {
  test.each([{ type: 'failed' }, { type: 'bounce' }])(
    '%j: the fallback takes its place, before on leads on',
    (event) => {
      const story = of([{ ...ask, on: { failed: 'quiet', bounce: 'quiet' } }, quiet])
        .due(0)
        .answer(1, sent);
      const rows = [...story.rows.values()];
      story.decide(5, { conversation: { ...story.conversation, inbox: [{ id: 'e', ...event }] } as never, rows });
      expect(story.conversation).toMatchObject({ stage: 'ask', step: 0, nextChannel: 'sms', fallback: true });
      story.due(6).answer(7, sent);
      expect(rowsOf(story)).toEqual(['1 ask/0 push bounced', '2 ask/0 sms! sent']);
      expect(rowAt(story, 1).gaveWay).toBe(true);
    },
  );

  test.each<[string, unknown, string]>([
    ['a mailbox that is full', { type: 'bounce', data: { soft: true } }, 'active'],
    ['of no known message', { type: 'bounce', data: { messageId: 'another' } }, 'suppressed'],
  ])('%s leads to none', (_, event, status) => {
    const story = of([ask]).due(0).answer(1, sent);
    const rows = [...story.rows.values()];
    story.decide(5, {
      conversation: { ...story.conversation, inbox: [{ id: 'e', ...(event as object) }] } as never,
      rows,
    });
    expect(story.conversation.status).toBe(status);
    expect(story.conversation.fallback).toBeUndefined();
  });

  test('told twice, or once the next message went out, it leads to none', () => {
    const story = of([ask]).due(0).answer(1, sent);
    const tell = (second: number, id: string, type = 'failed'): Story =>
      story.decide(second, {
        conversation: { ...story.conversation, inbox: [{ id, type, data: { messageId: 'spring:anna/1' } }] } as never,
        rows: [...story.rows.values()],
      });
    tell(5, 'e1');
    const { conversation } = tell(6, 'e2', 'bounce');
    expect(conversation).toMatchObject({ status: 'active', stage: 'ask', step: 0, nextActionAt: new Date(seconds(5)) });
    story.due(7).answer(8, sent);
    tell(9, 'e3');
    expect(story.conversation).toMatchObject({ status: 'active', step: 1 });
  });

  test('what becomes of it later leads nowhere; of a follow-up it does', () => {
    const followUps = [{ after: 'PT1H', channel: 'sms' }, { after: 'PT1H' }];
    const story = of([{ ...ask, followUps, on: { bounce: 'quiet' } }, quiet])
      .due(0)
      .answer(1, refused)
      .due(2);
    const tell = (n: number): Story =>
      story.decide(9, {
        conversation: {
          ...story.conversation,
          inbox: [{ id: `e${n}`, type: 'bounce', data: { messageId: `spring:anna/${n}` } }],
        } as never,
        rows: [...story.rows.values()],
      });
    story.answer(3, sent);
    expect(tell(1).conversation).toMatchObject({ status: 'active', step: 1 });
    story.due(9999).answer(10_000, sent);
    expect(tell(3).conversation.stage).toBe('quiet');
  });

  test('told while its answer is on its way: the fallback waits for that, and no other try is made', () => {
    const inFlight = (): Story => {
      const story = of([ask]).due(0);
      story.events(1);
      return story.decide(2, {
        conversation: { ...story.conversation, inbox: [{ id: 'e', type: 'failed' }] } as never,
        rows: [...story.rows.values()],
      });
    };
    const told = inFlight().due(3);
    const row = { ...(told.row as Message), bouncedAt: new Date(seconds(2)) };
    const answered = told.answer(4, sent, { row }).due(5);
    expect(rowsOf(answered)).toEqual(['1 ask/0 push bounced', '2 ask/0 sms! sending']);
    const retried = inFlight().answer(4, busy).due(5);
    expect(rowsOf(retried)).toEqual(['1 ask/0 push skipped superseded', '2 ask/0 sms! sending']);
  });
});

describe('follow-ups', () => {
  const followUps = [
    { after: 'PT1H' },
    { after: 'PT1H', content: { text: 'Still there?' } },
    { after: 'PT1H', channel: 'mail' },
  ];
  const all = new Map([...channels, ['mail', facts('mail', 'email', { needs: [] })]]);
  const stage = { ...ask, followUps, fallback: { channel: 'sms', content: { text: 'Short' } } };
  const contact = { ...anna, email: 'a@a.test' };
  const flow = (): FlowContext => {
    const compiled = compileFlow({ stages: [stage] } as Flow, { channels: all, bulk: true, unsubscribe: true });
    return { ...contextOf([ask]), channels: all, flow: compiled.flow as NonNullable<typeof compiled.flow> };
  };
  const said = (story: Story): string[] =>
    [...story.rows.values()].map(({ step, channel, content }) => `${step} ${channel} ${content?.text}`);

  test('go by the channel of their stage, or their own', () => {
    const story = new Story(flow(), contact).due(0).answer(1, sent);
    for (let n = 1; n <= 3; n++) story.due(n * 4000).answer(n * 4000 + 1, sent);
    expect(said(story)).toEqual(['0 push Hello', '1 push Hello', '2 push Still there?', '3 mail Hello']);
    expect(story.counters['messages.followUps']).toBe(3);
  });

  test('go by the fallback once their stage does, and say there what is their own', () => {
    const story = new Story(flow(), contact).due(0).answer(1, refused).due(2).answer(3, sent);
    expect(story.conversation).toMatchObject({ step: 1, nextChannel: 'sms' });
    for (let n = 1; n <= 3; n++) story.due(n * 4000).answer(n * 4000 + 1, sent);
    const expected = ['0 push Hello', '0 sms Short', '1 sms Short', '2 sms Still there?', '3 mail Hello'];
    expect(said(story)).toEqual(expected);
    expect([...story.rows.values()].map(({ fallback }) => fallback === true)).toEqual([false, true, true, true, false]);
  });

  test('fall back themselves, in their own step', () => {
    const story = new Story(flow(), contact).due(0).answer(1, sent).due(4000).answer(4001, refused);
    expect(story.conversation).toMatchObject({ stage: 'ask', step: 1, nextChannel: 'sms', fallback: true });
    story.due(4002).answer(4003, sent);
    expect(said(story)).toEqual(['0 push Hello', '1 push Hello', '1 sms Short']);
    expect(story.counters).toMatchObject({ 'messages.followUps': 1, 'stages.ask.sent': 2 });
  });

  test('one of its own channel does not', () => {
    const story = new Story(flow(), contact).due(0).answer(1, sent);
    for (let n = 1; n <= 2; n++) story.due(n * 4000).answer(n * 4000 + 1, sent);
    story.due(12_000).answer(12_001, refused);
    expect(story.conversation.status).toBe('failed');
  });

  test('a stage that is entered again begins with its own channel, from elsewhere or from itself', () => {
    const again = { ...ask, delay: 'PT1S', waitForReply: undefined, on: { noReply: 'ask', custom: 'ask' } };
    const story = of([again]).due(1).answer(2, refused);
    expect(story.conversation).toMatchObject({ stage: 'ask', step: 0, nextChannel: 'sms', fallback: true });
    story.due(3).answer(4, sent);
    expect(story.conversation).toMatchObject({ stage: 'ask', step: 0, nextChannel: 'push' });
    expect(story.conversation.fallback).toBeUndefined();
    expect(story.counters['stages.ask.entered']).toBe(1);
    const led = of([{ ...again, waitForReply: 'P1D' }])
      .due(1)
      .answer(2, refused)
      .events(3, { type: 'custom' });
    expect(led.conversation).toMatchObject({ step: 0, nextChannel: 'push', nextActionAt: new Date(seconds(4)) });
    // counted as entered when its last follow-up was decided, and not yet
    const round = { ...again, followUps: [{ after: 'PT1S' }] };
    const late = of([round]).due(1).answer(2, sent).due(9);
    expect(late.counters['stages.ask.entered']).toBe(2);
    expect(late.answer(10, refused).counters['stages.ask.entered']).toBe(1);
  });
});

describe('by time', () => {
  const hasNoRoom = { slot: true, hasRoom: () => false };
  const held = (retryAfterMs: number): RowOutcome =>
    ({ ...busy, code: 'http_429', counts: false, retryAfterMs }) as RowOutcome;
  const late = { ...ask, fallback: { channel: 'sms', after: 'PT1M' } };
  const first = (outcome: RowOutcome, more: object = {}): Story =>
    of([{ ...late, ...more }])
      .due(0)
      .answer(1, outcome);

  test('one that waits for another try gives way when the time is up, whatever room its channel has', () => {
    const story = first(held(1_800_000));
    expect(story.conversation).toMatchObject({
      ...{ awaiting: 'spring:anna/1', delayed: 'retry', nextChannel: '-', nextActionAt: new Date(seconds(60)) },
    });
    story.decide(60, { slot: true, hasRoom: (channel) => channel === 'sms' });
    expect(rowsOf(story)).toEqual(['1 ask/0 push skipped superseded', '2 ask/0 sms! sending']);
    expect(story.counters).toMatchObject({ 'messages.skipped': 1, 'reasons.superseded': 1, pending: 1 });
    expect(story.answer(61, sent).counters['pending']).toBeUndefined();
    expect(story.conversation).toMatchObject({ status: 'active', step: 1, sequence: 2 });
    expect(story.conversation.awaiting).toBeUndefined();
  });

  test('it is tried before that where its turn comes, and goes out as any other', () => {
    const story = first(held(30_000));
    expect(story.conversation.nextActionAt).toEqual(new Date(seconds(31)));
    story.due(31).answer(32, sent);
    expect(rowsOf(story)).toEqual(['1 ask/0 push sent']);
    expect(story.conversation).toMatchObject({ step: 1 });
    expect(story.conversation.fallback).toBeUndefined();
  });

  test('an answer that comes after the time is up lets it give way at once', () => {
    const story = of([late]).due(0).answer(70, busy);
    expect(rowsOf(story)).toEqual(['1 ask/0 push skipped superseded']);
    expect(story.conversation).toMatchObject({ nextChannel: 'sms', nextActionAt: new Date(seconds(70)), step: 0 });
  });

  test('behind a channel without room it is looked at ever more often, and its history is not filled with that', () => {
    const story = first(held(20_000));
    story.decide(21, hasNoRoom);
    expect(story.conversation.nextActionAt).toEqual(new Date(seconds(21) + 39_000 / 8));
    expect(story.conversation.nextChannel).toBe('-');
    story.decide(58, hasNoRoom);
    expect(story.conversation.nextActionAt).toEqual(new Date(seconds(59)));
    story.decide(59.5, hasNoRoom);
    expect(story.conversation.nextActionAt).toEqual(new Date(seconds(60)));
    expect(story.conversation.history.filter(({ event }) => event === 'retry')).toHaveLength(1);
    story.decide(60, hasNoRoom);
    expect(story.conversation).toMatchObject({ nextChannel: 'sms', sequence: 1 });
    expect(rowsOf(story.due(61))).toEqual(['1 ask/0 push skipped superseded', '2 ask/0 sms! sending']);
  });

  test('a pause of its campaign is not held against its channel: the time begins anew when that is over', () => {
    const story = first(held(30_000));
    const run = {
      settled: false,
      status: 'running',
      pauses: [{ from: new Date(seconds(5)), until: new Date(seconds(500)) }],
    };
    story.context = contextsNow(new Map([[undefined, story.context]]), run as unknown as Run).get(
      undefined,
    ) as FlowContext;
    story.decide(501, hasNoRoom);
    expect(rowAt(story, 1)).toMatchObject({ status: 'queued' });
    expect(story.conversation.nextActionAt).toEqual(new Date(seconds(501) + 59_000 / 8));
    story.decide(560, hasNoRoom);
    expect(rowsOf(story.due(561))).toEqual(['1 ask/0 push skipped superseded', '2 ask/0 sms! sending']);
  });

  test('nor ever more seldom than every 30 s: its channel may be back', () => {
    const story = of([{ ...late, fallback: { ...late.fallback, after: 'PT1H' } }])
      .due(0)
      .answer(1, held(20_000));
    story.decide(21, hasNoRoom);
    expect(story.conversation).toMatchObject({ nextChannel: '-', nextActionAt: new Date(seconds(51)) });
    story.decide(51, hasNoRoom);
    expect(story.conversation.nextActionAt).toEqual(new Date(seconds(81)));
    expect(rowsOf(story.due(81))).toEqual(['1 ask/0 push sending']);
  });

  test('nothing gives way while it is on its way, or may have left', () => {
    expect(rowsOf(of([late]).due(0).due(61))).toEqual(['1 ask/0 push sending']);
    const doubt = first({ ...busy, mayHaveLeft: true } as RowOutcome);
    expect(doubt.conversation.nextChannel).toBe('push');
    expect(rowAt(doubt, 1).mayHaveLeft).toBe(true);
    // nor after a try that is known to have failed
    doubt.due(50).answer(70, busy);
    expect(doubt.conversation).toMatchObject({ awaiting: 'spring:anna/1', nextChannel: 'push' });
    doubt.due(80).answer(81, refused).due(82);
    expect(rowsOf(doubt)).toEqual(['1 ask/0 push failed provider_rejected', '2 ask/0 sms! sending']);
    const lost = of([late]).due(0).answer(70, { kind: 'lost' });
    expect(lost.conversation).toMatchObject({ awaiting: 'spring:anna/1', nextChannel: 'push' });
    expect(rowsOf(lost.due(71))).toEqual(['1 ask/0 push sending']);
  });

  test('what was held back before it left gives way as well', () => {
    const story = of([late]).due(0).answer(1, { kind: 'held' });
    expect(story.conversation).toMatchObject({ nextChannel: '-', nextActionAt: new Date(seconds(1)) });
    expect(rowsOf(story.due(2))).toEqual(['1 ask/0 push sending']);
    expect(rowsOf(story.answer(70, { kind: 'held' }).due(71))[0]).toBe('1 ask/0 push skipped superseded');
  });

  test('the time counts from when it was due, or decided if that was later, and a closed window is not held against it', () => {
    const decidedLate = of([late]).due(3600).answer(3601, held(1_800_000));
    expect(decidedLate.conversation.nextActionAt).toEqual(new Date(seconds(3660)));
    const sendWindow = { from: '09:00', to: '10:00', timezone: 'UTC' };
    const closed = of([{ ...late, sendWindow }])
      .due(3590)
      .answer(3595, held(60_000));
    // opens at 9 the next day
    expect(closed.conversation).toMatchObject({ delayed: 'window', nextActionAt: new Date(seconds(86_400)) });
    closed.due(86_400).answer(86_401, held(3_000_000));
    expect(closed.conversation.nextActionAt).toEqual(new Date(seconds(86_460)));
    const again = of([{ ...late, sendWindow, fallback: { channel: 'sms', after: 'PT5M' } }]).due(3500);
    again.answer(3501, held(98_000)).due(3601);
    expect(again.conversation).toMatchObject({ awaiting: 'spring:anna/1', nextActionAt: new Date(seconds(86_400)) });
  });

  test('a row that somebody removed is not waited for; nor one whose stage says nothing of time any more', () => {
    const story = first(held(30_000));
    story.rows.clear();
    story.decide(31, hasNoRoom);
    expect(story.conversation).toMatchObject({ awaiting: 'spring:anna/1', nextActionAt: new Date(seconds(31)) });
    story.due(32);
    expect(story.conversation).toMatchObject({ status: 'active', step: 1 });
    const changed = first(held(30_000));
    changed.context = contextOf([ask]);
    changed.decide(31, hasNoRoom);
    expect(changed.conversation).toMatchObject({ nextChannel: 'push', nextActionAt: new Date(seconds(31)) });
    const answered = first(held(30_000));
    answered.rows.set('spring:anna/1', { ...rowAt(answered, 1), status: 'sent' });
    expect(answered.due(61).conversation).toMatchObject({ step: 1, status: 'active' });
  });

  test('nor is the time in which a limit has no room', () => {
    const ramp = { ...limitsOf({ limits: { ramp: ['1/h'] }, startedAt: new Date(t0) } as never) };
    const story = of([late], ramp).due(3590).answer(3591, held(15_000));
    const other = of([ask], ramp);
    other.limits = story.limits;
    other.due(3601);
    story.due(3606);
    expect(story.conversation).toMatchObject({ awaiting: 'spring:anna/1', delayed: 'warm_up', nextChannel: '-' });
    const { dueAt } = rowAt(story, 1);
    expect(story.conversation.nextActionAt).toEqual(dueAt);
    expect(dueAt.getTime()).toBeGreaterThanOrEqual(seconds(7200));
  });

  test('a conversation ends as any other while its message waits to give way', () => {
    const story = first(held(30_000)).events(2, { type: 'reply' });
    expect(story.conversation).toMatchObject({ status: 'completed', outcome: 'replied' });
    expect(rowsOf(story)).toEqual(['1 ask/0 push skipped replied']);
    const stopped = first(held(30_000)).stop(2, 'campaign_cancelled');
    expect(rowsOf(stopped)).toEqual(['1 ask/0 push skipped campaign_cancelled']);
  });
});

describe('the flow is checked', () => {
  const compile = (stage: object) =>
    compileFlow({ stages: [stage] } as Flow, {
      ...{ channels: new Map([...channels, ['mail', facts('mail', 'email', { needs: ['text', 'html'] })]]) },
      ...{ bulk: true, unsubscribe: false },
    }).faults.map(({ code, path }) => `${code} ${path}`);
  const html = { subject: 'Hi', html: '<p>Hi</p>' };
  const at = 'flow.stages[0]';

  test.each<[object, string[]]>([
    [{ fallback: 'sms' }, [`stage_invalid ${at}.fallback`]],
    [{ fallback: {} }, [`channel_unknown ${at}.fallback.channel`]],
    [{ fallback: { channel: 'pigeon' } }, [`channel_unknown ${at}.fallback.channel`]],
    [{ fallback: { channel: 'push' } }, [`stage_invalid ${at}.fallback.channel`]],
    [{ fallback: { channel: 'sms', after: 'PT0S' } }, [`duration_invalid ${at}.fallback.after`]],
    [{ fallback: { channel: 'sms', after: 5 } }, [`duration_invalid ${at}.fallback.after`]],
    [{ fallback: { channel: 'sms', content: html } }, [`content_missing ${at}.fallback.content`]],
    [{ fallback: { channel: 'sms', content: { text: '{{' } } }, [`template_invalid ${at}.fallback.content.text`]],
    [{ fallback: { channel: 'mail' } }, ['unsubscribe_missing unsubscribe']],
  ])('%j: %j', (more, expected) => {
    expect(compile({ ...ask, ...more })).toEqual(expected);
  });

  test('what the channel of the fallback needs, the stage and its follow-ups have to say', () => {
    const mail = { ...ask, channel: 'mail', content: html, fallback: { channel: 'sms' } };
    const lacks = (more: object): string[] => compile({ ...mail, ...more }).filter((one) => !one.startsWith('unsub'));
    expect(lacks({})).toEqual([`content_missing ${at}.fallback.channel`]);
    const fallback = { channel: 'sms', content };
    expect(lacks({ fallback })).toEqual([]);
    const followUps = [
      { after: 'P1D' },
      { after: 'P1D', content: html },
      { after: 'P1D', content: { ...html, text: 'Hi' } },
    ];
    expect(lacks({ fallback, followUps })).toEqual([`content_missing ${at}.followUps[1].content`]);
  });

  test('its channel is one of the flow', () => {
    expect(contextOf([ask]).flow.channels).toEqual(['push', 'sms']);
    expect(channelsOf({ stages: [ask] } as Flow)).toEqual(['push', 'sms']);
    const messages = flowMessages(
      { stages: [{ ...ask, followUps: [{ after: 'P1D' }, { after: 'P1D', channel: 'sms' }] }] } as Flow,
      'flow',
    );
    expect(
      messages.map(({ step, channel, path, fallback, fallsBack }) => [step, channel, path, fallback, fallsBack]),
    ).toEqual([
      [0, 'push', at, undefined, true],
      [0, 'sms', `${at}.fallback`, true, undefined],
      [1, 'push', `${at}.followUps[0]`, undefined, true],
      [2, 'sms', `${at}.followUps[1]`, undefined, undefined],
    ]);
  });
});

describe('what its author and its operator see', () => {
  const late = { ...ask, fallback: { channel: 'sms', after: 'PT1M', content: { text: 'Short {{ contact.name }}' } } };
  const told = ({ conversation, rows }: Story): string[] =>
    story(conversation, [...rows.values()]).map(({ at, text }) => `${((at?.getTime() ?? 0) - t0) / 1000} ${text}`);
  const context = ({ conversation, rows }: Story, second: number): StoryContext => ({
    ...{ conversation, rows: [...rows.values()], campaign: { status: 'running' }, sending: 'on' },
    run: { status: 'running', settled: false, flow: { stages: [late] } as Flow, startedAt: new Date(t0) },
    ...{ members: [{ _id: 'm1', channels: ['push', 'sms'] }], owner: 'm1', ownerAlive: true, now: seconds(second) },
  });

  test('the story of a message that failed, and of one that was late', () => {
    expect(told(of([late]).due(0).answer(2, refused).due(3).answer(4, sent))).toEqual(
      expect.arrayContaining([
        '2 message 1 cannot be delivered: the fallback takes its place, on channel sms',
        '3 message 2 (of stage ask) decided, channel sms to +491',
        '4 message 2 sent',
      ]),
    );
    expect(told(of([late]).due(0).answer(1, busy).due(60))).toEqual(
      expect.arrayContaining([
        '60 message 1 was not sent in time: the fallback takes its place, on channel sms',
        '60 message 1 skipped: another message took its place; http_500: busy',
      ]),
    );
  });

  test('what comes next, and why it has not come', () => {
    const waits = of([late])
      .due(0)
      .answer(1, { ...busy, retryAfterMs: 1_800_000 } as RowOutcome);
    const next = nextOf(context(waits, 5));
    expect(next).toMatchObject({
      ...{ what: 'retry', channel: 'push', at: new Date(seconds(60)) },
      text: 'another try of message 1 on channel push, or the fallback of its stage in its place',
    });
    expect(whyOf(context(waits, 5), next).map(({ text }) => text)).toEqual([
      'its message waits for another try, at 2026-01-05T09:01:00.000Z, since http_500: busy',
    ]);
    const gone = { ...context(waits, 5), rows: [] };
    expect(nextOf(gone).text).toContain('another try of message 1 on channel -');
    const plain = of([ask]).due(0).answer(1, busy);
    expect(nextOf(context(plain, 2)).text).toBe('another try of message 1 on channel push');
    const fallen = of([late]).due(0).answer(2, refused);
    expect(nextOf(context(fallen, 2))).toMatchObject({
      text: 'the message of stage ask on channel sms',
      channel: 'sms',
    });
  });

  test('the message of the fallback is looked at as any other, for each contact', () => {
    const { flow } = contextOf([late]);
    const messages = flowMessages({ stages: [late] } as Flow, 'flow');
    expect(messages[1]?.templates.base).toMatchObject([{ path: 'flow.stages[0].fallback.content.text' }]);
    const letters = [letterAt(flow.stages.get('ask'), 0), letterAt(flow.stages.get('ask'), 0, true)];
    expect(letters.map((letter) => letter?.channel)).toEqual(['push', 'sms']);
    const checks = new ContactChecks(contextOf([late]), messages);
    checks.look({ id: 'anna', phone: '+491', name: 'Anna' }, 'line 1');
    checks.look({ id: 'bert', url: 'https://b.test/' }, 'line 2');
    expect(checks.warnings().map(({ path, message }) => `${path}: ${message}`)).toEqual([
      'flow.stages[0].channel: 1 of 2 contacts lack url, the address of channel "push": they go by its fallback, first: id anna at line 1',
      'flow.stages[0].fallback.channel: 1 of 2 contacts lack phone, the address of channel "sms": its messages are skipped, first: id bert at line 2',
    ]);
  });

  test('another version of the flow says where a message goes that is to fall back', () => {
    const followUps = [{ after: 'PT1H' }];
    const story = of([{ ...ask, followUps }])
      .due(0)
      .answer(1, sent)
      .due(4000);
    // its follow-ups go by another channel now
    story.context = contextOf([{ ...ask, followUps: [{ after: 'PT1H', channel: 'sms' }] }]);
    expect(story.answer(4001, refused).conversation.status).toBe('failed');
    const shorter = of([{ ...ask, followUps }])
      .due(0)
      .answer(1, sent)
      .due(4000)
      .answer(4001, sent);
    shorter.context = contextOf([ask]);
    shorter.events(4002, { type: 'unsubscribe' });
    expect(shorter.conversation.status).toBe('suppressed');
  });
});

test('a simulation goes by the fallback as the worker does', () => {
  const contacts = Array.from({ length: 20 }, (_, n) => ({ ...anna, id: n }));
  const half = { stage: 'ask', share: 0.5, after: { months: 0, ms: 0 } };
  const refusing = simulated([ask], { contacts, failures: [half] });
  const by = (is: typeof refusing, wanted: string): number =>
    is.messages.filter(({ channel, status, reason }) => `${channel} ${status} ${reason ?? ''}`.trim() === wanted)
      .length;
  const failed = by(refusing, 'push failed provider_rejected');
  expect([failed > 3, by(refusing, 'push sent') + failed]).toEqual([true, 20]);
  expect(by(refusing, 'sms sent') + by(refusing, 'sms failed provider_rejected')).toBe(failed);
  // another try comes after half a second
  const late = { ...ask, fallback: { channel: 'sms', after: 'PT0.2S' } };
  const slow = simulated([late], { contacts, retries: [{ ...half, share: 1 }] });
  expect(by(slow, 'push skipped superseded')).toBeGreaterThan(3);
  expect(by(slow, 'push sent') + by(slow, 'sms sent')).toBe(20);
});

test('a receipt that ends a message which was to be tried again: it waits no more, and the fallback takes its place', () => {
  const story = of([ask])
    .due(0)
    .answer(2, { ...busy, mayHaveLeft: true } as RowOutcome);
  expect(rowAt(story, 1)).toMatchObject({ status: 'queued', pending: true });
  const event = { id: 'f1', type: 'failed', data: { messageId: 'spring:anna/1' } };
  story.decide(3, {
    conversation: { ...story.conversation, inbox: [event] } as never,
    rows: [...story.rows.values()],
  });
  expect(rowAt(story, 1).pending).toBeUndefined();
  expect(rowAt(story, 1).status).not.toBe('queued');
  expect(story.due(4).row).toMatchObject({ channel: 'sms', fallback: true });
  story.answer(5, sent);
  expect(story.counters['pending']).toBeUndefined();
});

test('a message that took the place of another has no fallback, although its stage has changed its channels meanwhile', () => {
  const story = of([ask]).due(0).answer(1, refused).due(2);
  expect(story.row).toMatchObject({ channel: 'sms', fallback: true });
  story.context = contextOf([{ ...ask, channel: 'sms', fallback: { channel: 'push' } }], { addressBook: book });
  story.answer(3, refused);
  expect(story.conversation).toMatchObject({ status: 'failed' });
  expect(story.rows.size).toBe(2);
});

describe('one that is not decided yet, on a channel that is left alone', () => {
  const late = { ...ask, fallback: { channel: 'sms', after: 'PT1M' } };
  const rests = (since: number) => ({
    ...{ slot: true, hasRoom: (channel: string) => channel === 'sms' },
    restingSince: (channel: string) => (channel === 'push' ? seconds(since) : undefined),
  });

  test('gives way when it was due for so long, as one that was written does', () => {
    const story = of([late]).decide(59, rests(-100));
    expect([story.decision.unit, story.rows.size]).toEqual([undefined, 0]);
    story.decide(60, rests(-100));
    expect(rowsOf(story)).toEqual(['1 ask/0 push skipped superseded', '2 ask/0 sms! sending']);
    expect(story.conversation).toMatchObject({ fallback: true, stage: 'ask', sequence: 2 });
    story.answer(62, sent);
    expect(rowsOf(story)).toEqual(['1 ask/0 push skipped superseded', '2 ask/0 sms! sent']);
    expect(story.counters).toMatchObject({
      ...{ 'messages.skipped': 1, 'reasons.superseded': 1, 'messages.sent': 1 },
      ...{ 'stages.ask.entered': 1, 'stages.ask.sent': 1 },
    });
    expect(story.counters['pending']).toBeUndefined();
  });

  test('the time before the channel was left alone counts for nothing, nor does a pause, nor a closed window', () => {
    const story = of([late]).decide(500, rests(450));
    expect(story.rows.size).toBe(0);
    expect(story.decide(510, rests(450)).rows.size).toBe(2);
    const resumed = of([late], { resumedAt: seconds(480) }).decide(539, rests(0));
    expect(resumed.rows.size).toBe(0);
    expect(resumed.decide(540, rests(0)).rows.size).toBe(2);
  });

  test('without a time it waits, as does what goes by the fallback already, and every other stage', () => {
    expect(of([ask]).decide(5_000, rests(0)).rows.size).toBe(0);
    expect(of([{ ...late, channel: 'sms', fallback: { channel: 'push', after: 'PT1M' } }]).due(0).rows.size).toBe(1);
    const second = of([late]).due(0).answer(1, refused);
    const noneHasRoom = { slot: true, hasRoom: () => false, restingSince: () => seconds(0) };
    expect(second.decide(5_000, noneHasRoom).rows.size).toBe(1);
  });

  test('a follow-up on its channel, too', () => {
    const story = of([{ ...late, followUps: [{ after: 'PT10M' }] }])
      .due(0)
      .answer(1, sent);
    story.decide(659, rests(0));
    expect(story.rows.size).toBe(1);
    story.decide(660, rests(0));
    expect(rowsOf(story)).toEqual(['1 ask/0 push sent', '2 ask/1 push skipped superseded', '3 ask/1 sms! sending']);
  });
});
