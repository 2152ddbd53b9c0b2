/** What a round reads before messages of campaigns with limits leave. It is written with the round (`Unit.limits`). */
import type { CampaignRamp, ContactPressure, Id } from './model.ts';

export interface LimitStore {
  /** By their ids; those that do not exist are left out. */
  pressures(ids: readonly string[]): Promise<ContactPressure[]>;
  /** Of these campaigns; those that have used nothing yet are left out. */
  ramps(campaignIds: readonly Id[]): Promise<CampaignRamp[]>;
}
