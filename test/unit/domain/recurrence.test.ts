import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compileRecurrence } from '../../../src/domain/compileRecurrence.ts';
import { nextOccurrence, occurrenceId, occurrences, type Recurrence } from '../../../src/domain/recurrence.ts';

const iso = (at: number): string => new Date(at).toISOString().replace('.000Z', 'Z');
function recurrence(zone: string, start: string, rule: string): Recurrence {
  const compiled = compileRecurrence(`DTSTART;TZID=${zone}:${start}\nRRULE:${rule}`, 'schedule.recurrence');
  if (compiled.recurrence === undefined) throw new Error(JSON.stringify(compiled.faults));
  return compiled.recurrence;
}
const between = (of: Recurrence, from: string, until: string): string[] =>
  occurrences(of, Date.parse(from) - 1, Date.parse(until), 100).map(iso);

describe('occurrences', () => {
  test.each([
    [
      'skipped: forward by the gap',
      'Europe/Berlin',
      '20260101T023000',
      'FREQ=DAILY',
      '2026-03-28T00:00:00Z',
      '2026-03-31T00:00:00Z',
      ['2026-03-28T01:30:00Z', '2026-03-29T01:30:00Z', '2026-03-30T00:30:00Z'],
    ],
    [
      'twice: the first',
      'Europe/Berlin',
      '20260101T023000',
      'FREQ=DAILY',
      '2026-10-24T00:00:00Z',
      '2026-10-27T00:00:00Z',
      ['2026-10-24T00:30:00Z', '2026-10-25T00:30:00Z', '2026-10-26T01:30:00Z'],
    ],
    [
      'hours of the wall, each instant once',
      'Europe/Berlin',
      '20260101T000000',
      'FREQ=HOURLY',
      '2026-03-29T00:00:00Z',
      '2026-03-29T03:00:00Z',
      ['2026-03-29T00:00:00Z', '2026-03-29T01:00:00Z', '2026-03-29T02:00:00Z', '2026-03-29T03:00:00Z'],
    ],
    [
      'the hour that comes twice, once',
      'Europe/Berlin',
      '20260101T000000',
      'FREQ=HOURLY',
      '2026-10-24T23:00:00Z',
      '2026-10-25T03:00:00Z',
      ['2026-10-24T23:00:00Z', '2026-10-25T00:00:00Z', '2026-10-25T02:00:00Z', '2026-10-25T03:00:00Z'],
    ],
    [
      'in order, though 02:50 moves past 03:20',
      'Europe/Berlin',
      '20260101T022000',
      'FREQ=DAILY;BYHOUR=2,3;BYMINUTE=20,50;BYSETPOS=2,3',
      '2026-03-28T12:00:00Z',
      '2026-03-30T01:00:00Z',
      ['2026-03-29T01:20:00Z', '2026-03-29T01:50:00Z', '2026-03-30T00:50:00Z'],
    ],
    [
      'every half hour',
      'Europe/Berlin',
      '20260101T001500',
      'FREQ=MINUTELY;INTERVAL=30',
      '2026-03-29T00:30:00Z',
      '2026-03-29T02:00:00Z',
      ['2026-03-29T00:45:00Z', '2026-03-29T01:15:00Z', '2026-03-29T01:45:00Z'],
    ],
    [
      'half an hour of summer time',
      'Australia/Lord_Howe',
      '20260101T021500',
      'FREQ=DAILY',
      '2026-10-02T00:00:00Z',
      '2026-10-05T00:00:00Z',
      ['2026-10-02T15:45:00Z', '2026-10-03T15:45:00Z', '2026-10-04T15:15:00Z'],
    ],
    [
      'a date that does not exist',
      'Pacific/Apia',
      '20111228T090000',
      'FREQ=DAILY',
      '2011-12-28T00:00:00Z',
      '2012-01-02T00:00:00Z',
      [
        '2011-12-28T19:00:00Z',
        '2011-12-29T19:00:00Z',
        '2011-12-30T19:00:00Z',
        '2011-12-31T19:00:00Z',
        '2012-01-01T19:00:00Z',
      ],
    ],
    [
      'before midnight into the next day',
      'America/Nuuk',
      '20260101T233000',
      'FREQ=DAILY',
      '2026-03-28T00:00:00Z',
      '2026-03-30T12:00:00Z',
      ['2026-03-28T01:30:00Z', '2026-03-29T01:30:00Z', '2026-03-30T00:30:00Z'],
    ],
    [
      'Ramadan',
      'Africa/Casablanca',
      '20260101T090000',
      'FREQ=WEEKLY',
      '2026-02-11T00:00:00Z',
      '2026-03-27T00:00:00Z',
      [
        '2026-02-12T08:00:00Z',
        '2026-02-19T09:00:00Z',
        '2026-02-26T09:00:00Z',
        '2026-03-05T09:00:00Z',
        '2026-03-12T09:00:00Z',
        '2026-03-19T09:00:00Z',
        '2026-03-26T08:00:00Z',
      ],
    ],
    [
      'midnight that is skipped',
      'America/Sao_Paulo',
      '20181001T000000',
      'FREQ=WEEKLY;BYDAY=SU',
      '2018-11-01T00:00:00Z',
      '2018-11-12T00:00:00Z',
      ['2018-11-04T03:00:00Z', '2018-11-11T02:00:00Z'],
    ],
  ])('%s', (_, zone, start, rule, from, until, expected) => {
    expect(between(recurrence(zone, start, rule), from, until)).toEqual(expected);
  });

  test('are bounded in number and time', () => {
    const minutely = recurrence('UTC', '20260101T000000', 'FREQ=MINUTELY');
    expect(occurrences(minutely, Date.UTC(2026, 0) - 1, Date.UTC(2027, 0), 10)).toHaveLength(10);
    expect(occurrences(minutely, Date.UTC(2026, 0), Date.UTC(2026, 0) + 180_000, 1000)).toHaveLength(3);
    expect(occurrences(minutely, Date.UTC(2025, 0), Date.UTC(2025, 6), 1000)).toEqual([]);
  });

  test('end with COUNT, and with the year 9999', () => {
    const twice = recurrence('UTC', '20260101T000000', 'FREQ=DAILY;COUNT=2');
    expect(nextOccurrence(twice, Date.UTC(2026, 0, 2))).toBeUndefined();
    const daily = recurrence('UTC', '20260101T000000', 'FREQ=DAILY');
    expect(nextOccurrence(daily, Date.UTC(9999, 11, 31))).toBeUndefined();
    expect(nextOccurrence(daily, 8.64e15)).toBeUndefined();
    expect(nextOccurrence(daily, -8.64e15)).toBe(Date.UTC(2026, 0));
  });

  test('a rule that never matches does not spin', () => {
    for (const rule of [
      'FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30',
      'FREQ=MINUTELY;INTERVAL=2;BYMINUTE=1',
      'FREQ=YEARLY;BYWEEKNO=1;BYYEARDAY=200',
    ]) {
      const { faults } = compileRecurrence(`DTSTART:20260101T000000\nRRULE:${rule}`, 'recurrence');
      expect(faults.map(({ message }) => message)).toEqual(['never occurs']);
    }
  });

  test('come in order, after what was asked, the next being the first', () => {
    const rule = fc.constantFrom(
      'FREQ=DAILY',
      'FREQ=HOURLY;INTERVAL=5',
      'FREQ=MINUTELY;INTERVAL=45',
      'FREQ=WEEKLY;BYDAY=SU,MO',
    );
    const zone = fc.constantFrom(
      'Europe/Berlin',
      'Australia/Lord_Howe',
      'America/Nuuk',
      'Africa/Casablanca',
      'Asia/Gaza',
    );
    const minute = fc.nat(1439);
    const asked = fc.integer({ min: Date.UTC(2026, 1), max: Date.UTC(2026, 10) });
    fc.assert(
      fc.property(zone, rule, minute, asked, (where, how, at, after) => {
        const time = iso(at * 60_000)
          .slice(11, 19)
          .replaceAll(':', '');
        const each = recurrence(where, `20260101T${time}`, how);
        const list = occurrences(each, after, after + 40 * 86_400_000, 20);
        expect(list).toEqual([...new Set(list)].sort((a, b) => a - b));
        for (const [index, one] of list.entries()) {
          expect(one).toBeGreaterThan(after);
          expect(nextOccurrence(each, one - 1)).toBe(one);
          expect(nextOccurrence(each, one)).toBe(list[index + 1] ?? nextOccurrence(each, one));
        }
      }),
      { numRuns: 25 },
    );
  });
});

describe('occurrenceId', () => {
  const at = Date.parse('2026-01-05T08:00:00.000Z');
  const objectId = { _bsontype: 'ObjectId', toHexString: () => '65f0c0ffee65f0c0ffee65f0' } as const;
  test.each([
    ['weekly', 'weekly@20260105T080000Z'],
    ['a b~c@d', 'a%20b%7Ec%40d@20260105T080000Z'],
    [42, '#42@20260105T080000Z'],
    [objectId, '~65f0c0ffee65f0c0ffee65f0@20260105T080000Z'],
  ])('of %p is %s', (parent, id) => {
    expect(occurrenceId(parent as never, at)).toBe(id);
  });
});
