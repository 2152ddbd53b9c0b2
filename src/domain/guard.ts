/**
 * The guard of a campaign: it pauses itself when more than a share of its newest messages went wrong. Judged are the
 * counters, each time they are folded. What it says is true of the messages answered since some moment of the period (the
 * start, or the last time somebody resumed it), whenever their bounces and complaints came: it never counts what became of older
 * ones against them.
 */
import type { Fault } from './errors.ts';
import type { CampaignDocument, Metrics, Run } from './model.ts';
import { isPlain, own } from './plain.ts';

export type GuardDocument = NonNullable<CampaignDocument['guard']>;

/** `pausedReason` of a run, and `error.code` of a campaign, that its guard paused. */
export const guardTripped = 'guard_tripped';

/** Messages that are looked at where the guard does not say. */
export const defaultOver = 200;

export const rateNames = ['errorRate', 'bounceRate', 'complaintRate'] as const;
export type RateName = (typeof rateNames)[number];

/** A guard that asks for nothing is a mistake. Its shape is checked before. */
export function guardFaults(guard: unknown): Fault[] {
  if (!isPlain(guard) || rateNames.some((name) => own(guard, name) !== undefined)) return [];
  const message = `says no rate, so it would never pause anything; give ${rateNames.slice(0, 2).join(', ')} or ${rateNames[2]}`;
  return [{ code: 'required', path: 'guard', message }];
}

/** Rates that one message out of `over` is more than: no fault, and hardly meant. */
export function guardWarnings(guard: unknown): Fault[] {
  if (!isPlain(guard)) return [];
  const { over = defaultOver, ...rates } = guard as GuardDocument;
  return rateNames.flatMap((name): Fault[] => {
    const rate = rates[name];
    if (rate === undefined || rate * over >= 1) return [];
    const message = `${rate} is less than one message in over, ${over}: the first one pauses the campaign`;
    return [{ code: 'guard_rash', path: `guard.${name}`, message }];
  });
}

// ---------------------------------------------------------------- receipts by age

/** How old a message was when its receipt came, at most: names of counters. */
export const ages = [
  { name: '10s', ms: 10_000 },
  { name: '1m', ms: 60_000 },
  { name: '10m', ms: 600_000 },
  { name: '1h', ms: 3_600_000 },
  { name: '1d', ms: 86_400_000 },
  { name: 'older', ms: Number.POSITIVE_INFINITY },
] as const;

/** The counter of a receipt that came `ms` after its message was sent. */
export const ageOf = (ms: number): string => ages.find((age) => ms <= age.ms)?.name ?? 'older';

/** In the order of `ages`; a receipt counts under one of them. */
export interface AgedReceipts {
  bounced: number[];
  complained: number[];
}

// ---------------------------------------------------------------- what was seen

/** What had been counted at a moment. All figures only grow, but where somebody mends documents. */
export interface Mark {
  /** ms since the epoch; before everything for the start of a campaign. */
  at: number;
  /** Messages whose fate at the provider is known: sent, failed for good, or uncertain. */
  answered: number;
  /** Failed for good at their provider, or given up; not what we chose not to send. */
  failed: number;
  receipts: AgedReceipts;
}

/** Of rows that failed at their provider; `address_invalid` is what it says of the address. */
const failures = ['provider_rejected', 'address_invalid', 'retries_exhausted'] as const;

export function markOf(metrics: Metrics, receipts: AgedReceipts, at: number): Mark {
  const { messages, reasons } = metrics;
  const failed = failures.reduce((sum, reason) => sum + (reasons[reason] ?? 0), 0);
  return { at, answered: messages.sent + messages.uncertain + failed, failed, receipts };
}

const none: readonly number[] = ages.map(() => 0);
export const startMark: Mark = {
  at: Number.NEGATIVE_INFINITY,
  answered: 0,
  failed: 0,
  receipts: { bounced: [...none], complained: [...none] },
};

/** Marks are kept to this number: the newest each, of older ones every other, and the first. */
const mostMarks = 256;

export function withMark(marks: readonly Mark[], mark: Mark): Mark[] {
  const all = [...marks, mark];
  return all.length <= mostMarks ? all : all.filter((_, index) => index % 2 === 0 || index >= mostMarks / 2);
}

/** When the period began that a run is in: its last resume, ms; undefined since its start. */
export const resumedAt = ({ pauses = [] }: Pick<Run, 'pauses'>): number | undefined =>
  pauses.findLast(({ until }) => until !== undefined)?.until?.getTime();

// ---------------------------------------------------------------- the verdict

interface Share {
  count: number;
  of: number;
}

/** The first rate that is passed, as the fault that pauses the campaign. `marks`: of this period, oldest first, its beginning first. */
export function judge(guard: GuardDocument, marks: readonly Mark[], now: Mark): Fault | undefined {
  const over = guard.over ?? defaultOver;
  for (const name of rateNames) {
    const rate = guard[name];
    if (rate === undefined) continue;
    const share = name === 'errorRate' ? failedOf(marks, now, over) : worst(marks, now, over, receiptOf[name]);
    if (share !== undefined && share.count > rate * share.of) return faultOf(name, rate, share);
  }
  return undefined;
}

const receiptOf = { bounceRate: 'bounced', complaintRate: 'complained' } as const;

/** Of the newest `over` messages that were answered, or a few more: as many as lie between a mark and now. */
function failedOf(marks: readonly Mark[], now: Mark, over: number): Share | undefined {
  const since = marks.findLast(({ answered }) => now.answered - answered >= over);
  return since && { count: now.failed - since.failed, of: now.answered - since.answered };
}

/**
 * Receipts come late, and what came in the last minute may be about messages of yesterday. One that came since a mark, about a
 * message so old at most, is about one answered so long before the mark at most: those are the messages it is a share of. The
 * largest such share, over every mark and age; none reaches back before the period.
 */
function worst(marks: readonly Mark[], now: Mark, over: number, what: keyof AgedReceipts): Share | undefined {
  const [begin = startMark] = marks;
  let found: Share | undefined;
  for (const [age, { ms }] of ages.entries()) {
    let before = begin;
    let next = 0;
    for (const mark of marks) {
      const from = mark.at - ms;
      if (from < begin.at) continue;
      for (let later = marks[next]; later !== undefined && later.at <= from; later = marks[++next]) before = later;
      const of = now.answered - before.answered;
      const count = upTo(now.receipts[what], age) - upTo(mark.receipts[what], age);
      if (of >= over && (found === undefined || count * found.of > found.count * of)) found = { count, of };
    }
  }
  return found;
}

const upTo = (byAge: readonly number[], age: number): number =>
  byAge.slice(0, age + 1).reduce((sum, count) => sum + count, 0);

const happened: Readonly<Record<RateName, string>> = {
  errorRate: 'failed for good',
  bounceRate: 'bounced',
  complaintRate: 'were complained about',
};

function faultOf(name: RateName, rate: number, { count, of }: Share): Fault {
  const [many, all] = [count.toLocaleString('en-US'), of.toLocaleString('en-US')];
  const percent = `${Math.round((count / of) * 100_000) / 1000} %`;
  return {
    code: guardTripped,
    path: `guard.${name}`,
    message: `${many} of the newest ${all} messages ${happened[name]} (${percent}), more than ${rate}; it goes on when its status is set to "running"`,
  };
}
