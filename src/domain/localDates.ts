/** Days and times of day as documents write them. A day is the number of days since 1970-01-01. */
import { dayMs } from './zones.ts';

/** 0 is Sunday. */
export type Weekday = 0 | 1 | 2 | 3 | 4 | 5 | 6;

/** 1970-01-01 was a Thursday. */
export const weekdayOf = (day: number): Weekday => ((((day + 4) % 7) + 7) % 7) as Weekday;

export const yearOf = (day: number): number => new Date(day * dayMs).getUTCFullYear();

/** `2026-12-25` (RFC 3339, full-date); undefined for anything else, and for a date that does not exist. */
export function parseDay(text: unknown): number | undefined {
  if (typeof text !== 'string' || !/^\d{4}-\d\d-\d\d$/.test(text)) return undefined;
  const at = Date.parse(`${text}T00:00:00Z`);
  if (Number.isNaN(at) || new Date(at).toISOString().slice(0, 10) !== text) return undefined;
  return at / dayMs;
}

/** `09:30` in minutes since midnight; `24:00` is the end of the day. Undefined for anything else. */
export function parseTimeOfDay(text: unknown): number | undefined {
  const match = typeof text === 'string' ? /^([01]\d|2[0-3]):([0-5]\d)$|^24:00$/.exec(text) : null;
  if (match === null) return undefined;
  return match[1] === undefined ? 24 * 60 : Number(match[1]) * 60 + Number(match[2]);
}
