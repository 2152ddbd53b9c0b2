/**
 * Given a conversation at any moment of any stage type, when any event comes, then this follows: the whole table. `.` nothing
 * but a line in the history; `> x` it leads to stage x; a word: the conversation ends with that outcome.
 */
import { describe, expect, test } from '@jest/globals';
import type { FlowContext } from '../../../src/domain/decision.ts';
import { isOnlyStamp } from '../../../src/domain/receipts.ts';
import { anna, contextOf, Story } from './given.ts';

const sent = { kind: 'sent' } as const;
const busy = { kind: 'retry', code: 'busy', message: 'busy', counts: true, retryAfterMs: 600_000 } as const;
const stay = { id: 'stay', type: 'wait', event: 'never' };
/** Every event that an author can name leads to `x`. */
const ways = [
  'reply',
  'bounce',
  'failed',
  'complaint',
  'unsubscribe',
  'delivered',
  'opened',
  'clicked',
  'custom',
  'resume',
];
const tails = [stay, { id: 'x', type: 'end', outcome: 'led' }];
const content = { text: 'Hello' };

const message = { type: 'message', channel: 'sms', content, waitForReply: 'P1D', followUps: [{ after: 'PT1H' }] };
const first = { id: 'first', type: 'message', channel: 'sms', content };
const notify = { channel: 'push', to: 'team', content };
const webhook = { type: 'webhook', channel: 'push', to: 'https://crm.test/', body: { who: 'anna' } };

interface Moment {
  stages: object[];
  /** Brings it there. */
  until: (story: Story) => Story;
}
const fresh = (story: Story): Story => story;
const asked = (story: Story): Story => story.due(0).answer(1, sent);
const under = (story: Story): Story => story.due(0);
const again = (story: Story): Story => story.due(0).answer(1, busy);
const followed = (story: Story): Story => asked(story).due(3601);
const at = (stage: object, until: (story: Story) => Story, before: object[] = []): Moment => ({
  stages: [...before, { id: 's', ...stage }, ...tails],
  until,
});
const pause = { type: 'wait', for: 'P1D' };
const help = { type: 'escalate', to: 'desk' };
const forPaid = { type: 'wait', event: 'paid' };

/** Moments by the column of the table that holds for them. */
const moments: Record<string, Record<string, Moment>> = {
  'before any': {
    'message, before it is due': at({ ...message, delay: 'PT1H' }, fresh),
    'wait, before any message': at(pause, fresh),
    'webhook, before': at(webhook, fresh),
    'webhook, under way': at(webhook, under),
    'webhook, waits for another try': at(webhook, again),
  },
  message: {
    'message, under way': at(message, under),
    'message, waits for another try': at(message, again),
    'message, sent': at(message, asked),
    'message, follow-up under way': at(message, followed),
    'message, follow-up waits for another try': at(message, (story) => followed(story).answer(3602, busy)),
    'message, follow-up sent': at(message, (story) => followed(story).answer(3602, sent)),
  },
  'wait, last': {
    'wait for a time, behind the last message': at(pause, asked, [first]),
    'wait until a date, behind the last message': at({ type: 'wait', until: '2026-02-01' }, asked, [first]),
  },
  'wait, next': {
    'wait for a time, another message behind it': {
      ...at(pause, asked, [first]),
      stages: [first, { id: 's', ...pause }, { ...message, id: 'next' }, ...tails],
    },
  },
  'for event': {
    'wait for an event': at(forPaid, asked, [first]),
    'wait for an event, message under way': at(forPaid, under, [first]),
  },
  'for event, queued': { 'wait for an event, message waits for another try': at(forPaid, again, [first]) },
  escalate: {
    'escalate, for a time': at({ ...help, after: 'P1D' }, under),
    'escalate, notification under way': at({ ...help, notify }, under),
    'escalate, notification waits for another try': at({ ...help, notify }, again),
    'escalate, no room for its notification': at({ ...help, notify }, (story) =>
      story.decide(0, { slot: true, hasRoom: () => false }),
    ),
  },
  escalated: { 'escalate, without a time': at(help, under) },
  ended: {
    completed: at(message, (story) => asked(story).events(2, { id: 'z', type: 'reply' })),
    failed: at(message, (story) => under(story).answer(1, { kind: 'rejected', code: 'no', message: 'no' })),
    suppressed: at(message, (story) => asked(story).events(2, { id: 'z', type: 'complaint' })),
    cancelled: at(message, (story) => asked(story).stop(2, 'campaign_cancelled')),
    'ended, its message under way': at(message, (story) => under(story).events(1, { id: 'z', type: 'reply' })),
  },
};
/** Places that are passed at once and have no ways of their own: an event only meets them as the entry. */
const passed: Record<string, Moment> = {
  branch: at({ type: 'branch', branches: [{ goto: 'stay' }] }, fresh),
  split: at({ type: 'split', variants: [{ variant: 'a', weight: 1, goto: 'stay' }] }, fresh),
  end: at({ type: 'end', outcome: 'over' }, fresh),
};

