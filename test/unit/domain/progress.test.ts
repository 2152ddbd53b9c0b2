import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type DueCounts,
  drainMs,
  type EstimateInput,
  estimate,
  RateMeter,
  waiting,
} from '../../../src/domain/progress.ts';

const meterOf = (...samples: [at: number, sent: number, ended?: number][]): RateMeter => {
  const meter = new RateMeter();
  for (const [at, sent, ended = 0] of samples) meter.see({ at, sent, ended, entered: 0 });
  return meter;
};

describe('the rate', () => {
  test('is not known before the second look, nor of two looks at one moment', () => {
    expect(new RateMeter().rate('sent', 1000)).toBeUndefined();
    expect(new RateMeter().stillMs()).toBe(0);
    expect(meterOf([0, 5]).rate('sent', 1000)).toBeUndefined();
    expect(meterOf([0, 5], [0, 9]).rate('sent', 1000)).toBeUndefined();
    expect(meterOf([0, 5], [0, 9]).rates('sent', 5)).toEqual([0]);
  });

  test('is that of the last seconds, not of all the time', () => {
    const meter = meterOf([0, 0], [10_000, 1000], [12_000, 1010], [15_000, 1025]);
    expect(meter.rate('sent', 5000)).toBe(5);
    expect(meter.rate('sent', 15_000)).toBeCloseTo(1025 / 15);
    expect(meter.rate('sent', 60_000)).toBeCloseTo(1025 / 15);
    expect(meter.rates('sent', 2)).toEqual([5, 5]);
    expect(meter.rates('sent', 9)).toEqual([100, 5, 5]);
  });

  test('begins anew when a figure falls: another campaign, or a restored dump', () => {
    const meter = meterOf([0, 500], [1000, 900], [2000, 3], [3000, 13]);
    expect(meter.rate('sent', 60_000)).toBe(10);
  });

  test('forgets what is long ago, by time and by number', () => {
    expect(meterOf([0, 0], [600_001, 100], [601_001, 110]).rate('sent', 1_000_000)).toBe(10);
    const meter = new RateMeter();
    for (let at = 0; at <= 2000; at++) meter.see({ at, sent: at, ended: 0, entered: 0 });
    expect(meter.rates('sent', 5000)).toHaveLength(999);
  });

  test('how long look after look found nothing changed', () => {
    expect(meterOf([0, 5], [4000, 5], [5000, 5]).stillMs()).toBe(5000);
    expect(meterOf([0, 4], [1000, 5], [4000, 5], [9000, 5]).stillMs()).toBe(8000);
    expect(meterOf([0, 4, 1], [9000, 4, 2], [10_000, 4, 2], [11_000, 4, 2]).stillMs()).toBe(2000);
  });

  test('one look that found no movement is not enough, however long after the one before', () => {
    expect(meterOf([0, 5], [61_000, 5]).stillMs()).toBe(0);
    expect(meterOf([0, 5], [61_000, 6]).stillMs()).toBe(0);
    expect(meterOf([0, 5], [61_000, 6], [122_000, 6]).stillMs()).toBe(0);
  });

  test('what was forgotten counts for nothing', () => {
    const meter = meterOf([0, 5], [1000, 10], [2000, 10], [3000, 10]);
    meter.forget();
    for (const at of [64_000, 65_000]) meter.see({ at, sent: 10, ended: 0, entered: 0 });
    expect(meter.stillMs()).toBe(0);
    expect(meter.rate('sent', 60_000)).toBe(0);
    expect(meter.rates('sent', 9)).toEqual([0]);
  });

  test('is never below zero', () => {
    const samples = fc.array(fc.tuple(fc.nat(5000), fc.nat(1000)), { minLength: 2 });
    fc.assert(
      fc.property(samples, fc.integer({ min: 1, max: 60_000 }), (steps, over) => {
        const meter = new RateMeter();
        let at = 0;
        for (const [ms, sent] of steps) {
          at += ms;
          meter.see({ at, sent, ended: 0, entered: 0 });
        }
        expect(meter.rate('sent', over) ?? 0).toBeGreaterThanOrEqual(0);
        expect(Math.min(0, ...meter.rates('sent', 100))).toBe(0);
      }),
    );
  });
});

const dueOf = (now: number, later: number, more = false): DueCounts => ({
  now: { count: now, more: false },
  later: [
    { count: later, more, withinMs: 60_000 },
    { count: 0, more: false },
  ],
});

describe('the end', () => {
  const running: EstimateInput = {
    running: true,
    expansionDone: true,
    active: 1000,
    due: dueOf(1000, 0),
    sentRate: 100,
    endedRate: 100,
  };
  test.each<[string, Partial<EstimateInput>, ReturnType<typeof estimate>]>([
    ['by the present rate', {}, { kind: 'in', ms: 10_000 }],
    ['while it is paused', { running: false }, { kind: 'none', why: 'not_running' }],
    ['while more contacts come', { expansionDone: false }, { kind: 'none', why: 'reading_audience' }],
    ['before anything was measured', { endedRate: undefined }, { kind: 'none', why: 'not_measured' }],
    ['before anything was counted', { due: undefined }, { kind: 'none', why: 'not_measured' }],
    ['a few that wait do not matter', { due: dueOf(950, 50) }, { kind: 'in', ms: 10_000 }],
    ['but more of them do', { due: dueOf(949, 51) }, { kind: 'none', why: 'waiting' }],
    ['nothing moves', { endedRate: 0, sentRate: 0 }, { kind: 'none', why: 'standing_still' }],
    ['messages leave and nobody ends', { endedRate: 0 }, { kind: 'none', why: 'going_on' }],
    ['messages leave and few end: most go on', { endedRate: 49 }, { kind: 'none', why: 'going_on' }],
    ['counted a moment before the last ones ended', { active: 0, due: dueOf(0, 3) }, { kind: 'in', ms: 0 }],
  ])('%s', (_, change, expected) => {
    expect(estimate({ ...running, ...change })).toEqual(expected);
  });

  test('what is due now is away at the present rate, where there is enough of it to speak of', () => {
    expect(drainMs(dueOf(500, 0), 100)).toBe(5000);
    expect(drainMs(dueOf(150, 0), 100)).toBeUndefined();
    expect(drainMs(dueOf(500, 0), 0)).toBeUndefined();
    expect(drainMs(dueOf(500, 0), undefined)).toBeUndefined();
    expect(drainMs(undefined, 100)).toBeUndefined();
  });

  test('who waits', () => {
    expect(waiting(dueOf(7, 10_000, true))).toEqual({ count: 10_000, more: true });
    expect(waiting(dueOf(7, 3))).toEqual({ count: 3, more: false });
  });
});
