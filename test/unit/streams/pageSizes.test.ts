import { expect, test } from '@jest/globals';
import { PageSizes, sliceSize } from '../../../streams/pageSizes.ts';

test('given pages of which little fits, then as many documents are looked at as about a second allows', () => {
  const sizes = new PageSizes();
  sizes.pageCame(3, undefined, 5_000);
  expect(sizes.looked).toBeUndefined();
  sizes.pageCame(0, 20_000, 100);
  expect(sizes.looked).toBe(40_000);
  sizes.pageCame(0, 40_000, 500);
  expect(sizes.looked).toBe(40_000);
  sizes.pageCame(0, 40_000, 1_500);
  expect(sizes.looked).toBe(20_000);
  sizes.pageCame(0, 100, 1_500);
  expect(sizes.looked).toBe(100);
  for (let n = 0; n < 30; n++) sizes.pageCame(0, Number(sizes.looked), 1);
  expect(sizes.looked).toBe(1_000_000);
  // the end of the collection
  sizes.pageCame(5, undefined, 1);
  expect(sizes.looked).toBe(1_000_000);
  sizes.pageCame(sliceSize, undefined, 1);
  expect(sizes.looked).toBeUndefined();
});

test('given a slice that is refused, then it is halved to one, and grows again as slices are written', () => {
  const sizes = new PageSizes();
  const seen: number[] = [];
  for (let count = sliceSize; sizes.halved(count); count = sizes.slice) seen.push(sizes.slice);
  expect(seen).toEqual([500, 250, 125, 62, 31, 15, 7, 3, 1]);
  expect(sizes.leftOut()).toBe(true);
  for (let n = 0; n < 12; n++) sizes.written();
  expect(sizes.slice).toBe(sliceSize);
  expect(Array.from({ length: 20 }, () => sizes.leftOut())).toEqual([...Array(19).fill(true), false]);
});
