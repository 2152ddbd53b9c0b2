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

  const members = fc
    .array(fc.tuple(fc.nat(9), fc.constantFrom('sms', 'email', '-')), { minLength: 1, maxLength: 10 })
    .map((all) => all.map(([priority, group], index) => ({ key: `k${index}`, weight: weightOf(priority), group })));
  const rooms = fc.record({ sms: fc.nat(60), email: fc.nat(60), '-': fc.nat(60) });

  test('property: no group gets more than its room, and nothing is left that one of them could use', () => {
    fc.assert(
      fc.property(members, rooms, fc.nat(120), (all, room, capacity) => {
        const shares = new DeficitRoundRobin().sharesInGroups(all, capacity, (group) => room[group as 'sms']);
        const used = { sms: 0, email: 0, '-': 0 };
        for (const { key, group } of all) used[group] += shares.get(key) ?? 0;
        const groups = [...new Set(all.map(({ group }) => group))];
        for (const group of groups) expect(used[group]).toBeLessThanOrEqual(room[group]);
        const usable = groups.reduce((sum, group) => sum + room[group], 0);
        expect(used.sms + used.email + used['-']).toBe(Math.min(capacity, usable));
      }),
    );
  });

  test('property: within a group that is short of room shares follow the weights in the long run', () => {
    fc.assert(
      fc.property(members, fc.integer({ min: 1, max: 9 }), (all, room) => {
        const robin = new DeficitRoundRobin();
        const got = new Map<string, number>();
        const calls = 300;
        for (let call = 0; call < calls; call++)
          for (const [key, share] of robin.sharesInGroups(all, 500, () => room))
            got.set(key, (got.get(key) ?? 0) + share);
        for (const { key, weight, group } of all) {
          const total = all.filter((one) => one.group === group).reduce((sum, one) => sum + one.weight, 0);
          expect(Math.abs((got.get(key) ?? 0) - (calls * room * weight) / total)).toBeLessThanOrEqual(all.length + 1);
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
