/** Every stage type and every way out of it: given a flow, when something happens, then this follows. */
import { describe, expect, test } from '@jest/globals';
import type { Message } from '../../../src/domain/model.ts';
import { pick } from '../../../src/domain/passing.ts';
import { inShape } from '../../../src/domain/shape.ts';
import { anna, contextOf, given, Story, seconds } from './given.ts';

const sent = { kind: 'sent' } as const;
const rejected = { kind: 'rejected', code: 'no', message: 'no' } as const;
const retry = { kind: 'retry', code: 'busy', message: 'busy', counts: true, retryAfterMs: 5_000 } as const;
const say = (id: string, more: object = {}) => ({
  id,
  type: 'message',
  channel: 'sms',
  content: { text: id },
  ...more,
});
const end = (id: string) => ({ id, type: 'end', outcome: id });
const place = ({ conversation: { status, stage, step, nextActionAt, nextChannel } }: Story) => ({
  ...{ status, stage, step },
  due: nextActionAt === undefined ? undefined : (nextActionAt.getTime() - seconds(0)) / 1000,
  channel: nextChannel,
});
/** Its field `then` would make it look like a promise. */
const rule = (on: string, action: object, when?: object): object =>
  Object.fromEntries([['on', on], ...(when ? [['when', when]] : []), ['then', action]]);
const texts = (story: Story): unknown[] =>
  [...story.rows.values()].map(({ content }) => content?.text ?? content?.body);

describe('wait', () => {
  test('for a time: nothing happens before, then the next stage', () => {
    const story = given([{ id: 'w', type: 'wait', for: 'PT1M' }, end('done')]);
    expect(place(story)).toMatchObject({ stage: 'w', due: 60, channel: '-' });
    expect(place(story.due(59))).toMatchObject({ status: 'active', stage: 'w' });
    expect(place(story.due(60))).toMatchObject({ status: 'completed' });
  });

  test.each<[string, unknown, object, number | undefined]>([
    ['a fixed date', new Date(seconds(90)), {}, 90],
    ['a fixed date as text', new Date(seconds(90)).toISOString(), {}, 90],
    ['one that has passed', '2020-02-29', {}, 0],
    ['an attribute', 'contact.attributes.renewal', { renewal: new Date(seconds(30)) }, 30],
    ['a day before an attribute', 'contact.attributes.renewal - P1D', { renewal: '2026-01-07T09:00:00Z' }, 86_400],
    [
      'a month after it',
      'contact.attributes.renewal + P1M',
      { renewal: '2025-12-31' },
      (Date.UTC(2026, 0, 31) - seconds(0)) / 1000,
    ],
    ['a variable', 'variables.launch', {}, 45],
    ['what is below an attribute', 'contact.attributes.plan.ends + PT1S', { plan: { ends: new Date(seconds(1)) } }, 2],
  ])('until %s', (_, until, attributes, due) => {
    const context = contextOf([{ id: 'w', type: 'wait', until }, end('done')], {
      variables: { launch: new Date(seconds(45)) },
    });
    const waiting = new Story(context, { ...anna, attributes: attributes as Record<string, unknown> });
    expect(place(waiting)).toMatchObject({ stage: 'w', due });
    expect(place(waiting.due(due ?? 0))).toMatchObject({ status: 'completed' });
  });

  test.each([[undefined], ['soon'], ['2026-02-30'], [7], [{ a: 1 }]])(
    'until a date that is none (%p): fails, or goes where its author says',
    (renewal) => {
      const contact = { ...anna, attributes: renewal === undefined ? {} : { renewal } };
      const wait = { id: 'w', type: 'wait', until: 'contact.attributes.renewal' };
      const failed = given([wait, end('done')], contact).due(0);
      expect(failed.conversation).toMatchObject({ status: 'failed', error: { code: 'date_missing' } });
      const led = given([{ ...wait, onMissing: 'none' }, end('done'), end('none')], contact).due(0);
      expect(led.conversation).toMatchObject({ status: 'completed', outcome: 'none' });
    },
  );

  const forEvent = [
    { id: 'w', type: 'wait', event: 'paid', timeout: 'PT1H', onTimeout: 'late', on: { left: 'late' } },
    end('done'),
    end('late'),
  ];
  test.each<[string, (story: Story) => Story, object]>([
    [
      'the event comes',
      (story) => story.events(5, { id: 'e', type: 'paid' }),
      { status: 'completed', outcome: 'done' },
    ],
    ['it does not come in time', (story) => story.due(3600), { status: 'completed', outcome: 'late' }],
    ['another event has a way of its own', (story) => story.events(5, { id: 'e', type: 'left' }), { outcome: 'late' }],
    [
      'an event that nobody asked for',
      (story) => story.events(5, { id: 'e', type: 'seen' }),
      { status: 'active', stage: 'w' },
    ],
    ['a reply', (story) => story.events(5, { id: 'e', type: 'reply' }), { status: 'completed', outcome: 'replied' }],
    ['a machine says it', (story) => story.events(5, { id: 'e', type: 'paid', machine: true }), { status: 'active' }],
  ])('for an event: %s', (_, when, expected) => {
    expect(when(given(forEvent)).conversation).toMatchObject(expected);
  });

  test('for an event, for ever: nothing is due; for a reply: that leads on', () => {
    const story = given([{ id: 'w', type: 'wait', event: 'reply' }, end('done')]);
    expect(place(story)).toEqual({ status: 'active', stage: 'w', step: 0, due: undefined, channel: undefined });
    expect(story.events(9, { id: 'e', type: 'reply' }).conversation).toMatchObject({ outcome: 'done' });
  });

  test.each<[string, Parameters<Story['answer']>[1]]>([
    ['was sent', sent],
    ['may have been sent', { kind: 'unknown', code: 'timeout', message: '' }],
  ])('for an event behind a message that %s: the event is waited for', (_, outcome) => {
    const story = given([say('a'), { id: 'w', type: 'wait', event: 'paid' }, say('b'), end('done')])
      .due(0)
      .answer(1, outcome);
    expect(place(story)).toMatchObject({ status: 'active', stage: 'w', step: 0, due: undefined });
    expect(texts(story.due(99))).toEqual(['a']);
    expect(texts(story.events(100, { id: 'e', type: 'paid' }).due(100))).toEqual(['a', 'b']);
  });

  test('for an event that comes while the message before it waits for another try: that is not sent any more', () => {
    const flow = [
      say('a'),
      { id: 'w', type: 'wait', event: 'paid' },
      { id: 'p', type: 'wait', for: 'P7D' },
      end('done'),
    ];
    const story = given(flow).due(0).answer(1, retry).events(2, { id: 'e', type: 'paid' });
    expect([...story.rows.values()]).toMatchObject([{ status: 'skipped', reason: 'replied' }]);
    expect(place(story)).toMatchObject({ stage: 'p', due: 2 + 7 * 86_400, channel: '-' });
    expect(story.conversation.awaiting).toBeUndefined();
  });

  test('for an event, no time-out of its own way: the next stage', () => {
    const story = given([{ id: 'w', type: 'wait', event: 'paid', timeout: 'PT1H' }, end('done')]);
    expect(story.due(3600).conversation).toMatchObject({ outcome: 'done' });
  });
});

