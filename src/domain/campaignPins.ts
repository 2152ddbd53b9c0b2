/** What a run keeps of its campaign, so that edits and replacements of the document change nothing that runs. */
import { pinnedAudience } from './audience.ts';
import type { CheckedCampaign } from './campaignChecks.ts';
import type { CampaignHead } from './campaignPorts.ts';
import type { ChannelFacts } from './channelPorts.ts';
import { channelsOf } from './channelsOf.ts';
import { compileSchedule } from './compileSchedule.ts';
import type { Fault } from './errors.ts';
import { type CompiledFlow, compileFlow } from './flow.ts';
import { type HolidayCalendar, noHolidays } from './holidays.ts';
import type { CampaignDocument, Expansion, Flow, Id, Run, Template } from './model.ts';
import { isDate, normalise } from './normalise.ts';
import { childOf } from './occurrences.ts';
import { isPlain, own } from './plain.ts';

/** Weight of a campaign that says nothing. */
export const defaultPriority = 5;

export const unexpanded: Expansion = { expanded: 0, skipped: {}, done: false };

export type Pins = Pick<Run, 'priority' | 'flow' | 'variables' | 'campaign' | 'audience'> &
  Partial<Pick<Run, (typeof optionalPins)[number]>>;
/** Fields of the pins that a run may lack. */
export const optionalPins = [
  ...(['tenant', 'schedule', 'transactional', 'template', 'unsubscribe', 'reentry'] as const),
  ...(['exitWhen', 'parentId', 'child', 'guard', 'limits'] as const),
] as const;

/** Pins a campaign that passed its checks. */
export function pinsOf(
  id: Id,
  raw: Record<string, unknown>,
  { document, flow, variables, schedule }: CheckedCampaign & { document: CampaignDocument; flow: Flow },
  template: Template | undefined,
  channels: ReadonlyMap<string, ChannelFacts>,
): Pins {
  const { tenant, priority = defaultPriority, unsubscribe, audience, reentry } = document;
  const { transactional, exitWhen, parentId, guard, limits } = document;
  return {
    priority,
    flow,
    variables,
    campaign: campaignScope(id, document),
    audience: audience
      ? pinnedAudience(audience, raw['audience'] as Record<string, unknown>, flow, channels)
      : { kind: 'enrollments' },
    ...(tenant === undefined ? {} : { tenant }),
    ...(parentId === undefined ? {} : { parentId }),
    ...(document.type === 'recurring' ? { child: childOf(raw) } : {}),
    ...(schedule === undefined ? {} : { schedule }),
    ...(reentry === undefined || reentry.policy === 'never' ? {} : { reentry: { ...reentry, policy: reentry.policy } }),
    ...(transactional === true ? { transactional } : {}),
    ...(exitWhen === undefined ? {} : { exitWhen }),
    ...(guard === undefined ? {} : { guard }),
    ...(limits === undefined ? {} : { limits }),
    ...(unsubscribe === undefined ? {} : { unsubscribe }),
    ...(template === undefined
      ? {}
      : { template: { id: template._id.id, version: Number(normalise(template._id.version)) } }),
  };
}

/** What templates see as `campaign`. */
export function campaignScope(
  id: Id,
  document: Partial<Pick<CampaignDocument, 'name' | 'topic' | 'tenant' | 'type' | 'parentId'>>,
): Pins['campaign'] {
  const { name, topic = 'default', tenant, type = 'sequence', parentId } = document;
  return {
    id,
    ...(name === undefined ? {} : { name }),
    topic,
    ...(tenant === undefined ? {} : { tenant }),
    type,
    ...(parentId === undefined ? {} : { parentId }),
  };
}

/** A date of the document's schedule; undefined when there is none that can be used. */
export function scheduled(raw: Record<string, unknown>, field: 'startAt' | 'endAt'): Date | undefined {
  const schedule = own(raw, 'schedule');
  const date = isPlain(schedule) ? own(schedule, field) : undefined;
  return isDate(date) && !Number.isNaN(date.getTime()) ? date : undefined;
}

export function headOf(raw: object): CampaignHead {
  const document = raw as Record<string, unknown>;
  const endAt = scheduled(document, 'endAt');
  const isAsking = own(document, 'migrate') === undefined ? {} : { isAsking: true as const };
  return { status: own(document, 'status'), ...(endAt === undefined ? {} : { endAt }), ...isAsking };
}

/**
 * Compiles the pinned flow of a run. It was checked when it started: a channel that only other members have does not keep
 * it from compiling here. `holidays`: the public holidays, where `wantsHolidays` says so. Faults mean that this release cannot run what another one started.
 */
export function compilePinned(
  run: Pick<Run, 'flow' | 'schedule' | 'transactional'>,
  channels: ReadonlyMap<string, ChannelFacts>,
  holidays: HolidayCalendar = noHolidays,
): { flow: CompiledFlow; faults: [] } | { flow?: undefined; faults: Fault[] } {
  const known = new Map(channels);
  for (const name of channelsOf(run.flow)) if (!known.has(name)) known.set(name, strange(name));
  const holding = { transactional: run.transactional === true, holidays };
  const { timing, faults } = compileSchedule(run.schedule, holding, (field) => `schedule.${field}`);
  const compiled = compileFlow(run.flow, { channels: known, bulk: false, unsubscribe: true, timing });
  return faults.length > 0 ? { faults: [...faults, ...compiled.faults] } : compiled;
}

const strange = (name: string): ChannelFacts => ({
  name,
  address: '',
  delivery: 'at-least-once',
  attempts: 1,
  giveUpMs: 0,
  needs: [],
});