const events: Record<string, object> = {
  reply: { type: 'reply', text: 'hello' },
  'reply, automatic': { type: 'reply', text: 'away', auto: true },
  'reply, of a machine': { type: 'reply', text: 'hello', machine: true },
  'reply STOP': { type: 'reply', text: 'STOP' },
  'reply START': { type: 'reply', text: 'START' },
  'reply HELP': { type: 'reply', text: 'HELP' },
  unsubscribe: { type: 'unsubscribe' },
  complaint: { type: 'complaint' },
  bounce: { type: 'bounce' },
  'bounce, soft': { type: 'bounce', data: { soft: true } },
  failed: { type: 'failed' },
  delivered: { type: 'delivered' },
  opened: { type: 'opened' },
  clicked: { type: 'clicked' },
  'clicked, machine': { type: 'clicked', machine: true },
  resume: { type: 'resume' },
  paid: { type: 'paid' },
  custom: { type: 'custom' },
  'custom, machine': { type: 'custom', machine: true },
  contact: { type: 'contact', data: { timezone: 'Europe/Berlin' } },
};

/** First what follows of itself, then what follows where the author leads every event to `x`. */
const table = `
event               | before any    | message       | wait, last    | wait, next    | for event     | for event, queued | escalate      | escalated     | ended
reply               | replied  > x  | replied  > x  | replied  > x  | replied  > x  | replied  > x  | replied  > x      | .        > x  | .        .    | . .
reply, automatic    | .        .    | .        .    | .        .    | .        .    | .        .    | .        .        | .        .    | .        .    | . .
reply, of a machine | .        .    | .        .    | .        .    | .        .    | .        .    | .        .        | .        .    | .        .    | . .
reply STOP          | unsubscribed  | unsubscribed  | .        .    | unsubscribed  | .        .    | unsubscribed      | unsubscribed  | .        .    | . .
reply START         | .        .    | .        .    | .        .    | .        .    | .        .    | .        .        | .        .    | .        .    | . .
reply HELP          | .        .    | .        .    | .        .    | .        .    | .        .    | .        .        | .        .    | .        .    | . .
unsubscribe         | unsubscribed  | unsubscribed  | .        .    | unsubscribed  | .        .    | unsubscribed      | unsubscribed  | .        .    | . .
complaint           | complained    | complained    | .        .    | complained    | .        .    | complained        | complained    | .        .    | . .
bounce              | bounced  > x  | bounced  > x  | .        .    | bounced       | .        .    | bounced           | bounced  > x  | .        .    | . .
bounce, soft        | .        > x  | .        > x  | .        .    | .        .    | .        .    | .        .        | .        > x  | .        .    | . .
failed              | .        > x  | failed   > x  | failed        | failed        | failed        | failed            | .        > x  | .        .    | . .
delivered           | .        > x  | .        > x  | .        > x  | .        > x  | .        > x  | .        > x      | .        > x  | .        .    | . .
opened              | .        > x  | .        > x  | .        > x  | .        > x  | .        > x  | .        > x      | .        > x  | .        .    | . .
clicked             | .        > x  | .        > x  | .        > x  | .        > x  | .        > x  | .        > x      | .        > x  | .        .    | . .
clicked, machine    | .        .    | .        .    | .        .    | .        .    | .        .    | .        .        | .        .    | .        .    | . .
resume              | .        > x  | .        > x  | .        > x  | .        > x  | .        > x  | .        > x      | > stay        | > stay        | . .
paid                | .        .    | .        .    | .        .    | .        .    | > stay        | > stay            | .        .    | .        .    | . .
custom              | .        > x  | .        > x  | .        > x  | .        > x  | .        > x  | .        > x      | .        > x  | .        .    | . .
custom, machine     | .        .    | .        .    | .        .    | .        .    | .        .    | .        .        | .        .    | .        .    | . .
contact             | .        .    | .        .    | .        .    | .        .    | .        .    | .        .        | .        .    | .        .    | . .
`;

