/** Another try of a message that gave up. */
import { describe, expect, test } from '@jest/globals';
import type { DecideInput } from '../../../src/domain/conversation.ts';
import { compileExit } from '../../../src/domain/exit.ts';
import type { ContactPressure, Message } from '../../../src/domain/model.ts';
import { isAnswered, type ReplayOptions, replayEvent, replayedRows, replayType } from '../../../src/domain/replay.ts';
import { story as storyOf } from '../../../src/domain/story.ts';
import { nextOf, type StoryContext } from '../../../src/domain/storyNext.ts';
import { whyOf } from '../../../src/domain/storyWhy.ts';
import { type Duration, parseDuration } from '../../../src/domain/timing.ts';
import { replayWord } from '../../../src/domain/words.ts';
import { channels, contextOf, facts, given, Story, seconds } from './given.ts';
import { timed } from './timed.ts';

const content = { text: 'Hello' };
const ask = { id: 'ask', type: 'message', channel: 'sms', content, waitForReply: 'PT1H' };
const more = { id: 'more', type: 'message', channel: 'sms', content };
const rejected = { kind: 'rejected', code: 'http_400', message: 'bad' } as const;
const busy = { kind: 'retry', code: 'http_503', message: 'later', counts: true, retryAfterMs: 0 } as const;
const first = 'spring:anna/1';

const failed = (stages: unknown[] = [ask, more]): Story => given(stages).due(0).answer(1, rejected);
/** Its campaign is over. */
const settled = (story = failed()): Story => {
  story.context = { ...story.context, isOver: true };
  return story;
};

function replay(
  story: Story,
  second: number,
  options: ReplayOptions = {},
  { id = first, ...input }: Partial<DecideInput> & { id?: string } = {},
): Story {
  const row = story.rows.get(id) as Message;
  const event = replayEvent(row, options, new Date(seconds(second)));
  story.conversation = { ...story.conversation, inbox: [...story.conversation.inbox, event] };
  return story.decide(second, { rows: [row], ...input });
}
const rowOf = (story: Story, id = first): Message => story.rows.get(id) as Message;
const refusedWith = (story: Story, id = first): unknown => rowOf(story, id).replay?.refused;

