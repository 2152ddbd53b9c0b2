import { expect, test } from '@jest/globals';
import { Ending } from '../../../../src/cli/watch/watchEnding.ts';
import { sample } from './watchSamples.ts';

const { metrics } = sample();
const looked = (ending: Ending, at: number, active: number, status = 'cancelled', over = false): boolean =>
  ending.isOver({ status, over, metrics: { ...metrics, active } }, at * 1000);

test('a campaign that runs, however still, is waited for; one that is over is not', () => {
  const ending = new Ending();
  for (const at of [0, 20, 40, 60]) expect(looked(ending, at, 7, 'running')).toBe(false);
  expect(looked(ending, 61, 7, 'completed', true)).toBe(true);
});

test('one that has ended is waited for as long as it moves, and 15 s more', () => {
  const ending = new Ending();
  expect([0, 10, 20, 30].map((at) => looked(ending, at, 100 - at))).toEqual([false, false, false, false]);
  expect([40, 45, 46].map((at) => looked(ending, at, 70))).toEqual([false, false, true]);
});

test('one look that found nothing moved is not enough, however late', () => {
  const ending = new Ending();
  expect([0, 60, 120].map((at) => looked(ending, at, 7))).toEqual([false, false, true]);
});

test('an outage is no time in which nothing moved', () => {
  const ending = new Ending();
  expect([0, 5, 10].map((at) => looked(ending, at, 7))).toEqual([false, false, false]);
  ending.forget();
  expect([70, 80, 85, 86].map((at) => looked(ending, at, 7))).toEqual([false, false, false, true]);
});
