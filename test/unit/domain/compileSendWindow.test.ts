import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compileSendWindow, needsHolidays } from '../../../src/domain/compileSendWindow.ts';
import type { HolidayCalendar } from '../../../src/domain/holidays.ts';

const calendar: HolidayCalendar = { knows: (country) => country === 'DE', isHoliday: () => false };
const path = 'schedule.sendWindow';
/** "code path" of every fault. */
const faults = (source: unknown, holidays?: HolidayCalendar): string[] =>
  compileSendWindow(source, path, holidays).faults.map(
    (fault) => `${fault.code} ${fault.path.replace(`${path}.`, '')}`,
  );

const right = { timezone: 'Europe/Berlin' };

describe('compileSendWindow', () => {
  test.each([
    right,
    { ...right, days: ['mon', 'sun'], from: '09:00', to: '24:00' },
    { ...right, from: '22:00', to: '00:00' },
    { ...right, fallbackTimezone: 'UTC', onUnknownZone: 'hold', holidays: [] },
    { timezone: 'contact', fallbackTimezone: 'UTC' },
    { timezone: 'contact', onUnknownZone: 'fail' },
    { ...right, days: null, from: null, holidayCountry: null, preset: null, country: null },
    { timezone: 'contact', onUnknownZone: 'hold', preset: 'quietHours' },
    { ...right, preset: 'quietHours', country: 'DE', holidayCountry: 'contact' },
  ])('takes %j', (source) => {
    const { window, faults: found } = compileSendWindow(source, path, calendar);
    expect(found).toEqual([]);
    expect(window).toBeDefined();
  });

  test.each([
    [{}, ['required timezone']],
    [{ timezone: 'contact' }, ['required fallbackTimezone']],
    [{ timezone: 'contact', onUnknownZone: 'fallback' }, ['required fallbackTimezone']],
    [{ timezone: 'contact', fallbackTimezone: 'Nowhere' }, ['timezone_unknown fallbackTimezone']],
    [{ timezone: 'CEST' }, ['timezone_unknown timezone']],
    [{ timezone: '+02:00' }, ['timezone_unknown timezone']],
    [{ timezone: 2 }, ['timezone_unknown timezone']],
    [{ ...right, onUnknownZone: 'guess' }, ['not_allowed onUnknownZone']],
    [{ ...right, days: [] }, ['not_allowed days']],
    [{ ...right, days: 'mon' }, ['not_allowed days']],
    [{ ...right, days: ['mon', 'monday', 3] }, ['not_allowed days[1]', 'not_allowed days[2]']],
    [{ ...right, from: '9:00' }, ['not_allowed from']],
    [{ ...right, from: '24:00' }, ['not_allowed from']],
    [{ ...right, to: '25:00' }, ['not_allowed to']],
    [{ ...right, from: '09:00', to: '09:00' }, ['not_allowed to']],
    [{ ...right, holidays: '2026-12-25' }, ['not_allowed holidays']],
    [{ ...right, holidays: new Array(1001).fill('2026-12-25') }, ['not_allowed holidays']],
    [{ ...right, holidays: ['2026-12-25', '2026-02-30', 5] }, ['not_allowed holidays[1]', 'not_allowed holidays[2]']],
    [{ ...right, holidayCountry: 'Germany' }, ['country_unknown holidayCountry']],
    [{ ...right, holidayCountry: 49 }, ['country_unknown holidayCountry']],
    [{ ...right, preset: 'quiet', country: 'DE' }, ['not_allowed preset']],
    [{ ...right, country: 'DE' }, ['not_allowed country']],
    [{ ...right, preset: 'quietHours' }, ['not_allowed timezone']],
    [{ ...right, preset: 'quietHours', country: 'XX' }, ['country_unknown country']],
    [{ ...right, timeZone: 'UTC', 'a.b': 1 }, ['unknown_field timeZone', 'unknown_field schedule.sendWindow["a.b"]']],
    [{ ...right, from: 1, to: 2, days: 3 }, ['not_allowed from', 'not_allowed to', 'not_allowed days']],
  ])('refuses %j', (source, expected) => {
    expect(faults(source, calendar)).toEqual(expected);
    expect(compileSendWindow(source, path, calendar).window).toBeUndefined();
  });

  test('says what it was and what is allowed', () => {
    const [fault] = compileSendWindow({ ...right, from: '9 am' }, path).faults;
    expect(fault?.path).toBe('schedule.sendWindow.from');
    expect(fault?.message).toBe('was "9 am"; it has to be a time of day such as "09:00", of 24 hours');
    const [unknown] = compileSendWindow({ ...right, timeZone: 'UTC' }, path).faults;
    expect(unknown?.message).toContain('Did you mean "timezone"?');
  });

  test('asks for the holidays to be loaded', () => {
    const sources = [{ holidayCountry: 'DE' }, { preset: 'quietHours', country: 'DE' }];
    for (const source of sources) {
      expect(needsHolidays(source)).toBe(true);
      expect(faults({ ...right, ...source })).toEqual([
        `holidays_unavailable ${'preset' in source ? 'country' : 'holidayCountry'}`,
      ]);
    }
    for (const source of [right, { holidayCountry: null }, null, 5, 'x']) expect(needsHolidays(source)).toBe(false);
  });

  test.each([null, undefined, 'mon', 5, [], new Date(0)])('%p is no window', (source) => {
    expect(compileSendWindow(source, path).faults).toMatchObject([{ code: 'type', path }]);
  });

  test('never throws, and gives a window or faults', () => {
    const fields = [
      'days',
      'from',
      'to',
      'timezone',
      'fallbackTimezone',
      'onUnknownZone',
      'holidays',
      'preset',
      'country',
    ];
    const source = fc.oneof(fc.anything(), fc.dictionary(fc.constantFrom(...fields, '__proto__'), fc.anything()));
    fc.assert(
      fc.property(source, (anything) => {
        const { window, faults: found } = compileSendWindow(anything, path, calendar);
        expect(window === undefined).toBe(found.length > 0);
      }),
    );
  });
});
