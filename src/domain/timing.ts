/** Durations as documents write them (ISO 8601) and the arithmetic of due times. */

/** A length of time. Months keep apart, for they have no fixed length; weeks and days are counted as 7 x 24 and 24 hours. */
export interface Duration {
  months: number;
  ms: number;
}

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const weekMs = 7 * dayMs;
/** A Date holds 100,000,000 days either side of the epoch (ECMA-262, Time Values and Time Range). */
const dateRangeMs = 1e8 * dayMs;
/** As many months as lie in that range; no longer duration can be of use. */
const longestMonths = 12 * 273_790;

const pattern =
  /^P(?=\d|T\d)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:[.,](\d+))?S)?)?$/;

/** Thousandths, rounded up, so that nothing comes earlier than asked. Digit by digit: no binary fraction is involved. */
const fractionMs = (digits: string): number =>
  Number(digits.slice(0, 3).padEnd(3, '0')) + (/[1-9]/.test(digits.slice(3)) ? 1 : 0);

/**
 * Reads a duration of ISO 8601 as profiled by RFC 3339 appendix A (`PnYnMnWnDTnHnMnS`), weeks beside other units and
 * fractions of seconds allowed. Undefined when it is malformed or longer than the range of a Date.
 */
export function parseDuration(text: string): Duration | undefined {
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const part = (group: number): number => Number(match[group] ?? 0);
  const months = part(1) * 12 + part(2);
  const ms =
    part(3) * weekMs +
    part(4) * dayMs +
    part(5) * hourMs +
    part(6) * minuteMs +
    part(7) * secondMs +
    fractionMs(match[8] ?? '');
  return months <= longestMonths && ms <= dateRangeMs ? { months, ms } : undefined;
}

const clamp = (at: number): number => Math.min(Math.max(at, -dateRangeMs), dateRangeMs);

/** Days of a month; the Gregorian calendar repeats every 400 years, so any year has a twin that Date.UTC takes literally. */
const daysInMonth = (year: number, month: number): number =>
  new Date(Date.UTC(2000 + (year % 400), month + 1, 0)).getUTCDate();

/** Moves by calendar months in UTC; a day the target month does not have becomes its last one. */
function addMonths(at: number, months: number): number {
  const date = new Date(at);
  const month = date.getUTCFullYear() * 12 + date.getUTCMonth() + months;
  const year = Math.floor(month / 12);
  const moved = date.setUTCFullYear(
    year,
    month - year * 12,
    Math.min(date.getUTCDate(), daysInMonth(year, month - year * 12)),
  );
  return Number.isNaN(moved) ? Math.sign(months) * dateRangeMs : moved;
}

/**
 * The instant a duration after `at`; both in ms since the epoch. Months first, in the UTC calendar and clamped to the last
 * day of the month (31 January + P1M = 28 or 29 February), then the rest. Stays inside the range of a Date.
 */
export function addDuration(at: number, duration: Duration): number {
  const start = clamp(at);
  return clamp((duration.months === 0 ? start : addMonths(start, duration.months)) + duration.ms);
}

/** The instant a duration before `at`, as `addDuration`. */
export function subtractDuration(at: number, { months, ms }: Duration): number {
  const start = clamp(at);
  return clamp((months === 0 ? start : addMonths(start, -months)) - ms);
}

/** False for a duration of zero; negative ones cannot be written. */
export const isPositive = (duration: Duration): boolean => duration.months > 0 || duration.ms > 0;

/** The longest that it may be, ms. */
export const atMostMs = ({ months, ms }: Duration): number => months * 31 * 86_400_000 + ms;
