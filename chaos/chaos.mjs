// Campaigns on real workers and a real three-node replica set, while everything around them fails; then everything has to add up.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { perform, schedule } from './faults.mjs';
import { rollOplog } from './oplog.mjs';
import { seeded } from './random.mjs';
import { settled } from './settle.mjs';
import { database, setUp } from './stage.mjs';
import { Traffic } from './traffic.mjs';
import { audit, judge } from './verdict.mjs';

const usage = `npm run chaos -- [--minutes N] [--seed S] [--workers N] [--keep] [--hold]
  --minutes  how long faults are injected (default 5)
  --seed     the schedule of faults and the traffic follow from it (default: a new one, which is printed)
  --workers  worker processes (default 3)
  --hold     when something is stuck, stay so that it can be looked at, until interrupted
  --keep     leave the logs of the workers behind even if all is well`;

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
    workers: { type: 'string', default: '3' },
    keep: { type: 'boolean', default: false },
    hold: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (options.help) {
  console.log(usage);
  process.exit(0);
}
const minutes = Number(options.minutes);
const seed = Number(options.seed);
const workerCount = Number(options.workers);
if (![minutes, seed, workerCount].every(Number.isFinite) || minutes <= 0 || workerCount < 1) {
  console.error(usage);
  process.exit(2);
}

const inDoubt = 128;
const startedAt = Date.now();
const clock = () => {
  const seconds = (Date.now() - startedAt) / 1000;
  return `${String(Math.floor(seconds / 60)).padStart(2)}:${(seconds % 60).toFixed(1).padStart(4, '0')}`;
};
const say = (line) => console.log(`${clock()}  ${line}`);

/** The schedule, each fault in its time; several may be under way at once. */
async function injectAll(world, plan) {
  const began = Date.now();
  const counts = {};
  const running = [];
  for (const fault of plan) {
    await sleep(Math.max(0, began + fault.at - Date.now()));
    const { seed: _, ...told } = fault.particulars;
    say(`${fault.name} ${JSON.stringify(told)}`);
    counts[fault.name] = (counts[fault.name] ?? 0) + 1;
    running.push(
      perform(world, fault).catch((error) => {
        say(`  could not: ${fault.name}: ${error.message}`);
        world.notDone.push(`${fault.name}: ${error.message}`);
      }),
    );
  }
  await Promise.all(running);
  return counts;
}

async function main() {
  const random = seeded(seed);
  const holder = {};
  const stage = await setUp({
    ...{ workerCount, oplogMb: 24, env: { SEND_CONCURRENCY: String(inDoubt) } },
    onTaken: (message) => holder.traffic?.heard(message),
  });
  const { folder, set, client, db, provider, env } = stage;
  say(`seed ${seed}, ${minutes} min, ${workerCount} workers, three mongods; logs in ${folder}`);
  const traffic = new Traffic({ db, random: random.fork(), everyMs: 2_500 });
  holder.traffic = traffic;
  await traffic.prepare();
  const workers = stage.startWorkers();
  const world = { ...stage, workers, notDone: [], rollOplog: () => rollOplog({ client, set }) };
  const plan = schedule(world, random.fork(), { totalMs: minutes * 60_000, everyMs: 3_500 });
  const flow = traffic.run();
  const counts = await injectAll(world, plan);
  say('all faults are over; what is open has to come to its end');
  for (let index = 0; index < workerCount; index++) workers.start(index);
  for (const node of set.nodes) await node.admin({ configureFailPoint: 'failCommand', mode: 'off' }).catch(() => {});
  await traffic.stop();
  await flow;
  const healedAt = Date.now();
  const stuck = await settled({ db, traffic, provider });
  const settledAfterMs = Date.now() - healedAt;
  if (stuck.length > 0 && options.hold) {
    say(`stuck: ${stuck.join(' ')}; MONGODB_URI=${env.MONGODB_URI} MONGODB_DATABASE=${database}`);
    await sleep(2 ** 31 - 1);
  }
  const audited = await audit(env);
  const verdict = await judge({ db, provider, traffic, atMostOnce: ['alert'] });
  await workers.stop();

  const ended =
    (counts['kill a worker'] ?? 0) +
    (counts['positions are deleted'] ?? 0) +
    workerCount * (counts['positions fall off the oplog'] ?? 0) +
    workers.counts.fenced +
    workers.counts.failed +
    workers.counts.undrained +
    workers.counts.takeOvers;
  const problems = [
    ...Object.entries(verdict.faults).filter(([, { count }]) => count > 0),
    ...(stuck.length > 0 ? [['stuck', { count: stuck.length, examples: stuck.slice(0, 10) }]] : []),
    ...(workers.crashes.length > 0 ? [['worker processes that ended by themselves', workers.crashes]] : []),
    ...(audited.ok && audited.code === 0
      ? []
      : [['audit', { code: audited.code, findings: audited.findings?.slice(0, 10) }]]),
    ...(verdict.figures.unasked > ended * inDoubt
      ? [['more repeats than were in doubt', { unasked: verdict.figures.unasked, bound: ended * inDoubt }]]
      : []),
    ...(workers.counts.uncaught > 0 ? [['exceptions that nobody caught', workers.counts.uncaught]] : []),
    ...(workers.counts.reconciled > 0 ? [['reconcile had to repair something', workers.counts.reconciled]] : []),
  ];
  const report = {
    ...{ seed, minutes, faults: counts, injected: Object.values(counts).reduce((sum, n) => sum + n, 0) },
    ...{ traffic: traffic.actions, messages: verdict.figures, repeatBound: ended * inDoubt, settledAfterMs },
    ...{ workerStarts: workers.starts, seen: workers.counts, errors: Object.fromEntries(workers.errors) },
    audit: {
      ok: audited.ok,
      conversations: audited.conversations,
      messages: audited.messages,
      unknown: audited.unknown,
    },
    problems: Object.fromEntries(problems),
  };
  console.log(JSON.stringify(report, undefined, 2));
  const good = problems.length === 0;
  const keep = !good || options.keep;
  if (keep) await writeFile(join(folder, 'report.json'), JSON.stringify(report, undefined, 2));
  await stage.tearDown({ keep });
  say(
    good ? 'everything adds up' : `FAILED: it is repeated with --seed ${seed} --minutes ${minutes}; logs in ${folder}`,
  );
  return good ? 0 : 1;
}

process.exit(await main());
