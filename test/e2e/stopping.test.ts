/**
 * How soon a campaign stops: paused, stopped with all others, or by its own guard, on real workers under load. The figures are
 * printed. Times are those of the sink, which is the last to see a message; what its own process was late by is added to the second.
 */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { lateness } from '../support/lateness.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorker, type WorkerProcess } from '../support/workers.ts';
import { type Ran, run } from '../unit/cli/host.ts';

type Loose = { _id: string; [field: string]: unknown };
/** As many as the acceptance asks for: `CONTACTS=20000`. */
const contacts = Number(process.env['CONTACTS'] ?? 4_200);
/** The promise, ms. */
const withinMs = 1000;

let database: TestDatabase;
let sink: Sink;
const workers: WorkerProcess[] = [];
beforeEach(async () => {
  database = await testDatabase('stopping');
  sink = await startSink({ keep: 2 * contacts });
});
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.kill('SIGKILL');
  await sink.close();
  await database.close();
});

const of = (name: string) => database.db.collection<Loose>(name);
const cli = (...argv: string[]): Promise<Ran> =>
  run(argv, { MONGODB_URI: database.uri, MONGODB_DATABASE: database.name, CHANNEL_PHONE_DRIVER: 'console' });
const until = (what: string, condition: () => Promise<unknown>) =>
  waitFor(condition, { what, timeoutMs: 200_000, intervalMs: 100 });

function startWorkers(count: number): void {
  const env = { CHANNEL_PHONE_DRIVER: 'http', CHANNEL_PHONE_URL: sink.url, PARTITIONS: '16' };
  for (let n = 0; n < count; n++) workers.push(startWorker(database, env));
}

async function submit(_id: string, count: number, more: object = {}): Promise<void> {
  const people = Array.from({ length: count }, (_, n) => ({ id: `c${n}`, phone: `+49${1_000_000 + n}` }));
  const flow = { stages: [{ id: 'intro', type: 'message', channel: 'phone', content: { text: 'Hi' } }] };
  await of('campaigns').insertOne({ _id, status: 'pending', audience: { contacts: people }, flow, ...more });
}

const leaves = (count: number) => until(`${count} messages`, async () => sink.taken >= count);

/** Nothing came to the sink for twice as long as anything may. */
const quiet = () =>
  until(
    'the sink to be quiet',
    async () => Date.now() - (sink.deliveries.at(-1)?.at ?? 0) > 2 * withinMs && sink.open === 0,
  );

/** Stores what stops, waits until nothing is on its way, and tells what came to the sink afterwards. */
async function stopped(what: string, stop: () => Promise<unknown>): Promise<{ after: number; lastMs: number }> {
  const late = lateness();
  const before = sink.taken;
  await stop();
  const storedAt = Date.now();
  await quiet();
  const after = sink.deliveries.filter(({ at }) => at > storedAt);
  const lastMs = Math.max(0, ...after.map(({ at }) => at - storedAt));
  const slackMs = late.most();
  process.stdout.write(
    `${what}: ${before} of ${contacts} had left; ${after.length} more after it was stored, the last ${lastMs} ms later (the sink was late by ${Math.round(slackMs)} ms at most)\n`,
  );
  expect(lastMs).toBeLessThanOrEqual(withinMs + slackMs);
  return { after: after.length, lastMs };
}

const completed = (_id: string) =>
  until('the end', async () => (await of('campaigns').findOne({ _id }))?.['status'] === 'completed');

test('a pause, and then the stop of all, hold a campaign within a second; each is sent once in the end', async () => {
  sink.answer(() => ({ delayMs: 20 }));
  startWorkers(2);
  await submit('spring', contacts);
  await leaves(contacts / 10);
  await stopped('pause', async () => expect(await cli('pause', 'spring')).toMatchObject({ code: 0 }));
  expect(sink.taken).toBeLessThan(contacts);
  const told = JSON.parse((await cli('--json', 'resume', 'spring', '--dry-run')).stdout) as {
    outlook: { due: number };
  };
  const paused = await of('campaign_runs').findOne({ _id: 'spring' });
  const { expanded = 0 } = (paused?.['expansion'] ?? {}) as { expanded?: number };
  const left = expanded - sink.taken;
  expect(told.outlook).toMatchObject({ due: left, looked: left, fates: { sent: left } });
  expect(await cli('resume', 'spring')).toMatchObject({ code: 0 });
  await leaves(sink.taken + contacts / 10);
  await stopped('stop-all', async () => expect(await cli('stop-all', '--reason', 'a test')).toMatchObject({ code: 0 }));
  expect(sink.taken).toBeLessThan(contacts);
  expect((await cli('status', 'spring')).stdout).toMatch(/^SENDING IS STOPPED for all campaigns since .*: a test/);
  expect(await cli('start-all')).toMatchObject({ code: 0, stdout: expect.stringContaining('sending goes on after') });
  await completed('spring');
  expect([sink.keys.size, sink.taken, sink.repeated]).toEqual([contacts, contacts, []]);
}, 400_000);

test('a campaign whose provider begins to refuse pauses itself, says why, and goes on when it is told to', async () => {
  const all = contacts;
  const good = contacts / 6;
  let refusing = true;
  sink.answer((_, n) => (refusing && n > good && n % 2 === 0 ? { status: 422, delayMs: 100 } : { delayMs: 100 }));
  startWorkers(2);
  await submit('guarded', all, { guard: { errorRate: 0.1, over: 200 } });
  await until('the guard', async () => (await of('campaigns').findOne({ _id: 'guarded' }))?.['status'] === 'paused');
  await quiet();
  // of the newest 200, one in ten was refused some 40 messages after the provider began to refuse
  const crossed = good + 42;
  const began = sink.deliveries[crossed - 1]?.at ?? 0;
  const last = sink.deliveries.at(-1)?.at ?? 0;
  process.stdout.write(
    `guard: the rate was passed with message ${crossed}; ${sink.taken - crossed} of ${all - crossed} left afterwards, in ${last - began} ms\n`,
  );
  expect(sink.taken).toBeLessThan(all);
  const campaign = await of('campaigns').findOne({ _id: 'guarded' });
  expect(campaign).toMatchObject({ error: { code: 'guard_tripped', path: 'guard.errorRate' } });
  expect(await of('campaign_runs').findOne({ _id: 'guarded' })).toMatchObject({ pausedReason: 'guard_tripped' });
  expect((await cli('status', 'guarded')).stdout).toMatch(
    /guard_tripped at guard\.errorRate: [\d,]+ of the newest [\d,]+ messages failed/,
  );
  expect(workers.flatMap(({ log }) => log).filter((line) => line.includes('guard_tripped'))).toHaveLength(1);
  refusing = false;
  expect(await cli('resume', 'guarded')).toMatchObject({
    stdout: expect.stringContaining('paused since'),
    code: 0,
  });
  await completed('guarded');
  expect([sink.keys.size, sink.repeated]).toEqual([all, []]);
  expect(await of('campaigns').findOne({ _id: 'guarded' })).not.toHaveProperty('error');
}, 400_000);
