#!/usr/bin/env node
// Builds the image and runs it as production should: not root, nothing to write to, no capabilities, 256 MB. Its worker runs an
// example campaign against a real replica set and is stopped while messages are under way. `npm run proof:image`
import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { freePort } from './freePort.mjs';
import { findEngine, run } from './imageEngine.mjs';
import { lookAtImage } from './imageLook.mjs';
import { createJudge, startProvider, until } from './imageWorld.mjs';
import { startReplicaSet } from './replicaSet.mjs';

const tag = 'localhost/communication-base:proof';
const memory = '256m';
const graceSeconds = 30;
const people = 300;
const { say, expect, faults } = createJudge();

const { name, build, engine, flags } = await findEngine();
const version = '0.1.0-proof';
const revision = (await run('git', ['rev-parse', 'HEAD'], { check: false })).stdout.trim() || 'unknown';
const started = new Set();
const hardened = flags(memory);
const asArguments = (environment) => Object.entries(environment).flatMap(([key, value]) => ['-e', `${key}=${value}`]);

async function start(container, environment, ...command) {
  started.add(container);
  await engine(['run', '-d', '--name', container, ...hardened, ...asArguments(environment), tag, ...command]);
}

/** Stops it as an orchestrator does. */
async function stop(container, signal = 'SIGTERM') {
  const from = performance.now();
  if (signal === 'SIGTERM') await engine(['stop', '-t', String(graceSeconds), container]);
  else await engine(['kill', '--signal', signal, container]);
  const code = Number((await engine(['wait', container])).stdout.trim());
  const seconds = (performance.now() - from) / 1000;
  say(`       ${container}: ${signal}, ended with ${code} after ${seconds.toFixed(1)} s`);
  return { code, seconds };
}

async function runCampaign(db, environment, provider) {
  const exec = (...command) => engine(['exec', 'cb-proof-1', 'node', ...command], { check: false });
  await start('cb-proof-1', environment);
  await until('the worker is ready', async () => (await exec('bin/health.js', 'ready')).status === 0);
  expect('health check', (await exec('bin/health.js')).stdout.trim(), /^200 /);
  if (name !== 'docker') {
    const asked = await engine(['healthcheck', 'run', 'cb-proof-1'], { check: false });
    expect('health check by the engine', asked.status, 0);
  }
  const count = `fs.readdirSync('/proc').filter((name) => Number(name) > 0 && Number(name) !== process.pid).length`;
  expect('processes in it', (await exec('-p', count)).stdout.trim(), '1');
  // Through the image's own command line.
  const mount = ['-v', `${new URL('../examples', import.meta.url).pathname}:/examples:ro`];
  const files = ['/examples/broadcast.yaml', '--contacts', '/examples/broadcast.csv'];
  await engine(['run', '--rm', ...hardened, ...asArguments(environment), ...mount, tag, 'submit', ...files]);
  const done = await until('the example campaign completes', () =>
    db.collection('campaigns').findOne({ _id: 'maintenance', status: 'completed' }),
  );
  const { sent } = done.metrics.messages;
  expect('messages of the example campaign', `${sent} sent, ${provider.keys.size} taken`, '9 sent, 9 taken');
}

const many = {
  _id: 'many',
  status: 'pending',
  type: 'broadcast',
  transactional: true,
  audience: { contacts: Array.from({ length: people }, (_, n) => ({ id: String(n), phone: `+493055550${100 + n}` })) },
  flow: { stages: [{ id: 'one', type: 'message', channel: 'sms', content: { text: 'Hello' } }] },
};

/** A second campaign, to a slow provider; the worker is stopped in the middle of it, and another one ends it. */
async function stopInTheMiddle(db, environment, provider) {
  provider.delayMs = 400;
  await db.collection('campaigns').insertOne(many);
  const taken = () => [...provider.keys].filter(([key]) => key.startsWith('many:'));
  await until('messages are under way', () => taken().length > 20 && provider.open > 0);
  say(`       ${taken().length} of ${people} were taken, ${provider.open} more are under way`);
  const { code } = await stop('cb-proof-1');
  expect('exit code at SIGTERM with messages under way', code, 0);
  expect('open requests when it had ended', provider.open, 0);
  expect('rows in doubt when it had ended', await db.collection('messages').countDocuments({ status: 'sending' }), 0);
  expect('messages that were left', taken().length < people, true);
  provider.delayMs = 0;
  await start('cb-proof-2', environment);
  await until('another worker ends it', () => db.collection('campaigns').findOne({ _id: 'many', status: 'completed' }));
  const twice = taken().filter(([, times]) => times > 1).length;
  expect('messages taken, of which twice', `${taken().length}, ${twice}`, `${people}, 0`);
  expect('exit code at SIGINT', (await stop('cb-proof-2', 'SIGINT')).code, 0);
}

/** A process that is PID 1 and has no handlers ignores signals; a command that waits must end at once all the same. */
async function stopCommand(environment) {
  await start('cb-proof-3', { ...environment, MONGODB_URI: 'mongodb://127.0.0.1:1/' }, 'init');
  await sleep(1_000);
  const { code, seconds } = await stop('cb-proof-3');
  expect('exit code of a command that waits for MongoDB', code, 143);
  expect('it ended at once', seconds < 5, true);
}

let set;
let provider;
let client;
try {
  say(`built and run by ${name}`);
  const from = performance.now();
  await build(tag, { VERSION: version, REVISION: revision });
  say(`       built in ${((performance.now() - from) / 1000).toFixed(0)} s`);
  await lookAtImage({ engine, hardened, tag, memory, version, revision, say, expect });
  set = await startReplicaSet();
  provider = await startProvider();
  client = await MongoClient.connect(set.uri);
  const db = client.db('communication_base');
  const environment = {
    MONGODB_URI: set.uri,
    HEALTH_PORT: String(await freePort()),
    CHANNEL_SMS_DRIVER: 'http',
    CHANNEL_SMS_URL: provider.url,
    CHANNEL_SMS_CONCURRENCY: '16',
    HASH_KEY: 'only for the proof',
  };
  await runCampaign(db, environment, provider);
  await stopInTheMiddle(db, environment, provider);
  await stopCommand(environment);
} catch (error) {
  faults.push(error.message);
  process.stderr.write(`${error.stack}\n`);
  for (const container of started)
    process.stderr.write((await engine(['logs', '--tail', '20', container], { check: false })).stdout);
} finally {
  for (const container of started) await engine(['rm', '-f', container], { check: false });
  await client?.close();
  provider?.close();
  await set?.stop();
}
say(faults.length === 0 ? 'the image is sound' : `${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
