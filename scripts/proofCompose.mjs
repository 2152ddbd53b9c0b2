#!/usr/bin/env node
// docker-compose.yml as it is, up and down: by Docker, or over podman with images made here. The example campaign is looked for in
// MongoDB, Mailpit, Jaeger, Prometheus and Grafana; then the same with profile `cluster`, of which one mongod goes. `npm run proof:compose`
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lacks, makeImages } from './composeImages.mjs';
import {
  lookAtGrafana,
  lookAtJaeger,
  lookAtMailpit,
  lookAtMongo,
  lookAtPrometheus,
  people,
  short,
} from './composeLook.mjs';
import { runApart, settle, startService } from './composePodman.mjs';
import { findEngine, run, works } from './imageEngine.mjs';
import { createJudge, until } from './imageWorld.mjs';

const project = 'communication-base-proof';
/** What crashes is started again and again: no command of Compose waits longer, ms. */
const patienceMs = 150_000;
const judge = createJudge();
const { say, expect, faults } = judge;
const seconds = (from) => `${((performance.now() - from) / 1000).toFixed(0)} s`;

/** `compose(...args)` of the whole project, every profile. */
function composer(command, files, env) {
  const first = [...command.slice(1), '-p', project, ...files.flatMap((file) => ['-f', file])];
  const profiles = (profile) => (profile ? ['--profile', profile] : []);
  return (profile, args, options) =>
    run(command[0], [...first, ...profiles(profile), ...args], { env, timeout: patienceMs, ...options });
}

/** Every container, as Compose sees it. */
async function containers(compose) {
  const { stdout } = await compose('cluster', ['ps', '-a', '--format', 'json']);
  // An array, or an object a line: by the version of Compose.
  const rows = stdout.trim().startsWith('[') ? stdout : `[${stdout.trim().split('\n').join(',')}]`;
  return JSON.parse(rows).map(({ Service: name, State: state, Health: health, ExitCode: code }) => ({
    name,
    found: state === 'exited' ? `ended with ${code}` : [state, health].join(' ').trim(),
  }));
}

/** What works on is healthy, what runs once has ended well. */
async function settled(compose) {
  const good = /^(running healthy|ended with 0)$/;
  let rows = [];
  const look = async () => {
    rows = await containers(compose);
    return rows.every(({ found }) => good.test(found));
  };
  await until('every service is as it should be', look, 120_000).catch(() => undefined);
  for (const { name, found } of rows) expect(name, found, good);
}

async function alone(compose, up) {
  const from = performance.now();
  await compose('', ['up', '-d', ...up]);
  say(`docker compose up: ${seconds(from)}`);
  await settled(compose);
  expect('readyz of the worker', (await fetch('http://127.0.0.1:8080/readyz')).status, 200);
  await lookAtMongo(judge);
  await lookAtMailpit(judge);
  await lookAtJaeger(judge);
  await lookAtPrometheus(judge, { workers: 1, mails: people });
  await lookAtGrafana(judge);
  const status = await compose('', ['exec', '-T', 'worker', 'node', 'bin/communication-base.js', 'status']);
  expect('status, in the worker', /^onboarding +\w+/m.exec(status.stdout)?.[0], 'onboarding  running');
}

async function cluster(compose, up) {
  const from = performance.now();
  await compose('cluster', ['up', '-d', ...up]);
  say(`docker compose --profile cluster up: ${seconds(from)}`);
  await settled(compose);
  const shell = async (script) => {
    const uri = 'mongodb://mongo:27017,mongo2:27017,mongo3:27017/communication_base?replicaSet=rs0';
    const { stdout } = await compose('cluster', ['exec', '-T', 'mongo2', 'mongosh', '--quiet', uri, '--eval', script]);
    return stdout.trim();
  };
  const members = 'rs.status().members.map(({ name, stateStr }) => [name, stateStr].join(" ")).join(", ")';
  expect('members', await shell(members), 'mongo:27017 PRIMARY, mongo2:27017 SECONDARY, mongo3:27017 SECONDARY');
  expect('workers that are members', await shell('db.members.countDocuments({})'), '2');
  await lookAtPrometheus(judge, { workers: 2 });
  await lookAtMailpit(judge);
  const campaign = async (id, count) => {
    await shell(`db.campaigns.insertOne(${JSON.stringify(short(id, count))})`);
    await until(
      `campaign ${id} completes`,
      async () => (await shell(`db.campaigns.countDocuments({ _id: '${id}', status: 'completed' })`)) === '1',
    );
    return shell(`db.campaigns.findOne({ _id: '${id}' }).metrics.messages.sent`);
  };
  expect('messages of a campaign for two workers', await campaign('both', 40), '40');
  await compose('cluster', ['stop', 'mongo']);
  say('       mongo, the primary, is stopped');
  expect('messages of a campaign after that', await campaign('without', 40), '40');
  expect('members', await shell(members), /^mongo:27017 \(not.*\), (?=.*PRIMARY)(?=.*SECONDARY)/);
  await compose('cluster', ['start', 'mongo']);
  await until('mongo is primary again', async () => (await shell(members)).startsWith('mongo:27017 PRIMARY'));
  expect('messages of a campaign when it is back', await campaign('back', 40), '40');
}

