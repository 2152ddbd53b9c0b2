/** What must hold of a conversation and its messages, proved from the stored documents alone. Whatever they hold, nothing throws. */
import type { AuditedConversation, AuditedRow, Claim } from './findings.ts';
import { messageId, partitionOfConversation, sequenceOf } from './ids.ts';
import { isDate } from './normalise.ts';

export type { AuditedConversation, AuditedRow, Claim, Finding, FindingKind } from './findings.ts';
export { findingKinds } from './findings.ts';

export interface ProofContext {
  partitions: number;
  /** Nothing of the campaign is left to do. */
  settled: boolean;
  /** ms since the epoch, when the documents were as they are. */
  now: number;
}

export interface Proof {
  claims: Claim[];
  /** Rows nobody knows the fate of: they are with a channel, and their conversation has ended. */
  unknown: number;
  /** Documents that may be gone, or go at any time: nothing is proved of them. */
  expired: number;
}

/** More messages than any conversation has: what says so is not believed. */
export const mostMessages = 10_000;

export const isSequence = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= mostMessages;

export const time = (value: unknown): number | undefined =>
  isDate(value) && !Number.isNaN(value.getTime()) ? value.getTime() : undefined;
export const instant = (value: unknown): string => {
  const at = time(value);
  return at === undefined ? 'no date' : new Date(at).toISOString();
};

/** Its time to live is over, or runs and nobody needs it any more. */
export function isExpired({ expireAt }: { expireAt?: Date }, { settled, now }: ProofContext): boolean {
  const at = time(expireAt);
  return at !== undefined && (settled || at <= now);
}

interface Subject {
  conversation: AuditedConversation;
  /** In order, as far as they are there. */
  rows: readonly AuditedRow[];
  missing: readonly string[];
  context: ProofContext;
}

/** @param rows By id; those of its sequence are looked up, others are not its own. */
export function proveConversation(
  conversation: AuditedConversation,
  rows: ReadonlyMap<string, AuditedRow>,
  context: ProofContext,
): Proof {
  if (!isSequence(conversation.sequence)) return { claims: [sequenceInvalid(conversation)], unknown: 0, expired: 0 };
  const ids = Array.from({ length: conversation.sequence }, (_, n) => messageId(conversation._id, n + 1));
  const missing = ids.filter((id) => !rows.has(id));
  if (isExpired(conversation, context)) return { claims: [], unknown: 0, expired: 1 + missing.length };
  const found = ids.flatMap((id) => rows.get(id) ?? []);
  const kept = found.filter((row) => !isExpired(row, context));
  const subject: Subject = { conversation, rows: kept, missing, context };
  const ended = conversation.status !== 'active';
  return {
    claims: proofs.flatMap((prove) => prove(subject)),
    unknown: ended ? kept.filter(({ status }) => status === 'sending').length : 0,
    expired: found.length - kept.length,
  };
}

const sequenceInvalid = ({ sequence }: AuditedConversation): Claim => ({
  kind: 'sequence_invalid',
  found: `sequence ${String(sequence)}`,
  expected: `a whole number from 0 to ${mostMessages}`,
});

const isPendingStatus = ({ status }: AuditedRow): boolean => status === 'queued' || status === 'sending';

const rowsExist = ({ missing, conversation: { sequence } }: Subject): Claim[] =>
  missing.map((message) => ({
    kind: 'row_missing',
    message,
    found: 'no row',
    expected: `a row for each of ${sequence} messages`,
  }));

/** Clocks of two machines may differ by this much, ms; and what is on the wire may take it to be stopped. */
const toleranceMs = 1000;

function inOrder({ rows }: Subject): Claim[] {
  return rows.flatMap((row, n): Claim[] => {
    const before = rows[n - 1];
    const at = time(row.queuedAt);
    const least = time(before?.queuedAt);
    if (before === undefined || at === undefined || least === undefined) return [];
    // one member has one clock
    if (at >= least - (row.worker === before.worker ? 0 : toleranceMs)) return [];
    const expected = `not before ${instant(before.queuedAt)}, when ${before._id} was`;
    return [{ kind: 'order_wrong', message: row._id, found: `queued at ${instant(row.queuedAt)}`, expected }];
  });
}

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
    if ((pending || isPendingStatus(row)) && sequenceOf(message) !== sequence)
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
      ...(status === 'active' ? [] : [`conversation ${status}`]),
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

const endedIsOver = ({ conversation: { status, nextActionAt } }: Subject): Claim[] =>
  status === 'active' || nextActionAt === undefined
    ? []
    : [{ kind: 'ended_wrong', found: `${status}, due at ${instant(nextActionAt)}`, expected: 'nothing is due' }];

/** Instants after which nothing of the conversation may be handed over. A suppression of the row's address will be one more. */
const barriers = ({ endedAt }: AuditedConversation, _: AuditedRow): { at: number; what: string }[] => {
  const at = time(endedAt);
  return at === undefined ? [] : [{ at, what: 'the conversation ended' }];
};

const handedInTime = ({ rows, conversation }: Subject): Claim[] =>
  rows.flatMap((row) => {
    const handed = time(row.handedAt);
    const crossed = barriers(conversation, row).filter(({ at }) => handed !== undefined && handed > at + toleranceMs);
    return crossed.map(
      ({ at, what }): Claim => ({
        kind: 'handed_late',
        message: row._id,
        found: `handed over at ${instant(row.handedAt)}`,
        expected: `at most ${toleranceMs} ms after ${what}, at ${new Date(at).toISOString()}`,
      }),
    );
  });

function inPartition({ rows, conversation, context }: Subject): Claim[] {
  const hashed = partitionOfConversation(conversation._id, context.partitions);
  const expected = String(hashed);
  const wrong = rows.filter(({ partition }) => partition !== hashed);
  return [
    ...(conversation.partition === hashed
      ? []
      : [{ kind: 'partition_wrong' as const, found: String(conversation.partition), expected }]),
    ...wrong.map(
      ({ _id, partition }): Claim => ({ kind: 'partition_wrong', message: _id, found: String(partition), expected }),
    ),
  ];
}

const proofs = [
  rowsExist,
  inOrder,
  pendingFits,
  queuedIsAwaited,
  awaitsQueued,
  endedIsOver,
  handedInTime,
  inPartition,
] as const;

/** A row that was found in the campaign's range and is none of 1 to `sequence` of its conversation (undefined: there is none). */
export function orphanClaim(row: AuditedRow, sequence: number | undefined): Claim {
  const found = sequence === undefined ? 'no conversation' : `sequence ${sequence}`;
  return { kind: 'row_orphaned', message: row._id, found, expected: 'a conversation whose sequence reaches it' };
}

/** The conversation that a row's id names. */
export const conversationOf = (message: string): string => message.slice(0, Math.max(0, message.lastIndexOf('/')));
