#!/usr/bin/env node
// Every block of code in the documents is run, or held against what it has to be: commands by the program itself and statements by
// the driver, on a replica set with a worker; variables by the configuration; campaigns and parts of them by our own checks. What
// cannot be is marked in the page with the reason, and listed here. The tour of the README and the programs of
// docs/writing-campaigns.md have checks of their own. `dist` has to be there.
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from '@swc/core';
import { MongoClient } from 'mongodb';
import { startGateway } from '../examples/sandbox/gateway.mjs';
import { checkOf, stood, until } from './blockChecks.mjs';
import { blocksOf } from './docBlocks.mjs';
import { startReplicaSet } from './replicaSet.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
function markdownIn(place) {
  const names = readdirSync(join(root, place), { recursive: true });
  return names.filter((name) => name.endsWith('.md')).map((name) => `${place}/${name}`);
}
const pages = ['README.md', 'bench/README.md', 'chaos/README.md', 'examples/README.md', 'ARCHITECTURE.md']
  .concat(markdownIn('docs'))
  .concat(existsSync(join(root, 'helm')) ? markdownIn('helm') : []);
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

/** What became of a block, and why it was not run; throws with what is wrong with it. */
async function look(block, page, world) {
  const { note, pageNote, language, code } = block;
  if (isOfTour(block, page)) return { how: 'run by the tour' };
  if (note?.kind === 'from') return { how: 'run by checkSnippets' };
  if (note?.kind === 'run by') {
    if (!existsSync(join(root, note.text))) throw new Error(`there is no ${note.text}`);
    return { how: 'run by a test' };
  }
  const [how, holds] = checkOf(block) ?? [];
  const why = note?.kind === 'not run' ? note.text : pageNote;
  if (why === undefined) {
    if (holds === undefined) throw new Error('nothing runs that: mark it');
    await holds(block, world);
    return { how };
  }
  // it is code all the same
  if (language === 'js') await parse(code, { syntax: 'ecmascript' });
  return { how: 'not run', why };
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
      const where = `${path}:${block.line} (${block.language})`;
      try {
        const { how, why } = await look(block, text, { db, env, folder });
        counts[how] = (counts[how] ?? 0) + 1;
        if (why !== undefined) unrun.push(`${where}: ${why}`);
      } catch (error) {
        problems.push(`${where}: ${error.message}`);
      }
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
