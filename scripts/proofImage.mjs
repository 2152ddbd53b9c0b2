#!/usr/bin/env node
// Builds the image and runs it as production should: not root, nothing to write to, no capabilities, 256 MB. Its worker runs an
// example campaign against a real replica set and is stopped while messages are under way. `npm run proof:image`
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { findEngine } from './imageEngine.mjs';
import { startReplicaSet } from './replicaSet.mjs';

const tag = 'localhost/communication-base:proof';
const memory = '256m';
const graceSeconds = 30;
const people = 300;
const say = (text) => process.stdout.write(`${text}\n`);
const faults = [];

/** Says what was found, and remembers it where it is not what it should be. */
function expect(what, found, wanted) {
  const good = wanted instanceof RegExp ? wanted.test(String(found)) : found === wanted;
  say(`${good ? 'ok    ' : 'FAULT '} ${what}: ${found}${good ? '' : `, wanted ${wanted}`}`);
  if (!good) faults.push(what);
}

async function until(what, ask, timeoutMs = 60_000) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${timeoutMs / 1000} s`);
    await sleep(100);
  }
}

/** Takes messages after `delayMs`, and counts how often each key came. */
async function startProvider() {
  const provider = { delayMs: 0, open: 0, keys: new Map() };
  const server = createServer(async (request, response) => {
    provider.open++;
    for await (const _ of request);
    await sleep(provider.delayMs);
    const key = request.headers['idempotency-key'];
    provider.keys.set(key, (provider.keys.get(key) ?? 0) + 1);
    provider.open--;
    response.end(JSON.stringify({ id: key }));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(provider, {
    url: `http://127.0.0.1:${server.address().port}/`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  });
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const { name, build, engine, flags } = findEngine();
const revision = spawnSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).stdout.trim() || 'unknown';
const started = new Set();

/** One container; `node` runs a script in it instead of the program, and returns what it prints. */
const node = (script) =>
  engine(['run', '--rm', ...flags(memory), '--entrypoint', 'node', tag, '-e', script]).stdout.trim();

function start(container, environment, ...command) {
  const env = Object.entries(environment).flatMap(([key, value]) => ['-e', `${key}=${value}`]);
  started.add(container);
  engine(['run', '-d', '--name', container, ...flags(memory), ...env, tag, ...command]);
}

/** Stops it as an orchestrator does; `{ code, seconds }`. */
function stop(container, signal = 'SIGTERM') {
  const from = performance.now();
  if (signal === 'SIGTERM') engine(['stop', '-t', String(graceSeconds), container]);
  else engine(['kill', '--signal', signal, container]);
  const code = Number(engine(['wait', container]).stdout.trim());
  const seconds = ((performance.now() - from) / 1000).toFixed(1);
  say(`       ${container}: ${signal}, ended with ${code} after ${seconds} s`);
  return { code, seconds: Number(seconds) };
}

function look() {
  const [image] = JSON.parse(engine(['image', 'inspect', tag]).stdout);
  const config = image.Config ?? image.ContainerConfig;
  say(`       size: ${(image.Size / 1e6).toFixed(0)} MB unpacked`);
  expect('user', config.User, '1000:1000');
  expect('label revision', config.Labels['org.opencontainers.image.revision'], revision);
  expect('label version', config.Labels['org.opencontainers.image.version'], '0.1.0-proof');
  expect(
    'health check',
    JSON.stringify(config.Healthcheck?.Test ?? image.HealthCheck?.Test),
    '["CMD","node","bin/health.js"]',
  );
  const status = node('console.log(require("fs").readFileSync("/proc/self/status","utf8"))');
  expect('capabilities', /CapEff:\s*(\w+)/.exec(status)[1], '0000000000000000');
  expect('no new privileges', /NoNewPrivs:\s*(\d)/.exec(status)[1], '1');
  expect('runs as', node('console.log(process.getuid(), process.getgid())'), '1000 1000');
  expect(
    'a write',
    node('try { require("fs").writeFileSync("/app/x", "") } catch (error) { console.log(error.code) }'),
    'EROFS',
  );
  const heap =
    node(`const { Worker } = require('worker_threads'); const limit = 'Math.round(require("v8").getHeapStatistics().heap_size_limit / 2 ** 20)';
    new Worker('console.log(' + limit + ')', { eval: true }).on('exit', () => console.log(eval(limit)))`);
  expect(`heap of a thread and of the main one in ${memory}, MB`, heap.replaceAll('\n', ' '), /^1[2-4]\d 1[2-4]\d$/);
  const kinds = node(`const { readdirSync } = require('fs'); console.log(readdirSync('/app', { recursive: true })
    .filter((file) => /\\.(map|[mc]?ts)$|^node_modules.(typescript|jest|mongodb-memory-server|@swc|@biomejs)/.test(file)).length)`);
  expect('files of development in it', kinds, '0');
}

