import { expect, test } from '@jest/globals';
import { locate, type Spot } from '../../../src/domain/spots.ts';

const leaf = (at: number): Spot => ({ at, fields: () => [], items: () => [] });
const object = (at: number, fields: Record<string, [number, Spot]>): Spot => ({
  at,
  fields: () => Object.entries(fields).map(([key, [keyAt, value]]) => ({ key, at: keyAt, value })),
  items: () => [],
});
const list = (at: number, ...items: Spot[]): Spot => ({ at, fields: () => [], items: () => items });

const root = object(0, {
  flow: [1, object(2, { stages: [3, list(4, object(5, { id: [6, leaf(7)], on: [8, leaf(9)] }), leaf(10))] })],
  a: [11, object(12, { b: [13, leaf(14)] })],
  'a.b': [15, object(16, { c: [17, leaf(18)] })],
  'key "x" [1]': [19, leaf(20)],
  '': [21, leaf(22)],
  'x.y': [23, leaf(24)],
  x: [25, object(26, { y: [27, leaf(28)], z: [29, leaf(30)] })],
});

test.each([
  ['', 0],
  ['flow', 1],
  ['flow.stages', 3],
  ['flow.stages[0]', 5],
  ['flow.stages[0].id', 6],
  ['flow.stages[1]', 10],
  ['["key \\"x\\" [1]"]', 19],
  // keys with dots, as some paths have them: the longest that fits
  ['a.b', 15],
  ['a.b.c', 17],
  ['[""]', 21],
  ['x.y', 23],
  ['x.z', 29],
  // what is not there: the nearest around it
  ['flow.stages[7].id', 3],
  ['flow.stages[0].channel', 5],
  ['flow.stages[0].id.inner', 6],
  ['flow.stages.x', 3],
  ['flo', 0],
  ['["nothing"].x', 0],
  ['.', 0],
])('%s is at %i', (path, at) => {
  expect(locate(root, path)).toBe(at);
});
