/** The campaign that a command names. */
import { ServiceError } from '../domain/errors.ts';
import type { Id } from '../domain/model.ts';
import type { Collections } from '../mongo/collections.ts';
import { candidates } from './database.ts';
import { safe } from './output.ts';

/** What may be said of a campaign without reading its audience or its flow. */
export const headOnly = { audience: 0, flow: 0, variables: 0 } as const;

/** The campaign under what was typed, a string id before an ObjectId; undefined when there is none. */
export async function findCampaign(
  { campaigns }: Collections,
  typed: string,
): Promise<(Record<string, unknown> & { _id: Id }) | undefined> {
  for (const _id of candidates(typed)) {
    const found = await campaigns.findOne({ _id }, { projection: headOnly });
    if (found) return found;
  }
  return undefined;
}

/** The id of that campaign; a deleted one lives on in its run. Undefined when there is neither. */
export async function findCampaignId(stored: Collections, typed: string): Promise<Id | undefined> {
  const campaign = await findCampaign(stored, typed);
  if (campaign) return campaign._id;
  for (const _id of candidates(typed)) if (await stored.runs.findOne({ _id }, { projection: { _id: 1 } })) return _id;
  return undefined;
}

export const noCampaign = (typed: string): ServiceError =>
  new ServiceError('not_found', `there is no campaign ${safe(typed)}`);
