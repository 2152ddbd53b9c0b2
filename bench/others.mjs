#!/usr/bin/env node
// `npm run bench:others`: the same messages by others, each with a worker process of its own. See "Beside others" in README.md here.
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { candidates } from './others/candidates.mjs';
import { killRun, throughputRun } from './others/run.mjs';
import { killTable, ratioTable, throughputTable } from './others/tables.mjs';

const usage = `node bench/others.mjs [options]
  --contacts N      contacts, two messages each, the second two seconds after the first (20000)
  --rounds N        how often, one candidate after the other (3)
  --only LIST       of ${Object.keys(candidates).join(',')} (all)
  --connections N   to the provider (64)
  --in-doubt N      SEND_CONCURRENCY of communication-base (512, its default)
  --pollers N       of the polling loop (32)
  --kill            kill the worker when half of the messages are sent, start another at once; one round unless --rounds says more
  --json            one JSON document instead of tables`;

const number = (fallback) => ({ type: 'string', default: String(fallback) });
const { values } = parseArgs({
  options: {
    contacts: number(20_000),
    rounds: { type: 'string' },
    only: { type: 'string', default: Object.keys(candidates).join(',') },
    connections: number(64),
    'in-doubt': number(512),
    pollers: number(32),
    kill: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds ?? (values.kill ? 1 : 3));
const options = {
  contacts: Number(values.contacts),
  connections: Number(values.connections),
  inDoubt: Number(values['in-doubt']),
  pollers: Number(values.pollers),
};
const ids = values.only.split(',');
const valid = [rounds, ...Object.values(options)].every((value) => Number.isInteger(value) && value > 0);
if (values.help || !valid || ids.some((id) => !Object.hasOwn(candidates, id))) {
  process.stdout.write(`${usage}\n`);
  process.exit(values.help ? 0 : 2);
}
if (!existsSync('/proc/self/stat')) {
  process.stderr.write('the bench reads CPU and memory from /proc: it runs on Linux only\n');
  process.exit(2);
}

// so that databases and their folders go, too
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

const say = (text) => process.stderr.write(`${text}\n`);
const results = [];
for (const id of ids) {
  const candidate = candidates[id];
  const lack = candidate.lacks?.();
  if (lack) say(`${candidate.name} is left out: ${lack}`);
  else results.push({ candidate, runs: [] });
}
if (results.length === 0) process.exit(2);
for (const { candidate } of results) await candidate.install();
for (let round = 1; round <= rounds; round++) {
  for (const { candidate, runs } of results) {
    say(`round ${round} of ${rounds}: ${candidate.name} ...`);
    const run = await (values.kill ? killRun : throughputRun)(candidate, options);
    say(`  ${JSON.stringify(run)}`);
    runs.push(run);
  }
}

if (values.json) {
  const told = results.map(({ candidate: { id, name, versions }, runs }) => ({ id, name, versions, runs }));
  process.stdout.write(`${JSON.stringify({ options, results: told }, undefined, 2)}\n`);
} else {
  const parts = [values.kill ? killTable(results) : throughputTable(results)];
  if (!values.kill && results.length > 1) parts.push(ratioTable(results));
  process.stdout.write(`\n${parts.join('\n\n')}\n\n`);
  for (const { candidate } of results)
    if (candidate.versions) process.stdout.write(`${candidate.name}: ${candidate.versions}\n`);
}
