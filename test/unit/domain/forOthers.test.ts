/** Webhooks and notifications are for others: what becomes of them, and where they go, says nothing of the contact. */
import { expect, test } from '@jest/globals';
import type { AddressBook } from '../../../src/domain/addresses.ts';
import type { Refusals } from '../../../src/domain/suppression.ts';
import { contextOf, given, Story } from './given.ts';

const content = { text: 'Hello' };
const ask = { id: 'ask', type: 'message', channel: 'sms', content };
const done = { id: 'done', type: 'end', outcome: 'done' };
const refusals: Refusals = new Map([
  ['sms', 'suppressed'],
  ['push', 'suppressed'],
]);
const refuse = (story: Story, second = 0): Story => story.decide(second, { slot: true, refusals });
const others: [string, object, object][] = [
  [
    'a webhook to the address of the contact',
    { id: 'tell', type: 'webhook', channel: 'push', body: { who: 'anna' } },
    { status: 'completed', outcome: 'done' },
  ],
  [
    'a notification to the address of the contact',
    { id: 'tell', type: 'escalate', to: 'desk', notify: { channel: 'sms', to: '+491', content } },
    { status: 'escalated' },
  ],
];

test.each(others)('%s that may not leave ends nothing as suppressed', (_, stage, expected) => {
  const story = refuse(given([stage, done]));
  expect([...story.rows.values()]).toMatchObject([{ status: 'skipped', reason: 'suppressed', stage: 'tell' }]);
  expect(story.conversation).toMatchObject(expected);
  expect(story.counters).not.toHaveProperty('suppressed');
});

test.each(others)('nor when it waited for another try: %s', (_, stage, expected) => {
  const story = given([stage, done]).due(0).answer(1, { kind: 'held' });
  expect(story.rows.get('spring:anna/1')?.status).toBe('queued');
  refuse(story, 2);
  expect(story.rows.get('spring:anna/1')).toMatchObject({ status: 'skipped', reason: 'suppressed' });
  expect(story.conversation).toMatchObject(expected);
});

const elsewhere = { channel: 'push', to: 'https://desk.test/' };
test.each<[string, object, object]>([
  [
    'a webhook',
    { id: 'tell', type: 'webhook', ...elsewhere, body: { who: 'anna' } },
    { status: 'completed', outcome: 'done' },
  ],
  [
    'a person with a notification',
    { id: 'tell', type: 'escalate', to: 'desk', notify: { ...elsewhere, content } },
    { status: 'escalated' },
  ],
  ['a person', { id: 'tell', type: 'escalate', to: 'desk' }, { status: 'escalated' }],
])('a contact who may not be written to is still told of to %s', (_, stage, expected) => {
  const story = refuse(given([ask, stage, done]));
  expect(story.rows.get('spring:anna/1')).toMatchObject({ status: 'skipped', reason: 'suppressed' });
  if (story.row) story.answer(1, { kind: 'sent' });
  expect(story.conversation).toMatchObject(expected);
  const again = given([ask, stage, done]).due(0).answer(1, { kind: 'held' });
  refuse(again, 2);
  expect(again.conversation.status).not.toBe('suppressed');
});

test('where there is nobody else, it ends as suppressed', () => {
  expect(refuse(given([ask, { id: 'rest', type: 'wait', for: 'PT1M' }, done])).conversation).toMatchObject({
    ...{ status: 'suppressed', outcome: 'suppressed', reason: 'suppressed' },
  });
});

// ---------------------------------------------------------------- events that name no message and no channel

const book: AddressBook = { isKeyed: false, hash: (form) => `h${form}`, hashes: (form) => [`h${form}`] };
const tell = { id: 'tell', type: 'webhook', channel: 'push', to: 'https://crm.test/', body: { who: 'anna' } };
const busy = { kind: 'retry', code: 'busy', message: 'busy', counts: true } as const;
const behind = [ask, tell, { id: 'more', type: 'message', channel: 'sms', content }];
/** Its message was sent; a webhook follows. */
const calling = (stages: unknown[] = behind): Story =>
  new Story(contextOf(stages, { addressBook: book })).due(0).answer(1, { kind: 'sent' }).due(2);
const hears = (story: Story, event: object): Story => {
  story.conversation = { ...story.conversation, inbox: [event] as never };
  return story.decide(5, { rows: [...story.rows.values()] });
};
const suppressed = (story: Story): unknown =>
  story.decision.unit?.suppressions?.map((one) => (one.kind === 'add' ? one.suppression._id : one.id));

test.each<[string, (story: Story) => Story]>([
  ['is under way', (story) => story],
  ['waits for another try', (story) => story.answer(3, busy)],
])('while a webhook %s, an event is about the message to the contact, and its channel', (_, until) => {
  for (const [event, outcome] of [
    [{ type: 'reply', text: 'STOP' }, 'unsubscribed'],
    [{ type: 'complaint' }, 'complained'],
    [{ type: 'bounce' }, 'bounced'],
  ] as const) {
    const story = hears(until(calling()), event);
    expect(suppressed(story)).toEqual(['sms:*:h+491']);
    expect(story.conversation).toMatchObject({ status: 'suppressed', outcome });
  }
  const told = hears(until(calling()), { type: 'delivered' });
  expect([told.rows.get('spring:anna/1')?.status, told.rows.get('spring:anna/2')?.deliveredAt]).toEqual([
    'delivered',
    undefined,
  ]);
});

test('what names the webhook by its id is about that', () => {
  const story = hears(calling(), { type: 'bounce', data: { messageId: 'spring:anna/2' } });
  expect(suppressed(story)).toBeUndefined();
  expect(story.conversation.status).toBe('active');
});

test('a flow that writes to nobody has no channel of its contact to suppress', () => {
  const story = new Story(contextOf([tell, done], { addressBook: book })).due(0).answer(1, busy);
  expect(suppressed(hears(story, { type: 'reply', text: 'STOP' }))).toBeUndefined();
  expect(story.conversation).toMatchObject({ status: 'suppressed', outcome: 'unsubscribed' });
});
