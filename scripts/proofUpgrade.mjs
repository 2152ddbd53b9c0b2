#!/usr/bin/env node
// Two releases at work side by side, over a real MongoDB, while messages flow: workers are replaced one by one, old by new, and back
// again, once in order and once by SIGKILL. Nothing is lost, nothing comes twice but what was in doubt at a kill, everything ends, and what is
// counted is exact. `npm run proof:upgrade`
// `--from COMMIT`: the older release; without it the last one with a lower schema version. `--built FOLDER`: built there, and kept.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { MongoClient } from 'mongodb';
import { startProgram } from '../bench/processes.mjs';
import { startProvider } from '../chaos/provider.mjs';
import { even, until } from '../chaos/stage.mjs';
import { Workers } from '../chaos/workers.mjs';
import { run, say } from './fetched.mjs';
import { createJudge } from './imageWorld.mjs';
import { startReplicaSet } from './replicaSet.mjs';
import {
  burstsOver,
  campaignsFor,
  documentOf,
  faultsOf,
  features,
  isRefused,
  isReplier,
  stuck,
} from './upgrade/campaigns.mjs';
import { builtRelease, knows, lastOfOlderSchema, schemaVersionOf } from './upgrade/release.mjs';

const { values: options } = parseArgs({ options: { from: { type: 'string' }, built: { type: 'string' } } });
const database = 'upgrade';
const workerCount = 2;
/** So many of each release's messages, with both at work, before the next worker is replaced. */
const enough = 60;
const { expect, faults } = createJudge();

const commit = run('git', ['rev-parse', options.from ?? lastOfOlderSchema()]).stdout.trim();
const folder = mkdtempSync(join(tmpdir(), 'communication-base-upgrade-'));
const isKnown = Object.fromEntries(features.map(({ schema, field }) => [field, knows(commit, schema, field)]));
say(`from ${commit.slice(0, 7)}, schema version ${schemaVersionOf(commit)}, to this one, ${schemaVersionOf('HEAD')}`);
for (const [field, known] of Object.entries(isKnown))
  say(`${field}: ${known ? 'both know it' : 'the older one refuses it, or goes on without it'}`);
const programs = { old: builtRelease(commit, options.built ? resolve(options.built) : join(folder, 'old')) };

const set = await startReplicaSet({ nodes: 1 });
const client = await new MongoClient(set.uri).connect();
const db = client.db(database);
/** First arrivals, in order. */
const arrivals = [];
const seen = new Set();
const provider = await startProvider({
  lateMs: 0,
  onEach: (message, worker, at) => {
    if (seen.has(message.messageId)) return;
    seen.add(message.messageId);
    arrivals.push({ ...message, release: releaseOf.get(worker), at });
    if (isReplier(message.conversationId) && message.step === 0) reply(message.conversationId);
  },
});
const endOfFault = provider.misbehave('busy', 'push', 1, () => 0);
const env = {
  ...{ MONGODB_URI: set.uri, MONGODB_DATABASE: database, HEALTH_PORT: '0', LOG_LEVEL: 'info', PARTITIONS: '16' },
  ...{ LEASE_TTL_MS: '5000', CHANNEL_PHONE_DRIVER: 'http', CHANNEL_PHONE_URL: `${provider.url}/phone` },
  ...{ CHANNEL_PUSH_DRIVER: 'http', CHANNEL_PUSH_URL: `${provider.url}/push`, CHANNEL_PUSH_ADDRESS: 'phone' },
  ...{ CHANNEL_PUSH_ATTEMPTS: '1000' },
};
/** Name of a process: which release it is of. */
const releaseOf = new Map();
const replies = [];

function reply(conversationId) {
  const event = { type: 'reply', channel: 'phone', conversationId, text: 'yes', at: new Date() };
  replies.push(db.collection('inbound_events').insertOne({ _id: `r-${conversationId}`, ...event }));
}

/** What a program says, and how it ends. */
async function ask(release, ...args) {
  let text = '';
  const onLine = (line) => {
    text += `${line}\n`;
  };
  const code = await startProgram(args, env, { program: programs[release], onLine }).gone;
  return { code, text };
}

async function mustPass(release, ...args) {
  const { code, text } = await ask(release, ...args);
  expect(`${args.join(' ')} of the ${release} release`, code, 0);
  if (code !== 0) say(text.slice(0, 2_000));
  return text;
}

const campaigns = new Map();
async function begin(phase) {
  for (const campaign of campaignsFor(phase)) {
    campaigns.set(campaign._id, campaign);
    await db.collection('campaigns').insertOne(documentOf(campaign));
  }
}

const count = (from, release) => arrivals.slice(from).filter((one) => one.release === release).length;

let workers;
const name = (index, release) => releaseOf.set(workers.name(index), release);

/** What was in doubt when a worker was killed, over all kills: so many messages may come twice. */
let inDoubt = 0;

/** As a machine that fails: the other release takes over what it had. */
async function kill(index) {
  const member = workers.member(index);
  await workers.end(index, 'SIGKILL');
  inDoubt += await db.collection('messages').countDocuments({ pending: true, status: 'sending', worker: member });
}

