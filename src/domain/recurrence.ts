/**
 * When a recurring campaign occurs (RFC 5545). The rule runs on the clock on the wall, and each local time it gives becomes an
 * instant as any other of ours: one that is skipped moves forward by the gap, one that comes twice is the first, one on a date that
 * does not exist is left out.
 */
import type { RRuleTemporal } from 'rrule-temporal';
import { encodePart } from './ids.ts';
import type { Id } from './model.ts';
import { dayMs, type Zone } from './zones.ts';

/** A recurrence that was compiled (`compileRecurrence`). */
export interface Recurrence {
  readonly zone: Zone;
  /** The rule in local times as if they were UTC's, without UNTIL. */
  readonly rule: Pick<RRuleTemporal, 'next'>;
  /** Times in a period of the rule, at most: what a look ahead costs grows with it. */
  readonly density: number;
  /** The last instant (ms) an occurrence of the rule may have. */
  readonly until: number;
  /** RDATE, in order. */
  readonly dates: readonly number[];
  /** EXDATE. */
  readonly excluded: ReadonlySet<number>;
}

/** No occurrence lies past the year 9999: iCalendar cannot write it. */
export const end = Date.UTC(10_000, 0, 1);

/**
 * The first occurrence after `after`, both in ms. Undefined when there is none, or none within the 5,000 periods that are
 * searched.
 */
export function nextOccurrence(recurrence: Recurrence, after: number): number | undefined {
  let at = after;
  for (;;) {
    const date = recurrence.dates.find((each) => each > at) ?? Number.POSITIVE_INFINITY;
    const next = Math.min(nextOfRule(recurrence, at) ?? Number.POSITIVE_INFINITY, date);
    if (next === Number.POSITIVE_INFINITY) return undefined;
    if (!recurrence.excluded.has(next)) return next;
    at = next;
  }
}

/** The occurrences after `after`, up to and with `until` (ms), `most` of them at most. */
export function occurrences(recurrence: Recurrence, after: number, until: number, most: number): number[] {
  const found: number[] = [];
  while (found.length < most) {
    const next = nextOccurrence(recurrence, found.at(-1) ?? after);
    if (next === undefined || next > until) break;
    found.push(next);
  }
  return found;
}

/** The id of the child campaign of an occurrence, `<parentId>@<UTC instant>`: `weekly@20260105T080000Z`. The parent as in `encodePart`. */
export const occurrenceId = (parentId: Id, at: number): string =>
  `${encodePart(parentId)}@${new Date(at).toISOString().replace(/[-:]|\.\d+/g, '')}`;

function nextOfRule({ zone, rule, until }: Recurrence, after: number): number | undefined {
  const offsets = [after - dayMs, after, after + dayMs].map((at) => zone.offsetAt(at));
  let first = Number.POSITIVE_INFINITY;
  // times in a gap move past what follows it: those within its length are looked at too
  let last = Number.POSITIVE_INFINITY;
  let wall = nextWall(rule, after + Math.min(...offsets));
  for (; wall !== undefined && wall < last; wall = nextWall(rule, wall)) {
    const gap = zone.gapAt(wall);
    const at = zone.instantOf(wall);
    if (at <= after || gap >= dayMs) continue;
    first = Math.min(first, at);
    last = Math.min(last, wall + gap);
  }
  return first <= until && first < end ? first : undefined;
}

/** The library throws when it has searched too long. */
function nextWall(rule: Recurrence['rule'], after: number): number | undefined {
  try {
    return rule.next(new Date(after))?.epochMilliseconds;
  } catch {
    return undefined;
  }
}
