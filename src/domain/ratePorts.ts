/** Slots of limits that hold over all replicas. It has an in-memory fake and a real adapter, which pass one suite (`test/contract`). */
import type { Grant, Pace, RateLimit, RateWords } from './rates.ts';

export interface RateStore {
  /** Takes up to `want` slots of a limit, by the server's clock. @param id `channel:<name>`. */
  take(id: string, limit: RateLimit, pace: Pace, want: number): Promise<Grant>;
  /** What operators wrote, by id; limits of which they wrote nothing are left out. */
  words(): Promise<ReadonlyMap<string, RateWords>>;
}

export const rateOfChannel = (name: string): string => `channel:${name}`;