/** One worker after the other, the first as it is meant to be and the last by force; both releases send while they are side by side. */
async function roll(from, to) {
  workers.program = programs[to];
  for (let index = 0; index < workerCount; index++) {
    await (index === 0 ? workers.end(index, 'SIGTERM') : kill(index));
    workers.start(index);
    name(index, to);
    await until(async () => workers.member(index), 'the next worker to join');
    await even({ db, workerCount });
    if (index > 0) continue;
    const since = arrivals.length;
    await begin(`${from}-beside-${to}`);
    await until(async () => count(since, from) >= enough && count(since, to) >= enough, 'messages of both releases');
    say(`side by side: ${count(since, from)} messages of the ${from} release, ${count(since, to)} of the ${to}`);
  }
  const since = arrivals.length;
  await until(async () => count(since, to) >= enough, `messages of the ${to} release alone`);
}

/** `doctor`, where that release has one. */
async function doctor(release) {
  const { code, text } = await ask(release, 'doctor');
  if (code === 2) {
    say(`the ${release} release has no doctor`);
    return undefined;
  }
  expect(`doctor of the ${release} release`, code, 0);
  if (code !== 0) say(text.slice(0, 2_000));
  return text;
}

/** Resolves when all of these have come to their end. */
async function settled(ids) {
  const over = { _id: { $in: ids }, status: { $in: ['completed', 'failed', 'cancelled'] } };
  const isOver = async () => (await db.collection('campaigns').countDocuments(over)) === ids.length;
  try {
    await until(isOver, `${ids} to end`, 240_000);
  } catch (error) {
    for (const line of await stuck(db)) say(line);
    throw error;
  }
}

async function prove() {
  await mustPass('old', 'init');
  workers = new Workers({ count: workerCount, env, folder, program: programs.old });
  for (let index = 0; index < workerCount; index++) name(index, 'old');
  await even({ db, workerCount });
  await begin('old');
  await until(async () => arrivals.length > enough, 'the first messages');
  await doctor('old');
  await mustPass('new', 'init');
  await roll('old', 'new');
  await doctor('new');
  await begin('new');
  // only the newer one keeps to it
  if (!isKnown.perSecond) await settled(['rated-new']);
  await begin('before-going-back');
  await roll('new', 'old');
  const warned = await doctor('old');
  if (warned && schemaVersionOf(commit) < schemaVersionOf('HEAD'))
    expect('the old release is told of the newer one', warned, /newer release/);
  await begin('back');
  const all = [...campaigns.keys()];
  // who has no way round gets it the first way; an older release may know the fallback, and not all that leads to it
  if (isKnown.fallback) await settled(all.filter((id) => !id.startsWith('fallen-')));
  endOfFault();
  await settled(all);
  await Promise.all(replies);
}

async function judgeCampaign(id, campaign) {
  const isStrange = isKnown[campaign.needs] === false;
  if (isStrange && (await isRefused(db, campaign, arrivals)))
    return expect(`campaign ${id}`, 'refused by the old release', /refused/);
  const wrong = await faultsOf(db, campaign, arrivals);
  const asItIs = wrong.length === 0 ? 'as it has to be' : wrong.join('; ').slice(0, 500);
  expect(`campaign ${id}`, asItIs, 'as it has to be');
  if (campaign.limits && (!isStrange || id === 'rated-new'))
    expect(`most above ${campaign.limits.perSecond}/s`, burstsOver(campaign, arrivals), 0);
}

async function judge() {
  const repeated = [...provider.record.values()].filter(({ times }) => times > 1).length;
  const uncertain = await db.collection('messages').countDocuments({ status: 'uncertain' });
  say(`in doubt when a worker was killed: ${inDoubt}, came twice: ${repeated}, uncertain: ${uncertain}`);
  expect('messages', provider.record.size, /^[1-9]\d\d/);
  expect('messages that came twice without having been in doubt', Math.max(0, repeated - inDoubt), 0);
  expect('messages that are uncertain without having been in doubt', Math.max(0, uncertain - inDoubt), 0);
  for (const [id, campaign] of campaigns) await judgeCampaign(id, campaign);
  for (const release of ['old', 'new']) await mustPass(release, 'audit');
  expect('dead letters', await db.collection('dead_letters').countDocuments(), 0);
  const { reconciled, uncaught, failed, fenced, positionsLost, takeOvers } = workers.counts;
  expect('take-overs', takeOvers, 2);
  say(`positions that could not be resumed: ${positionsLost}`);
  expect('taken up by reconcile', reconciled, 0);
  expect('crashes', workers.crashes.join() || 'none', 'none');
  expect('members that failed or were fenced, exceptions', failed + fenced + uncaught, 0);
  expect('errors in the logs', JSON.stringify([...workers.errors]), '[]');
}

try {
  await prove();
  await judge();
} catch (error) {
  faults.push(error.message);
  process.stderr.write(`${error.stack}\n`);
} finally {
  await workers?.stop();
  await client.close();
  provider.close();
  await set.stop();
  if (faults.length > 0) say(`logs: ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
}
say(faults.length === 0 ? `good: ${arrivals.length} messages` : `${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
