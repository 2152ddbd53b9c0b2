/** Lengths of time in few buckets: percentiles and histograms of any number of them, in a bounded space. */

/** Lengths below each limit (ms) are kept in steps of so many ms: four significant digits. */
export const quantisation: readonly (readonly [limitMs: number, stepMs: number])[] = Array.from(
  { length: 9 },
  (_, n) => [10 ** (n + 4), 10 ** n] as const,
);
/** For what is longer still: 300 years. */
export const coarsestStepMs = 10 ** 9;

/** The bucket of a length: itself below 10 s, then its first four digits. Below zero counts as zero. */
export function quantise(ms: number): number {
  const length = Math.max(0, Math.floor(ms));
  const step = quantisation.find(([limit]) => length < limit)?.[1] ?? coarsestStepMs;
  return length - (length % step);
}

/** How many lengths fell into a bucket, and the longest of them. */
export interface LengthGroup {
  bucketMs: number;
  count: number;
  maxMs: number;
}

export interface Bin {
  fromMs: number;
  /** Absent: no limit. */
  toMs?: number;
  count: number;
}

/** Percentiles by nearest rank: a length that was seen, exact below 10 s, above it at most 0.1 % too long. */
export interface Figures {
  count: number;
  p50Ms: number;
  p90Ms: number;
  p99Ms: number;
  maxMs: number;
  /** From the first to the last bin that is not empty. */
  histogram: Bin[];
}

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
/** Limits of the bins, such as people think in. Each is the begin of a bucket. */
const limits: readonly number[] = [
  ...[0, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 30].map((n) => n * second),
  ...[1, 2, 5, 10, 30].map((n) => n * minute),
  ...[1, 2, 6, 12].map((n) => n * hour),
  ...[1, 2, 7, 14, 30].map((n) => n * day),
];

export class Distribution {
  private readonly groups = new Map<number, { count: number; maxMs: number }>();

  add({ bucketMs, count, maxMs }: LengthGroup): void {
    const known = this.groups.get(bucketMs);
    if (known === undefined) {
      this.groups.set(bucketMs, { count, maxMs: Math.max(0, maxMs) });
      return;
    }
    known.count += count;
    known.maxMs = Math.max(known.maxMs, maxMs);
  }

  /** Undefined when there is none. */
  figures(): Figures | undefined {
    const sorted = [...this.groups].toSorted(([a], [b]) => a - b).map(([bucketMs, rest]) => ({ bucketMs, ...rest }));
    const last = sorted.at(-1);
    if (last === undefined) return undefined;
    const count = sorted.reduce((sum, group) => sum + group.count, 0);
    const at = (percent: number): number => {
      const rank = Math.ceil((percent / 100) * count);
      let before = 0;
      const reached = (group: LengthGroup): boolean => {
        before += group.count;
        return before >= rank;
      };
      return (sorted.find(reached) as LengthGroup).maxMs;
    };
    return { count, p50Ms: at(50), p90Ms: at(90), p99Ms: at(99), maxMs: last.maxMs, histogram: bins(sorted) };
  }
}

function bins(sorted: readonly LengthGroup[]): Bin[] {
  const all = limits.map((fromMs, index): Bin => {
    const toMs = limits[index + 1];
    const inside = sorted.filter(({ bucketMs }) => bucketMs >= fromMs && (toMs === undefined || bucketMs < toMs));
    const count = inside.reduce((sum, group) => sum + group.count, 0);
    return { fromMs, ...(toMs === undefined ? {} : { toMs }), count };
  });
  const filled = ({ count }: Bin): boolean => count > 0;
  return all.slice(all.findIndex(filled), all.findLastIndex(filled) + 1);
}