describe('while its campaign runs', () => {
  test('the conversation that failed by it goes on, with the old key and the same bytes', () => {
    const story = failed();
    const { content: before } = rowOf(story);
    replay(story, 10);
    expect(story.conversation).toMatchObject({ status: 'active', awaiting: first, stage: 'ask' });
    expect(story.decision.unit).toMatchObject({ reopens: true });
    expect(rowOf(story)).toMatchObject({ status: 'queued', attempts: 0, pending: true, replay: { count: 1 } });
    expect(rowOf(story)).not.toHaveProperty('reason');
    expect(rowOf(story)).not.toHaveProperty('error');
    expect(story.counters).toEqual({ total: 1, active: 1, pending: 1, 'stages.ask.entered': 1 });
    expect(story.due(11).row).toMatchObject({ _id: first, attempts: 1, content: before });
    story.answer(12, { kind: 'sent' });
    expect(rowOf(story)).toMatchObject({ status: 'sent' });
    expect(story.due(4000).row).toMatchObject({ _id: 'spring:anna/2', stage: 'more' });
    expect(story.counters).toMatchObject({ 'messages.sent': 1, active: 1 });
    expect(story.counters).not.toHaveProperty(['messages.failed']);
  });

  test('fails again, and may be asked for again', () => {
    const story = replay(failed(), 10).due(11).answer(12, rejected);
    expect(story.conversation).toMatchObject({ status: 'failed' });
    expect(story.counters).toMatchObject({ 'messages.failed': 1, failed: 1, 'outcomes.failed': 1 });
    expect(rowOf(replay(story, 20))).toMatchObject({ status: 'queued', replay: { count: 2 } });
    expect(story.conversation.consumed).toEqual(['replay:1:1', 'replay:1:2']);
  });

  test('the time for its tries begins anew', () => {
    const story = replay(failed(), 100_000).due(100_001).answer(100_002, busy);
    expect(rowOf(story)).toMatchObject({ status: 'queued', attempts: 1 });
  });

  test('with a key of its own another row says the same, and the flow goes on by that', () => {
    const story = replay(failed(), 10, { newKey: true });
    const second = 'spring:anna/2';
    expect(rowOf(story)).toMatchObject({ status: 'failed', replayedAs: second, replay: { count: 1 } });
    expect(rowOf(story, second)).toMatchObject({ status: 'queued', stage: 'ask', step: 0, replayOf: first, content });
    expect(story.due(11).row).toMatchObject({ _id: second });
    story.answer(12, { kind: 'sent' });
    expect(story.counters).toMatchObject({ 'messages.failed': 1, 'messages.sent': 1, active: 1 });
    expect(story.due(4000).row).toMatchObject({ _id: 'spring:anna/3', stage: 'more' });
  });

  test.each([
    ['its author led on after the failure', { ...ask, on: { failed: 'more' } }],
    ['it goes on elsewhere', { ...ask, on: { failed: 'out' } }],
  ])('refused while the conversation is active: %s', (_, stage) => {
    const out = { id: 'out', type: 'wait', for: 'PT1H' };
    const story = replay(failed([stage, more, out]), 10);
    expect([refusedWith(story), rowOf(story).status]).toEqual(['moved_on', 'failed']);
  });

  test('by itself once that conversation has ended', () => {
    const end = { id: 'end', type: 'end', outcome: 'told' };
    const story = failed([{ ...ask, on: { failed: 'end' } }, end]).due(2);
    expect(story.conversation).toMatchObject({ status: 'completed', outcome: 'told' });
    replay(story, 10).due(11).answer(12, { kind: 'sent' });
    expect(story.conversation).toMatchObject({ status: 'completed', outcome: 'told' });
    expect(story.counters).toMatchObject({ 'messages.sent': 1, completed: 1 });
  });

  test('by itself where its contact may be in the campaign again, and where its stage is gone', () => {
    const again = failed();
    again.conversation = { ...again.conversation, entries: 2 };
    expect(rowOf(replay(again, 10)).replay).toMatchObject({ alone: true });
    const later = failed();
    later.conversation = { ...later.conversation, _id: 'spring:anna:2' };
    const row = { ...rowOf(later), _id: 'spring:anna:2/1' };
    later.rows.set(row._id, row);
    expect(rowOf(replay(later, 10, {}, { id: row._id }), row._id).replay).toMatchObject({ alone: true });
    const gone = failed();
    gone.context = { ...contextOf([more]), isOver: false };
    replay(gone, 10).due(11);
    // its place is gone, too: nobody can say whether it may leave
    expect(rowOf(gone)).toMatchObject({ status: 'skipped', reason: 'stopped' });
    expect(gone.counters).not.toHaveProperty('pending');
  });
});

