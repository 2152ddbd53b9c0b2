import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Conversation, Message } from '../../../src/domain/model.ts';
import type { RowOutcome } from '../../../src/domain/outbox.ts';
import { namedRows, rowOf } from '../../../src/domain/receipts.ts';
import { contextOf, given, type Story, seconds } from './given.ts';

const content = { text: 'Hello' };
const intro = { id: 'intro', type: 'message', channel: 'sms', content, waitForReply: 'P1D' };
const next = { id: 'next', type: 'message', channel: 'sms', content, waitForReply: 'P1D' };
const saved = { id: 'saved', type: 'message', channel: 'push', content, waitForReply: 'P1D' };
const sent: RowOutcome = { kind: 'sent', providerMessageId: 'p-1' };
const first = 'spring:anna/1';

/** Events come with the rows as they are stored, as a round gives them. */
const heard = (story: Story, second: number, ...events: object[]): Story => {
  story.conversation = { ...story.conversation, inbox: [...story.conversation.inbox, ...events] as never };
  return story.decide(second, { rows: [...story.rows.values()] });
};
const introduced = (stages: unknown[] = [intro]): Story => given(stages).due(0).answer(1, sent);
const row = (story: Story, id = first): Message | undefined => story.rows.get(id);

describe('receipts on the message', () => {
  test.each([
    ['delivered', {}, 'delivered', { deliveredAt: new Date(seconds(5)) }, { 'messages.delivered': 1 }],
    ['opened', {}, 'sent', { openedAt: new Date(seconds(5)) }, {}],
    ['clicked', {}, 'sent', { clickedAt: new Date(seconds(5)) }, {}],
    ['bounce', { soft: true }, 'bounced', { bouncedAt: new Date(seconds(5)) }, { 'messages.bounced': 1 }],
    ['failed', {}, 'bounced', { bouncedAt: new Date(seconds(5)) }, { 'messages.bounced': 1 }],
    ['complaint', {}, 'sent', { complainedAt: new Date(seconds(5)) }, { 'messages.complained': 1 }],
  ])('%s %j makes it %s', (type, data, status, stamps, counters) => {
    const story = heard(introduced(), 9, {
      id: 'e',
      type,
      at: new Date(seconds(5)),
      data: { ...data, messageId: first },
    });
    expect(row(story)).toMatchObject({ status, ...stamps });
    expect(story.counters).toMatchObject(counters);
    expect(story.counters['messages.sent']).toBe(1);
  });

  test.each([
    ['bounce', 'bounced', 5, '10s'],
    ['failed', 'bounced', 62, '10m'],
    ['complaint', 'complained', 90_000, 'older'],
  ])('%s counts by the age of its message, once: after %#', (type, what, second, age) => {
    const event = { type, data: { messageId: first } };
    const story = heard(heard(introduced(), second, { id: 'a', ...event }), second + 1, { id: 'b', ...event });
    const counted = Object.entries(story.counters).filter(([path]) => path.startsWith('aged'));
    expect(counted).toEqual([[`aged.${what}.${age}`, 1]]);
    expect(story.counters[`messages.${what}`]).toBe(1);
  });

  test('without a time it happened now; an invalid one is none', () => {
    const story = heard(introduced(), 9, { type: 'opened' }, { type: 'clicked', at: new Date(Number.NaN) });
    expect(row(story)).toMatchObject({ openedAt: new Date(seconds(9)), clickedAt: new Date(seconds(9)) });
  });

  test('a machine that opens or clicks leaves no trace on it; one that tells of a delivery does', () => {
    const machine = ['opened', 'clicked', 'delivered'].map((type) => ({ type, machine: true }));
    const found = row(
      heard(introduced([{ ...intro, on: { clicked: 'next', delivered: 'next' } }, next]), 9, ...machine),
    );
    expect([found?.openedAt, found?.clickedAt, found?.status]).toEqual([undefined, undefined, 'delivered']);
  });

  test('what names no message of the conversation, or nothing that is one, changes none', () => {
    const names = [{ messageId: 'other/1' }, { providerMessageId: 'p-9' }, { messageId: 'spring:anna/7' }];
    const events = names.map((data) => ({ type: 'delivered', data }));
    expect(row(heard(introduced(), 9, ...events))?.status).toBe('sent');
    expect(row(heard(introduced(), 9, { type: 'delivered', channel: 'push' }))?.status).toBe('sent');
  });

  test('a row is named by our id, by its provider, or is the newest that left', () => {
    const rows = [
      { _id: 'c/1', channel: 'sms', handedAt: new Date(0), providerMessageId: '7', status: 'sent' },
      { _id: 'c/10', channel: 'push', handedAt: new Date(0), status: 'sent' },
      { _id: 'c/9', channel: 'sms', status: 'sending' },
      { _id: 'c/11', channel: 'sms', status: 'skipped' },
    ] as Message[];
    const of = (event: object) => rowOf({ type: 'opened', ...event }, rows, () => true)?._id;
    expect(of({ data: { messageId: 'c/1' } })).toBe('c/1');
    expect(of({ data: { providerMessageId: 7 } })).toBe('c/1');
    expect([of({}), of({ channel: 'sms' }), of({ channel: 'mail' }), of({ data: { messageId: {} } })]).toEqual([
      'c/10',
      'c/9',
      undefined,
      'c/10',
    ]);
  });

  test('rows are read only where an event may name one, and not more of them than the newest hundred', () => {
    const read = (sequence: number, ...inbox: unknown[]) =>
      namedRows({ _id: 'c', sequence, inbox } as unknown as Conversation);
    expect([read(3), read(3, { type: 'reply' }, null, 'x', {}), read(0, { type: 'opened' })]).toEqual([[], [], []]);
    expect(read(2, { type: 'reply' }, { type: 'complaint' })).toEqual(['c/1', 'c/2']);
    expect([read(250, { type: 'bounce' }).length, read(250, { type: 'bounce' })[0]]).toEqual([100, 'c/151']);
    expect(namedRows({ _id: 'c', sequence: 1, inbox: null } as unknown as Conversation)).toEqual([]);
  });
});

