import { describe, expect, test } from '@jest/globals';
import { newConversation } from '../../../src/domain/conversation.ts';
import type { Message } from '../../../src/domain/model.ts';
import { anna, channels, contextOf, facts, given, Story, seconds } from './given.ts';

const text = (value = 'Hello {{ contact.name }}') => ({ text: value });
const intro = { id: 'intro', type: 'message', channel: 'sms', content: text() };
const tips = { id: 'tips', type: 'message', channel: 'sms', content: text('Tips for {{ variables.product }}') };
const thanks = { id: 'thanks', type: 'message', channel: 'sms', content: text('Thanks') };
const sent = { kind: 'sent' } as const;
const retry = { kind: 'retry', code: 'http_503', message: 'later', counts: true } as const;
const rejected = { kind: 'rejected', code: 'http_422', message: 'no such number' } as const;

describe('a message stage', () => {
  test('given a new conversation, when its lane is taken, then one rendered row leaves and the clock of what follows starts', () => {
    const story = given([intro, { ...tips, delay: 'PT2S' }]).due(0);
    expect(story.decision.send).toEqual({
      _id: 'spring:anna/1',
      campaignId: 'spring',
      conversationId: 'spring:anna',
      partition: story.conversation.partition,
      stage: 'intro',
      step: 0,
      channel: 'sms',
      to: '+491',
      content: { text: 'Hello Anna' },
      status: 'sending',
      attempts: 1,
      pending: true,
      dueAt: new Date(seconds(0)),
      queuedAt: new Date(seconds(0)),
      worker: 'm1',
      trace: story.conversation.trace,
    });
    expect(story.conversation).toMatchObject({
      status: 'active',
      stage: 'tips',
      step: 0,
      sequence: 1,
      version: 2,
      nextActionAt: new Date(seconds(2)),
      nextChannel: 'sms',
    });
    expect(story.conversation).not.toHaveProperty('opening');
    expect(story.decision.unit?.change).toMatchObject({ version: 1, inboxSize: 0, unset: ['opening'] });
  });

  test('when it was sent as planned, then only the row is written', () => {
    const story = given([intro, { ...tips, delay: 'PT2S' }])
      .due(0)
      .answer(0.5, { kind: 'sent', providerMessageId: 'p1' });
    expect(story.decision.unit?.change).toBeUndefined();
    expect(story.rows.get('spring:anna/1')).toMatchObject({
      status: 'sent',
      providerMessageId: 'p1',
      sentAt: new Date(seconds(0.5)),
      handedAt: new Date(seconds(0.5)),
    });
    expect(story.rows.get('spring:anna/1')).not.toHaveProperty('pending');
  });

  test('when the answer took long, then the next clock starts when it was really sent', () => {
    const story = given([intro, { ...tips, delay: 'PT10S' }])
      .due(0)
      .answer(5, sent);
    expect(story.conversation.nextActionAt).toEqual(new Date(seconds(15)));
  });

  test('the last message ends the conversation only once it was answered', () => {
    const story = given([intro]).due(0);
    expect(story.conversation).toMatchObject({ status: 'active', stage: 'intro', step: 1 });
    expect(story.conversation).not.toHaveProperty('nextActionAt');
    story.answer(1, sent);
    expect(story.conversation).toMatchObject({ status: 'completed', outcome: 'finished' });
    expect(story.counters).toEqual({
      total: 1,
      completed: 1,
      'stages.intro.entered': 1,
      'stages.intro.sent': 1,
      'messages.sent': 1,
      'outcomes.finished': 1,
    });
  });

  test('while a row is in flight nothing further is decided, even when it is due', () => {
    const story = given([intro, tips]).due(0).due(3);
    expect(story.decision.unit).toBeUndefined();
    story.answer(4, sent).due(4);
    expect(story.decision.send).toMatchObject({
      _id: 'spring:anna/2',
      stage: 'tips',
      content: { text: 'Tips for Compass' },
    });
  });

  test('without a slot a due message waits for its lane', () => {
    const story = given([intro]).decide(1, {});
    expect(story.decision.unit).toBeUndefined();
  });
});

