import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { addDuration, isPositive, parseDuration, subtractDuration } from '../../../src/domain/timing.ts';

const hour = 3_600_000;
const day = 24 * hour;
const dateRange = 8.64e15;

describe('parseDuration', () => {
  test.each([
    ['P1Y2M', { months: 14, ms: 0 }],
    ['P3D', { months: 0, ms: 3 * day }],
    ['P2W', { months: 0, ms: 14 * day }],
    ['P1W1D', { months: 0, ms: 8 * day }],
    ['P1M', { months: 1, ms: 0 }],
    ['PT1M', { months: 0, ms: 60_000 }],
    ['PT90M', { months: 0, ms: 90 * 60_000 }],
    ['P1Y2M3W4DT5H6M7S', { months: 14, ms: 25 * day + 5 * hour + 6 * 60_000 + 7_000 }],
    ['PT0.5S', { months: 0, ms: 500 }],
    ['PT0,25S', { months: 0, ms: 250 }],
    ['PT4.001S', { months: 0, ms: 4_001 }],
    ['PT0.0001S', { months: 0, ms: 1 }],
    ['PT1.2340S', { months: 0, ms: 1_234 }],
    ['PT0S', { months: 0, ms: 0 }],
    ['P0D', { months: 0, ms: 0 }],
  ])('reads %s', (text, expected) => {
    expect(parseDuration(text)).toEqual(expected);
  });

  test.each([
    '',
    'P',
    'PT',
    'P1DT',
    'P1',
    '1D',
    '-P1D',
    'P-1D',
    '+P1D',
    'p1d',
    'P1D ',
    ' P1D',
    'P1H',
    'PT1D',
    'P1.5D',
    'PT1.S',
    'PT.5S',
    'PT1.5M',
    'P1D1W',
    'P1M1Y',
    'PT1S1M',
    '3 days',
    'P1D\n',
    'P١D',
    'P99999999999Y',
    `PT${'9'.repeat(400)}S`,
    'P100000001D',
  ])('refuses %j', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  test('reads back whatever is composed of its parts', () => {
    const part = fc.nat(999);
    fc.assert(
      fc.property(fc.tuple(part, part, part, part, part, part, part), ([y, mo, w, d, h, mi, s]) => {
        expect(parseDuration(`P${y}Y${mo}M${w}W${d}DT${h}H${mi}M${s}S`)).toEqual({
          months: y * 12 + mo,
          ms: (w * 7 + d) * day + h * hour + mi * 60_000 + s * 1_000,
        });
      }),
    );
  });
});

test.each([
  ['2026-03-31T10:00:00Z', 'P1M', '2026-02-28T10:00:00Z'],
  ['2024-03-31T10:00:00Z', 'P1Y1M', '2023-02-28T10:00:00Z'],
  ['2026-01-01T00:00:00Z', 'P7DT1S', '2025-12-24T23:59:59Z'],
])('%s - %s = %s', (from, text, before) => {
  const duration = parseDuration(text);
  if (duration === undefined) throw new Error(text);
  expect(new Date(subtractDuration(Date.parse(from), duration)).toISOString().replace('.000Z', 'Z')).toBe(before);
});

test('nothing is before the range of a Date', () => {
  const first = -8_640_000_000_000_000;
  expect(subtractDuration(first, { months: 1, ms: 0 })).toBe(first);
  expect(subtractDuration(first, { months: 0, ms: 1 })).toBe(first);
});

describe('addDuration', () => {
  const add = (from: string, duration: string): string => {
    const parsed = parseDuration(duration);
    if (parsed === undefined) throw new Error(`${duration} is malformed`);
    return new Date(addDuration(Date.parse(from), parsed)).toISOString().replace('.000Z', 'Z');
  };

  test.each([
    ['2026-01-31T10:00:00Z', 'P1M', '2026-02-28T10:00:00Z'],
    ['2028-01-31T10:00:00Z', 'P1M', '2028-02-29T10:00:00Z'],
    ['2028-02-29T10:00:00Z', 'P1Y', '2029-02-28T10:00:00Z'],
    ['2026-10-31T23:59:59Z', 'P1M', '2026-11-30T23:59:59Z'],
    ['2026-12-15T00:00:00Z', 'P1M', '2027-01-15T00:00:00Z'],
    ['2026-01-31T10:00:00Z', 'P1M1DT1H', '2026-03-01T11:00:00Z'],
    ['2026-03-28T10:00:00Z', 'P1D', '2026-03-29T10:00:00Z'],
    ['0050-01-31T00:00:00Z', 'P1M', '0050-02-28T00:00:00Z'],
    ['-000001-01-31T00:00:00Z', 'P1Y1M', '0000-02-29T00:00:00Z'],
    ['-271821-04-20T00:00:00Z', 'P1M', '-271821-05-20T00:00:00Z'],
  ])('%s + %s = %s', (from, duration, expected) => {
    expect(add(from, duration)).toBe(expected);
  });

  test('stays inside the range of a Date', () => {
    expect(addDuration(dateRange, { months: 0, ms: 1 })).toBe(dateRange);
    expect(addDuration(dateRange - 1, { months: 1, ms: 0 })).toBe(dateRange);
    expect(addDuration(Number.POSITIVE_INFINITY, { months: 1, ms: 0 })).toBe(dateRange);
    expect(addDuration(Number.NEGATIVE_INFINITY, { months: 0, ms: 0 })).toBe(-dateRange);
  });

  const instant = fc.integer({ min: -dateRange, max: dateRange });
  const duration = fc.record({ months: fc.nat(1200), ms: fc.nat() });

  test('is never earlier than asked and keeps the order of instants', () => {
    fc.assert(
      fc.property(instant, instant, duration, (a, b, length) => {
        expect(addDuration(a, length)).toBeGreaterThanOrEqual(a);
        expect(Math.abs(addDuration(a, length))).toBeLessThanOrEqual(dateRange);
        const [first, second] = a < b ? [a, b] : [b, a];
        const months = { months: 0, ms: length.ms };
        expect(addDuration(first, months)).toBeLessThanOrEqual(addDuration(second, months));
      }),
    );
  });

  test('months land in the month that was meant, at the same time of day', () => {
    fc.assert(
      fc.property(
        fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) }),
        fc.nat(600),
        (at, months) => {
          const moved = new Date(addDuration(at.getTime(), { months, ms: 0 }));
          const count = (date: Date): number => date.getUTCFullYear() * 12 + date.getUTCMonth();
          expect(count(moved)).toBe(count(at) + months);
          expect(moved.getUTCDate()).toBeLessThanOrEqual(at.getUTCDate());
          expect(moved.getTime() % day).toBe(at.getTime() % day);
        },
      ),
    );
  });
});

test('isPositive is false for zero only', () => {
  expect(isPositive({ months: 0, ms: 0 })).toBe(false);
  expect(isPositive({ months: 1, ms: 0 })).toBe(true);
  expect(isPositive({ months: 0, ms: 1 })).toBe(true);
});
