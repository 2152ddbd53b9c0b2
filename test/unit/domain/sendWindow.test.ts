import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compileSendWindow } from '../../../src/domain/compileSendWindow.ts';
import type { HolidayCalendar } from '../../../src/domain/holidays.ts';
import { parseDay } from '../../../src/domain/localDates.ts';
import { addBusinessDays, nextOpening, type SendWindow } from '../../../src/domain/sendWindow.ts';

/** 1 May is a holiday in DE and FR; 26 October in AT. */
const calendar: HolidayCalendar = {
  knows: (country) => ['DE', 'FR', 'AT', 'US', 'CO'].includes(country),
  isHoliday: (country, day) =>
    (['DE', 'FR'].includes(country) && day === parseDay('2026-05-01')) ||
    (country === 'AT' && day === parseDay('2026-10-26')),
};

function windowOf(source: object): SendWindow {
  const { window, faults } = compileSendWindow({ timezone: 'Europe/Berlin', ...source }, 'sendWindow', calendar);
  if (window === undefined) throw new Error(JSON.stringify(faults));
  return window;
}

const workdays = ['mon', 'tue', 'wed', 'thu', 'fri'];
const office = { days: workdays, from: '09:00', to: '18:00' };
const iso = (at: number): string => new Date(at).toISOString().replace('.000Z', 'Z');

/** "open", "hold", "never", or when it opens and why not before. */
function opening(source: object, at: string, contact: object = {}): string {
  const found = nextOpening(windowOf(source), contact, Date.parse(at));
  if (found.state === 'later') return `${iso(found.at)} ${found.why}`;
  return 'reason' in found ? `${found.state} ${found.reason}` : found.state;
}

