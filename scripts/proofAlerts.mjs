#!/usr/bin/env node
import { readFileSync } from 'node:fs';
// `npm run proof:alerts`: a real Prometheus over two workers of two threads; every alert is made to fire by a real fault, and
// none fires while all is well. Time runs 24 times as fast for the rules: every `for`, range and threshold in seconds is divided.
import { createServer } from 'node:http';
import { createServer as createSocket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { startProgram } from '../bench/processes.mjs';
import { startPrometheus } from './prometheus.mjs';
import { startReplicaSet } from './replicaSet.mjs';

const factor = 24;
const calmMs = 20_000;
const database = 'alerts';
const say = (line) => process.stdout.write(`${line}\n`);
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

const freePort = () =>
  new Promise((resolve) => {
    const socket = createSocket().listen(0, '127.0.0.1', () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });

/** A provider whose paths answer as they are told: a status, or never. */
async function startProvider() {
  const answers = { phone: 200, bad: 400, mute: 'never' };
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      const answer = answers[request.url.slice(1)];
      if (answer !== 'never') response.writeHead(answer).end('{}');
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { answers, url: `http://127.0.0.1:${server.address().port}`, close: () => server.closeAllConnections() };
}

class Workers {
  #env;
  #ports;
  #children = [];

  constructor(env, ports) {
    this.#env = env;
    this.#ports = ports;
    for (const at of ports.keys()) this.start(at);
  }

  start(at) {
    this.#children[at] = startProgram(['worker'], { ...this.#env, HEALTH_PORT: String(this.#ports[at]) });
  }

  signal(at, name) {
    this.#children[at].kill(name);
  }

  async kill(at) {
    this.signal(at, 'SIGKILL');
    await this.#children[at].gone;
  }

  async stop() {
    await Promise.all(this.#children.map((_, at) => this.kill(at)));
  }
}

/** Remembers when each alert fired first. */
class Watch {
  fired = new Map();
  #prometheus;
  #over = false;
  #loop;

  constructor(prometheus) {
    this.#prometheus = prometheus;
    this.#loop = this.#run();
  }

  async #run() {
    while (!this.#over) {
      for (const name of await this.#prometheus.firing().catch(() => []))
        if (!this.fired.has(name)) this.fired.set(name, Date.now());
      await sleep(500);
    }
  }

  async until(names, timeoutMs) {
    const open = () => names.filter((name) => !this.fired.has(`CommunicationBase${name}`));
    for (const end = Date.now() + timeoutMs; Date.now() < end && open().length > 0; ) await sleep(250);
    return open();
  }

  stop() {
    this.#over = true;
    return this.#loop;
  }
}

const people = (count) => Array.from({ length: count }, (_, n) => ({ id: `c${n}`, phone: `+4930${1_000_000 + n}` }));
const stage = (channel, more = {}) => ({ id: 'intro', type: 'message', channel, content: { text: 'Hello' }, ...more });
const campaign = (id, count, ...stages) => ({
  ...{ _id: id, name: id, type: 'sequence', status: 'pending', transactional: true },
  ...{ audience: { contacts: people(count) }, flow: { stages } },
});

const set = await startReplicaSet({ oplogMb: 16 });
const [node] = set.nodes;
const client = await new MongoClient(set.uri, { serverSelectionTimeoutMS: 60_000 }).connect();
const db = client.db(database);
const provider = await startProvider();
const ports = [await freePort(), await freePort()];
const channel = (name, path, more = {}) =>
  Object.fromEntries(
    Object.entries({ DRIVER: 'http', URL: path, ADDRESS: 'phone', TIMEOUT_MS: '1000', ...more }).map(([key, value]) => [
      `CHANNEL_${name}_${key}`,
      value,
    ]),
  );
const env = {
  ...{ MONGODB_URI: set.uri, MONGODB_DATABASE: database, WORKER_THREADS: '2', PARTITIONS: '16', LOG_LEVEL: 'error' },
  ...{ LEASE_TTL_MS: '12000', HASH_KEY: 'proof of the alerts, no secret at all' },
  ...channel('PHONE', `${provider.url}/phone`),
  ...channel('NARROW', `${provider.url}/phone`, { RATE: '10/s' }),
  ...channel('BAD', `${provider.url}/bad`, { RATE: '5/s' }),
  ...channel('MUTE', `${provider.url}/mute`, { DELIVERY: 'at-most-once', RATE: '2/s' }),
  ...channel('DEAD', `http://127.0.0.1:${await freePort()}/`),
};
const run = async (...args) => {
  if ((await startProgram(args, env).gone) !== 0) throw new Error(`${args[0]} failed`);
};
await run('init');
const workers = new Workers(env, ports);
const prometheus = await startPrometheus({
  ...{ factor, port: await freePort(), targets: ports.map((port) => `127.0.0.1:${port}`) },
});

/** Writes until the oplog's oldest entry is younger than now, `ms` long at least. */
async function rollOplog(ms) {
  const noise = client.db('noise').collection('noise');
  const began = Date.now();
  const oldest = async () => {
    const first = await client
      .db('local')
      .collection('oplog.rs')
      .findOne({}, { sort: { $natural: 1 } });
    return first.ts.t * 1000;
  };
  while (Date.now() - began < ms || (await oldest()) < began) {
    await noise.insertMany(Array.from({ length: 4 }, () => ({ filler: 'x'.repeat(1_000_000) })));
    await noise.drop();
    await sleep(Date.now() - began < ms ? 400 : 0);
  }
}

const campaigns = db.collection('campaigns');
const steps = [
  {
    fault: 'a rate of 10/s for 1,500 people',
    alerts: ['MessagesLate', 'DueLagHigh'],
    begin: () => campaigns.insertOne(campaign('narrow', 1500, stage('narrow'))),
  },
  {
    fault: 'a provider whose port nobody listens on',
    alerts: ['CircuitOpen'],
    begin: () => campaigns.insertOne(campaign('dead', 100, stage('dead'))),
  },
  {
    fault: 'a provider that refuses all (400)',
    alerts: ['SendErrors'],
    begin: () => campaigns.insertOne(campaign('bad', 300, stage('bad'))),
  },
  {
    fault: 'a provider that never answers, at-most-once',
    alerts: ['Uncertain'],
    begin: () => campaigns.insertOne(campaign('mute', 20, stage('mute'))),
  },
  {
    fault: 'a campaign whose flow leads to no stage',
    alerts: ['CampaignFailed'],
    begin: () => campaigns.insertOne(campaign('invalid', 1, stage('phone', { on: { reply: 'nowhere' } }))),
  },
  {
    fault: 'an inbound event without type and address',
    alerts: ['Poisoned'],
    begin: () => db.collection('inbound_events').insertOne({ _id: 'junk', type: 7, channel: [], at: 'never' }),
  },
  {
    fault: 'a conversation that somebody made due behind our back',
    alerts: ['Reconciled', 'Stuck'],
    begin: () =>
      db
        .collection('conversation_states')
        .updateOne({ campaignId: 'later' }, { $set: { nextActionAt: new Date(0) }, $inc: { version: 1 } }),
  },
  {
    fault: 'an oplog of 16 MB and somebody who writes 10 MB a second',
    alerts: ['OplogWindowShort'],
    begin: () => void rollOplog(100_000).catch(() => {}),
  },
];
const later = [
  {
    fault: 'every provider answers 503',
    alerts: ['NothingSent'],
    begin: () => {
      for (const path of Object.keys(provider.answers)) provider.answers[path] = 503;
    },
    end: () => Object.assign(provider.answers, { phone: 200, bad: 200, mute: 200 }),
  },
  {
    fault: 'kill -9 of a worker, whose lease is long on this scale',
    alerts: ['WorkerDown', 'PartitionsUnowned'],
    begin: () => workers.kill(1),
    end: () => workers.start(1),
  },
  {
    fault: 'stop-all, and nobody thinks of start-all',
    alerts: ['SendingStopped'],
    begin: () => run('stop-all', '--reason', 'proof'),
    // it takes long: the next faults come meanwhile
    waits: 'with the next',
  },
  {
    fault: 'after the kill a worker freezes beyond its lease, twice',
    alerts: ['MembersFlapping'],
    async begin() {
      for (let times = 0; times < 2; times++) {
        await sleep(6_000);
        workers.signal(1, 'SIGSTOP');
        await sleep(14_000);
        workers.signal(1, 'SIGCONT');
      }
    },
  },
  {
    fault: 'mongod is killed',
    alerts: ['NothingCommitted', 'StreamSilent', 'WorkerNotReady', 'SendingStopped'],
    begin: () => node.kill(),
    end: () => node.start(),
  },
  {
    fault: 'both workers away until the oplog has rolled over',
    alerts: ['PositionLost', 'Gone'],
    async begin() {
      await Promise.all([workers.kill(0), workers.kill(1)]);
      await rollOplog(0);
      await watch.until(['Gone'], 60_000);
      for (const at of ports.keys()) workers.start(at);
    },
  },
];

/** Every query of the dashboard, as Grafana would ask it; returns titles of panels that have nothing to show. */
async function askDashboard() {
  const { panels } = JSON.parse(
    readFileSync(new URL('../helm/communication-base/files/dashboard.json', import.meta.url), 'utf8'),
  );
  const empty = [];
  let asked = 0;
  for (const { title, targets = [] } of panels)
    for (const { expr } of targets) {
      const query = expr
        .replaceAll('$__rate_interval', '10s')
        .replaceAll('$__range', '5m')
        .replaceAll(/\$(job|namespace)/g, '.*');
      asked += 1;
      if ((await prometheus.query(query)).length === 0) empty.push(title);
    }
  return { asked, empty };
}

/** Behind rates and an open circuit more workers do not help; how long messages waited for their slots is told. */
async function askLags() {
  const one = async (query) => Number((await prometheus.query(query))[0]?.value[1]);
  const lag = await one('max(communication_base_due_lag_seconds)');
  const withRoom = await one('max(communication_base_due_lag_with_room_seconds)');
  const waits = await one('sum(communication_base_rate_limit_wait_seconds_count{kind="channel"})');
  const p99 = await one(
    'histogram_quantile(0.99, sum by (le) (communication_base_rate_limit_wait_seconds_bucket{kind="channel"}))',
  );
  say(
    `due lag ${lag.toFixed(1)} s, of what more workers would take up ${withRoom.toFixed(1)} s; ` +
      `${waits} messages waited for a slot, 99 of 100 for ${p99.toFixed(1)} s or less`,
  );
  return lag > 20 && withRoom < 5 && waits > 200 && p99 > 20 && p99 < 2 * lag;
}

const rows = [];
let failed = false;
const watch = new Watch(prometheus);
const begun = new Map();
async function begin({ fault, alerts, begin }) {
  for (const alert of alerts) if (!begun.has(alert)) begun.set(alert, { fault, at: Date.now() });
  await begin();
}
try {
  await campaigns.insertMany([
    campaign('steady', 200, stage('phone')),
    campaign('later', 1, stage('phone', { delay: 'P1D' })),
  ]);
  await sleep(calmMs);
  const { length: up } = (await prometheus.targets()).filter(({ health }) => health === 'up');
  const [sent] = await prometheus.query('sum(communication_base_messages_total{channel="phone",status="sent"})');
  const early = [...watch.fired.keys()].filter((name) => !/WorkerDown|PartitionsUnowned|NotReady|Committed/.test(name));
  say(`${up} workers scraped, ${sent?.value[1]} messages sent; alerts while all is well: ${early.join(' ') || 'none'}`);
  if (up !== 2 || Number(sent?.value[1]) !== 200 || early.length > 0) failed = true;
  watch.fired.clear();
  for (const step of steps) await begin(step);
  await watch.until(
    steps.flatMap(({ alerts }) => alerts),
    160_000,
  );
  if (!(await askLags())) failed = true;
  const { asked, empty } = await askDashboard();
  if (empty.length > 0) failed = true;
  say(`${asked} queries of the dashboard answered; nothing to show in: ${empty.join(', ') || 'none'}`);
  for (const step of later) {
    say(step.fault);
    await begin(step);
    if (step.waits === undefined) await watch.until(step.alerts, 110_000);
    await step.end?.();
  }
  const all = (await prometheus.rules()).map(({ name }) => name.replace('CommunicationBase', ''));
  for (const alert of all) {
    const { fault = 'none', at = 0 } = begun.get(alert) ?? {};
    const fired = watch.fired.get(`CommunicationBase${alert}`);
    if (fired === undefined) failed = true;
    const when = fired === undefined ? 'NOT FIRED' : `${((fired - at) / 1000).toFixed(1)} s`;
    rows.push([alert.padEnd(18), when.padStart(9), fault].join('  '));
  }
  say(
    `\n${rows.join('\n')}\n\n${all.length} alerts, ${failed ? 'not all' : 'all'} fired (time of the rules: ${factor} times as fast)`,
  );
} finally {
  await watch.stop();
  await workers.stop();
  await prometheus.stop();
  await client.close();
  provider.close();
  await set.stop();
}
process.exit(failed ? 1 : 0);
