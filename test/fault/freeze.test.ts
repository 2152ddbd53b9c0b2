/** A worker is frozen past its lease and let go: what it had in hand is somebody else's by then. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorker, type WorkerProcess } from '../support/workers.ts';

const leaseTtlMs = 2000;
const contacts = 400;
const stages = 14;
let database: TestDatabase;
let sink: Sink;
let workers: WorkerProcess[];

const start = (name: string): WorkerProcess => {
  const worker = startWorker(database, {
    ...{ CHANNEL_PHONE_DRIVER: 'http', CHANNEL_PHONE_URL: sink.url, LEASE_TTL_MS: String(leaseTtlMs) },
    CHANNEL_PHONE_HEADERS: JSON.stringify({ 'x-worker': name }),
  });
  workers.push(worker);
  return worker;
};

beforeEach(async () => {
  database = await testDatabase('freeze');
  // unhurried answers: there is always something on the wire and something that waits for a connection
  sink = await startSink({ answer: () => ({ delayMs: 40 }), keep: 100_000 });
  workers = [];
});
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.kill('SIGKILL')));
  await sink.close();
  await database.close();
});

test('it begins no request before it has joined again; nothing is lost, repeated only what was in doubt', async () => {
  const frozen = start('frozen');
  start('other');
  await waitFor(async () => (await database.db.collection('partitions').distinct('owner')).length === 2, {
    what: 'both to own partitions',
    timeoutMs: 30_000,
  });
  const stage = (_: unknown, n: number) => ({
    ...{ id: `s${n}`, type: 'message', channel: 'phone', delay: 'PT1S', content: { text: `${n} {{ contact.name }}` } },
  });
  const flow = { stages: Array.from({ length: stages }, stage) };
  const people = Array.from({ length: contacts }, (_, n) => ({ id: `x${n}`, name: `X ${n}`, phone: `+1${n}` }));
  const campaigns = database.db.collection<{ _id: string; status: string }>('campaigns');
  await campaigns.insertOne({ _id: 'k', status: 'pending', audience: { contacts: people }, flow } as never);
  const of = (name: string) => sink.deliveries.filter(({ headers }) => headers['x-worker'] === name);
  await waitFor(() => of('frozen').length > contacts, { what: 'it to be at work', timeoutMs: 30_000 });

  frozen.child.kill('SIGSTOP');
  const inDoubt = await database.db.collection('messages').countDocuments({ status: 'sending' });
  await waitFor(async () => (await database.db.collection('members').countDocuments()) === 1, {
    what: 'the other one to take over',
    timeoutMs: 30_000,
  });
  const thawedAt = Date.now();
  frozen.child.kill('SIGCONT');
  const joined = () => frozen.log.filter((line) => line.includes('"message":"member joined"'));
  const again = await waitFor(() => joined()[1], { what: 'it to join again', timeoutMs: 30_000 });
  const rejoinedAt = Date.parse(JSON.parse(again).time);
  expect(of('frozen').filter(({ at }) => at >= thawedAt && at < rejoinedAt)).toEqual([]);
  expect(frozen.log.filter((line) => line.includes('the member was fenced; it rejoins'))).toHaveLength(1);

  const before = of('frozen').length;
  await waitFor(() => of('frozen').length > before, { what: 'it to be at work again', timeoutMs: 30_000 });
  await waitFor(async () => (await campaigns.findOne({ _id: 'k' }))?.status === 'completed', {
    what: 'the campaign to complete',
    timeoutMs: 90_000,
  });
  expect(sink.keys.size).toBe(stages * contacts);
  expect(await database.db.collection('messages').countDocuments({ status: 'sent' })).toBe(stages * contacts);
  expect(sink.repeated.length).toBeLessThanOrEqual(inDoubt);
});
