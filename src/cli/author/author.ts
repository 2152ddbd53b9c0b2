/** A campaign file as its author tries it out: what its decisions and messages need, without a worker. */
import { channelFacts } from '../../channels/facts.ts';
import type { Config } from '../../config.ts';
import type { CheckedCampaign } from '../../domain/campaign.ts';
import { campaignScope } from '../../domain/campaignPins.ts';
import { compileLimits } from '../../domain/compileLimits.ts';
import type { FlowContext } from '../../domain/decision.ts';
import type { Fault } from '../../domain/errors.ts';
import { compileExit } from '../../domain/exit.ts';
import { flowContextOf } from '../../domain/flowContext.ts';
import { loadedHolidays } from '../../domain/holidays.ts';
import type { CampaignDocument, Flow, Id, Run } from '../../domain/model.ts';
import { isId } from '../../domain/normalise.ts';
import { isPlain } from '../../domain/plain.ts';
import { unsubscribeTokens } from '../../worker/unsubscribeToken.ts';

export interface Authored {
  context: FlowContext;
  run: Pick<Run, '_id' | 'tenant' | 'variables'>;
  flow: Flow;
  /** What fault paths of the flow begin with. */
  path: string;
}

/** Faults that leave a flow whole: its channels are elsewhere, or something beside it is missing. */
const besideFlow: ReadonlySet<string> = new Set(['channel_unknown', 'unsubscribe_missing']);

/** A schedule with a fault is left out: messages are shown as if they left at any time. */
const isOfSchedule = ({ path }: { path: string }): boolean => /^(?:template\.)?schedule\b/.test(path);

/** As long as tokens are. */
const standIn = 'x'.repeat(60);

/**
 * Undefined when the flow has faults; what else is wrong with the campaign does not matter. Without HASH_KEY a token only looks
 * like one. `isRead` false: nobody sees the messages, and all have the same token, which takes no time.
 */
export function authoredOf(
  raw: Record<string, unknown>,
  { document, flow, faults, variables, schedule }: CheckedCampaign,
  config: Config,
  { isRead = true } = {},
): Authored | undefined {
  const path = isPlain(raw['flow']) ? 'flow' : 'template.flow';
  if (document === undefined || flow === undefined || faults.some((fault) => spoils(fault, path))) return undefined;
  const id: Id = isId(raw['_id']) ? raw['_id'] : 'campaign';
  const { tenant, unsubscribe, transactional, exitWhen, limits } = document as Partial<CampaignDocument>;
  const run = {
    ...{ _id: id, flow, variables, campaign: campaignScope(id, document) },
    ...(tenant === undefined ? {} : { tenant }),
    ...(isPlain(unsubscribe) ? { unsubscribe } : {}),
    ...(schedule === undefined || faults.some(isOfSchedule) ? {} : { schedule }),
    ...(transactional === true ? { transactional: true as const } : {}),
    ...(limits !== undefined && compileLimits(limits).faults.length === 0 ? { limits } : {}),
    ...(exitWhen !== undefined && compileExit(exitWhen).faults.length === 0 ? { exitWhen } : {}),
  };
  const { context } = flowContextOf(run, {
    channels: channelFacts(config.channels),
    worker: 'author',
    holidays: loadedHolidays(),
    unsubscribeToken: isRead ? unsubscribeTokens(config.hashKey ?? 'nobody has this key') : () => standIn,
  });
  return context && { context, run, flow, path };
}

const spoils = (fault: Fault, flowPath: string): boolean =>
  (fault.path === flowPath || /^[.[]/.test(fault.path.slice(flowPath.length))) &&
  fault.path.startsWith(flowPath) &&
  !besideFlow.has(fault.code);
