/**
 * How fast channels are, by the clock of who receives: a rate over many members, one of which dies; a provider that is away beside
 * two that work; a small campaign beside a large one. The figures are printed. SECONDS, AWAY and BACKLOG make them longer; PROOF
 * holds them to what is promised of a machine that has the time.
 */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { lateness } from '../support/lateness.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { waitFor } from '../support/waitFor.ts';
import { shortLease, startWorker, type WorkerProcess } from '../support/workers.ts';

type Loose = { _id: string; [field: string]: unknown };
const seconds = Number(process.env['SECONDS'] ?? 10);
const awaySeconds = Number(process.env['AWAY'] ?? 5);
/** How much of a rate is used, and how soon, is no question to a machine that does other things too. */
const [leastUsed, latestMs] = process.env['PROOF'] === undefined ? [0.4, 60_000] : [0.95, 2_000];
const backlog = Number(process.env['BACKLOG'] ?? 8_000);

let database: TestDatabase;
let late: ReturnType<typeof lateness>;
const sinks: Sink[] = [];
const workers: WorkerProcess[] = [];
beforeEach(async () => {
  database = await testDatabase('rates');
  late = lateness();
});
afterEach(async () => {
  if (process.env['DEBUG_LOG'])
    for (const worker of workers) process.stderr.write(`${worker.log.slice(-12).join('\n')}\n----\n`);
  // one that is killed in the middle of its work leaves a transaction behind, and the database is not dropped before that is over
  await Promise.all(workers.splice(0).map((worker) => worker.kill('SIGTERM')));
  for (const sink of sinks.splice(0)) await sink.close();
  await database.close();
});

const of = (name: string) => database.db.collection<Loose>(name);
const until = (what: string, condition: () => Promise<unknown>, timeoutMs = 120_000) =>
  waitFor(condition, { what, timeoutMs, intervalMs: 50 });
const passed = (since: number, ms: number) => until(`${ms} ms`, async () => Date.now() >= since + ms);

async function sinkOf(): Promise<Sink> {
  const sink = await startSink({ keep: 200_000 });
  sinks.push(sink);
  return sink;
}

function start(env: Record<string, string>): WorkerProcess {
  const worker = startWorker(database, { ...shortLease, PARTITIONS: '32', SHUTDOWN_GRACE_MS: '2000', ...env });
  workers.push(worker);
  return worker;
}

async function submit(_id: string, channel: string, count: number, more: object = {}): Promise<void> {
  const contacts = Array.from({ length: count }, (_, n) => ({ id: `c${n}`, phone: `+49${1_000_000 + n}` }));
  const flow = { stages: [{ id: 'intro', type: 'message', channel, content: { text: 'Hi' } }] };
  await of('campaigns').insertOne({ _id, status: 'pending', audience: { contacts }, flow, ...more });
}

/** Of one channel with an address by name. */
const channel = (name: string, sink: Sink, more: Record<string, string> = {}): Record<string, string> =>
  Object.fromEntries(
    Object.entries({ DRIVER: 'http', URL: sink.url, ADDRESS: 'phone', ...more }).map(([setting, value]) => [
      `CHANNEL_${name.toUpperCase()}_${setting}`,
      value,
    ]),
  );

const between = ({ deliveries }: Sink, from: number, to: number): number =>
  deliveries.filter(({ at }) => at >= from && at < to).length;

