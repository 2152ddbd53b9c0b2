import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Turns } from '../../../streams/turns.ts';

/** Lists in which some go and others come from turn to turn; of each, as many as `part` are looked at. */
const list = fc.uniqueArray(fc.nat(30), { maxLength: 20 });

test('who stays in the list has a turn before anybody who was there has a second one', () => {
  fc.assert(
    fc.property(fc.array(list, { minLength: 1, maxLength: 60 }), fc.integer({ min: 1, max: 5 }), (lists, part) => {
      const turns = new Turns();
      /** How many turns others had while it waited, each of them once at most. */
      const waited = new Map<number, Set<number>>();
      for (const all of lists) {
        const order = turns.order(all, String);
        expect(turns.order(all, String)).toEqual(order);
        expect([...order].sort()).toEqual([...all].sort());
        const looked = order.slice(0, part);
        for (const one of looked) turns.reached(String(one));
        // who leaves and comes back is new
        for (const [one, others] of waited) {
          if (!all.includes(one)) waited.delete(one);
          for (const other of others) if (!all.includes(other)) others.delete(other);
        }
        for (const one of all) {
          const others = waited.get(one) ?? new Set<number>();
          if (looked.includes(one)) waited.delete(one);
          else {
            for (const other of looked) {
              expect(others.has(other)).toBe(false);
              others.add(other);
            }
            waited.set(one, others);
          }
        }
        turns.next();
      }
    }),
  );
});
