// The three runs: the bare loop, the worker under a full load, the worker at a steady trickle.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { startReplicaSet } from '../scripts/replicaSet.mjs';
import { startCollector } from './collector.mjs';
import { meter, peakRssMb, startProgram, startRole } from './processes.mjs';
import { campaign, person, workerEnv } from './work.mjs';

const database = 'bench';
const campaignId = 'bench';
const deadlineMs = 600_000;
/** The sink counted nothing new for so long: a run hangs. */
const stallMs = 60_000;
/** A fresh database with its collections made and `contacts` people in it, and a fresh sink. */
async function stage(contacts, body) {
  const set = await startReplicaSet({ cacheGb: 2 });
  const client = await new MongoClient(set.uri).connect();
  const { child: sinkProcess, first: sink } = await startRole('sink.mjs');
  try {
    await prepare(set.uri);
    const db = client.db(database);
    for (let from = 0; from < contacts; from += 5_000) {
      const people = Array.from({ length: Math.min(5_000, contacts - from) }, (_, index) => person(from + index));
      await db.collection('people').insertMany(people);
    }
    return await body({ uri: set.uri, db, sinkUrl: sink.url, mongodPid: set.nodes[0].pid });
  } finally {
    sinkProcess.disconnect();
    await client.close();
    await set.stop();
  }
}

async function prepare(uri) {
  const ended = await startProgram(['init'], { MONGODB_URI: uri, MONGODB_DATABASE: database }).gone;
  if (ended !== 0) throw new Error(`communication-base init ended with ${ended}`);
}

const ask = async (sinkUrl, path) => (await fetch(`${sinkUrl}${path}`)).json();

