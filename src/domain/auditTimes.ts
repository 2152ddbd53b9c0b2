/** What must hold of the times of messages: their order, and what none of them may cross. */
import { instant, type Subject, time } from './auditSubject.ts';
import type { AuditedRow, Claim } from './findings.ts';

/** What is on the wire may take so long to be stopped, ms. */
const toleranceMs = 1000;
/** Clocks of two machines may differ by this much, and that of one be set back by it, ms. */
const clocksMs = 5000;

/** How far a message was queued before the one that precedes it, ms. */
function runsBack(row: AuditedRow, before: AuditedRow | undefined): number {
  const at = time(row.queuedAt);
  const least = time(before?.queuedAt);
  return at === undefined || least === undefined ? 0 : Math.max(0, least - at);
}

/** The furthest that clocks are seen apart, ms, as far as that is no finding. */
export const clockGap = (rows: readonly AuditedRow[]): number =>
  Math.max(
    0,
    ...rows.map((row, n) => {
      const back = runsBack(row, rows[n - 1]);
      return back <= clocksMs ? back : 0;
    }),
  );

export function inOrder({ rows }: Subject): Claim[] {
  return rows.flatMap((row, n): Claim[] => {
    const before = rows[n - 1];
    if (before === undefined || runsBack(row, before) <= clocksMs) return [];
    const expected = `not before ${instant(before.queuedAt)}, when ${before._id} was`;
    return [{ kind: 'order_wrong', message: row._id, found: `queued at ${instant(row.queuedAt)}`, expected }];
  });
}

/** Queued, handed over, sent: in that order, and none is missing of what was sent. */
export function sentInOrder({ rows }: Subject): Claim[] {
  return rows.flatMap(({ _id: message, queuedAt, handedAt, sentAt }): Claim[] => {
    const [queued, handed, sent] = [time(queuedAt), time(handedAt), time(sentAt)];
    const wrong = (found: string, expected: string): Claim => ({ kind: 'order_wrong', message, found, expected });
    if (handed === undefined)
      return sent === undefined ? [] : [wrong(`sent at ${instant(sentAt)}, never handed over`, 'handed over before')];
    const handedFound = `handed over at ${instant(handedAt)}`;
    return [
      ...(queued !== undefined && handed < queued - clocksMs
        ? [wrong(handedFound, `not before ${instant(queuedAt)}, when it was queued`)]
        : []),
      ...(sent !== undefined && sent < handed - clocksMs
        ? [wrong(`sent at ${instant(sentAt)}`, `not before ${instant(handedAt)}, when it was handed over`)]
        : []),
    ];
  });
}

/** Handed over after this instant (ms since the epoch) and what may be said to differ. */
const crossed = (row: AuditedRow, barrier: number | undefined, toleranceMs: number): boolean => {
  const handed = time(row.handedAt);
  return handed !== undefined && barrier !== undefined && handed > barrier + toleranceMs;
};

const late = (row: AuditedRow, toleranceMs: number, what: string, at: unknown): Claim => ({
  kind: 'handed_late',
  message: row._id,
  found: `handed over at ${instant(row.handedAt)}`,
  expected: `at most ${toleranceMs} ms after ${what}, at ${instant(at)}`,
});

/** After this instant (ms since the epoch) and what may be said to differ nothing of a campaign leaves. */
interface End {
  at: number;
  toleranceMs: number;
  what: string;
}

/**
 * A member holds at the end of a campaign by its own clock. When that end was taken in, another one's clock says: unless it
 * was known for longer than clocks may differ, a member may have learned of it only when it had come.
 */
function endOf({ endAt, endTakenInAt }: Subject['context']): End | undefined {
  if (endAt === undefined) return undefined;
  return endTakenInAt === undefined || endTakenInAt + clocksMs <= endAt
    ? { at: endAt, toleranceMs, what: 'the campaign came to its end' }
    : {
        at: Math.max(endAt, endTakenInAt),
        toleranceMs: clocksMs,
        what: 'the end of the campaign came and was taken in',
      };
}

/** Nothing leaves after the end of its conversation or of its campaign: one finding a message. */
export function handedInTime({ rows, conversation: { endedAt }, context }: Subject): Claim[] {
  const end = endOf(context);
  return rows.flatMap((row) => {
    // another member than the one that handed it over may have ended the conversation, by its own clock
    if (row.replay === undefined && crossed(row, time(endedAt), clocksMs))
      return [late(row, clocksMs, 'the conversation ended', endedAt)];
    return end && crossed(row, end.at, end.toleranceMs) ? [late(row, end.toleranceMs, end.what, new Date(end.at))] : [];
  });
}

/** What left after the end of its campaign, and is no finding: its sender may not have known of it, and whether it did is not proved. */
export function handedUnproved(subject: Subject): number {
  const { rows, context } = subject;
  const found = new Set(handedInTime(subject).map(({ message }) => message));
  return rows.filter((row) => crossed(row, context.endAt, toleranceMs) && !found.has(row._id)).length;
}
