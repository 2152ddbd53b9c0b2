import { expect, test } from '@jest/globals';
import { BSON } from 'mongodb';
import { roughSize } from '../../../src/domain/roughSize.ts';

test.each<[string, unknown]>([
  ['text', { text: 'x'.repeat(1_000) }],
  ['text of three bytes a character', { text: '語'.repeat(1_000) }],
  ['numbers', { list: Array(1_000).fill(1.5) }],
  ['bytes', { bytes: new Uint8Array(1_000) }],
  ['nested', { a: { b: { c: [null, true, new Date()] } }, d: 'x'.repeat(50) }],
])('the size of %s is right within a factor of three', (_, value) => {
  const real = BSON.calculateObjectSize(value as BSON.Document);
  expect(roughSize(value)).toBeGreaterThan(real / 3);
  expect(roughSize(value)).toBeLessThan(real * 3);
});