/** Workers first, which hand over what they have, then all else. */
async function end(compose) {
  const from = performance.now();
  await compose('cluster', ['stop', 'worker', 'worker2'], { check: false });
  const workers = (await containers(compose)).filter(({ name }) => name.startsWith('worker'));
  for (const { name, found } of workers) expect(`${name}, stopped (${seconds(from)})`, found, 'ended with 0');
  const down = await compose('cluster', ['down', '--volumes'], { check: false });
  if (down.status !== 0) process.stderr.write(down.stderr);
  expect(`docker compose down (${seconds(from)})`, down.status, 0);
  expect('containers left', (await compose('cluster', ['ps', '-a', '-q'], { check: false })).stdout, '');
}

/** With the engine that is there. */
async function prove({ command, files, env, up }) {
  const compose = composer(command, files, env);
  try {
    await alone(compose, up);
    await cluster(compose, up);
  } catch (error) {
    faults.push(error.message);
    process.stderr.write(`${error.stack}\n`);
    process.stderr.write((await compose('cluster', ['ps', '-a'], { check: false })).stdout);
    process.stderr.write((await compose('cluster', ['logs', '--tail', '15'], { check: false })).stdout);
  } finally {
    await end(compose);
  }
  say(faults.length === 0 ? 'docker-compose.yml works' : `${faults.length} faults`);
  return faults.length === 0 ? 0 : 1;
}

/** Makes the images, then goes on in a process apart. */
async function prepare(folder) {
  const missing = lacks();
  if (missing.length > 0) throw new Error(`no Docker engine, and over podman:\n  ${missing.join('\n  ')}`);
  const from = performance.now();
  const driver = await settle(folder);
  const { build } = await findEngine();
  await build('docker.io/library/communication-base:dev', { VERSION: '0.0.0-dev' });
  await makeImages();
  say(`images made in ${seconds(from)}, storage ${driver}`);
}

async function main() {
  if (await works('docker', 'info')) {
    if (!(await works('docker', 'compose', 'version'))) throw new Error('Docker has no plugin "compose"');
    const docker = { command: ['docker', 'compose'], files: ['docker-compose.yml'], env: process.env, up: [] };
    const compose = composer(docker.command, docker.files, docker.env);
    for (const step of [['build'], ['pull', '--ignore-buildable']]) await compose('cluster', step, { timeout: 0 });
    return prove(docker);
  }
  const { COMPOSE_PROOF_APART: apart, COMPOSE_PROOF_FOLDER: kept } = process.env;
  if (apart) {
    const { env, override, stop } = await startService(apart);
    try {
      const files = ['docker-compose.yml', override];
      // podman names the network of a container by its name, Compose knows it by its id: a second `up` would make each anew.
      return await prove({
        command: ['docker-compose'],
        files,
        env,
        up: ['--no-build', '--pull', 'never', '--no-recreate'],
      });
    } finally {
      await stop();
    }
  }
  const folder = kept ?? mkdtempSync(join(tmpdir(), 'communication-base-compose-'));
  mkdirSync(folder, { recursive: true });
  try {
    await prepare(folder);
    return await runApart(fileURLToPath(import.meta.url), { COMPOSE_PROOF_APART: folder });
  } finally {
    if (!kept) rmSync(folder, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
