/** What happened when, in steps that a person can read. All times are UTC. */

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
/** Weeks begin on a Monday (ISO 8601); the epoch was a Thursday. */
const firstMondayMs = 4 * dayMs;

/** Steps in which the database counts: each of those that are shown is a multiple of one of these. */
const fineSteps: readonly number[] = [secondMs, minuteMs, hourMs, dayMs];
const fineBuckets = 50_000;

/** The steps that are shown. */
const steps: readonly number[] = [
  ...[1, 2, 5, 10, 30].map((n) => n * secondMs),
  ...[1, 2, 5, 10, 30].map((n) => n * minuteMs),
  ...[1, 2, 6, 12].map((n) => n * hourMs),
  ...[1, 7].map((n) => n * dayMs),
];

/** In which step (ms) to count what happens within so many ms, that a bounded number of buckets comes of it. */
export const fineStepMs = (spanMs: number): number => fineSteps.find((step) => spanMs / step <= fineBuckets) ?? dayMs;

export type Series = 'sent' | 'followUps' | 'replied';

/** Counts at the begin (ms since the epoch) of each fine step. */
export type Moments = ReadonlyMap<number, Readonly<Record<Series, number>>>;

export interface Bucket extends Record<Series, number> {
  at: Date;
}

export interface Timeline {
  stepMs: number;
  /** Without gaps. `sent` includes follow-ups. */
  buckets: Bucket[];
  /** The bucket in which most was sent. */
  peak: Bucket;
}

/** At most `most` buckets from the first to the last of what happened; undefined when nothing did. */
export function timeline(moments: Moments, fineMs: number, most: number): Timeline | undefined {
  if (moments.size === 0) return undefined;
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (const at of moments.keys()) {
    first = Math.min(first, at);
    last = Math.max(last, at);
  }
  const stepMs = stepFor(first, last, fineMs, most);
  const begin = floorTo(first, stepMs);
  const buckets = Array.from({ length: (floorTo(last, stepMs) - begin) / stepMs + 1 }, (_, n) => ({
    at: new Date(begin + n * stepMs),
    ...{ sent: 0, followUps: 0, replied: 0 },
  }));
  for (const [at, counts] of moments) {
    const bucket = buckets[(floorTo(at, stepMs) - begin) / stepMs] as Bucket;
    bucket.sent += counts.sent;
    bucket.followUps += counts.followUps;
    bucket.replied += counts.replied;
  }
  const peak = buckets.reduce((best, bucket) => (bucket.sent > best.sent ? bucket : best));
  return { stepMs, buckets, peak };
}

/** The begin of the step in which an instant lies; all in ms, since the epoch. */
export function floorTo(at: number, stepMs: number): number {
  const origin = stepMs >= 7 * dayMs ? firstMondayMs : 0;
  return Math.floor((at - origin) / stepMs) * stepMs + origin;
}

function stepFor(first: number, last: number, fineMs: number, most: number): number {
  const fits = (step: number): boolean => (floorTo(last, step) - floorTo(first, step)) / step < most;
  const found = steps.find((step) => step >= fineMs && fits(step));
  if (found !== undefined) return found;
  let weeks = 2;
  while (!fits(weeks * 7 * dayMs)) weeks *= 2;
  return weeks * 7 * dayMs;
}

const units: readonly (readonly [number, string, string])[] = [
  [7 * dayMs, 'week', 'weeks'],
  [dayMs, 'day', 'days'],
  [hourMs, 'hour', 'hours'],
  [minuteMs, 'minute', 'minutes'],
  [secondMs, 'second', 'seconds'],
];

/** "minute", "10 seconds". */
export function stepWords(stepMs: number): string {
  const [size, one, many] = units.find(([size]) => stepMs >= size) as (typeof units)[number];
  return stepMs === size ? one : `${stepMs / size} ${many}`;
}

/** What of an instant is told apart at this step: `2026-01-05`, `01-05 09:00` or `09:00:30`, UTC. */
export function instantLabel(at: Date, stepMs: number): string {
  const text = at.toISOString();
  const [day, time] = text.split('T') as [string, string];
  if (stepMs >= dayMs) return day;
  if (stepMs >= minuteMs) return `${day.slice(-5)} ${time.slice(0, 5)}`;
  return time.slice(0, 8);
}
