/** What the demo starts beside itself: a database, workers. None of it outlives the demo. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { unlessAborted } from '../interrupt.ts';
import type { Environment } from '../output.ts';
import { packageRoot } from '../packageRoot.ts';

/** Steps that undo what was done, in reverse order; one that fails does not keep the others from running. */
export class Cleanup {
  readonly #steps: (() => Promise<void> | void)[] = [];

  defer(step: () => Promise<void> | void): void {
    this.#steps.push(step);
  }

  /** Idempotent: a step runs once. Resolves to the errors of steps that failed. */
  async run(): Promise<unknown[]> {
    const errors: unknown[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        errors.push(error);
      }
    }
    return errors;
  }
}

interface ReplicaSetScript {
  startReplicaSet(options: { args?: string[]; cacheGb?: number }): Promise<{ uri: string; stop(): Promise<void> }>;
}

const giveUpStartingMs = 5000;

/** A replica set of one node with data of its own; stopped and removed by `cleanup`, also when `signal` comes first. */
export async function startDatabase(cleanup: Cleanup, signal: AbortSignal): Promise<string> {
  const script = new URL('scripts/replicaSet.mjs', packageRoot());
  const { startReplicaSet } = (await import(script.href)) as ReplicaSetScript;
  const starting = startReplicaSet({});
  cleanup.defer(async () => {
    const late = new Promise<undefined>((resolve) => setTimeout(resolve, giveUpStartingMs, undefined).unref());
    const started = starting.catch(() => undefined);
    await (await Promise.race([started, late]))?.stop();
  });
  const { uri } = await unlessAborted(starting, signal);
  return uri;
}

/** Variables of the shell that would change what the demo shows. */
const ours =
  /^(MONGODB_|CHANNEL_|WORKER_THREADS|BATCH_|PARTITIONS|LEASE_|SEND_|SHUTDOWN_|LOG_LEVEL|HEALTH_|HASH_KEY|ENCRYPT|PLUGINS|WEBHOOK_|RETENTION_|EVENTS_)/;

export function workerEnvironment(env: Environment, settings: Record<string, string>): Record<string, string> {
  const kept = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !ours.test(entry[0]),
  );
  return { ...Object.fromEntries(kept), ...settings };
}

export interface WorkerProcess {
  readonly pid: number | undefined;
  /** Set once it has ended. */
  readonly ended: string | undefined;
  /** Last lines of its log. */
  tail(): Promise<string>;
  /** SIGTERM, and SIGKILL after `graceMs`; resolves when it is gone. */
  stop(graceMs: number): Promise<void>;
}

/** A real `communication-base worker`, logging into a file. Killed with this process, whatever happens. */
export function startWorker(env: Record<string, string>, logFile: string): WorkerProcess {
  const log = openSync(logFile, 'a');
  const bin = fileURLToPath(new URL('bin/communication-base.js', packageRoot()));
  // A group of its own: the terminal sends Ctrl-C to the demo alone, which then stops things in order.
  const child = spawn(process.execPath, [bin, 'worker'], { env, detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  let ended: string | undefined;
  const gone = watchEnd(child, (how) => {
    ended = how;
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  void gone.then(() => process.off('exit', kill));
  return {
    pid: child.pid,
    get ended() {
      return ended;
    },
    tail: async () => {
      const text = await readFile(logFile, 'utf8').catch(() => '');
      return text.trimEnd().split('\n').slice(-8).join('\n');
    },
    async stop(graceMs) {
      if (ended !== undefined) return;
      child.kill(graceMs > 0 ? 'SIGTERM' : 'SIGKILL');
      const late = setTimeout(kill, graceMs);
      await gone;
      clearTimeout(late);
    },
  };
}

function watchEnd(child: ChildProcess, note: (how: string) => void): Promise<void> {
  return new Promise((resolve) => {
    const end = (how: string): void => {
      note(how);
      resolve();
    };
    child.once('exit', (code, signal) => end(signal ? `was ended by ${signal}` : `ended with exit code ${code}`));
    child.once('error', (error) => end(`could not be started: ${error.message}`));
  });
}
