import { expect, test } from '@jest/globals';
import { parseDay, parseTimeOfDay, weekdayOf, yearOf } from '../../../src/domain/localDates.ts';

test.each([
  ['1970-01-01', 0],
  ['2026-12-25', 20_812],
  ['2028-02-29', 21_243],
  ['1969-12-31', -1],
])('the day of %s is %i', (text, day) => {
  expect(parseDay(text)).toBe(day);
  expect(weekdayOf(day)).toBe(new Date(`${text}T00:00:00Z`).getUTCDay());
  expect(yearOf(day)).toBe(Number(text.slice(0, 4)));
});

test.each(['2026-02-29', '2026-02-30', '2026-13-01', '2026-1-1', '20260101', '2026-01-01T00:00:00Z', '', 5, null])(
  '%j is no day',
  (text) => {
    expect(parseDay(text)).toBeUndefined();
  },
);

test.each([
  ['00:00', 0],
  ['09:30', 570],
  ['23:59', 1439],
  ['24:00', 1440],
])('%s is minute %i', (text, minute) => {
  expect(parseTimeOfDay(text)).toBe(minute);
});

test.each(['9:00', '24:01', '25:00', '09:60', '09:00:00', '9 am', '', 9, undefined])('%j is no time of day', (text) => {
  expect(parseTimeOfDay(text)).toBeUndefined();
});
