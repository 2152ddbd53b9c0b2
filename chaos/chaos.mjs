// Campaigns on real workers and a real three-node replica set, while everything around them fails; then everything has to add up.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { MongoClient } from 'mongodb';
import { startProgram } from '../bench/processes.mjs';
import { startReplicaSet } from '../scripts/replicaSet.mjs';
import { perform, schedule, surely } from './faults.mjs';
import { startProvider } from './provider.mjs';
import { Network } from './proxy.mjs';
import { seeded } from './random.mjs';
import { Traffic } from './traffic.mjs';
import { audit, judge } from './verdict.mjs';
import { Workers } from './workers.mjs';

const usage = `npm run chaos -- [--minutes N] [--seed S] [--workers N] [--keep] [--hold]
  --minutes  how long faults are injected (default 5)
  --seed     the schedule of faults and the traffic follow from it (default: a new one, which is printed)
  --workers  worker processes (default 3)
  --hold     when something is stuck, stay so that it can be looked at, until interrupted
  --keep     leave the logs of the workers behind even if all is well`;

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
    workers: { type: 'string', default: '3' },
    keep: { type: 'boolean', default: false },
    hold: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (options.help) {
  console.log(usage);
  process.exit(0);
}
const minutes = Number(options.minutes);
const seed = Number(options.seed);
const workerCount = Number(options.workers);
if (![minutes, seed, workerCount].every(Number.isFinite) || minutes <= 0 || workerCount < 1) {
  console.error(usage);
  process.exit(2);
}

const database = 'chaos';
const leaseTtlMs = 3_000;
const inDoubt = 64;
const timeoutMs = 2_000;
const settleMs = 100_000;
const startedAt = Date.now();
const clock = () => {
  const seconds = (Date.now() - startedAt) / 1000;
  return `${String(Math.floor(seconds / 60)).padStart(2)}:${(seconds % 60).toFixed(1).padStart(4, '0')}`;
};
const say = (line) => console.log(`${clock()}  ${line}`);

/** The node that takes writes; waits for an election. A frozen one answers nobody. */
async function primaryOf(nodes) {
  for (;;) {
    const answers = await Promise.all(
      nodes.map(async (node) => {
        if (node.pid === undefined) return false;
        const silent = sleep(1000, false, { ref: false });
        const hello = node.admin({ hello: 1 }).then(
          (answer) => answer.isWritablePrimary,
          () => false,
        );
        return Promise.race([hello, silent]);
      }),
    );
    const found = nodes[answers.indexOf(true)];
    if (found) return found;
    await sleep(200);
  }
}

/** Writes until the oldest entry of every oplog is younger than now; all nodes take part, so that none falls behind for good. */
async function rollOplog({ client, set }) {
  const noise = client.db('noise').collection('noise');
  const before = (await client.db('admin').command({ hello: 1 })).lastWrite.opTime.ts;
  for (let round = 0; round < 400; round++) {
    const filler = Array.from({ length: 4 }, () => ({ filler: 'x'.repeat(1_000_000) }));
    await surely(() => noise.insertMany(structuredClone(filler), { writeConcern: { w: 3, wtimeoutMS: 60_000 } }));
    if (round % 8 === 7) await surely(() => noise.drop());
    const first = await surely(async () => oldest(await set.primary()));
    if (first?.greaterThan(before)) {
      await surely(() => noise.drop());
      return;
    }
  }
  throw new Error('the oplog could not be rolled');
}

async function oldest(node) {
  const direct = await new MongoClient(`mongodb://${node.host}/?directConnection=true`).connect();
  try {
    return (await direct.db('local').collection('oplog.rs').find().sort({ $natural: 1 }).limit(1).next())?.ts;
  } finally {
    await direct.close();
  }
}