describe('branch', () => {
  const branch = {
    id: 'b',
    type: 'branch',
    branches: [
      { when: { 'contact.country': 'DE' }, goto: 'de' },
      { when: { 'variables.product': 'Compass', 'contact.country': { $exists: true } }, goto: 'abroad' },
      { goto: 'none' },
    ],
  };
  test.each([
    ['DE', 'de'],
    ['AT', 'abroad'],
    [undefined, 'none'],
  ])('country %p leads to %s, at once', (country, outcome) => {
    const contact = country === undefined ? anna : { ...anna, country };
    expect(given([branch, end('de'), end('abroad'), end('none')], contact).due(0).conversation).toMatchObject({
      outcome,
    });
  });

  test('none fits: the next stage, or the end of the flow', () => {
    const open = { ...branch, branches: branch.branches.slice(0, 1) };
    expect(given([open, end('next'), end('de')]).due(0).conversation).toMatchObject({ outcome: 'next' });
    expect(given([end('de'), open].toReversed(), { ...anna, country: 'AT' }).due(0).conversation).toMatchObject({
      outcome: 'de',
    });
    const last = given([say('a', { on: { noReply: 'b' } }), end('de'), open], anna)
      .due(0)
      .answer(1, sent);
    expect(last.conversation).toMatchObject({ status: 'completed', outcome: 'finished' });
  });

  test('after a message its answer is waited for; the message behind it leaves from the lane', () => {
    const story = given([say('a'), branch, say('de'), say('abroad'), say('none')]).due(0);
    expect(place(story)).toMatchObject({ stage: 'a', step: 1, due: undefined });
    expect(place(story.answer(2, sent))).toMatchObject({ stage: 'none', step: 0, due: 2, channel: 'sms' });
    expect(texts(story.due(2))).toEqual(['a', 'none']);
  });

  test('the entry of a flow: what opens a conversation is served as such until something is done', () => {
    const story = given([branch, say('de'), say('abroad'), say('none')]);
    expect(story.conversation).toMatchObject({ opening: true, nextChannel: '-' });
    story.decide(0, { slot: true, hasRoom: () => false });
    expect(story.conversation).toMatchObject({ opening: true, stage: 'none', nextChannel: 'sms' });
    expect(story.due(1).conversation.opening).toBeUndefined();
  });

  test('knows the event that led there, and what is known of the conversation', () => {
    const flow = [
      say('ask', { waitForReply: 'P1D', on: { reply: 'b' } }),
      {
        id: 'b',
        type: 'branch',
        branches: [
          { when: { 'event.text': { $regex: '^yes', $options: 'i' }, 'conversation.sequence': 1 }, goto: 'yes' },
          { when: { 'event.data.score': { $gt: 7 } }, goto: 'score' },
          { goto: 'no' },
        ],
      },
      ...['yes', 'score', 'no'].map(end),
    ];
    const replied = (event: object) =>
      given(flow)
        .due(0)
        .answer(1, sent)
        .events(2, { id: 'e', type: 'reply', ...event });
    expect(replied({ text: 'Yes please' }).conversation).toMatchObject({ outcome: 'yes' });
    expect(replied({ text: 'no', data: { score: 9 } }).conversation).toMatchObject({ outcome: 'score' });
    expect(replied({ data: { score: 9, long: 'x'.repeat(5_000) } }).conversation).toMatchObject({ outcome: 'no' });
    expect(replied({ text: 7, channel: 'sms', at: new Date(0) }).conversation.event).toMatchObject({
      channel: 'sms',
      at: new Date(0),
    });
  });

  test('moved there while a message is in flight: it is decided, and the next message waits for the answer', () => {
    const flow = [say('a', { waitForReply: 'P1D', on: { reply: 'b' } }), branch, say('de'), say('abroad'), say('none')];
    const story = given(flow).due(0).events(1, { id: 'e', type: 'reply' });
    expect(place(story)).toMatchObject({ stage: 'none', due: 1, channel: 'sms' });
    expect(texts(story.due(2))).toEqual(['a']);
    expect(texts(story.answer(3, sent).due(3))).toEqual(['a', 'none']);
  });
});

