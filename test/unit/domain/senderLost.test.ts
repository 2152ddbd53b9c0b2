/** A row whose sender was killed may have left. It is sent again with its key, and never said to have been skipped. */
import { describe, expect, test } from '@jest/globals';
import { compileExit } from '../../../src/domain/exit.ts';
import type { RowOutcome } from '../../../src/domain/outbox.ts';
import { contextOf, given, Story } from './given.ts';

const content = { text: 'Hello' };
const ask = { id: 'ask', type: 'message', channel: 'sms', content, waitForReply: 'PT1H', on: { custom: 'out' } };
const out = { id: 'out', type: 'end', outcome: 'told' };
const first = 'spring:anna/1';
const lost = { kind: 'lost' } as const;
const busy = { kind: 'retry', code: 'http_503', message: 'later', counts: true, retryAfterMs: 0 } as const;
const held = { kind: 'held' } as const;

/** Queued again after its sender was lost. */
const queuedAgain = (story = given([ask, out])): Story => story.due(0).answer(1, lost);
const uncertain = { status: 'uncertain', reason: 'uncertain', error: { code: 'sender_lost' } };

function expectUncertain(story: Story): void {
  expect(story.rows.get(first)).toMatchObject(uncertain);
  expect(story.rows.get(first)).not.toHaveProperty('pending');
  expect(story.conversation).not.toHaveProperty('awaiting');
  expect(story.counters).toMatchObject({ 'messages.uncertain': 1, 'reasons.uncertain': 1 });
  expect(story.counters).not.toHaveProperty('pending');
  expect(story.counters).not.toHaveProperty(['messages.skipped']);
}

const overtaken: [string, (story: Story, second: number) => Story][] = [
  ['a reply', (story, second) => story.events(second, { type: 'reply' })],
  ['an event that leads on', (story, second) => story.events(second, { type: 'custom' })],
  ['a complaint', (story, second) => story.events(second, { type: 'complaint' })],
  ['the end of the campaign', (story, second) => story.stop(second, 'campaign_ended')],
  ['a cancel', (story, second) => story.stop(second, 'campaign_cancelled')],
];

test('queued again it says why, and leaves with the same key', () => {
  const story = queuedAgain();
  expect(story.rows.get(first)).toMatchObject({ status: 'queued', error: { code: 'sender_lost' } });
  expect(story.due(2).row).toMatchObject({ _id: first, attempts: 2, content });
  expect(story.answer(3, { kind: 'sent' }).rows.get(first)).toMatchObject({ status: 'sent' });
});

describe.each(overtaken)('overtaken by %s', (_, overtake) => {
  test('while it waits', () => {
    expectUncertain(overtake(queuedAgain(), 2));
  });

  test('in the very decision that hears of the loss', () => {
    const story = given([ask, out]).due(0);
    const { row } = story;
    if (row === undefined) throw new Error('no row is in flight');
    story.row = undefined;
    const decide = story.decide.bind(story);
    const result = { row, outcome: lost, decidedAt: 0, answeredAt: 0 };
    story.decide = (second, input) => decide(second, { ...input, results: [result] });
    expectUncertain(overtake(story, 1));
  });

  test.each<[string, RowOutcome]>([
    ['has to be tried again', busy],
    ['was held at the gate', held],
    ['is lost, too', lost],
  ])('in flight once more, and then it %s', (_, outcome) => {
    expectUncertain(overtake(queuedAgain().due(2), 3).answer(4, outcome));
  });

  test('after another try of it failed, which does not say that the first one did', () => {
    const story = queuedAgain().due(2).answer(3, busy);
    expect(story.rows.get(first)).toMatchObject({ status: 'queued', attempts: 2, error: { code: 'sender_lost' } });
    expectUncertain(overtake(story, 4));
  });
});

describe('it may not be sent again', () => {
  test('as its address was suppressed meanwhile', () => {
    expectUncertain(queuedAgain().decide(2, { slot: true, refusals: new Map([['sms', 'suppressed']]) }));
  });

  test('as its contact fits exitWhen', () => {
    const { query } = compileExit({ 'contact.attributes.customer': true });
    const story = queuedAgain(new Story(contextOf([ask, out], { exitWhen: query })));
    const fresh = { ...story.conversation.contact, attributes: { customer: true } };
    expectUncertain(story.decide(2, { slot: true, fresh }));
  });
});

test('what was refused for good after that has failed: somebody said so', () => {
  const story = queuedAgain().due(2).answer(3, { kind: 'rejected', code: 'no', message: 'no' });
  expect(story.rows.get(first)).toMatchObject({ status: 'failed', error: { code: 'no' } });
});

test('another row of the conversation is skipped as ever', () => {
  const story = given([{ ...ask, waitForReply: undefined }, { ...ask, id: 'more' }, out]);
  story.due(0).answer(1, lost).due(2).answer(3, { kind: 'sent' }).due(4).answer(5, busy).events(6, { type: 'reply' });
  expect(story.rows.get('spring:anna/2')).toMatchObject({ status: 'skipped', reason: 'replied' });
});
