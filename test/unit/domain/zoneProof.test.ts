import { describe, expect, jest, test } from '@jest/globals';
import { compileRecurrence } from '../../../src/domain/compileRecurrence.ts';
import { compileSendWindow } from '../../../src/domain/compileSendWindow.ts';
import { weekdayOf } from '../../../src/domain/localDates.ts';
import { occurrences, type Recurrence } from '../../../src/domain/recurrence.ts';
import { nextOpening } from '../../../src/domain/sendWindow.ts';
import { zoneNamed } from '../../../src/domain/zones.ts';
import { changes, minuteMs, offsetReader, WallClock } from '../../support/wallClock.ts';

/**
 * Every zone of the tz database over a year, against a clock on the wall that runs minute by minute. Around each change of the
 * clocks; with ZONE_PROOF=full on every day of the year.
 */
const full = process.env['ZONE_PROOF'] === 'full';
jest.setTimeout(full ? 1_800_000 : 120_000);
const from = Date.UTC(2026, 0) / minuteMs;
const until = Date.UTC(2027, 0) / minuteMs;
const day = 1440;
const names = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
const windows = [
  { days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: 540, to: 1080 },
  { days: ['fri', 'sat', 'sun'], from: 1320, to: 360 },
  { days: names, from: 150, to: 165 },
  { days: names, from: 0, to: 30 },
  { days: ['sat', 'sun'], from: 90, to: 150 },
] as const;
const times = [0, 135, 150, 540, 1410];
const hhmm = (minute: number): string => new Date(minute * minuteMs).toISOString().slice(11, 16);

const all = Intl.supportedValuesOf('timeZone');
const turnsOf = new Map(all.map((zone) => [zone, changes(zone, from, until, full ? 60 : day)]));

/** The whole year; or stretches of four days around each change, or one in any month where there is none. */
function stretches(zone: string): [number, number][] {
  if (full) return [[from, until]];
  const turns = turnsOf.get(zone) ?? [];
  return (turns.length > 0 ? turns : [from + 100 * day]).map((turn) => [turn - 2 * day, turn + 2 * day]);
}

/** Zones whose clocks show the same all year are computed once. */
function distinct(): string[] {
  const seen = new Map<string, string>();
  for (const [zone, turns] of turnsOf) {
    const offset = offsetReader(zone);
    const key = JSON.stringify([offset(from), ...turns.map((turn) => [turn, offset(turn)])]);
    if (!seen.has(key)) seen.set(key, zone);
  }
  return [...seen.values()];
}

describe('all zones', () => {
  const zones = distinct();

  test('the offsets are those that Intl writes, before and after each change', () => {
    let looked = 0;
    for (const [zone, turns] of turnsOf) {
      const offset = offsetReader(zone);
      const own = zoneNamed(zone);
      for (const minute of [from, ...turns.flatMap((turn) => [turn - 1, turn])]) {
        expect({ zone, minute, offset: own?.offsetAt(minute * minuteMs) }).toEqual({
          zone,
          minute,
          offset: offset(minute) * minuteMs,
        });
        looked++;
      }
    }
    expect(looked).toBeGreaterThan(700);
  });

  test('a window opens when the clock on the wall says so: never earlier than asked, inside, and at the first such minute', () => {
    expect(zones.length).toBeGreaterThan(40);
    let compared = 0;
    for (const zone of zones) {
      for (const [begin, end] of stretches(zone)) {
        const clock = new WallClock(zone, begin - 2 * day, end + 8 * day);
        for (const window of windows) compared += compareWindow(zone, clock, window, begin, end);
      }
    }
    expect(compared).toBeGreaterThan(50_000);
    if (full) process.stderr.write(`${all.length} zones, ${zones.length} different, ${compared} openings compared\n`);
  });

  test('a daily occurrence is at its minute on the wall', () => {
    for (const zone of zones) {
      const daily = times.map((time) => ({ time, recurrence: dailyAt(zone, time) }));
      for (const [begin, end] of stretches(zone)) {
        const clock = new WallClock(zone, begin - 2 * day, end + 2 * day);
        for (const each of daily) compareDaily(zone, clock, each, begin, end);
      }
    }
  });
});

/** Every 45 minutes, and the minute before. */
const looks = (begin: number, end: number): number[] =>
  Array.from({ length: 2 * Math.floor((end - begin) / 45) }, (_, index) => begin + 45 * (index >> 1) - (index & 1));

/** How many minutes were compared. */
function compareWindow(
  zone: string,
  clock: WallClock,
  spec: (typeof windows)[number],
  begin: number,
  end: number,
): number {
  const source = { days: [...spec.days], from: hhmm(spec.from), to: hhmm(spec.to), timezone: zone };
  const { window } = compileSendWindow(source, 'sendWindow');
  if (window === undefined) throw new Error(zone);
  const isDay = (each: number): boolean => spec.days.some((name) => name === names[weekdayOf(each)]);
  const expected = clock.openings(isDay, spec.from, spec.to);
  let compared = 0;
  for (const minute of looks(begin, end)) {
    const found = nextOpening(window, {}, minute * minuteMs);
    const at = found.state === 'open' ? minute : found.state === 'later' ? found.at / minuteMs : undefined;
    compared++;
    if (at !== expected[minute - clock.from]) {
      throw new Error(`${JSON.stringify(source)} at ${minute}: ${at}, not ${expected[minute - clock.from]}`);
    }
  }
  return compared;
}

function dailyAt(zone: string, time: number): Recurrence {
  const text = `DTSTART;TZID=${zone}:20251201T${hhmm(time).replace(':', '')}00\nRRULE:FREQ=DAILY`;
  const { recurrence } = compileRecurrence(text, 'recurrence');
  if (recurrence === undefined) throw new Error(zone);
  return recurrence;
}

interface Daily {
  time: number;
  recurrence: Recurrence;
}

function compareDaily(zone: string, clock: WallClock, { time, recurrence }: Daily, begin: number, end: number): void {
  const expected: number[] = [];
  for (let each = Math.floor(begin / day) - 1; each <= Math.ceil(end / day) + 1; each++) {
    const at = clock.hasDay(each) ? clock.comesTo(each * day + time) : undefined;
    if (at !== undefined && at > begin && at < end) expected.push(at);
  }
  const found = occurrences(recurrence, begin * minuteMs, (end - 1) * minuteMs, 400).map((at) => at / minuteMs);
  if (JSON.stringify(found) !== JSON.stringify(expected))
    throw new Error(`${zone} ${hhmm(time)}: ${found}, not ${expected}`);
}