describe('split', () => {
  const split = (variants: object[]) => ({ id: 's', type: 'split', variants });
  const ab = [
    { variant: 'a', weight: 1, goto: 'one' },
    { variant: 'b', weight: 3, goto: 'two' },
  ];
  const drawnBy = (id: string, variants: object[] = ab): Story =>
    given([split(variants), say('one'), say('two')], { ...anna, id }).due(0);

  test('is drawn by the conversation, remembered, and on its messages', () => {
    const story = drawnBy('anna');
    const name = story.conversation.variant?.['s'] as string;
    expect(['a', 'b']).toContain(name);
    expect(story.row).toMatchObject({ variant: name, stage: name === 'a' ? 'one' : 'two' });
    expect(story.conversation.history).toContainEqual(
      expect.objectContaining({ event: 'drawn', detail: { variant: name } }),
    );
    expect(drawnBy('anna').conversation.variant).toEqual(story.conversation.variant);
  });

  test('fractions that do not add up to a whole: the last one with a weight', () => {
    const tenths = Array.from({ length: 10 }, (_, n) => ({ variant: `v${n}`, weight: 0.1, goto: 'one' }));
    for (let n = 0; n < 50; n++) expect(drawnBy(`f${n}`, tenths).conversation.variant?.['s']).toMatch(/^v\d$/);
    expect(
      pick(
        [
          { variant: 'a', weight: 1 },
          { variant: 'b', weight: 0 },
        ],
        1,
      ).variant,
    ).toBe('a');
  });

  test('shares are those of the weights (99.9 % of a binomial)', () => {
    const count = 4_000;
    const drawn = Array.from({ length: count }, (_, n) => drawnBy(`c${n}`).conversation.variant?.['s']);
    const share = drawn.filter((name) => name === 'a').length / count;
    expect(Math.abs(share - 0.25)).toBeLessThan(3.3 * Math.sqrt((0.25 * 0.75) / count));
  });

  test('who was drawn stays so when he passes again, whatever the weights are then; a variant that is gone is drawn anew', () => {
    const flow = (variants: object[]) => [
      split(variants),
      say('one', { followUps: [{ after: 'PT1H' }], on: { noReply: 's' } }),
      say('two'),
    ];
    const story = given(flow([{ variant: 'a', weight: 1, goto: 'one' }]))
      .due(0)
      .answer(0, sent)
      .due(3600)
      .answer(3600, sent);
    story.context = contextOf(
      flow([
        { variant: 'a', weight: 0, goto: 'one' },
        { variant: 'b', weight: 1, goto: 'two' },
      ]),
    );
    expect(story.due(7200).conversation).toMatchObject({ variant: { s: 'a' }, stage: 'one' });
    story.context = contextOf(flow([{ variant: 'b', weight: 1, goto: 'one' }]));
    story.conversation = {
      ...story.conversation,
      stage: 's',
      step: 0,
      nextActionAt: new Date(seconds(9000)),
      nextChannel: '-',
    };
    expect(story.answer(9000, sent).conversation.variant).toEqual({ s: 'b' });
  });

  test('a hold-out ends, and is counted', () => {
    const story = drawnBy('anna', [{ variant: 'none', weight: 1 }]);
    expect(story.conversation).toMatchObject({ status: 'completed', outcome: 'hold_out', reason: 'hold_out' });
    expect(story.counters).toMatchObject({ 'variants.s.none.entered': 1, 'outcomes.hold_out': 1, completed: 1 });
  });

  test('what came of each variant is counted', () => {
    const story = drawnBy('anna', [{ variant: 'a', weight: 1, goto: 'one' }]).answer(1, sent);
    story.events(2, { id: 'e', type: 'reply' }, { id: 'f', type: 'reply' });
    expect(story.counters).toMatchObject({ 'variants.s.a.entered': 1, 'variants.s.a.sent': 1 });
    const asked = given([split([{ variant: 'a', weight: 0.1, goto: 'one' }]), say('one', { waitForReply: 'P1D' })])
      .due(0)
      .answer(1, sent);
    expect(asked.events(2, { id: 'e', type: 'reply' }).counters).toMatchObject({
      'variants.s.a.replied': 1,
      replied: 1,
    });
  });
});

