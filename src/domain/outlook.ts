/** What would become of conversations that are due, if their campaign went on: counted from the very decisions a member would make. */
import type { Decision } from './decision.ts';

/** In this order of precedence. `later`: it goes on without a message, or ends without one. */
export const fates = ['sent', 'expired', 'skipped', 'failed', 'held', 'later', 'unreadable'] as const;
export type Fate = (typeof fates)[number];

export interface Outlook {
  /** Conversations, by what would become of them. */
  fates: Record<Fate, number>;
  /** Beside each: the channel of what is sent, the reason of what is not, why it is held, how it ends. */
  details: Record<Fate, Record<string, number>>;
  /** Of those that are sent, by channel: what a ramp counts. Other campaigns have none. */
  ramped: Record<string, number>;
  /** When the first and the last of those that are held may leave, ms since the epoch. */
  heldUntil?: { first: number; last: number };
}

export interface Foreseen {
  fate: Fate;
  detail: string;
  /** It takes one of the places that a ramp has. */
  isRamped?: boolean;
  /** When what is held may leave, ms since the epoch. */
  at?: number;
}

/** Decided as if it had its turn now, with room on every channel. */
export function foresee(
  { send, unit, conversation }: Pick<Decision, 'send' | 'unit' | 'conversation'>,
  now: number,
): Foreseen {
  if (send !== undefined) {
    const isRamped = unit?.limits?.some(({ kind }) => kind === 'take') === true;
    return { fate: 'sent', detail: send.channel, ...(isRamped ? { isRamped } : {}) };
  }
  const { status, outcome, delayed, nextActionAt } = conversation;
  if (outcome === 'expired') return { fate: 'expired', detail: 'late_skipped' };
  const rows = [...(unit?.inserts ?? []), ...(unit?.rows ?? []).map(({ set }) => set)];
  for (const fate of ['skipped', 'failed'] as const) {
    const row = rows.find((one) => one.status === fate);
    if (row !== undefined) return { fate, detail: row.reason ?? row.error?.code ?? fate };
  }
  if (status !== 'active') return { fate: 'later', detail: outcome ?? status };
  const at = nextActionAt?.getTime();
  if (delayed !== undefined && at !== undefined && at > now) return { fate: 'held', detail: delayed, at };
  return { fate: 'later', detail: 'goes_on' };
}

export const newOutlook = (): Outlook => ({
  fates: Object.fromEntries(fates.map((fate) => [fate, 0])) as Record<Fate, number>,
  // an author's outcome may have any name
  details: Object.fromEntries(fates.map((fate) => [fate, Object.create(null)])) as Record<Fate, Record<string, number>>,
  ramped: Object.create(null),
});

export function tally(outlook: Outlook, { fate, detail, isRamped = false, at }: Foreseen): void {
  add(outlook, { fate, detail, isRamped }, 1);
  if (at === undefined) return;
  const { first = at, last = at } = outlook.heldUntil ?? {};
  outlook.heldUntil = { first: Math.min(first, at), last: Math.max(last, at) };
}

type Part = Required<Omit<Foreseen, 'at' | 'isRamped'>> & { isRamped: boolean };

function add(outlook: Outlook, { fate, detail, isRamped }: Part, count: number): void {
  const details = outlook.details[fate];
  outlook.fates[fate] += count;
  details[detail] = (details[detail] ?? 0) + count;
  if (isRamped) outlook.ramped[detail] = (outlook.ramped[detail] ?? 0) + count;
}

/** Conversations of which a sample was looked at; of all of them where `looked` is `count`. */
export interface Stratum {
  count: number;
  looked: number;
  outlook: Outlook;
}

/** One outlook of all of them: a sample stands for what it was taken from, rounded so that the figures add up to it. */
export function together(strata: readonly Stratum[]): Outlook {
  const all = newOutlook();
  for (const { count, looked, outlook } of strata) {
    for (const part of apportion(partsOf(outlook), looked, count)) if (part.share > 0) add(all, part, part.share);
    const held = outlook.heldUntil;
    if (held === undefined) continue;
    const { first, last } = all.heldUntil ?? held;
    all.heldUntil = { first: Math.min(first, held.first), last: Math.max(last, held.last) };
  }
  return all;
}

function partsOf(outlook: Outlook): (Part & { found: number })[] {
  return fates.flatMap((fate) =>
    Object.entries(outlook.details[fate]).flatMap(([detail, count]) => {
      const ramped = fate === 'sent' ? (outlook.ramped[detail] ?? 0) : 0;
      return [
        { fate, detail, isRamped: false, found: count - ramped },
        { fate, detail, isRamped: true, found: ramped },
      ];
    }),
  );
}

/**
 * What a ramp has room for, of an outlook that was made of a sample: that took room for itself alone. Who has none is held until
 * `until`, ms since the epoch.
 */
export function withinRoom(outlook: Outlook, room: number, until: number): Outlook {
  const ramped = Object.values(outlook.ramped).reduce((sum, count) => sum + count, 0);
  const left = Math.max(0, room);
  if (ramped <= left) return outlook;
  const within = newOutlook();
  const parts = partsOf(outlook);
  for (const part of parts) if (!part.isRamped && part.found > 0) add(within, part, part.found);
  for (const part of apportion(
    parts.filter(({ isRamped }) => isRamped),
    ramped,
    left,
  ))
    if (part.share > 0) add(within, part, part.share);
  add(within, { fate: 'held', detail: 'warm_up', isRamped: false }, ramped - left);
  const { first = until, last = until } = outlook.heldUntil ?? {};
  return { ...within, heldUntil: { first: Math.min(first, until), last: Math.max(last, until) } };
}

/** What was found, which adds up to `of`, as shares of `to`: whole numbers that add up to it (largest remainder). */
function apportion<Part extends { found: number }>(
  parts: readonly Part[],
  of: number,
  to: number,
): (Part & { share: number })[] {
  const exact = (found: number): number => (found * to) / of;
  const shared = parts.map((part) => ({ ...part, share: Math.floor(exact(part.found)) }));
  const left = to - shared.reduce((sum, { share }) => sum + share, 0);
  const byRest = shared.toSorted((a, b) => exact(b.found) - b.share - (exact(a.found) - a.share));
  for (const part of byRest.slice(0, left)) part.share += 1;
  return shared;
}
