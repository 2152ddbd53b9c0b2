#!/usr/bin/env node
// What tracing costs, on a machine whose speed changes from minute to minute: workers that differ in nothing else work at the same moment,
// each on a database of its own in one mongod, round after round; what counts is how their processor time compares within a round.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { MongoClient } from 'mongodb';
import { startReplicaSet } from '../scripts/replicaSet.mjs';
import { startCollector } from './collector.mjs';
import { meter, startProgram, startRole } from './processes.mjs';
import { median } from './table.mjs';
import { campaign, person, workerEnv } from './work.mjs';

const { values } = parseArgs({
  options: {
    traces: { type: 'string', default: 'off,0,0.1' },
    contacts: { type: 'string', default: '8000' },
    rounds: { type: 'string', default: '12' },
  },
});
const [contacts, rounds] = [Number(values.contacts), Number(values.rounds)];

/** A worker with its database, its sink and its collector. `share` of the conversations is traced; `off`: tracing is not even loaded. */
async function side(share, number, { uri, client }) {
  const database = `bench${number}`;
  const { child: sink, first } = await startRole('sink.mjs');
  const collector = await startCollector(share === 'off' ? undefined : Number(share));
  const where = { MONGODB_URI: uri, MONGODB_DATABASE: database };
  if ((await startProgram(['init'], where).gone) !== 0) throw new Error('communication-base init failed');
  const db = client.db(database);
  await db.collection('people').insertMany(Array.from({ length: contacts }, (_, index) => person(index)));
  const settings = { database, uri, sinkUrl: first.url, traces: collector.env };
  const worker = startProgram(['worker'], workerEnv({ ...settings, threads: 1, inDoubt: 2_000, concurrency: 64 }));
  while ((await db.collection('partitions').countDocuments({ owner: { $type: 'string' } })) === 0) await sleep(200);
  return { share, db, worker, sink, collector, times: [] };
}

/** One campaign on each side; microseconds of processor time a message. */
async function round({ db, worker, times }, number) {
  const cpu = meter([worker.pid]);
  const campaigns = db.collection('campaigns');
  const _id = `round ${number}`;
  await campaigns.insertOne({ ...campaign(), _id });
  while ((await campaigns.findOne({ _id }, { projection: { status: 1 } })).status !== 'completed') await sleep(100);
  times.push((cpu() / (2 * contacts)) * 1e6);
}

const set = await startReplicaSet({ cacheGb: 4 });
const client = await new MongoClient(set.uri).connect();
const sides = [];
for (const share of values.traces.split(',')) sides.push(await side(share, sides.length, { uri: set.uri, client }));
const [{ times: base }] = sides;
for (let number = 0; number < rounds; number++) {
  await Promise.all(sides.map((one) => round(one, number)));
  const told = sides.map(
    ({ share, times }) => `${share} ${times[number].toFixed(0)} us (${(times[number] / base[number]).toFixed(3)})`,
  );
  process.stdout.write(`${number === 0 ? 'cold, not counted: ' : ''}${told.join('   ')}\n`);
}
const warm = ({ times }) => times.slice(1);
for (const one of sides) {
  const ratios = warm(one).map((time, at) => time / base[at + 1]);
  process.stdout.write(
    `traces ${one.share}: median ${median(warm(one)).toFixed(0)} us a message, ${median(ratios).toFixed(3)} of the first\n`,
  );
}
for (const { worker, sink, collector } of sides) {
  worker.kill('SIGTERM');
  await worker.gone;
  sink.disconnect();
  collector.close();
}
await client.close();
await set.stop();
