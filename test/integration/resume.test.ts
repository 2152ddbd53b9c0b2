import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { normalAddress, suppressionId } from '../../src/domain/addresses.ts';
import { emptyMetrics } from '../../src/domain/metrics.ts';
import type { Conversation, Message, Run } from '../../src/domain/model.ts';
import { initDatabase } from '../../src/mongo/collections.ts';
import { DueReader } from '../../src/mongo/dueReader.ts';
import { addressBook } from '../../src/worker/addressBook.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Ran, run } from '../unit/cli/host.ts';

const partitions = 8;
const hourMs = 3_600_000;
let database: TestDatabase;
let env: Record<string, string> = {};
beforeAll(async () => {
  database = await testDatabase('resume');
  env = {
    MONGODB_URI: database.uri,
    MONGODB_DATABASE: database.name,
    CHANNEL_SMS_DRIVER: 'console',
    CHANNEL_EMAIL_DRIVER: 'http',
    CHANNEL_EMAIL_URL: 'http://127.0.0.1:1',
  };
  await initDatabase(database.db, { partitions });
});
afterAll(() => database.close());
beforeEach(async () => {
  const names = ['campaigns', 'campaign_runs', 'conversation_states', 'messages', 'suppressions', 'people'];
  for (const name of names) await database.db.collection(name).deleteMany({});
  await database.db.collection('settings').deleteOne({ _id: 'control' as never });
});

type Loose = { _id: string; [field: string]: unknown };
const of = (name: string) => database.db.collection<Loose>(name);
const cli = (...argv: string[]): Promise<Ran> => run(argv, env);
const json = async (...argv: string[]): Promise<Record<string, unknown>> => (await cli('--json', ...argv)).json();
const ago = (hours: number): Date => new Date(Date.now() - hours * hourMs);

const say = (id: string, more: object = {}) => ({
  id,
  type: 'message',
  channel: 'sms',
  content: { text: 'Hi' },
  ...more,
});
const pausedRun = (more: Partial<Run> = {}): Run => ({
  ...{ _id: 'spring', partition: 1, status: 'paused', settled: false, priority: 5, variables: {}, wake: 1 },
  flow: { stages: [say('intro', { followUps: [{ after: 'P1D', channel: 'email' }] }), say('next')] as never },
  ...{ campaign: { id: 'spring', topic: 'news' }, audience: { kind: 'inline' } },
  expansion: { expanded: 3, skipped: {}, done: true },
  ...{ createdAt: ago(50), updatedAt: ago(9), startedAt: ago(50), pauses: [{ from: ago(9) }] },
  ...more,
});
const store = async (more: Partial<Run> = {}, campaign: object = {}): Promise<void> => {
  await of('campaigns').insertOne({ _id: 'spring', status: 'paused', ...campaign });
  await of('campaign_runs').insertOne(pausedRun(more) as never);
};
const conversation = (id: string, more: Partial<Conversation> = {}): Conversation =>
  ({
    ...{ _id: `spring:${id}`, campaignId: 'spring', contact: { id, phone: `+49151${id}`, email: `${id}@a.test` } },
    ...{ partition: Number(id) % partitions, version: 1, status: 'active', stage: 'intro', step: 0, opening: true },
    ...{ sequence: 0, inbox: [], consumed: [], history: [], createdAt: ago(50), updatedAt: ago(50) },
    ...{ nextActionAt: ago(1), nextChannel: 'sms' },
    ...more,
  }) as Conversation;
const insert = (...all: Conversation[]) => of('conversation_states').insertMany(all as never[]);
const suppress = (address: string) =>
  of('suppressions').insertOne({
    _id: suppressionId('sms', '*', addressBook(undefined).hash(normalAddress(address))),
    ...{ reason: 'manual', at: new Date() },
  });

