// What every run needs: a three-node replica set behind proxies, a provider, worker processes over it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { startProgram } from '../bench/processes.mjs';
import { startReplicaSet } from '../scripts/replicaSet.mjs';
import { startProvider } from './provider.mjs';
import { Network } from './proxy.mjs';
import { Workers } from './workers.mjs';

export const database = 'chaos';
export const leaseTtlMs = 3_000;
/** A message unanswered for so long is tried again. */
export const timeoutMs = 2_000;

// a signal would skip what is done on exit: the servers and workers would live on
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

/** The node that takes writes; waits for an election. A frozen one answers nobody. */
async function primaryOf(nodes) {
  for (const deadline = Date.now() + 120_000; Date.now() < deadline; ) {
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
  throw new Error('there is no primary');
}

export async function until(condition, what, timeoutMs = 120_000) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await condition().catch(() => undefined);
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await sleep(50);
  }
}

/** Every partition owned, by as many members as there are workers, evenly. */
export const even = ({ db, workerCount }) =>
  until(async () => {
    const owners = await db
      .collection('partitions')
      .aggregate([{ $group: { _id: '$owner', count: { $sum: 1 } } }])
      .toArray();
    const share = Math.ceil(owners.reduce((sum, { count }) => sum + count, 0) / workerCount);
    return owners.length === workerCount && owners.every(({ _id, count }) => _id && count <= share);
  }, 'the partitions to be owned evenly');

/**
 * @param onTaken told of each message's first arrival at the provider.
 * @param onEach told of every arrival: the message, the worker's name, when.
 * @param env more settings of the workers.
 */
export async function setUp({ workerCount, onTaken, onEach, env: more = {}, oplogMb = 256 }) {
  const folder = await mkdtemp(join(tmpdir(), 'communication-base-chaos-'));
  const network = new Network();
  const nodes = await startReplicaSet({
    ...{ nodes: 3, oplogMb, advertise: (host) => network.front(host) },
    args: ['--setParameter', 'enableTestCommands=1', '--syncdelay', '1'],
  });
  const set = { ...nodes, primary: () => primaryOf(nodes.nodes) };
  const client = await new MongoClient(nodes.uri, {
    ...{ writeConcern: { w: 'majority', wtimeoutMS: 10_000 }, readConcern: { level: 'majority' } },
    ...{ serverSelectionTimeoutMS: 10_000, connectTimeoutMS: 3_000, heartbeatFrequencyMS: 2_000 },
  }).connect();
  const provider = await startProvider({ lateMs: timeoutMs + 500, onTaken, onEach });
  const env = {
    ...{ MONGODB_URI: nodes.uri, MONGODB_DATABASE: database, HEALTH_PORT: '0', LOG_LEVEL: 'info' },
    ...{ LEASE_TTL_MS: String(leaseTtlMs), PARTITIONS: '32' },
    ...{ CHANNEL_PHONE_DRIVER: 'http', CHANNEL_PHONE_URL: `${provider.url}/phone`, CHANNEL_PHONE_CONCURRENCY: '16' },
    ...{ CHANNEL_ALERT_DRIVER: 'http', CHANNEL_ALERT_URL: `${provider.url}/alert`, CHANNEL_ALERT_CONCURRENCY: '16' },
    ...{ CHANNEL_ALERT_ADDRESS: 'phone', CHANNEL_ALERT_DELIVERY: 'at-most-once', CHANNEL_PHONE_ATTEMPTS: '1000' },
    ...{ CHANNEL_PHONE_TIMEOUT_MS: String(timeoutMs), CHANNEL_ALERT_TIMEOUT_MS: String(timeoutMs) },
    ...{ CHANNEL_ALERT_ATTEMPTS: '1000', ...more },
  };
  if ((await startProgram(['init'], env).gone) !== 0) throw new Error('init failed');
  const db = client.db(database);
  const startWorkers = () => new Workers({ count: workerCount, env, folder });
  return {
    ...{ folder, network, set, client, db, provider, env, startWorkers, leaseTtlMs },
    /** `keep` leaves the logs behind. */
    async tearDown({ keep }) {
      await client.close();
      provider.close();
      await nodes.stop();
      if (!keep) await rm(folder, { recursive: true, force: true });
    },
  };
}
