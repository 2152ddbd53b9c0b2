/** What a report says of the campaign itself, as it and its run are stored: read as what they are, whatever that is. */
import { keptPauses } from './campaignPauses.ts';
import { opensFor } from './campaignTypes.ts';
import { isPlain, own } from './plain.ts';
import type { Report, ReportHead } from './report.ts';
import { word } from './reportTally.ts';
import { reasonWord } from './words.ts';

/** Only what is set. */
export function optional<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}

/** Sorts by count, largest first; what is equally many by its words, so that two reports of the same figures are the same. */
export const most = (a: { count: number }, b: { count: number }): number => b.count - a.count || byWords(a, b);

export const byWords = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

const date = (value: unknown): Date | undefined =>
  value instanceof Date && !Number.isNaN(value.getTime()) ? value : undefined;

export function campaignOf({ id, campaign, run }: ReportHead): Report['campaign'] {
  const of = (field: string): unknown => (campaign === undefined ? undefined : own(campaign, field));
  const schedule = of('schedule');
  const planned = (field: string): Date | undefined => (isPlain(schedule) ? date(own(schedule, field)) : undefined);
  return {
    id,
    status: campaign === undefined ? 'deleted' : (word(of('status')) ?? 'without a status'),
    ...optional({
      name: word(of('name')),
      tenant: word(of('tenant') ?? run?.tenant),
      runStatus: word(run?.status),
      endReason: word(run?.endReason),
      pausedReason: word(run?.pausedReason),
      error: errorOf(of('error')),
      startAt: planned('startAt'),
      endAt: date(run?.schedule?.endAt) ?? planned('endAt'),
      startedAt: date(run?.startedAt) ?? date(of('startedAt')),
      completedAt: date(run?.completedAt) ?? date(of('completedAt')),
    }),
  };
}

function errorOf(error: unknown): Report['campaign']['error'] | undefined {
  if (!isPlain(error)) return undefined;
  const code = word(own(error, 'code')) ?? 'unknown';
  const message = word(own(error, 'message')) ?? '';
  return { code, message, ...optional({ path: word(own(error, 'path')) }) };
}

export function durationOf(run: ReportHead['run'], asOf: Date): Report['duration'] {
  const startedAt = date(run?.startedAt);
  if (startedAt === undefined) return undefined;
  const end = (date(run?.completedAt) ?? asOf).getTime();
  const pauses = run?.pauses ?? [];
  const pausedMs = pauses.reduce((sum, { from, until }) => sum + ((until?.getTime() ?? end) - from.getTime()), 0);
  return {
    totalMs: Math.max(0, end - startedAt.getTime()),
    pausedMs: Math.max(0, pausedMs),
    pauses: pauses.length,
    ...(pauses.length < keptPauses ? {} : { olderPauses: true }),
  };
}

export function audienceOf(run: ReportHead['run']): Report['audience'] {
  const { expanded = 0, skipped = {}, done = false } = run?.expansion ?? {};
  const leftOut = Object.entries(skipped).map(([reason, count]) => ({
    reason,
    words: reasonWord(reason),
    count: Number(count),
  }));
  return {
    entered: Number(expanded),
    leftOut: leftOut.filter(({ count }) => count > 0).toSorted(most),
    done: done || opensFor(run) !== undefined,
  };
}
