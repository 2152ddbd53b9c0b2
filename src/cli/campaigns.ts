/** `pause`, `resume`, `cancel`: conditional changes of a campaign's status, as the contract's table allows them. */
import { channelsOf } from '../domain/delays.ts';
import { ServiceError } from '../domain/errors.ts';
import type { CampaignDocument, Id } from '../domain/model.ts';
import type { Collections } from '../mongo/collections.ts';
import type { Context, ExitCode } from './context.ts';
import { candidates, showId, withDatabase } from './database.ts';
import { plural, safe } from './output.ts';

type Status = CampaignDocument['status'];
type Change = 'pause' | 'resume' | 'cancel';

const changes: Readonly<Record<Change, { to: Status; from: readonly Status[]; done: string }>> = {
  pause: { to: 'paused', from: ['draft', 'pending', 'scheduled', 'running'], done: 'paused' },
  resume: { to: 'running', from: ['paused'], done: 'resumed' },
  cancel: { to: 'cancelled', from: ['draft', 'pending', 'scheduled', 'running', 'paused'], done: 'cancelled' },
};

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

export interface CampaignParams {
  campaign: string;
}

export const pause = (params: CampaignParams, context: Context): Promise<ExitCode> =>
  withDatabase(context, (database) => change('pause', database.in, params, context));

/** Says first what comes due at once: that is what leaves the moment it runs. */
export const resume = (params: CampaignParams, context: Context): Promise<ExitCode> =>
  withDatabase(context, async ({ in: stored }) => {
    const campaign = await findCampaign(stored, params.campaign);
    if (campaign?.['status'] !== 'paused') return change('resume', stored, params, context);
    const overdue = await countOverdue(stored, campaign._id);
    const { out } = context;
    out.line(
      overdue === 0
        ? 'nothing came due while it was paused'
        : `${plural(overdue, 'conversation')} came due while it was paused: their messages leave now`,
    );
    return change('resume', stored, params, context, { overdue });
  });

export const cancel = (params: CampaignParams, context: Context): Promise<ExitCode> =>
  withDatabase(context, (database) => change('cancel', database.in, params, context));

async function change(
  kind: Change,
  stored: Collections,
  params: CampaignParams,
  { out }: Context,
  more: Record<string, unknown> = {},
): Promise<ExitCode> {
  const { to, from, done } = changes[kind];
  const campaign = await findCampaign(stored, params.campaign);
  if (!campaign) throw noCampaign(params.campaign);
  const { _id } = campaign;
  const { matchedCount } = await stored.campaigns.updateOne(
    { _id, status: { $in: [...from] } },
    { $set: { status: to } },
  );
  if (matchedCount === 1) {
    out.value({ campaign: _id, status: to, was: campaign['status'], changed: true, ...more });
    out.line(out.color.green(`${done} ${showId(_id)}`));
    return 0;
  }
  const now = await stored.campaigns.findOne({ _id }, { projection: { status: 1 } });
  if (!now) throw noCampaign(params.campaign);
  const status: unknown = now.status;
  const already = status === to;
  out.value({ campaign: _id, status, changed: false, ...more });
  if (already) out.line(`${showId(_id)} is ${safe(status)} already`);
  else if (!out.json)
    out.failure({
      code: 'status_conflict',
      message: `${showId(_id)} is ${safe(status)}; ${kind} takes ${from.join(', ')}`,
    });
  return already ? 0 : 1;
}

/** Index `due` answers it: every channel the pinned flow uses, and "-". */
async function countOverdue({ runs, conversations }: Collections, campaignId: Id): Promise<number> {
  const run = await runs.findOne({ _id: campaignId }, { projection: { flow: 1 } });
  if (!run) return 0;
  return conversations.countDocuments(
    {
      nextChannel: { $in: ['-', ...channelsOf(run.flow)] },
      campaignId,
      opening: { $in: [true, null] } as never,
      nextActionAt: { $lte: new Date() },
    },
    { hint: 'due', maxTimeMS: 30_000 },
  );
}
