/**
 * What `simulate` foretells is what a member does: the same file, a real replica set, a real provider, and a clock that leaps to
 * the next due time whenever nothing is left to do.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Document } from 'mongodb';
import { loadConfig } from '../../src/config.ts';
import { sequenceOf } from '../../src/domain/ids.ts';
import type { Conversation, Message } from '../../src/domain/model.ts';
import { type Chance, counts, happens, parseChance } from '../../src/domain/simulatedEvents.ts';
import { addDuration } from '../../src/domain/timing.ts';
import { startMember } from '../../src/worker/member.ts';
import type { RunningMember } from '../../src/worker/protocol.ts';
import { recordingInstruments, recordingLogger } from '../support/fakes.ts';
import { type LeapingClock, leapingClock } from '../support/leapingClock.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { waitFor } from '../support/waitFor.ts';
import { run } from '../unit/cli/host.ts';

const seed = 11;
const people = Number(process.env['PEOPLE'] ?? 80);
/** A Monday; clocks change on the way in Europe, in New York and in Auckland. Ahead of any real time, so that nothing expires. */
const start = Date.parse('2031-03-03T08:20:00Z');
/** Never at the very time that something is due. */
const replies = [
  '18% after PT1H7M13S',
  'tips: 15% after P2DT3M19S',
  'offer: 30% after PT7H11M41S',
  'last: 50% after P1DT1M1S',
];
const bounces = ['4% after PT9M7S'];
const failures = ['3%', 'offer: 5%'];

const places = [
  { timezone: 'Europe/Berlin', country: 'DE' },
  { timezone: 'America/New_York', country: 'US' },
  { timezone: 'Pacific/Auckland', country: 'NZ' },
  { timezone: 'Asia/Kolkata', country: 'IN' },
  {},
];
const contacts = Array.from({ length: people }, (_, n) => ({
  id: `c${n}`,
  ...(n % 23 === 5 ? {} : { name: `Person ${n}` }),
  ...(n % 17 === 3 ? {} : { email: `p${n}@example.com` }),
  ...(n % 13 === 7 ? {} : { phone: `+4915${String(n).padStart(8, '0')}` }),
  ...places[n % places.length],
  attributes: { renewal: new Date(start + (20 + (n % 9)) * 86_400_000).toISOString() },
}));

const say = (id: string, more: object) => ({
  ...{ id, type: 'message', channel: 'email', content: { subject: id, text: `${id} for {{ contact.name }}` } },
  ...more,
});
const drip = {
  _id: 'drip',
  status: 'pending',
  unsubscribe: { mailto: 'stop@example.com' },
  schedule: {
    sendWindow: {
      ...{ days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '09:00', to: '18:00', timezone: 'contact' },
      ...{ fallbackTimezone: 'Europe/Berlin', onUnknownZone: 'fallback', holidayCountry: 'contact' },
    },
  },
  audience: { contacts },
  flow: {
    stages: [
      say('intro', {
        followUps: [{ after: 'P2D' }, { after: 'P3D', channel: 'sms' }],
        waitForReply: 'P2D',
        on: { reply: 'call' },
      }),
      { id: 'rest', type: 'wait', businessDays: 3 },
      say('tips', { delay: 'PT5H', followUps: [{ after: 'PT36H' }], on: { failed: 'last' } }),
      {
        ...{ id: 'half', type: 'split' },
        variants: [
          { variant: 'offer', weight: 2, goto: 'offer' },
          { variant: 'wait', weight: 1, goto: 'renewal' },
          { variant: 'none', weight: 1 },
        ],
      },
      say('offer', { channel: 'sms', waitForReply: 'P4D', on: { reply: 'where' } }),
      { id: 'renewal', type: 'wait', until: 'contact.attributes.renewal - P2D' },
      {
        id: 'where',
        type: 'branch',
        branches: [{ when: { 'contact.country': 'DE' }, goto: 'last' }, { goto: 'paid' }],
      },
      { id: 'paid', type: 'wait', event: 'paid', timeout: 'P3D', onTimeout: 'last' },
      say('call', { channel: 'sms', waitForReply: 'P1D' }),
      { id: 'crm', type: 'webhook', channel: 'sms', to: 'crm', body: { who: '{{ contact.id }}' } },
      say('last', { followUps: [{ after: 'P9D' }], waitForReply: 'P9D' }),
      { id: 'desk', type: 'escalate', to: 'desk', after: 'P2D', onTimeout: 'over' },
      { id: 'over', type: 'end', outcome: 'over' },
    ],
  },
};

