import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { looksUnencoded, meantIds, splits } from '../../../src/domain/idHints.ts';
import { conversationId } from '../../../src/domain/ids.ts';
import type { ChannelState, Conversation, Flow, HistoryEntry, Message } from '../../../src/domain/model.ts';
import { type StoryEvent, story } from '../../../src/domain/story.ts';
import { nextOf, type StoryContext } from '../../../src/domain/storyNext.ts';
import { type WhyCode, whyOf } from '../../../src/domain/storyWhy.ts';
import { endWords, reasonWord } from '../../../src/domain/words.ts';
import { given, type Story, seconds } from './given.ts';

const stages = [
  {
    id: 'intro',
    type: 'message',
    channel: 'sms',
    content: { text: 'Hello' },
    followUps: [{ after: 'PT1H', channel: 'push', content: { text: 'Still there?' } }],
    waitForReply: 'P1D',
    on: { reply: 'thanks' },
  },
  { id: 'pause', type: 'wait', for: 'P1D' },
  {
    id: 'last',
    type: 'message',
    channel: 'sms',
    content: { text: 'Bye' },
    waitForReply: 'P1D',
    on: { noReply: 'end' },
  },
  { id: 'end', type: 'end', outcome: 'done' },
  { id: 'thanks', type: 'message', channel: 'sms', content: { text: 'Thanks' }, delay: 'PT1H' },
];
const hour = 3600;
const day = 24 * hour;
const sent = { kind: 'sent', providerMessageId: 'p-1' } as const;
const busy = { kind: 'retry', code: 'http_503', message: 'try later', counts: true, retryAfterMs: 60_000 } as const;

const rowsOf = ({ rows }: Story): Message[] =>
  [...rows.values()].map((row) => Object.fromEntries(Object.entries(row).filter(([, v]) => v !== undefined)) as never);
const told = (events: readonly StoryEvent[]): string[] =>
  events.map(({ at, what, text }) => `${at === undefined ? '-' : (at.getTime() - seconds(0)) / 1000} ${what}: ${text}`);
const tell = (is: Story): string[] => told(story(is.conversation, rowsOf(is)));