/** The schedule, each fault in its time; several may be under way at once. */
async function injectAll(world, plan) {
  const began = Date.now();
  const counts = {};
  const running = [];
  for (const fault of plan) {
    await sleep(Math.max(0, began + fault.at - Date.now()));
    const { seed: _, ...told } = fault.particulars;
    say(`${fault.name} ${JSON.stringify(told)}`);
    counts[fault.name] = (counts[fault.name] ?? 0) + 1;
    running.push(
      perform(world, fault).catch((error) => {
        say(`  could not: ${fault.name}: ${error.message}`);
        counts[fault.name] -= 1;
      }),
    );
  }
  await Promise.all(running);
  return counts;
}

/** Until every run is settled; what is open when patience ends is stuck. */
async function settled(db, traffic) {
  const deadline = Date.now() + settleMs;
  for (;;) {
    const runs = await db
      .collection('campaign_runs')
      .find({}, { projection: { settled: 1, status: 1 } })
      .toArray();
    const done = new Set(runs.filter((run) => run.settled).map(({ _id }) => _id));
    const open = [...traffic.campaigns.keys()].filter((id) => !done.has(id));
    const unread = await db.collection('conversation_states').countDocuments({ 'inbox.0': { $exists: true } });
    // one that was deleted or cancelled before it was ever looked at has no run
    const missing = [];
    for (const id of open) {
      const campaign = await db.collection('campaigns').findOne({ _id: id }, { projection: { status: 1 } });
      const never = !runs.some(({ _id }) => _id === id) && (campaign === null || campaign.status === 'cancelled');
      if (!never) missing.push(id);
    }
    if (missing.length === 0 && unread === 0) return [];
    if (Date.now() > deadline) return [...missing, ...(unread ? [`${unread} inboxes`] : [])];
    await sleep(1000);
  }
}

