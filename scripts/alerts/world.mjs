// What the alerts are proven with: a MongoDB, two workers of two threads, a provider that answers as it is told, a Prometheus.
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { startProgram } from '../../bench/processes.mjs';
import { freePort } from '../freePort.mjs';
import { startPrometheus } from '../prometheus.mjs';
import { startReplicaSet } from '../replicaSet.mjs';

const database = 'alerts';

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

const channel = (name, path, more = {}) =>
  Object.fromEntries(
    Object.entries({ DRIVER: 'http', URL: path, ADDRESS: 'phone', TIMEOUT_MS: '1000', ...more }).map(([key, value]) => [
      `CHANNEL_${name}_${key}`,
      value,
    ]),
  );

/** `factor`: how much faster time runs for the rules. */
export async function startWorld(factor) {
  const set = await startReplicaSet({ oplogMb: 16 });
  const client = await new MongoClient(set.uri, { serverSelectionTimeoutMS: 60_000 }).connect();
  const provider = await startProvider();
  const ports = [await freePort(), await freePort()];
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
  return {
    ...{ client, db: client.db(database), node: set.nodes[0], provider, run, workers, prometheus },
    workerCount: ports.length,
    async stop() {
      await workers.stop();
      await prometheus.stop();
      await client.close();
      provider.close();
      await set.stop();
    },
  };
}

/** Writes until the oplog's oldest entry is younger than now, `ms` long at least. */
export async function rollOplog(client, ms) {
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
