#!/usr/bin/env node
// `npm run bench`: how fast, how punctual and at what cost, beside the most the machine could do. See README.md here.
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { topTen } from './profile.mjs';
import { bulkRun, ceilingRun, trickleRun } from './runs.mjs';
import { latencyTable, profileTable, throughputTable } from './table.mjs';

const usage = `node bench/bench.mjs [options]
  --contacts N      conversations of the bulk run, two messages each (50000)
  --trickle N       conversations of the trickle run, 0 leaves it out (1000)
  --rate N          conversations a second of the trickle run (50)
  --members N       worker processes (1)
  --threads N       WORKER_THREADS of each (1)
  --concurrency N   connections to the provider, of each thread (64)
  --in-doubt N      messages in doubt, of all threads together and of the bare loop, 1 to 10000 (2000)
  --no-ceiling      leave the bare loop out
  --traces SHARE    spans of this share of the conversations, 0 to 1, to a collector that takes all (no tracing)
  --profile         CPU profile of the bulk run, its ten busiest functions
  --json            one JSON document instead of tables`;

const number = (fallback) => ({ type: 'string', default: String(fallback) });
const { values } = parseArgs({
  options: {
    contacts: number(50_000),
    trickle: number(1_000),
    rate: number(50),
    members: number(1),
    threads: number(1),
    concurrency: number(64),
    'in-doubt': number(2_000),
    'no-ceiling': { type: 'boolean', default: false },
    traces: { type: 'string' },
    profile: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const numeric = ['contacts', 'trickle', 'rate', 'members', 'threads', 'concurrency', 'in-doubt'];
const options = { ...values, ...Object.fromEntries(numeric.map((name) => [name, Number(values[name])])) };
const inRange =
  options.members >= 1 && options.threads >= 1 && options['in-doubt'] >= 1 && options['in-doubt'] <= 10_000;
if (values.help || !inRange || numeric.some((name) => !Number.isInteger(options[name]) || options[name] < 0)) {
  process.stdout.write(`${usage}\n`);
  process.exit(values.help ? 0 : 2);
}
if (!existsSync('/proc/self/stat')) {
  process.stderr.write('the bench reads CPU and memory from /proc: it runs on Linux only\n');
  process.exit(2);
}

const say = (text) => process.stderr.write(`${text}\n`);
const print = (text) => (options.json ? undefined : process.stdout.write(`${text}\n`));
const report = { options };

if (!options['no-ceiling']) {
  say(`bare loop over the driver, ${options.contacts} conversations ...`);
  report.ceiling = await ceilingRun(options);
}
say(`worker, ${options.contacts} conversations ...`);
report.bulk = await bulkRun(options);
if (options.trickle > 0) {
  say(`worker, ${options.rate} conversations/s for ${options.trickle / options.rate} s ...`);
  report.trickle = await trickleRun(options);
}
if (report.ceiling) report.share = report.bulk.messagesPerSecond / report.ceiling.messagesPerSecond;
if (report.bulk.profileFolder) report.profile = topTen(report.bulk.profileFolder);

const runs = [report.ceiling, report.bulk, report.trickle].filter((run) => run !== undefined);
print(
  `\nTwo messages a conversation, two seconds apart; from the insert of the campaign to the last message at the sink.\n`,
);
print(throughputTable(runs));
if (report.share) print(`\nThe worker reaches ${report.share.toFixed(2)} of the bare loop.`);
print('\nHow late under the full load (a backlog: all are due at once):\n');
print(latencyTable(report.bulk.late));
if (report.trickle) {
  print(`\nHow late at ${options.rate} conversations/s:\n`);
  print(latencyTable(report.trickle.late));
}
if (report.profile) {
  print(`\nBusiest thread of the worker, by self time (profiles in ${report.bulk.profileFolder}):\n`);
  print(profileTable(report.profile));
}
if (options.json) process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);

for (const run of runs) {
  for (const line of run.problems ?? []) say(`the worker said: ${line}`);
  if (run.exitCodes?.some((code) => code !== 0)) say(`${run.name}: workers ended with ${run.exitCodes.join(', ')}`);
  if (run.lost > 0 || run.repeated > 0) say(`${run.name}: ${run.lost} lost, ${run.repeated} repeated`);
}
process.exit(runs.every((run) => run.lost === 0) ? 0 : 1);