describe('when its campaign is over', () => {
  test('only the row and what it counts change', () => {
    const story = replay(settled(), 10);
    expect(story.conversation).toMatchObject({ status: 'failed', awaiting: first, nextChannel: 'sms' });
    expect(rowOf(story)).toMatchObject({ status: 'queued', replay: { alone: true } });
    expect(story.decision.unit).toMatchObject({ late: true });
    expect(story.decision.unit).not.toHaveProperty('reopens');
    story.due(11);
    expect(story.row).toMatchObject({ _id: first, content });
    for (const field of ['awaiting', 'nextActionAt', 'nextChannel'])
      expect(story.conversation).not.toHaveProperty(field);
    story.answer(12, { kind: 'sent' });
    expect(story.conversation).toMatchObject({ status: 'failed', outcome: 'failed' });
    expect(story.counters).toMatchObject({ total: 1, failed: 1, 'messages.sent': 1, 'stages.ask.sent': 1 });
    for (const path of ['messages.failed', 'reasons.provider_rejected', 'pending'])
      expect(story.counters).not.toHaveProperty([path]);
  });

  test.each([
    ['has to be tried again', busy],
    ['was held at the gate', { kind: 'held' } as const],
    ['lost its sender', { kind: 'lost' } as const],
  ])('it waits again when it %s', (_, outcome) => {
    const story = replay(settled(), 10).due(11).answer(12, outcome);
    expect(rowOf(story)).toMatchObject({ status: 'queued', pending: true });
    expect(story.conversation).toMatchObject({ status: 'failed', awaiting: first });
    expect(story.due(60).row).toMatchObject({ _id: first });
    story.answer(61, rejected);
    expect(story.conversation).toMatchObject({ status: 'failed' });
    expect(story.conversation).not.toHaveProperty('awaiting');
    expect(story.counters).toMatchObject({ 'messages.failed': 1, failed: 1, 'outcomes.failed': 1 });
  });

  test('it gives way to no fallback, however late it gets', () => {
    const late = { ...ask, channel: 'push', fallback: { channel: 'sms', after: 'PT1M' } };
    const story = replay(
      settled(
        given([late])
          .due(0)
          .answer(1, { ...rejected, code: 'not_allowed' }),
      ),
      10,
    );
    story.due(11).answer(12, busy);
    expect(story.conversation).toMatchObject({ status: 'failed', awaiting: first, nextChannel: 'push' });
    story.decide(600, { slot: true, hasRoom: () => false });
    expect(rowOf(story)).toMatchObject({ status: 'queued', pending: true });
    expect(story.due(700).row).toMatchObject({ _id: first, channel: 'push' });
    expect(story.answer(701, busy).conversation).toMatchObject({ status: 'failed', awaiting: first });
    expect(story.conversation).not.toHaveProperty('fallback');
  });

  test('with a key of its own', () => {
    const second = 'spring:anna/2';
    const story = replay(settled(), 10, { newKey: true }).due(11).answer(12, { kind: 'sent' });
    expect(rowOf(story, second)).toMatchObject({ status: 'sent', replayOf: first, replay: { alone: true, count: 0 } });
    expect(story.conversation).toMatchObject({ status: 'failed', sequence: 2 });
    expect(refusedWith(replay(story, 20))).toBe('sent_anew');
  });

  test.each([true, undefined])(
    'what is sent anew is of the fallback (%p) as the other was, and as long',
    (fallback) => {
      const end = { id: 'end', type: 'end', outcome: 'told' };
      const stage = { ...ask, channel: 'push', fallback: { channel: 'sms' }, on: { failed: 'end' } };
      const story = given([stage, end]).due(0).answer(1, rejected).due(2).answer(3, rejected).due(4);
      const [second, third] = ['spring:anna/2', 'spring:anna/3'] as const;
      expect(rowOf(story, second)).toMatchObject({ channel: 'sms', fallback: true });
      const { fallback: _, ...plain } = rowOf(story, second);
      story.rows.set(second, { ...plain, ...(fallback ? { fallback } : {}), segments: 3 });
      // its conversation ended elsewhere, or where it still stands by the fallback
      story.conversation = { ...story.conversation, ...(fallback ? {} : { stage: 'ask', fallback: true }) };
      replay(settled(story), 20, { newKey: true }, { id: second });
      expect(rowOf(story, third)).toMatchObject({ replayOf: second, segments: 3 });
      expect(rowOf(story, third).fallback).toBe(fallback);
    },
  );

  test('one at a time: another row of the conversation is refused meanwhile', () => {
    const story = given([{ ...ask, on: { failed: 'more' } }, more])
      .due(0)
      .answer(1, rejected)
      .due(2)
      .answer(3, rejected);
    settled(story);
    replay(story, 10);
    expect(refusedWith(replay(story, 11, {}, { id: 'spring:anna/2' }), 'spring:anna/2')).toBe('busy');
    story.due(12);
    expect(refusedWith(replay(story, 13, {}, { id: 'spring:anna/2' }), 'spring:anna/2')).toBe('busy');
    story.answer(14, { kind: 'sent' });
    expect(rowOf(replay(story, 15, {}, { id: 'spring:anna/2' }), 'spring:anna/2')).toMatchObject({ status: 'queued' });
  });

  test('an opt-out in between keeps it from leaving', () => {
    const story = replay(settled(), 10).decide(11, { slot: true, refusals: new Map([['sms', 'suppressed']]) });
    expect(rowOf(story)).toMatchObject({ status: 'skipped', reason: 'suppressed' });
    expect(story.conversation).toMatchObject({ status: 'failed', outcome: 'failed' });
    expect(story.counters).toMatchObject({ failed: 1, 'messages.skipped': 1, 'reasons.suppressed': 1 });
    expect(story.counters).not.toHaveProperty('pending');
  });

  test('so does exitWhen', () => {
    const story = settled();
    const { query } = compileExit({ 'contact.name': 'Anna' });
    story.context = { ...story.context, exitWhen: query };
    replay(story, 10).due(11);
    expect(rowOf(story)).toMatchObject({ status: 'skipped', reason: 'exit_condition' });
    expect(story.conversation).toMatchObject({ status: 'failed' });
    expect(story.counters).toMatchObject({ failed: 1 });
  });

  test('so does its cap', () => {
    const story = settled();
    const cap = { count: 1, per: parseDuration('P1D') as Duration, delays: false };
    story.context = { ...story.context, cap };
    const sends = [{ id: 'other', at: new Date(seconds(5)) }];
    const pressure = { _id: 'anna', version: 1, sends, expireAt: new Date(seconds(1e6)) } as unknown as ContactPressure;
    replay(story, 10).decide(11, { slot: true, limits: { pressure, room: 1, waiting: 0 } });
    expect(rowOf(story)).toMatchObject({ status: 'skipped', reason: 'frequency_cap' });
    expect(story.conversation).toMatchObject({ status: 'failed' });
  });

  const mornings = { days: ['mon'], from: '09:00', to: '10:00', timezone: 'contact', onUnknownZone: 'fail' };

  test('it waits for its send window, and fails where that can no longer be told', () => {
    const contact = { id: 'anna', phone: '+491', timezone: 'Etc/UTC' };
    const story = new Story(timed([ask], { sendWindow: mornings }), contact);
    settled(story.due(0).answer(1, rejected));
    replay(story, 7200).due(7201);
    expect(story.row).toBeUndefined();
    expect(story.conversation).toMatchObject({ status: 'failed', awaiting: first, delayed: 'window' });
    story.conversation = { ...story.conversation, contact: { id: 'anna', phone: '+491' } };
    story.due(7 * 86_400 + 1);
    expect(rowOf(story)).toMatchObject({ status: 'failed', reason: 'contact_invalid' });
    expect(story.conversation).toMatchObject({ status: 'failed', outcome: 'failed' });
    expect(story.counters).toMatchObject({ failed: 1, 'outcomes.failed': 1, 'messages.failed': 1 });
    expect(story.counters).not.toHaveProperty('pending');
  });

  test.each(['skip', 'expire'])('late, by policy %s it is not sent, and nothing else changes', (policy) => {
    const story = new Story(timed([ask], { late: { policy, after: 'PT1H' } }));
    settled(story.due(0).answer(1, rejected));
    replay(story, 10).due(7200);
    expect(rowOf(story)).toMatchObject({ status: 'skipped', reason: 'late_skipped' });
    expect(story.conversation).toMatchObject({ status: 'failed', outcome: 'failed' });
    expect(story.counters).toMatchObject({ failed: 1, 'messages.skipped': 1 });
  });

  test('a row that somebody removed meanwhile is waited for no longer', () => {
    const story = replay(settled(), 10);
    story.rows.delete(first);
    story.due(11);
    expect(story.conversation).not.toHaveProperty('awaiting');
    expect(story.conversation).toMatchObject({ status: 'failed' });
    expect(story.counters).not.toHaveProperty('pending');
  });
});

