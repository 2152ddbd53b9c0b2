/**
 * A message that cannot reach its contact by the channel of its stage: the stage's fallback takes its place, once, as the next message of
 * the conversation. Never for what its contact does not want: an opt-out is not got round.
 */
import { type Draft, lostBefore } from './draft.ts';
import type { CompiledFallback, CompiledMessage } from './flow.ts';
import type { Message, SkipReason } from './model.ts';
import { movedInto } from './sendWindow.ts';
import { messageOf } from './stages.ts';
import { type Refusals, refusalOf } from './suppression.ts';
import { addDuration } from './timing.ts';

/** What a message failed or was skipped for that is no will of its contact, its author or an operator. */
const ofTheChannel: ReadonlySet<SkipReason> = new Set<SkipReason>([
  ...(['address_missing', 'address_invalid', 'provider_rejected', 'retries_exhausted'] as const),
]);
/** The same content would fail anywhere. */
const ofTheContent: ReadonlySet<SkipReason> = new Set<SkipReason>([
  ...(['template_variable_missing', 'template_error', 'content_empty'] as const),
]);

type Failed = Pick<Message, '_id' | 'stage' | 'step' | 'channel' | 'fallback'>;
type FallbackStage = CompiledMessage & { fallback: CompiledFallback };

/**
 * The stage whose fallback may take the place of a message: of one that goes by the stage's own channel, and took nobody's place itself
 * (in the version that it was decided by the channels may have been the other way round).
 */
function stageOf({ context }: Draft, { stage: id, step, channel, fallback }: Failed): FallbackStage | undefined {
  if (fallback === true) return undefined;
  const stage = context.flow.stages.get(id);
  if (stage?.type !== 'message' || stage.fallback === undefined || stage.channel !== channel) return undefined;
  return messageOf(stage, step)?.channel === channel ? (stage as FallbackStage) : undefined;
}

/**
 * True: the conversation goes on with the fallback of the stage that this message is of, at once or when its window opens. To be asked
 * while the conversation stands where the message left it. `bounced`: its address is suppressed because it bounced, and for nothing else.
 */
export function fallsBack(draft: Draft, row: Failed, reason: SkipReason, bounced = false): boolean {
  const stage = stageOf(draft, row);
  if (stage === undefined) return false;
  const hasOwnContent = messageOf(stage, row.step, true)?.content !== messageOf(stage, row.step)?.content;
  if (!bounced && !ofTheChannel.has(reason) && !(hasOwnContent && ofTheContent.has(reason))) return false;
  takePlace(draft, stage, row, reason);
  return true;
}

/** The fallback of the stage that the conversation stands in took the place of this message: what became of it leads nowhere any more. */
export const isReplaced = (draft: Draft, row: Failed): boolean =>
  draft.state.fallback === true && draft.state.stage === row.stage && stageOf(draft, row) !== undefined;

/** As `fallsBack`, for a message that was tried: its row says so, for whoever thinks of trying it again. */
export function givesWay(draft: Draft, row: Message, reason: SkipReason): boolean {
  if (!fallsBack(draft, row, reason)) return false;
  draft.changeRow(row, { gaveWay: true });
  return true;
}

function takePlace(draft: Draft, { id, window, fallback }: FallbackStage, row: Failed, reason: SkipReason): void {
  const { state, now } = draft;
  // it was counted when the message was decided, and is entered when the fallback's message is
  if (state.stage !== id || (state.step === 0 && row.step > 0)) draft.count(`stages.${state.stage}.entered`, -1);
  const { at: dueAt, why } = movedInto(window, state.contact, now);
  const place = { stage: id, step: row.step, dueAt, channel: fallback.channel };
  const delayed = why === undefined ? {} : { delayed: why };
  draft.apply({ type: 'fell_back', place: { ...place, ...delayed }, messageId: row._id, reason });
}

/** Whether what comes next in the stage that a conversation stands in goes by its fallback. */
export function isByFallback({ context, state }: Draft, stageId: string): boolean {
  const stage = state.fallback ? context.flow.stages.get(stageId) : undefined;
  return stage?.type === 'message' && messageOf(stage, state.step, true) !== messageOf(stage, state.step);
}