describe('nextOpening', () => {
  test.each([
    // 5 January 2026 is a Monday
    [office, '2026-01-05T08:00:00Z', 'open'],
    [office, '2026-01-05T07:59:59.999Z', '2026-01-05T08:00:00Z window'],
    [office, '2026-01-05T16:59:59.999Z', 'open'],
    [office, '2026-01-05T17:00:00Z', '2026-01-06T08:00:00Z window'],
    [office, '2026-01-09T17:00:00Z', '2026-01-12T08:00:00Z window'],
    [office, '2026-07-06T07:00:00Z', 'open'],
    [{}, '2026-01-05T08:00:00Z', 'open'],
    [{ days: ['sun'] }, '2026-01-10T23:00:00Z', 'open'],
    [{ days: ['sun'] }, '2026-01-11T23:00:00Z', '2026-01-17T23:00:00Z window'],
    [{ from: '12:00' }, '2026-01-05T22:59:59Z', 'open'],
    [{ from: '12:00' }, '2026-01-05T23:00:00Z', '2026-01-06T11:00:00Z window'],
    [{ to: '12:00' }, '2026-01-05T11:00:00Z', '2026-01-05T23:00:00Z window'],
  ])('%j at %s: %s', (source, at, expected) => {
    expect(opening(source, at)).toBe(expected);
  });

  describe('a window over midnight belongs to the day it opens', () => {
    const friday = { days: ['fri'], from: '22:00', to: '06:00' };
    test.each([
      ['2026-01-09T20:59:59Z', '2026-01-09T21:00:00Z window'],
      ['2026-01-09T21:00:00Z', 'open'],
      ['2026-01-10T04:59:59Z', 'open'],
      ['2026-01-10T05:00:00Z', '2026-01-16T21:00:00Z window'],
      // Friday's own early hours belong to Thursday
      ['2026-01-09T02:00:00Z', '2026-01-09T21:00:00Z window'],
    ])('at %s: %s', (at, expected) => {
      expect(opening(friday, at)).toBe(expected);
    });

    test.each([
      ['begin of summer time', '2026-03-28T21:00:00Z', '2026-03-29T04:00:00Z', '2026-03-29T20:00:00Z'],
      ['end of summer time', '2026-10-24T20:00:00Z', '2026-10-25T05:00:00Z', '2026-10-25T21:00:00Z'],
    ])('over the %s', (_, opens, closes, again) => {
      const night = { from: '22:00', to: '06:00' };
      expect(opening(night, iso(Date.parse(opens) - 1000))).toBe(`${opens} window`);
      expect(opening(night, opens)).toBe('open');
      expect(opening(night, iso(Date.parse(closes) - 1000))).toBe('open');
      expect(opening(night, closes)).toBe(`${again} window`);
    });

    test('its holiday is that of the day it opens', () => {
      const night = { from: '22:00', to: '06:00', holidays: ['2026-01-09'] };
      expect(opening(night, '2026-01-09T02:00:00Z')).toBe('open');
      expect(opening(night, '2026-01-09T21:00:00Z')).toBe('2026-01-10T21:00:00Z holiday');
      expect(opening(night, '2026-01-10T02:00:00Z')).toBe('2026-01-10T21:00:00Z holiday');
    });
  });

  test.each([
    // Berlin, 29 March 2026: 02:00 to 03:00 is skipped
    [{ from: '02:30', to: '05:00' }, '2026-03-29T00:45:00Z', '2026-03-29T01:30:00Z window'],
    [{ from: '01:00', to: '02:30' }, '2026-03-29T00:59:59Z', 'open'],
    [{ from: '01:00', to: '02:30' }, '2026-03-29T01:00:00Z', '2026-03-29T23:00:00Z window'],
    [{ from: '02:00', to: '02:30' }, '2026-03-28T12:00:00Z', '2026-03-30T00:00:00Z window'],
    [{ from: '02:00', to: '03:00' }, '2026-03-28T12:00:00Z', '2026-03-30T00:00:00Z window'],
    // 25 October 2026: 02:00 to 03:00 comes twice
    [{ from: '02:30', to: '05:00' }, '2026-10-24T12:00:00Z', '2026-10-25T00:30:00Z window'],
    [{ from: '02:00', to: '02:30' }, '2026-10-24T12:00:00Z', '2026-10-25T00:00:00Z window'],
    [{ from: '02:00', to: '02:30' }, '2026-10-25T00:29:59Z', 'open'],
    [{ from: '02:00', to: '02:30' }, '2026-10-25T01:00:00Z', '2026-10-26T01:00:00Z window'],
    [{ from: '02:00', to: '03:00' }, '2026-10-25T01:59:59Z', 'open'],
    [{ from: '01:00', to: '02:30' }, '2026-10-25T01:10:00Z', '2026-10-26T00:00:00Z window'],
    [
      { timezone: 'Australia/Lord_Howe', from: '02:00', to: '02:20' },
      '2026-10-03T00:00:00Z',
      '2026-10-04T15:00:00Z window',
    ],
    [{ timezone: 'Asia/Kathmandu', from: '09:00', to: '17:00' }, '2026-01-05T00:00:00Z', '2026-01-05T03:15:00Z window'],
    // Samoa had no 30 December 2011, a Friday
    [{ timezone: 'Pacific/Apia', days: ['fri'] }, '2011-12-29T12:00:00Z', '2012-01-05T10:00:00Z window'],
    [{ timezone: 'Pacific/Apia', days: ['thu'], from: '22:00', to: '06:00' }, '2011-12-30T09:59:59Z', 'open'],
    [
      { timezone: 'Pacific/Apia', days: ['thu'], from: '22:00', to: '06:00' },
      '2011-12-30T10:00:00Z',
      '2012-01-05T08:00:00Z window',
    ],
    // Ramadan 2026 in Morocco is in UTC+0
    [{ timezone: 'Africa/Casablanca', from: '09:00' }, '2026-03-01T00:00:00Z', '2026-03-01T09:00:00Z window'],
    // summer time began at midnight in Brazil: 00:00 was skipped
    [
      { timezone: 'America/Sao_Paulo', from: '00:00', to: '08:00', days: ['sun'] },
      '2018-11-03T12:00:00Z',
      '2018-11-04T03:00:00Z window',
    ],
    [{ timezone: 'America/Sao_Paulo', from: '20:00', days: ['sat'] }, '2018-11-04T02:59:59Z', 'open'],
    [
      { timezone: 'America/Sao_Paulo', from: '20:00', days: ['sat'] },
      '2018-11-04T03:00:00Z',
      '2018-11-10T22:00:00Z window',
    ],
  ])('%j at %s: %s', (source, at, expected) => {
    expect(opening(source, at)).toBe(expected);
  });

  describe('holidays', () => {
    test.each([
      [
        { ...office, holidays: ['2026-12-24', '2026-12-25'] },
        '2026-12-23T17:00:00Z',
        {},
        '2026-12-28T08:00:00Z holiday',
      ],
      [{ ...office, holidays: ['2026-12-25'] }, '2026-12-24T10:00:00Z', {}, 'open'],
      [{ ...office, holidays: ['2026-12-27'] }, '2026-12-25T17:00:00Z', {}, '2026-12-28T08:00:00Z window'],
      [{ ...office, holidayCountry: 'DE' }, '2026-05-01T10:00:00Z', {}, '2026-05-04T07:00:00Z holiday'],
      [{ ...office, holidayCountry: 'DE' }, '2026-05-01T10:00:00Z', { country: 'US' }, '2026-05-04T07:00:00Z holiday'],
      [
        { ...office, holidayCountry: 'contact' },
        '2026-05-01T10:00:00Z',
        { country: 'FR' },
        '2026-05-04T07:00:00Z holiday',
      ],
      [{ ...office, holidayCountry: 'contact' }, '2026-05-01T10:00:00Z', { country: 'US' }, 'open'],
      [{ ...office, holidayCountry: 'contact' }, '2026-05-01T10:00:00Z', {}, 'open'],
      [{ ...office, holidayCountry: 'contact' }, '2026-05-01T10:00:00Z', { country: 49 }, 'open'],
    ])('%j at %s for %j: %s', (source, at, contact, expected) => {
      expect(opening(source, at, contact)).toBe(expected);
    });
  });

  describe('zones of contacts', () => {
    const theirs = { ...office, timezone: 'contact' };
    const fallback = { ...theirs, fallbackTimezone: 'Europe/Berlin' };
    test.each([
      [fallback, { timezone: 'America/New_York' }, '2026-01-05T14:00:00Z window'],
      [fallback, { timezone: 'asia/tokyo' }, 'open'],
      [fallback, {}, '2026-01-05T08:00:00Z window'],
      [fallback, { timezone: 'Mars/Olympus' }, '2026-01-05T08:00:00Z window'],
      [fallback, { timezone: '+09:00' }, '2026-01-05T08:00:00Z window'],
      [{ ...theirs, onUnknownZone: 'hold' }, {}, 'hold timezone_missing'],
      [{ ...theirs, onUnknownZone: 'hold' }, { timezone: null }, 'hold timezone_missing'],
      [{ ...fallback, onUnknownZone: 'hold' }, { timezone: 'Mars/Olympus' }, 'hold timezone_unknown'],
      [{ ...theirs, onUnknownZone: 'fail' }, { timezone: 9 }, 'fail timezone_unknown'],
      [{ ...theirs, onUnknownZone: 'fail' }, { timezone: 'Asia/Tokyo' }, 'open'],
      [{ ...office, onUnknownZone: 'fail' }, { timezone: 'Mars/Olympus' }, '2026-01-05T08:00:00Z window'],
    ])('%j for %j', (source, contact, expected) => {
      expect(opening(source, '2026-01-05T02:00:00Z', contact)).toBe(expected);
    });
  });

  describe('quiet hours', () => {
    const quiet = { preset: 'quietHours', timezone: 'contact', fallbackTimezone: 'UTC' };
    const paris = { timezone: 'Europe/Paris', country: 'FR' };
    test.each([
      [quiet, '2026-01-05T09:00:00Z', paris, 'open'],
      [quiet, '2026-01-05T12:00:00Z', paris, '2026-01-05T13:00:00Z window'],
      [quiet, '2026-01-05T19:00:00Z', paris, '2026-01-06T09:00:00Z window'],
      [quiet, '2026-04-30T18:00:00Z', paris, '2026-05-04T08:00:00Z holiday'],
      [{ ...quiet, from: '11:30', to: '14:30' }, '2026-01-05T09:00:00Z', paris, '2026-01-05T10:30:00Z window'],
      [{ ...quiet, from: '11:30', to: '14:30' }, '2026-01-05T12:10:00Z', paris, '2026-01-05T13:00:00Z window'],
      [{ ...quiet, from: '11:30', to: '14:30' }, '2026-01-05T13:30:00Z', paris, '2026-01-06T10:30:00Z window'],
      [{ ...quiet, from: '22:00', to: '06:00' }, '2026-01-05T09:00:00Z', paris, 'never'],
      [{ ...quiet, days: ['sat'] }, '2026-01-05T09:00:00Z', paris, 'never'],
      [quiet, '2026-01-04T03:00:00Z', { timezone: 'America/New_York', country: 'us' }, '2026-01-04T13:00:00Z window'],
      [quiet, '2026-01-04T03:00:00Z', { timezone: 'America/Bogota', country: 'CO' }, '2026-01-05T12:00:00Z window'],
      // unknown: 09:00 to 20:00 every day
      [quiet, '2026-01-04T03:00:00Z', { timezone: 'Europe/Vienna', country: 'AT' }, '2026-01-04T08:00:00Z window'],
      [quiet, '2026-10-26T10:00:00Z', { timezone: 'Europe/Vienna', country: 'AT' }, 'open'],
      [quiet, '2026-01-04T19:00:00Z', { timezone: 'Europe/Vienna' }, '2026-01-05T08:00:00Z window'],
      [
        { ...quiet, country: 'FR' },
        '2026-01-04T12:00:00Z',
        { timezone: 'Europe/Vienna' },
        '2026-01-05T09:00:00Z window',
      ],
      [{ preset: 'quietHours', country: 'DE' }, '2026-05-01T19:00:00Z', {}, '2026-05-02T07:00:00Z window'],
    ])('%j at %s for %j: %s', (source, at, contact, expected) => {
      expect(opening(source, at, contact)).toBe(expected);
    });
  });

  test('a window that is closed for four years never opens', () => {
    const sundays = Array.from({ length: 700 }, (_, week) => iso(Date.UTC(2026, 0, 4 + 7 * week)).slice(0, 10));
    expect(opening({ days: ['sun'], holidays: sundays }, '2026-01-05T09:00:00Z')).toBe('never');
    expect(opening({ days: ['sun'], holidays: sundays.slice(0, 150) }, '2026-01-05T09:00:00Z')).toBe(
      '2028-11-18T23:00:00Z holiday',
    );
  });

  test('at the ends of time it has an answer', () => {
    for (const at of [8.64e15, -8.64e15]) expect(nextOpening(windowOf(office), {}, at).state).toBeDefined();
  });

  test('is idempotent, never earlier than asked, and open then', () => {
    const time = fc.nat(1439).map((minute) => iso(minute * 60_000).slice(11, 16));
    const source = fc.record({
      days: fc.uniqueArray(fc.constantFrom('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'), { minLength: 1 }),
      from: time,
      to: time,
      timezone: fc.constantFrom(
        'Europe/Berlin',
        'Africa/Casablanca',
        'Australia/Lord_Howe',
        'America/Nuuk',
        'Asia/Gaza',
      ),
      holidays: fc.array(fc.constantFrom('2026-03-29', '2026-10-25', '2026-01-05')),
    });
    const instant = fc.integer({ min: Date.UTC(2026, 0), max: Date.UTC(2027, 0) });
    fc.assert(
      fc.property(source, instant, (fields, at) => {
        fc.pre(fields.from !== fields.to);
        const window = windowOf(fields);
        const found = nextOpening(window, {}, at);
        if (found.state === 'open') return;
        if (found.state !== 'later') throw new Error(`${found.state} for ${JSON.stringify(fields)}`);
        expect(found.at).toBeGreaterThan(at);
        expect(nextOpening(window, {}, found.at)).toMatchObject({ state: 'open' });
        expect(nextOpening(window, {}, found.at - 1)).toMatchObject({ state: 'later', at: found.at });
      }),
    );
  });
});

