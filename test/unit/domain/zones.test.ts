import { describe, expect, test } from '@jest/globals';
import { Zone, zoneNamed } from '../../../src/domain/zones.ts';

const at = (text: string): number => Date.parse(text);
const zone = (name: string): Zone => {
  const found = zoneNamed(name);
  if (found === undefined) throw new Error(`no zone ${name}`);
  return found;
};
/** A local time as if it were UTC's. */
const wall = (text: string): number => Date.parse(`${text}Z`);
const iso = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');

describe('zoneNamed', () => {
  test.each([
    'Europe/Berlin',
    'US/Pacific',
    'Asia/Calcutta',
    'Asia/Kolkata',
    'EST5EDT',
    'CET',
    'PRC',
    'Etc/GMT+5',
    'UTC',
    'America/Argentina/ComodRivadavia',
  ])('knows %s', (name) => {
    expect(zoneNamed(name)).toBeInstanceOf(Zone);
  });

  test('takes any case, for one and the same zone', () => {
    expect(zoneNamed('europe/BERLIN')).toBe(zone('Europe/Berlin'));
    expect(zone('eUROPE/berlin').id).toBe('Europe/Berlin');
    expect(zone('Etc/GMT+5').offsetAt(0)).toBe(-5 * 3_600_000);
  });

  test.each([
    '',
    '+02:00',
    '-0500',
    'UTC+2',
    'GMT+1',
    'BST',
    'ist',
    'SystemV/PST8',
    'Mars/Olympus',
    ' Europe/Berlin',
    'Europe/Berlin ',
    'Eastern Time',
    `A${'a'.repeat(64)}`,
    7,
    null,
    undefined,
    {},
  ])('does not know %j', (name) => {
    expect(zoneNamed(name)).toBeUndefined();
  });

  test('keeps a bounded number of names', () => {
    const before = zone('Europe/Paris');
    for (let index = 0; index < 5000; index++) zoneNamed(`Nowhere/N${index}`);
    expect(zone('Europe/Paris')).not.toBe(before);
    expect(zone('Europe/Paris').id).toBe('Europe/Paris');
  });
});

describe('offsets', () => {
  test.each([
    ['Europe/Berlin', '2026-03-29T00:59:59.999Z', 60],
    ['Europe/Berlin', '2026-03-29T01:00:00Z', 120],
    ['Europe/Berlin', '2026-10-25T00:59:59.999Z', 120],
    ['Europe/Berlin', '2026-10-25T01:00:00Z', 60],
    ['Australia/Lord_Howe', '2026-01-15T00:00:00Z', 660],
    ['Australia/Lord_Howe', '2026-07-15T00:00:00Z', 630],
    ['Asia/Kathmandu', '2026-07-15T00:00:00Z', 345],
    ['Pacific/Apia', '2011-12-30T09:59:59.999Z', -600],
    ['Pacific/Apia', '2011-12-30T10:00:00Z', 840],
    // Ramadan 2026: two changes within 36 days
    ['Africa/Casablanca', '2026-02-15T01:59:59Z', 60],
    ['Africa/Casablanca', '2026-02-15T02:00:00Z', 0],
    ['Africa/Casablanca', '2026-03-22T01:59:59Z', 0],
    ['Africa/Casablanca', '2026-03-22T02:00:00Z', 60],
    ['America/Sao_Paulo', '2018-11-04T03:00:00Z', -120],
    ['America/Sao_Paulo', '2018-11-04T02:59:59Z', -180],
    ['America/Sao_Paulo', '2026-01-15T00:00:00Z', -180],
  ])('%s at %s: %i minutes', (name, text, minutes) => {
    expect(zone(name).offsetAt(at(text))).toBe(minutes * 60_000);
  });

  test('are to the second before there were zones, and known at the ends of time', () => {
    expect(zone('Europe/Berlin').offsetAt(at('1800-01-01T00:00:00Z'))).toBe((53 * 60 + 28) * 1000);
    expect(zone('Europe/Berlin').offsetAt(-8.64e15)).toBe((53 * 60 + 28) * 1000);
    expect([60, 120]).toContain(zone('Europe/Berlin').offsetAt(8.64e15) / 60_000);
  });

  test('a change at the border of what is looked up at once is in neither half twice', () => {
    const chunk = 128 * 86_400_000;
    // the begin of a chunk: nothing that the real zones have, so each zone is scanned over its borders instead
    for (const name of ['Europe/Berlin', 'America/New_York', 'Africa/Casablanca']) {
      const fresh = new Zone(name);
      for (let border = 150; border < 170; border++) {
        const before = new Zone(name).offsetAt(border * chunk - 1);
        expect(fresh.offsetAt(border * chunk - 1)).toBe(before);
        expect(fresh.wallAt(border * chunk)).toBe(border * chunk + new Zone(name).offsetAt(border * chunk));
      }
    }
  });

  test('what a zone keeps is bounded, and stays right', () => {
    const berlin = new Zone('Europe/Berlin');
    for (let year = 1970; year < 2040; year++) expect(berlin.offsetAt(Date.UTC(year, 0, 15))).toBe(3_600_000);
    expect(berlin.offsetAt(at('2026-07-01T00:00:00Z'))).toBe(7_200_000);
  });
});