async function until(condition, what) {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited ${deadlineMs / 1000} s for ${what}`);
    await sleep(500);
  }
}

/** Rejects when the sink counts nothing new for too long, and says how far it came. */
async function stalled(sinkUrl) {
  const startedAt = Date.now();
  for (;;) {
    await sleep(1_000);
    const stats = await ask(sinkUrl, '/stats').catch(() => undefined);
    // the sink is gone: the run is over
    if (stats === undefined) return new Promise(() => {});
    const { unique, lastNewAt } = stats;
    if (Date.now() - Math.max(startedAt, lastNewAt) < stallMs) continue;
    throw new Error(`nothing new at the sink for ${stallMs / 1000} s, after ${unique} messages`);
  }
}

function figures(name, messages, seconds, stats, cpu, pids) {
  return {
    name,
    messages: stats.unique,
    seconds,
    messagesPerSecond: stats.unique / seconds,
    workerCpuPer1000: (cpu.worker() / stats.unique) * 1000,
    mongodCpuPer1000: (cpu.mongod() / stats.unique) * 1000,
    peakRssMb: pids.reduce((sum, pid) => sum + peakRssMb(pid), 0),
    lost: messages - stats.unique,
    repeated: stats.repeated,
  };
}

/** The same writes by a bare loop: what the machine could do at best. */
export function ceilingRun({ contacts, 'in-doubt': inDoubt }) {
  return stage(contacts, async ({ uri, sinkUrl, mongodPid }) => {
    const { child } = await startRole('ceiling.mjs', [uri, database, sinkUrl, contacts, inDoubt]);
    const cpu = { worker: meter([child.pid]), mongod: meter([mongodPid]) };
    const startedAt = Date.now();
    const done = Promise.race([
      new Promise((resolve) => child.once('message', resolve)),
      child.gone.then((end) => Promise.reject(new Error(`the bare loop ended with ${end}`))),
    ]);
    child.send('go');
    await Promise.race([done, stalled(sinkUrl)]);
    const stats = await ask(sinkUrl, '/stats');
    const seconds = (stats.lastNewAt - startedAt) / 1000;
    const result = figures('bare loop', 2 * contacts, seconds, stats, cpu, [child.pid]);
    child.disconnect();
    await child.gone;
    return result;
  });
}

/** Worker processes that own every partition, evenly, before this resolves. */
async function startWorkers({ uri, db, sinkUrl, members, threads, concurrency, inDoubt, nodeArgs = [], traces = {} }) {
  const problems = [];
  const each = Math.ceil(inDoubt / (members * threads));
  const env = workerEnv({ uri, database, sinkUrl, threads, inDoubt: each, concurrency, traces });
  const onLine = (line) => {
    if (!/"level":"(info|debug)"/.test(line)) problems.push(line);
  };
  const workers = Array.from({ length: members }, () => startProgram(['worker'], env, { nodeArgs, onLine }));
  const ended = Promise.race(workers.map((worker) => worker.gone)).then((end) => {
    throw new Error(`a worker ended with ${end}\n${problems.join('\n')}`);
  });
  const ready = until(() => evenlyOwned(db, members * threads), 'the partitions to be owned evenly');
  await Promise.race([ready, ended]);
  ended.catch(() => {});
  return {
    pids: workers.map((worker) => worker.pid),
    problems,
    ended,
    async stop() {
      for (const worker of workers) worker.kill('SIGTERM');
      return Promise.all(workers.map((worker) => worker.gone));
    },
  };
}

async function evenlyOwned(db, memberCount) {
  const owners = await db
    .collection('partitions')
    .aggregate([{ $group: { _id: '$owner', count: { $sum: 1 } } }])
    .toArray();
  const total = owners.reduce((sum, owner) => sum + owner.count, 0);
  const share = Math.ceil(total / memberCount);
  return total > 0 && owners.length === memberCount && owners.every((owner) => owner._id && owner.count <= share);
}

async function completed(db) {
  const found = await db
    .collection('campaigns')
    .findOne({ _id: campaignId }, { projection: { status: 1, error: 1, metrics: 1 } });
  if (found.status === 'failed') throw new Error(`the campaign failed: ${JSON.stringify(found.error)}`);
  return found.status === 'completed' ? found : undefined;
}

/** From the insert of one campaign over all contacts until it is completed. */
export function bulkRun(options) {
  const { contacts, members, threads, concurrency, 'in-doubt': inDoubt, profile } = options;
  const folder = profile ? mkdtempSync(join(tmpdir(), 'communication-base-profile-')) : undefined;
  const nodeArgs = folder ? ['--cpu-prof', `--cpu-prof-dir=${folder}`] : [];
  return stage(contacts, async ({ uri, db, sinkUrl, mongodPid }) => {
    const collector = await startCollector(options.traces);
    const traces = collector.env;
    const workers = await startWorkers({ uri, db, sinkUrl, members, threads, concurrency, inDoubt, nodeArgs, traces });
    const cpu = { worker: meter(workers.pids), mongod: meter([mongodPid]) };
    const startedAt = Date.now();
    await db.collection('campaigns').insertOne(campaign());
    const ending = until(() => completed(db), 'the campaign to be completed');
    const end = await Promise.race([ending, workers.ended, stalled(sinkUrl)]);
    const completedAfter = (Date.now() - startedAt) / 1000;
    const stats = await ask(sinkUrl, '/stats');
    const seconds = (stats.lastNewAt - startedAt) / 1000;
    const name = `worker${members > 1 ? ` x ${members} processes` : ''}${threads > 1 ? ` x ${threads} threads` : ''}`;
    const result = figures(name, 2 * contacts, seconds, stats, cpu, workers.pids);
    const late = await latenessOf(db, sinkUrl);
    const exitCodes = await workers.stop();
    collector.close();
    return {
      ...result,
      traceBytes: collector.taken(),
      completedAfter,
      metrics: end.metrics,
      late,
      exitCodes,
      problems: workers.problems,
      profileFolder: folder,
    };
  });
}

/**
 * 50 conversations a second, each due at a time of its own: the campaign is expanded with its first message an hour
 * away, the workers stop, the due times are spread evenly over the run, and the workers start again.
 */
export function trickleRun(options) {
  const { trickle: contacts, rate, members, threads, concurrency, 'in-doubt': inDoubt } = options;
  return stage(contacts, async ({ uri, db, sinkUrl, mongodPid }) => {
    const first = await startWorkers({ uri, db, sinkUrl, members, threads, concurrency, inDoubt });
    await db.collection('campaigns').insertOne(campaign('PT1H'));
    const states = db.collection('conversation_states');
    const expanded = async () => (await db.collection('campaign_runs').findOne({ _id: campaignId }))?.expansion.done;
    await Promise.race([until(expanded, 'the audience to be expanded'), first.ended]);
    await first.stop();
    const startsAt = Date.now() + 8_000;
    const ids = await states.find({ campaignId }, { projection: { _id: 1 } }).toArray();
    await states.bulkWrite(
      ids.map(({ _id }, index) => ({
        updateOne: { filter: { _id }, update: { $set: { nextActionAt: new Date(startsAt + (index * 1000) / rate) } } },
      })),
    );
    const workers = await startWorkers({ uri, db, sinkUrl, members, threads, concurrency, inDoubt });
    if (Date.now() > startsAt) throw new Error('the workers took so long to start that messages were late before');
    await sleep(startsAt - Date.now());
    const cpu = { worker: meter(workers.pids), mongod: meter([mongodPid]) };
    await Promise.race([until(() => completed(db), 'the campaign to be completed'), workers.ended]);
    const seconds = (Date.now() - startsAt) / 1000;
    const name = `trickle, ${rate} conversations/s`;
    const result = figures(name, 2 * contacts, seconds, await ask(sinkUrl, '/stats'), cpu, workers.pids);
    const late = await latenessOf(db, sinkUrl);
    const exitCodes = await workers.stop();
    return { ...result, late, exitCodes, problems: workers.problems };
  });
}

/** From `dueAt` to `sentAt` as the service recorded it, and to the arrival as the sink's own clock saw it. */
async function latenessOf(db, sinkUrl) {
  const arrivals = new Map(await ask(sinkUrl, '/arrivals'));
  const rows = await db
    .collection('messages')
    .find({}, { projection: { stage: 1, dueAt: 1, sentAt: 1 } })
    .toArray();
  return ['one', 'two'].flatMap((message) => {
    const own = rows.filter((row) => row.stage === message && row.sentAt);
    return [
      { to: 'sent', message, ...distribution(own.map((row) => row.sentAt - row.dueAt)) },
      { to: 'arrived at the sink', message, ...distribution(own.map((row) => arrivals.get(row._id) - row.dueAt)) },
    ];
  });
}

function distribution(values) {
  const sorted = values.filter(Number.isFinite).toSorted((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: sorted.at(-1) };
}
