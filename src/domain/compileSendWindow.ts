/** The `sendWindow` of a campaign's schedule or of a stage, checked and made ready: every fault at once, each with its path. */
import type { Fault } from './errors.ts';
import { Faults, listed, suggestion } from './flowChecks.ts';
import { type HolidayCalendar, noHolidays } from './holidays.ts';
import { parseDay, parseTimeOfDay, type Weekday } from './localDates.ts';
import { isPlain, joinPath, own } from './plain.ts';
import { printable } from './printable.ts';
import type { Span, Week } from './quietHours.ts';
import type { SendWindow } from './sendWindow.ts';
import { type Zone, zoneNamed } from './zones.ts';

export interface CompiledWindow {
  /** Absent when there are faults. */
  window?: SendWindow;
  faults: Fault[];
}

const names = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
const policies = ['fallback', 'hold', 'fail'] as const;
const known = [
  'days',
  'from',
  'to',
  'timezone',
  'fallbackTimezone',
  'onUnknownZone',
  'holidays',
  'holidayCountry',
  'preset',
  'country',
];
/** Dates a window may list. */
const mostHolidays = 1000;
const dayMinutes = 24 * 60;

/** Whether a window asks for public holidays, so that they have to be loaded (`loadHolidays`) before it is compiled. */
export const needsHolidays = (source: unknown): boolean =>
  isPlain(source) && (own(source, 'holidayCountry') !== undefined || own(source, 'preset') !== undefined);

/**
 * Compiles a window, whatever its shape; never throws. Left out: `days` all, `from` 00:00, `to` 24:00. `calendar`: the public
 * holidays, where `needsHolidays` says so.
 */
export function compileSendWindow(source: unknown, path: string, calendar = noHolidays): CompiledWindow {
  const faults = new Faults();
  if (!isPlain(source)) {
    faults.add('type', path, () => `was ${printable(source)}; it has to be an object`);
    return { faults: faults.list };
  }
  const window = new Compilation(source, path, calendar, faults).window();
  return faults.list.length > 0 ? { faults: faults.list } : { window, faults: [] };
}

class Compilation {
  private readonly source: Record<string, unknown>;
  private readonly path: string;
  private readonly calendar: HolidayCalendar;
  private readonly faults: Faults;

  constructor(source: Record<string, unknown>, path: string, calendar: HolidayCalendar, faults: Faults) {
    this.source = source;
    this.path = path;
    this.calendar = calendar;
    this.faults = faults;
  }

  window(): SendWindow {
    for (const field of Object.keys(this.source)) {
      if (known.includes(field)) continue;
      const message = () =>
        `there is no field ${printable(field)} here.${suggestion(field, known)} Allowed: ${listed(known)}`;
      this.faults.add('unknown_field', joinPath(this.path, field), message);
    }
    return {
      ...this.zones(),
      week: this.week(),
      holidays: this.holidays(),
      holidayCountry: this.country('holidayCountry', own(this.source, 'holidayCountry')),
      quietCountry: this.quietCountry(),
      calendar: this.calendar,
    };
  }

  // ---------------------------------------------------------------- the week

  private week(): Week {
    const from = this.timeOfDay('from', 0);
    const to = this.timeOfDay('to', dayMinutes);
    if (from === dayMinutes) this.wrong('not_allowed', 'from', 'a time before 24:00');
    else if (from === to) this.wrong('not_allowed', 'to', 'another time than `from`; leave both out for the whole day');
    const spans: readonly Span[] = [{ from, to: to > from ? to : to + dayMinutes }];
    const days = this.days();
    const on = (day: Weekday): readonly Span[] => (days.has(names[day]) ? spans : []);
    return { 0: on(0), 1: on(1), 2: on(2), 3: on(3), 4: on(4), 5: on(5), 6: on(6) };
  }

  private timeOfDay(field: string, otherwise: number): number {
    const text = own(this.source, field);
    const minutes = text === undefined ? otherwise : parseTimeOfDay(text);
    if (minutes === undefined) this.wrong('not_allowed', field, 'a time of day such as "09:00", of 24 hours');
    return minutes ?? otherwise;
  }

