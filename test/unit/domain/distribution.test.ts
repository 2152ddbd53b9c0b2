import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Distribution, quantise } from '../../../src/domain/distribution.ts';

const lengths = fc.oneof(fc.nat(20_000), fc.nat(90_000_000), fc.double({ min: 0, max: 1e14, noNaN: true }));
const filled = (values: readonly number[]): Distribution => {
  const distribution = new Distribution();
  for (const ms of values) distribution.add({ bucketMs: quantise(ms), count: 1, maxMs: ms });
  return distribution;
};
/** Nearest rank. */
const naive = (values: readonly number[], percent: number): number =>
  values.toSorted((a, b) => a - b)[Math.ceil((percent / 100) * values.length) - 1] as number;

describe('quantise', () => {
  test.each([
    [-5, 0],
    [0.9, 0],
    [9999, 9999],
    [10_009, 10_000],
    [123_456, 123_400],
    [86_399_999, 86_390_000],
    [5e13 + 1, 5e13],
  ])('%d ms lies in the bucket of %d', (ms, bucket) => {
    expect(quantise(ms)).toBe(bucket);
  });

  test('a bucket begins at most 0.1 % below what it holds, exactly below 10 s', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e13, noNaN: true }), (ms) => {
        const whole = Math.floor(ms);
        const bucket = quantise(ms);
        expect(bucket).toBeLessThanOrEqual(whole);
        expect(whole - bucket).toBeLessThanOrEqual(whole < 10_000 ? 0 : whole / 1000);
        expect(quantise(bucket)).toBe(bucket);
      }),
    );
  });
});

describe('Distribution', () => {
  test('of nothing has no figures', () => {
    expect(new Distribution().figures()).toBeUndefined();
  });

  test('percentiles are lengths that were seen: exact below 10 s, else at most 0.1 % above the true ones', () => {
    fc.assert(
      fc.property(fc.array(lengths, { minLength: 1, maxLength: 300 }), (values) => {
        const whole = values.map(Math.floor);
        const figures = filled(whole).figures();
        expect(figures?.count).toBe(whole.length);
        expect(figures?.maxMs).toBe(Math.max(...whole));
        for (const [percent, told] of [
          [50, figures?.p50Ms],
          [90, figures?.p90Ms],
          [99, figures?.p99Ms],
        ] as const) {
          const exact = naive(whole, percent);
          expect(whole).toContain(told);
          expect(told).toBeGreaterThanOrEqual(exact);
          if (exact < 10_000) expect(told).toBe(exact);
          else if (exact < 1e13) expect((told ?? 0) - exact).toBeLessThanOrEqual(exact / 1000);
        }
      }),
    );
  });

  test('the histogram holds every length, in the bin between whose limits it lies, without empty ends', () => {
    fc.assert(
      fc.property(fc.array(lengths, { minLength: 1, maxLength: 100 }), (values) => {
        const bins = filled(values.map(Math.floor)).figures()?.histogram ?? [];
        for (const { fromMs, toMs = Number.POSITIVE_INFINITY, count } of bins)
          expect(count).toBe(values.map(Math.floor).filter((ms) => ms >= fromMs && ms < toMs).length);
        expect(bins.reduce((sum, { count }) => sum + count, 0)).toBe(values.length);
        expect(bins.at(0)?.count).toBeGreaterThan(0);
        expect(bins.at(-1)?.count).toBeGreaterThan(0);
      }),
    );
  });

  test('groups of one bucket add up, the longest counts', () => {
    const distribution = new Distribution();
    distribution.add({ bucketMs: 10_000, count: 3, maxMs: 10_003 });
    distribution.add({ bucketMs: 10_000, count: 2, maxMs: 10_001 });
    expect(distribution.figures()).toEqual({
      ...{ count: 5, p50Ms: 10_003, p90Ms: 10_003, p99Ms: 10_003, maxMs: 10_003 },
      histogram: [{ fromMs: 10_000, toMs: 30_000, count: 5 }],
    });
  });
});
