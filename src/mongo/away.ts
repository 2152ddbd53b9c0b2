import { MongoError, MongoInvalidArgumentError, MongoServerError } from 'mongodb';
import { isServiceError } from '../domain/errors.ts';

/**
 * Codes by which the server says "later", never "this document": networks, elections and shutdowns, time-outs, locks and
 * snapshots, sessions, transactions and cursors that are gone, write concerns not reached, overload.
 * Source: error_codes.yml of the server.
 */
const later: ReadonlySet<number> = new Set([
  ...[6, 7, 89, 384, 9001],
  ...[91, 189, 10107, 11600, 11602, 13435, 13436],
  ...[50, 202, 262, 290, 11601, 46841],
  ...[24, 46, 112, 239, 246, 355],
  ...[206, 225, 244, 251, 261, 267],
  ...[43, 237],
  ...[64, 79, 100, 133, 134],
  462,
]);

/** Codes of what an operator has to mend: rights, sign-in, writes that are blocked, a disk or a quota (8000, of Atlas) that is full. */
const operators: ReadonlySet<number> = new Set([11, 13, 18, 371, 391, 8000, 14031]);

const codeOf = (error: MongoServerError): number => Number(error.code);

/**
 * What the operating system says of a connection. The driver lets it through as it came when it comes while a command is
 * being written: a plain Error with `syscall`.
 */
export const isSocketError = (error: unknown): boolean =>
  error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';

/** The database cannot be used now, whatever is asked of it; the same may do a moment later. */
export function isDatabaseAway(error: unknown): boolean {
  if (isServiceError(error)) return error.code === 'database_unreachable';
  if (error instanceof MongoServerError)
    return (
      later.has(codeOf(error)) ||
      ['TransientTransactionError', 'RetryableWriteError', 'SystemOverloadedError'].some((l) => error.hasErrorLabel(l))
    );
  if (isSocketError(error)) return true;
  // the driver's own: connections, selection of a server, sessions; all but what it says of the documents it was given
  return error instanceof MongoError && !(error instanceof MongoInvalidArgumentError);
}

/** No document is the reason: what was to be written is kept until it can be, and nobody is blamed for it. */
export const isNoFaultOfDocuments = (error: unknown): boolean =>
  isDatabaseAway(error) || (error instanceof MongoServerError && operators.has(codeOf(error)));
