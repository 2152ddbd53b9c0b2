/** Public holidays by country, as date-holidays has them. The only file that knows that library. */
import { yearOf } from './localDates.ts';
import { dayMs } from './zones.ts';

/** Public holidays of the countries that are known. */
export interface HolidayCalendar {
  /** Whether that country, or subdivision, is known: ISO 3166-1 alpha-2 (`DE`) or ISO 3166-2 (`DE-BY`), in any case. */
  knows(country: string): boolean;
  /** Whether a local day (days since 1970-01-01) is a public holiday there; false where the country is not known. */
  isHoliday(country: string, day: number): boolean;
}

/** Where none were loaded. */
export const noHolidays: HolidayCalendar = { knows: () => false, isHoliday: () => false };

type Holidays = import('date-holidays').default;
type Constructor = new (country: string, options?: object) => Holidays;

interface Country {
  source: Holidays;
  years: Map<number, ReadonlySet<number>>;
}

/** Names of no country that are kept: contacts may bear anything. */
const keptNames = 1024;
/** Years that are kept of a country. */
const keptYears = 8;

let loaded: Promise<HolidayCalendar> | undefined;
let calendar = noHolidays;

/**
 * Loads the library, whose data are 0.8 MB, once: 0.3 s and some 25 MB, so only where a window asks for it (`needsHolidays`). A day
 * of which only a part is a holiday counts as one.
 */
export function loadHolidays(): Promise<HolidayCalendar> {
  loaded ??= load();
  return loaded;
}

/** What was loaded so far; `noHolidays` before. */
export const loadedHolidays = (): HolidayCalendar => calendar;

/** Works out the holidays of these countries around an instant, so that no decision has to wait for that. */
export function warmHolidays(of: HolidayCalendar, countries: readonly string[], now: number): void {
  const day = Math.floor(now / dayMs);
  for (const country of countries) for (const each of [day, day + 366]) of.isHoliday(country, each);
}

async function load(): Promise<HolidayCalendar> {
  const { default: library } = (await import('date-holidays')) as unknown as { default: Constructor };
  const known: Readonly<Record<string, unknown>> = new library('').getCountries();
  const countries = new Map<string, Country>();
  const strange = new Set<string>();

  const find = (written: string): Country | undefined => {
    const name = written.toUpperCase();
    const kept = countries.get(name);
    if (kept !== undefined || strange.has(name)) return kept;
    const country = open(library, known, name);
    if (country !== undefined) countries.set(name, country);
    else {
      if (strange.size >= keptNames) strange.clear();
      strange.add(name);
    }
    return country;
  };
  calendar = {
    knows: (country) => find(country) !== undefined,
    isHoliday: (name, day) => {
      const country = find(name);
      // one that began in the last days of a year may reach into the next
      return country !== undefined && [day, day - 7].some((each) => daysOf(country, yearOf(each)).has(day));
    },
  };
  return calendar;
}

function open(library: Constructor, known: Readonly<Record<string, unknown>>, name: string): Country | undefined {
  const match = /^([A-Z]{2})(?:-([A-Z0-9]{1,3}))?$/.exec(name);
  const [, country = '', state] = match ?? [];
  if (!Object.hasOwn(known, country)) return undefined;
  const options = { types: ['public'], timezone: 'UTC' };
  const source = new library(country, options);
  if (state === undefined) return { source, years: new Map() };
  const states: Readonly<Record<string, unknown>> = source.getStates(country) ?? {};
  if (!Object.hasOwn(states, state)) return undefined;
  return { source: new library(`${country}.${state}`, options), years: new Map() };
}

/** The holidays that the library gives for a year. It takes 1 to 50 ms, more where it reckons with the moon. */
function daysOf({ source, years }: Country, year: number): ReadonlySet<number> {
  let days = years.get(year);
  if (days === undefined) {
    if (years.size >= keptYears) years.clear();
    days = new Set(source.getHolidays(year).flatMap(spanned));
    years.set(year, days);
  }
  return days;
}

/** `date` begins with the day as people count it, even where the holiday begins at the sunset before. */
function spanned({ date, start, end }: { date: string; start: Date; end: Date }): number[] {
  const first = Date.parse(date.slice(0, 10)) / dayMs;
  return Array.from({ length: Math.ceil((end.getTime() - start.getTime()) / dayMs) }, (_, index) => first + index);
}