describe('the story', () => {
  test('of a choice, a webhook, a person and back', () => {
    const is = given([
      { id: 's', type: 'split', variants: [{ variant: 'a', weight: 1, goto: 'h' }] },
      { id: 'h', type: 'webhook', channel: 'push', body: { a: 1 }, keep: true },
      { id: 'p', type: 'escalate', to: 'support' },
      { id: 'end', type: 'end', outcome: 'done' },
    ]);
    is.due(0)
      .answer(1, { ...sent, answer: { score: 7 } })
      .events(9, { id: 'r', type: 'resume', text: 'solved' });
    expect(tell(is)).toEqual([
      '0 created: created from its audience',
      '0 entered: enters stage s',
      '0 drawn: drawn into variant a of stage s',
      '0 entered: enters stage h',
      '0 message_queued: message 1 (of stage h) decided, channel push to https://a.test/',
      '1 answered: what the webhook answered is kept as variables.h',
      '1 entered: enters stage p',
      '1 escalated: handed over to support, see spring:anna/e3 in escalations',
      '1 message_handed: message 1 handed over to push',
      '1 message_sent: message 1 sent, p-1 at the provider',
      '1 ended: ended as escalated: a person was asked in',
      '9 event: event resume r consumed: solved',
      '9 reopened: given back: it goes on',
      '9 entered: enters stage end',
      '9 ended: ended as completed: the flow ended it as done',
    ]);
  });

  test('of migrations; an event of the author may have their names', () => {
    const is = given(stages).due(0);
    const at = new Date(seconds(5));
    const history = [
      { at, stage: 'intro', event: 'stayed', detail: { migration: 1 } },
      { at, stage: 'intro', event: 'migrated', detail: { migration: 2, version: 4 } },
      { at, stage: 'intro', event: 'migrated', detail: { migration: 3 } },
      { at, stage: 'intro', event: 'migrated', detail: { id: 'e1' } },
      { at, stage: 'intro', event: 'stayed' },
    ];
    is.conversation = { ...is.conversation, history };
    expect(tell(is).slice(-5)).toEqual([
      '5 stayed: stays with the version it follows: the new one has no place for it',
      '5 migrated: goes over to version 4 of its template',
      '5 migrated: goes over to the version its campaign began with',
      '5 event: event migrated e1 consumed',
      '5 event: event stayed consumed',
    ]);
  });

  test('of a reply that led on: everything in order of time', () => {
    const is = given(stages).due(0).answer(1, sent).events(10, { id: 'r1', type: 'reply' });
    is.due(10 + hour).answer(11 + hour, sent);
    expect(tell(is)).toEqual([
      '0 created: created from its audience',
      '0 entered: enters stage intro',
      '0 message_queued: message 1 (of stage intro) decided, channel sms to +491',
      '1 message_handed: message 1 handed over to sms',
      '1 message_sent: message 1 sent, p-1 at the provider',
      '10 event: event reply r1 consumed',
      '10 entered: enters stage thanks',
      `${10 + hour} message_queued: message 2 (of stage thanks) decided, channel sms to +491`,
      `${11 + hour} message_handed: message 2 handed over to sms`,
      `${11 + hour} message_sent: message 2 sent, p-1 at the provider`,
      `${11 + hour} ended: ended as completed: the last stage went by`,
    ]);
  });

  test('of a message that is tried again: the last error, and when', () => {
    const is = given(stages)
      .due(0)
      .answer(1, busy)
      .due(61)
      .answer(62, { ...busy, message: 'again' });
    expect(tell(is).slice(3)).toEqual([
      '1 retry: message 1 was not taken; it is tried again at 2026-01-05T09:01:01.000Z',
      '62 retry: message 1 was not taken (http_503: again); it is tried again at 2026-01-05T09:02:02.000Z',
      '62 message_handed: message 1 handed over to sms, try 2',
    ]);
    is.due(122).answer(123, { ...busy, message: 'for good' });
    expect(tell(is).slice(5)).toEqual([
      '123 message_handed: message 1 handed over to sms, try 3',
      '123 message_failed: message 1 failed: it was tried as often, or as long, as its channel allows; http_503: for good',
      '123 ended: ended as failed: a message failed for good, and the flow leads nowhere from there: it was tried as often, or as long, as its channel allows (http_503: for good)',
    ]);
  });

  test('of a message that was held back, and skipped by an event', () => {
    const is = given(stages).due(0).answer(1, { kind: 'held' }).events(30, { id: 'r1', type: 'reply' });
    expect(tell(is).slice(3)).toEqual([
      '1 held: message 1 was held back before it left',
      '30 event: event reply r1 consumed',
      '30 entered: enters stage thanks',
      '30 message_skipped: message 1 skipped: an event led on before it left',
    ]);
  });

  test('of a contact without an address, and events of all sorts', () => {
    const is = given(stages, { id: 'anna', phone: '' });
    is.due(0).events(5, 7, { type: 'opened', machine: true }, { id: 'a', type: 'reply', auto: true });
    expect(tell(is).slice(2)).toEqual([
      '0 message_queued: message 1 (of stage intro) decided, channel sms',
      '0 message_skipped: message 1 skipped: the contact has no address on that channel',
      '5 unreadable_event: an event that cannot be read; it is in dead_letters',
      '5 event: event opened consumed, made by a machine',
      '5 event: event reply a consumed, an automatic answer',
    ]);
  });

  test('of one that nobody knows the fate of, and of receipts', () => {
    const is = given(stages).due(0).answer(1, { kind: 'unknown', code: 'reset', message: 'it was cut' });
    expect(tell(is).at(-1)).toBe(
      '1 message_uncertain: message 1 uncertain: it may have left, and its channel never repeats; reset: it was cut',
    );
    const [row] = rowsOf(given(stages).due(0).answer(1, sent)) as [Message];
    const receipts = story(is.conversation, [
      {
        ...row,
        status: 'delivered',
        deliveredAt: new Date(seconds(9)),
        openedAt: new Date(seconds(11)),
        clickedAt: new Date(seconds(12)),
      },
      { ...row, _id: 'spring:anna/2', status: 'bounced', providerMessageId: undefined as never },
    ]);
    expect(told(receipts).filter((line) => /delivered|opened|clicked|bounced|2 sent/.test(line))).toEqual([
      '1 message_sent: message 2 sent',
      '1 message_bounced: message 2 bounced',
      '9 message_delivered: message 1 delivered',
      '11 message_opened: message 1 opened',
      '12 message_clicked: message 1 clicked',
    ]);
  });

  test('of a message that could not be rendered: it never left', () => {
    const is = given([{ id: 'a', type: 'message', channel: 'sms', content: { text: '{{ contact.country }}' } }]).due(3);
    expect(tell(is).slice(2)).toEqual([
      '3 message_queued: message 1 (of stage a) decided, channel sms to +491',
      expect.stringMatching(
        /^3 message_failed: message 1 failed: a variable of its content is missing; template_variable_/,
      ),
      expect.stringMatching(/^3 ended: ended as failed: /),
    ]);
  });

  test('of what waits in the inbox: at the end, cut where others wrote much', () => {
    const is = given(stages);
    const inbox = [{ id: 'r1', type: 'reply', text: 'y'.repeat(500), at: new Date(seconds(5)) }, 7, { type: 'x' }];
    const events = told(story({ ...is.conversation, inbox: inbox as never }, [])).slice(2);
    expect(events).toEqual([
      `5 inbox: event reply r1 waits in the inbox: ${'y'.repeat(120)}…`,
      '- inbox: event of no type waits in the inbox',
      '- inbox: event x waits in the inbox',
    ]);
  });

  test('of documents that are not as they should be', () => {
    const is = given(stages).due(0);
    const history = is.conversation.history;
    const full = Array.from({ length: 98 }, (): HistoryEntry => ({ at: 'x' as never, event: 'noted' }));
    const odd = { ...is.conversation, history: [...full, ...history], inbox: 'none' as never, createdAt: 5 as never };
    const events = story(odd, []);
    expect(told(events).filter((line) => !/noted/.test(line))).toEqual([
      '0 entered: enters stage intro',
      '0 message_missing: message 1 (of stage intro) was decided; its row is gone',
      '- created: created from its audience; of what happened, the newest 100 entries are kept',
    ]);
    expect(story({ ...is.conversation, history: 'none' as never }, [])).toHaveLength(1);
    const retry = { at: new Date(seconds(2)), event: 'retry', detail: { messageId: 'spring:anna/1' } };
    const lost = { at: new Date(seconds(3)), event: 'message', detail: { sequence: 4, step: 1 } };
    const skipped = { ...rowsOf(is)[0], status: 'skipped', queuedAt: 'x' as never } as Message;
    expect(told(story({ ...is.conversation, history: [retry, lost] }, [skipped]))).toEqual([
      '0 created: created from its audience',
      '2 retry: message 1 was not taken; it is tried again at -',
      '3 message_missing: message 4 (follow-up 1 of stage ) was decided; its row is gone',
      '- message_queued: message 1 (of stage intro) decided, channel sms to +491',
      '- message_skipped: message 1 skipped',
    ]);
    const moved = { at: 'x' as never, event: 'entered', stage: 'thanks' };
    const at = story({ ...is.conversation, history: [moved] }, [{ ...skipped, queuedAt: new Date(seconds(1)) }]);
    expect(at.at(-2)).toMatchObject({ what: 'message_skipped', at: new Date(seconds(1)) });
  });

  test.each<[Parameters<typeof endWords>[0], string]>([
    [{ outcome: 'cancelled' }, 'the campaign was cancelled'],
    [{ outcome: 'cancelled', reason: 'campaign_ended' }, 'the campaign came to its end (endAt)'],
    [{ outcome: 'won' }, 'the flow ended it as won'],
    [{ outcome: 'constructor' }, 'the flow ended it as constructor'],
    [{}, 'the flow ended it as undefined'],
  ])('an end of %j', (conversation, words) => {
    expect(endWords(conversation)).toBe(words);
  });
  test('a reason of a later release stays as it is', () => expect(reasonWord('moon')).toBe('moon'));
});