describe('local times', () => {
  test.each([
    ['Europe/Berlin', '2026-01-05T09:00', '2026-01-05T08:00:00Z'],
    // skipped: forward by the gap
    ['Europe/Berlin', '2026-03-29T02:00', '2026-03-29T01:00:00Z'],
    ['Europe/Berlin', '2026-03-29T02:30', '2026-03-29T01:30:00Z'],
    ['Europe/Berlin', '2026-03-29T03:00', '2026-03-29T01:00:00Z'],
    // twice: the first
    ['Europe/Berlin', '2026-10-25T02:00', '2026-10-25T00:00:00Z'],
    ['Europe/Berlin', '2026-10-25T02:30', '2026-10-25T00:30:00Z'],
    ['Europe/Berlin', '2026-10-25T03:00', '2026-10-25T02:00:00Z'],
    ['Australia/Lord_Howe', '2026-10-04T02:15', '2026-10-03T15:45:00Z'],
    ['Australia/Lord_Howe', '2026-04-05T01:45', '2026-04-04T14:45:00Z'],
    ['America/Sao_Paulo', '2018-11-04T00:30', '2018-11-04T03:30:00Z'],
    ['Pacific/Apia', '2011-12-29T23:59', '2011-12-30T09:59:00Z'],
    ['Pacific/Apia', '2011-12-30T09:00', '2011-12-30T19:00:00Z'],
    ['Pacific/Apia', '2011-12-31T00:00', '2011-12-30T10:00:00Z'],
    ['America/Nuuk', '2026-03-28T23:30', '2026-03-29T01:30:00Z'],
  ])('%s: %s is %s', (name, local, instant) => {
    expect(iso(zone(name).instantOf(wall(local)))).toBe(instant);
  });

  test.each([
    ['Europe/Berlin', '2026-03-29T02:30', '2026-03-29T01:00:00Z'],
    ['Europe/Berlin', '2026-03-29T01:59', '2026-03-29T00:59:00Z'],
    ['Europe/Berlin', '2026-10-25T02:30', '2026-10-25T00:30:00Z'],
    ['Pacific/Apia', '2011-12-30T18:00', '2011-12-30T10:00:00Z'],
  ])('%s: %s is reached at %s', (name, local, instant) => {
    expect(iso(zone(name).reached(wall(local)))).toBe(instant);
  });

  test('gaps have a length', () => {
    expect(zone('Europe/Berlin').gapAt(wall('2026-03-29T02:30'))).toBe(3_600_000);
    expect(zone('Europe/Berlin').gapAt(wall('2026-03-29T03:00'))).toBe(0);
    expect(zone('Europe/Berlin').gapAt(wall('2026-10-25T02:30'))).toBe(0);
    expect(zone('Australia/Lord_Howe').gapAt(wall('2026-10-04T02:15'))).toBe(1_800_000);
    expect(zone('Pacific/Apia').gapAt(wall('2011-12-30T12:00'))).toBe(86_400_000);
  });
});