describe('a campaign that was cut short', () => {
  test.each(['campaign_cancelled', 'campaign_ended'] as const)('refused: %s', (stopsReplays) => {
    const story = replay(settled(), 10, {}, { stopsReplays });
    expect([refusedWith(story), rowOf(story).status]).toEqual([stopsReplays, 'failed']);
    expect(story.counters).toMatchObject({ 'messages.failed': 1 });
  });

  test('refused by its own context', () => {
    const story = failed();
    story.context = { ...story.context, stopped: 'campaign_cancelled' };
    expect(refusedWith(replay(story, 10))).toBe('campaign_cancelled');
  });

  test('what waits then is skipped, whether it is its turn or not', () => {
    const story = replay(settled(), 10).decide(11, { stopsReplays: 'campaign_ended' });
    expect(rowOf(story)).toMatchObject({ status: 'skipped', reason: 'campaign_ended' });
    expect(story.conversation).not.toHaveProperty('awaiting');
    expect(story.conversation).not.toHaveProperty('nextActionAt');
  });

  test('and so is what comes back from its channel', () => {
    const story = replay(settled(), 10).due(11);
    const row = story.row as Message;
    story.row = undefined;
    const result = { row, outcome: busy, decidedAt: seconds(11), answeredAt: seconds(12) };
    story.decide(12, { results: [result], stopsReplays: 'campaign_cancelled' });
    expect(rowOf(story)).toMatchObject({ status: 'skipped', reason: 'campaign_cancelled' });
    expect(story.counters).not.toHaveProperty('pending');
  });
});

