import { describe, expect, test } from '@jest/globals';
import type { Lane } from '../../../src/domain/model.ts';
import type { OplogSpan, VitalsStore } from '../../../src/domain/vitalPorts.ts';
import { Vitals } from '../../../streams/vitals.ts';
import { manualClock } from '../../support/clock.ts';
import { recordingInstruments, recordingLogger } from '../../support/fakes.ts';
import { Cluster } from './cluster/cluster.ts';

const lane = (campaignId: string): Lane => ({ channel: 'sms', campaignId, opening: true });

function fixture({
  span,
  due = [],
}: {
  span?: OplogSpan;
  due?: { lane: Lane; since: number; at?: number; isHeld?: boolean }[];
}) {
  const clock = manualClock();
  const instruments = recordingInstruments();
  const logger = recordingLogger();
  const asked: string[] = [];
  const reads = { stop: 0, oplog: 0 };
  const store: VitalsStore = {
    async sendingStopped() {
      reads.stop += 1;
      return true;
    },
    async oplog() {
      reads.oplog += 1;
      return span;
    },
  };
  const vitals = new Vitals({
    ...{ store, clock, logger, instruments, partitions: 16, signal: new AbortController().signal },
    overdue: () => due.map(({ since, lane, isHeld = false }) => ({ lane, since: clock.now() - since, isHeld })),
    active: () => [1, 2],
    conversations: {
      async nextDue({ campaignId }) {
        asked.push(String(campaignId));
        const at = due.find((one) => one.lane.campaignId === campaignId)?.at;
        return at === undefined ? undefined : new Date(clock.now() - at);
      },
    },
  });
  const lag = async (): Promise<number | undefined> => {
    await vitals.tick();
    return instruments.of('vitals').findLast(([{ dueLagMs }]) => dueLagMs !== undefined)?.[0].dueLagMs;
  };
  const withRoom = (): number | undefined =>
    instruments.of('vitals').findLast(([one]) => one.dueLagMs !== undefined)?.[0].dueLagWithRoomMs;
  return { vitals, lag, withRoom, asked, reads, instruments, logger };
}

describe('how late what is due is', () => {
  test('nothing due is no lag', async () => {
    expect(await fixture({}).lag()).toBe(0);
  });

  test('a lane that is just due says it itself; the database is not asked', async () => {
    const { lag, asked } = fixture({ due: [{ lane: lane('a'), since: 4_000 }] });
    expect(await lag()).toBe(4_000);
    expect(asked).toEqual([]);
  });

  test('of a lane that never runs empty the database tells the oldest', async () => {
    const { lag } = fixture({ due: [{ lane: lane('a'), since: 600_000, at: 20_000 }] });
    expect(await lag()).toBe(20_000);
  });

  test('of many lanes the oldest are asked for; since when the others were not empty says nothing', async () => {
    const due = Array.from({ length: 20 }, (_, n) => ({
      lane: lane(`c${n}`),
      since: 600_000 - n,
      at: n === 15 ? 40 : 1,
    }));
    const { lag, asked } = fixture({ due });
    expect(await lag()).toBe(40);
    expect(asked).toEqual(Array.from({ length: 16 }, (_, n) => `c${n}`));
  });
});

describe('how late that is which more members would take up', () => {
  test('what stands behind a rate does not count, however late it is', async () => {
    const own = fixture({
      due: [
        { lane: lane('rate'), since: 4_000, isHeld: true },
        { lane: lane('free'), since: 1_000 },
      ],
    });
    expect([await own.lag(), own.withRoom()]).toEqual([4_000, 1_000]);
    const only = fixture({ due: [{ lane: lane('rate'), since: 900_000, at: 900_000, isHeld: true }] });
    expect([await only.lag(), only.withRoom()]).toEqual([900_000, 0]);
  });

  test('behind ever so many lanes that are held the others are asked of all the same', async () => {
    const held = Array.from({ length: 30 }, (_, n) => ({
      lane: lane(`r${n}`),
      since: 900_000,
      at: 90_000,
      isHeld: true,
    }));
    const { lag, withRoom, asked } = fixture({ due: [...held, { lane: lane('free'), since: 60_000, at: 50_000 }] });
    expect([await lag(), withRoom(), asked.length]).toEqual([90_000, 50_000, 16]);
  });
});

describe('what is looked at rarely', () => {
  test('the switch each third time, the oplog each twelfth', async () => {
    const { vitals, reads, instruments } = fixture({ span: { firstMs: 1, lastMs: 5 } });
    for (let n = 0; n < 13; n++) await vitals.tick();
    expect(reads).toEqual({ stop: 5, oplog: 2 });
    expect(instruments.of('vitals')).toContainEqual([{ oplog: { firstMs: 1, lastMs: 5 } }]);
    expect(instruments.of('vitals')).toContainEqual([{ sendingStopped: true }]);
  });

  test('an oplog that may not be read is told once and left alone', async () => {
    const { vitals, reads, logger } = fixture({});
    for (let n = 0; n < 30; n++) await vitals.tick();
    expect(reads.oplog).toBe(1);
    expect(logger.of('info').map(({ fields }) => fields['code'])).toEqual(['oplog_unreadable']);
  });
});

test('who was fenced is not told to own what others have', async () => {
  const cluster = new Cluster(() => 0.5);
  cluster.join();
  await cluster.clock.advanceAsync(10_000);
  const [one] = cluster.instruments;
  const [member] = cluster.database.members.find();
  expect(one?.of('partitionsOwned').at(-1)).toEqual([6]);
  cluster.database.members.delete(String(member?._id));
  // its next life begins a moment later
  while (one?.events('fenced') === 0) await cluster.clock.advanceAsync(10);
  expect([one?.of('partitionsOwned').at(-1), one?.of('inDoubt').at(-1)]).toEqual([[0], [0]]);
});
