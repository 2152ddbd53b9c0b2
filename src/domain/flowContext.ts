/** What decisions over a run need, from what is pinned in it. */
import { compilePinned } from './campaignPins.ts';
import type { ChannelFacts } from './channelPorts.ts';
import { type LimitedRun, limitsOf } from './compileLimits.ts';
import type { FlowContext } from './decision.ts';
import type { Fault } from './errors.ts';
import { compileExit } from './exit.ts';
import type { HolidayCalendar } from './holidays.ts';
import type { Run } from './model.ts';
import { compileUnsubscribe } from './unsubscribe.ts';

export interface FlowContextOptions {
  channels: ReadonlyMap<string, ChannelFacts>;
  worker: string;
  /** The public holidays, where `wantsHolidays` says so. */
  holidays?: HolidayCalendar | undefined;
  unsubscribeToken?: FlowContext['unsubscribeToken'];
  addressBook?: FlowContext['addressBook'];
}

/** Faults mean that this release cannot run what another one started. */
export function flowContextOf(
  run: Pick<
    Run,
    '_id' | 'flow' | 'schedule' | 'transactional' | 'variables' | 'campaign' | 'unsubscribe' | 'exitWhen'
  > &
    LimitedRun,
  { channels, worker, unsubscribeToken, addressBook, holidays }: FlowContextOptions,
): { context: FlowContext; faults: [] } | { context?: undefined; faults: Fault[] } {
  const compiled = compilePinned(run, channels, holidays);
  const exit = compileExit(run.exitWhen);
  if (compiled.flow === undefined || exit.faults.length > 0) return { faults: [...compiled.faults, ...exit.faults] };
  const context: FlowContext = {
    campaignId: run._id,
    flow: compiled.flow,
    variables: run.variables,
    campaign: run.campaign,
    channels,
    exitWhen: exit.query,
    unsubscribe: run.unsubscribe && compileUnsubscribe(run.unsubscribe).compiled,
    unsubscribeToken,
    topic: typeof run.campaign['topic'] === 'string' ? run.campaign['topic'] : undefined,
    transactional: run.transactional === true,
    addressBook,
    worker,
    ...limitsOf(run),
  };
  return { context, faults: [] };
}
