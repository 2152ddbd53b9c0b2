/** What a run keeps of its campaign, so that edits and replacements of the document change nothing that runs. */
import type { CheckedCampaign } from './campaignChecks.ts';
import type { Fault } from './errors.ts';
import { type CompiledFlow, compileFlow } from './flow.ts';
import type { CampaignDocument, Expansion, Flow, Id, PinnedAudience, Run, Template } from './model.ts';
import { isDate, normalise } from './normalise.ts';
import { isPlain, own } from './plain.ts';
import type { CampaignHead, ChannelFacts } from './ports.ts';

/** Weight of a campaign that says nothing. */
export const defaultPriority = 5;

export const unexpanded: Expansion = { expanded: 0, skipped: {}, done: false };

export type Pins = Pick<Run, 'priority' | 'flow' | 'variables' | 'campaign' | 'audience'> &
  Partial<Pick<Run, 'tenant' | 'schedule' | 'template' | 'unsubscribe'>>;
/** Fields of the pins that a run may lack. */
export const optionalPins = ['tenant', 'schedule', 'template', 'unsubscribe'] as const;

/** Pins a campaign that passed its checks. */
export function pinsOf(
  id: Id,
  raw: Record<string, unknown>,
  { document, flow, variables }: CheckedCampaign & { document: CampaignDocument; flow: Flow },
  template: Template | undefined,
): Pins {
  const { tenant, name, topic = 'default', type = 'sequence', priority = defaultPriority } = document;
  const { schedule, unsubscribe } = document;
  return {
    priority,
    flow,
    variables,
    campaign: {
      id,
      ...(name === undefined ? {} : { name }),
      topic,
      ...(tenant === undefined ? {} : { tenant }),
      type,
    },
    audience: pinnedAudience(document, raw),
    ...(tenant === undefined ? {} : { tenant }),
    ...(schedule === undefined ? {} : { schedule }),
    ...(unsubscribe === undefined ? {} : { unsubscribe }),
    ...(template === undefined
      ? {}
      : { template: { id: template._id.id, version: Number(normalise(template._id.version)) } }),
  };
}

/** The filter goes back to the database, where a Decimal128 is not the Double that looks like it: its numbers stay as they are. */
function pinnedAudience({ audience }: CampaignDocument, raw: Record<string, unknown>): PinnedAudience {
  if (audience.collection === undefined) return { kind: 'inline' };
  const { filter } = raw['audience'] as { filter?: unknown };
  return {
    kind: 'collection',
    collection: audience.collection,
    filter: (normalise(filter, { numbers: false }) ?? {}) as Record<string, unknown>,
    map: audience.map ?? {},
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
  return { status: own(document, 'status'), ...(endAt === undefined ? {} : { endAt }) };
}

/**
 * Compiles the pinned flow of a run. It was checked when it started: a channel that only other members have does not keep
 * it from compiling here. Faults mean that this release cannot run what another one started.
 */
export function compilePinned(
  run: Pick<Run, 'flow'>,
  channels: ReadonlyMap<string, ChannelFacts>,
): { flow: CompiledFlow; faults: [] } | { flow?: undefined; faults: Fault[] } {
  const known = new Map(channels);
  for (const stage of run.flow.stages) {
    if (stage.type !== 'message') continue;
    for (const name of [stage.channel, ...(stage.followUps ?? []).map((followUp) => followUp.channel)]) {
      if (name !== undefined && !known.has(name)) known.set(name, strange(name));
    }
  }
  return compileFlow(run.flow, { channels: known, bulk: false, unsubscribe: true });
}

const strange = (name: string): ChannelFacts => ({
  name,
  address: '',
  delivery: 'at-least-once',
  attempts: 1,
  giveUpMs: 0,
  needs: [],
});
