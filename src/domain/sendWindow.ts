/**
 * When a message may leave: the send window of a campaign or stage, in the contact's time. A window belongs to the day it opens,
 * and opens once a day at most: from the instant of `from` (see `Zone.instantOf`) until the clock on the wall reaches `to`. Where
 * that comes first, because both lie in a gap, it does not open that day.
 */
import type { HolidayCalendar } from './holidays.ts';
import { weekdayOf } from './localDates.ts';
import { hoursOf, type Week } from './quietHours.ts';
import { dayMs, type Zone, zoneNamed } from './zones.ts';

const minuteMs = 60_000;
/** So far an opening is looked for: four years. */
const horizonDays = 1461;

/** A window that was compiled (`compileSendWindow`). */
export interface SendWindow {
  /** Absent: the contact's own. */
  readonly zone: Zone | undefined;
  readonly onUnknownZone: 'fallback' | 'hold' | 'fail';
  /** There is one where `onUnknownZone` says so. */
  readonly fallback: Zone | undefined;
  readonly week: Week;
  /** Days on which it stays closed, since 1970-01-01. */
  readonly holidays: ReadonlySet<number>;
  /** `contact`: the contact's own. */
  readonly holidayCountry: string | undefined;
  /** The country whose legal hours hold beside those of the window; `contact`: the contact's own. */
  readonly quietCountry: string | undefined;
  readonly calendar: HolidayCalendar;
}

/** What is asked of a contact. */
export interface Whereabouts {
  readonly timezone?: unknown;
  readonly country?: unknown;
}

/** The contact has no zone that is known, and the window does not say which to use. */
export interface Unplaced {
  readonly state: 'hold' | 'fail';
  readonly reason: 'timezone_missing' | 'timezone_unknown';
}

export type Opening =
  /** At the instant that was asked for, and until that one, ms. */
  | { readonly state: 'open'; readonly until: number }
  /** The first instant, in ms, at which it opens, and whether it had done so earlier but for a holiday. */
  | { readonly state: 'later'; readonly at: number; readonly why: 'window' | 'holiday' }
  | Unplaced
  /** It does not open within four years. */
  | { readonly state: 'never' };

const never = { state: 'never' } as const;

/** When a message to this contact may leave, at `at` (ms) or later. */
export function nextOpening(window: SendWindow, contact: Whereabouts, at: number): Opening {
  const place = placeOf(window, contact);
  if ('state' in place) return place;
  if (place.legal === undefined) return search(place.own, place.zone, at, at);
  return searchBoth(place.own, place.legal, place.zone, at);
}

/** The first instant at `at` or later at which a message may leave, and why that is later. Where none can be told, `at`: what becomes of it is decided then. */
export function movedInto(
  window: SendWindow | undefined,
  contact: Whereabouts,
  at: number,
): { readonly at: number; readonly why?: 'window' | 'holiday' } {
  const opening = window && nextOpening(window, contact, at);
  return opening?.state === 'later' ? { at: opening.at, why: opening.why } : { at };
}

/**
 * The instant `days` working days after `at`, at the same local time: days on which the window opens, holidays left out. What
 * lies after midnight in a window that runs into the next day counts to the day before. Whether the window is open then is
 * another question (`nextOpening`).
 */
export function addBusinessDays(
  window: SendWindow,
  contact: Whereabouts,
  at: number,
  days: number,
): { readonly state: 'at'; readonly at: number } | Unplaced | { readonly state: 'never' } {
  const place = placeOf(window, contact);
  if ('state' in place) return place;
  if (days <= 0) return { state: 'at', at };
  const { own, legal, zone } = place;
  const wall = zone.wallAt(at);
  const today = Math.floor(wall / dayMs);
  const start = opensOn(own, zone, today - 1, at) ? today - 1 : today;
  let day = start;
  for (let left = days; left > 0; left--) {
    const last = day++;
    while (!(isWorkingDay(own, day) && (legal === undefined || isWorkingDay(legal, day)))) {
      if (day++ - last > horizonDays) return never;
    }
  }
  return { state: 'at', at: zone.instantOf(day * dayMs + wall - start * dayMs) };
}

