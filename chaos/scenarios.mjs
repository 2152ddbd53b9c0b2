// Single faults, measured: `node chaos/scenarios.mjs kills|outage|rolling`. Prints one JSON document; exit 1 when something is not as it must be.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { cpuSeconds } from '../bench/processes.mjs';
import { settled } from './settle.mjs';
import { even, leaseTtlMs, setUp, until } from './stage.mjs';
import { audit, judge } from './verdict.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: 'string', default: '200' },
    contacts: { type: 'string', default: '300' },
    seconds: { type: 'string', default: '60' },
    'shutdown-grace-ms': { type: 'string' },
    'lease-ttl-ms': { type: 'string' },
    'kill-after-ms': { type: 'string' },
  },
});
const contacts = Number(options.contacts);
const campaignId = 'endless';
const say = (text) => console.error(`${new Date().toISOString().slice(11, 23)}  ${text}`);

/** Everybody gets a message every two seconds until the campaign is cancelled. */
const endless = {
  _id: campaignId,
  status: 'pending',
  audience: {
    contacts: Array.from({ length: contacts }, (_, n) => ({ id: `x${n}`, name: `X ${n}`, phone: `+1${n}` })),
  },
  flow: {
    stages: ['tick', 'tock'].map((id, n) => ({
      ...{ id, type: 'message', channel: 'phone', delay: 'PT2S', content: { text: `${id} {{ contact.name }}` } },
      on: { noReply: n === 0 ? 'tock' : 'tick' },
    })),
  },
};

async function begin(workerCount, env = {}) {
  const arrivals = [];
  const stage = await setUp({
    ...{ workerCount, env },
    onEach: ({ conversationId }, worker, at) => arrivals.push({ conversationId, worker, at }),
  });
  const { db, client } = stage;
  const workers = stage.startWorkers();
  await even({ db, workerCount });
  await client.db('chaos').collection('campaigns').insertOne(endless);
  await until(
    async () => (await db.collection('campaign_runs').findOne({ _id: campaignId }))?.expansion.done,
    'the audience to be expanded',
  );
  const partitionOf = new Map();
  for await (const { _id, partition } of db
    .collection('conversation_states')
    .find({}, { projection: { partition: 1 } }))
    partitionOf.set(_id, partition);
  await until(async () => arrivals.length > 2 * contacts, 'the first messages');
  return { ...stage, workers, workerCount, arrivals, partitionOf };
}

/**
 * Cancels, waits for the end, and lets the documents and the provider be compared.
 * @param isGood What was measured; the logs are kept when that, or what is looked at here, is not as it should be.
 */
async function conclude(stage, isGood = true) {
  const { db, workers, provider, env } = stage;
  await until(
    () => db.collection('campaigns').updateOne({ _id: campaignId }, { $set: { status: 'cancelled' } }),
    'cancel',
  );
  const conversations = endless.audience.contacts.map(({ id }) => `${campaignId}:${id}`);
  const known = { flow: 'endless', fate: 'cancel', conversations, pauses: [], endedFrom: 0, endedAt: Date.now() };
  const traffic = { campaigns: new Map([[campaignId, known]]), events: new Map() };
  const stuck = await settled({ db, traffic, provider });
  const audited = await audit(env);
  const verdict = await judge({ db, provider, traffic, workers, atMostOnce: [], inDoubt: 512, leaseTtlMs });
  await workers.stop();
  // each step comes again and again here
  const { 'two messages for one step': _, ...faults } = verdict.faults;
  const wrong = Object.entries(faults).filter(([, { count }]) => count > 0);
  const good = isGood && wrong.length === 0 && stuck.length === 0 && audited.code === 0 && workers.crashes.length === 0;
  await stage.tearDown({ keep: !good });
  return {
    good,
    ...{ messages: verdict.figures, stuck, wrong: Object.fromEntries(wrong), seen: workers.counts },
    ...{ audit: { code: audited.code, findings: audited.findings?.slice(0, 5) }, crashes: workers.crashes },
    ...(good ? {} : { logs: stage.folder }),
  };
}

const quantiles = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: sorted.at(-1) };
};

// ---------------------------------------------------------------- kills

