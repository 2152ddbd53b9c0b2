/** What a command about what gave up is asked for, and the words for it. */
import { ServiceError } from '../../domain/errors.ts';
import { addDuration, parseDuration } from '../../domain/timing.ts';
import type { FailedFilter, FailedKind } from '../../mongo/failedReader.ts';
import type { Database } from '../database.ts';
import { findCampaignId, noCampaign } from '../findCampaign.ts';
import { safe } from '../output.ts';

export interface FailedParams {
  campaign?: string;
  code?: string;
  since?: string;
}

/** Throws `usage`, or `not_found` for a campaign that is not there. */
export async function filterOf({ in: stored }: Database, params: FailedParams, now: number): Promise<FailedFilter> {
  const { campaign, code, since } = params;
  const campaignId = campaign === undefined ? undefined : await findCampaignId(stored, campaign);
  if (campaign !== undefined && campaignId === undefined) throw noCampaign(campaign);
  return {
    ...(campaignId === undefined ? {} : { campaignId }),
    ...(code === undefined ? {} : { code }),
    ...(since === undefined ? {} : { since: sinceOf(since, now) }),
  };
}

/** A date, or an ISO 8601 duration before now. */
export function sinceOf(text: string, now: number): Date {
  const duration = parseDuration(text);
  if (duration !== undefined) return new Date(2 * now - addDuration(now, duration));
  const at = new Date(/^\d{4}-/.test(text) ? text : Number.NaN);
  if (!Number.isNaN(at.getTime())) return at;
  throw new ServiceError(
    'usage',
    `--since was ${safe(text)}; it must be a date such as 2026-05-01T08:00Z, or a duration such as PT6H`,
  );
}

export const kindWords: Readonly<Record<FailedKind, string>> = {
  message_failed: 'messages failed',
  message_uncertain: 'messages uncertain',
  conversation_failed: 'conversations failed',
  dead_letter: 'documents unusable',
  inbound_unmatched: 'events of nobody',
  inbound_failed: 'events unusable',
};
