import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { backoffMs } from '../../../src/domain/backoff.ts';

const highest = (): number => 1 - Number.EPSILON;
const options = fc.record({ baseMs: fc.nat(60_000), capMs: fc.nat(86_400_000) });
const draw = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('backoffMs', () => {
  it('doubles its ceiling from one second to a quarter of an hour', () => {
    const ceilings = [1, 2, 3, 10, 11, 12, 5000].map((attempt) => backoffMs(attempt, highest));
    expect(ceilings).toEqual([1000, 2000, 4000, 512_000, 900_000, 900_000, 900_000]);
  });

  it('reaches down to no wait at all', () => {
    expect(backoffMs(8, () => 0)).toBe(0);
  });

  it('gives whole milliseconds between zero and its ceiling for every attempt and draw', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), draw, options, (attempt, drawn, limits) => {
        const wait = backoffMs(attempt, () => drawn, limits);
        expect(Number.isInteger(wait)).toBe(true);
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThanOrEqual(Math.min(limits.capMs, limits.baseMs * 2 ** Math.min(attempt - 1, 60)));
      }),
    );
  });

  it('never waits less for a later attempt with the same draw', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), draw, options, (attempt, drawn, limits) => {
        expect(backoffMs(attempt + 1, () => drawn, limits)).toBeGreaterThanOrEqual(
          backoffMs(attempt, () => drawn, limits),
        );
      }),
    );
  });

  it('spreads evenly, so that a crowd does not return at one time', () => {
    const waits = Array.from({ length: 1000 }, (_, index) => backoffMs(4, () => index / 1000));
    const quarters = [0, 1, 2, 3].map((quarter) => waits.filter((ms) => Math.floor(ms / 2001) === quarter).length);
    for (const share of quarters) expect(share).toBeGreaterThan(240);
  });

  it('takes an attempt below one as the first', () => {
    expect(backoffMs(0, highest)).toBe(1000);
  });
});