describe('follow-ups and silence', () => {
  const asking = {
    ...intro,
    followUps: [
      { after: 'PT10S', content: text('Still there?') },
      { after: 'PT20S', channel: 'push' },
    ],
    waitForReply: 'PT30S',
    on: { reply: 'thanks', noReply: 'bye' },
  };
  const bye = { id: 'bye', type: 'end', outcome: 'no_answer' };
  const flow = [asking, thanks, bye];

  test('silence: follow-ups, then the wait, then on.noReply', () => {
    const story = given(flow).due(0).answer(0, sent);
    expect(story.conversation).toMatchObject({ stage: 'intro', step: 1, nextActionAt: new Date(seconds(10)) });
    story.due(10);
    expect(story.row).toMatchObject({ _id: 'spring:anna/2', step: 1, content: { text: 'Still there?' } });
    story.answer(10, sent);
    expect(story.conversation).toMatchObject({ step: 2, nextActionAt: new Date(seconds(30)), nextChannel: 'push' });
    story.due(30);
    expect(story.row).toMatchObject({ channel: 'push', to: 'https://a.test/', content: { text: 'Hello Anna' } });
    story.answer(30, sent);
    expect(story.conversation).toMatchObject({ step: 3, nextActionAt: new Date(seconds(60)), nextChannel: '-' });
    story.due(60);
    expect(story.conversation).toMatchObject({ status: 'completed', outcome: 'no_answer', stage: 'bye' });
    expect(story.counters).toMatchObject({ 'messages.sent': 3, 'messages.followUps': 2, 'stages.bye.entered': 1 });
  });

  test('a reply stops the follow-ups and leads where its author said', () => {
    const story = given(flow).due(0).answer(0, sent).events(5, { id: 'e1', type: 'reply', text: 'yes' });
    expect(story.conversation).toMatchObject({
      stage: 'thanks',
      step: 0,
      inbox: [],
      consumed: ['e1'],
      repliedAt: new Date(seconds(5)),
      nextActionAt: new Date(seconds(5)),
    });
    story.due(5).answer(5, sent);
    expect(story.row).toBeUndefined();
    expect(story.counters).toMatchObject({ replied: 1, 'stages.intro.replied': 1, 'messages.sent': 2 });
  });

  test('a reply stored with a due follow-up comes first', () => {
    const story = given([{ ...asking, on: {} }, thanks])
      .due(0)
      .answer(0, sent);
    story.conversation = { ...story.conversation, inbox: [{ type: 'reply' }] };
    story.due(10);
    expect(story.decision.send).toBeUndefined();
    expect(story.conversation).toMatchObject({ status: 'completed', outcome: 'replied' });
  });

  test('a reply before the first message follows the stage it is in', () => {
    const story = given([{ ...asking, delay: 'PT5S' }, thanks, bye]).events(1, { type: 'reply' });
    expect(story.conversation).toMatchObject({ stage: 'thanks', sequence: 0 });
  });
});

describe('events', () => {
  const waiting = [{ ...intro, waitForReply: 'PT1H', on: { bounce: 'thanks', purchased: 'thanks' } }, thanks];

  test('each is consumed once by its id, in order; without an id each push counts', () => {
    const story = given([{ ...intro, waitForReply: 'PT1H', on: { purchased: 'intro' } }])
      .due(0)
      .answer(0, sent);
    story.events(1, { id: 'a', type: 'opened' }, { id: 'a', type: 'opened' }, { type: 'clicked' }, { type: 'clicked' });
    expect(story.conversation.consumed).toEqual(['a']);
    expect(story.decision.unit?.change?.history.map(({ event }) => event)).toEqual(['opened', 'clicked', 'clicked']);
    story.events(2, { id: 'a', type: 'reply' });
    expect(story.conversation.status).toBe('active');
  });

  test('at least the last 200 ids are remembered', () => {
    const story = given(waiting).due(0).answer(0, sent);
    for (let n = 0; n < 450; n++) story.events(1, { id: `e${n}`, type: 'opened' });
    expect(story.conversation.consumed).toHaveLength(200);
    story.events(2, { id: 'e449', type: 'reply' }, { id: 'e250', type: 'reply' });
    expect(story.conversation.status).toBe('active');
  });

  test('numbers and ObjectIds are ids too', () => {
    const objectId = { _bsontype: 'ObjectId', toHexString: () => 'aa' };
    const story = given(waiting)
      .due(0)
      .answer(0, sent)
      .events(1, { id: 7, type: 'opened' }, { id: objectId, type: 'opened' });
    expect(story.conversation.consumed).toEqual(['#7', 'aa']);
  });

  test('an automatic answer is no reply, a machine moves nothing', () => {
    const story = given(waiting).due(0).answer(0, sent);
    story.events(
      1,
      { type: 'reply', auto: true },
      { type: 'reply', machine: true },
      { type: 'purchased', machine: true },
    );
    expect(story.conversation).toMatchObject({ status: 'active', stage: 'intro' });
    expect(story.counters).not.toHaveProperty('replied');
    expect(story.decision.unit?.change?.history[0]).toMatchObject({ event: 'reply', detail: { auto: true } });
  });

  test('a word of the author leads where he said; unknown words only stand in the history', () => {
    const story = given(waiting).due(0).answer(0, sent).events(1, { type: 'whatever' });
    expect(story.conversation.stage).toBe('intro');
    story.events(2, { type: 'purchased' });
    expect(story.conversation.stage).toBe('thanks');
  });

  test.each([
    ['complaint', 'complained'],
    ['unsubscribe', 'unsubscribed'],
  ])('%s suppresses, whatever the author says', (type, outcome) => {
    const story = given([{ ...intro, waitForReply: 'PT1H', on: { [type]: 'thanks' } }, thanks])
      .due(0)
      .answer(0, sent);
    story.events(1, { type });
    expect(story.conversation).toMatchObject({ status: 'suppressed', outcome, reason: 'suppressed' });
  });

  test('a bounce suppresses unless on.bounce leads on', () => {
    expect(
      given([{ ...intro, waitForReply: 'PT1H' }])
        .due(0)
        .answer(0, sent)
        .events(1, { type: 'bounce' }).conversation.status,
    ).toBe('suppressed');
    expect(given(waiting).due(0).answer(0, sent).events(1, { type: 'bounce' }).conversation.stage).toBe('thanks');
  });

  test('after the end events are consumed and change nothing', () => {
    const story = given([intro]).due(0).answer(0, sent).events(5, { id: 'late', type: 'reply' });
    expect(story.conversation).toMatchObject({
      status: 'completed',
      outcome: 'finished',
      consumed: ['late'],
      inbox: [],
    });
    expect(story.counters).not.toHaveProperty('replied');
  });

  test('what is no event goes to the dead letters and stops nothing', () => {
    const story = given(waiting)
      .due(0)
      .answer(0, sent)
      .events(1, 'hello', null, { text: 'no type' }, { type: 'reply' });
    expect(story.decision.unit?.deadLetters.map(({ document }) => document)).toEqual([
      'hello',
      null,
      { text: 'no type' },
    ]);
    expect(story.conversation).toMatchObject({ status: 'completed', outcome: 'replied', inbox: [] });
  });
});