describe('escalate', () => {
  const stage = (more: object = {}) => ({ id: 'h', type: 'escalate', to: 'support', ...more });
  const resume = (more: object = {}) => ({ id: 'r', type: 'resume', ...more });
  const opened = (story: Story) => story.decision.unit?.escalations ?? [];

  test('without a time it counts as ended, and a document asks somebody in', () => {
    const story = given([stage({ reason: 'no answer' }), end('done')]).due(0);
    expect(story.conversation).toMatchObject({ status: 'escalated', outcome: 'escalated' });
    expect(place(story)).toMatchObject({ due: undefined });
    const document = {
      _id: 'spring:anna/e2',
      conversationId: 'spring:anna',
      to: 'support',
      reason: 'no answer',
      status: 'open',
      stage: 'h',
    };
    expect(opened(story)).toMatchObject([{ kind: 'opened', document, sequence: 0 }]);
    expect(story.conversation.escalation).toBe('spring:anna/e2');
    expect(story.counters).toEqual({ total: 1, escalated: 1, 'outcomes.escalated': 1, 'stages.h.entered': 1 });
  });

  test.each<[string, object, object]>([
    ['the next stage', {}, { status: 'completed', outcome: 'done' }],
    ['a stage it names', { stage: 'other' }, { status: 'completed', outcome: 'other' }],
    ['a stage its data names', { data: { stage: 'other' } }, { outcome: 'other' }],
  ])('resume leads to %s, and the figures are as if it had never ended', (_, more, expected) => {
    const story = given([stage(), end('done'), end('other')])
      .due(0)
      .events(9, resume(more));
    expect(story.conversation).toMatchObject(expected);
    expect(story.conversation.escalation).toBeUndefined();
    expect(story.decision.unit).toMatchObject({
      reopens: true,
      escalations: [{ kind: 'ended', set: { status: 'resumed' } }],
    });
    expect(story.counters).toMatchObject({ total: 1, completed: 1 });
    expect(story.counters['escalated'] ?? story.counters['active']).toBeUndefined();
  });

  test('the last stage: resume finishes it', () => {
    expect(given([stage()]).due(0).events(9, resume()).conversation).toMatchObject({
      status: 'completed',
      outcome: 'finished',
    });
  });

  test('resume that names no stage of the flow: a dead letter says so, and it goes on being escalated', () => {
    for (const named of ['nowhere', 7]) {
      const story = given([stage(), end('done')])
        .due(0)
        .events(9, resume({ stage: named }));
      expect(story.conversation).toMatchObject({ status: 'escalated', inbox: [] });
      expect(story.decision.unit?.deadLetters[0]?.error?.message).toMatch(/flow has h, done/);
    }
  });

  test('resume where its stage is no more finishes it', () => {
    const story = given([stage(), end('done')], anna).due(0);
    story.context = contextOf([end('done')]);
    story.conversation = { ...story.conversation, tenant: 'acme' };
    expect(story.events(9, resume()).conversation).toMatchObject({ status: 'completed', outcome: 'finished' });
  });

  test('asked in, given back and asked in again by what was in the inbox at once: a document each', () => {
    const story = given([say('a', { waitForReply: 'P1D' }), stage(), end('done')]);
    story.context = contextOf([say('a', { waitForReply: 'P1D' }), stage(), end('done')], {}, [
      rule('reply', { escalate: { to: 'sales' } }),
    ]);
    story.due(0).answer(1, sent);
    const [asks, back] = [{ type: 'reply' }, { type: 'resume', stage: 'h' }];
    story.events(2, { ...asks, id: '1' }, { ...back, id: '2' }, { ...asks, id: '3' }, { ...back, id: '4' });
    const ids = opened(story).map((change) => (change.kind === 'opened' ? change.document._id : change.id));
    expect(ids).toEqual([
      'spring:anna/e3',
      'spring:anna/e3',
      'spring:anna/e3.2',
      'spring:anna/e3.2',
      'spring:anna/e3.3',
    ]);
    expect(story.conversation).toMatchObject({ status: 'escalated', escalation: 'spring:anna/e3.3' });
  });

  test('the document names the tenant', () => {
    const story = given([stage()]);
    story.conversation = { ...story.conversation, tenant: 'acme' };
    expect(opened(story.due(0))).toMatchObject([{ document: { tenant: 'acme' } }]);
  });

  test('resume after the campaign is over changes nothing', () => {
    for (const over of [{ stopped: 'campaign_cancelled' as const }, { isOver: true }]) {
      const story = given([stage(), end('done')]).due(0);
      story.context = { ...story.context, ...over };
      expect(story.events(9, resume()).conversation).toMatchObject({ status: 'escalated', inbox: [] });
      // once: in an ended campaign nobody else tells the one who answered
      expect(story.decision.unit?.deadLetters).toMatchObject([{ reason: 'resume_too_late' }]);
    }
  });

  const timed = [
    stage({ after: 'PT1H', onTimeout: 'late', on: { reply: 'heard' } }),
    end('done'),
    end('late'),
    end('heard'),
  ];
  test('with a time it stays active, and goes on by itself', () => {
    const story = given(timed).due(0);
    expect(place(story)).toMatchObject({ status: 'active', stage: 'h', step: 1, due: 3600, channel: '-' });
    expect(opened(story)).toMatchObject([{ document: { expiresAt: new Date(seconds(3600)) } }]);
    story.due(3600);
    expect(story.conversation).toMatchObject({ status: 'completed', outcome: 'late' });
    expect(opened(story)).toMatchObject([{ kind: 'ended', id: 'spring:anna/e2', set: { status: 'expired' } }]);
  });

  test.each<[string, object, object, string]>([
    ['given back', resume(), { outcome: 'done' }, 'resumed'],
    ['an event with a way of its own', { id: 'e', type: 'reply' }, { outcome: 'heard' }, 'resumed'],
    ['opted out meanwhile', { id: 'e', type: 'unsubscribe' }, { status: 'suppressed' }, 'closed'],
  ])('with a time, %s', (_, event, expected, status) => {
    const story = given(timed).due(0).events(9, event);
    expect(story.conversation).toMatchObject(expected);
    expect(opened(story)).toMatchObject([{ kind: 'ended', set: { status } }]);
  });

  test('with a person a reply is theirs to answer', () => {
    const story = given([stage({ after: 'PT1H' }), end('done')])
      .due(0)
      .events(9, { id: 'e', type: 'reply', text: 'hello?' });
    expect(story.conversation).toMatchObject({ status: 'active', stage: 'h' });
    expect(story.conversation.history.at(-1)).toMatchObject({ event: 'reply', detail: { text: 'hello?' } });
  });

  test('cancelled while somebody is waited for: closed', () => {
    const story = given(timed).due(0).stop(9, 'campaign_cancelled');
    expect(story.conversation.status).toBe('cancelled');
    expect(opened(story)).toMatchObject([{ set: { status: 'closed' } }]);
  });

  const notify = {
    channel: 'push',
    to: 'team-{{ contact.country | default: "xx" }}',
    content: { text: '{{ contact.name }} waits' },
  };
  test('a notification leaves with it, and its answer ends the conversation as escalated', () => {
    const story = given([stage({ notify }), end('done')]);
    expect(place(story)).toMatchObject({ stage: 'h', step: 0, channel: 'push' });
    story.due(0);
    expect(story.row).toMatchObject({ channel: 'push', to: 'team-xx', content: { text: 'Anna waits' } });
    expect(opened(story)).toHaveLength(1);
    expect(story.conversation.status).toBe('active');
    expect(story.answer(1, sent).conversation).toMatchObject({ status: 'escalated' });
    expect(story.counters).toMatchObject({ escalated: 1, 'messages.sent': 1 });
  });

  test.each<[string, Parameters<Story['answer']>[1]]>([
    ['is refused', rejected],
    ['may have left', { kind: 'unknown', code: 'timeout', message: 'no answer' }],
  ])('a notification that %s changes nothing for whoever is escalated', (_, outcome) => {
    const story = given([stage({ notify }), end('done')])
      .due(0)
      .answer(1, outcome);
    expect(story.conversation).toMatchObject({ status: 'escalated' });
  });

  test('a notification that was sent while a time runs: it still runs', () => {
    const story = given([stage({ notify, after: 'PT1H' }), end('done')])
      .due(0)
      .answer(1, sent);
    expect(place(story)).toMatchObject({ status: 'active', step: 1, due: 3600 });
  });

  test('a notification that is refused while a time runs: it still runs; one that is tried again leaves again', () => {
    const refused = given([stage({ notify, after: 'PT1H' }), end('done')])
      .due(0)
      .answer(1, rejected);
    expect(place(refused)).toMatchObject({ status: 'active', step: 1, due: 3600 });
    const again = given([stage({ notify }), end('done')])
      .due(0)
      .answer(1, retry);
    expect(place(again)).toMatchObject({ stage: 'h', step: 1, due: 6, channel: 'push' });
    expect(again.due(6).row).toMatchObject({ attempts: 2 });
    expect(again.answer(7, sent).conversation).toMatchObject({ status: 'escalated' });
  });

  test('given back while the notification waits for another try: nobody is notified any more', () => {
    const story = given([stage({ notify, after: 'PT1H' }), end('done')])
      .due(0)
      .answer(1, retry)
      .events(2, resume());
    expect([...story.rows.values()]).toMatchObject([{ status: 'skipped', reason: 'replied' }]);
    expect(story.conversation).toMatchObject({ status: 'completed', outcome: 'done' });
  });

  test('asked in by a rule while somebody else is asked: that one is closed', () => {
    const flow = [stage({ after: 'PT1H' }), end('done')];
    const story = given(flow);
    story.context = contextOf(flow, {}, [rule('reply', { escalate: { to: 'sales' } })]);
    story.due(0).events(9, { id: 'e', type: 'reply' });
    expect(opened(story)).toMatchObject([
      { kind: 'ended', set: { status: 'closed' } },
      { kind: 'opened', document: { to: 'sales' } },
    ]);
  });

  test('a notification that cannot be rendered fails alone', () => {
    for (const wrong of [{ to: '{{ contact.team }}' }, { content: { text: '{{ contact.team }}' } }]) {
      const story = given([stage({ notify: { ...notify, ...wrong } }), end('done')]).due(0);
      expect([...story.rows.values()]).toMatchObject([{ status: 'failed', reason: 'template_variable_missing' }]);
      expect(story.conversation).toMatchObject({ status: 'escalated' });
    }
    const timedOne = given([
      stage({ notify: { ...notify, to: '{{ contact.team }}' }, after: 'PT1H' }),
      end('done'),
    ]).due(0);
    expect(place(timedOne)).toMatchObject({ status: 'active', due: 3600 });
  });
});

