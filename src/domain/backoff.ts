export interface BackoffOptions {
  /** Ceiling of the first wait, ms. Default 1,000. */
  baseMs?: number;
  /** Ceiling of every wait, ms. Default 900,000 (15 min). */
  capMs?: number;
}

/**
 * Whole milliseconds to wait before the next try, once `attempt` tries (from 1) have failed: uniform in
 * `[0, min(cap, base * 2^(attempt - 1))]`, so that those who failed together do not come back together.
 * `random` gives [0, 1). Rule: "full jitter" of "Exponential Backoff And Jitter", AWS Architecture Blog.
 */
export function backoffMs(attempt: number, random: () => number, options: BackoffOptions = {}): number {
  const { baseMs = 1000, capMs = 900_000 } = options;
  // 2^52 is past any cap; a larger power would make 0 * Infinity of a base of 0.
  const doublings = Math.min(Math.max(attempt - 1, 0), 52);
  const ceiling = Math.floor(Math.min(capMs, baseMs * 2 ** doublings));
  return Math.min(ceiling, Math.floor(random() * (ceiling + 1)));
}
