/** Every error the service throws on purpose has one of these codes; the comment says what the operator does. */
const errorCodes = {
  /** A variable of the environment is wrong: the message names it, what it was and what is allowed. Correct it and start again. */
  config_invalid: 'config_invalid',
  /** The database was never prepared, or for another partition count: run `communication-base init`, or set PARTITIONS to what it says. */
  not_initialised: 'not_initialised',
  partitions_mismatch: 'partitions_mismatch',
  /** MongoDB cannot be reached or is no replica set: check MONGODB_URI and the servers. Exit code 3. */
  database_unreachable: 'database_unreachable',
  /** The deployment has no change streams: start mongod with --replSet, or use a cluster. */
  not_a_replica_set: 'not_a_replica_set',
  /** This member was taken over (frozen, or cut off for longer than its lease). It rejoins by itself; look at what froze it. */
  fenced: 'fenced',
  /** The outcome of a commit stayed unknown until the lease ran out. The member re-reads and goes on; nothing to do. */
  commit_unknown: 'commit_unknown',
  /** The stream's position is no longer in the oplog, or belongs to another history. A sweep closes the gap; enlarge the oplog if it recurs. */
  position_lost: 'position_lost',
  /** A document does not fit: `path` says where. Its author corrects it. */
  document_invalid: 'document_invalid',
  /** The command line was used wrongly. Exit code 2. */
  usage: 'usage',
  /** Nothing with that name. Exit code 1. */
  not_found: 'not_found',
  /** A state the code says cannot be. Please report it with the log lines around it. */
  internal: 'internal',
} as const;
export type ErrorCode = keyof typeof errorCodes;

export class ServiceError extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'ServiceError';
    this.code = code;
  }
}

export const isServiceError = (error: unknown, code?: ErrorCode): error is ServiceError =>
  error instanceof ServiceError && (code === undefined || error.code === code);

/** One fault of a document: where it is (`flow.stages[2].channel`), what it was and what is allowed. */
export interface Fault {
  code: string;
  path: string;
  message: string;
}
