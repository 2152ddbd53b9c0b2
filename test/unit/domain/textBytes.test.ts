import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { headOf } from '../../../src/domain/textBytes.ts';

const sizeOf = (text: string): number => Buffer.byteLength(text);

test('property: the head of a text fits, is a whole number of characters, and no longer one would fit', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat(60), (text, bytes) => {
      const head = headOf(text, bytes);
      expect(text.startsWith(head)).toBe(true);
      expect(sizeOf(head)).toBeLessThanOrEqual(bytes);
      const [next = ''] = text.slice(head.length);
      if (next !== '') expect(sizeOf(head + next)).toBeGreaterThan(bytes);
      expect([...head].join('')).toBe(head);
    }),
  );
});
