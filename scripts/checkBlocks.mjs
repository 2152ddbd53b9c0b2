#!/usr/bin/env node
// Every block of code in the documents is run, or held against what it has to be: commands by the program itself and statements by
// the driver, on a replica set with a worker; variables by the configuration; campaigns and parts of them by our own checks. What
// cannot be is marked in the page with the reason, and listed here. The tour of the README and the programs of
// docs/writing-campaigns.md have checks of their own. `dist` has to be there.
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import { parse } from '@swc/core';
import { MongoClient } from 'mongodb';
import { runCommandLine } from '../dist/src/cli/program.js';
import { readConfig } from '../dist/src/config.js';
import { faultsOf } from '../dist/src/domain/validation.js';
import { startGateway } from '../examples/sandbox/gateway.mjs';
import { blocksOf, campaignWith, partOf, wordsOf } from './docBlocks.mjs';
import { startReplicaSet } from './replicaSet.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const pages = ['README.md', 'bench/README.md', 'chaos/README.md', 'examples/README.md', 'ARCHITECTURE.md']
  .concat(
    readdirSync(join(root, 'docs'), { recursive: true })
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/${name}`),
  )
  .concat(readdirSync(root, { recursive: true }).filter((name) => /^helm\/.*README\.md$/.test(name)));
const database = 'communication_base';
/** Names that the pages use, and which field of a contact each writes to. */
const channels = {
  SMS: 'phone',
  EMAIL: 'email',
  MAIL: 'email',
  PHONE: 'phone',
  PUSH: 'phone',
  CRM: 'url',
  WHATSAPP: 'phone',
};
/** `{ … }` in a statement stands for one of these. */
const stood = {
  flow: { stages: [{ id: 'hello', type: 'message', channel: 'sms', content: { text: 'Hello' }, waitForReply: 'P1D' }] },
  audience: { contacts: [{ id: 'ada', name: 'Ada', phone: '+493055501005' }] },
};
const definitions = { inbound_events: 'InboundEvent', suppressions: 'Suppression', campaigns: 'CampaignDocument' };
/** Every call has so long, ms. */
const patienceMs = 20_000;

/** What the commands and statements of the pages speak of: campaigns `spring` and `spring-2026`, and files. */
async function prepare(db, folder) {
  // somebody who never answers, so that it goes on
  const bea = { id: 'bea', name: 'Bea', phone: '+493055501009' };
  const anna = { id: 'anna', name: 'Anna', phone: '+493055501100' };
  for (const version of [3, 4])
    await db.collection('templates').insertOne({ _id: { id: 'spring', version }, flow: stood.flow });
  await db.collection('campaigns').insertMany([
    { _id: 'spring', status: 'pending', templateId: 'spring', templateVersion: 3, audience: stood.audience },
    {
      _id: 'spring-2026',
      status: 'pending',
      audience: { contacts: [...stood.audience.contacts, anna, bea] },
      flow: stood.flow,
    },
  ]);
  cpSync(join(root, 'examples/onboarding.yaml'), join(folder, 'campaign.yaml'));
  cpSync(join(root, 'examples/onboarding.csv'), join(folder, 'people.csv'));
  await until(
    'anna/1 fails',
    async () => (await db.collection('messages').findOne({ _id: 'spring-2026:anna/1' }))?.status === 'failed',
  );
}

async function until(what, holds) {
  const end = Date.now() + patienceMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await sleep(100);
  }
}

/** Lines of `sh`: our own commands, and variables that are set. Anything else has to be marked. */
async function runShell({ code, note }, { env, folder }) {
  const lines = code
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'));
  const set = {};
  for (const [index, line] of lines.entries()) {
    const words = wordsOf(line);
    const assigned = words[0] === 'export' ? words.slice(1) : words;
    if (assigned.every((word) => /^[A-Z][A-Z0-9_]*=/.test(word))) {
      for (const word of assigned) Object.assign(set, variable(word, folder));
      continue;
    }
    const argv = words[0] === 'communication-base' ? words.slice(1) : undefined;
    if (argv === undefined) throw new Error(`"${line}" is not run by anything: mark it`);
    const wanted = note?.kind === 'exit' && index === lines.length - 1 ? Number(note.text) : 0;
    const said = [];
    const write = (text, done) => {
      said.push(text);
      done?.();
      return true;
    };
    const sink = { isTTY: false, columns: 120, write };
    const host = { env, stdout: sink, stderr: sink, interruptible: () => AbortSignal.timeout(patienceMs) };
    const exit = await runCommandLine(argv, host);
    if (exit !== wanted) throw new Error(`"${line}" ended with ${exit}:\n${said.join('')}`);
  }
  if (Object.keys(set).length === 0) return;
  const { faults } = readConfig({ MONGODB_URI: env.MONGODB_URI, ...set });
  if (faults.length > 0) throw new Error(faults.join('\n'));
}

/** A file of contacts is one that can be used, every row. */
async function runContacts({ code }, world) {
  writeFileSync(join(world.folder, 'block.csv'), code);
  await runShell({ code: 'communication-base validate campaign.yaml --contacts block.csv' }, world);
}

/** One that is set; a file of a secret is put there, and `...` stands for a secret. */
function variable(word, folder) {
  const [, name, value] = word.match(/^(\w+)=([\s\S]*)$/);
  const secret = '0123456789abcdef0123456789abcdef';
  if (!name.endsWith('_FILE')) return { [name]: value === '...' ? secret : value };
  const file = join(folder, name);
  writeFileSync(file, secret);
  return { [name]: file };
}

/** Statements as in mongosh: a call is awaited before the next one begins. */
async function runStatements({ code }, { db }) {
  const source = code.replaceAll(/\b(flow|audience): \{ … \}/g, (_, name) => `${name}: ${JSON.stringify(stood[name])}`);
  const calls = [];
  const collection = (name) =>
    new Proxy(
      {},
      {
        get:
          (_, method) =>
          (...args) =>
            void calls.push(() => db.collection(name)[method](...args)),
      },
    );
  const runCommand = (command) => void calls.push(() => db.command(command));
  const named = new Proxy({}, { get: (_, name) => (name === 'runCommand' ? runCommand : collection(name)) });
  runInContext(source, createContext({ db: named, ISODate: (text) => new Date(text), Date }));
  for (const call of calls) await call();
  const begun = [...code.matchAll(/campaigns\.insertOne\(\{ _id: "([^"]+)"/g)].map(([, id]) => id);
  for (const _id of begun) {
    const campaigns = db.collection('campaigns');
    await until(`${_id} begins`, async () => (await campaigns.findOne({ _id })).status !== 'pending');
    const { status, error } = await campaigns.findOne({ _id });
    if (status === 'failed') throw new Error(`${_id} is failed: ${JSON.stringify(error)}`);
  }
}

function judge(definition, value) {
  const faults = faultsOf(definition, value);
  if (faults.length > 0) throw new Error(faults.map(({ path, message }) => `${path}: ${message}`).join('\n'));
}

function judgeDocuments({ code, note }) {
  const bare = code.replaceAll(/^\/\/.*\n/gm, '').trim();
  const values = runInContext(
    `[${bare.replaceAll(/\n(?=\{)/g, ',\n')}]`,
    createContext({ Date, ISODate: (text) => new Date(text) }),
  );
  // made over there, its dates are of another realm
  const own = (value) =>
    Object.fromEntries(
      Object.entries(value).map(([key, one]) => [
        key,
        typeof one?.getTime === 'function' ? new Date(one.getTime()) : one,
      ]),
    );
  for (const value of values) judge(definitions[note.text], own(value));
}

/** How a block is checked; undefined where nothing can. */
function checkOf({ language, code, note }) {
  if (note?.kind === 'document') return ['fits its schema', judgeDocuments];
  if (language === 'sh') return ['run', runShell];
  if (language === 'csv') return ['run', runContacts];
  if (language === 'js' && /^db\./m.test(code)) return ['run', runStatements];
  if (['json', 'jsonc', 'yaml'].includes(language)) return ['fits its schema', judgePart];
  return undefined;
}

function judgePart({ language, code }) {
  const campaign = campaignWith(partOf(language, code));
  if (campaign === undefined) throw new Error('it is no part of a campaign: mark it');
  judge('CampaignDocument', campaign);
}

function startWorker(env) {
  const stdio = ['ignore', 'inherit', 'inherit'];
  const worker = spawn(process.execPath, [join(root, 'bin/communication-base.js'), 'worker'], { env, stdio });
  const gone = new Promise((resolve) => worker.once('exit', resolve));
  return async () => {
    worker.kill('SIGTERM');
    await gone;
  };
}

/** The blocks of docs/tour.md, and those of the README between the heading of the tour and the next one, are those that scripts/tour.mjs types. */
function isOfTour({ path, at }, text) {
  if (path === 'docs/tour.md') return true;
  if (path !== 'README.md') return false;
  const from = text.indexOf('\n## Five minutes');
  return at > from && at < text.indexOf('\n## ', from + 1);
}

const folder = mkdtempSync(join(tmpdir(), 'communication-base-documents-'));
const mongo = await startReplicaSet();
const gateway = await startGateway({ port: 0, replies: 'http://127.0.0.1:9/', say: () => {} });
const env = {
  PATH: process.env.PATH,
  ...{ MONGODB_URI: mongo.uri, MONGODB_DATABASE: database, HEALTH_PORT: '0', LOG_LEVEL: 'error', LEASE_TTL_MS: '2000' },
  HASH_KEY: 'only for this very check',
  ...Object.fromEntries(Object.keys(channels).map((name) => [`CHANNEL_${name}_DRIVER`, 'http'])),
  ...Object.fromEntries(Object.entries(channels).map(([name, field]) => [`CHANNEL_${name}_ADDRESS`, field])),
  ...Object.fromEntries(
    Object.keys(channels).map((name) => [`CHANNEL_${name}_URL`, `http://127.0.0.1:${gateway.port}/messages`]),
  ),
};
const stopWorker = startWorker(env);
const client = new MongoClient(mongo.uri);
const counts = {};
const unrun = [];
const problems = [];
try {
  const db = client.db(database);
  process.chdir(folder);
  await prepare(db, folder);
  for (const path of pages) {
    const text = readFileSync(join(root, path), 'utf8');
    for (const block of blocksOf(text, path)) {
      const where = `${path}:${block.line}`;
      let how;
      try {
        if (isOfTour(block, text)) how = 'run by the tour';
        else if (block.note?.kind === 'from') how = 'run by checkSnippets';
        else if (block.note?.kind === 'not run') how = 'not run';
        else {
          const [word, holds] = checkOf(block) ?? [];
          if (holds === undefined) throw new Error(`nothing runs ${block.language}: mark it`);
          await holds(block, { db, env, folder });
          how = word;
        }
      } catch (error) {
        if (block.pageNote) how = 'not run';
        else problems.push(`${where}: ${error.message}`);
      }
      if (how === 'not run')
        unrun.push(
          `${where} (${block.language}): ${block.note?.kind === 'not run' ? block.note.text : block.pageNote}`,
        );
      // what is not run is code all the same
      if (how === 'not run' && block.language === 'js')
        await parse(block.code, { syntax: 'ecmascript' }).catch((error) => problems.push(`${where}: ${error.message}`));
      if (how) counts[how] = (counts[how] ?? 0) + 1;
    }
  }
} finally {
  process.chdir(root);
  await client.close();
  await stopWorker();
  await gateway.close();
  await mongo.stop();
  rmSync(folder, { recursive: true, force: true });
}
for (const line of unrun) process.stdout.write(`not run: ${line}\n`);
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.stdout.write(
  `blocks of ${pages.length} documents: ${Object.entries(counts)
    .map(([how, count]) => `${count} ${how}`)
    .join(', ')}\n`,
);
process.exitCode = problems.length === 0 ? 0 : 1;
