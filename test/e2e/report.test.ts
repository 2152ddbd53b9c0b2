/** The report of campaigns that a real worker ran equals what it left in the collections. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Document } from 'mongodb';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorker, type WorkerProcess } from '../support/workers.ts';
import { type Ran, run } from '../unit/cli/host.ts';

type Loose = { _id: string; [field: string]: unknown };

let database: TestDatabase;
let sink: Sink;
let worker: WorkerProcess;
beforeAll(async () => {
  database = await testDatabase('report');
  sink = await startSink({ keep: 10 });
  const channel = { CHANNEL_PHONE_DRIVER: 'http', CHANNEL_PHONE_URL: sink.url };
  worker = startWorker(database, { ...channel, PARTITIONS: '16' });
});
afterAll(async () => {
  await worker.kill('SIGKILL');
  await sink.close();
  await database.close();
});

const of = (name: string) => database.db.collection<Loose>(name);
const cli = (...argv: string[]): Promise<Ran> =>
  run(argv, { MONGODB_URI: database.uri, MONGODB_DATABASE: database.name });
const told = async (id: string): Promise<Document> => {
  const ran = await cli('--json', 'report', id);
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  return ran.json();
};

const stages = [
  {
    ...{ id: 'intro', type: 'message', channel: 'phone', content: { text: 'Hello {{ contact.name }}' } },
    followUps: [{ after: 'PT1S', content: { text: 'Still there?' } }],
    on: { reply: 'thanks', noReply: 'done' },
  },
  { id: 'thanks', type: 'message', channel: 'phone', content: { text: 'Thanks' }, on: { noReply: 'done' } },
  { id: 'done', type: 'end', outcome: 'done' },
];

test('it equals the collections and the counters, and the page has the same figures', async () => {
  const contacts = Array.from({ length: 60 }, (_, n) => ({
    id: `c${n}`,
    name: 'P',
    ...(n % 10 === 0 ? {} : { phone: `+49${n}` }),
  }));
  sink.answer(({ json }) => {
    const { conversationId, stage, step } = json as { conversationId: string; stage: string; step: number };
    const inbox = { id: 'r1', type: 'reply' };
    if (stage === 'intro' && step === 0 && conversationId.endsWith('5'))
      void of('conversation_states').updateOne({ _id: conversationId }, { $push: { inbox } as never });
    if (conversationId.endsWith('7')) return { status: 422 };
    return undefined;
  });
  const flow = { stages };
  await of('campaigns').insertOne({ _id: 'real', status: 'pending', audience: { contacts }, flow });
  await waitFor(async () => (await of('campaigns').findOne({ _id: 'real' }))?.['status'] === 'completed', {
    ...{ what: 'real to be completed', timeoutMs: 90_000, intervalMs: 100 },
  });
  const states = await of('conversation_states')
    .find({ _id: { $gte: 'real:', $lt: 'real;' } })
    .toArray();
  const rows = await of('messages')
    .find({ _id: { $gte: 'real:', $lt: 'real;' } })
    .toArray();
  const { metrics } = (await of('campaigns').findOne({ _id: 'real' })) as Document;
  const sent = rows.filter(({ sentAt }) => sentAt !== undefined);
  const latest = Math.max(...sent.map(({ sentAt, dueAt }) => Number(sentAt) - Number(dueAt)));
  const replied = states.filter(({ repliedAt }) => repliedAt !== undefined).length;
  expect(replied).toBe(6);
  const found = await told('real');
  expect(found).toMatchObject({
    campaign: { status: 'completed' },
    checked: { differences: [] },
    conversations: { total: states.length, replied },
    messages: {
      ...{ total: rows.length, sent: sent.length, followUps: sent.filter(({ step }) => Number(step) > 0).length },
      failed: rows.filter(({ status }) => status === 'failed').length,
      skipped: rows.filter(({ status }) => status === 'skipped').length,
      waiting: 0,
    },
    latency: { firstTry: { count: sent.length, maxMs: latest }, unknown: 0 },
    notSent: expect.arrayContaining([
      expect.objectContaining({ reason: 'address_missing' }),
      expect.objectContaining({ reason: 'provider_rejected', count: metrics.messages.failed }),
    ]),
  });
  for (const { stage, entered, sent: many, replied: some } of found['funnel'] as Document[]) {
    const { entered: e = 0, sent: s = 0, replied: r = 0 } = metrics.stages[stage] ?? {};
    expect({ stage, entered, many, some }).toEqual({ stage, entered: e, many: s, some: r });
  }
  expect(found['checked'].figures).toBeGreaterThan(15);
  const folder = await mkdtemp(join(tmpdir(), 'report-'));
  const written = await cli('report', 'real', '--html', join(folder, 'a.html'));
  expect(written).toMatchObject({ code: 0, stderr: '' });
  const page = await readFile(join(folder, 'a.html'), 'utf8');
  await rm(folder, { recursive: true });
  expect(page).toContain(`<dd class="big">${sent.length}</dd>`);
});

test('a pause is remembered, and what it held back is not late', async () => {
  const contacts = Array.from({ length: 5 }, (_, n) => ({ id: `c${n}`, name: 'P', phone: `+49${n}` }));
  const waiting = [{ id: 'rest', type: 'wait', for: 'PT4S' }, { ...stages[1], id: 'thanks' }, stages[2]];
  await of('campaigns').insertOne({
    _id: 'held',
    status: 'pending',
    audience: { contacts },
    flow: { stages: waiting },
  });
  const runIs = async (status: string): Promise<boolean> =>
    (await of('campaign_runs').findOne({ _id: 'held' }))?.['status'] === status;
  const until = (what: string, is: () => Promise<boolean>) => waitFor(is, { what, timeoutMs: 60_000, intervalMs: 50 });
  await until(
    'held to run',
    async () => (await of('campaign_runs').findOne({ _id: 'held', 'expansion.done': true })) !== null,
  );
  await of('campaigns').updateOne({ _id: 'held' }, { $set: { status: 'paused' } });
  await until('it to be paused', () => runIs('paused'));
  const due = await of('conversation_states').findOne({ _id: 'held:c0' });
  await until('its messages to be long due', async () => Date.now() > Number(due?.['nextActionAt'] ?? 0) + 3000);
  await of('campaigns').updateOne({ _id: 'held' }, { $set: { status: 'running' } });
  await until('it to be completed', () => runIs('completed'));
  const found = await told('held');
  expect(found['duration'].pauses).toBe(1);
  expect(found['duration'].pausedMs).toBeGreaterThan(3000);
  expect(found['messages'].sent).toBe(5);
  const rows = await of('messages')
    .find({ _id: { $gte: 'held:', $lt: 'held;' } })
    .toArray();
  const [pause] = ((await of('campaign_runs').findOne({ _id: 'held' })) as Document)['pauses'];
  const late = rows.map(({ sentAt, dueAt }) => {
    const held = Math.min(Number(sentAt), Number(pause.until)) - Math.max(Number(dueAt), Number(pause.from));
    return Number(sentAt) - Number(dueAt) - Math.max(0, held);
  });
  expect(found['latency'].firstTry.maxMs).toBe(Math.max(...late));
});
