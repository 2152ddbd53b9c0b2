/** `pause`, `cancel`, and what `resume` ends with: conditional changes of a campaign's status, as the contract's table allows them. */
import type { CampaignDocument } from '../../domain/model.ts';
import type { Collections } from '../../mongo/collections.ts';
import { inFlight } from '../../mongo/control.ts';
import type { Context, ExitCode } from '../context.ts';
import { showId, withDatabase } from '../database.ts';
import { findCampaign, noCampaign } from '../findCampaign.ts';
import { safe } from '../output.ts';
import { flightLine } from '../stopNotice.ts';

type Status = CampaignDocument['status'];
type Change = 'pause' | 'resume' | 'cancel';

const changes: Readonly<Record<Change, { to: Status; from: readonly Status[]; done: string }>> = {
  pause: { to: 'paused', from: ['draft', 'pending', 'scheduled', 'running'], done: 'paused' },
  resume: { to: 'running', from: ['paused'], done: 'resumed' },
  cancel: { to: 'cancelled', from: ['draft', 'pending', 'scheduled', 'running', 'paused'], done: 'cancelled' },
};

export interface CampaignParams {
  campaign: string;
}

/** Says how much is under way, too: that is answered, whatever is paused. */
export const pause = (params: CampaignParams, context: Context): Promise<ExitCode> =>
  withDatabase(context, async ({ in: stored }) => {
    const campaign = await findCampaign(stored, params.campaign);
    return change('pause', stored, params, context, async () => {
      const flight = campaign && (await inFlight(stored, campaign._id));
      return flight && { more: { inFlight: flight.count }, lines: [flightLine(flight), pausedLine] };
    });
  });

const pausedLine = 'nothing else of it leaves later than a second from now; due times stay as they are';

export const cancel = (params: CampaignParams, context: Context): Promise<ExitCode> =>
  withDatabase(context, (database) => change('cancel', database.in, params, context));

/** What is told beside the change, asked once it is made. */
type Telling = () => Promise<{ more: Record<string, unknown>; lines: readonly string[] } | undefined>;

export async function change(
  kind: Change,
  stored: Collections,
  params: CampaignParams,
  { out }: Context,
  telling: Telling = async () => undefined,
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
    const { more = {}, lines = [] } = (await telling()) ?? {};
    out.value({ campaign: _id, status: to, was: campaign['status'], changed: true, ...more });
    out.line(out.color.green(`${done} ${showId(_id)}`));
    for (const line of lines) out.line(line);
    return 0;
  }
  const now = await stored.campaigns.findOne({ _id }, { projection: { status: 1 } });
  if (!now) throw noCampaign(params.campaign);
  const status: unknown = now.status;
  const already = status === to;
  out.value({ campaign: _id, status, changed: false });
  if (already) out.line(`${showId(_id)} is ${safe(status)} already`);
  else if (!out.json)
    out.failure({
      code: 'status_conflict',
      message: `${showId(_id)} is ${safe(status)}; ${kind} takes ${from.join(', ')}`,
    });
  return already ? 0 : 1;
}
