/** What is counted: folding the members' counters into a campaign's `metrics`, and the `results` at its end. */
import { stagesOf } from './flowVersions.ts';
import { type AgedReceipts, ages } from './guard.ts';
import type { Metrics, Run } from './model.ts';
import { normalise } from './normalise.ts';
import { isPlain, own } from './plain.ts';

/** One member's counters of a campaign, as stored: `counts` nests what the dotted paths of `$inc` say. */
export interface StoredCounters {
  pending?: unknown;
  counts?: unknown;
}

const totals = ['total', 'active', 'completed', 'escalated', 'failed', 'suppressed', 'cancelled', 'replied'] as const;
const messageCounts = [
  'sent',
  'failed',
  'uncertain',
  'skipped',
  'followUps',
  'delivered',
  'bounced',
  'complained',
] as const;
const stageCounts = ['entered', 'sent', 'replied'] as const;

export const emptyMetrics = (now: Date): Metrics => foldCounters([], now).metrics;

/** Sums the counters of all members. What is no finite number, or would make the sum none, counts as nothing. */
export function foldCounters(list: readonly StoredCounters[], now: Date): { metrics: Metrics; pending: number } {
  const all = list.map((counters) => normalise(counters));
  const counts = all.map((counters) => child(counters, 'counts'));
  const metrics: Metrics = {
    ...sums(counts, totals),
    messages: sums(
      counts.map((count) => child(count, 'messages')),
      messageCounts,
    ),
    stages: byName(counts, 'stages', (stages) => sums(stages, stageCounts)),
    reasons: byName(counts, 'reasons', total),
    outcomes: byName(counts, 'outcomes', total),
    ...variantsOf(counts),
    ...migrationsOf(counts),
    updatedAt: now,
  };
  return { metrics, pending: total(all.map((counters) => child(counters, 'pending'))) };
}

/** Bounces and complaints by the age of their message: what a guard judges by. */
export function foldAged(list: readonly StoredCounters[]): AgedReceipts {
  const groups = list.map((counters) => child(child(normalise(counters), 'counts'), 'aged'));
  const byAge = (what: string): number[] =>
    ages.map(({ name }) => total(groups.map((group) => child(child(group, what), name))));
  return { bounced: byAge('bounced'), complained: byAge('complained') };
}

/** Of campaigns that split. */
function variantsOf(counts: readonly unknown[]): Pick<Metrics, 'variants'> {
  const variants = byName(counts, 'variants', (stages) => byNames(stages, (values) => sums(values, stageCounts)));
  return Object.keys(variants).length > 0 ? { variants } : {};
}

/** Of campaigns that were migrated. */
function migrationsOf(counts: readonly unknown[]): Pick<Metrics, 'migrations'> {
  const asked = byName(counts, 'migrations', (values) => ({
    moved: byName(values, 'moved', total),
    stayed: byName(values, 'stayed', total),
  }));
  return Object.keys(asked).length > 0 ? { migrations: asked } : {};
}

const child = (value: unknown, field: string): unknown => (isPlain(value) ? own(value, field) : undefined);

const total = (values: readonly unknown[]): number =>
  values.reduce<number>(
    (sum, value) => (typeof value === 'number' && Number.isFinite(sum + value) ? sum + value : sum),
    0,
  );

function sums<Name extends string>(counts: readonly unknown[], names: readonly Name[]): Record<Name, number> {
  const entries = names.map((name) => [name, total(counts.map((count) => child(count, name)))]);
  return Object.fromEntries(entries) as Record<Name, number>;
}

/** Under the very names that were counted, `constructor` and the like included. */
function byName<T>(counts: readonly unknown[], group: string, fold: (values: unknown[]) => T): Record<string, T> {
  return byNames(
    counts.map((count) => child(count, group)),
    fold,
  );
}

function byNames<T>(groups: readonly unknown[], fold: (values: unknown[]) => T): Record<string, T> {
  const names = new Set(groups.flatMap((group) => (isPlain(group) ? Object.keys(group) : [])));
  return Object.fromEntries([...names].map((name) => [name, fold(groups.map((group) => child(group, name)))]));
}

// ---------------------------------------------------------------- results

const statuses = ['completed', 'escalated', 'failed', 'suppressed', 'cancelled'] as const;

/**
 * The contract's `campaigns.results`: outcomes, funnel by stage in the order of the flow, durations (ISO 8601), rates (0 to
 * 1, four digits; of no conversations or messages 0).
 */
export function results(run: Run, metrics: Metrics, now: Date): Record<string, unknown> {
  const { messages } = metrics;
  const share = (part: number, whole: number): number => (whole > 0 ? Math.round((part / whole) * 10_000) / 10_000 : 0);
  const handedOver = messages.sent + messages.failed + messages.uncertain;
  return {
    total: metrics.total,
    statuses: Object.fromEntries(statuses.map((status) => [status, metrics[status]])),
    outcomes: metrics.outcomes,
    funnel: funnel(run, metrics),
    durations: {
      ...(run.startedAt ? { running: isoDuration(now.getTime() - run.startedAt.getTime()) } : {}),
    },
    rates: {
      ...Object.fromEntries(statuses.map((status) => [status, share(metrics[status], metrics.total)])),
      replied: share(metrics.replied, metrics.total),
      sent: share(messages.sent, handedOver),
      delivered: share(messages.delivered, messages.sent),
      // some bounce at once: they were never sent
      bounced: share(messages.bounced, handedOver),
    },
  };
}

function funnel(run: Run, metrics: Metrics): Record<string, unknown>[] {
  return stagesOf(run).map(({ id, type }) => {
    const counted = Object.hasOwn(metrics.stages, id) ? metrics.stages[id] : undefined;
    const variants = metrics.variants && Object.hasOwn(metrics.variants, id) ? metrics.variants[id] : undefined;
    const { entered = 0, sent = 0, replied = 0 } = counted ?? {};
    return { stage: id, type, entered, sent, replied, ...(variants === undefined ? {} : { variants }) };
  });
}

/** ms as an ISO 8601 duration of hours, minutes and seconds: `PT26H3M7.5S`; below zero counts as zero. */
function isoDuration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = Math.round((seconds % 60) * 1000) / 1000;
  return `PT${hours > 0 ? `${hours}H` : ''}${minutes > 0 ? `${minutes}M` : ''}${rest}S`;
}