/** A transaction of this member, open on the server. */
async function openTransaction({ client }, sessionId) {
  const admin = client.db('admin');
  const found = await admin
    .aggregate(
      [
        { $currentOp: { allUsers: true, idleSessions: true } },
        { $match: { 'lsid.id': sessionId, 'transaction.parameters.autocommit': false } },
        { $project: { type: 1 } },
      ],
      { readConcern: { level: 'local' } },
    )
    .toArray();
  return found.length > 0;
}

/** One of two workers is killed, again and again, best with a transaction open. */
async function kills(count) {
  const stage = await begin(2, { SEND_CONCURRENCY: '512' });
  const { db, workers, arrivals, partitionOf } = stage;
  const rounds = [];
  for (let n = 0; n < count; n++) {
    await even(stage);
    const who = n % 2;
    const victim = await until(async () => workers.member(who), 'the member to have joined');
    const { sessionId } = await db.collection('members').findOne({ _id: victim });
    const lost = (await db.collection('partitions').find({ owner: victim }).toArray()).map(({ _id }) => _id);
    const name = workers.name(who);
    for (let tries = 0; tries < 40 && !(await openTransaction(stage, sessionId)); tries++);
    const from = arrivals.length;
    const killedAt = Date.now();
    await workers.end(who, 'SIGKILL');
    const transaction = await openTransaction(stage, sessionId);
    const inDoubt = await db
      .collection('messages')
      .countDocuments({ pending: true, status: 'sending', worker: victim });
    const pushMs = pushAll(stage, lost, n);
    const waiting = new Set(lost);
    let first;
    let last;
    let looked = from;
    await until(
      async () => {
        for (; looked < arrivals.length; looked++) {
          const { conversationId, worker, at } = arrivals[looked];
          const partition = partitionOf.get(conversationId);
          if (worker === name || !waiting.delete(partition)) continue;
          first ??= at - killedAt;
          last = at - killedAt;
        }
        return waiting.size === 0;
      },
      `the other one to go on in partitions ${[...waiting]}`,
    );
    rounds.push({ killed: name, at: new Date(killedAt), transaction, inDoubt, first, last, pushMs: await pushMs });
    workers.start(who);
    if (n % 10 === 9) say(`${n + 1} kills, the last: ${JSON.stringify(rounds.at(-1))}`);
  }
  // a lock of an open transaction is held until the take-over ends it, and no longer
  const tookMs = ({ last, pushMs }) => Math.max(last, pushMs);
  const inTime = rounds.every((round) => tookMs(round) <= leaseTtlMs + 2_000);
  const end = await conclude(stage, inTime);
  const bound = rounds.reduce((sum, { inDoubt }) => sum + inDoubt, 0);
  const figures = (some) => ({
    goesOnMs: quantiles(some.map(({ first }) => first)),
    everyPartitionMs: quantiles(some.map(({ last }) => last)),
    pushMs: quantiles(some.map(({ pushMs }) => pushMs)),
    inDoubt: quantiles(some.map(({ inDoubt }) => inDoubt)),
  });
  return {
    ...{ kills: rounds.length, leaseTtlMs, inTime },
    withTransactionOpen: figures(rounds.filter(({ transaction }) => transaction)),
    without: figures(rounds.filter(({ transaction }) => !transaction)),
    ...{ repeated: end.messages.repeated, inDoubtInAll: bound, ...end },
    slowest: rounds.toSorted((a, b) => tookMs(b) - tookMs(a)).slice(0, 3),
    good: end.good && end.messages.repeated <= bound,
  };
}

/** Longest of the pushes to conversations of these partitions, ms. */
async function pushAll({ db, partitionOf }, partitions, n) {
  const ids = [...partitionOf].filter(([, partition]) => partitions.includes(partition)).map(([id]) => id);
  const began = Date.now();
  await Promise.all(
    ids.map((_id) =>
      db
        .collection('conversation_states')
        .updateOne({ _id }, { $push: { inbox: { id: `p${n}`, type: 'ping', machine: true } } }),
    ),
  );
  return Date.now() - began;
}

// ---------------------------------------------------------------- no primary

const rssMb = async (pid) => {
  const { readFileSync } = await import('node:fs');
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024);
};

