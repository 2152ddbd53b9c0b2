import { setTimeout as pause } from 'node:timers/promises';

export interface WaitOptions {
  /** Default 10,000. */
  timeoutMs?: number;
  /** Default 20. */
  intervalMs?: number;
  /** What is waited for, as the failure says it: "the campaign to be completed". */
  what: string;
}

/**
 * Calls `condition` until it gives something truthy, and gives that. A condition that throws is called again; the
 * failure at the end of the time tells its last error or value.
 */
export async function waitFor<T>(condition: () => T | Promise<T>, options: WaitOptions): Promise<NonNullable<T>> {
  const { timeoutMs = 10_000, intervalMs = 20, what } = options;
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      const found = last instanceof Error ? last.message : JSON.stringify(last);
      throw new Error(`waited ${timeoutMs} ms for ${what}; last: ${found}`, { cause: last });
    }
    await pause(intervalMs);
  }
}
