/** The parts of an RRULE (RFC 5545, 3.3.10), checked one by one: the library drops in silence what it does not like. */
import type { Faults } from './flowChecks.ts';
import { listed, suggestion } from './flowChecks.ts';
import { printable } from './printable.ts';
import { mostTimes, timesPerPeriod } from './recurrenceDensity.ts';

/** The parts by name, in capitals. */
export type RuleParts = ReadonlyMap<string, string>;

interface Part {
  wanted: string;
  isRight: (text: string) => boolean;
}

const frequencies = ['YEARLY', 'MONTHLY', 'WEEKLY', 'DAILY', 'HOURLY', 'MINUTELY'];
const weekdays = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'];
/** A rule with COUNT is counted from its start at every look. */
const mostCount = 10_000;

const isWhole = (text: string, least: number, most: number): boolean =>
  /^\d{1,5}$/.test(text) && Number(text) >= least && Number(text) <= most;

const whole = (least: number, most: number): Part => ({
  wanted: `a whole number, ${least} to ${most}`,
  isRight: (text) => isWhole(text, least, most),
});

const numbers = (least: number, most: number): Part => ({
  wanted: `whole numbers, ${least} to ${most}, with commas between`,
  isRight: (text) => text.split(',').every((each) => isWhole(each, least, most)),
});

const signed = (most: number): Part => ({
  wanted: `whole numbers, 1 to ${most} or -1 to -${most}, with commas between`,
  isRight: (text) => text.split(',').every((each) => isWhole(each.replace(/^[+-]/, ''), 1, most)),
});

const word = (words: readonly string[]): Part => ({
  wanted: `one of ${listed(words)}`,
  isRight: (text) => words.includes(text),
});

const byDay = /^(?:[+-]?([1-9]|[1-4]\d|5[0-3]))?(?:MO|TU|WE|TH|FR|SA|SU)$/;

const parts: Readonly<Record<string, Part>> = {
  FREQ: word(frequencies),
  // read with the dates
  UNTIL: { wanted: 'a time', isRight: () => true },
  COUNT: whole(1, mostCount),
  INTERVAL: whole(1, 10_000),
  // two would be a campaign a second
  BYSECOND: whole(0, 59),
  BYMINUTE: numbers(0, 59),
  BYHOUR: numbers(0, 23),
  BYDAY: {
    wanted: 'weekdays such as MO, 2TU or -1FR, with commas between',
    isRight: (text) => text.split(',').every((each) => byDay.test(each)),
  },
  BYMONTHDAY: signed(31),
  BYYEARDAY: signed(366),
  BYWEEKNO: signed(53),
  BYMONTH: numbers(1, 12),
  BYSETPOS: signed(366),
  WKST: word(weekdays),
};

/** Reads `FREQ=WEEKLY;BYDAY=MO`; what is wrong goes to the faults. */
export function readRule(text: string, path: string, faults: Faults): RuleParts {
  const found = new Map<string, string>();
  for (const piece of text.toUpperCase().split(';')) {
    const [name, value] = pairOf(piece);
    const part = Object.hasOwn(parts, name) ? parts[name] : undefined;
    if (part === undefined) {
      const names = Object.keys(parts);
      const message = () => `RRULE has no part ${printable(name)}.${suggestion(name, names)} Allowed: ${listed(names)}`;
      faults.add('recurrence_invalid', path, message);
    } else if (found.has(name)) faults.add('recurrence_invalid', path, () => `${name} of the RRULE is there twice`);
    else if (!part.isRight(value)) {
      faults.add('recurrence_invalid', path, () => `${name} was ${printable(value)}; it has to be ${part.wanted}`);
    }
    found.set(name, value);
  }
  if (!found.has('FREQ')) faults.add('recurrence_invalid', path, () => `RRULE needs FREQ, ${listed(frequencies)}`);
  checkTogether(found, (message) => faults.add('recurrence_invalid', path, () => message));
  return found;
}

/** `NAME=value`; the value is empty where there is none. */
export function pairOf(text: string): [name: string, value: string] {
  const at = text.indexOf('=');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** What RFC 5545 (3.3.10) forbids to stand together. */
function checkTogether(rule: RuleParts, add: (message: string) => void): void {
  const has = (name: string): boolean => rule.has(name);
  const isOf = (...names: string[]): boolean => names.includes(rule.get('FREQ') ?? '');
  if (has('COUNT') && has('UNTIL')) add('COUNT and UNTIL exclude each other');
  if (has('BYWEEKNO') && !isOf('YEARLY')) add('BYWEEKNO goes with FREQ=YEARLY only');
  if (has('BYYEARDAY') && isOf('DAILY', 'WEEKLY', 'MONTHLY'))
    add('BYYEARDAY does not go with FREQ=DAILY, WEEKLY or MONTHLY');
  if (has('BYMONTHDAY') && isOf('WEEKLY')) add('BYMONTHDAY does not go with FREQ=WEEKLY');
  if (/\d/.test(rule.get('BYDAY') ?? '') && (!isOf('MONTHLY', 'YEARLY') || has('BYWEEKNO'))) {
    add('BYDAY with a number goes with FREQ=MONTHLY or YEARLY only, and not with BYWEEKNO');
  }
  const times = timesPerPeriod(rule);
  if (times > mostTimes)
    add(`it gives up to ${times} times in one period of FREQ; ${mostTimes} are the most: write it with a shorter FREQ`);
  const others = [...rule.keys()].filter((name) => name.startsWith('BY') && name !== 'BYSETPOS');
  if (has('BYSETPOS') && others.length === 0) add('BYSETPOS chooses from what another BY part gives');
}
