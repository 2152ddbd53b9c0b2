/** Limits, seen from outside: two members, two campaigns, one sink. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Document } from 'mongodb';
import type { ContactPressure, Message } from '../../src/domain/model.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Delivery, type Sink, startSink } from '../support/sink.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorker, type WorkerProcess } from '../support/workers.ts';

const patience = { timeoutMs: 90_000, intervalMs: 100 };
const run = promisify(execFile);

let database: TestDatabase;
let sink: Sink;
let workers: WorkerProcess[];

const env = () => ({ CHANNEL_PHONE_DRIVER: 'http', CHANNEL_PHONE_URL: sink.url, WORKER_THREADS: '2' });

beforeEach(async () => {
  database = await testDatabase('limits');
  sink = await startSink({ keep: 10_000 });
  workers = [startWorker(database, env())];
});
afterEach(async () => {
  for (const worker of workers) await worker.kill('SIGKILL');
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
const campaigns = () => database.db.collection<Document>('campaigns');
const stored = (id: string) => campaigns().findOne({ _id: id as never });
const say = (id: string) => ({ id, type: 'message', channel: 'phone', content: { text: id } });
const campaign = (_id: string, contacts: number, limits: object, stages: object[]): Document => ({
  ...{ _id, status: 'pending', limits, flow: { stages } },
  audience: {
    contacts: Array.from({ length: contacts }, (_, n) => ({ id: `c${n}`, phone: `+49151${1_000_000 + n}` })),
  },
});
const completed = (id: string) =>
  waitFor(async () => (await stored(id))?.['status'] === 'completed', { what: `${id} to be completed`, ...patience });

test('two campaigns on two members never write to anybody more often than the cap, and what failed is given back', async () => {
  const limits = { maxMessagesPerContact: { count: 3, per: 'P1D' } };
  const stages = [say('a'), { id: 'w', type: 'wait', for: 'PT1S' }, say('b')];
  const many = 400;
  // every tenth contact's first message of one campaign is refused for good
  const isRefused = ({ json }: Delivery): boolean => {
    const { to, campaignId, stage } = json as Record<string, string>;
    return campaignId === 'summer' && stage === 'a' && String(to).endsWith('0');
  };
  sink.answer((delivery) => (isRefused(delivery) ? { status: 422 } : undefined));
  await Promise.all([
    campaigns().insertOne(campaign('spring', many, limits, stages)),
    campaigns().insertOne(campaign('summer', many, limits, stages)),
  ]);
  await Promise.all([completed('spring'), completed('summer')]);
  const counts = new Map<string, number>();
  for (const delivery of sink.deliveries) {
    const { to } = delivery.json as { to: string };
    if (!isRefused(delivery)) counts.set(to, (counts.get(to) ?? 0) + 1);
  }
  expect(counts.size).toBe(many);
  for (const [to, count] of counts) {
    expect(count).toBeLessThanOrEqual(3);
    if (!to.endsWith('0')) expect(count).toBe(3);
  }
  const rows = await database.db.collection<Message>('messages').find().toArray();
  const sent = rows.filter(({ status }) => status === 'sent');
  const skipped = rows.filter(({ reason }) => reason === 'frequency_cap');
  expect(skipped.length).toBeGreaterThanOrEqual(many - many / 10);
  expect(rows.filter(({ status }) => status === 'failed')).toHaveLength(many / 10);
  const pressures = await database.db.collection<ContactPressure>('contact_pressure').find().toArray();
  expect(pressures.flatMap(({ sends }) => sends.map(({ id }) => id)).toSorted()).toEqual(
    sent.map(({ _id }) => _id).toSorted(),
  );
  const reasons = await Promise.all(['spring', 'summer'].map(async (id) => (await stored(id))?.['metrics'].reasons));
  expect(reasons.reduce((sum, one) => sum + (one.frequency_cap ?? 0), 0)).toBe(skipped.length);
  await cli('audit');
}, 180_000);

test('a ramp holds over all members, and says of who waits why', async () => {
  workers.push(startWorker(database, env()));
  await campaigns().insertOne(campaign('warm', 300, { ramp: ['37/d', '90/d'] }, [say('a')]));
  const conversations = database.db.collection('conversation_states');
  await waitFor(async () => (await conversations.countDocuments({ campaignId: 'warm', delayed: 'warm_up' })) === 263, {
    what: 'the rest to wait',
    ...patience,
  });
  await waitFor(async () => (await database.db.collection('messages').countDocuments({ status: 'sent' })) === 37, {
    what: 'what may leave to be sent',
    ...patience,
  });
  expect(sink.taken).toBe(37);
  const waiting = await conversations.findOne({ delayed: 'warm_up' });
  expect(await cli('explain', String(waiting?._id))).toMatch(/the ramp of its campaign \(limits\.ramp\) has no room/);
  await campaigns().updateOne({ _id: 'warm' as never }, { $set: { 'limits.ramp': ['50/d', '90/d'] } });
  await cli('audit', 'warm');
  expect(sink.taken).toBe(37);
}, 180_000);