describe('wait and end', () => {
  test('a wait pauses and goes on in the round that takes it', () => {
    const story = given([intro, { id: 'pause', type: 'wait', for: 'PT1M' }, tips])
      .due(0)
      .answer(0, sent);
    expect(story.conversation).toMatchObject({ stage: 'pause', nextActionAt: new Date(seconds(60)), nextChannel: '-' });
    story.due(60);
    expect(story.decision.send).toMatchObject({ stage: 'tips', _id: 'spring:anna/2' });
  });

  test('a wait that is over does not go on while a row is in flight', () => {
    const story = given([intro, { id: 'pause', type: 'wait', for: 'PT1S' }, tips])
      .due(0)
      .due(2);
    expect(story.decision.unit).toBeUndefined();
  });

  test('a wait at the end of the flow finishes', () => {
    const story = given([{ id: 'pause', type: 'wait', for: 'PT1S' }]).due(1);
    expect(story.conversation).toMatchObject({ status: 'completed', outcome: 'finished', sequence: 0 });
  });

  test("an end has its author's outcome, also as the entry", () => {
    const story = given([{ id: 'out', type: 'end', outcome: 'nothing_to_do' }]).due(0);
    expect(story.conversation).toMatchObject({ status: 'completed', outcome: 'nothing_to_do' });
  });

  test('an end behind the last message waits for its answer', () => {
    const story = given([intro, { id: 'out', type: 'end', outcome: 'done' }]).due(0);
    expect(story.conversation).toMatchObject({ status: 'active', stage: 'intro' });
    expect(story.answer(1, sent).conversation).toMatchObject({ status: 'completed', outcome: 'done', stage: 'out' });
  });
});