describe('webhook', () => {
  const stage = (more: object = {}) => ({
    id: 'crm',
    type: 'webhook',
    channel: 'push',
    body: { who: '{{ contact.id }}' },
    ...more,
  });
  const branch = {
    id: 'b',
    type: 'branch',
    branches: [{ when: { 'variables.crm.score': { $gte: 5 } }, goto: 'high' }, { goto: 'low' }],
  };
  const answer = (score: number) => ({ kind: 'sent', answer: { score } }) as const;

  test('sends its body, and the answer decides what comes next', () => {
    const story = given([stage({ keep: true }), branch, say('high'), say('low')]).due(0);
    expect(story.row).toMatchObject({ channel: 'push', to: 'https://a.test/', content: { body: { who: 'anna' } } });
    expect(place(story)).toMatchObject({ stage: 'crm', step: 1, due: undefined });
    story.answer(1, answer(7));
    expect(story.conversation).toMatchObject({ variables: { crm: { score: 7 } }, stage: 'high' });
    expect(
      given([stage({ keep: true }), branch, say('high'), say('low')])
        .due(0)
        .answer(1, answer(3)).conversation.stage,
    ).toBe('low');
  });

  test('what it answered is in later messages', () => {
    const story = given([
      stage({ keep: true }),
      say('a', { content: { text: '{{ variables.crm.score }} {{ variables.product }}' } }),
    ]);
    expect(texts(story.due(0).answer(1, answer(7)).due(1)).at(-1)).toBe('7 Compass');
  });

  test.each<[string, Parameters<Story['answer']>[1], boolean]>([
    ['nobody asked for it', answer(7), false],
    ['there is none', sent, true],
    ['it may have left', { kind: 'unknown', code: 'timeout', message: '' }, true],
  ])('nothing is learnt when %s', (_, outcome, keep) => {
    const story = given([stage({ keep }), end('done')])
      .due(0)
      .answer(1, outcome);
    expect(story.conversation).toMatchObject({ status: 'completed', outcome: 'done' });
    expect(story.conversation.variables).toBeUndefined();
  });

  test('an answer that comes after the end is forgotten', () => {
    const story = given([stage({ keep: true }), end('done')])
      .due(0)
      .stop(1, 'campaign_cancelled')
      .answer(2, answer(7));
    expect(story.conversation.variables).toBeUndefined();
  });

  test('refused for good: where its author says, else it failed', () => {
    expect(given([stage()]).due(0).answer(1, rejected).conversation).toMatchObject({ status: 'failed' });
    const led = given([stage({ on: { failed: 'other' } }), end('done'), end('other')])
      .due(0)
      .answer(1, rejected);
    expect(led.conversation).toMatchObject({ outcome: 'other' });
  });

  test('tried again, with the same bytes', () => {
    const story = given([stage(), end('done')])
      .due(0)
      .answer(1, retry);
    expect(place(story)).toMatchObject({ stage: 'crm', step: 1, due: 6, channel: 'push' });
    expect(story.due(6).row).toMatchObject({ attempts: 2, content: { body: { who: 'anna' } } });
    expect(story.answer(7, sent).conversation).toMatchObject({ outcome: 'done' });
  });

  test('where to: its own address, the contact, or the conversation', () => {
    expect(given([stage({ to: 'https://b.test/{{ contact.id }}' })]).due(0).row?.to).toBe('https://b.test/anna');
    const { url: _, ...nowhere } = anna;
    expect(given([stage()], nowhere).due(0).row?.to).toBe('spring:anna');
    const missing = given([stage({ to: '{{ contact.hook }}' })]).due(0);
    expect([...missing.rows.values()]).toMatchObject([{ status: 'failed', reason: 'template_variable_missing' }]);
    expect(missing.conversation.status).toBe('failed');
  });
});

