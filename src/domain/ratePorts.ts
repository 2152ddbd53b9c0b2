/** Slots of limits that hold over all replicas. It has an in-memory fake and a real adapter, which pass one suite (`test/contract`). */
import { campaignKey } from './ids.ts';
import type { Id } from './model.ts';
import type { Grant, Pace, RateLimit, RateWords } from './rates.ts';

/** Whose rate it is. */
export type RateKind = 'channel' | 'campaign' | 'domain';

/** A message that is due waits for a slot of a rate, since then, ms since the epoch. */
export interface RateWait {
  kind: RateKind;
  since: number;
}

export interface RateStore {
  /** Takes up to `want` slots of a limit, by the server's clock. @param id See `rateOfChannel` and the others. */
  take(id: string, limit: RateLimit, pace: Pace, want: number): Promise<Grant>;
  /** What operators wrote, by id; limits of which they wrote nothing are left out. */
  words(): Promise<ReadonlyMap<string, RateWords>>;
  /** What is asked for no more. */
  forget(id: string): Promise<void>;
  /**
   * What nobody took from for a minute or longer, and no operator wrote: of domains, and of campaigns that have no run any more or whose run is
   * settled. Whoever settles a run forgets its slots, but may be killed before.
   */
  forgetIdle(): Promise<void>;
}

/** Of documents of domains and campaigns, ms: nobody took from them since. */
export const idleMs = 60_000;

export const rateOfChannel = (name: string): string => `channel:${name}`;
export const rateOfCampaign = (id: Id): string => `campaign:${campaignKey(id)}`;
/** @param domain As `domainOf` gives it. */
export const rateOfDomain = (channel: string, domain: string): string => `domain:${channel}:${domain}`;