describe('what cannot be sent', () => {
  test('no address: the message is skipped and the flow goes on as silence does', () => {
    const story = given([{ ...intro, channel: 'push', followUps: [{ after: 'PT1S' }] }, tips], {
      id: 'bob',
      phone: '+492',
    }).due(0);
    expect(story.rows.get('spring:bob/1')).toMatchObject({ status: 'skipped', reason: 'address_missing', attempts: 0 });
    expect(story.conversation).toMatchObject({ stage: 'intro', step: 1, nextActionAt: new Date(seconds(1)) });
    story.due(1);
    expect(story.rows.get('spring:bob/2')).toMatchObject({ step: 1, status: 'skipped' });
    expect(story.decision.send).toMatchObject({ _id: 'spring:bob/3', stage: 'tips' });
    expect(story.counters).toMatchObject({ 'messages.skipped': 2, 'reasons.address_missing': 2, pending: 1 });
  });

  test('a missing variable: nothing half-filled leaves', () => {
    const story = given([{ ...intro, content: text('Hi {{ contact.attributes.first }}') }]).due(0);
    expect(story.decision.send).toBeUndefined();
    expect(story.rows.get('spring:anna/1')).toMatchObject({ status: 'failed', reason: 'template_variable_missing' });
    expect(story.conversation).toMatchObject({
      status: 'failed',
      outcome: 'failed',
      reason: 'template_variable_missing',
    });
    expect(story.conversation.error?.message).toContain('first');
  });

  test('on.failed leads on', () => {
    const story = given([{ ...intro, content: text('{{ nothing }}'), on: { failed: 'tips' } }, tips]).due(0);
    expect(story.decision.send).toMatchObject({ stage: 'tips', _id: 'spring:anna/2' });
  });

  test('a channel this member does not have: the conversation stays due for one that has', () => {
    const context = contextOf([intro]);
    const story = new Story({ ...context, channels: new Map() }).due(0);
    expect(story.decision.unit).toBeUndefined();
  });

  test('a stage that is gone fails the conversation with its name', () => {
    const story = given([intro]);
    story.conversation = { ...story.conversation, stage: 'gone' };
    expect(story.due(0).conversation).toMatchObject({ status: 'failed', error: { code: 'stage_missing' } });
  });
});

