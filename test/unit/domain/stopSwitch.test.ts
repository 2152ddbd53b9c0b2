import { expect, test } from '@jest/globals';
import { stopSwitchOf, stopWords } from '../../../src/domain/stopSwitch.ts';

const at = new Date('2026-03-01T09:00:00Z');

test.each<[unknown, object, string]>([
  [null, { sending: 'on' }, ''],
  ['stopped', { sending: 'on' }, ''],
  [{ _id: 'control', sending: 'stopped' }, { sending: 'stopped' }, ''],
  [{ sending: 'maybe', at: 'now', by: 7, reason: '' }, { sending: 'on' }, ''],
  [{ sending: 'stopped', at: new Date(Number.NaN), by: 'ada' }, { sending: 'stopped', by: 'ada' }, ' by ada'],
  [
    { sending: 'stopped', at, by: 'ada@desk', reason: 'wrong prices' },
    { sending: 'stopped', at, by: 'ada@desk', reason: 'wrong prices' },
    ' since 2026-03-01T09:00:00.000Z by ada@desk: wrong prices',
  ],
])('%j', (raw, found, words) => {
  expect(stopSwitchOf(raw)).toEqual(found);
  expect(stopWords(stopSwitchOf(raw))).toBe(words);
});
