/**
 * When marketing may reach people by law. Taken from the texts named, as of 2026; no legal advice. What a law says of telephone
 * calls alone is held for messages too: stricter, never laxer. Consent and other exceptions are left to the author.
 */
import type { Weekday } from './localDates.ts';

/** From and to in minutes of the local day; past 24 hours it runs into the next day. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Spans by weekday, Sunday first, each list in order. */
export type Week = Readonly<Record<Weekday, readonly Span[]>>;

export interface LegalHours {
  readonly week: Week;
  /** Closed on public holidays. */
  readonly holidays: boolean;
  /** What the law speaks of. */
  readonly covers: 'messages' | 'calls';
  /** The text it stands in. */
  readonly source: string;
}

const hours = (from: number, to: number): Span => ({ from: from * 60, to: to * 60 });

function week(workdays: readonly Span[], saturday: readonly Span[], sunday: readonly Span[]): Week {
  return { 0: sunday, 1: workdays, 2: workdays, 3: workdays, 4: workdays, 5: workdays, 6: saturday };
}

const everyDay = (span: Span): Week => week([span], [span], [span]);

/** Where no law is known: 09:00 to 20:00 every day, which lies within most of those below. */
export const usualHours: Week = everyDay(hours(9, 20));

/** By ISO 3166-1 alpha-2. */
export const legalHours: ReadonlyMap<string, LegalHours> = new Map([
  [
    'AU',
    {
      week: week([hours(9, 20)], [hours(9, 17)], []),
      holidays: true,
      covers: 'calls',
      source: 'Telecommunications (Telemarketing and Research Calls) Industry Standard 2017',
    },
  ],
  [
    'CA',
    {
      week: week([hours(9, 21.5)], [hours(10, 18)], [hours(10, 18)]),
      holidays: false,
      covers: 'calls',
      source: 'CRTC Unsolicited Telecommunications Rules, part III, section 23',
    },
  ],
  [
    'CO',
    {
      week: week([hours(7, 19)], [hours(8, 15)], []),
      holidays: true,
      covers: 'messages',
      source: 'Ley 2300 de 2023, artículo 3',
    },
  ],
  [
    'ES',
    {
      week: week([hours(9, 21)], [], []),
      holidays: true,
      covers: 'calls',
      source: 'Real Decreto Legislativo 1/2007 (TRLGDCU), artículo 96.2',
    },
  ],
  [
    'FR',
    {
      week: week([hours(10, 13), hours(14, 20)], [], []),
      holidays: true,
      covers: 'calls',
      source: 'Code de la consommation, article D. 223-9 (décret n° 2022-1313)',
    },
  ],
  [
    'IN',
    {
      week: everyDay(hours(10, 21)),
      holidays: false,
      covers: 'messages',
      source: 'TRAI, TCCCPR 2010 as amended in 2011: 09:00 to 21:00; operators now deliver promotions from 10:00',
    },
  ],
  [
    'KR',
    {
      week: everyDay(hours(8, 21)),
      holidays: false,
      covers: 'messages',
      source: 'Network Act (정보통신망법), article 50 (3)',
    },
  ],
  [
    'US',
    {
      week: everyDay(hours(8, 21)),
      holidays: false,
      covers: 'messages',
      source: '47 CFR 64.1200(c)(1); states may be stricter',
    },
  ],
  [
    'ZA',
    {
      week: week([hours(8, 20)], [hours(9, 13)], []),
      holidays: true,
      covers: 'messages',
      source: 'Consumer Protection Act 68 of 2008, section 12; notice R. 293 of 2011, item 1',
    },
  ],
]);

const usual = { week: usualHours, holidays: false };

/** The hours of a country (`FR`, `fr`, `FR-IDF`); the usual ones where none are known. */
export function hoursOf(country: string | undefined): { readonly week: Week; readonly holidays: boolean } {
  if (country === undefined) return usual;
  return legalHours.get(country) ?? legalHours.get(alpha2(country)) ?? usual;
}

const alpha2 = (country: string): string =>
  country.length === 2 || country[2] === '-' ? country.slice(0, 2).toUpperCase() : '';