describe('answers of channels', () => {
  test('a retry keeps the bytes, waits, and starts the next clock anew', () => {
    const story = given([intro, { ...tips, delay: 'PT10S' }])
      .due(0)
      .answer(1, retry);
    expect(story.rows.get('spring:anna/1')).toMatchObject({
      status: 'queued',
      attempts: 1,
      pending: true,
      error: { code: 'http_503' },
    });
    expect(story.conversation).toMatchObject({
      awaiting: 'spring:anna/1',
      delayed: 'retry',
      nextChannel: 'sms',
      stage: 'tips',
    });
    const at = (story.conversation.nextActionAt?.getTime() ?? 0) / 1000 - seconds(0) / 1000;
    story.due(at);
    expect(story.decision.send).toMatchObject({ _id: 'spring:anna/1', attempts: 2, content: { text: 'Hello Anna' } });
    expect(story.conversation).toMatchObject({ stage: 'tips', nextActionAt: new Date(seconds(at + 10)) });
    expect(story.conversation).not.toHaveProperty('awaiting');
    expect(story.conversation).not.toHaveProperty('delayed');
    expect(story.answer(at, sent).counters).toMatchObject({ 'messages.sent': 1, 'stages.tips.entered': 1 });
    expect(story.counters).not.toHaveProperty('pending');
  });

  test('Retry-After is honoured', () => {
    const story = given([intro])
      .due(0)
      .answer(1, { ...retry, retryAfterMs: 42_000 });
    expect(story.conversation.nextActionAt).toEqual(new Date(seconds(43)));
  });

  test('429 is no attempt; the limit counts attempts', () => {
    const story = given([intro]);
    for (let n = 0; n < 10; n++) story.due(n * 100).answer(n * 100, { ...retry, counts: false, retryAfterMs: 0 });
    expect(story.rows.get('spring:anna/1')).toMatchObject({ status: 'queued', attempts: 0 });
  });

  test('after the last attempt the row failed, and the conversation with it', () => {
    const story = given([intro]);
    for (const n of [0, 10, 100]) story.due(n).answer(n, { ...retry, retryAfterMs: 0 });
    expect(story.rows.get('spring:anna/1')).toMatchObject({
      status: 'failed',
      reason: 'retries_exhausted',
      attempts: 3,
    });
    expect(story.conversation).toMatchObject({ status: 'failed', reason: 'retries_exhausted' });
  });

  test('given up when the next try would come too late', () => {
    const story = given([intro])
      .due(0)
      .answer(1, { ...retry, retryAfterMs: 3_600_001 });
    expect(story.rows.get('spring:anna/1')).toMatchObject({ status: 'failed', reason: 'retries_exhausted' });
  });

  test('rejected: failed at once, with the reason of the provider', () => {
    const story = given([intro, { ...tips, delay: 'PT1H' }])
      .due(0)
      .answer(1, rejected);
    expect(story.rows.get('spring:anna/1')).toMatchObject({
      status: 'failed',
      reason: 'provider_rejected',
      error: { code: 'http_422' },
    });
    expect(story.conversation).toMatchObject({ status: 'failed', reason: 'provider_rejected' });
    const led = given([{ ...intro, on: { failed: 'thanks' } }, tips, thanks])
      .due(0)
      .answer(1, rejected);
    expect(led.conversation).toMatchObject({ status: 'active', stage: 'thanks' });
    for (const code of ['not_allowed', 'address_invalid', 'session_closed']) {
      const story = given([intro])
        .due(0)
        .answer(1, { ...rejected, code });
      expect(story.rows.get('spring:anna/1')?.reason).toBe(code);
    }
  });

  test('unknown on an at-most-once channel is uncertain and moves the flow as sent', () => {
    const story = given([intro]).due(0).answer(1, { kind: 'unknown', code: 'timeout', message: 'no answer' });
    expect(story.rows.get('spring:anna/1')).toMatchObject({ status: 'uncertain', reason: 'uncertain' });
    expect(story.conversation).toMatchObject({ status: 'completed', outcome: 'finished' });
    expect(story.counters).toMatchObject({ 'messages.uncertain': 1 });
    expect(story.counters).not.toHaveProperty('messages.sent');
  });

  test('held at the gate: queued again, no attempt, no delay', () => {
    const story = given([intro]).due(0).answer(1, { kind: 'held' });
    expect(story.rows.get('spring:anna/1')).toMatchObject({ status: 'queued', attempts: 0 });
    expect(story.conversation).toMatchObject({ awaiting: 'spring:anna/1', nextActionAt: new Date(seconds(1)) });
    expect(story.conversation).not.toHaveProperty('delayed');
  });

  test('held because of the rate of its domain: when its turn comes, and no time of it counts', () => {
    const giveUp = 60;
    const impatient = new Map([['sms', facts('sms', 'phone', { giveUpMs: giveUp * 1000 })]]);
    const story = new Story({ ...contextOf([intro]), channels: impatient }).due(0);
    for (const second of [1, giveUp * 2, giveUp * 4]) {
      story.answer(second, { kind: 'held', inMs: 30_000 });
      const turn = new Date(seconds(second + 30));
      expect(story.rows.get('spring:anna/1')).toMatchObject({ status: 'queued', attempts: 0, dueAt: turn });
      expect(story.conversation).toMatchObject({ nextActionAt: turn, delayed: 'rate' });
      story.due(second + 30);
    }
    expect(story.answer(giveUp * 4 + 31, retry).rows.get('spring:anna/1')).toMatchObject({ status: 'queued' });
  });

  test('held only because nothing fresh was known in time: after a while, however long ago it was queued', () => {
    const giveUp = 60;
    const impatient = new Map([['sms', facts('sms', 'phone', { giveUpMs: giveUp * 1000 })]]);
    const story = new Story({ ...contextOf([intro]), channels: impatient }).due(0);
    for (const second of [1, giveUp * 2, giveUp * 3]) {
      story.answer(second, { kind: 'held', isStale: true });
      expect(story.rows.get('spring:anna/1')).toMatchObject({ status: 'queued', attempts: 0 });
      const wait = Number(story.conversation.nextActionAt) - seconds(second);
      expect(wait).toBeGreaterThanOrEqual(0);
      expect(wait).toBeLessThanOrEqual(1000);
      story.due(second + 1);
    }
  });

  test('a row that is put back while its lane is served waits for a decision that is given the row', () => {
    const story = given([intro]).due(0);
    const { row } = story;
    if (row === undefined) throw new Error('no row is in flight');
    story.row = undefined;
    const held = { row, outcome: { kind: 'held' }, decidedAt: seconds(0), answeredAt: seconds(1) } as const;
    story.decide(1, { slot: true, results: [held] });
    expect(story.rows.get('spring:anna/1')).toMatchObject({ status: 'queued', pending: true });
    expect(story.conversation.awaiting).toBe('spring:anna/1');
    expect(story.due(1).decision.send).toMatchObject({ _id: 'spring:anna/1', attempts: 1 });
    expect(story.counters['pending']).toBe(1);
  });

  describe('an event led to where the message in flight leads by itself', () => {
    const again = { ...tips, delay: 'PT1H', on: { reply: 'tips' } };
    const led = () => given([intro, again]).due(0).events(60, { id: 'r', type: 'reply', text: 'yes' });

    test.each([
      ['is to be tried again', retry, 'skipped', 'replied'],
      ['was held back', { kind: 'held' }, 'skipped', 'replied'],
      ['was refused', rejected, 'failed', 'provider_rejected'],
      ['is lost with its sender', { kind: 'lost' }, 'uncertain', 'uncertain'],
      ['comes late', sent, 'sent', undefined],
    ] as const)('and the message %s: that changes nothing of where it stands', (_, outcome, status, reason) => {
      const story = led();
      const { stage, step, nextActionAt } = story.conversation;
      expect([stage, step, nextActionAt]).toEqual(['tips', 0, new Date(seconds(3660))]);
      story.answer(90, outcome);
      expect(story.rows.get('spring:anna/1')).toMatchObject({ status, ...(reason ? { reason } : {}) });
      expect(story.conversation).toMatchObject({ status: 'active', stage: 'tips', step: 0, nextActionAt });
      // and the next one is a message like any other
      expect(story.due(3660).decision.send).toMatchObject({ stage: 'tips' });
      expect(story.answer(3661, retry).conversation.awaiting).toBe('spring:anna/2');
    });
  });

  test('a failure does not undo what an event did meanwhile', () => {
    const flow = [{ ...intro, waitForReply: 'PT1H', on: { reply: 'thanks' } }, thanks];
    for (const outcome of [rejected, retry]) {
      const story = given(flow).due(0).events(1, { type: 'reply' }).answer(2, outcome);
      expect(story.conversation).toMatchObject({ status: 'active', stage: 'thanks' });
      expect(story.rows.get('spring:anna/1')?.status).toBe(outcome === rejected ? 'failed' : 'skipped');
      expect(story.counters).not.toHaveProperty('pending');
    }
  });

  test.each([
    ['replied', { type: 'reply' }],
    ['suppressed', { type: 'complaint' }],
  ])('a conversation that ended needs no further try: skipped as %s', (reason, event) => {
    const waiting = given([{ ...intro, waitForReply: 'PT1H' }])
      .due(0)
      .answer(1, retry)
      .events(2, event);
    expect(waiting.rows.get('spring:anna/1')).toMatchObject({ status: 'skipped', reason });
    expect(waiting.conversation).not.toHaveProperty('awaiting');
    const inFlight = given([{ ...intro, waitForReply: 'PT1H' }])
      .due(0)
      .events(1, event)
      .answer(2, retry);
    expect(inFlight.rows.get('spring:anna/1')).toMatchObject({ status: 'skipped', reason });
    expect(inFlight.counters).not.toHaveProperty('pending');
  });

  test('a try that has to be repeated and a reply in one decision: one change of the row, skipped, no longer pending', () => {
    const story = given([{ ...intro, waitForReply: 'PT1H' }]).due(0);
    story.conversation = { ...story.conversation, inbox: [{ type: 'reply', id: 'e1' }] };
    story.answer(1, retry);
    expect(story.decision.unit?.rows).toEqual([
      {
        id: 'spring:anna/1',
        channel: 'sms',
        from: 'sending' as const,
        set: {
          ...{ status: 'skipped', reason: 'replied', attempts: 1, error: expect.anything() },
          handedAt: expect.any(Date),
        },
        unset: ['pending'],
      },
    ]);
    expect(story.conversation).toMatchObject({ status: 'completed', outcome: 'replied' });
    expect(story.counters).not.toHaveProperty('pending');
  });

  test('an awaited row that is gone is passed over', () => {
    const story = given([intro, { ...tips, delay: 'PT1S' }])
      .due(0)
      .answer(1, { ...retry, retryAfterMs: 0 });
    story.rows.clear();
    story.due(5);
    expect(story.conversation).toMatchObject({ stage: 'tips', nextActionAt: new Date(seconds(6)) });
    expect(story.conversation).not.toHaveProperty('awaiting');
    expect(story.counters).not.toHaveProperty('pending');
  });

  test('nor is an answer waited for when it was the last message', () => {
    const story = given([intro])
      .due(0)
      .answer(1, { ...retry, retryAfterMs: 0 });
    story.rows.clear();
    story.due(5);
    expect(story.conversation).toMatchObject({ status: 'completed', outcome: 'finished' });
    expect(story.counters).not.toHaveProperty('pending');
  });

  test.each<[string, Partial<Record<keyof Message, unknown>>, boolean]>([
    ['somebody ended', { status: 'skipped', pending: undefined }, false],
    ['somebody set to `sending`: whoever adopts it will count it down', { status: 'sending' }, true],
  ])('another try of a row that %s does not leave', (_, over, pending) => {
    const story = given([intro])
      .due(0)
      .answer(1, { ...retry, retryAfterMs: 0 });
    const row = story.rows.get('spring:anna/1');
    if (row) story.rows.set(row._id, { ...row, ...over } as Message);
    story.due(5);
    expect(story.decision.send).toBeUndefined();
    expect(story.conversation).toMatchObject({ status: 'completed' });
    expect(Object.keys(story.counters).includes('pending')).toBe(pending);
  });
});

