/** Whoever is asked in learns of it as soon as the stage is reached, whatever becomes of the notification. */
import { describe, expect, test } from '@jest/globals';
import type { DecideInput } from '../../../src/domain/conversation.ts';
import { given, type Story, seconds } from './given.ts';

const say = { id: 'say', type: 'message', channel: 'sms', content: { text: 'Hello' } };
const notify = { channel: 'push', to: 'team', content: { text: '{{ contact.name }} waits' } };
const help = (more: object = {}) => ({ id: 'help', type: 'escalate', to: 'desk', notify, ...more });
const end = (id: string) => ({ id, type: 'end', outcome: id });
const sent = { kind: 'sent' } as const;
const opened = (story: Story) => story.decision.unit?.escalations ?? [];
const noRoom: Partial<DecideInput> = { slot: true, hasRoom: () => false };

const withoutLeave: [string, Partial<DecideInput>][] = [
  ['its channel has no room', noRoom],
  ['its lane is not served', { slot: false }],
];
describe.each(withoutLeave)('when the notification cannot leave, as %s', (_, input) => {
  test('the document is written, once, and the notification stays due', () => {
    const story = given([help(), end('done')]).decide(0, input);
    const document = { _id: 'spring:anna/e2', to: 'desk', status: 'open', createdAt: new Date(seconds(0)) };
    expect(opened(story)).toMatchObject([{ kind: 'opened', document }]);
    expect(story.conversation).toMatchObject({
      ...{ status: 'active', stage: 'help', step: 0, escalation: 'spring:anna/e2', sequence: 0 },
      ...{ nextChannel: 'push', nextActionAt: new Date(seconds(0)) },
    });
    story.decide(1, input);
    expect(story.decision.unit).toBeUndefined();
    story.due(2);
    expect(opened(story)).toEqual([]);
    expect(story.row).toMatchObject({ channel: 'push', to: 'team', content: { text: 'Anna waits' } });
    expect(story.answer(3, sent).conversation).toMatchObject({ status: 'escalated', escalation: 'spring:anna/e2' });
  });

  test('it can be given back before anybody was notified: nobody is any more', () => {
    const story = given([help(), end('done')])
      .decide(0, input)
      .events(5, { type: 'resume' });
    expect(opened(story)).toMatchObject([{ kind: 'ended', id: 'spring:anna/e2', set: { status: 'resumed' } }]);
    expect(story.conversation).toMatchObject({ status: 'completed', outcome: 'done' });
    expect(story.rows.size).toBe(0);
  });

  test('a reply is theirs to answer; an opt-out closes it', () => {
    const story = given([help(), end('done')])
      .decide(0, input)
      .events(5, { type: 'reply', text: 'hello?' });
    expect(story.conversation).toMatchObject({ status: 'active', stage: 'help', step: 0 });
    story.events(6, { type: 'unsubscribe' });
    expect(opened(story)).toMatchObject([{ kind: 'ended', set: { status: 'closed' } }]);
    expect(story.conversation.status).toBe('suppressed');
  });

  test('its time runs once the notification left', () => {
    const story = given([help({ after: 'PT1H', onTimeout: 'late' }), end('done'), end('late')]).decide(0, input);
    expect(story.due(60).conversation).toMatchObject({ step: 1, nextActionAt: new Date(seconds(3660)) });
    story.answer(61, sent).due(3660);
    expect(opened(story)).toMatchObject([{ kind: 'ended', set: { status: 'expired' } }]);
    expect(story.conversation).toMatchObject({ status: 'completed', outcome: 'late' });
  });
});

test('behind a message, it is written when the stage is reached and not before', () => {
  const story = given([{ ...say, waitForReply: 'PT1M' }, help(), end('done')])
    .due(0)
    .answer(1, sent)
    .decide(30, noRoom);
  expect(opened(story)).toEqual([]);
  story.decide(61, noRoom);
  expect(opened(story)).toMatchObject([{ kind: 'opened', document: { stage: 'help' }, sequence: 1 }]);
});

test('resume at a stage that asks nobody in yet is no more than a word', () => {
  const story = given([say, help(), end('done')]).events(0, { type: 'resume' });
  expect(story.conversation).toMatchObject({ status: 'active', stage: 'say' });
});

test('given back and reached again: a document each time', () => {
  const story = given([help(), { id: 'rest', type: 'wait', for: 'PT1M' }, help({ id: 'again' })]).decide(0, noRoom);
  story.events(5, { type: 'resume' }).decide(65, noRoom);
  expect(opened(story)).toMatchObject([{ kind: 'opened', document: { stage: 'again' } }]);
});