// ---------------------------------------------------------------- whose time

/** Days and hours, and what closes them. */
interface Hours {
  readonly week: Week;
  readonly holidays: ReadonlySet<number>;
  readonly country: string | undefined;
  readonly calendar: HolidayCalendar;
}

interface Place {
  readonly zone: Zone;
  readonly own: Hours;
  readonly legal: Hours | undefined;
}

function placeOf(window: SendWindow, contact: Whereabouts): Place | Unplaced {
  const zone = window.zone ?? zoneNamed(contact.timezone) ?? window.fallback;
  if (zone === undefined) {
    const reason = (contact.timezone ?? undefined) === undefined ? 'timezone_missing' : 'timezone_unknown';
    return { state: window.onUnknownZone === 'hold' ? 'hold' : 'fail', reason };
  }
  const { week, holidays, holidayCountry, quietCountry, calendar } = window;
  const own = { week, holidays, country: countryOf(holidayCountry, contact), calendar };
  return { zone, own, legal: quietCountry === undefined ? undefined : legalOf(window, quietCountry, contact) };
}

function legalOf({ calendar }: SendWindow, wanted: string, contact: Whereabouts): Hours {
  const country = countryOf(wanted, contact);
  const { week, holidays } = hoursOf(country);
  return { week, holidays: noDays, country: holidays ? country : undefined, calendar };
}

const noDays: ReadonlySet<number> = new Set();

function countryOf(wanted: string | undefined, { country }: Whereabouts): string | undefined {
  if (wanted !== 'contact') return wanted;
  return typeof country === 'string' ? country : undefined;
}

// ---------------------------------------------------------------- the search

/** The first opening at `at` or later; looked for until four years after `asked`. */
function search(hours: Hours, zone: Zone, at: number, asked: number): Opening {
  const today = Math.floor(zone.wallAt(at) / dayMs);
  const last = Math.floor(asked / dayMs) + horizonDays;
  let why: 'window' | 'holiday' = 'window';
  for (let day = today - 1; day <= last; day++) {
    for (const span of hours.week[weekdayOf(day)]) {
      const end = zone.reached(day * dayMs + span.to * minuteMs);
      if (end <= at) continue;
      const begin = zone.instantOf(day * dayMs + span.from * minuteMs);
      if (begin >= end) continue;
      if (!isHoliday(hours, day))
        return begin <= at ? { state: 'open', until: end } : { state: 'later', at: begin, why };
      why = 'holiday';
    }
  }
  return never;
}

/** The first instant at which both are open, taking turns. */
function searchBoth(own: Hours, legal: Hours, zone: Zone, asked: number): Opening {
  let at = asked;
  let until = asked;
  let why: 'window' | 'holiday' = 'window';
  for (;;) {
    for (const hours of [own, legal]) {
      const found = search(hours, zone, at, asked);
      if (found.state === 'later') {
        at = found.at;
        if (found.why === 'holiday') why = 'holiday';
      } else if (found.state !== 'open') return found;
      else if (hours === own) until = found.until;
      else if (at > asked) return { state: 'later', at, why };
      else return { state: 'open', until: Math.min(until, found.until) };
    }
  }
}

const isHoliday = ({ holidays, country, calendar }: Hours, day: number): boolean =>
  holidays.has(day) || (country !== undefined && calendar.isHoliday(country, day));

const isWorkingDay = (hours: Hours, day: number): boolean =>
  hours.week[weekdayOf(day)].length > 0 && !isHoliday(hours, day);

/** Whether the window of that day is open at an instant. */
const opensOn = (hours: Hours, zone: Zone, day: number, at: number): boolean =>
  !isHoliday(hours, day) &&
  hours.week[weekdayOf(day)].some(
    ({ from, to }) =>
      zone.instantOf(day * dayMs + from * minuteMs) <= at && at < zone.reached(day * dayMs + to * minuteMs),
  );
