import { describe, expect, test } from '@jest/globals';
import { percent } from '../../../src/cli/drawing.ts';

describe('a share', () => {
  test.each([
    [0, '0.0 %'],
    [0.0001, '< 0.1 %'],
    [0.1234, '12.3 %'],
    [0.9999, '> 99.9 %'],
    [1, '100.0 %'],
  ])('%d is %s', (share, words) => {
    expect(percent(share)).toBe(words);
  });

  test.each([
    [2, 3, '66.7 %'],
    [0, 3, '0.0 %'],
    [30, 1_000_000, '< 0.1 %'],
    [500, 1_000_000, '0.1 %'],
    [999_499, 1_000_000, '99.9 %'],
    [999_970, 1_000_000, '> 99.9 %'],
    [3, 3, '100.0 %'],
    [-1, 3, '0.0 %'],
    [0, 0, '-'],
  ])('%d of %d is %s', (part, whole, words) => {
    expect(percent(part, whole)).toBe(words);
  });
});