describe('rules', () => {
  const flow = [say('a', { waitForReply: 'P1D', on: { reply: 'own' } }), end('own'), end('ruled')];
  const ruled = (rules: object[], stages: unknown[] = flow): Story => {
    const context = contextOf(stages, {}, rules);
    const story = given(flow);
    story.context = context;
    return story.due(0).answer(1, sent);
  };
  const reply = (text: string) => ({ id: 'e', type: 'reply', text });

  test.each<[string, object, object]>([
    ['goto', { goto: 'ruled' }, { status: 'completed', outcome: 'ruled' }],
    ['end', { end: 'won' }, { status: 'completed', outcome: 'won' }],
    ['escalate', { escalate: { to: 'sales', reason: 'asked' } }, { status: 'escalated', outcome: 'escalated' }],
    ['suppress', { suppress: true }, { status: 'suppressed', reason: 'suppressed' }],
  ])('%s goes before the way of the stage', (_, action, expected) => {
    expect(ruled([rule('reply', action)]).events(2, reply('x')).conversation).toMatchObject(expected);
  });

  test('the first that fits, by its event and its condition; none: the stage', () => {
    const rules = [
      rule('paid', { end: 'paid' }),
      rule('reply', { end: 'price' }, { 'event.text': /price/i }),
      rule('reply', { end: 'never' }, { 'contact.country': 'DE' }),
    ];
    expect(ruled(rules).events(2, reply('what PRICE?')).conversation).toMatchObject({ outcome: 'price' });
    expect(ruled(rules).events(2, reply('hm')).conversation).toMatchObject({ outcome: 'own' });
    expect(ruled(rules).events(2, { id: 'p', type: 'paid' }).conversation).toMatchObject({ outcome: 'paid' });
  });

  test('an automatic reply follows no rule', () => {
    expect(ruled([rule('reply', { end: 'x' })]).events(2, { ...reply('ooo'), auto: true }).conversation.status).toBe(
      'active',
    );
  });

  test('a message that waits for another try is not sent any more', () => {
    const story = given([say('a', { waitForReply: 'P1D' }), end('ruled')]);
    story.context = contextOf([say('a', { waitForReply: 'P1D' }), end('ruled')], {}, [
      rule('paid', { escalate: { to: 'x' } }),
    ]);
    story.due(0).answer(1, retry).events(2, { id: 'p', type: 'paid' });
    expect([...story.rows.values()]).toMatchObject([
      { status: 'skipped', reason: 'replied' } satisfies Partial<Message>,
    ]);
    expect(story.conversation).toMatchObject({ status: 'escalated' });
  });

  test('escalated by a rule, resume goes on behind the stage it stood in', () => {
    const story = ruled([rule('reply', { escalate: { to: 'sales' } })]).events(2, reply('x'));
    expect(story.events(3, { id: 'r', type: 'resume' }).conversation).toMatchObject({ outcome: 'own' });
  });
});

