/** A channel that takes nothing: what its provider refuses, and what it keeps waiting, arrives once by the fallback. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Document } from 'mongodb';
import type { Message } from '../../src/domain/model.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Delivery, type Sink, startSink } from '../support/sink.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorker, type WorkerProcess } from '../support/workers.ts';

const run = promisify(execFile);
/** Too few to tell of a provider that it is down. */
const many = 4;

let database: TestDatabase;
let broken: Sink;
let sound: Sink;
let worker: WorkerProcess;

const env = () => ({
  ...{
    CHANNEL_APP_DRIVER: 'http',
    CHANNEL_APP_URL: broken.url,
    CHANNEL_APP_ADDRESS: 'phone',
    CHANNEL_APP_ATTEMPTS: '2',
  },
  ...{ CHANNEL_WEB_DRIVER: 'http', CHANNEL_WEB_URL: broken.url, CHANNEL_WEB_ADDRESS: 'phone' },
  ...{ CHANNEL_SMS_DRIVER: 'http', CHANNEL_SMS_URL: sound.url },
});

beforeEach(async () => {
  database = await testDatabase('fallback');
  [broken, sound] = [await startSink(), await startSink()];
  worker = startWorker(database, env());
});
afterEach(async () => {
  await worker.kill('SIGKILL');
  await Promise.all([broken.close(), sound.close()]);
  await database.close();
});

const campaign = (_id: string, channel: string, fallback: object): Document => ({
  ...{ _id, status: 'pending' },
  audience: { contacts: Array.from({ length: many }, (_, n) => ({ id: n, phone: `+49151${1_000_000 + n}` })) },
  flow: { stages: [{ id: 'ask', type: 'message', channel, content: { text: 'Hi' }, fallback }] },
});
const saidBy = ({ json }: Delivery): string => String((json as Record<string, unknown>)['campaignId']);

test('500 until its tries are used up, and 429 until its time is up: each message arrives once by the other channel', async () => {
  broken.answer((delivery) => (saidBy(delivery) === 'late' ? { status: 429, retryAfter: 600 } : { status: 500 }));
  const campaigns = database.db.collection<Document>('campaigns');
  await campaigns.insertMany([
    campaign('failing', 'app', { channel: 'sms' }),
    campaign('late', 'web', { channel: 'sms', after: 'PT2S', content: { text: 'Hi by text' } }),
  ]);
  await waitFor(async () => (await campaigns.countDocuments({ status: 'completed' })) === 2, {
    ...{ what: 'both campaigns to be completed', timeoutMs: 90_000, intervalMs: 100 },
  });
  const expected = ['failing', 'late'].flatMap((id) => Array.from({ length: many }, (_, n) => `${id}:#${n}/2`));
  expect([...sound.keys.keys()].map(decodeURIComponent).sort()).toEqual(expected.sort());
  expect(sound.repeated).toEqual([]);
  const texts = sound.deliveries.map(
    (one) => `${saidBy(one)} ${(one.json as { content: { text: string } }).content.text}`,
  );
  expect(new Set(texts)).toEqual(new Set(['failing Hi', 'late Hi by text']));
  const metrics = async (id: string) => (await campaigns.findOne({ _id: id as never }))?.['metrics'];
  expect(await metrics('failing')).toMatchObject({
    ...{ completed: many, messages: { sent: many, failed: many, skipped: 0 }, reasons: { retries_exhausted: many } },
    stages: { ask: { entered: many, sent: many } },
  });
  expect(await metrics('late')).toMatchObject({
    ...{ completed: many, messages: { sent: many, failed: 0, skipped: many }, reasons: { superseded: many } },
  });
  const rows = database.db.collection<Message>('messages');
  expect(await rows.countDocuments({ channel: 'sms', status: 'sent', fallback: true })).toBe(2 * many);
  const bin = new URL('../../bin/communication-base.js', import.meta.url).pathname;
  const { stdout } = await run(process.execPath, [bin, 'audit', '--json'], {
    env: { PATH: process.env['PATH'] ?? '', MONGODB_URI: database.uri, MONGODB_DATABASE: database.name, ...env() },
  });
  expect(stdout).not.toContain('"kind"');
});

test('those who come due while the channel is left alone go by the fallback when their time is up; the others wait for it', async () => {
  let isAway = true;
  broken.answer(() => (isAway ? { status: 503 } : undefined));
  const campaigns = database.db.collection<Document>('campaigns');
  const people = (count: number) =>
    Array.from({ length: count }, (_, n) => ({ id: n, phone: `+49151${2_000_000 + n}` }));
  const first = campaign('first', 'web', { channel: 'sms', after: 'PT1S' });
  await campaigns.insertOne({ ...first, audience: { contacts: people(150) } });
  const waits = { stages: [{ id: 'ask', type: 'message', channel: 'web', content: { text: 'Hi' } }] };
  await campaigns.insertOne({
    _id: 'patient' as never,
    status: 'pending',
    audience: { contacts: people(20) },
    flow: waits,
  });
  const of = (id: string, sink: Sink): number => sink.deliveries.filter((one) => saidBy(one) === id).length;
  await waitFor(async () => (await campaigns.countDocuments({ _id: 'first', status: 'completed' } as never)) === 1, {
    ...{ what: 'all to be reached by the fallback', timeoutMs: 60_000, intervalMs: 100 },
  });
  expect([of('first', sound), of('patient', sound)]).toEqual([150, 0]);
  expect(sound.repeated).toEqual([]);
  isAway = false;
  await waitFor(async () => (await campaigns.countDocuments({ status: 'completed' })) === 2, {
    ...{ what: 'the channel to be used again', timeoutMs: 90_000, intervalMs: 100 },
  });
  expect((await campaigns.findOne({ _id: 'patient' as never }))?.['metrics']).toMatchObject({ messages: { sent: 20 } });
  expect((await campaigns.findOne({ _id: 'first' as never }))?.['metrics']).toMatchObject({
    ...{ messages: { sent: 150, skipped: 150 }, reasons: { superseded: 150 } },
  });
});