/** Of one that takes the place of a message its contact has come to refuse where that was to go. */
export function refusalOfFallback(
  draft: Draft,
  refusals: Refusals,
  { stage: id, fallback }: Pick<Message, 'stage' | 'fallback'>,
): SkipReason | undefined {
  const stage = draft.context.flow.stages.get(id);
  if (fallback !== true || stage?.type !== 'message' || refusals.get(stage.channel) === 'bounced') return undefined;
  return refusalOf(draft, refusals, stage.channel, { stage: id });
}

// ---------------------------------------------------------------- by time

/** Looks at a row behind a channel without room: an eighth of the time that is left, ms at least and at most, so that it soon knows of room. */
const shortestLookMs = 1_000;
const longestLookMs = 30_000;

/**
 * When a row gives way that was not sent by then, ms since the epoch; undefined: never, for it may have left, its stage says no such thing,
 * or its conversation has ended, and nothing goes on in its place.
 */
function givesWayAt(draft: Draft, row: Message): number | undefined {
  const stage = stageOf(draft, row);
  const after = stage?.fallback.after;
  if (
    draft.state.status !== 'active' ||
    after === undefined ||
    row.mayHaveLeft === true ||
    lostBefore(row) !== undefined
  )
    return undefined;
  // neither the time before it was decided, nor a pause of its campaign, nor a closed window is held against its channel
  const since = Math.max(row.dueAt.getTime(), row.queuedAt.getTime(), draft.context.resumedAt ?? 0);
  return movedInto(stage?.window, draft.state.contact, addDuration(since, after)).at;
}

/** A row that is not written yet, on a channel that is left alone since then (ms since the epoch), was due for longer than its stage waits. */
export function isLate(draft: Draft, row: Message, restingSince: number): boolean {
  const stage = stageOf(draft, row);
  if (stage?.fallback.after === undefined) return false;
  const since = Math.max(row.dueAt.getTime(), restingSince, draft.context.resumedAt ?? 0);
  return movedInto(stage.window, draft.state.contact, addDuration(since, stage.fallback.after)).at <= draft.now;
}

/** The fallback of its stage takes the place of a row that is late. */
export const passBy = (draft: Draft, row: Message): void =>
  takePlace(draft, stageOf(draft, row) as FallbackStage, row, 'superseded');

/** A row waits for another try at `at`, or gives way before. `row`: as it will be. */
export function postpone(
  draft: Draft,
  row: Message,
  at: number,
  cause: 'retry' | 'held' | 'window' | 'holiday' | 'zone' | 'cap' | 'warm_up' | 'rate',
): void {
  if (gaveWay(draft, row)) return;
  const until = givesWayAt(draft, row);
  const next =
    until === undefined
      ? { at, channel: row.channel }
      : // whether or not its channel takes anything by then
        { at: Math.min(at, until), channel: '-' };
  draft.apply({ type: 'postponed', messageId: row._id, ...next, cause });
}

/** True when it was late and the fallback of its stage took its place. Nothing of it may be on its way. */
export function gaveWay(draft: Draft, row: Message | undefined): boolean {
  if (row === undefined) return false;
  const until = givesWayAt(draft, row);
  if (row.status !== 'queued' || until === undefined || until > draft.now) return false;
  draft.skipRow(row, 'superseded');
  takePlace(draft, stageOf(draft, row) as FallbackStage, row, 'superseded');
  return true;
}

const lookMs = (leftMs: number): number => Math.min(longestLookMs, Math.max(shortestLookMs, leftMs / 8));

/** There is no room for a row that is due for another try. False: it stays due, in the lane of its channel. */
export function isLookedAtLater(draft: Draft, row: Message | undefined, lane: string): boolean {
  if (lane !== '-' || row === undefined) return false;
  const { now } = draft;
  const until = givesWayAt(draft, row);
  const next =
    until === undefined
      ? { at: now, channel: row.channel }
      : { at: Math.min(until, now + lookMs(until - now)), channel: '-' };
  draft.apply({ type: 'postponed', messageId: row._id, ...next, cause: 'retry', again: true });
  return true;
}