describe('a channel without room', () => {
  const full = { slot: true, hasRoom: (channel: string) => channel !== 'sms' };

  test('a message stays due and nothing is written', () => {
    const story = given([intro]).decide(5, full);
    expect(story.decision).toEqual({ conversation: expect.objectContaining({ nextChannel: 'sms', sequence: 0 }) });
    expect(story.due(6).decision.send).toMatchObject({ channel: 'sms', dueAt: new Date(seconds(0)) });
  });

  test('a pause ends all the same: what follows waits in the lane of its channel', () => {
    const story = given([{ id: 'pause', type: 'wait', for: 'PT1M' }, intro]).decide(60, full);
    expect(story.decision.send).toBeUndefined();
    expect(story.conversation).toMatchObject({
      ...{ stage: 'intro', step: 0, nextChannel: 'sms', nextActionAt: new Date(seconds(60)) },
    });
    expect(story.due(61).decision.send).toMatchObject({ stage: 'intro' });
  });

  test('another try waits too', () => {
    const story = given([intro])
      .due(0)
      .answer(1, { ...retry, retryAfterMs: 0 });
    expect(story.decide(5, full).decision.send).toBeUndefined();
    expect(story.conversation.awaiting).toBe('spring:anna/1');
    expect(story.due(6).decision.send).toMatchObject({ _id: 'spring:anna/1', attempts: 2 });
  });
});

