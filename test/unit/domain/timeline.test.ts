import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { fineStepMs, floorTo, instantLabel, type Moments, stepWords, timeline } from '../../../src/domain/timeline.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const monday = Date.parse('2026-01-05T00:00:00Z');
const moments = (
  ...list: readonly (readonly [at: number, sent: number, followUps?: number, replied?: number])[]
): Moments => new Map(list.map(([at, sent, followUps = 0, replied = 0]) => [at, { sent, followUps, replied }]));

test.each([
  [0, second],
  [50_000 * second, second],
  [day, minute],
  [40 * day, hour],
  [3650 * day, day],
  [365_000 * day, day],
])('within %d ms it is counted in steps of %d ms', (span, step) => {
  expect(fineStepMs(span)).toBe(step);
});

describe('timeline', () => {
  test('of nothing there is none', () => {
    expect(timeline(new Map(), second, 60)).toBeUndefined();
  });

  test('has no gaps, and knows when most was sent', () => {
    expect(timeline(moments([monday, 2, 1], [monday + 3 * second, 5, 0, 4]), second, 60)).toEqual({
      stepMs: second,
      buckets: [
        { at: new Date(monday), sent: 2, followUps: 1, replied: 0 },
        { at: new Date(monday + second), sent: 0, followUps: 0, replied: 0 },
        { at: new Date(monday + 2 * second), sent: 0, followUps: 0, replied: 0 },
        { at: new Date(monday + 3 * second), sent: 5, followUps: 0, replied: 4 },
      ],
      peak: { at: new Date(monday + 3 * second), sent: 5, followUps: 0, replied: 4 },
    });
  });

  test.each([
    [90 * second, 2 * second],
    [50 * minute, minute],
    [hour, 2 * minute],
    [20 * hour, 30 * minute],
    [29 * day, 12 * hour],
    [60 * day, 7 * day],
    [7 * 365 * day, 7 * 8 * day],
  ])('over %d ms its steps are %d ms', (span, step) => {
    expect(timeline(moments([monday, 1], [monday + span, 1]), second, 60)?.stepMs).toBe(step);
  });

  test('is never finer than what was counted', () => {
    expect(timeline(moments([monday, 1]), minute, 60)?.stepMs).toBe(minute);
  });

  test('weeks begin on a Monday', () => {
    expect(floorTo(monday + 3 * day, 7 * day)).toBe(monday);
    expect(floorTo(monday - 1, 7 * day)).toBe(monday - 7 * day);
  });

  test('loses nothing and has few buckets, whatever happened when', () => {
    const fine = fc.constantFrom(second, minute, hour, day);
    const entry = fc.tuple(fc.nat(1e12), fc.nat(50), fc.nat(50), fc.nat(50));
    fc.assert(
      fc.property(
        fine,
        fc.array(entry, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 2, max: 80 }),
        (step, all, most) => {
          const entries = moments(...all.map(([at, ...counts]) => [floorTo(at, step), ...counts] as const));
          const found = timeline(entries, step, most);
          const buckets = found?.buckets ?? [];
          expect(buckets.length).toBeLessThanOrEqual(most);
          for (const name of ['sent', 'followUps', 'replied'] as const)
            expect(buckets.reduce((sum, bucket) => sum + bucket[name], 0)).toBe(
              [...entries.values()].reduce((sum, counts) => sum + counts[name], 0),
            );
          expect(found?.peak.sent).toBe(Math.max(...buckets.map(({ sent }) => sent)));
          for (const [index, { at }] of buckets.entries())
            expect(at.getTime() - (buckets[0]?.at.getTime() ?? 0)).toBe(index * (found?.stepMs ?? 0));
        },
      ),
    );
  });
});

test.each([
  [second, 'second', '00:00:00'],
  [30 * second, '30 seconds', '00:00:00'],
  [5 * minute, '5 minutes', '01-05 00:00'],
  [hour, 'hour', '01-05 00:00'],
  [day, 'day', '2026-01-05'],
  [14 * day, '2 weeks', '2026-01-05'],
])('a step of %d ms is called a %s, its begin %s', (step, words, label) => {
  expect(stepWords(step)).toBe(words);
  expect(instantLabel(new Date(monday), step)).toBe(label);
});