/** By event and column: what follows without ways of the author's, and with them. */
function expectations(): Map<string, Map<string, [string, string]>> {
  const [head = '', ...rows] = table.trim().split('\n');
  const columns = head.split('|').map((name) => name.trim());
  return new Map(
    rows.map((row) => {
      const cells = row.split('|').map((cell) => cell.trim());
      const both = cells.map((cell): [string, string] => {
        const [own = '', led = own] = cell.replaceAll('> ', '>').split(/\s+/);
        return [own, led];
      });
      return [String(cells[0]), new Map(columns.map((column, n) => [column, both[n] ?? ['', '']]))];
    }),
  );
}

const leading = Object.fromEntries(ways.map((name) => [name, 'x']));
const led = (stages: object[]): object[] =>
  stages.map((stage) => ('id' in stage && stage.id === 's' ? { ...stage, on: leading } : stage));

const where = ({ conversation: { status, stage, outcome } }: Story): string =>
  status === 'active' ? `>${stage}` : outcome === 'led' ? '>x' : String(outcome);

/** What an event does, beside what would have followed at that time without it. */
function follow(context: FlowContext, until: Moment['until'], event: object): string {
  const decided = (inbox: object[]): Story => {
    const story = until(new Story(context, anna));
    story.conversation = { ...story.conversation, inbox: inbox as never };
    return story.decide(story.conversation.sequence > 1 ? 3700 : 3, { rows: [...story.rows.values()] });
  };
  const [without, story] = [decided([]), decided([{ id: 'e', ...event }])];
  expect(story.conversation.inbox).toEqual([]);
  // a stamp that nobody asks for is not remembered: the row does that
  if (!isOnlyStamp(context.flow, String((event as { type?: unknown }).type)))
    expect(story.conversation.consumed).toContain('e');
  expect(story.decision.send).toBeUndefined();
  const waiting = ({ rows }: Story): unknown[] => [...rows.values()].filter(({ status }) => status === 'queued');
  const [was, is] = [where(without), where(story)];
  if (was !== is) {
    expect(waiting(story)).toEqual([]);
    return is;
  }
  expect(waiting(story)).toHaveLength(waiting(without).length);
  expect(story.conversation.nextActionAt).toEqual(without.conversation.nextActionAt);
  return '.';
}

const expected = expectations();
const named = (event: object): string => String(Object.entries(events).find(([, one]) => one === event)?.[0]);

describe.each(Object.entries(moments))('in the column "%s"', (column, group) => {
  test.each(Object.entries(group))('given %s, each event does what the table says', (_, { stages, until }) => {
    const contexts = [contextOf(stages), contextOf(led(stages))];
    for (const event of Object.values(events)) {
      const found = contexts.map((context) => follow(context, until, event));
      expect({ event: named(event), found }).toEqual({
        event: named(event),
        found: expected.get(named(event))?.get(column),
      });
    }
  });
});

test.each(Object.entries(passed))(
  'given a %s as the entry, an event meets it as it would a message, without ways',
  (_, moment) => {
    const context = contextOf(moment.stages);
    for (const event of Object.values(events))
      expect({ event: named(event), found: follow(context, moment.until, event) }).toEqual({
        event: named(event),
        found: expected.get(named(event))?.get('before any')?.[0],
      });
  },
);

test('the table has a row for every event and a column for every moment', () => {
  expect([...expected.keys()]).toEqual(Object.keys(events));
  for (const row of expected.values()) expect([...row.keys()].slice(1)).toEqual(Object.keys(moments));
});