describe('what may have arrived', () => {
  const once = new Map([...channels, ['sms', facts('sms', 'phone', { delivery: 'at-most-once' })] as const]);
  const unknown = { kind: 'unknown', code: 'timeout', message: 'no answer' } as const;
  const uncertain = (): Story => {
    const story = new Story(contextOf([{ ...ask, waitForReply: 'PT5S' }], { channels: once }));
    return settled(story.due(0).answer(1, unknown).due(10));
  };

  test('is not sent again by itself', () => {
    const story = replay(uncertain(), 20);
    expect([refusedWith(story), rowOf(story).status]).toEqual(['may_have_left', 'uncertain']);
  });

  test.each([{ uncertain: true }, { newKey: true }])('a person takes the risk: %j', (options) => {
    const story = replay(uncertain(), 20, options).due(21);
    expect(story.row).toMatchObject({ content });
    expect(story.answer(22, { kind: 'sent' }).counters).toMatchObject({ 'messages.sent': 1 });
    expect(story.counters['messages.uncertain']).toBe('newKey' in options ? 1 : undefined);
  });

  test('and is uncertain again when nothing comes of it', () => {
    const story = replay(uncertain(), 20, { uncertain: true });
    expect(rowOf(story)).toMatchObject({ status: 'queued', error: { code: 'sender_lost' } });
    story.decide(21, { slot: true, refusals: new Map([['sms', 'suppressed']]) });
    expect(rowOf(story)).toMatchObject({ status: 'uncertain', reason: 'uncertain' });
    expect(story.counters).toMatchObject({ 'messages.uncertain': 1, 'reasons.uncertain': 1 });
  });

  test('nor when a later try of it, at that risk, was refused', () => {
    const story = replay(uncertain(), 20, { uncertain: true }).due(21).answer(22, rejected);
    expect(rowOf(story)).toMatchObject({ status: 'failed', mayHaveLeft: true });
    replay(story, 30);
    expect([refusedWith(story), rowOf(story).status]).toEqual(['may_have_left', 'failed']);
    expect(rowOf(replay(story, 40, { uncertain: true }))).toMatchObject({ status: 'queued', mayHaveLeft: true });
  });

  test('keeps what its row said of a lost sender', () => {
    const story = uncertain();
    const error = { code: 'sender_lost', message: 'as it was' };
    story.rows.set(first, { ...rowOf(story), error });
    expect(rowOf(replay(story, 20, { uncertain: true })).error).toEqual(error);
  });

  test('what is asked for and overtaken in one decision is one change', () => {
    const story = failed();
    const event = replayEvent(rowOf(story), {}, new Date(seconds(10)));
    story.conversation = { ...story.conversation, inbox: [event, { type: 'reply' } as never] };
    story.decide(10, { rows: [rowOf(story)] });
    const [change] = story.decision.unit?.rows ?? [];
    expect(change?.set).toMatchObject({ status: 'skipped', reason: 'replied' });
    expect((change?.unset ?? []).filter((field) => field in (change?.set ?? {}))).toEqual([]);
    expect(rowOf(story)).not.toHaveProperty('pending');
    expect(story.conversation).toMatchObject({ status: 'completed', outcome: 'replied' });
    expect(story.counters).toMatchObject({ completed: 1, 'messages.skipped': 1, 'reasons.replied': 1 });
    expect(story.counters).not.toHaveProperty('pending');
  });

  test('needs no reason', () => {
    const story = uncertain();
    const { reason: _, ...row } = rowOf(story);
    story.rows.set(first, row);
    delete story.counters['reasons.uncertain'];
    replay(story, 20, { uncertain: true });
    expect(Object.keys(story.counters).filter((path) => path.startsWith('reasons'))).toEqual([]);
  });
});

