import { setTimeout as sleep } from 'node:timers/promises';
import { isDatabaseAway } from './away.ts';

/** As long as an election may take, and some more. */
const patienceMs = 60_000;
const restMs = 500;

/** Repeats what may be repeated while the database is away, for a minute at most. Throws its last error. */
export async function patiently<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const until = performance.now() + patienceMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isDatabaseAway(error) || performance.now() > until || signal?.aborted) throw error;
      await sleep(restMs);
    }
  }
}
