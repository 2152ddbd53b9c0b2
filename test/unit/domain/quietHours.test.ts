import { expect, test } from '@jest/globals';
import type { Weekday } from '../../../src/domain/localDates.ts';
import { hoursOf, legalHours, usualHours } from '../../../src/domain/quietHours.ts';

const weekdays: readonly Weekday[] = [0, 1, 2, 3, 4, 5, 6];

test('every country has spans in order, a source, and some hour of a workday', () => {
  for (const [country, { week, source, covers }] of legalHours) {
    expect(country).toMatch(/^[A-Z]{2}$/);
    expect(source).toMatch(/\d{4}|CFR|CRTC|Act/);
    expect(['messages', 'calls']).toContain(covers);
    for (const day of weekdays) {
      const bounds = week[day].flatMap(({ from, to }) => [from, to]);
      expect(bounds).toEqual([...new Set(bounds)].sort((a, b) => a - b));
      for (const bound of bounds) expect(Number.isInteger(bound) && bound >= 0 && bound <= 1440).toBe(true);
    }
    expect(week[1]).not.toHaveLength(0);
  }
});

test.each(['US', 'us', 'US-CA', 'us-ca'])('%s has the hours of the United States', (country) => {
  expect(hoursOf(country)).toBe(legalHours.get('US'));
});

test.each([undefined, '', 'DE', 'Australia', 'USA', 'France', 'U', '??'])('%j has the usual hours', (country) => {
  expect(hoursOf(country)).toEqual({ week: usualHours, holidays: false });
});