let database: TestDatabase;
let sink: Sink;
let folder: string;
let member: RunningMember | undefined;
let clock: LeapingClock;

beforeEach(async () => {
  database = await testDatabase('foretold');
  sink = await startSink({ keep: 10, answer: ({ json }) => answerTo(json as Letter) });
  folder = await mkdtemp(join(tmpdir(), 'foretold-'));
  clock = leapingClock(start);
});
afterEach(async () => {
  await member?.stop();
  member = undefined;
  await sink.close();
  await database.close();
  await rm(folder, { recursive: true, force: true });
});

const env = (): Record<string, string> => ({
  ...{ MONGODB_URI: database.uri, MONGODB_DATABASE: database.name, PARTITIONS: '8', HEALTH_PORT: '0' },
  ...Object.fromEntries(
    ['EMAIL', 'SMS'].flatMap((name) => [
      [`CHANNEL_${name}_DRIVER`, 'http'],
      [`CHANNEL_${name}_URL`, sink.url],
    ]),
  ),
});

async function startWorker(): Promise<ReturnType<typeof recordingLogger>> {
  const log = recordingLogger();
  const logger = Object.assign(log, { child: () => logger }) as never;
  const config = loadConfig(env());
  const signal = new AbortController().signal;
  // no jitter: a row that is put back comes again at once
  member = await startMember({
    ...{ config, thread: 0, logger, instruments: recordingInstruments(), clock, random: () => 0, signal },
  });
  return log;
}

// ---------------------------------------------------------------- contacts and provider, as the simulation has them

type Letter = Pick<Message, 'stage' | 'step'> & { messageId: string };

/** The chances that come true for a message. `first`: number of the first of them among its kind. */
function drawn(texts: readonly string[], kind: string, { stage, step, messageId }: Letter, first = 0): Chance[] {
  const message = { stage, step, sequence: sequenceOf(messageId) };
  return texts
    .map((text) => parseChance(text) as Chance)
    .filter((chance, n) => counts(chance, message) && happens(chance, seed, `${kind} ${first + n}`, messageId));
}
const answerTo = (letter: Letter) => (drawn(failures, 'failure', letter).length > 0 ? { status: 400 } : undefined);

interface Push {
  at: number;
  conversationId: string;
  event: { id: string; type: string; channel: string; data: object };
}

const events = [
  ...replies.map((text) => ({ type: 'reply', text })),
  ...bounces.map((text) => ({ type: 'bounce', text })),
];

/** What the contacts do about the messages that were sent since the last look. */
function reactions(rows: readonly Message[]): Push[] {
  return rows.flatMap(({ _id, stage, step, channel, conversationId, sentAt }) =>
    events.flatMap(({ type, text }, n) => {
      const [found] = drawn([text], type, { messageId: _id, stage, step }, n);
      if (found === undefined) return [];
      const event = { id: `${type} ${n} ${_id}`, type, channel, data: { messageId: _id } };
      return [{ at: addDuration(Number(sentAt), found.after), conversationId, event }];
    }),
  );
}

// ---------------------------------------------------------------- the life of the campaign

const collections = () => ({
  campaigns: database.db.collection<Document & { _id: string }>('campaigns'),
  conversations: database.db.collection<Conversation>('conversation_states'),
  messages: database.db.collection<Message>('messages'),
});

/** Nothing is due, on its way or unread, at one point in time. */
async function isIdle(): Promise<boolean> {
  const { conversations, messages } = collections();
  const session = database.client.startSession({ snapshot: true });
  try {
    const now = new Date(clock.now());
    const busy = { $or: [{ 'inbox.0': { $exists: true } }, { status: 'active', nextActionAt: { $lte: now } }] };
    const all = await conversations.countDocuments({}, { session });
    if (all < people) return false;
    if ((await conversations.findOne(busy as never, { session, projection: { _id: 1 } })) !== null) return false;
    return (await messages.findOne({ pending: true }, { session, projection: { _id: 1 } })) === null;
  } finally {
    await session.endSession();
  }
}

