// Campaigns on real workers and a real three-node replica set, while everything around them fails; then everything has to add up.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { nothing } from './faults.mjs';
import { auditMeanwhile } from './meanwhile.mjs';
import { rollOplog } from './oplog.mjs';
import { seeded } from './random.mjs';
import { reportOf } from './report.mjs';
import { dropAndRestore } from './restore.mjs';
import { perform, schedule } from './schedule.mjs';
import { settled } from './settle.mjs';
import { database, even, setUp } from './stage.mjs';
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
    const inject = async () => {
      try {
        if ((await perform(world, fault)) === nothing) world.notDone.push(`${fault.name}: nothing was there to fail`);
        else counts[fault.name] = (counts[fault.name] ?? 0) + 1;
      } catch (error) {
        say(`  could not: ${fault.name}: ${error.message}`);
        world.notDone.push(`${fault.name}: ${error.message}`);
      }
    };
    running.push(inject());
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
  const traffic = new Traffic({ db, random: random.fork(), seed, everyMs: 2_500 });
  holder.traffic = traffic;
  await traffic.prepare();
  const workers = stage.startWorkers();
  const world = {
    ...{ ...stage, workers, notDone: [], spans: [], sendingStops: [] },
    rollOplog: () => rollOplog({ client, set }),
    restoreCampaigns: (how) => dropAndRestore({ db, traffic, workers }, how),
  };
  const plan = schedule(world, random.fork(), { totalMs: minutes * 60_000, everyMs: 3_500 });
  await even({ db, workerCount });
  const over = new AbortController();
  const flow = traffic.run();
  const meanwhile = auditMeanwhile({ env, world }, over.signal);
  const faults = await injectAll(world, plan);
  say('all faults are over; what is open has to come to its end');
  over.abort();
  for (let index = 0; index < workerCount; index++) workers.start(index);
  for (const node of set.nodes) await node.admin({ configureFailPoint: 'failCommand', mode: 'off' }).catch(() => {});
  await traffic.stop();
  await flow;
  const healedAt = Date.now();
  const mostMs = 180_000 + minutes * 30_000;
  let stuck = await settled({ db, traffic, provider, mostMs });
  await traffic.hush();
  if (stuck.length === 0) stuck = await settled({ db, traffic, provider, mostMs });
  const settledAfterMs = Date.now() - healedAt;
  if (stuck.length > 0 && options.hold) {
    say(`stuck: ${stuck.join(' ')}; MONGODB_URI=${env.MONGODB_URI} MONGODB_DATABASE=${database}`);
    await sleep(2 ** 31 - 1);
  }
  const audited = await audit(env);
  const { spans, sendingStops, leaseTtlMs } = world;
  const verdict = await judge({
    ...{ db, provider, traffic, workers, inDoubt, spans, sendingStops, leaseTtlMs, atMostOnce: ['alert'] },
  });
  await workers.stop();
  const told = { seed, minutes, faults, settledAfterMs, stuck, audited, verdict, meanwhile: await meanwhile };
  const report = reportOf({ ...told, world, workers, traffic });
  console.log(JSON.stringify(report, undefined, 2));
  const good = Object.keys(report.problems).length === 0;
  const keep = !good || options.keep;
  if (keep) await writeFile(join(folder, 'report.json'), JSON.stringify(report, undefined, 2));
  await stage.tearDown({ keep });
  say(
    good ? 'everything adds up' : `FAILED: it is repeated with --seed ${seed} --minutes ${minutes}; logs in ${folder}`,
  );
  return good ? 0 : 1;
}

process.exit(await main());
