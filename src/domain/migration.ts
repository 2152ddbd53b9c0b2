/** How one conversation goes over to another version of its campaign's template, or stays. */
import { addressesOf } from './addresses.ts';
import type { Crossing } from './crossing.ts';
import type { FlowContext } from './decision.ts';
import type { Draft } from './draft.ts';
import type { CompiledStage } from './flow.ts';
import { sequenceOf } from './ids.ts';
import type { Message } from './model.ts';
import { placeAt } from './stages.ts';
import { stageAfter } from './standing.ts';

/** What conversations of a version are asked by the last migration of their run. */
export interface Asking {
  /** `migration.number` of the run. */
  number: number;
  /** What they are to follow. */
  to: FlowContext;
  crossing: Crossing;
}

/** What of a decision's input says whether a message of it is on its way. */
export interface MigrationInput {
  inFlight: boolean;
  awaited?: Message | undefined;
}

/**
 * Asks once, whatever comes of it. It stands where it stood, and what is due there stays due then. With a message on its way it is asked when
 * that is answered, for what its answer leads to is said by the version that sent it.
 * True when it went over: nothing may leave in this decision, for who refuses the channels of the new version was not asked.
 */
export function askToMigrate(draft: Draft, input: MigrationInput): boolean {
  const { asking } = draft.context;
  const { state } = draft;
  if (asking === undefined || (state.migration ?? 0) >= asking.number || !isOpen(draft)) return false;
  const { number, to, crossing } = asking;
  if (to === draft.context || to.version === draft.context.version) {
    draft.apply({ type: 'asked', number });
    return false;
  }
  const obstacle = crossing.has(state.stage) ? crossing.get(state.stage) : ({ why: 'stage_missing' } as const);
  if (obstacle === undefined && !isAtRest(draft, to, input)) return false;
  if (obstacle !== undefined) {
    draft.count(`migrations.${number}.stayed.${state.stage}`);
    draft.apply({ type: 'asked', number, stays: true });
    return false;
  }
  draft.count(`migrations.${number}.moved.${state.stage}`);
  draft.migrate(to);
  draft.apply({ type: 'migrated', number, version: to.version, ...placeIn(draft), ...newAddresses(draft) });
  return true;
}

/** One that stands still with a person is asked when something comes for it. */
const isOpen = ({ state, context }: Draft): boolean =>
  context.stopped === undefined &&
  context.isOver !== true &&
  (state.status === 'active' || state.status === 'escalated');

/** Nothing of it is on its way; or it waits for another try, and its answer will find it in the same place by the new version, too. */
function isAtRest(draft: Draft, to: FlowContext, { inFlight, awaited }: MigrationInput): boolean {
  const { awaiting, sequence } = draft.state;
  if (inFlight) return false;
  if (awaiting === undefined) return true;
  if (awaited?._id !== awaiting || sequenceOf(awaiting) !== sequence) return false;
  const before = draft.context.flow.stages.get(awaited.stage);
  if (before === undefined || to.flow.stages.get(awaited.stage)?.type !== before.type) return false;
  return stageAfter({ state: draft.state, context: to, now: draft.now, scope: draft.scope }, awaited) !== undefined;
}

/** The channel is that of the new version; what waited without an end is due if the new version says so. */
function placeIn(draft: Draft): { dueAt?: number; channel?: string } {
  const { state, context, now, scope } = draft;
  if (state.awaiting !== undefined || state.status !== 'active') return {};
  const stage = context.flow.stages.get(state.stage) as CompiledStage;
  const { dueAt, channel = '-' } = placeAt(stage, state.step, now, scope);
  const at = state.nextActionAt?.getTime() ?? dueAt;
  return at === undefined ? {} : { dueAt: at, channel };
}

/** Its contact's addresses on channels that only the new version has. */
function newAddresses({ state, context }: Draft): { addresses?: string[] } {
  const { flow, channels, addressBook } = context;
  if (addressBook === undefined) return {};
  const kept = Array.isArray(state.addresses) ? state.addresses : [];
  const all = [...new Set([...kept, ...addressesOf(state.contact, flow, channels, addressBook)])];
  return all.length === kept.length ? {} : { addresses: all };
}