/** Submits a campaign through the image's own command line. */
function submit(environment, file, contacts) {
  const env = Object.entries(environment).flatMap(([key, value]) => ['-e', `${key}=${value}`]);
  const mount = ['-v', `${new URL('../examples', import.meta.url).pathname}:/examples:ro`];
  engine([
    'run',
    '--rm',
    ...flags(memory),
    ...env,
    ...mount,
    tag,
    'submit',
    `/examples/${file}`,
    '--contacts',
    `/examples/${contacts}`,
  ]);
}

async function runCampaign(db, environment, provider) {
  start('cb-proof-1', environment);
  const health = (...args) => engine(['exec', 'cb-proof-1', 'node', 'bin/health.js', ...args], { check: false });
  await until('the worker is ready', () => health('ready').status === 0);
  expect('health check', engine(['exec', 'cb-proof-1', 'node', 'bin/health.js']).stdout.trim(), /^200 /);
  if (name !== 'docker') expect('health check by the engine', engine(['healthcheck', 'run', 'cb-proof-1']).status, 0);
  expect(
    'number of processes in it',
    /^(\d+)/.exec(
      engine([
        'exec',
        'cb-proof-1',
        'node',
        '-p',
        'require("fs").readdirSync("/proc").filter((n) => /^\\d+$/.test(n)).length - 1',
      ]).stdout,
    )?.[1],
    '1',
  );
  submit(environment, 'broadcast.yaml', 'broadcast.csv');
  const done = await until('the example campaign completes', () =>
    db.collection('campaigns').findOne({ _id: 'maintenance', status: 'completed' }),
  );
  expect(
    'messages of the example campaign',
    `${done.metrics.messages.sent} sent, ${provider.keys.size} taken`,
    '9 sent, 9 taken',
  );
}

/** A second campaign to a slow provider; the worker is stopped in the middle of it, and another one ends it. */
async function stopInTheMiddle(db, environment, provider) {
  provider.delayMs = 400;
  await db.collection('campaigns').insertOne({
    _id: 'many',
    status: 'pending',
    type: 'broadcast',
    transactional: true,
    audience: {
      contacts: Array.from({ length: people }, (_, n) => ({
        id: String(n),
        phone: `+4930555${String(n).padStart(5, '0')}`,
      })),
    },
    flow: { stages: [{ id: 'one', type: 'message', channel: 'sms', content: { text: 'Hello' } }] },
  });
  const taken = () => [...provider.keys].filter(([key]) => key.startsWith('many:'));
  await until('messages are under way', () => taken().length > 20 && provider.open > 0);
  const { code } = stop('cb-proof-1');
  expect('exit code at SIGTERM with messages under way', code, 0);
  expect('open requests when it had ended', provider.open, 0);
  expect('rows in doubt when it had ended', await db.collection('messages').countDocuments({ status: 'sending' }), 0);
  say(`       ${taken().length} of ${people} were taken by then`);
  provider.delayMs = 0;
  start('cb-proof-2', environment);
  await until('another worker ends it', () => db.collection('campaigns').findOne({ _id: 'many', status: 'completed' }));
  expect(
    'messages taken, of which twice',
    `${taken().length}, ${taken().filter(([, times]) => times > 1).length}`,
    `${people}, 0`,
  );
  expect('exit code at SIGINT', stop('cb-proof-2', 'SIGINT').code, 0);
}

/** As PID 1 a process without handlers ignores signals: a command that waits must still end at once. */
async function stopCommand(environment) {
  start('cb-proof-3', { ...environment, MONGODB_URI: 'mongodb://127.0.0.1:1/' }, 'init');
  await sleep(1_000);
  const { code, seconds } = stop('cb-proof-3');
  expect(
    'a command that waits ends at SIGTERM at once',
    `${code}, ${seconds < 5 ? 'at once' : `${seconds} s`}`,
    '143, at once',
  );
}

let set;
let provider;
let client;
try {
  say(`built and run by ${name}`);
  const from = performance.now();
  build(tag, { VERSION: '0.1.0-proof', REVISION: revision });
  say(`       built in ${((performance.now() - from) / 1000).toFixed(0)} s`);
  look();
  set = await startReplicaSet();
  provider = await startProvider();
  client = await MongoClient.connect(set.uri);
  const environment = {
    MONGODB_URI: set.uri,
    HEALTH_PORT: String(await freePort()),
    CHANNEL_SMS_DRIVER: 'http',
    CHANNEL_SMS_URL: provider.url,
    CHANNEL_SMS_CONCURRENCY: '16',
    HASH_KEY: 'only for the proof',
  };
  await runCampaign(client.db('communication_base'), environment, provider);
  await stopInTheMiddle(client.db('communication_base'), environment, provider);
  await stopCommand(environment);
} catch (error) {
  faults.push(error.message);
  process.stderr.write(`${error.stack}\n`);
  for (const container of started)
    process.stderr.write(engine(['logs', '--tail', '20', container], { check: false }).stdout);
} finally {
  for (const container of started) engine(['rm', '-f', container], { check: false });
  await client?.close();
  provider?.close();
  await set?.stop();
}
say(faults.length === 0 ? 'the image is sound' : `${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