async function live(): Promise<number> {
  const { conversations, messages } = collections();
  const seen = new Set<string>();
  const pushes: Push[] = [];
  for (let leaps = 0; ; leaps++) {
    await waitFor(isIdle, {
      timeoutMs: 60_000,
      intervalMs: 2,
      what: `nothing to do at ${new Date(clock.now()).toISOString()}`,
    });
    const sent = await messages.find({ sentAt: { $gte: new Date(clock.now()) } }).toArray();
    const news = sent.filter(({ _id }) => !seen.has(_id));
    for (const { _id } of news) seen.add(_id);
    pushes.push(...reactions(news));
    const next = await conversations
      .find({ status: 'active', nextActionAt: { $exists: true } })
      .sort({ nextActionAt: 1 })
      .limit(1)
      .toArray();
    if ((await conversations.findOne({ status: 'active' })) === null) return leaps;
    const at = Math.min(Number(next[0]?.nextActionAt ?? Number.POSITIVE_INFINITY), ...pushes.map((push) => push.at));
    clock.leapTo(at);
    for (const push of pushes.filter((one) => one.at === at)) {
      pushes.splice(pushes.indexOf(push), 1);
      const event = { ...push.event, at: new Date(at) };
      await conversations.updateOne({ _id: push.conversationId }, { $push: { inbox: event as never } });
    }
  }
}

const line = ({ at, contactId, stage, step, channel, status, reason }: Record<string, unknown>): string =>
  `${at instanceof Date ? at.toISOString() : String(at)} ${contactId} ${stage}/${step} ${channel} ${status} ${reason ?? ''}`;

async function foretold(file: string): Promise<{ lines: string[]; metrics: Document }> {
  const options = (name: string, texts: readonly string[]): string[] => texts.flatMap((text) => [`--${name}`, text]);
  const ran = await run(
    [
      ...[
        '--json',
        'simulate',
        file,
        '--start',
        new Date(start).toISOString(),
        '--latency',
        '0',
        '--seed',
        String(seed),
      ],
      ...options('replies', replies),
      ...options('bounces', bounces),
      ...options('failures', failures),
    ],
    env(),
  );
  if (ran.code !== 0) throw new Error(ran.stdout + ran.stderr);
  const found = ran.stdout
    .trim()
    .split('\n')
    .map((one) => JSON.parse(one) as Record<string, unknown>);
  const summary = found.pop()?.['summary'] as { metrics: Document } | undefined;
  if (summary === undefined) throw new Error(ran.stdout + ran.stderr);
  return { lines: found.map(line).toSorted(), metrics: summary.metrics };
}

test('a drip of six weeks: every message to the millisecond, and the same figures', async () => {
  const file = join(folder, 'drip.json');
  await writeFile(file, JSON.stringify(drip));
  const told = await foretold(file);
  expect(told.lines.length).toBeGreaterThan(3 * people);
  const log = await startWorker();
  await run(['submit', file], env());
  const leaps = await live();
  const { campaigns, messages } = collections();
  const ended = await waitFor(() => campaigns.findOne({ _id: 'drip', status: 'completed' }), {
    what: 'its completion',
  });
  const rows = await messages.find().toArray();
  const lived = rows.map(({ conversationId, sentAt, handedAt, queuedAt, ...row }) =>
    line({
      ...{ ...row, contactId: conversationId.split(':')[1], at: sentAt ?? handedAt ?? queuedAt },
      // a receipt came later
      status: row.status === 'bounced' ? 'sent' : row.status,
    }),
  );
  expect(lived.toSorted()).toEqual(told.lines);
  const { updatedAt: _, ...metrics } = ended['metrics'] as Document;
  expect(metrics).toEqual(told.metrics);
  expect(log.of('error')).toEqual([]);
  const days = (clock.now() - start) / 86_400_000;
  expect(days).toBeGreaterThan(40);
  process.stderr.write(
    `${rows.length} messages of ${people} contacts over ${days.toFixed(1)} days in ${leaps} leaps\n`,
  );
}, 300_000);
