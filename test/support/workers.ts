/** Real worker processes, as an operator runs them. `npm test` builds `dist` first. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TestDatabase } from './mongo.ts';

export interface WorkerProcess {
  readonly child: ChildProcess;
  /** Lines of its log so far. */
  readonly log: string[];
  /** Resolves with the exit code, null after a signal. */
  readonly gone: Promise<number | null>;
  kill(signal: NodeJS.Signals): Promise<number | null>;
}

/** Where somebody has to take over, or to be missed. */
export const shortLease = { LEASE_TTL_MS: '2000' };

export function startWorker(database: Pick<TestDatabase, 'uri' | 'name'>, env: Record<string, string>): WorkerProcess {
  const bin = new URL('../../bin/communication-base.js', import.meta.url).pathname;
  const child = spawn(process.execPath, [bin, 'worker'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env['PATH'] ?? '',
      MONGODB_URI: database.uri,
      MONGODB_DATABASE: database.name,
      HEALTH_PORT: '0',
      // a machine that stands still for a moment takes nobody's lease away
      LEASE_TTL_MS: '15000',
      LOG_LEVEL: 'info',
      ...env,
    },
  });
  const log: string[] = [];
  let rest = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    log.push(...lines);
  });
  const gone = once(child, 'exit').then(([code]) => code as number | null);
  const kill = (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal);
    return gone;
  };
  return { child, log, gone, kill };
}
