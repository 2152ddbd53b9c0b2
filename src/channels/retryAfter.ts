const maxMs = 86_400_000;

/** The three forms of RFC 9110, 5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT`, `Sun Nov  6 08:49:37 1994`. */
const imfFixdate = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}:\d{2}:\d{2}) GMT$/;
const rfc850 = /^[A-Z][a-z]+day, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}:\d{2}:\d{2}) GMT$/;
const asctime = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}:\d{2}:\d{2}) (\d{4})$/;

/** The year with these last two digits that is at most 50 years ahead and less than 50 past (RFC 9110, 5.6.7). */
function fullYear(digits: string, now: number): number {
  const thisYear = new Date(now).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + Number(digits);
  if (year > thisYear + 50) return year - 100;
  return year <= thisYear - 50 ? year + 100 : year;
}

function httpDate(text: string, now: number): number {
  const parse = (day = '', month = '', year: string | number = '', time = ''): number =>
    Date.parse(`${day.trim().padStart(2, '0')} ${month} ${year} ${time} GMT`);
  const fixed = imfFixdate.exec(text);
  if (fixed) return parse(fixed[1], fixed[2], fixed[3], fixed[4]);
  const old = rfc850.exec(text);
  if (old) return parse(old[1], old[2], fullYear(old[3] ?? '', now), old[4]);
  const c = asctime.exec(text);
  return c ? parse(c[2], c[1], c[4], c[3]) : Number.NaN;
}

/**
 * Ms to wait as a `Retry-After` asks (RFC 9110, 10.2.3): seconds, fractions let pass, or an HTTP date in any of its forms.
 * At most 24 h, never negative; undefined when there is none or it cannot be read. `now`: ms since the epoch.
 */
export function retryAfterMs(header: string | string[] | undefined, now: number): number | undefined {
  const text = (Array.isArray(header) ? header[0] : header)?.trim() ?? '';
  const ms = /^\d+(\.\d+)?$/.test(text) ? Math.ceil(Number(text) * 1000) : httpDate(text, now) - now;
  return Number.isNaN(ms) ? undefined : Math.min(maxMs, Math.max(0, ms));
}