test('a way to a stage that is no more leads nowhere', () => {
  const story = given([say('a', { waitForReply: 'P1D', on: { paid: 'b' } }), end('b')])
    .due(0)
    .answer(1, sent);
  (story.context.flow.stages as Map<string, unknown>).delete('b');
  expect(story.events(2, { id: 'p', type: 'paid' }).conversation).toMatchObject({ status: 'active', stage: 'a' });
});

test('a date below a text is none', () => {
  const story = given([{ id: 'w', type: 'wait', until: 'contact.attributes.plan.ends' }], {
    ...anna,
    attributes: { plan: 'gold' },
  });
  expect(story.due(0).conversation).toMatchObject({ error: { code: 'date_missing' } });
});

test('a conversation as it is stored has every field that is known, in one order', () => {
  const story = given([
    { id: 's', type: 'split', variants: [{ variant: 'a', weight: 1, goto: 'p' }] },
    { id: 'p', type: 'escalate', to: 'x' },
  ]);
  const stored = story.due(0).events(1, { id: 'e', type: 'seen' }).conversation;
  const shaped = inShape({ ...stored, variables: { a: 1 }, event: { type: 'seen' } });
  expect(shaped).toMatchObject({
    variant: { s: 'a' },
    variables: { a: 1 },
    event: { type: 'seen' },
    escalation: 'spring:anna/e2',
  });
  expect(Object.keys(inShape(given([end('x')]).conversation))).toEqual(Object.keys(shaped));
});

test('the word resume is like any other where nobody was asked in', () => {
  const story = given([say('a', { waitForReply: 'P1D', on: { resume: 'b' } }), end('x'), end('b')])
    .due(0)
    .answer(1, sent);
  expect(story.events(2, { id: 'r', type: 'resume' }).conversation).toMatchObject({ outcome: 'b' });
});