async function main() {
  const random = seeded(seed);
  const folder = await mkdtemp(join(tmpdir(), 'communication-base-chaos-'));
  await mkdir(join(folder, 'logs'));
  say(`seed ${seed}, ${minutes} min, ${workerCount} workers, three mongods; logs in ${folder}/logs`);
  const network = new Network();
  const nodes = await startReplicaSet({
    ...{ nodes: 3, oplogMb: 24, advertise: (host) => network.front(host) },
    args: ['--setParameter', 'enableTestCommands=1', '--syncdelay', '1'],
  });
  const set = { ...nodes, primary: () => primaryOf(nodes.nodes) };
  const client = await new MongoClient(nodes.uri, {
    ...{ writeConcern: { w: 'majority', wtimeoutMS: 10_000 }, readConcern: { level: 'majority' } },
    ...{ serverSelectionTimeoutMS: 10_000, connectTimeoutMS: 3_000, heartbeatFrequencyMS: 2_000 },
  }).connect();
  const db = client.db(database);
  const holder = {};
  const provider = await startProvider({
    lateMs: timeoutMs + 500,
    onTaken: (message) => holder.traffic?.heard(message),
  });
  const env = {
    ...{ MONGODB_URI: nodes.uri, MONGODB_DATABASE: database, HEALTH_PORT: '0', LOG_LEVEL: 'info' },
    ...{ LEASE_TTL_MS: String(leaseTtlMs), SEND_CONCURRENCY: String(inDoubt), PARTITIONS: '32' },
    ...{ CHANNEL_PHONE_DRIVER: 'http', CHANNEL_PHONE_URL: `${provider.url}/phone`, CHANNEL_PHONE_CONCURRENCY: '16' },
    ...{ CHANNEL_ALERT_DRIVER: 'http', CHANNEL_ALERT_URL: `${provider.url}/alert`, CHANNEL_ALERT_CONCURRENCY: '16' },
    ...{ CHANNEL_ALERT_ADDRESS: 'phone', CHANNEL_ALERT_DELIVERY: 'at-most-once', CHANNEL_PHONE_ATTEMPTS: '1000' },
    ...{ CHANNEL_PHONE_TIMEOUT_MS: String(timeoutMs), CHANNEL_ALERT_TIMEOUT_MS: String(timeoutMs) },
    CHANNEL_ALERT_ATTEMPTS: '1000',
  };
  if ((await startProgram(['init'], env).gone) !== 0) throw new Error('init failed');
  const traffic = new Traffic({ db, random: random.fork(), everyMs: 2_500 });
  holder.traffic = traffic;
  await traffic.prepare();
  const workers = new Workers({ count: workerCount, env, folder: join(folder, 'logs') });
  const world = {
    set,
    db,
    client,
    network,
    provider,
    workers,
    leaseTtlMs,
    rollOplog: () => rollOplog({ client, set }),
  };
  const plan = schedule(world, random.fork(), { totalMs: minutes * 60_000, everyMs: 3_500 });
  const flow = traffic.run();
  const counts = await injectAll(world, plan);
  say('all faults are over; what is open has to come to its end');
  for (let index = 0; index < workerCount; index++) workers.start(index);
  for (const node of nodes.nodes) await node.admin({ configureFailPoint: 'failCommand', mode: 'off' }).catch(() => {});
  await traffic.stop();
  await flow;
  const healedAt = Date.now();
  const stuck = await settled(db, traffic);
  const settledAfterMs = Date.now() - healedAt;
  if (stuck.length > 0 && options.hold) {
    say(`stuck: ${stuck.join(' ')}; MONGODB_URI=${nodes.uri} MONGODB_DATABASE=${database}`);
    await sleep(2 ** 31 - 1);
  }
  const audited = await audit(env);
  const verdict = await judge({ db, provider, traffic, atMostOnce: ['alert'] });
  await workers.stop();
  await client.close();
  provider.close();
  await nodes.stop();

  const ended =
    (counts['kill a worker'] ?? 0) +
    (counts['positions are deleted'] ?? 0) +
    workerCount * (counts['positions fall off the oplog'] ?? 0) +
    workers.counts.fenced +
    workers.counts.failed +
    workers.counts.undrained +
    workers.counts.takeOvers;
  const problems = [
    ...Object.entries(verdict.faults).filter(([, { count }]) => count > 0),
    ...(stuck.length > 0 ? [['stuck', { count: stuck.length, examples: stuck.slice(0, 10) }]] : []),
    ...(workers.crashes.length > 0 ? [['worker processes that ended by themselves', workers.crashes]] : []),
    ...(audited.ok && audited.code === 0
      ? []
      : [['audit', { code: audited.code, findings: audited.findings?.slice(0, 10) }]]),
    ...(verdict.figures.unasked > ended * inDoubt
      ? [['more repeats than were in doubt', { unasked: verdict.figures.unasked, bound: ended * inDoubt }]]
      : []),
    ...(workers.counts.reconciled > 0 ? [['reconcile had to repair something', workers.counts.reconciled]] : []),
  ];
  const report = {
    ...{ seed, minutes, faults: counts, injected: Object.values(counts).reduce((sum, n) => sum + n, 0) },
    ...{ traffic: traffic.actions, messages: verdict.figures, repeatBound: ended * inDoubt, settledAfterMs },
    ...{ workerStarts: workers.starts, seen: workers.counts, errors: Object.fromEntries(workers.errors) },
    audit: {
      ok: audited.ok,
      conversations: audited.conversations,
      messages: audited.messages,
      unknown: audited.unknown,
    },
    problems: Object.fromEntries(problems),
  };
  console.log(JSON.stringify(report, undefined, 2));
  const good = problems.length === 0;
  if (good && !options.keep) await rm(folder, { recursive: true, force: true });
  else await writeFile(join(folder, 'report.json'), JSON.stringify(report, undefined, 2));
  say(
    good
      ? 'everything adds up'
      : `FAILED: it is repeated with --seed ${seed} --minutes ${minutes}; logs in ${folder}/logs`,
  );
  return good ? 0 : 1;
}

process.exit(await main());
