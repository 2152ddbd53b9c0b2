import { hash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createIdSet } from '../../../src/domain/idSet.ts';

const sha1 = (id: string) => hash('sha1', id, 'buffer');

test('is a set, at any size', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3000).map(String), { maxLength: 6000 }), (ids) => {
      const set = createIdSet(sha1);
      const model = new Set<string>();
      for (const id of ids) {
        expect(set.has(id)).toBe(model.has(id));
        expect(set.add(id)).toBe(!model.has(id));
        model.add(id);
      }
      expect(set.size).toBe(model.size);
      expect([...model].every((id) => set.has(id))).toBe(true);
    }),
    { numRuns: 20 },
  );
});

test('grows, and forgets nothing', () => {
  const set = createIdSet(sha1);
  const ids = Array.from({ length: 20_000 }, (_, n) => `id ${n}`);
  expect(ids.every((id) => set.add(id))).toBe(true);
  expect(ids.some((id) => set.add(id))).toBe(false);
  expect(set.size).toBe(20_000);
  expect(set.has('another')).toBe(false);
});

test('tells ids apart that begin in one slot, and knows a hash of zeros', () => {
  const set = createIdSet((id) => new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, Number(id), 99]));
  expect(['0', '1', '2', '1'].map((id) => set.add(id))).toEqual([true, true, true, false]);
  expect(set.has('3')).toBe(false);
  expect(set.size).toBe(3);
});
