import { expect, test } from '@jest/globals';
import { Budget } from '../../../src/domain/liquidBudget.ts';

const rendered = (nodes: number, budget = new Budget()): Budget => {
  for (let n = 0; n < nodes; n++) budget.check(0);
  return budget;
};

test('a template that did a fair amount of work may take two seconds', () => {
  const budget = rendered(200);
  expect(() => budget.check(2_000)).not.toThrow();
  expect(() => budget.check(2_001)).toThrow('rendering takes longer than 2000 ms');
});

test('a machine that is short of time fails no template that did little', () => {
  expect(() => rendered(199).check(1_000_000)).not.toThrow();
});

test('the larger a template, the fewer of its parts are a fair amount of work', () => {
  const budget = new Budget();
  budget.begin(1_000_000);
  rendered(4, budget);
  expect(() => budget.check(2_001)).toThrow('rendering takes longer than 2000 ms');
});

test('the time is that of one message, from its first part on', () => {
  const budget = new Budget();
  budget.check(5_000_000);
  rendered(0, budget);
  for (let n = 0; n < 300; n++) budget.check(5_001_999);
  expect(() => budget.check(5_002_001)).toThrow('longer than 2000 ms');
});
