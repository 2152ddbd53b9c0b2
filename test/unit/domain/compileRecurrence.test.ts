import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compileRecurrence } from '../../../src/domain/compileRecurrence.ts';
import { occurrences } from '../../../src/domain/recurrence.ts';

const path = 'schedule.recurrence';
const start = 'DTSTART;TZID=Europe/Berlin:20260105T090000';
const iso = (at: number): string => new Date(at).toISOString().replace('.000Z', 'Z');

/** The first three occurrences, or the faults. */
function first(text: string, most = 3): string[] {
  const { recurrence, faults } = compileRecurrence(text, path);
  if (recurrence === undefined) return faults.map(({ code, message }) => `${code}: ${message}`);
  return occurrences(recurrence, 0, 8.64e15, most).map(iso);
}

const week = 'MO,TU,WE,TH,FR,SA,SU';
const upTo = (n: number): string => [...Array(n).keys()].join();
const dense = `${start}\nRRULE:FREQ=DAILY;BYHOUR=${upTo(24)};BYMINUTE=${upTo(60)}`;

describe('compileRecurrence', () => {
  test.each([
    [`${start}\nRRULE:FREQ=WEEKLY;BYDAY=MO`, ['2026-01-05T08:00:00Z', '2026-01-12T08:00:00Z', '2026-01-19T08:00:00Z']],
    [
      `${start}\r\nRRULE:FREQ=WEEKLY;\r\n BYDAY=MO\r\n\r\n`,
      ['2026-01-05T08:00:00Z', '2026-01-12T08:00:00Z', '2026-01-19T08:00:00Z'],
    ],
    [
      'dtstart;tzid="Europe/Berlin":20260105T090000\nrrule:freq=daily;count=2',
      ['2026-01-05T08:00:00Z', '2026-01-06T08:00:00Z'],
    ],
    // no zone, and Z: UTC
    ['DTSTART:20260105T090000\nRRULE:FREQ=DAILY;COUNT=1', ['2026-01-05T09:00:00Z']],
    ['DTSTART:20260105T090000Z\nRRULE:FREQ=DAILY;COUNT=1', ['2026-01-05T09:00:00Z']],
    ['DTSTART;VALUE=DATE;TZID=Europe/Berlin:20260105\nRRULE:FREQ=DAILY;COUNT=1', ['2026-01-04T23:00:00Z']],
    // UNTIL: an instant, a local time, a whole day
    [`${start}\nRRULE:FREQ=DAILY;UNTIL=20260106T080000Z`, ['2026-01-05T08:00:00Z', '2026-01-06T08:00:00Z']],
    [`${start}\nRRULE:FREQ=DAILY;UNTIL=20260106T075959Z`, ['2026-01-05T08:00:00Z']],
    [`${start}\nRRULE:FREQ=DAILY;UNTIL=20260106T090000`, ['2026-01-05T08:00:00Z', '2026-01-06T08:00:00Z']],
    [`${start}\nRRULE:FREQ=HOURLY;INTERVAL=15;UNTIL=20260105`, ['2026-01-05T08:00:00Z']],
    // dates added and left out
    [
      `${start}\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE;TZID=Europe/Berlin:20260106T090000`,
      ['2026-01-05T08:00:00Z', '2026-01-07T08:00:00Z'],
    ],
    [`${start}\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE:20260106T090000,20260105T090000`, ['2026-01-07T08:00:00Z']],
    [
      `${start}\nRRULE:FREQ=DAILY;COUNT=1\nRDATE:20260107T080000Z,20260105T070000Z`,
      ['2026-01-05T07:00:00Z', '2026-01-05T08:00:00Z', '2026-01-07T08:00:00Z'],
    ],
    [
      `${start}\nRRULE:FREQ=DAILY;COUNT=1\nRDATE;TZID=America/New_York:20260107T080000`,
      ['2026-01-05T08:00:00Z', '2026-01-07T13:00:00Z'],
    ],
    [`${start}\nRRULE:FREQ=DAILY;COUNT=2\nRDATE:20260106T090000`, ['2026-01-05T08:00:00Z', '2026-01-06T08:00:00Z']],
    [`${start}\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\nRDATE:20250107T080000Z`, ['2025-01-07T08:00:00Z']],
    // dates that do not exist
    [
      'DTSTART:20260131T090000\nRRULE:FREQ=MONTHLY',
      ['2026-01-31T09:00:00Z', '2026-03-31T09:00:00Z', '2026-05-31T09:00:00Z'],
    ],
    [
      'DTSTART:20240229T090000\nRRULE:FREQ=YEARLY',
      ['2024-02-29T09:00:00Z', '2028-02-29T09:00:00Z', '2032-02-29T09:00:00Z'],
    ],
    [
      'DTSTART:20260131T090000\nRRULE:FREQ=MONTHLY;BYMONTHDAY=-1',
      ['2026-01-31T09:00:00Z', '2026-02-28T09:00:00Z', '2026-03-31T09:00:00Z'],
    ],
    [
      'DTSTART:20260105T090000\nRRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1',
      ['2026-01-30T09:00:00Z', '2026-02-27T09:00:00Z', '2026-03-31T09:00:00Z'],
    ],
    [
      'DTSTART:20260105T090000\nRRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU',
      ['2026-01-06T09:00:00Z', '2026-01-18T09:00:00Z', '2026-01-20T09:00:00Z'],
    ],
    [
      'DTSTART:20260105T090000\nRRULE:FREQ=DAILY;BYHOUR=9,17;BYMINUTE=30;BYSECOND=15',
      ['2026-01-05T09:30:15Z', '2026-01-05T17:30:15Z', '2026-01-06T09:30:15Z'],
    ],
  ])('%j', (text, expected) => {
    expect(first(text)).toEqual(expected);
  });

  test.each([
    ['', 'DTSTART'],
    ['RRULE:FREQ=DAILY', 'has to have one DTSTART, and has 0'],
    [start, 'has to have one RRULE, and has 0'],
    [`${start}\nRRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY`, 'has to have one RRULE, and has 2'],
    ['FREQ=DAILY', 'has to begin with one of "DTSTART", "RRULE", "RDATE", "EXDATE"'],
    [`${start}\nRRULE:FREQ=DAILY\nEXRULE:FREQ=WEEKLY`, 'a line was "EXRULE:FREQ=WEEKLY"'],
    [
      'DTSTART;TZID=Mars/Olympus:20260105T090000\nRRULE:FREQ=DAILY',
      'timezone_unknown: TZID of DTSTART was "Mars/Olympus"',
    ],
    ['DTSTART;TZID=Europe/Berlin:20260105T090000Z\nRRULE:FREQ=DAILY', 'date_invalid: DTSTART was "20260105T090000Z"'],
    ['DTSTART:20260230T090000\nRRULE:FREQ=DAILY', 'date_invalid: DTSTART was "20260230T090000"'],
    ['DTSTART:20261305T090000\nRRULE:FREQ=DAILY', 'date_invalid'],
    ['DTSTART:20260105T090000,20260106T090000\nRRULE:FREQ=DAILY', 'date_invalid'],
    ['DTSTART:2026-01-05T09:00:00Z\nRRULE:FREQ=DAILY', 'date_invalid'],
    [`${start}\nRRULE:FREQ=DAILY\nEXDATE;VALUE=DATE:20260106`, 'EXDATE has to be times, as DTSTART is'],
    ['DTSTART:20260105\nRRULE:FREQ=DAILY\nRDATE:20260106T090000', 'RDATE has to be dates, as DTSTART is'],
    [`${start}\nRRULE:FREQ=DAILY\nRDATE;VALUE=PERIOD:20260106T090000/PT1H`, 'date_invalid: RDATE was'],
    [`${start}\nRRULE:FREQ=SECONDLY`, 'FREQ was "SECONDLY"; it has to be one of "YEARLY"'],
    [`${start}\nRRULE:INTERVAL=2`, 'RRULE needs FREQ'],
    [`${start}\nRRULE:BYWEEKNO=2`, 'RRULE needs FREQ'],
    [`${start}\nRRULE:FREQ=DAILY;FREQ=DAILY`, 'FREQ of the RRULE is there twice'],
    [`${start}\nRRULE:FREQ=DAILY;BYDAYS=MO`, 'RRULE has no part "BYDAYS". Did you mean "BYDAY"?'],
    [`${start}\nRRULE:FREQ=DAILY;RSCALE=HEBREW`, 'RRULE has no part "RSCALE"'],
    [`${start}\nRRULE:FREQ=DAILY;constructor=1`, 'RRULE has no part "CONSTRUCTOR"'],
    [`${start}\nRRULE:FREQ=DAILY;`, 'RRULE has no part ""'],
    [`${start}\nRRULE:FREQ=DAILY;COUNT`, 'COUNT was ""'],
    [`${start}\nRRULE:FREQ=DAILY;COUNT=0`, 'COUNT was "0"; it has to be a whole number, 1 to 10000'],
    [`${start}\nRRULE:FREQ=DAILY;COUNT=1e9`, 'COUNT was "1E9"'],
    [`${start}\nRRULE:FREQ=DAILY;INTERVAL=-1`, 'INTERVAL was "-1"'],
    [`${start}\nRRULE:FREQ=DAILY;BYHOUR=9,24`, 'BYHOUR was "9,24"'],
    [`${start}\nRRULE:FREQ=MONTHLY;BYMONTHDAY=0`, 'BYMONTHDAY was "0"'],
    [`${start}\nRRULE:FREQ=MONTHLY;BYDAY=MONDAY`, 'BYDAY was "MONDAY"; it has to be weekdays such as MO'],
    [`${start}\nRRULE:FREQ=MONTHLY;BYDAY=54MO`, 'BYDAY was "54MO"'],
    [`${start}\nRRULE:FREQ=DAILY;WKST=XX`, 'WKST was "XX"'],
    [`${start}\nRRULE:FREQ=DAILY;UNTIL=tomorrow`, 'date_invalid: UNTIL was "TOMORROW"'],
    [`${start}\nRRULE:FREQ=DAILY;COUNT=2;UNTIL=20260106T080000Z`, 'COUNT and UNTIL exclude each other'],
    [`${start}\nRRULE:FREQ=MONTHLY;BYWEEKNO=3`, 'BYWEEKNO goes with FREQ=YEARLY only'],
    [`${start}\nRRULE:FREQ=MONTHLY;BYYEARDAY=3`, 'BYYEARDAY does not go with'],
    [`${start}\nRRULE:FREQ=WEEKLY;BYMONTHDAY=3`, 'BYMONTHDAY does not go with'],
    [`${start}\nRRULE:FREQ=WEEKLY;BYDAY=1MO`, 'BYDAY with a number goes with'],
    [`${start}\nRRULE:FREQ=YEARLY;BYWEEKNO=1;BYDAY=1MO`, 'BYDAY with a number goes with'],
    [`${start}\nRRULE:FREQ=DAILY;BYSETPOS=1`, 'BYSETPOS chooses'],
    [`${start}\nRRULE:FREQ=DAILY;BYMONTH=1;BYMONTHDAY=1;COUNT=9999`, 'COUNT reaches too far'],
    [`${start}\nRRULE:FREQ=MINUTELY;BYSECOND=0,1`, 'BYSECOND was "0,1"; it has to be a whole number, 0 to 59'],
    // more than can be worked out in reasonable time
    [`${start}\nRRULE:FREQ=MONTHLY;BYDAY=${week};BYHOUR=${upTo(24)};BYMINUTE=${upTo(60)}`, 'up to 44640 times in one'],
    [`${start}\nRRULE:FREQ=MONTHLY;BYMONTHDAY=1,2;BYHOUR=${upTo(24)};BYMINUTE=${upTo(60)}`, 'up to 2880 times'],
    [`${start}\nRRULE:FREQ=YEARLY;BYMONTH=1,2;BYHOUR=${upTo(24)};BYMINUTE=${upTo(60)}`, 'up to 2880 times'],
    [`${start}\nRRULE:FREQ=YEARLY;BYDAY=${week};BYHOUR=0,1,2,3,4,5`, 'up to 2196 times'],
    [`${start}\nRRULE:FREQ=YEARLY;BYYEARDAY=1,2;BYHOUR=${upTo(24)};BYMINUTE=${upTo(60)}`, 'up to 2880 times'],
    [`${start}\nRRULE:FREQ=YEARLY;BYWEEKNO=1;BYHOUR=${upTo(24)};BYMINUTE=${upTo(60)}`, 'up to 10080 times'],
    [`${start}\nRRULE:FREQ=WEEKLY;BYDAY=MO,TU;BYHOUR=${upTo(24)};BYMINUTE=${upTo(60)}`, 'up to 2880 times'],
    [
      `${dense}\nEXDATE:${Array(40)
        .fill(0)
        .map((_, n) => `20260105T09${n + 10}00`)
        .join()}`,
      'EXDATE leaves out 40 times',
    ],
    // a rule that never matches
    [`${start}\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30`, 'never occurs'],
    [`${start}\nRRULE:FREQ=DAILY;UNTIL=20250101T000000Z`, 'never occurs'],
    [`${start}\nRRULE:FREQ=DAILY;COUNT=1\nEXDATE:20260105T090000`, 'never occurs'],
  ])('refuses %j: %s', (text, expected) => {
    expect(first(text).join('\n')).toContain(expected);
    for (const fault of compileRecurrence(text, path).faults) expect(fault.path).toBe(path);
  });

  test('what may be dense is taken', () => {
    const soon = ['2026-01-05T08:00:00Z', '2026-01-05T08:01:00Z'];
    for (const text of [
      dense,
      `${start}\nRRULE:FREQ=YEARLY;BYHOUR=${upTo(24)};BYMINUTE=${upTo(60)}`,
      `${start}\nRRULE:FREQ=HOURLY;BYMINUTE=${upTo(60)}`,
      `${start}\nRRULE:FREQ=MINUTELY`,
    ])
      expect(first(text, 2)).toEqual(soon);
  });

  test('what is asked for again is the same, whatever the one who asked before did with it', () => {
    const bad = 'DTSTART:20260105T090000\nRRULE:FREQ=DAILY;BYHOUR=77';
    compileRecurrence(bad, path).faults.length = 0;
    expect(compileRecurrence(bad, path).faults).toHaveLength(1);
    expect(compileRecurrence(bad, 'elsewhere').faults[0]?.path).toBe('elsewhere');
    const again = () => compileRecurrence(dense, path).recurrence;
    const known = again();
    expect(again()).toBe(known);
    for (let n = 0; n < 300; n++) compileRecurrence(`DTSTART:${n}`, path);
    expect(again()).not.toBe(known);
  });

  test('says everything that is wrong at once', () => {
    expect(first('DTSTART:2026\nRRULE:FREQ=DAILY;BYHOUR=25;BYDAY=XX')).toHaveLength(3);
  });

  test.each([undefined, null, 5, {}, new Date(0), 'x'.repeat(20_001)])('%p is no recurrence', (value) => {
    expect(compileRecurrence(value, path).faults).toMatchObject([{ code: 'type', path }]);
  });

  test('never throws, and gives a recurrence or faults', () => {
    const values = ['1', '-1', '0', '366', '31', 'MO', '-1FR', '20260201', '20260201T000000Z', '', '3,5', '1,-2'];
    const names = [
      'COUNT',
      'INTERVAL',
      'BYMONTH',
      'BYMONTHDAY',
      'BYYEARDAY',
      'BYWEEKNO',
      'BYDAY',
      'BYHOUR',
      'BYSETPOS',
      'UNTIL',
    ];
    const part = fc.tuple(fc.constantFrom(...names), fc.constantFrom(...values)).map((pair) => pair.join('='));
    const freq = fc.constantFrom('YEARLY', 'MONTHLY', 'WEEKLY', 'DAILY', 'HOURLY', 'MINUTELY');
    const rule = fc
      .tuple(freq, fc.array(part, { maxLength: 4 }))
      .map(([each, parts]) => [`FREQ=${each}`, ...parts].join(';'));
    const text = fc.oneof({ weight: 4, arbitrary: rule.map((each) => `${start}\nRRULE:${each}`) }, fc.string());
    fc.assert(
      fc.property(text, (each) => {
        const { recurrence, faults } = compileRecurrence(each, path);
        expect(recurrence === undefined).toBe(faults.length > 0);
      }),
      { numRuns: 100 },
    );
  });
});