describe('the end of a campaign', () => {
  test.each(['campaign_cancelled', 'campaign_ended'] as const)(
    '%s ends what is active and skips what waits',
    (reason) => {
      const story = given([intro, tips]).due(0).answer(1, retry).stop(2, reason);
      expect(story.conversation).toMatchObject({ status: 'cancelled', outcome: 'cancelled', reason });
      expect(story.rows.get('spring:anna/1')).toMatchObject({ status: 'skipped', reason });
      expect(story.counters).toMatchObject({ cancelled: 1, 'messages.skipped': 1 });
      expect(story.counters).not.toHaveProperty('active');
      const held = given([intro, tips]).due(0).stop(1, reason).answer(2, { kind: 'held' });
      expect(held.rows.get('spring:anna/1')).toMatchObject({ status: 'skipped', reason });
    },
  );

  test('what was decided in other ways stays so', () => {
    const story = given([intro]).due(0).answer(1, sent).stop(2, 'campaign_cancelled');
    expect(story.conversation.status).toBe('completed');
    expect(story.decision.unit).toBeUndefined();
  });
});

test('a chain of skips longer than one decision goes on in the next round', () => {
  const chain = Array.from({ length: 120 }, (_, n) => ({ ...intro, id: `s${n}`, channel: 'push' }));
  const story = given(chain, { id: 'bob' }).due(0);
  expect(story.conversation).toMatchObject({ status: 'active', sequence: 50 });
  story.due(0).due(0);
  expect(story.conversation).toMatchObject({ status: 'completed', sequence: 120 });
});

test('the first document of a conversation: tenant, trace, and where it stands', () => {
  const { flow } = contextOf([{ ...intro, delay: 'PT5S' }]);
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const input = { flow, contact: anna, now: seconds(0), partitions: 64, traceparent };
  const { conversation, counters } = newConversation({
    ...input,
    run: { _id: 'spring', tenant: 'acme', variables: {} },
  });
  expect(conversation).toMatchObject({
    _id: 'spring:anna',
    tenant: 'acme',
    version: 1,
    opening: true,
    stage: 'intro',
    step: 0,
    nextActionAt: new Date(seconds(5)),
    nextChannel: 'sms',
    trace: { traceparent },
  });
  expect(counters).toEqual({ total: 1, active: 1, 'stages.intro.entered': 1 });
});

describe('a row whose sender was lost', () => {
  const flow = [{ ...intro, waitForReply: 'PT1H', on: { reply: 'thanks' } }, thanks];

  test('is sent again with the same key and bytes', () => {
    const story = given(flow).due(0).answer(1, { kind: 'lost' });
    expect(story.rows.get('spring:anna/1')).toMatchObject({ status: 'queued', attempts: 1 });
    story.due(1);
    expect(story.decision.send).toMatchObject({ _id: 'spring:anna/1', attempts: 2, content: { text: 'Hello Anna' } });
  });

  test('is uncertain where it may not leave twice', () => {
    const context = contextOf(flow);
    const once = new Map(
      [...channels].map(([name, channel]) => [name, { ...channel, delivery: 'at-most-once' as const }]),
    );
    const story = new Story({ ...context, channels: once }).due(0).answer(1, { kind: 'lost' });
    expect(story.rows.get('spring:anna/1')).toMatchObject({ status: 'uncertain', error: { code: 'sender_lost' } });
    expect(story.conversation).toMatchObject({ status: 'active', stage: 'intro' });
  });

  test('is uncertain when the conversation went on, or ended, without it', () => {
    const moved = given(flow).due(0).events(1, { type: 'reply' }).answer(2, { kind: 'lost' });
    expect(moved.rows.get('spring:anna/1')).toMatchObject({ status: 'uncertain' });
    expect(moved.conversation).toMatchObject({ status: 'active', stage: 'thanks' });
    const ended = given([{ ...intro, waitForReply: 'PT1H' }])
      .due(0)
      .events(1, { type: 'reply' })
      .answer(2, { kind: 'lost' });
    expect(ended.rows.get('spring:anna/1')).toMatchObject({ status: 'uncertain' });
    expect(ended.conversation).toMatchObject({ status: 'completed', outcome: 'replied' });
  });
});

