// Starts real mongods on loopback as one replica set, each with a data folder of its own that goes away with it.
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { freePort } from './freePort.mjs';
import { findMongod } from './mongod.mjs';

const startTimeoutMs = 30_000;
const stopTimeoutMs = 10_000;

/**
 * Resolves when a primary takes writes. Types and meaning of the options: `replicaSet.d.mts`.
 * Whatever is still running when this process exits is killed with it.
 */
export async function startReplicaSet({
  nodes = 1,
  args = [],
  electionTimeoutMs = 2_000,
  cacheGb = 0.25,
  oplogMb = 256,
  port,
  advertise = async (host) => host,
} = {}) {
  const binary = await findMongod();
  const folder = await mkdtemp(join(tmpdir(), 'communication-base-mongod-'));
  const common = [
    ...['--replSet', 'rs0', '--bind_ip', '127.0.0.1', '--nounixsocket', '--oplogSize', String(oplogMb)],
    ...['--wiredTigerCacheSizeGB', String(cacheGb), '--setParameter', 'diagnosticDataCollectionEnabled=false', ...args],
  ];
  const set = [];
  const killAll = () => {
    for (const node of set) node.process?.kill('SIGKILL');
  };
  process.once('exit', killAll);
  const stop = async () => {
    await Promise.all(set.map((node) => node.stop()));
    process.off('exit', killAll);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    for (let index = 0; index < nodes; index++)
      set.push(await startNode(binary, join(folder, String(index)), common, port && port + index));
    const hosts = await Promise.all(set.map((node) => advertise(node.host)));
    const uri = `mongodb://${hosts.join(',')}/?replicaSet=rs0`;
    await initiate(set, hosts, electionTimeoutMs);
    return { uri, nodes: set, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A port can be taken between looking and binding, so a node that ends at once is tried on another one. */
async function startNode(binary, folder, args, port) {
  await mkdir(folder, { recursive: true });
  for (let attempt = 1; ; attempt++) {
    const node = new MongodNode(binary, folder, args, await freePort(port));
    try {
      await node.start();
      return node;
    } catch (error) {
      await node.kill();
      if (attempt === 3 || port !== undefined) throw error;
    }
  }
}

class MongodNode {
  process;
  #binary;
  #folder;
  #args;

  constructor(binary, folder, args, port) {
    this.#binary = binary;
    this.#folder = folder;
    this.#args = args;
    this.port = port;
    this.host = `127.0.0.1:${port}`;
  }

  get pid() {
    return this.process?.pid;
  }

  /** Starts the process over the data it had before; resolves when it answers. */
  async start() {
    const log = join(this.#folder, '..', `${this.port}.log`);
    const own = ['--port', String(this.port), '--dbpath', this.#folder, '--logpath', log, '--logappend'];
    const child = spawn(this.#binary, [...this.#args, ...own], { stdio: 'ignore' });
    this.process = child;
    const gone = new Promise((resolve) => {
      child.once('exit', resolve);
      child.once('error', resolve);
    });
    void gone.then(() => {
      if (this.process === child) this.process = undefined;
    });
    this.gone = gone;
    const deadline = Date.now() + startTimeoutMs;
    for (;;) {
      if (!this.process) throw new Error(`mongod ended at once:\n${await tail(log)}`);
      if (
        await this.admin({ ping: 1 }).then(
          () => true,
          () => false,
        )
      )
        return;
      if (Date.now() > deadline) throw new Error(`mongod does not answer:\n${await tail(log)}`);
      await sleep(50);
    }
  }

  /** One admin command over a connection of its own. */
  async admin(command) {
    const client = new MongoClient(`mongodb://${this.host}/?directConnection=true`, {
      serverSelectionTimeoutMS: 1_000,
    });
    try {
      return await client.db('admin').command(command);
    } finally {
      await client.close();
    }
  }

  async kill() {
    this.process?.kill('SIGKILL');
    await this.gone;
  }

  freeze() {
    this.process?.kill('SIGSTOP');
  }

  thaw() {
    this.process?.kill('SIGCONT');
  }

  async stop() {
    const child = this.process;
    if (!child) return;
    child.kill('SIGCONT');
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
    await this.gone;
    clearTimeout(late);
  }
}

async function initiate(set, hosts, electionTimeoutMs) {
  const members = hosts.map((host, index) => ({ _id: index, host, priority: index === 0 ? 2 : 1 }));
  const settings = { electionTimeoutMillis: electionTimeoutMs, heartbeatIntervalMillis: 500 };
  await set[0].admin({ replSetInitiate: { _id: 'rs0', members, settings } });
  const deadline = Date.now() + startTimeoutMs;
  for (;;) {
    const hello = await Promise.all(set.map((node) => node.admin({ hello: 1 })));
    const secondaries = hello.filter((answer) => answer.secondary).length;
    if (hello.some((answer) => answer.isWritablePrimary) && secondaries === set.length - 1) return;
    if (Date.now() > deadline) throw new Error('the replica set elected no primary');
    await sleep(50);
  }
}

async function tail(path) {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.split('\n').slice(-8).join('\n');
}
