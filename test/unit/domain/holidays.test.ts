import { beforeAll, describe, expect, test } from '@jest/globals';
import {
  type HolidayCalendar,
  loadedHolidays,
  loadHolidays,
  noHolidays,
  warmHolidays,
} from '../../../src/domain/holidays.ts';
import { parseDay } from '../../../src/domain/localDates.ts';
import { legalHours } from '../../../src/domain/quietHours.ts';

let calendar: HolidayCalendar;
beforeAll(async () => {
  expect(loadedHolidays()).toBe(noHolidays);
  calendar = await loadHolidays();
});
const isHoliday = (country: string, date: string): boolean => calendar.isHoliday(country, parseDay(date) ?? Number.NaN);

describe('public holidays', () => {
  test.each([
    ['DE', '2026-12-25', true],
    ['de', '2026-12-25', true],
    ['DE', '2026-12-24', false],
    ['DE', '2026-04-03', true],
    // 6 January is one in Bavaria, not in all of Germany
    ['DE', '2026-01-06', false],
    ['DE-BY', '2026-01-06', true],
    ['de-by', '2026-01-06', true],
    ['US', '2026-11-26', true],
    ['US', '2026-11-27', false],
    ['FR', '2026-07-14', true],
    // Eid al-Fitr is three days, each of them from the sunset before
    ['AE', '2026-03-19', false],
    ['AE', '2026-03-20', true],
    ['AE', '2026-03-22', true],
    ['AE', '2026-03-23', false],
    // Eswatini: listed with the year before
    ['SZ', '2026-01-02', true],
    ['XX', '2026-12-25', false],
    ['DE-XX', '2026-12-25', false],
    ['Germany', '2026-12-25', false],
    ['', '2026-12-25', false],
  ])('%s %s: %s', (country, date, expected) => {
    expect(isHoliday(country, date)).toBe(expected);
  });

  test('knows countries and their subdivisions', () => {
    for (const country of [...legalHours.keys(), 'DE-BY', 'us-ca', 'at']) expect(calendar.knows(country)).toBe(true);
    for (const country of ['XX', 'DEU', 'DE-XX', 'constructor', '__proto__', 'SG-01']) {
      expect(calendar.knows(country)).toBe(false);
    }
  });

  test('are loaded once', async () => {
    expect(await loadHolidays()).toBe(calendar);
  });

  test('what was loaded is at hand, and is worked out beforehand for this year and the next', () => {
    expect(loadedHolidays()).toBe(calendar);
    const asked: string[] = [];
    const isHoliday = (country: string, day: number): boolean => asked.push(`${country} ${day}`) === 0;
    warmHolidays({ knows: () => true, isHoliday }, ['DE', 'FR'], Date.UTC(1970, 0, 2));
    expect(asked).toEqual(['DE 1', 'DE 367', 'FR 1', 'FR 367']);
  });

  test('none that are loaded are none', () => {
    expect(noHolidays.knows('DE')).toBe(false);
    expect(noHolidays.isHoliday('DE', 0)).toBe(false);
  });

  test('what it keeps is bounded, and stays right', () => {
    for (let index = 0; index < 1100; index++) expect(calendar.knows(`nowhere ${index}`)).toBe(false);
    for (let year = 2020; year < 2032; year++) expect(isHoliday('DE', `${year}-10-03`)).toBe(true);
    expect(isHoliday('DE', '2020-10-03')).toBe(true);
  });

  test('what is no country, however much of it there is, costs no country its holidays', () => {
    const ms = (work: () => unknown): number => {
      const began = process.cpuUsage();
      work();
      const { user, system } = process.cpuUsage(began);
      return (user + system) / 1000;
    };
    // it reckons with the moon: some 0.4 s
    const first = ms(() => isHoliday('HK', '2031-10-01'));
    for (let index = 0; index < 3_000; index++) calendar.knows(`not known ${index}`);
    expect(ms(() => isHoliday('hk', '2031-10-01'))).toBeLessThan(Math.max(2, first / 5));
  });
});
