import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DeficitRoundRobin, weightOf } from '../../../src/domain/fairness.ts';

const claimants = fc
  .array(fc.nat(9), { minLength: 1, maxLength: 12 })
  .map((priorities) => priorities.map((priority, index) => ({ key: `k${index}`, weight: weightOf(priority) })));

describe('DeficitRoundRobin', () => {
  test('property: shares are whole, never negative and add up to the capacity', () => {
    fc.assert(
      fc.property(claimants, fc.array(fc.nat(2000), { minLength: 1, maxLength: 20 }), (all, capacities) => {
        const robin = new DeficitRoundRobin();
        for (const capacity of capacities) {
          const shares = [...robin.shares(all, capacity).values()];
          expect(shares.every((share) => Number.isInteger(share) && share >= 0)).toBe(true);
          expect(shares.reduce((sum, share) => sum + share, 0)).toBe(capacity);
        }
      }),
    );
  });

  test('property: in the long run shares follow the weights, whatever the capacity of each call', () => {
    fc.assert(
      fc.property(claimants, fc.integer({ min: 1, max: 50 }), (all, capacity) => {
        const robin = new DeficitRoundRobin();
        const total = all.reduce((sum, { weight }) => sum + weight, 0);
        const got = new Map<string, number>();
        const calls = 200;
        for (let call = 0; call < calls; call++)
          for (const [key, share] of robin.shares(all, capacity)) got.set(key, (got.get(key) ?? 0) + share);
        for (const { key, weight } of all) {
          const fair = (calls * capacity * weight) / total;
          expect(Math.abs((got.get(key) ?? 0) - fair)).toBeLessThanOrEqual(all.length + 1);
        }
      }),
    );
  });

  test('who had nothing to send saves up nothing', () => {
    const robin = new DeficitRoundRobin();
    const all = ['a', 'b', 'c'].map((key) => ({ key, weight: 1 }));
    robin.shares(all, 1);
    for (const { key } of all) robin.forget(key);
    expect(robin.shares(all, 1).get('a')).toBe(1);
  });

  test('nothing to share, nobody to share with', () => {
    const robin = new DeficitRoundRobin();
    expect(robin.shares([{ key: 'a', weight: 1 }], 0).size).toBe(0);
    expect(robin.shares([], 5).size).toBe(0);
  });
});