describe('what comes next, and why it has not come yet', () => {
  const memberOf = (_id: string, ...channels: string[]) => ({ _id, channels });
  const resting: ChannelState = {
    ...{ state: 'open', since: new Date('2026-03-01T08:59:00Z'), until: new Date('2026-03-01T09:00:07Z') },
    ...{ code: 'http_503', message: 'HTTP 503' },
  };
  interface More extends Omit<Partial<StoryContext>, 'run' | 'conversation'> {
    run?: Partial<NonNullable<StoryContext['run']>> | null;
    conversation?: Partial<Conversation>;
  }
  const contextOf = (is: Story, second: number, { run, conversation, ...more }: More = {}): StoryContext => ({
    conversation: { ...is.conversation, ...conversation },
    rows: rowsOf(is),
    run:
      run === null
        ? undefined
        : {
            status: 'running',
            settled: false,
            flow: { stages } as unknown as Flow,
            startedAt: new Date(seconds(0)),
            ...run,
          },
    campaign: { status: 'running' },
    sending: 'on',
    members: [memberOf('m1', 'sms', 'push')],
    owner: 'm1',
    ownerAlive: undefined,
    now: seconds(second),
    ...more,
  });
  const explained = (is: Story, second: number, more?: More) => {
    const context = contextOf(is, second, more);
    const next = nextOf(context);
    const why = whyOf(context, next);
    return { next, why, codes: why.map(({ code }) => code), first: why[0]?.text };
  };
  const asked = () => given(stages).due(0).answer(1, sent);

  test.each<[string, () => Story, number, object, WhyCode]>([
    [
      'its first message is due',
      () => given(stages),
      5,
      {
        what: 'message',
        stage: 'intro',
        step: 0,
        channel: 'sms',
        lateMs: 5000,
        text: 'the message of stage intro on channel sms',
      },
      'due',
    ],
    [
      'a follow-up',
      asked,
      5,
      {
        what: 'message',
        step: 1,
        channel: 'push',
        at: new Date(seconds(hour)),
        text: 'follow-up 1 of stage intro on channel push',
      },
      'waits_for_reply',
    ],
    [
      'the end of its silence',
      () =>
        asked()
          .due(hour)
          .answer(hour + 1, sent),
      hour + 5,
      { what: 'silence_ends', step: 2, text: 'no reply in stage intro, then stage pause' },
      'waits_for_reply',
    ],
    [
      'a pause',
      () =>
        asked()
          .due(hour)
          .answer(hour + 1, sent)
          .due(hour + day),
      hour + day + 1,
      { what: 'wait_ends', stage: 'pause', text: 'stage pause has waited, then stage last' },
      'waits',
    ],
    [
      'a message after a delay',
      () => asked().events(5, { id: 'r', type: 'reply' }),
      10,
      { what: 'message', stage: 'thanks', step: 0, at: new Date(seconds(5 + hour)) },
      'waits',
    ],
    [
      'an answer',
      () => given([{ ...stages[4], delay: undefined, id: 'only' }]).due(0),
      5,
      { what: 'answer', text: 'the answer to message 1 on channel sms' },
      'in_doubt',
    ],
    [
      'another try',
      () => given(stages).due(0).answer(1, busy),
      5,
      { what: 'retry', channel: 'sms', text: 'another try of message 1 on channel sms' },
      'retry',
    ],
    [
      'another try, which is due',
      () => given(stages).due(0).answer(1, busy),
      100,
      { what: 'retry', lateMs: 39_000 },
      'due',
    ],
    [
      'what was held back, and is due',
      () => given(stages).due(0).answer(1, { kind: 'held' }),
      9,
      { lateMs: 8000 },
      'due',
    ],
    ['what was held back', () => given(stages).due(0).answer(1, { kind: 'held' }), 0, { what: 'retry' }, 'held'],
    [
      'nothing: it has ended',
      () => asked().events(5, { id: 'u', type: 'unsubscribe' }),
      9,
      { what: 'nothing', text: 'nothing: it has ended' },
      'ended',
    ],
  ])('%s', (_, is, second, next, why) => {
    const found = explained(is(), second);
    expect(found.next).toMatchObject(next);
    expect(found.codes).toEqual([why]);
  });

  test('where silence leads: a stage of its own, the next one, or the end', () => {
    const at = (conversation: Partial<Conversation>, flow: unknown = { stages }) =>
      nextOf(contextOf(asked(), 5, { conversation, run: { flow: flow as Flow } })).text;
    expect(at({ stage: 'last', step: 1 })).toBe('no reply in stage last, then stage end');
    expect(at({ stage: 'end', step: 0 })).toBe('it ends as done');
    expect(at({ stage: 'pause', step: 0 }, { stages: stages.slice(1, 2) })).toBe(
      'stage pause has waited, then the conversation is finished',
    );
    expect(at({ stage: 'thanks', step: 1 })).toBe('no reply in stage thanks, then the conversation is finished');
    expect(at({ stage: 'last', step: 0, nextChannel: undefined as never })).toBe(
      'the message of stage last on channel -',
    );
  });

  test('what comes next in stages that are no messages', () => {
    const flow = [
      { id: 'w', type: 'wait', event: 'paid', timeout: 'P1D', onTimeout: 'h' },
      { id: 'b', type: 'branch', branches: [{ goto: 'h' }] },
      { id: 's', type: 'split', variants: [{ variant: 'a', weight: 1 }] },
      { id: 'h', type: 'webhook', channel: 'push', body: {} },
      { id: 'p', type: 'escalate', to: 'support', after: 'P1D' },
    ] as unknown as Flow['stages'];
    const at = (conversation: Partial<Conversation>) => {
      const { what, text } = nextOf(contextOf(asked(), 5, { conversation, run: { flow: { stages: flow } } }));
      return `${what}: ${text}`;
    };
    const undue = { nextActionAt: undefined as never, nextChannel: undefined as never };
    expect(at({ stage: 'w', step: 0 })).toBe('wait_ends: stage w waits for event paid no longer, then stage h');
    expect(at({ stage: 'w', step: 0, ...undue })).toBe('event: stage w waits for event paid');
    expect(at({ stage: 'h', step: 1, ...undue })).toBe('nothing: nothing is due');
    expect(at({ stage: 'b', step: 0 })).toBe('choice: stage b chooses the way');
    expect(at({ stage: 's', step: 0 })).toBe('choice: stage s chooses the way');
    expect(at({ stage: 'h', step: 0, nextChannel: 'push' })).toBe('message: the webhook of stage h on channel push');
    expect(at({ stage: 'p', step: 0 })).toBe('escalation: stage p hands over to support');
    expect(at({ stage: 'p', step: 1 })).toBe(
      'wait_ends: support has not taken it up, then the conversation is finished',
    );
    expect(at({ status: 'escalated', ...undue })).toMatch(/^nothing: nothing by itself: it is with a person/);
    flow[0] = { id: 'w', type: 'wait', event: 'paid', timeout: 'P1D' };
    expect(at({ stage: 'w', step: 0 })).toBe('wait_ends: stage w waits for event paid no longer, then stage b');
  });

  const missing = { code: 'channel_missing', message: 'there is no fax', path: 'flow' };
  test.each<[string, More, WhyCode[], RegExp]>([
    ['no run', { run: null }, ['run_missing'], /no run/],
    ['settled', { run: { settled: true } }, ['campaign_over'], /still active/],
    ['endAt, as the run says', { run: { endReason: 'campaign_ended' } }, ['campaign_ended'], /endAt/],
    ['endAt, not recorded yet', { run: { schedule: { endAt: new Date(seconds(1)) } } }, ['campaign_ended'], /endAt/],
    ['cancelled by its author', { campaign: { status: 'cancelled' } }, ['campaign_cancelled'], /cancelled/],
    ['cancelled, as the run says', { run: { status: 'cancelled' } }, ['campaign_cancelled'], /cancelled/],
    ['deleted', { campaign: undefined as never }, ['campaign_deleted'], /deleted/],
    [
      'not started',
      { run: { startedAt: undefined as never, schedule: { startAt: new Date(seconds(900)) } } },
      ['campaign_not_started'],
      /it starts at 2026-01-05T09:15/,
    ],
    [
      'not started, and nobody says when',
      { run: { startedAt: undefined as never } },
      ['campaign_not_started'],
      /started$/,
    ],
    ['paused by its author', { campaign: { status: 'paused' } }, ['campaign_paused'], /by its author or an operator$/],
    [
      'paused, with an error of something else',
      { campaign: { status: 'paused', error: missing } },
      ['campaign_paused'],
      /operator; its error is channel_missing: there is no fax/,
    ],
    [
      'paused by the service',
      { campaign: { status: 'paused', error: missing }, run: { status: 'paused', pausedReason: 'channel_missing' } },
      ['campaign_paused'],
      /by the service itself \(channel_missing: there is no fax\)/,
    ],
    [
      'paused by the service, and its document says nothing of it',
      { campaign: { status: 'paused' }, run: { status: 'paused', pausedReason: 'channel_missing' } },
      ['campaign_paused'],
      /by the service itself \(channel_missing\)/,
    ],
    [
      'paused, for the collection is gone',
      { campaign: undefined as never, run: { status: 'paused', pausedReason: 'collection_missing' } },
      ['collection_missing'],
      /it waits until that is back/,
    ],
    [
      'it was paused by its author when the collection went, and its end has come meanwhile',
      {
        campaign: undefined as never,
        run: {
          ...{ status: 'paused', pausedReason: 'collection_missing', startedAt: undefined as never },
          schedule: { endAt: new Date(seconds(1)) },
        },
      },
      ['collection_missing'],
      /delete the one document would be to cancel it/,
    ],
    [
      'the collection is gone, and nobody took that in',
      { campaign: undefined as never, dropped: true },
      ['collection_missing'],
      /the collection campaigns is gone/,
    ],
    [
      'cancelled, and then the collection was dropped',
      { campaign: undefined as never, dropped: true, run: { status: 'cancelled', pausedReason: 'collection_missing' } },
      ['campaign_cancelled'],
      /cancelled/,
    ],
    [
      'resumed, and nobody took that in',
      { run: { status: 'paused' } },
      ['campaign_resumed'],
      /still paused.*see audit/,
    ],
    [
      'resumed after a pause of the service',
      { run: { status: 'paused', pausedReason: 'channel_missing' } },
      ['campaign_resumed'],
      /was resumed/,
    ],
    [
      'an event waits',
      { conversation: { inbox: [{ id: 'e1', type: 'reply' }] } },
      ['inbox_waits'],
      /^events wait .*: 1$/,
    ],
    [
      'an event waits, and nobody works',
      { conversation: { inbox: [{ id: 'e1', type: 'reply' }] }, members: [] },
      ['no_worker', 'inbox_waits'],
      /no worker/,
    ],
    [
      'no channel',
      { conversation: { nextChannel: undefined as never } },
      ['channel_unset'],
      /nobody will take it up, see audit/,
    ],
    ['an inbox that is none', { conversation: { inbox: 'none' as never } }, ['due'], /late/],
    ['the stop switch', { sending: 'stopped' }, ['sending_stopped'], /stopped/],
    [
      'the stop switch, and why',
      { sending: 'stopped', stop: { by: 'ada', reason: 'wrong prices' } },
      ['sending_stopped'],
      /control\) by ada: wrong prices$/,
    ],
    ['no worker', { members: [], owner: undefined as never }, ['no_worker'], /no worker runs/],
    ['nobody owns it', { owner: undefined as never }, ['owner_missing'], /no member owns/],
    ['its owner is gone', { owner: 'm9' }, ['owner_missing'], /no member owns/],
    ['its owner is silent', { ownerAlive: false }, ['owner_silent'], /silent/],
    ['its owner lives', { ownerAlive: true }, ['due'], /\(5 s late\)/],
    [
      'its channel is left alone',
      { ownerAlive: true, members: [{ ...memberOf('m1', 'sms'), channelStates: { sms: resting } }] },
      ['circuit_open'],
      /: sms, since 2026-03-01T08:59:00.000Z, tried again at 2026-03-01T09:00:07.000Z; http_503: HTTP 503$/,
    ],
    [
      'its channel is tried',
      {
        ownerAlive: true,
        members: [{ ...memberOf('m1', 'sms'), channelStates: { sms: { ...resting, state: 'half_open' as const } } }],
      },
      ['circuit_open'],
      /, one message is tried; http_503/,
    ],
    [
      'its rate is used up',
      {
        ownerAlive: true,
        members: [memberOf('m1', 'sms')],
        rates: new Map([['sms', { inForce: { perSecond: 0.5, burst: 1 }, tat: Date.UTC(2030, 0) }]]),
      },
      ['rate_limited'],
      /: sms, 0.5 a second over all workers$/,
    ],
    [
      'the rate of its campaign is used up',
      {
        ownerAlive: true,
        members: [memberOf('m1', 'sms')],
        rates: new Map([['campaign:spring', { inForce: { perSecond: 2, burst: 2 }, tat: Date.UTC(2030, 0) }]]),
      },
      ['campaign_rate'],
      /: 2 a second over all workers$/,
    ],
    [
      'its rate is not used up',
      {
        ownerAlive: true,
        members: [memberOf('m1', 'sms')],
        rates: new Map([['sms', { inForce: { perSecond: 0.5, burst: 1 }, tat: 5 }]]),
      },
      ['due'],
      /late/,
    ],
    [
      'its rate was never asked for',
      { ownerAlive: true, members: [memberOf('m1', 'sms')], rates: new Map([['sms', {}]]) },
      ['due'],
      /late/,
    ],
    [
      'another channel is left alone',
      { ownerAlive: true, members: [{ ...memberOf('m1', 'sms'), channelStates: { push: resting } }] },
      ['due'],
      /late/,
    ],
    ['nobody has its channel', { members: [memberOf('m1', 'fax')] }, ['channel_nowhere'], /: sms$/],
    [
      'another member has its channel',
      { members: [memberOf('m1'), memberOf('m2', 'sms')] },
      ['channel_elsewhere'],
      /: sms$/,
    ],
    [
      'several at once: the campaign first',
      { campaign: { status: 'paused' }, sending: 'stopped', ownerAlive: false, members: [memberOf('m1')] },
      ['campaign_paused', 'sending_stopped', 'owner_silent', 'channel_nowhere'],
      /paused/,
    ],
    [
      'nobody owns it, and another has its channel',
      { owner: 'm9', members: [memberOf('m2', 'sms')] },
      ['owner_missing'],
      /owns/,
    ],
    ['its stage is gone', { conversation: { stage: 'moon' } }, ['stage_missing'], /not in the flow/],
    [
      'nothing will move it',
      { conversation: { nextActionAt: undefined as never, nextChannel: undefined as never } },
      ['stranded'],
      /see audit/,
    ],
  ])('due, and not sent: %s', (_, more, codes, text) => {
    const found = explained(given(stages), 5, more);
    expect(found.codes).toEqual(codes);
    expect(found.first).toMatch(text);
  });

  test('it has ended: what is left of it is told all the same', () => {
    const ended = { conversation: { status: 'cancelled', outcome: 'cancelled' } } as const;
    const is = () => given(stages).due(0);
    expect(explained(is(), 5, ended).codes).toEqual(['ended', 'in_doubt']);
    const silent = { ...ended, ownerAlive: false };
    expect(explained(is(), 5, silent).codes).toEqual(['ended', 'in_doubt', 'owner_silent']);
    const event = { conversation: { ...ended.conversation, inbox: [{ id: 'e1', type: 'reply' }] } };
    expect(explained(asked(), 5, event).codes).toEqual(['ended', 'inbox_waits']);
    expect(explained(asked(), 5, { ...ended, members: [] }).codes).toEqual(['ended']);
  });

  test('what is in the way comes before what is waited for', () => {
    expect(explained(asked(), 5, { campaign: { status: 'paused' } }).codes).toEqual([
      'campaign_paused',
      'waits_for_reply',
    ]);
    const over = { run: { settled: true }, members: [] };
    expect(explained(asked(), 5, over).codes).toEqual(['campaign_over', 'waits_for_reply']);
  });

  test('what is said of times: since, until, and of a retry its error', () => {
    expect(explained(given(stages).due(0).answer(1, busy), 5).first).toBe(
      'its message waits for another try, at 2026-01-05T09:01:01.000Z, since http_503: try later',
    );
    const doubt = { conversation: { updatedAt: 5 as never } };
    const inDoubt = explained(given(stages).due(0), 5, doubt);
    expect(inDoubt.first).toBe('its message is with the provider (in doubt) since 2026-01-05T09:00:00.000Z');
    const never = { ...doubt, rows: [{ ...(rowsOf(given(stages).due(0))[0] as Message), queuedAt: 5 as never }] };
    expect(explained(given(stages).due(0), 5, never).first).toMatch(/since 1970/);
    expect(explained(asked(), 5).first).toBe('it waits for a reply until 2026-01-05T10:00:00.000Z');
    expect(explained(given(stages), 5, { run: null }).next.what).toBe('nothing');
    const odd = { conversation: { awaiting: 'spring:anna/1', delayed: 'retry', nextActionAt: 'x' as never } } as const;
    expect(explained(given(stages).due(0).answer(1, busy), 5, odd).first).toMatch(/at -, since/);
  });
});

describe('an id that is not there', () => {
  test('what may have been meant', () => {
    expect(meantIds('spring:ada/3')).toContain('spring:ada');
    expect(meantIds('spring:a b')).toContain('spring:a%20b');
    expect(meantIds('spring:42')).toContain('spring:#42');
    expect(meantIds('spring:65F0C0FFEE65F0C0FFEE65F0')).toContain('spring:~65f0c0ffee65f0c0ffee65f0');
    expect(meantIds('a:b:c')).toEqual(expect.arrayContaining(['a%3Ab:c', 'a:b%3Ac']));
    expect(meantIds('spring')).toEqual([]);
    expect(splits('a:b:c:d:e:f:g:h')).toHaveLength(5);
    expect([looksUnencoded('spring:a@b.c'), looksUnencoded('spring:a%40b.c')]).toEqual([true, false]);
  });

  test('the parts as they are always lead to the id they make', () => {
    const part = fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' }).filter((text) => !text.includes(':'));
    fc.assert(
      fc.property(part, part, (campaign, contact) => {
        const typed = `${campaign}:${contact}`;
        expect([typed, ...meantIds(typed)]).toContain(conversationId(campaign, contact));
      }),
    );
  });
});
