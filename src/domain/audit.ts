/** What must hold of a conversation and its messages, proved from the stored documents alone. Whatever they hold, nothing throws. */
import { belongs, consumedOnce, endedIsOver, endIsTold, inPartition, settledIsOver } from './auditPlace.ts';
import { isPendingStatus, isReplayedAlone, type ProofContext, type Subject, time } from './auditSubject.ts';
import { clockGap, handedInTime, handedUnproved, inOrder, sentInOrder } from './auditTimes.ts';
import type { AuditedConversation, AuditedRow, Claim } from './findings.ts';
import { messageId, sequenceOf } from './ids.ts';

export { conversationOf, instant, type ProofContext, time } from './auditSubject.ts';
export type { AuditedConversation, AuditedRow, Claim, Finding, FindingKind } from './findings.ts';
export { findingKinds } from './findings.ts';

export interface Proof {
  claims: Claim[];
  /** How far two members' clocks were seen apart, or one was set back, ms; 0 when they were not. */
  clockGapMs: number;
  /** Rows nobody knows the fate of: they are with a channel, and their conversation has ended. */
  unknown: number;
  /** Rows handed over after the end of their campaign, of which nothing says whether their sender knew of that end. */
  lateUnproved: number;
  /** Documents that may be gone, or go at any time: nothing is proved of them. */
  expired: number;
}

/** More messages than any conversation has: what says so is not believed. */
export const mostMessages = 10_000;

export const isSequence = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= mostMessages;

/** Its time to live is over, or runs and nobody needs it any more. */
export function isExpired({ expireAt }: { expireAt?: Date }, { settled, now }: ProofContext): boolean {
  const at = time(expireAt);
  return at !== undefined && (settled || at <= now);
}

const unproved = (): Proof => ({ claims: [], clockGapMs: 0, unknown: 0, lateUnproved: 0, expired: 0 });

/** @param rows By id; those of its sequence are looked up, others are not its own. */
export function proveConversation(
  conversation: AuditedConversation,
  rows: ReadonlyMap<string, AuditedRow>,
  context: ProofContext,
): Proof {
  if (!isSequence(conversation.sequence)) return { ...unproved(), claims: [sequenceInvalid(conversation)] };
  const ids = Array.from({ length: conversation.sequence }, (_, n) => messageId(conversation._id, n + 1));
  const missing = ids.filter((id) => !rows.has(id));
  if (isExpired(conversation, context)) return { ...unproved(), expired: 1 + missing.length };
  const found = ids.flatMap((id) => rows.get(id) ?? []);
  const kept = found.filter((row) => !isExpired(row, context));
  const subject: Subject = { conversation, rows: kept, missing, context };
  const ended = conversation.status !== 'active';
  return {
    claims: proofs.flatMap((prove) => prove(subject)),
    clockGapMs: clockGap(kept),
    unknown: ended ? kept.filter(({ status }) => status === 'sending').length : 0,
    lateUnproved: handedUnproved(subject),
    expired: found.length - kept.length,
  };
}

const sequenceInvalid = ({ sequence }: AuditedConversation): Claim => ({
  kind: 'sequence_invalid',
  found: `sequence ${String(sequence)}`,
  expected: `a whole number from 0 to ${mostMessages}`,
});

const rowsExist = ({ missing, conversation: { sequence } }: Subject): Claim[] =>
  missing.map((message) => ({
    kind: 'row_missing',
    message,
    found: 'no row',
    expected: `a row for each of ${sequence} messages`,
  }));

function pendingFits({ rows, conversation: { sequence } }: Subject): Claim[] {
  return rows.flatMap((row): Claim[] => {
    const claims: Claim[] = [];
    const { _id: message, status } = row;
    const pending = row.pending === true;
    if (pending !== isPendingStatus(row))
      claims.push({
        kind: 'pending_wrong',
        message,
        found: `${status}, ${pending ? 'pending' : 'not pending'}`,
        expected: 'pending exactly while queued or sending',
      });
    if ((pending || isPendingStatus(row)) && sequenceOf(message) !== sequence && !isReplayedAlone(row))
      claims.push({
        kind: 'pending_old',
        message,
        found: status,
        expected: `only the newest, ${sequence}, is pending`,
      });
    return claims;
  });
}

function queuedIsAwaited({ rows, conversation }: Subject): Claim[] {
  const { status, awaiting, nextActionAt, nextChannel } = conversation;
  return rows.flatMap((row): Claim[] => {
    if (row.status !== 'queued') return [];
    const wrong = [
      ...(status === 'active' || isReplayedAlone(row) ? [] : [`conversation ${status}`]),
      ...(awaiting === row._id ? [] : [`awaiting ${awaiting ?? 'nothing'}`]),
      ...(time(nextActionAt) === undefined ? ['no nextActionAt'] : []),
      ...(nextChannel === undefined ? ['no nextChannel'] : []),
    ];
    const expected = 'an active conversation that awaits it, with nextActionAt and nextChannel';
    return wrong.length === 0 ? [] : [{ kind: 'queued_wrong', message: row._id, found: wrong.join(', '), expected }];
  });
}

function awaitsQueued({ rows, conversation: { awaiting } }: Subject): Claim[] {
  if (awaiting === undefined) return [];
  const row = rows.find(({ _id }) => _id === awaiting);
  return row?.status === 'queued'
    ? []
    : [{ kind: 'awaiting_wrong', message: awaiting, found: row?.status ?? 'no row of its own', expected: 'queued' }];
}

const proofs = [
  rowsExist,
  inOrder,
  sentInOrder,
  pendingFits,
  queuedIsAwaited,
  awaitsQueued,
  endedIsOver,
  endIsTold,
  handedInTime,
  consumedOnce,
  inPartition,
  belongs,
  settledIsOver,
] as const;

/** A row that was found in the campaign's range and is none of 1 to `sequence` of its conversation (undefined: there is none). */
export function orphanClaim(row: AuditedRow, sequence: number | undefined): Claim {
  const found = sequence === undefined ? 'no conversation' : `sequence ${sequence}`;
  return { kind: 'row_orphaned', message: row._id, found, expected: 'a conversation whose sequence reaches it' };
}