describe('asked for in vain', () => {
  test('what was never written has nothing to be sent', () => {
    const story = given([{ ...ask, content: { text: '{{ contact.nothing }}' } }]).due(0);
    expect(rowOf(story)).toMatchObject({ status: 'failed', reason: 'template_variable_missing' });
    expect(refusedWith(replay(story, 10))).toBe('never_written');
  });

  test('the same asked twice is done once', () => {
    const story = failed();
    const event = replayEvent(rowOf(story), {}, new Date(seconds(10)));
    const before = rowOf(story);
    replay(story, 10).due(11).answer(12, rejected);
    story.conversation = { ...story.conversation, consumed: [], inbox: [event] };
    story.decide(13, { rows: [rowOf(story)] });
    expect(rowOf(story)).toMatchObject({ status: 'failed', replay: { count: 1 } });
    expect(isAnswered(before, 1)).toBe(false);
    expect(isAnswered(rowOf(story), 1)).toBe(true);
    expect(isAnswered({ ...before, status: 'sent' }, 1)).toBe(true);
  });

  test('what arrived after all, or is gone, is left alone', () => {
    const story = failed();
    const row = rowOf(story);
    replay(story, 10, {}, { rows: [{ ...row, status: 'sent' }] });
    replay(story, 11, {}, { rows: [] });
    for (const stamp of ['deliveredAt', 'openedAt', 'clickedAt'])
      replay(story, 12, {}, { rows: [{ ...row, [stamp]: new Date(0) }] });
    expect(rowOf(story)).not.toHaveProperty('replay');
    expect(story.conversation.inbox).toEqual([]);
  });

  test.each([undefined, {}, { messageId: first }, { messageId: 7, count: 1 }])('that cannot be read: %j', (data) => {
    const story = failed().events(10, { id: 'x', type: replayType, data });
    expect(story.decision.unit?.deadLetters).toMatchObject([{ reason: 'event_invalid' }]);
  });
});

describe('rows that an inbox asks for', () => {
  test('its own, each once', () => {
    const event = replayEvent({ _id: first }, {}, new Date(0));
    const other = { ...event, data: { messageId: 'spring:bert/1', count: 1 } };
    const inbox = [event, event, other, { type: 'reply' }, { type: replayType }, null] as never[];
    expect(replayedRows({ _id: 'spring:anna', inbox })).toEqual([first]);
    expect(replayedRows({ _id: 'spring:anna', inbox: 'none' as never })).toEqual([]);
  });
});

describe('told', () => {
  const told = (story: Story): string[] =>
    storyOf(story.conversation, [...story.rows.values()]).map(({ what, text }) => `${what}: ${text}`);
  const context = (story: Story, more: Partial<StoryContext> = {}): StoryContext => ({
    ...{ conversation: story.conversation, rows: [...story.rows.values()], campaign: { status: 'completed' } },
    ...{ run: { status: 'completed', settled: true, flow: { stages: [] } } as never, sending: 'on', members: [] },
    ...{ owner: undefined, ownerAlive: undefined, now: seconds(20) },
    ...more,
  });
  const asked = 'replayed: message 1 is to be tried again: somebody asked for it';

  test('that somebody asked, and what comes next', () => {
    const story = replay(settled(), 10);
    expect(told(story)).toContain(asked);
    const next = nextOf(context(story));
    expect(next).toMatchObject({ what: 'retry', text: 'another try of message 1: somebody asked for it' });
    expect(whyOf(context(story), next).map(({ code }) => code)).toEqual(['ended', 'replayed']);
    const stopped = context(story, { sending: 'stopped' });
    expect(whyOf(stopped, next).map(({ code }) => code)).toEqual(['ended', 'sending_stopped', 'replayed']);
    story.conversation = { ...story.conversation, delayed: 'window' };
    expect(whyOf(context(story), next).map(({ code }) => code)).toEqual(['ended', 'window']);
  });

  test('why it is refused', () => {
    const story = replay(settled(), 10, {}, { stopsReplays: 'campaign_ended' });
    const why = 'its campaign came to its end (endAt)';
    expect(told(story)).toContain(
      `message_refused: message 1 is not tried again, though somebody asked for it: ${why}`,
    );
    expect(replayWord('of a newer release')).toBe('of a newer release');
  });

  test('an event of an author that has the same name is an event', () => {
    const story = failed();
    const entry = { at: new Date(0), stage: 'ask', event: 'replayed' };
    story.conversation = { ...story.conversation, history: [entry] };
    expect(told(story)).toContain('event: event replayed consumed');
  });
});

test('a message whose fallback took its place is not said again by it', () => {
  const byPush = { ...ask, channel: 'push', fallback: { channel: 'sms' } };
  const story = given([byPush, more]).due(0).answer(1, rejected).due(2).answer(3, rejected);
  expect(story.conversation.status).toBe('failed');
  expect(refusedWith(replay(story, 10))).toBe('moved_on');
  expect(rowOf(replay(story, 20, {}, { id: 'spring:anna/2' }), 'spring:anna/2')).toMatchObject({ status: 'queued' });
});