  private days(): ReadonlySet<unknown> {
    const days = own(this.source, 'days') ?? names;
    if (!Array.isArray(days) || days.length === 0) this.wrong('not_allowed', 'days', `a list of ${listed(names)}`);
    else this.items('days', days, (day) => names.some((name) => name === day), `one of ${listed(names)}`);
    return new Set(Array.isArray(days) ? days : []);
  }

  // ---------------------------------------------------------------- holidays

  private holidays(): ReadonlySet<number> {
    const dates = own(this.source, 'holidays') ?? [];
    if (!Array.isArray(dates) || dates.length > mostHolidays) {
      this.wrong('not_allowed', 'holidays', `a list of at most ${mostHolidays} dates`);
      return new Set();
    }
    this.items('holidays', dates, (date) => parseDay(date) !== undefined, 'a date such as "2026-12-25"');
    return new Set(dates.flatMap((date) => parseDay(date) ?? []));
  }

  private quietCountry(): string | undefined {
    const preset = own(this.source, 'preset');
    const country = own(this.source, 'country');
    if (preset === undefined) {
      if (country !== undefined) this.fault('not_allowed', 'country', 'goes with `preset: "quietHours"` only');
      return undefined;
    }
    if (preset !== 'quietHours') this.wrong('not_allowed', 'preset', '"quietHours"');
    const chosen = this.country('country', country ?? 'contact');
    if (chosen === 'contact' && own(this.source, 'timezone') !== 'contact') {
      this.fault('not_allowed', 'timezone', 'has to be "contact": quiet hours are those where the contact is');
    }
    return chosen;
  }

  private country(field: string, country: unknown): string | undefined {
    if (country === undefined) return undefined;
    if (this.calendar === noHolidays) {
      this.fault('holidays_unavailable', field, 'needs the public holidays, and they were not loaded');
      return undefined;
    }
    if (country === 'contact' || (typeof country === 'string' && this.calendar.knows(country))) return country;
    this.wrong('country_unknown', field, '"contact" or a code of ISO 3166 such as "DE" or "DE-BY"');
    return undefined;
  }

  // ---------------------------------------------------------------- zones

  private zones(): Pick<SendWindow, 'zone' | 'fallback' | 'onUnknownZone'> {
    const onUnknownZone = this.policy();
    const timezone = own(this.source, 'timezone');
    const fallback = this.zone('fallbackTimezone', own(this.source, 'fallbackTimezone'));
    if (timezone === undefined) {
      this.fault('required', 'timezone', `is missing; it has to be "contact" or ${aZone}`);
    } else if (timezone !== 'contact')
      return { zone: this.zone('timezone', timezone), fallback: undefined, onUnknownZone };
    else if (onUnknownZone === 'fallback' && own(this.source, 'fallbackTimezone') === undefined) {
      const why = 'for contacts without a zone, or set onUnknownZone to "hold" or "fail"';
      this.fault('required', 'fallbackTimezone', `is missing; it has to be ${aZone}, ${why}`);
    }
    return { zone: undefined, fallback: onUnknownZone === 'fallback' ? fallback : undefined, onUnknownZone };
  }

  private policy(): SendWindow['onUnknownZone'] {
    const written = own(this.source, 'onUnknownZone') ?? 'fallback';
    const policy = policies.find((name) => name === written);
    if (policy === undefined) this.wrong('not_allowed', 'onUnknownZone', `one of ${listed(policies)}`);
    return policy ?? 'hold';
  }

  private zone(field: string, name: unknown): Zone | undefined {
    const zone = zoneNamed(name);
    if (name !== undefined && zone === undefined) this.wrong('timezone_unknown', field, aZone);
    return zone;
  }

  // ---------------------------------------------------------------- faults

  private items(field: string, items: readonly unknown[], isRight: (item: unknown) => boolean, wanted: string): void {
    for (const [index, item] of items.entries()) {
      if (isRight(item)) continue;
      const path = `${this.path}.${field}[${index}]`;
      this.faults.add('not_allowed', path, () => `was ${printable(item)}; it has to be ${wanted}`);
    }
  }

  private wrong(code: string, field: string, wanted: string): void {
    this.fault(code, field, `was ${printable(own(this.source, field))}; it has to be ${wanted}`);
  }

  private fault(code: string, field: string, message: string): void {
    this.faults.add(code, `${this.path}.${field}`, () => message);
  }
}

const aZone = 'a zone of the tz database such as "Europe/Berlin"';
