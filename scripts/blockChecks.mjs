// What is done with a block of a document, by its language: it is run, or held against what it has to be. `world` is
// `{ db, env, folder }`: the database, what a worker of it has in its environment, and where files may be written. Each throws with what
// is wrong.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createContext, runInContext } from 'node:vm';
import { runCommandLine } from '../dist/src/cli/program.js';
import { readConfig } from '../dist/src/config.js';
import { faultsOf } from '../dist/src/domain/validation.js';
import { campaignWith, partOf, wordsOf } from './docBlocks.mjs';

/** `{ … }` in a statement stands for one of these. */
export const stood = {
  flow: { stages: [{ id: 'hello', type: 'message', channel: 'sms', content: { text: 'Hello' }, waitForReply: 'P1D' }] },
  audience: { contacts: [{ id: 'ada', name: 'Ada', phone: '+493055501005' }] },
};
const definitions = { inbound_events: 'InboundEvent', suppressions: 'Suppression', campaigns: 'CampaignDocument' };
/** Every call has so long, ms. */
const patienceMs = 20_000;

/** Resolves once it holds. */
export async function until(what, holds) {
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
  const adminCommand = (command) => void calls.push(() => db.admin().command(command));
  const named = new Proxy({}, { get: (_, name) => ({ runCommand, adminCommand })[name] ?? collection(name) });
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
export function checkOf({ language, code, note }) {
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
