/** Send windows, seen from outside: nothing leaves while they are closed, and whoever asks is told why. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Document } from 'mongodb';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorker, type WorkerProcess } from '../support/workers.ts';

const patience = { timeoutMs: 60_000, intervalMs: 100 };
const dayMs = 86_400_000;
const run = promisify(execFile);

let database: TestDatabase;
let sink: Sink;
let worker: WorkerProcess;

const env = () => ({ CHANNEL_PHONE_DRIVER: 'http', CHANNEL_PHONE_URL: sink.url });

beforeEach(async () => {
  database = await testDatabase('window');
  sink = await startSink({ keep: 10 });
  worker = startWorker(database, env());
});
afterEach(async () => {
  await worker.kill('SIGKILL');
  await sink.close();
  await database.close();
});

const cli = async (...args: string[]): Promise<string> => {
  const bin = new URL('../../bin/communication-base.js', import.meta.url).pathname;
  const { stdout } = await run(process.execPath, [bin, ...args], {
    env: { PATH: process.env['PATH'] ?? '', MONGODB_URI: database.uri, MONGODB_DATABASE: database.name, ...env() },
  });
  return stdout;
};
const dayOf = (at: number): string => ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'][new Date(at).getUTCDay()] ?? '';

test('what a window keeps back waits for its opening, and is not called stuck', async () => {
  // nobody has a country, so that no day is a holiday; the holidays are loaded all the same
  const sendWindow = { timezone: 'contact', fallbackTimezone: 'UTC', holidayCountry: 'contact' };
  const campaign = (_id: string, schedule: object): Document => ({
    ...{ _id, status: 'pending', schedule, variables: {} },
    audience: { contacts: ['ada', 'bob'].map((id, n) => ({ id, phone: `+4915${n}` })) },
    flow: { stages: [{ id: 'intro', type: 'message', channel: 'phone', content: { text: 'Hello' } }] },
  });
  const campaigns = database.db.collection<Document>('campaigns');
  const twoDaysOn = [dayOf(Date.now() + 2 * dayMs)];
  await campaigns.insertOne(campaign('closed', { sendWindow: { ...sendWindow, days: twoDaysOn } }));
  await campaigns.insertOne(campaign('open', { sendWindow, late: { policy: 'expire' } }));
  await waitFor(async () => (await campaigns.findOne({ _id: 'open' as never }))?.['status'] === 'completed', {
    what: 'the open one to be completed',
    ...patience,
  });
  const waiting = () => database.db.collection('conversation_states').find({ campaignId: 'closed' }).toArray();
  await waitFor(async () => (await waiting()).length === 2, { what: 'the closed one to be expanded', ...patience });
  for (const conversation of await waiting()) {
    const { nextActionAt } = conversation as { nextActionAt?: Date };
    expect(conversation).toMatchObject({ status: 'active', delayed: 'window', nextChannel: 'phone' });
    expect(nextActionAt?.getTime()).toBeGreaterThan(Date.now());
    expect(dayOf(nextActionAt?.getTime() ?? 0)).toBe(twoDaysOn[0]);
  }
  expect(await database.db.collection('messages').countDocuments({ campaignId: 'closed' })).toBe(0);
  expect(await database.db.collection('messages').countDocuments({ campaignId: 'open', status: 'sent' })).toBe(2);
  const stored = await database.db.collection<Document>('campaign_runs').findOne({ _id: 'closed' as never });
  expect(stored?.['schedule']).toEqual({ sendWindow: { ...sendWindow, days: twoDaysOn } });
  expect(await cli('explain', 'closed:ada')).toMatch(/its send window is closed until/);
  await cli('audit', 'closed');
}, 120_000);
