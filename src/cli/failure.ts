import { type ErrorCode, isServiceError } from '../domain/errors.ts';
import type { ExitCode } from './context.ts';
import type { Environment } from './output.ts';

export interface Failure {
  exitCode: ExitCode;
  code: string;
  message: string;
}

const exitCodes: Partial<Record<ErrorCode, ExitCode>> = {
  usage: 2,
  config_invalid: 2,
  partitions_mismatch: 2,
  database_unreachable: 3,
  not_a_replica_set: 3,
};

function classify(error: unknown): Failure {
  if (isServiceError(error)) return { exitCode: exitCodes[error.code] ?? 1, code: error.code, message: error.message };
  return { exitCode: 1, code: 'internal', message: error instanceof Error ? error.message : String(error) };
}

/** Any error as what the command line says and returns; the stack only with LOG_LEVEL=debug. */
export function describeFailure(error: unknown, env: Environment): Failure {
  const failure = classify(error);
  const stack = env['LOG_LEVEL'] === 'debug' && error instanceof Error ? error.stack : undefined;
  return stack ? { ...failure, message: `${failure.message}\n${stack}` } : failure;
}
