import { expect, test } from '@jest/globals';
import type { ChannelState, Conversation, Lane } from '../../../src/domain/model.ts';
import { Detours, waysOut } from '../../../streams/detours.ts';
import type { KnownRun } from '../../../streams/runs.ts';
import { manualClock } from '../../support/clock.ts';
import { contextOf } from '../domain/given.ts';

const content = { text: 'Hello' };
const message = (id: string, channel: string, fallback?: object) => ({
  ...{ id, type: 'message', channel, content },
  ...(fallback === undefined ? {} : { fallback }),
});
const lane: Lane = { campaignId: 'spring', channel: 'push', opening: false };
const context = contextOf([
  message('a', 'push', { channel: 'sms', after: 'PT1M' }),
  message('b', 'push', { channel: 'sms', after: 'PT2M' }),
  message('c', 'push', { channel: 'sms' }),
  message('d', 'sms', { channel: 'push', after: 'PT1M' }),
  message('e', 'push', { channel: 'sms', after: 'PT1M' }),
]);
const known = { contexts: new Map([[undefined, context]]) } as unknown as KnownRun;
const left = (since: number): Record<string, ChannelState> => ({
  push: { state: 'open', since: new Date(since), code: 'http_503', message: 'busy' } as ChannelState,
});

test('only of channels that are left alone, by the time of their stages, not from before', () => {
  expect(waysOut(lane, () => known, {})).toEqual([]);
  expect(waysOut({ ...lane, channel: '-' }, () => known, left(0))).toEqual([]);
  expect(waysOut(lane, () => undefined, left(0))).toEqual([]);
  expect(waysOut(lane, () => known, left(10_000))).toEqual([
    { stages: ['a', 'e'], from: 70_000, afterMs: 60_000 },
    { stages: ['b'], from: 130_000, afterMs: 120_000 },
  ]);
});

test('a lane is looked at when its first one is late, again at once while there are many, else a little later', async () => {
  const clock = manualClock(100_000);
  let there = 0;
  const asked: unknown[] = [];
  const detours = new Detours({
    ...{ clock, partitions: () => [1], waysOut: (of: Lane) => waysOut(of, () => known, left(10_000)) },
    store: {
      due: async (_: Lane, __: readonly number[], until: Date, limit: number, stages?: readonly string[]) => {
        asked.push([until.getTime(), limit, stages]);
        return Array.from({ length: Math.min(there, limit) }, (_, n) => ({ _id: `c${n}` }) as Conversation);
      },
    },
  });
  const at = (next?: number) => ({ key: 'key', lane, due: { next } });
  const next = (first?: number) => detours.nextLook(at(first));
  expect([next(), next(0), next(50_000)]).toEqual([Number.POSITIVE_INFINITY, 70_000, 110_000]);
  there = 500;
  const inHand = (id: string): boolean => id === 'c0';
  // one is in hand: it does not count for those that are still to come
  expect((await detours.takeFrom([at(0)], 1_000, () => false)).length).toBe(200);
  expect(asked).toEqual([[40_000, 200, ['a', 'e']]]);
  expect(next(0)).toBe(70_000);
  there = 2;
  expect(await detours.takeFrom([at(0)], 1_000, inHand)).toEqual([{ _id: 'c1' }]);
  expect(next(0)).toBe(102_000);
  clock.advance(40_000);
  asked.length = 0;
  await detours.takeFrom([at(0)], 1_000, () => false);
  expect(asked).toEqual([
    [80_000, 200, ['a', 'e']],
    [20_000, 198, ['b']],
  ]);
});

test('what is found and does not go is looked at ever more rarely, and does not hide what is behind it', async () => {
  const clock = manualClock(1_000_000);
  const orders: (readonly number[])[] = [];
  const detours = new Detours({
    ...{ clock, partitions: () => [1, 2, 3], waysOut: (of: Lane) => waysOut(of, () => known, left(10_000)) },
    store: {
      due: async (_: Lane, order: readonly number[]) => {
        orders.push(order);
        return [{ _id: 'c1', version: 4 } as Conversation];
      },
    },
  });
  const pauses: number[] = [];
  for (let n = 0; n < 6; n++) {
    const first = { key: 'key', lane, due: { next: 0 } };
    await detours.takeFrom([first], 1, () => false);
    const next = detours.nextLook(first);
    pauses.push(Math.max(0, next - clock.now()));
    clock.advance(Math.max(0, next - clock.now()));
  }
  expect(pauses).toEqual([0, 2_000, 4_000, 8_000, 16_000, 30_000]);
  expect(orders.slice(0, 4)).toEqual([
    [1, 2, 3],
    [1, 2, 3],
    [2, 3, 1],
    [3, 1, 2],
  ]);
});

test('while one message is tried nobody goes another way; after a pause the time begins anew', () => {
  const half = { push: { ...left(0)['push'], state: 'half_open' } as ChannelState };
  expect(waysOut(lane, () => known, half)).toEqual([]);
  const resumed = { ...context, resumedAt: 500_000 };
  const after = { contexts: new Map([[undefined, resumed]]) } as unknown as KnownRun;
  expect(waysOut(lane, () => after, left(10_000)).map(({ from }) => from)).toEqual([560_000, 620_000]);
});
