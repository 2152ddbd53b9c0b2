import type { FlowContext } from '../src/domain/decision.ts';
import { campaignKey } from '../src/domain/ids.ts';
import { type LimitFacts, roomIn } from '../src/domain/limiting.ts';
import type { LimitStore } from '../src/domain/limitPorts.ts';
import type { CampaignRamp, ContactPressure, Conversation, Id, Unit } from '../src/domain/model.ts';
import { pressureId } from '../src/domain/pressure.ts';
import { periodAt } from '../src/domain/ramp.ts';
import type { Candidates } from './load.ts';
import type { KnownRun } from './runs.ts';

/** What the decisions of one pass know of limits, and what those before them take of it. */
export class PassLimits {
  private readonly pressures: ReadonlyMap<string, ContactPressure>;
  private readonly ramps: ReadonlyMap<string, CampaignRamp>;
  /** Contacts of whom a message leaves in this pass. */
  private readonly raised = new Set<string>();
  /** Messages of the ramp that leave in this pass, by campaign. */
  private readonly taken = new Map<string, number>();

  constructor(pressures: readonly ContactPressure[], ramps: readonly CampaignRamp[]) {
    this.pressures = new Map(pressures.map((one) => [one._id, one]));
    this.ramps = new Map(ramps.map((one) => [campaignKey(one._id), one]));
  }

  /** Undefined where nothing is asked for; and where a message of the same contact leaves in this pass: it is counted first. */
  factsOf(conversation: Conversation, { cap, ramp }: FlowContext, { run, key }: KnownRun, now: number) {
    if (cap === undefined && ramp === undefined) return undefined;
    const id = cap && pressureId(conversation);
    if (id !== undefined && this.raised.has(id)) return undefined;
    const facts: LimitFacts = {
      pressure: id === undefined ? undefined : this.pressures.get(id),
      room: ramp ? roomIn(periodAt(ramp, now), this.ramps.get(key)) - (this.taken.get(key) ?? 0) : 0,
      waiting: run.metrics?.active ?? 0,
    };
    return facts;
  }

  /** What an earlier pass would take, of which nothing is written, counts too. */
  following(before: PassLimits | undefined): this {
    for (const [key, count] of before?.taken ?? []) this.taken.set(key, count);
    return this;
  }

  decided({ campaignId, limits = [] }: Unit): void {
    for (const change of limits) {
      if (change.kind === 'raise') this.raised.add(change.document._id);
      if (change.kind !== 'take') continue;
      const key = campaignKey(campaignId);
      this.taken.set(key, (this.taken.get(key) ?? 0) + 1);
    }
  }
}

/** Two reads where campaigns with limits may send; none, and undefined, for other rounds. */
export async function readLimits(
  candidates: Candidates,
  known: ReadonlyMap<string, KnownRun>,
  store: LimitStore,
): Promise<PassLimits | undefined> {
  const limited = new Map<string, FlowContext>();
  for (const [key, { contexts }] of known) {
    // the limits of a run are the same for all versions of its flow
    const [context] = contexts.values();
    if (context?.cap ?? context?.ramp) limited.set(key, context as FlowContext);
  }
  if (limited.size === 0) return undefined;
  const contacts = new Set<string>();
  const campaigns = new Map<string, Id>();
  for (const { conversation, slot } of candidates.values()) {
    const context = slot ? limited.get(campaignKey(conversation.campaignId)) : undefined;
    if (context?.ramp) campaigns.set(campaignKey(conversation.campaignId), conversation.campaignId);
    const id = context?.cap && readablePressureId(conversation);
    if (id !== undefined) contacts.add(id);
  }
  const [pressures, ramps] = await Promise.all([
    contacts.size === 0 ? [] : store.pressures([...contacts]),
    campaigns.size === 0 ? [] : store.ramps([...campaigns.values()]),
  ]);
  return new PassLimits(pressures, ramps);
}

/** None of a document that is not as ours are: it is decided by itself, where what is wrong with it meets nobody else. */
function readablePressureId(conversation: Conversation): string | undefined {
  try {
    return pressureId(conversation);
  } catch {
    return undefined;
  }
}
