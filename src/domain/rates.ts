/** Messages a second, over all replicas together: slots are given out by one document a limit (`rate_limits`). */

/** Over any span T at most `perSecond` * T + `burst` messages leave. */
export interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

/** How a limit is kept by slots: each is for one message, and is used within `usableMs` of its time or lost. */
export interface Pace {
  /** From slot to slot, ms. */
  readonly everyMs: number;
  /** After a pause, slots at the same time. */
  readonly atOnce: number;
  readonly usableMs: number;
}

/** Slots in a row. */
export interface Grant {
  /** May be 0. */
  readonly count: number;
  /** From now to the time of the first, ms; less than 0: it could have been used before. */
  readonly firstInMs: number;
  /** From now to when there may be more, ms. */
  readonly againInMs: number;
  readonly pace: Pace;
}

/** Slots are given out no longer than this before their time, ms. */
export const horizonMs = 250;

const unitsMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const ratePattern = /^\s*(\d+(?:\.\d+)?)\s*\/\s*([smhd])\s*$/;
const [slowest, fastest] = [1 / 86_400, 1_000_000];
export const allowedRate =
  'messages a second, minute, hour or day, such as 100/s or 30/m, at least 1/d and at most 1000000/s';
export const allowedPerSecond = 'a number of messages a second, at least one a day (0.0000116) and at most 1000000';
export const allowedBurst = 'a whole number from 1 to 1000000';

/** "100/s", "30/m", "5/h" and "1/d" as messages a second; undefined for what is none, or out of bounds. */
export function parseRate(text: string): number | undefined {
  const [, count, unit = ''] = ratePattern.exec(text) ?? [];
  const perSecond = (Number(count) * 1_000) / (unitsMs[unit] ?? Number.NaN);
  return perSecond >= slowest && perSecond <= fastest ? perSecond : undefined;
}

/** Messages a second, within bounds. */
export const isRate = (value: unknown): value is number =>
  typeof value === 'number' && value >= slowest && value <= fastest;

export const isBurst = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 1_000_000;

/** Without a burst: what a second allows, one at least. */
export const rateLimit = (perSecond: number, burst?: number): RateLimit => ({
  perSecond,
  burst: burst ?? Math.max(1, Math.floor(perSecond)),
});

/** Of the burst three tenths may come at once, half is for slots that are used late; the rest for what is slow on its way. */
export function paceOf({ perSecond, burst }: RateLimit): Pace {
  const everyMs = 1_000 / perSecond;
  const atOnce = Math.max(1, Math.floor(burst * 0.3));
  const usableMs = Math.min(2_000, Math.max(leastUsableMs, burst * 0.5 * everyMs));
  return { everyMs, atOnce, usableMs };
}
/** A slot that waits for no round is used within a few of them, ms. */
const leastUsableMs = 50;

/** Messages a second to one domain, by domain (lower case); `*`: to each other one. */
export type DomainRates = Readonly<Record<string, number>>;
export const anyDomain = '*';
export const allowedDomainRates =
  'domains with a rate each, such as gmail.com=20/s,*=5/s; * is each other domain by itself';

const domainRate = /^([^=]*)=([^=]*)$/;
const domainPattern = /^(?:\*|[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)$/;

/** "gmail.com=20/s,*=5/s"; undefined for what is none. */
export function parseDomainRates(text: string): DomainRates | undefined {
  const rates = new Map<string, number>();
  for (const entry of text.split(',')) {
    const [, name = '', rate = ''] = domainRate.exec(entry) ?? [];
    const domain = plainDomain(name.trim());
    const perSecond = parseRate(rate);
    if (perSecond === undefined || !domainPattern.test(domain) || rates.has(domain)) return undefined;
    rates.set(domain, perSecond);
  }
  return Object.fromEntries(rates);
}

/** Lower case, without the dot of the root, and names of other scripts as the DNS has them (RFC 5891). */
function plainDomain(text: string): string {
  const domain = text.toLowerCase().replace(/\.$/, '');
  const url = `http://${domain}/`;
  return /[^\x20-\x7e]/.test(domain) && URL.canParse(url) ? new URL(url).hostname : domain;
}

/** Of a mail address in normal form, lower case; undefined for what is none. */
export function domainOf(address: unknown): string | undefined {
  if (typeof address !== 'string') return undefined;
  const at = address.lastIndexOf('@');
  return at < 0 ? undefined : plainDomain(address.slice(at + 1));
}

/** What `rate_limits` says of a limit: its own words, or those of the environment. */
export interface RateWords {
  rate?: unknown;
  burst?: unknown;
}

/**
 * The limit in force; undefined: there is none.
 * @param own As the environment says. `faults`: what the document says and cannot be used, for the log.
 */
export function limitInForce(
  words: RateWords | undefined,
  own: RateLimit | undefined,
): { limit: RateLimit | undefined; faults: string[] } {
  const { rate, burst } = words ?? {};
  const perSecond = typeof rate === 'string' ? parseRate(rate) : rate;
  const isUsable = isRate(perSecond);
  const faults = [
    ...(rate === undefined || isUsable ? [] : [`rate was ${JSON.stringify(rate)}; allowed: ${allowedRate}`]),
    ...(burst === undefined || isBurst(burst) ? [] : [`burst was ${JSON.stringify(burst)}; allowed: ${allowedBurst}`]),
  ];
  const ownBurst = isBurst(burst) ? burst : undefined;
  if (isUsable) return { limit: rateLimit(perSecond, ownBurst), faults };
  return { limit: own && { ...own, burst: ownBurst ?? own.burst }, faults };
}

/**
 * Takes up to `want` slots: GCRA (ITU-T I.371), many at a time. The adapters do the same inside one update.
 * What another limit, or another server's clock, left further ahead than this limit gives is cut.
 * @param tat Theoretical arrival time: when the next slot would be if none could come early, ms since the epoch. @param now ms since the epoch.
 */
export function takeSlots(
  tat: number | undefined,
  now: number,
  pace: Pace,
  want: number,
): { grant: Grant; tat: number } {
  const { everyMs, atOnce } = pace;
  const base = Math.max(now, Math.min(tat ?? now, now + horizonMs + atOnce * everyMs));
  const firstInMs = base - now - (atOnce - 1) * everyMs;
  const count = Math.max(0, Math.min(want, Math.floor((horizonMs - firstInMs) / everyMs) + 1));
  return {
    grant: { count, firstInMs, againInMs: againIn(firstInMs + count * everyMs), pace },
    tat: base + count * everyMs,
  };
}

/** @param nextInMs From now to the next slot that nobody has. */
export const againIn = (nextInMs: number): number => Math.max(0, nextInMs - horizonMs);
