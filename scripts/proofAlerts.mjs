#!/usr/bin/env node
// `npm run proof:alerts`: a real Prometheus over two workers of two threads; every alert is made to fire by a real fault, and
// none fires while all is well. Time runs 24 times as fast for the rules: every `for`, range and threshold in seconds is divided.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { campaign, faultsOneByOne, faultsTogether, stage } from './alerts/faults.mjs';
import { Watch } from './alerts/watch.mjs';
import { startWorld } from './alerts/world.mjs';

const factor = 24;
const calmMs = 20_000;
const began = Date.now();
const say = (line) => process.stdout.write(`${line}\n`);
const names = (list) => list.join(' ') || 'none';
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

const world = await startWorld(factor);
const { prometheus } = world;
const watch = new Watch(prometheus);
let failed = false;

const numberOf = async (query) => Number((await prometheus.query(query))[0]?.value[1]);

/** Waits until a query answers `wanted`, a minute long; returns what it answers. */
async function answer(query, wanted) {
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(250))
    if ((await numberOf(query)) === wanted) break;
  return numberOf(query);
}

/** Every query of the dashboard, as Grafana would ask it; returns titles of panels that have nothing to show. */
async function askDashboard() {
  const { panels } = JSON.parse(
    readFileSync(new URL('../helm/communication-base/files/dashboard.json', import.meta.url), 'utf8'),
  );
  const empty = [];
  let asked = 0;
  for (const { title, targets = [] } of panels)
    for (const { expr } of targets) {
      const query = expr
        .replaceAll('$__rate_interval', '10s')
        .replaceAll('$__range', '5m')
        .replaceAll(/\$(job|namespace)/g, '.*');
      asked += 1;
      if ((await prometheus.query(query)).length === 0) empty.push(title);
    }
  return { asked, empty };
}

/** Behind rates and an open circuit more workers do not help; how long messages waited for their slots is told. */
async function askLags() {
  const lag = await numberOf('max(communication_base_due_lag_seconds)');
  const withRoom = await numberOf('max(communication_base_due_lag_with_room_seconds)');
  const waits = await numberOf('sum(communication_base_rate_limit_wait_seconds_count{kind="channel"})');
  const p99 = await numberOf(
    'histogram_quantile(0.99, sum by (le) (communication_base_rate_limit_wait_seconds_bucket{kind="channel"}))',
  );
  say(
    `due lag ${lag.toFixed(1)} s, of what more workers would take up ${withRoom.toFixed(1)} s; ` +
      `${waits} messages waited for a slot, 99 of 100 for ${p99.toFixed(1)} s or less`,
  );
  return lag > 20 && withRoom < 5 && waits > 200 && p99 > 20 && p99 < 2 * lag;
}

/**
 * Nothing fires while all is well: every alert counts. What comes before, while the workers start, is told and is no part of it: on this
 * scale a start takes minutes, in which nobody owns or commits.
 */
async function beCalm() {
  const up = await answer('sum(communication_base_ready)', world.workerCount);
  await answer('max(communication_base_partitions) - sum(communication_base_partitions_owned)', 0);
  await world.db
    .collection('campaigns')
    .insertMany([campaign('steady', 200, stage('phone')), campaign('later', 1, stage('phone', { delay: 'P1D' }))]);
  const sent = await answer('sum(communication_base_messages_total{channel="phone",status="sent"})', 200);
  const left = await watch.untilResolved(
    ['WorkerDown', 'PartitionsUnowned', 'WorkerNotReady', 'NothingCommitted'],
    60_000,
  );
  const calmFrom = Date.now();
  const early = watch.seen(0, calmFrom);
  await sleep(calmMs);
  const fired = [...new Set([...watch.now, ...watch.seen(calmFrom)])];
  say(`${up} workers ready, ${sent} messages sent; alerts in ${calmMs / 1000} s while all is well: ${names(fired)}`);
  say(
    `before that, while the workers started (no part of the proof; a start is ${factor} times as long here): ${names(early)}`,
  );
  if (up !== world.workerCount || sent !== 200 || left.length + fired.length > 0) failed = true;
}

/** { fault, since } of each alert, by its name. */
const begun = new Map();
async function begin({ fault, alerts, begin }) {
  const since = Date.now();
  for (const alert of alerts) if (!begun.has(alert)) begun.set(alert, { fault, since });
  await begin(since);
}
const wantedOf = (alerts) => alerts.map((alert) => ({ alert, since: begun.get(alert).since }));

const resolved = new Map();
async function seeResolved({ resolves = [] }, timeoutMs) {
  const from = Date.now();
  const before = new Set(watch.now);
  for (const alert of resolves) {
    const [still] = await watch.untilResolved([alert], timeoutMs);
    const took = before.has(alert) ? `ended in ${((Date.now() - from) / 1000).toFixed(1)} s` : 'had ended';
    resolved.set(alert, still === undefined ? took : 'STILL FIRES');
    if (still !== undefined) failed = true;
  }
}

/** One line an alert: when it fired, from its fault on, and whether it was seen to end. */
async function tellAll() {
  const all = (await prometheus.rules()).map(({ name }) => name.replace('CommunicationBase', ''));
  const rows = all.map((alert) => {
    const of = begun.get(alert);
    const fired = of && watch.firedAt({ alert, since: of.since });
    if (fired === undefined) failed = true;
    const when = fired === undefined ? 'NOT FIRED' : `${((fired - of.since) / 1000).toFixed(1)} s`;
    return [
      alert.padEnd(18),
      when.padStart(9),
      (resolved.get(alert) ?? 'end not looked at').padEnd(17),
      of?.fault ?? 'no fault',
    ].join('  ');
  });
  say(`\n${rows.join('\n')}\n`);
  say(
    `${all.length} alerts, ${failed ? 'NOT ALL WELL' : 'all fired behind their faults'}; ${resolved.size} were seen to end`,
  );
  say(`(time of the rules: ${factor} times as fast; ${((Date.now() - began) / 1000).toFixed(0)} s)`);
}

try {
  await beCalm();
  const together = faultsTogether(world);
  for (const step of together) await begin(step);
  await watch.until(wantedOf(together.flatMap(({ alerts }) => alerts)), 160_000);
  if (!(await askLags())) failed = true;
  const { asked, empty } = await askDashboard();
  if (empty.length > 0) failed = true;
  say(`${asked} queries of the dashboard answered; nothing to show in: ${empty.join(', ') || 'none'}`);
  for (const step of faultsOneByOne(world, watch)) {
    say(step.fault);
    await begin(step);
    if (step.waits === undefined) await watch.until(wantedOf(step.alerts), 110_000);
    await step.end?.();
    await seeResolved(step, 60_000);
  }
  for (const step of together) await seeResolved(step, 1_000);
  await tellAll();
} finally {
  await watch.stop();
  await world.stop();
}
process.exit(failed ? 1 : 0);