describe('addBusinessDays', () => {
  const add = (source: object, at: string, days: number, contact: object = {}): string => {
    const found = addBusinessDays(windowOf(source), contact, Date.parse(at), days);
    return found.state === 'at' ? iso(found.at) : found.state;
  };
  const night = { days: workdays, from: '22:00', to: '06:00' };

  test.each([
    [office, '2026-01-05T14:00:00Z', 0, '2026-01-05T14:00:00Z'],
    [office, '2026-01-05T14:00:00Z', 1, '2026-01-06T14:00:00Z'],
    [office, '2026-01-09T14:00:00Z', 1, '2026-01-12T14:00:00Z'],
    [office, '2026-01-10T14:00:00Z', 1, '2026-01-12T14:00:00Z'],
    [office, '2026-01-05T14:00:00Z', 10, '2026-01-19T14:00:00Z'],
    [{}, '2026-01-09T14:00:00Z', 3, '2026-01-12T14:00:00Z'],
    [{ ...office, holidays: ['2026-01-06'] }, '2026-01-05T14:00:00Z', 1, '2026-01-07T14:00:00Z'],
    [{ ...office, holidayCountry: 'DE' }, '2026-04-30T14:00:00Z', 1, '2026-05-04T14:00:00Z'],
    // the time of day stays over the change of the clocks
    [office, '2026-03-27T14:00:00Z', 1, '2026-03-30T13:00:00Z'],
    [{}, '2026-03-28T01:30:00Z', 1, '2026-03-29T01:30:00Z'],
    // 02:00 on Saturday is still Friday's night
    [night, '2026-01-10T01:00:00Z', 1, '2026-01-13T01:00:00Z'],
    [night, '2026-01-09T22:00:00Z', 1, '2026-01-12T22:00:00Z'],
    [night, '2026-01-10T12:00:00Z', 1, '2026-01-12T12:00:00Z'],
    [{ ...night, holidays: ['2026-01-09'] }, '2026-01-10T01:00:00Z', 1, '2026-01-12T01:00:00Z'],
  ])('%j: %s + %i = %s', (source, at, days, expected) => {
    expect(add(source, at, days)).toBe(expected);
  });

  test('days on which quiet hours hold all day are none', () => {
    const quiet = { preset: 'quietHours', timezone: 'contact', onUnknownZone: 'hold' };
    const paris = { timezone: 'Europe/Paris', country: 'FR' };
    expect(add(quiet, '2026-04-30T14:00:00Z', 1, paris)).toBe('2026-05-04T14:00:00Z');
    expect(add({ ...quiet, days: ['sat'] }, '2026-04-30T14:00:00Z', 1, paris)).toBe('never');
    expect(add(quiet, '2026-04-30T14:00:00Z', 1)).toBe('hold');
  });
});