describe('any order and number of receipts gives the same end', () => {
  const types = ['delivered', 'opened', 'clicked', 'failed', 'delivered', 'opened'];
  const receipts = types.map((type, n) => ({
    id: `e${n}`,
    type,
    at: new Date(seconds(10 + n)),
    data: { messageId: first },
  }));
  /** The answer of the channel comes among them. */
  const play = (order: readonly (object | 'answer')[], outcome: RowOutcome): Story => {
    const story = given([{ ...intro, on: { failed: 'next' } }, next]).due(0);
    for (const [n, step] of order.entries()) {
      if (step !== 'answer') heard(story, 20 + n, step);
      // the row in flight knows what was recorded on it meanwhile
      else if (story.row) {
        story.row = { ...story.row, ...story.rows.get(first), status: 'sending' };
        story.answer(20 + n, outcome);
      }
    }
    return story;
  };
  const ending = (story: Story) => {
    const { status, deliveredAt, openedAt, clickedAt, bouncedAt } = row(story) as Message;
    const counted = ['delivered', 'bounced', 'sent', 'uncertain'].map(
      (name) => story.counters[`messages.${name}`] ?? 0,
    );
    return { status, deliveredAt, openedAt, clickedAt, bouncedAt, counted };
  };
  const unknown: RowOutcome = { kind: 'unknown', code: 'timeout', message: 'nobody knows' };

  test.each([
    ['sent', sent, [1, 1, 1, 0]],
    ['of unknown outcome', unknown, [1, 1, 0, 0]],
  ] as const)('of a message that is %s', (_, outcome, counted) => {
    const expected = ending(play(['answer', ...receipts], outcome));
    expect(expected).toMatchObject({ status: 'bounced', deliveredAt: new Date(seconds(10)), counted });
    const some = fc.shuffledSubarray([...receipts, ...receipts.map((one, n) => ({ ...one, id: `again${n}` }))], {
      minLength: 0,
    });
    fc.assert(
      fc.property(some, fc.shuffledSubarray([...receipts, 'answer' as const], { minLength: 7 }), (more, all) => {
        const order = [...all, ...more];
        expect(ending(play(order, outcome))).toEqual(expected);
      }),
      { numRuns: 200 },
    );
  });

  test('what failed, or never left, stays what it is', () => {
    const failed = given([intro]).due(0).answer(1, { kind: 'rejected', code: 'no', message: 'no' });
    expect(row(heard(failed, 2, { type: 'delivered' }))).toMatchObject({
      status: 'failed',
      deliveredAt: new Date(seconds(2)),
    });
    const before = given([intro]).due(0);
    heard(before, 1, { type: 'delivered', data: { messageId: first } });
    expect(row(before)).toMatchObject({ status: 'sending', pending: true, deliveredAt: new Date(seconds(1)) });
    expect(before.decision.unit?.rows).toMatchObject([{ id: first, from: 'sending' }]);
  });
});