async function probe(port) {
  const code = async (path) => (await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined))?.status ?? 0;
  return { livez: await code('/livez'), readyz: await code('/readyz') };
}

/** Two of three servers are gone for a while. */
async function outage(seconds) {
  const stage = await begin(2);
  const { workers, arrivals, set } = stage;
  const pid = workers.pid(0);
  const primary = await set.primary();
  const down = [primary, set.nodes.find((node) => node !== primary)];
  const before = { rssMb: await rssMb(pid) };
  await Promise.all(down.map((node) => node.kill()));
  const samples = [];
  await sleep(leaseTtlMs + 2_000);
  const cpu = cpuSeconds(pid);
  const began = Date.now();
  while (Date.now() - began < seconds * 1000) {
    samples.push({ rssMb: await rssMb(pid), ...(await probe(workers.port(0))) });
    await sleep(1000);
  }
  const cpuShare = (cpuSeconds(pid) - cpu) / ((Date.now() - began) / 1000);
  const quiet = arrivals.length;
  await Promise.all(down.map((node) => node.start()));
  await set.primary();
  const primaryAt = Date.now();
  await until(async () => arrivals.length > quiet, 'the first message', 60_000);
  const firstMs = arrivals[quiet].at - primaryAt;
  await sleep(10_000);
  const end = await conclude(stage);
  const answers = (name) => [...new Set(samples.map((sample) => sample[name]))];
  const memory = quantiles(samples.map((sample) => sample.rssMb));
  const rightAnswers = answers('livez').join() === '200' && answers('readyz').join() === '503';
  return {
    ...{
      seconds,
      cpuShare,
      rssMbBefore: before.rssMb,
      rssMb: memory,
      livez: answers('livez'),
      readyz: answers('readyz'),
    },
    ...{ firstMessageAfterPrimaryMs: firstMs, ...end },
    good: end.good && rightAnswers && firstMs < 2_000 && memory.max < before.rssMb * 1.3,
  };
}

// ---------------------------------------------------------------- rolling restart

/** What an orchestrator gives its workers: times for them, and the time after which it kills. Nothing where it is not said. */
const given = () => ({
  ...(options['shutdown-grace-ms'] && { SHUTDOWN_GRACE_MS: options['shutdown-grace-ms'] }),
  ...(options['lease-ttl-ms'] && { LEASE_TTL_MS: options['lease-ttl-ms'] }),
});

/** Three workers, one after the other by SIGTERM, under load. */
async function rolling() {
  const stage = await begin(3, given());
  const { workers, db } = stage;
  if (options['kill-after-ms']) workers.killAfterMs = Number(options['kill-after-ms']);
  const startedAt = new Date();
  const exits = [];
  for (let who = 0; who < 3; who++) {
    const began = Date.now();
    await workers.end(who, 'SIGTERM');
    exits.push(Date.now() - began);
    workers.start(who);
    await until(async () => workers.member(who), 'the new one to join');
    await even(stage);
  }
  const endedAt = new Date();
  await sleep(3_000);
  const rows = await db
    .collection('messages')
    .find(
      { dueAt: { $gte: startedAt, $lte: endedAt }, sentAt: { $exists: true } },
      { projection: { dueAt: 1, sentAt: 1 } },
    )
    .toArray();
  const end = await conclude(stage);
  return {
    ...{ seconds: (endedAt - startedAt) / 1000, exitMs: exits },
    dueToSentMs: quantiles(rows.map(({ dueAt, sentAt }) => sentAt - dueAt)),
    ...end,
    good: end.good && end.messages.repeated === 0,
  };
}

const scenarios = {
  kills: () => kills(Number(options.count)),
  outage: () => outage(Number(options.seconds)),
  rolling,
};
const chosen = scenarios[positionals[0]];
if (!chosen) {
  console.error(
    'node chaos/scenarios.mjs kills [--count 200] | outage [--seconds 60] | rolling [--shutdown-grace-ms N --lease-ttl-ms N --kill-after-ms N]   [--contacts 300]',
  );
  process.exit(2);
}
const report = await chosen();
console.log(JSON.stringify(report, undefined, 2));
process.exit(report.good ? 0 : 1);
