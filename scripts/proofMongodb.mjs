#!/usr/bin/env node
// What the chart's embedded MongoDB does when volumes and passwords are lost: three real mongods with access control, and the chart's own
// script in a real mongosh. `npm run proof:mongodb`
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { until } from './chart/cluster.mjs';
import { mongosh, root, say } from './chart/tools.mjs';
import { freePort } from './freePort.mjs';
import { findMongod } from './mongod.mjs';

const folder = mkdtempSync(join(tmpdir(), 'embedded-'));
const keyFile = join(folder, 'keyfile');
writeFileSync(keyFile, 'a'.repeat(512), { mode: 0o400 });
const binary = await findMongod();
const shell = mongosh();
const ports = [await freePort(), await freePort(), await freePort()];
const hosts = ports.map((port) => `127.0.0.1:${port}`);
const passwords = { ROOT_PASSWORD: 'root@1', PASSWORD: 'worker-1' };
const must = (isSo, what) => {
  if (!isSo) throw new Error(`not so: ${what}`);
  say(`ok: ${what}`);
};

const running = new Map();
const track = (key, child) => {
  const gone = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
  running.set(key, { child, gone });
  void gone.then(() => running.delete(key));
  return gone;
};
const kill = async (key) => {
  const { child, gone } = running.get(key) ?? {};
  child?.kill('SIGKILL');
  await gone;
};

/** Member `n` over the data it had before. */
function start(n) {
  const data = join(folder, `${n}`);
  mkdirSync(data, { recursive: true });
  const log = openSync(join(folder, `${n}.log`), 'a');
  const args = ['--replSet', 'rs0', '--port', ports[n], '--bind_ip', '127.0.0.1', '--dbpath', data, '--nounixsocket'];
  const own = ['--auth', '--keyFile', keyFile, '--wiredTigerCacheSizeGB', '0.25', '--oplogSize', '64'];
  void track(n, spawn(binary, [...args, ...own], { stdio: ['ignore', log, log] }));
}
const wipe = (n) => rmSync(join(folder, `${n}`), { recursive: true });

/** A script of the chart beside member `n`: `{ ended, text() }`. */
function beside(n, script, more) {
  const env = { PATH: process.env.PATH, HOME: folder, MEMBERS: hosts.join(','), LOCAL: hosts[n], DATABASE: 'cb' };
  const file = join(root, 'helm/communication-base/files', script);
  const child = spawn(shell, ['--quiet', '--norc', '--nodb', '--file', file], {
    env: { ...env, ...passwords, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (text += part));
  return { ended: track(script, child), text: () => text };
}
const init = (more = {}) => beside(0, 'mongodb-init.js', more);
async function initDone(more) {
  const { ended, text } = init(more);
  const code = await ended;
  if (code !== 0) throw new Error(`the script ended with ${code}: ${text()}`);
}

async function ask(uri, use) {
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: 10_000 });
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}
const set = `${hosts.join(',')}/?replicaSet=rs0&authSource=admin`;
const asRoot = (use) => ask(`mongodb://root:${encodeURIComponent(passwords.ROOT_PASSWORD)}@${set}`, use);
const asWorker = (use, password = passwords.PASSWORD) => ask(`mongodb://worker:${password}@${set}`, use);
const hello = (n) => ask(`mongodb://${hosts[n]}/?directConnection=true`, (c) => c.db('admin').command({ hello: 1 }));
const config = () => asRoot(async (c) => (await c.db('admin').command({ replSetGetConfig: 1 })).config);
const rows = (client) => client.db('cb').collection('rows');
/** How many documents member `n` itself has; it answers when its copy is whole. */
const countAt = (n) =>
  ask(`mongodb://worker:${passwords.PASSWORD}@${hosts[n]}/?directConnection=true&authSource=admin`, (client) =>
    rows(client).countDocuments({}, { readPreference: 'secondaryPreferred' }),
  );
const refused = (promise) =>
  promise.then(
    () => 0,
    ({ code }) => code,
  );
const takenIn = (n) =>
  until(async () => (await countAt(n).catch(() => 0)) === 500, `member ${n} to have all documents`);

/** Members 1 and 2 come when the script of member 0 has been told that it must not begin without them. */
async function alone(after) {
  start(0);
  const { ended, text } = init();
  await until(() => /not initiated: .*quorum/s.test(text()), 'the script to wait for the others');
  must((await hello(0)).setName === undefined, `${after}: member 0 alone makes no set`);
  start(1);
  start(2);
  const code = await ended;
  if (code !== 0) throw new Error(`the script ended with ${code}: ${text()}`);
}

async function rights() {
  await asWorker(async (client) => {
    await rows(client).insertMany(
      Array.from({ length: 500 }, (_, _id) => ({ _id })),
      { writeConcern: { w: 3 } },
    );
    const local = client.db('local');
    const newest = await local.collection('oplog.rs').findOne({}, { sort: { $natural: -1 } });
    const others = await refused(local.collection('startup_log').findOne());
    const users = await refused(client.db('admin').collection('system.users').findOne());
    must(
      newest.ts && others === 13 && users === 13,
      'the worker reads the oplog, and nothing else beside its database',
    );
  });
}

async function passwordsChange() {
  await initDone({ PASSWORD: 'worker-2' });
  await asWorker((client) => rows(client).findOne(), 'worker-2');
  await initDone();
  must((await asWorker((c) => rows(c).countDocuments())) === 500, "a new password of the worker's is taken over");
  const { ended, text } = init({ ROOT_PASSWORD: 'another' });
  must(
    (await ended) !== 0 && /root-password of the Secret/.test(text()),
    'a root password that is not that of the data is told',
  );
}

/** As a StatefulSet does it: from the last to the first, the next when the one before is ready. */
async function roll() {
  for (const n of [2, 1, 0]) {
    await kill(n);
    wipe(n);
    const { ended, text } = beside(n, 'mongodb-member.js');
    await until(() => /waits for the member: /.test(text()), `member ${n} to be waited for`);
    start(n);
    if (n === 0) await initDone();
    must(
      (await ended) === 0 && (await countAt(n)) === 500,
      `member ${n} came back without its data: ready with all of it`,
    );
  }
}

async function proof() {
  await alone('at the first start');
  const first = await config();
  must(
    first.members.map(({ host }) => host).join() === hosts.join() &&
      first.members.every(({ priority }) => priority === 1),
    'three members, each of which can be elected',
  );
  await rights();
  await passwordsChange();
  const id = String(first.settings.replicaSetId);
  const same = async () => String((await config()).settings.replicaSetId) === id;
  await kill(0);
  wipe(0);
  start(0);
  await initDone();
  await takenIn(0);
  must(await same(), 'member 0 lost its volume beside the others: it is back in their set, with all documents');
  await Promise.all([0, 1, 2].map(kill));
  wipe(0);
  await alone('after all went down and member 0 lost its volume');
  await takenIn(0);
  must((await same()) && (await countAt(1)) === 500, 'it is back in the set of the others, with all documents');
  await roll();
  must(await same(), 'a roll that takes every volume loses nothing');
}

const started = Date.now();
try {
  await proof();
  say(`the embedded MongoDB keeps its set and its data (${((Date.now() - started) / 1000).toFixed(1)} s)`);
} catch (error) {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
} finally {
  await Promise.all([...running.keys()].map(kill));
  rmSync(folder, { recursive: true, force: true });
}