describe('receipts move the flow', () => {
  const on = { delivered: 'next', opened: 'next', clicked: 'next', bounce: 'saved', failed: 'next' };
  test.each([
    ['delivered', 'next'],
    ['opened', 'next'],
    ['clicked', 'next'],
    ['failed', 'next'],
    ['bounce', 'saved'],
  ])('%s leads where its author says', (type, stage) => {
    const story = heard(introduced([{ ...intro, on }, next, saved]), 5, { type, data: { messageId: first } });
    expect(story.conversation).toMatchObject({ status: 'active', stage });
  });

  test('a failure goes where a bounce does, when its author says no more', () => {
    const story = heard(introduced([{ ...intro, on: { bounce: 'saved' } }, saved]), 5, { type: 'failed' });
    expect(story.conversation).toMatchObject({ status: 'active', stage: 'saved' });
  });

  test('a failure that leads nowhere ends a conversation that still stands at that message', () => {
    const story = heard(introduced(), 5, { type: 'failed', data: { providerMessageId: 'p-1' } });
    expect(story.conversation).toMatchObject({ status: 'failed', outcome: 'failed', reason: 'provider_rejected' });
    expect(story.conversation.error?.code).toBe('provider_failed');
  });

  test('a failure of no message that is known, or of one before the last, ends nothing', () => {
    expect(given([intro]).due(0).answer(1, sent).events(2, { type: 'failed' }).conversation.status).toBe('active');
    const followed = given([{ ...intro, followUps: [{ after: 'PT1M' }] }])
      .due(0)
      .answer(1, sent)
      .due(70)
      .answer(71, sent);
    expect(heard(followed, 80, { type: 'failed', data: { messageId: first } }).conversation.status).toBe('active');
  });

  test('what becomes of a message does not move the stage after the one that sent it', () => {
    const stages = [{ ...intro, waitForReply: 'PT1M' }, { ...next, on: { opened: 'saved' } }, saved];
    const story = given(stages).due(0).answer(1, sent).due(90).answer(91, sent);
    heard(story, 95, { id: 'a', type: 'opened', data: { messageId: first } });
    expect(story.conversation.stage).toBe('next');
    heard(story, 96, { id: 'b', type: 'opened', data: { messageId: 'spring:anna/2' } });
    expect(story.conversation.stage).toBe('saved');
  });

  test('a bounce that comes when its stage was left goes where that stage says', () => {
    const stages = [{ ...intro, waitForReply: 'PT1M', on: { bounce: 'saved' } }, next, saved];
    const story = given(stages).due(0).answer(1, sent).due(90).answer(91, sent);
    heard(story, 95, { type: 'bounce', data: { messageId: first } });
    expect(story.conversation).toMatchObject({ status: 'active', stage: 'saved' });
  });

  const bounce = (id: string, data: object = {}) => ({ id, type: 'bounce', data: { messageId: first, ...data } });

  test.each<[string, object[]]>([
    ['under another id', [bounce('a'), bounce('b')]],
    ['soft, then hard', [bounce('a', { soft: true }), bounce('b')]],
  ])('a bounce that is told twice, %s, leads on once', (_, events) => {
    const stages = [{ ...intro, on: { bounce: 'saved' } }, saved];
    const story = introduced(stages);
    for (const [n, event] of events.entries()) heard(story, 5 + 10 * n, event).due(6 + 10 * n);
    expect([...story.rows.values()].map(({ stage }) => stage)).toEqual(['intro', 'saved']);
    expect(story.conversation).toMatchObject({ status: 'active', stage: 'saved' });
  });

  test('a bounce of an earlier message is none of the message after it', () => {
    const stages = [intro, { ...next, on: { bounce: 'saved' } }, saved];
    const story = given([{ ...intro, waitForReply: 'PT1M' }, ...stages.slice(1)])
      .due(0)
      .answer(1, sent)
      .due(90)
      .answer(91, sent);
    heard(story, 95, { id: 'a', type: 'bounce', data: { messageId: first, soft: true } });
    expect(story.conversation).toMatchObject({ status: 'active', stage: 'next' });
  });

  test('a failure told late is that of its own stage, planned on or not, and of no other', () => {
    const failed = { id: 'f', type: 'failed', data: { messageId: first } };
    const waits = { id: 'w', type: 'wait', for: 'P1D', on: { failed: 'next' } };
    const { waitForReply: _, ...atOnce } = intro;
    expect(
      heard(introduced([{ ...atOnce, on: { failed: 'saved' } }, waits, next, saved]), 5, failed).conversation.stage,
    ).toBe('saved');
    expect(heard(introduced([atOnce, waits, next]), 5, failed).conversation).toMatchObject({ status: 'failed' });
    const later = { ...next, delay: 'P1D' };
    expect(
      heard(introduced([{ ...atOnce, on: { failed: 'saved' } }, later, saved]), 5, failed).conversation.stage,
    ).toBe('saved');
  });

  test('a failure told when a person has the conversation takes it from nobody', () => {
    const desk = { id: 'desk', type: 'escalate', to: 'sales', after: 'P1D' };
    const story = introduced([{ ...intro, on: { reply: 'desk' } }, desk]).events(2, { id: 'r', type: 'reply' });
    heard(story, 5, { id: 'f', type: 'failed', data: { messageId: first } });
    expect(story.conversation).toMatchObject({ status: 'active', stage: 'desk' });
  });

  test('what became of a message to a colleague says nothing of the contact, by no rule either', () => {
    const notify = { channel: 'sms', to: '+49999', content };
    const stages = [{ id: 'desk', type: 'escalate', to: 'sales', after: 'P1D', notify }, saved];
    const story = given(stages).due(0).answer(1, sent);
    const rules = [
      Object.fromEntries([
        ['on', 'bounce'],
        ['then', { suppress: true }],
      ]),
    ];
    story.context = contextOf(stages, {}, rules);
    heard(story, 5, bounce('a'), { id: 'f', type: 'failed', data: { messageId: first } });
    expect(story.conversation).toMatchObject({ status: 'active', stage: 'desk' });
    expect(story.decision.unit?.suppressions ?? []).toEqual([]);
    expect(row(story)).toMatchObject({ status: 'bounced' });
  });

  test('a rule takes up a receipt once', () => {
    const rules = [
      Object.fromEntries([
        ['on', 'opened'],
        ['then', { goto: 'saved' }],
      ]),
    ];
    const story = introduced([intro, saved]);
    story.context = contextOf([intro, saved], {}, rules);
    const opened = (id: string) => ({ id, type: 'opened', data: { messageId: first } });
    heard(story, 5, opened('a')).due(6).answer(7, sent);
    heard(story, 8, opened('b')).due(9);
    expect([...story.rows.values()].map(({ stage }) => stage)).toEqual(['intro', 'saved']);
  });

  test('receipts after the end are kept on the message and move nothing', () => {
    const story = introduced().events(2, { type: 'reply' });
    heard(story, 99, { type: 'delivered', data: { messageId: first } });
    expect([story.conversation.status, row(story)?.status]).toEqual(['completed', 'delivered']);
  });
});

