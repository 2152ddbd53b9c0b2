/** What limits make of a message that is due: the cap of its contact and the ramp of its campaign. Only what goes to contacts counts. */

import type { ChannelFacts } from './channelPorts.ts';
import { type Draft, lostBefore } from './draft.ts';
import { postpone } from './fallback.ts';
import type { CompiledMessage, CompiledStage } from './flow.ts';
import type { CampaignRamp, ContactPressure, Message } from './model.ts';
import { freeAt, pressureId, raised } from './pressure.ts';
import { newRow, skipNew, unanswered } from './producing.ts';
import { nextTurn, type Period, periodAt, type Ramp } from './ramp.ts';
import { movedInto } from './sendWindow.ts';
import { addressIn, placeAt } from './stages.ts';
import { type Refusals, refusalOf } from './suppression.ts';

/** What is to be known of a conversation before a message of a campaign with limits leaves. */
export interface LimitFacts {
  /** Of its contact, as it is stored. Absent: there is none. */
  pressure?: ContactPressure | undefined;
  /** Messages that may still leave, by the ramp of its campaign, in the period of now. */
  room: number;
  /** Conversations of its campaign that wait, about. */
  waiting: number;
}

/** Of what is stored, how much of the ramp's period is left. One that began later, by another member's clock, counts as this one. */
export const roomIn = ({ from, limit }: Period, stored: CampaignRamp | undefined): number =>
  stored === undefined || stored.from.getTime() < from ? limit : limit - stored.used;

/** False: whether the limits let a message leave is not known, and it stays due. */
export const knowsLimits = ({ context: { cap, ramp }, limits }: Draft): boolean =>
  limits !== undefined || (cap === undefined && ramp === undefined);

type Verdict = { kind: 'leaves' } | { kind: 'capped' } | { kind: 'waits'; at: number; why: 'cap' | 'warm_up' };
const leaves: Verdict = { kind: 'leaves' };

/** A message that is due for the first time. True when it does not leave now: it was skipped, or given another time. */
export function isLimited(
  draft: Draft,
  stage: CompiledMessage,
  channel: ChannelFacts,
  dueAt: Date,
  refusals: Refusals,
): boolean {
  const { state } = draft;
  if (!isHeld(draft)) return false;
  const to = addressIn(state.contact, channel.address);
  if (to === undefined || refusalOf(draft, refusals, channel.name, { stage: stage.id, to }) !== undefined) return false;
  const verdict = judge(draft, state.sequence === 0);
  if (verdict.kind === 'leaves') return false;
  if (verdict.kind === 'waits') {
    const { at } = movedInto(stage.window, state.contact, verdict.at);
    const place = { stage: stage.id, step: state.step, dueAt: at, channel: channel.name, delayed: verdict.why };
    draft.apply({ type: 'moved', place });
    return true;
  }
  const row = { ...newRow(draft, stage.id, channel.name, dueAt), to };
  draft.apply({ type: 'message', step: state.step });
  return skipNew(draft, stage, row, 'frequency_cap', () => false);
}

/** As `isLimited`, for a row that waited for another try. `stage`: where the conversation stands meanwhile. */
export function isLimitedAgain(draft: Draft, stage: CompiledStage, row: Message, refusals: Refusals): boolean {
  if (!isHeld(draft)) return false;
  const sender = senderOf(draft, row);
  if (sender === undefined) return false;
  if (refusalOf(draft, refusals, row.channel, row) !== undefined) return false;
  const verdict = judge(draft, false, row);
  if (verdict.kind === 'leaves') return false;
  if (verdict.kind === 'waits') {
    const { at } = movedInto(sender.window, draft.state.contact, verdict.at);
    draft.changeRow(row, { dueAt: new Date(at) }, [], 'queued');
    // of one that may have left, nobody can say that its contact did not get it
    if (verdict.why === 'cap' && lostBefore(row) === undefined) draft.lower(row);
    postpone(draft, draft.rowAs(row), at, verdict.why);
    return true;
  }
  draft.skipAwaited('frequency_cap');
  if (draft.state.status !== 'active') return true;
  draft.apply({ type: 'moved', place: placeAt(stage, draft.state.step, draft.now, draft.scope) });
  unanswered(draft, stage, draft.now);
  return true;
}

/** Counts a message to the contact that leaves now: what its row says of it. */
export function counted(
  draft: Draft,
  row: Pick<Message, '_id' | 'stage' | 'ramp'>,
): Pick<Message, 'pressure' | 'ramp'> | undefined {
  const { context, limits, state, now } = draft;
  if (limits === undefined || senderOf(draft, row) === undefined) return undefined;
  const marks: Pick<Message, 'pressure' | 'ramp'> = {};
  if (context.cap !== undefined) {
    const { pressure } = limits;
    const document = raised(state, pressure, { id: row._id, at: new Date(now) }, draft.lowered);
    draft.limit({ kind: 'raise', document, version: pressure?.version });
    marks.pressure = pressureId(state);
  }
  if (context.ramp !== undefined) {
    const period = periodAt(context.ramp, now);
    draft.until = Math.min(draft.until ?? period.until, period.until);
    if (!isOf(period, row)) {
      marks.ramp = new Date(period.from);
      draft.limit({ kind: 'take', from: marks.ramp, limit: period.limit });
    }
  }
  return marks;
}

const isHeld = ({ context: { cap, ramp } }: Draft): boolean => cap !== undefined || ramp !== undefined;

/** The stage of a message to the contact; none of webhooks and notifications. */
function senderOf({ context }: Draft, row: Pick<Message, 'stage'>): CompiledMessage | undefined {
  const stage = context.flow.stages.get(row.stage);
  return stage?.type === 'message' ? stage : undefined;
}

const isOf = ({ from }: Period, { ramp }: Pick<Message, 'ramp'>): boolean =>
  ramp !== undefined && ramp.getTime() >= from;

/** `row`: it was counted before, if it says so. `opens`: the conversation's first message, of which there may be very many. */
function judge(draft: Draft, opens: boolean, row?: Message): Verdict {
  const { context, limits, now } = draft;
  const { cap, ramp } = context;
  if (cap !== undefined) {
    const sends = ((limits as LimitFacts).pressure?.sends ?? []).filter(({ id }) => !draft.lowered.has(id));
    const at = freeAt(cap, sends, now, row?._id);
    if (at !== undefined) return cap.delays ? { kind: 'waits', at, why: 'cap' } : { kind: 'capped' };
  }
  return ramp === undefined ? leaves : inRamp(draft, ramp, opens, row);
}

function inRamp({ limits, now, random }: Draft, ramp: Ramp, opens: boolean, row: Message | undefined): Verdict {
  const { room, waiting } = limits as LimitFacts;
  if (room > 0 || (row !== undefined && isOf(periodAt(ramp, now), row))) return leaves;
  return { kind: 'waits', at: nextTurn(ramp, now, opens ? waiting : 0, random), why: 'warm_up' };
}