/** In any second, not only whole ones. */
function mostInASecond({ deliveries }: Sink, since = 0): number {
  let from = 0;
  let most = 0;
  const times = deliveries.map(({ at }) => at).filter((at) => at >= since);
  for (let to = 0; to < times.length; to++) {
    while ((times[to] as number) - (times[from] as number) >= 1_000) from += 1;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

/** `RateLimit` over the second in which they were seen, and what the sinks' process was late by. */
const mostAllowed = (rate: number, burst: number): number => rate * (1 + late.most() / 1_000) + burst;

const say = (text: string): void => void process.stderr.write(`${text}\n`);

test('a rate over four members, one killed and one added: never more than rate and burst, and used', async () => {
  const [rate, burst] = [100, 50];
  const sink = await sinkOf();
  const env = channel('phone', sink, { RATE: `${rate}/s`, BURST: String(burst) });
  const first = Array.from({ length: 4 }, () => start(env));
  const owners = () => of('partitions').distinct('owner');
  await until('four to own partitions', async () => (await owners()).length === 4);
  await submit('many', 'phone', rate * (seconds + 4));
  await until('the first message', async () => sink.taken > 0);
  const began = Date.now();
  await passed(began, (seconds * 1_000) / 3);
  await first[0]?.kill('SIGKILL');
  start(env);
  await passed(began, seconds * 1_000);
  const used = between(sink, began, began + seconds * 1_000);
  const most = mostInASecond(sink);
  say(`${used} messages in ${seconds} s at ${rate}/s over four members, at most ${most} in a second`);
  expect(most).toBeLessThanOrEqual(mostAllowed(rate, burst));
  // whoever dies takes the slots with it that it had just been given
  expect(used).toBeGreaterThanOrEqual(leastUsed * rate * seconds - rate / 4);
}, 200_000);

test('one of three providers is away: the others keep their rate, and what waited for it comes back at its own', async () => {
  const [rate, burst] = [40, 20];
  const names = ['first', 'second', 'third'];
  const all = [await sinkOf(), await sinkOf(), await sinkOf()] as const;
  const [, second] = all;
  const pace = { RATE: `${rate}/s`, BURST: String(burst) };
  const env = Object.assign({}, ...names.map((name, n) => channel(name, all[n] as Sink, pace)));
  start({ ...env, WORKER_THREADS: '2' });
  for (const name of names) await submit(name, name, rate * (awaySeconds + 6));
  await until('messages on each', async () => all.every(({ taken }) => taken > rate));
  let isAway = true;
  second.answer(() => (isAway ? { status: 503 } : undefined));
  const began = Date.now();
  await passed(began, awaySeconds * 1_000);
  isAway = false;
  const back = Date.now();
  const shares = [0, 2].map((n) => between(all[n] as Sink, began, back) / ((rate * (back - began)) / 1_000));
  await until('the backlog of the second', async () => (await runOf('second'))?.['settled'] === true);
  const tookMs = Date.now() - back;
  const attempts = second.taken;
  say(
    `${shares.map((share) => `${(100 * share).toFixed(1)} %`).join(' and ')} of their rate while the second was away; ` +
      `it got ${attempts} tries for ${second.keys.size} messages, at most ${mostInASecond(second, back)} in a second after, all within ${tookMs} ms`,
  );
  for (const share of shares) expect(share).toBeGreaterThanOrEqual(leastUsed);
  expect(mostInASecond(second, back)).toBeLessThanOrEqual(mostAllowed(rate, burst));
  expect(await of('messages').countDocuments({ channel: 'second', status: 'sent' })).toBe(rate * (awaySeconds + 6));
  // an outage uses up nobody's tries
  expect(await of('messages').countDocuments({ attempts: { $gte: 4 } })).toBe(0);
}, 200_000);

const runOf = (_id: string) => of('campaign_runs').findOne({ _id });

test('ten contacts beside a large campaign that is due: they do not wait for it', async () => {
  const sink = await sinkOf();
  await of('people').insertMany(
    Array.from({ length: backlog }, (_, n) => ({ _id: `p${n}`, phone: `+49${1_000_000 + n}` })),
  );
  start(channel('phone', sink));
  await until('a member', async () => (await of('partitions').distinct('owner')).length === 1);
  await of('settings').updateOne({ _id: 'control' }, { $set: { sending: 'stopped' } }, { upsert: true });
  const flow = { stages: [{ id: 'intro', type: 'message', channel: 'phone', content: { text: 'Hi' } }] };
  const audience = { collection: 'people' };
  await of('campaigns').insertOne({ _id: 'large', status: 'pending', audience, flow });
  await until(
    'all of the large one',
    async () =>
      (await runOf('large'))?.['expansion'] &&
      (await of('conversation_states').countDocuments({ campaignId: 'large' })) === backlog,
    600_000,
  );
  await of('settings').updateOne({ _id: 'control' }, { $set: { sending: 'on' } });
  await until('the large one to leave', async () => sink.taken > 500);
  await submit('small', 'phone', 10);
  await until('the small one', async () => (await runOf('small'))?.['settled'] === true);
  await until('the large one', async () => (await runOf('large'))?.['settled'] === true, 600_000);
  const left = sink.deliveries.length - 1 - sink.deliveries.findLastIndex(({ key }) => key.startsWith('small:'));
  const rows = await of('messages').find({ campaignId: 'small' }).toArray();
  const lateMs = rows.map(({ dueAt, sentAt }) => Number(sentAt) - Number(dueAt)).sort((a, b) => a - b);
  say(`ten beside ${backlog}: from due to sent ${lateMs[0]} to ${lateMs.at(-1)} ms, with ${left} still to go`);
  expect(rows).toHaveLength(10);
  expect(lateMs.at(-1)).toBeLessThan(latestMs);
  expect(left).toBeGreaterThan(0);
}, 900_000);

test('a campaign with limits.perSecond keeps to it over two members, and one beside it takes no notice', async () => {
  const [perSecond, count] = [20, 20 * (seconds > 10 ? 30 : 6)];
  const [slow, free] = [await sinkOf(), await sinkOf()];
  const env = { ...channel('slow', slow), ...channel('free', free) };
  for (let n = 0; n < 2; n++) start(env);
  await until('two to own partitions', async () => (await of('partitions').distinct('owner')).length === 2);
  const began = Date.now();
  await submit('limited', 'slow', count, { limits: { perSecond } });
  await submit('unlimited', 'free', backlog / 2);
  await until('both to be over', async () => (await of('campaigns').countDocuments({ status: 'completed' })) === 2);
  const [first = 0, last = 0] = [slow.deliveries[0]?.at, slow.deliveries.at(-1)?.at];
  const most = mostInASecond(slow);
  const rate = ((count - 1) * 1_000) / Math.max(1, last - first);
  say(
    `${count} messages at ${perSecond}/s: ${rate.toFixed(1)} a second, at most ${most} in one; ` +
      `${free.taken} beside them within ${(free.deliveries.at(-1)?.at ?? 0) - began} ms`,
  );
  expect([slow.taken, free.taken]).toEqual([count, backlog / 2]);
  expect(most).toBeLessThanOrEqual(mostAllowed(perSecond, perSecond));
  expect(rate).toBeGreaterThanOrEqual((leastUsed / 2) * perSecond * (process.env['PROOF'] === undefined ? 1 : 2));
  expect(await of('rate_limits').countDocuments({ _id: 'campaign:limited' })).toBe(0);
}, 200_000);

test('a slow mail domain holds up no other', async () => {
  const sink = await sinkOf();
  start(channel('email', sink, { ADDRESS: 'email', DOMAIN_RATES: 'slow.test=2/s' }));
  const people = (domain: string, count: number): object[] =>
    Array.from({ length: count }, (_, n) => ({ id: `${domain}${n}`, email: `p${n}@${domain}` }));
  const contacts = [...people('slow.test', 400), ...people('fast.test', 400)];
  await submit('mixed', 'email', 0, { audience: { contacts }, transactional: true });
  const to = (domain: string): number =>
    sink.deliveries.filter(({ json }) => String((json as { to: string }).to).endsWith(`@${domain}`)).length;
  const began = Date.now();
  await until('all of the fast domain', async () => to('fast.test') === 400);
  const ms = Date.now() - began;
  const slow = to('slow.test');
  say(`400 of the fast domain within ${ms} ms, ${slow} of the slow one`);
  expect(slow).toBeLessThanOrEqual(2 * ((ms + late.most()) / 1_000 + 1) + 2);
  await until(
    'what waits to be put back',
    async () => (await of('messages').countDocuments({ status: 'sending' })) < 10,
  );
  const waiting = await of('conversation_states').countDocuments({ delayed: 'rate' });
  expect(waiting).toBeGreaterThan(350);
  await of('rate_limits').updateOne({ _id: 'domain:email:slow.test' }, { $set: { rate: '1000/s' } }, { upsert: true });
}, 200_000);
