import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { retryAfterMs } from '../../../src/channels/retryAfter.ts';

const now = Date.UTC(2026, 10, 6, 8, 49, 37);
const day = 86_400_000;

describe('retryAfterMs', () => {
  it.each([
    ['0', 0],
    ['120', 120_000],
    [' 7 ', 7000],
    ['1.25', 1250],
    ['999999999999', day],
    ['Fri, 06 Nov 2026 08:50:37 GMT', 60_000],
    ['Friday, 06-Nov-26 08:50:37 GMT', 60_000],
    ['Fri Nov  6 08:50:37 2026', 60_000],
    ['Fri Nov 06 08:50:37 2026', 60_000],
    ['Fri, 06 Nov 2026 08:00:00 GMT', 0],
    ['Sunday, 06-Nov-94 08:49:37 GMT', 0],
    ['Fri, 06 Nov 2099 08:49:37 GMT', day],
  ])('reads %j as %d ms', (header, ms) => {
    expect(retryAfterMs(header, now)).toBe(ms);
  });

  it.each([
    undefined,
    '',
    'soon',
    '-5',
    '5 apples',
    '0x10',
    '1e3',
    '2026-11-06T08:50:37Z',
    'Fri, 99 Foo 2026 08:50:37 GMT',
  ])('takes %j as not there', (header) => {
    expect(retryAfterMs(header, now)).toBeUndefined();
  });

  it('takes the first of several', () => {
    expect(retryAfterMs(['3', '9'], now)).toBe(3000);
  });

  it('takes a year of two digits as at most 50 years ahead', () => {
    const late = Date.UTC(2099, 11, 31, 23, 59, 0);
    expect(retryAfterMs('Thursday, 31-Dec-99 23:59:30 GMT', late)).toBe(30_000);
    expect(retryAfterMs('Friday, 01-Jan-00 00:00:00 GMT', late)).toBe(60_000);
    expect(retryAfterMs('Sunday, 06-Nov-77 08:49:37 GMT', now)).toBe(0);
  });

  it('waits until the very second of any date within a day, in each of the three forms', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 86_400 }), (seconds) => {
        const date = new Date(now + seconds * 1000);
        const [weekday = '', dd = '', month = '', year = '', time = ''] = date
          .toUTCString()
          .replace(',', '')
          .split(' ');
        const long = { Fri: 'Friday', Sat: 'Saturday' }[weekday] ?? weekday;
        for (const form of [
          date.toUTCString(),
          `${long}, ${dd}-${month}-${year.slice(2)} ${time} GMT`,
          `${weekday} ${month} ${dd.replace(/^0/, ' ')} ${time} ${year}`,
        ]) {
          expect(retryAfterMs(form, now)).toBe(seconds * 1000);
        }
      }),
    );
  });

  it('never throws and never leaves 0 to 24 h', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const ms = retryAfterMs(text, now);
        expect(ms === undefined || (ms >= 0 && ms <= day)).toBe(true);
      }),
    );
  });
});