describe('any number of receipts', () => {
  const opened = (n: number) => ({
    id: `o${n}`,
    type: 'opened',
    at: new Date(seconds(5 + n)),
    data: { messageId: first },
  });

  test('drives out nothing that has to be remembered, where nobody listens to them', () => {
    const story = heard(introduced(), 4, { id: 'r', type: 'help' });
    for (let n = 0; n < 300; n++) heard(story, 5 + n, opened(n));
    expect(story.conversation.consumed).toEqual(['r']);
    expect(story.conversation.history.filter(({ event }) => event === 'opened')).toHaveLength(1);
    expect(row(story)?.openedAt).toEqual(new Date(seconds(5)));
  });

  test('a failure that is told twice of a message that was left behind leads nowhere', () => {
    const story = introduced([{ ...intro, on: { reply: 'next' } }, next]).events(2, { id: 'r', type: 'reply' });
    const failed = { type: 'failed', data: { messageId: first } };
    heard(story, 3, { ...failed, id: 'f1' }, { ...failed, id: 'f2' });
    expect(story.conversation).toMatchObject({ status: 'active', stage: 'next' });
    expect(row(story)?.status).toBe('bounced');
  });

  test('each is remembered where the flow asks for it', () => {
    const story = introduced([{ ...intro, on: { opened: 'next' } }, next]);
    heard(story, 5, opened(0), opened(1));
    expect(story.conversation.consumed).toEqual(['o0', 'o1']);
    expect(story.conversation.stage).toBe('next');
  });

  test('are kept when their message is sent again in the same decision', () => {
    const story = given([intro]).due(0).answer(1, { kind: 'retry', code: 'http_503', message: 'later', counts: true });
    const { inbox, ...rest } = story.conversation;
    const event = { type: 'delivered', at: new Date(seconds(3)), data: { messageId: first } };
    story.conversation = { ...rest, inbox: [...inbox, event] };
    story.decide(60, { slot: true, rows: [...story.rows.values()] }).answer(61, sent);
    expect(row(story)).toMatchObject({ status: 'delivered', deliveredAt: new Date(seconds(3)) });
  });

  test('the row that a receipt names is read, and the newest hundred only for one that names none', () => {
    const of = (inbox: unknown[]) => namedRows({ ...introduced().conversation, sequence: 250, inbox: inbox as never });
    const names = (messageId: string) => ({ type: 'opened', data: { messageId } });
    expect(of([names('spring:anna/7'), names('spring:anna/7'), names('other/1')])).toEqual(['spring:anna/7']);
    expect(of([names('spring:anna/7'), { type: 'opened' }])).toHaveLength(101);
    expect(of([{ type: 'reply' }, 7, null])).toEqual([]);
  });
});