describe('resume says first what would become of whom', () => {
  test('sent, skipped, expired, held, and those with nothing to send; then it goes on', async () => {
    const sendWindow = { from: '00:00', to: '00:01', timezone: 'contact', onUnknownZone: 'hold' };
    await store({
      schedule: { late: { policy: 'expire', after: 'PT6H' } },
      flow: {
        stages: [say('intro'), say('windowed', { sendWindow }), { id: 'over', type: 'end', outcome: 'done' }] as never,
      },
    });
    await suppress('+491513');
    const local = new Date().getUTCHours() === 0 ? 'Asia/Tokyo' : 'UTC';
    await insert(
      ...['1', '2', '10'].map((id) => conversation(id)),
      conversation('3'),
      ...['4', '5'].map((id) => conversation(id, { nextActionAt: ago(7) })),
      conversation('6', { stage: 'windowed', contact: { id: '6', phone: '+491516', timezone: local } }),
      conversation('7', { stage: 'over', nextChannel: '-', opening: null as never }),
      conversation('8', { contact: { id: '8' } as never }),
      conversation('9', { nextActionAt: new Date(Date.now() + hourMs) }),
    );
    const { code, stdout } = await cli('resume', 'spring', '--dry-run');
    expect(code).toBe(0);
    expect(stdout).toContain('9 conversations are due, and would be\n');
    for (const line of [
      '3  sent to at once (sms 3)',
      '2  expired: too late, they leave the campaign (schedule.late)\n',
      '2  skipped: this message is left out (address_missing 1 · suppressed 1)',
      '1  held (waiting for their send window 1), until 2',
      '1  nothing to send now: they wait for something else, move on or end (done 1)',
      'decided for each of them, as a worker would now',
    ])
      expect(stdout).toContain(line);
    expect(await of('campaigns').findOne({ _id: 'spring' })).toMatchObject({ status: 'paused' });
    const told = await json('resume', 'spring');
    expect(told).toMatchObject({
      ...{ campaign: 'spring', status: 'running', was: 'paused', changed: true, overdue: 9 },
      outlook: { due: 9, looked: 9, fates: { sent: 3, expired: 2, skipped: 2, held: 1, later: 1, failed: 0 } },
    });
    expect(await of('campaigns').findOne({ _id: 'spring' })).toMatchObject({ status: 'running' });
    expect(await cli('resume', 'spring', '--dry-run')).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('is running'),
    });
    expect(await cli('resume', 'nowhere', '--dry-run')).toMatchObject({ code: 1 });
    // nothing was decided for good
    expect(await of('messages').countDocuments()).toBe(0);
    expect(await of('conversation_states').countDocuments({ version: 1 })).toBe(10);
  });

  test('rows that wait for another try, contacts that exit now, and documents nobody can decide about', async () => {
    await store({
      audience: { kind: 'collection', collection: 'people', filter: {}, map: {} },
      exitWhen: { 'contact.attributes.customer': true },
    });
    await of('people').insertMany(
      ['1', '2'].map((id) => ({ _id: id, phone: `+49151${id}`, attributes: { customer: id === '2' } })),
    );
    await insert(
      conversation('1', { awaiting: 'spring:1/1', sequence: 1, step: 1 }),
      conversation('2'),
      conversation('3', { inbox: 'none' as never }),
    );
    const row = {
      campaignId: 'spring',
      conversationId: 'spring:1',
      partition: 1,
      stage: 'intro',
      step: 0,
      channel: 'sms',
    };
    const times = { dueAt: ago(9), queuedAt: ago(9), attempts: 1, pending: true, trace: {}, worker: 'w' } as const;
    await of('messages').insertOne({
      ...{ _id: 'spring:1/1', ...row, to: '+491511', content: { text: 'Hi' }, status: 'queued' },
      ...times,
    } satisfies Partial<Message> & Loose);
    expect((await json('resume', 'spring', '--dry-run'))['outlook']).toMatchObject({
      fates: { sent: 1, later: 1, unreadable: 1 },
      details: { later: { exit_condition: 1 } },
    });
  });

  test('nobody is due; it has not started; sending is stopped; a channel is not configured here', async () => {
    await store({ metrics: { ...emptyMetrics(new Date()), messages: { sent: 3600 } } as never });
    expect((await cli('resume', 'spring', '--dry-run')).stdout).toContain('nothing came due while it was paused');
    await insert(conversation('1', { nextChannel: 'push', stage: 'next' }));
    await of('settings').insertOne({ _id: 'control', sending: 'stopped', reason: 'wrong prices' } as never);
    await of('campaign_runs').updateOne({}, { $set: { flow: { stages: [say('next', { channel: 'push' })] } } });
    const { stdout } = await cli('resume', 'spring', '--dry-run');
    expect(stdout).toContain('sending is stopped for all campaigns: wrong prices: nothing leaves before start-all');
    expect(stdout).toContain('not configured here, so that a worker may decide otherwise: push');
    await of('campaign_runs').deleteMany({});
    expect((await cli('resume', 'spring')).stdout).toContain('it has not started: nobody is due');
  });

  test('of very many a sample is looked at, and every one where that is asked for', async () => {
    await store({ schedule: { late: { policy: 'skip', after: 'PT6H' } } });
    const many = 24_000;
    const all = Array.from({ length: many }, (_, n) =>
      conversation(String(n), { nextActionAt: ago(n % 4 === 0 ? 8 : 1) }),
    );
    await insert(...all);
    const told = (await json('resume', 'spring', '--dry-run'))['outlook'] as Record<string, number>;
    expect(told).toMatchObject({ due: many, fates: { sent: 18_000, skipped: 6_000 } });
    expect(told['looked']).toBeLessThanOrEqual(21_000);
    expect((await cli('resume', 'spring', '--dry-run')).stdout).toContain('estimated from a sample of ');
    expect((await json('resume', 'spring', '--dry-run', '--exact'))['outlook']).toMatchObject({
      ...{ due: many, looked: many, fates: { sent: 18_000, skipped: 6_000 } },
    });
  });

  test('what is counted needs no document, and what is read no sort of all', async () => {
    await insert(...Array.from({ length: 300 }, (_, n) => conversation(String(n))));
    const { db } = database;
    const profiled: Record<string, unknown>[] = [];
    await db.command({ profile: 2 });
    try {
      const reader = new DueReader(db, 'spring', partitions);
      const [part] = await reader.parts(['sms'], new Date(), undefined);
      expect(part).toMatchObject({ channel: 'sms', count: 300 });
      for await (const page of reader.read(part as never, 32)) expect(page.length).toBeLessThanOrEqual(2);
      profiled.push(
        ...(await db
          .collection('system.profile')
          .find({ ns: /conversation_states$/ })
          .toArray()),
      );
    } finally {
      await db.command({ profile: 0 });
      await db.collection('system.profile').drop();
    }
    const counts = profiled.filter(({ docsExamined, keysExamined }) => docsExamined === 0 && Number(keysExamined) > 0);
    expect(counts.length).toBeGreaterThan(0);
    for (const one of profiled.filter(({ docsExamined }) => Number(docsExamined) > 0)) {
      expect(one['docsExamined']).toBeLessThanOrEqual(8);
      expect(one['hasSortStage']).toBeUndefined();
    }
  });
});

test('pause says how many are with their providers', async () => {
  await of('campaigns').insertOne({ _id: 'spring', status: 'running' });
  const row = (n: number, status: string) => ({ _id: `spring:${n}/1`, status, partition: 1, pending: true });
  await of('messages').insertMany([
    row(1, 'sending'),
    row(2, 'sending'),
    row(3, 'queued'),
    { ...row(4, 'sending'), _id: 'other:4/1' },
  ]);
  expect((await cli('pause', 'spring')).stdout.split('\n')).toEqual([
    'paused spring',
    'at most 2 messages are with a provider: those are answered',
    'nothing else of it leaves later than a second from now; due times stay as they are',
    '',
  ]);
  await of('campaigns').updateOne({ _id: 'spring' }, { $set: { status: 'running' } });
  expect(await json('pause', 'spring')).toMatchObject({ changed: true, inFlight: 2 });
});
