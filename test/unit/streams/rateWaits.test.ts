/** What metrics are told of lanes that stand behind a rate: how long messages waited, and whether more members would help. */
import { describe, expect, test } from '@jest/globals';
import { LaneHolds } from '../../../streams/laneHolds.ts';
import { Cluster } from './cluster/cluster.ts';
import { member } from './member.ts';

async function clusterOf(members: number, rate?: string): Promise<Cluster> {
  const cluster = new Cluster(() => 0.5);
  if (rate !== undefined) cluster.database.rates.put({ _id: 'channel:sms', rate });
  for (let n = 0; n < members; n++) cluster.join();
  cluster.provider.isHealthy = true;
  await cluster.clock.advanceAsync(10_000);
  return cluster;
}

async function pass(cluster: Cluster, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 250) await cluster.clock.advanceAsync(250);
}

const waitsIn = (cluster: Cluster) => cluster.instruments.flatMap((one) => one.of('rateWait'));

/** The last lag that was told, the larger of all members, ms. */
function lagsIn(cluster: Cluster): { all: number; withRoom: number } {
  const last = cluster.instruments.flatMap(
    (one) => one.of('vitals').findLast(([found]) => found.dueLagMs !== undefined) ?? [],
  );
  const most = (of: (found: (typeof last)[number]) => number | undefined): number =>
    Math.max(0, ...last.map((one) => of(one) ?? 0));
  return { all: most(({ dueLagMs }) => dueLagMs), withRoom: most(({ dueLagWithRoomMs }) => dueLagWithRoomMs) };
}

const sentIn = (cluster: Cluster): number =>
  cluster.database.messages.find(({ sentAt }) => sentAt !== undefined).length;

describe('holds of lanes', () => {
  let [now, steps] = [0, 0];
  const holds = new LaneHolds({ now: () => now + steps, monotonic: () => now });
  const look = (why: Parameters<LaneHolds['look']>[1], at: number) => {
    now = at;
    holds.look('lane', why);
    return holds.rateOf('lane')?.since;
  };

  test('who has room now and then stands behind the rate all the same, and no more after 5 s', () => {
    expect([look('channel', 1_000), look(undefined, 2_000), look('channel', 7_000)]).toEqual([1_000, 1_000, 1_000]);
    expect([look(undefined, 8_000), look(undefined, 13_000), look(undefined, 13_001)]).toEqual([
      1_000,
      1_000,
      undefined,
    ]);
    expect(holds.has('lane')).toBe(false);
  });

  test('a clock that is set back keeps nobody held', () => {
    look('channel', 20_000);
    look(undefined, 21_000);
    steps = -3_600_000;
    look(undefined, 26_001);
    expect(holds.has('lane')).toBe(false);
    steps = 0;
  });

  test('from rate to rate the wait goes on; what an outage or stop-all takes is no wait for a slot', () => {
    expect([look('channel', 1_000), look('campaign', 2_000)]).toEqual([1_000, 1_000]);
    expect(holds.rateOf('lane')?.kind).toBe('campaign');
    expect([look('circuit', 3_000), holds.has('lane'), look('channel', 9_000)]).toEqual([undefined, true, 9_000]);
    expect([look('stopped', 10_000), holds.has('lane')]).toEqual([undefined, true]);
    holds.forget('lane');
    expect(holds.has('lane')).toBe(false);
  });
});

describe('a backlog', () => {
  test('behind the rate of a campaign: each message that left is told of once, and no more members are asked for', async () => {
    const cluster = await clusterOf(2);
    cluster.insertCampaign('one', 48, { limits: { perSecond: 4 } });
    await pass(cluster, 10_000);
    expect(lagsIn(cluster).all).toBeGreaterThan(4_000);
    expect(lagsIn(cluster).withRoom).toBe(0);
    await pass(cluster, 10_000);
    expect(sentIn(cluster)).toBe(48);
    const waits = waitsIn(cluster);
    expect(new Set(waits.map(([kind]) => kind))).toEqual(new Set(['campaign']));
    expect(waits.length).toBeGreaterThanOrEqual(40);
    expect(waits.length).toBeLessThanOrEqual(48);
    const longest = Math.max(...waits.map(([, ms]) => ms));
    expect(longest).toBeGreaterThan(8_000);
    expect(longest).toBeLessThan(14_000);
    expect(lagsIn(cluster)).toEqual({ all: 0, withRoom: 0 });
  });

  test('behind the rate of a channel', async () => {
    const cluster = await clusterOf(1, '4/s');
    cluster.insertCampaign('one', 48);
    await pass(cluster, 20_000);
    expect(sentIn(cluster)).toBe(48);
    const waits = waitsIn(cluster);
    expect(new Set(waits.map(([kind]) => kind))).toEqual(new Set(['channel']));
    expect(Math.max(...waits.map(([, ms]) => ms))).toBeGreaterThan(8_000);
  });

  test('of what members cannot get through asks for more of them, and nobody waited for a slot', async () => {
    const cluster = await clusterOf(1);
    // it answers after three seconds now
    cluster.provider.isHealthy = false;
    cluster.insertCampaign('one', 40);
    await pass(cluster, 10_000);
    expect(sentIn(cluster)).toBeLessThan(40);
    expect(lagsIn(cluster).withRoom).toBeGreaterThan(4_000);
    expect(lagsIn(cluster).withRoom).toBe(lagsIn(cluster).all);
    expect(waitsIn(cluster)).toEqual([]);
  });

  test('behind an open circuit: no more members are asked for', async () => {
    const { schedule, dispatch, turn, answer, wire, clock } = await member(
      [{ id: 'intro', type: 'message', channel: 'sms', content: { text: 'Hello' } }],
      Array.from({ length: 40 }, (_, n) => `p${n}`),
    );
    await turn();
    while (wire.length > 0 && dispatch.channelStates['sms'] === undefined) {
      await answer({ kind: 'retry', code: 'http_503', message: 'down', counts: true });
      await turn();
    }
    expect(dispatch.room.heldBy('sms')).toBe('circuit');
    clock.advance(100);
    expect(new Set(schedule.overdue().map(({ isHeld }) => isHeld))).toEqual(new Set([true]));
    dispatch.stop();
    expect(dispatch.room.heldBy('sms')).toBe('stopped');
  });
});

test.each([
  ['and left then', 30_000],
  ['whatever kept it from leaving then', 3_600_000],
])('a message that was told its turn at its domain waited for that, %s', async (_, ms) => {
  const { turn, answer, dispatch, results, clock, instruments } = await member([
    { id: 'intro', type: 'message', channel: 'sms', content: { text: 'Hello' } },
  ]);
  await turn();
  const row = dispatch.entry('spring:ada')?.row;
  if (row === undefined) throw new Error('nothing is in doubt');
  const now = clock.now();
  results.push({ row, outcome: { kind: 'held', inMs: 30_000 }, decidedAt: now, answeredAt: now });
  await turn();
  clock.advance(ms);
  await turn();
  await answer();
  expect(instruments.of('rateWait')).toEqual([['domain', 30_000]]);
});
