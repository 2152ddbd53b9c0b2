/** What the proofs of one conversation are given. */
import type { AuditedConversation, AuditedRow } from './findings.ts';
import { isDate } from './normalise.ts';

export interface ProofContext {
  partitions: number;
  /** Nothing of the campaign is left to do. */
  settled: boolean;
  /** ms since the epoch, the end that the schedule of the run sets. */
  endAt?: number | undefined;
  /** ms since the epoch, when that was taken in; absent: it was known from the start. */
  endTakenInAt?: number | undefined;
  /** ms since the epoch, when the documents were as they are. */
  now: number;
}

export interface Subject {
  conversation: AuditedConversation;
  /** In order, as far as they are there. */
  rows: readonly AuditedRow[];
  missing: readonly string[];
  context: ProofContext;
}

export const time = (value: unknown): number | undefined =>
  isDate(value) && !Number.isNaN(value.getTime()) ? value.getTime() : undefined;
export const instant = (value: unknown): string => {
  const at = time(value);
  return at === undefined ? 'no date' : new Date(at).toISOString();
};

export const isPendingStatus = ({ status }: AuditedRow): boolean => status === 'queued' || status === 'sending';

/** It is tried again by itself, whatever became of its conversation. */
export const isReplayedAlone = ({ replay }: AuditedRow): boolean => replay?.alone === true;

/** What an ended conversation waits for: another try of such a row. */
export const awaitsReplay = ({ rows, conversation: { status, awaiting } }: Subject): boolean =>
  status !== 'active' && rows.some((row) => row._id === awaiting && row.status === 'queued' && isReplayedAlone(row));

/** The conversation that a row's id names. */
export const conversationOf = (message: string): string => message.slice(0, Math.max(0, message.lastIndexOf('/')));