test('a row of an ended campaign that was held is skipped for the reason of the end', () => {
  const story = given([{ ...intro, waitForReply: 'PT1H' }])
    .due(0)
    .stop(1, 'campaign_ended');
  story.answer(2, { kind: 'held' });
  expect(story.rows.get('spring:anna/1')).toMatchObject({ status: 'skipped', reason: 'campaign_ended' });
});

describe('corners', () => {
  test('a second reply counts for its stage, not for the conversation', () => {
    const asking = { ...intro, waitForReply: 'PT1H', on: { reply: 'again' } };
    const again = { ...thanks, id: 'again', waitForReply: 'PT1H', on: { reply: 'again' } };
    const story = given([asking, again]).due(0).answer(0, sent).events(1, { type: 'reply' });
    story.due(1).answer(1, sent).events(2, { type: 'reply' });
    expect(story.counters).toMatchObject({ replied: 1, 'stages.intro.replied': 1, 'stages.again.replied': 1 });
    expect(story.conversation.repliedAt).toEqual(new Date(seconds(1)));
    expect(story.counters['stages.again.entered']).toBe(2);
  });

  test('coming back to the place one stands at enters nothing', () => {
    const story = given([{ ...intro, delay: 'PT1H', on: { reply: 'intro' } }]).events(1, { type: 'reply' });
    expect(story.counters['stages.intro.entered']).toBe(1);
    expect(story.conversation.nextActionAt).toEqual(new Date(seconds(3601)));
  });

  test('a conversation without a trace', () => {
    const story = given([intro]);
    const { trace: _, ...rest } = story.conversation;
    story.conversation = rest;
    expect(story.due(0).decision.send?.trace).toBeUndefined();
  });

  test('a flow whose entry is gone fails with the name of the stage', () => {
    const context = contextOf([intro]);
    const story = new Story({ ...context, flow: { ...context.flow, entry: 'gone' } });
    expect(story.conversation).not.toHaveProperty('nextActionAt');
  });

  test('the answer to a row of a stage that is gone is recorded and moves nothing', () => {
    const story = given([intro]).due(0);
    story.context = contextOf([tips]);
    story.answer(1, sent);
    expect(story.rows.get('spring:anna/1')?.status).toBe('sent');
    expect(story.conversation.status).toBe('active');
  });

  test.each([
    ['suppressed', { type: 'bounce' }],
    ['suppressed', { type: 'unsubscribe' }],
    ['stopped', { type: 'purchased' }],
  ])('in flight when the conversation ended, then to be tried again: skipped as %s', (reason, event) => {
    const flow = [
      { ...intro, waitForReply: 'PT1H', on: { purchased: 'out' } },
      { id: 'out', type: 'end', outcome: 'bought' },
    ];
    const story = given(flow).due(0).events(1, event).answer(2, retry);
    expect(story.rows.get('spring:anna/1')).toMatchObject({ status: 'skipped', reason });
  });

  test('cancelled, then the run is gone from memory: the held row is skipped all the same', () => {
    const story = given([{ ...intro, waitForReply: 'PT1H' }])
      .due(0)
      .stop(1, 'campaign_cancelled');
    const { stopped: _, ...context } = story.context;
    story.context = context;
    story.answer(2, { kind: 'held' });
    expect(story.rows.get('spring:anna/1')).toMatchObject({ status: 'skipped', reason: 'campaign_cancelled' });
  });
});

test('opening belongs to the entry: whoever left it before the first message continues', () => {
  const waited = given([
    { id: 'pause', type: 'wait', for: 'PT1S' },
    { ...intro, delay: 'PT1H' },
  ]).due(1);
  expect(waited.conversation).toMatchObject({ stage: 'intro', nextChannel: 'sms' });
  expect(waited.conversation).not.toHaveProperty('opening');
  expect(waited.decision.unit?.change?.unset).toContain('opening');
  const led = given([
    { ...intro, delay: 'PT1H', on: { reply: 'other' } },
    { ...thanks, id: 'other', channel: 'push' },
  ]);
  expect(led.events(1, { type: 'reply' }).conversation).not.toHaveProperty('opening');
});

test.each([[undefined], [null], ['reply'], [{ 0: { type: 'reply' } }]])(
  'an inbox that is %p cannot be decided about',
  (inbox) => {
    const story = given([intro]);
    story.conversation = { ...story.conversation, inbox: inbox as never };
    expect(() => story.due(0)).toThrow('`inbox`');
  },
);
