import type { Environment, Output } from './output.ts';

/** What every command gets beside its parameters, so that a test can call it as `main.ts` does. */
export interface Context {
  env: Environment;
  out: Output;
  /** Aborted by SIGINT, SIGTERM and SIGHUP, for the commands that stay or tidy up. */
  signal: AbortSignal;
}

/** What a command answers: 0 done, 1 the answer is no, 130 interrupted before it was whole. Wrong use (2) and MongoDB out of reach (3) are thrown. */
export type ExitCode = 0 | 1 | 2 | 3 | 130;
