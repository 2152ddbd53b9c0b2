/** Whether a message that is due leaves now: its send window, and what becomes of one that comes late. Asked each time it is taken up. */
import type { Late } from './compileSchedule.ts';
import type { Draft } from './draft.ts';
import { postpone } from './fallback.ts';
import type { CompiledMessage, CompiledStage } from './flow.ts';
import { fail } from './goingOn.ts';
import type { Message } from './model.ts';
import { newRow, type SendingStage, skipNew, unanswered } from './producing.ts';
import { nextOpening, type Unplaced, type Whereabouts } from './sendWindow.ts';
import { absent } from './shape.ts';
import { placeAt } from './stages.ts';
import { addDuration } from './timing.ts';
import { dayMs } from './zones.ts';

type Verdict =
  /** Until that instant, ms; absent: it has no window. */
  | { kind: 'leaves'; until?: number }
  | { kind: 'waits'; at: number; why: 'window' | 'holiday' | 'zone' }
  | { kind: 'skipped'; reason: 'late_skipped' | 'window_expired'; expires: boolean }
  | { kind: 'fails'; error: { code: string; message: string } };

const leaves: Verdict = { kind: 'leaves' };

/** Who waits for a time zone is looked at again so often: it stays due, and is seen. An event `contact` lets it go at once. */
const zoneLookMs = 7 * dayMs;

/**
 * What is due for the first time. True when it does not leave now: it was given another time, skipped, or failed. What a
 * service or a colleague is sent (`webhook`, `escalate`) has no window, and is never too late.
 */
export function isHeldBack(draft: Draft, stage: SendingStage, dueAt: Date, channel: string): boolean {
  const verdict = judge(draft, stage, dueAt);
  draft.until = absent;
  if (verdict.kind === 'leaves') {
    draft.until = verdict.until ?? absent;
    return false;
  }
  const { step } = draft.state;
  if (verdict.kind === 'waits') {
    const { at, why } = verdict;
    draft.apply({ type: 'moved', place: { stage: stage.id, step, dueAt: at, channel, delayed: why } });
    return true;
  }
  const row = newRow(draft, stage.id, channel, dueAt);
  draft.apply({ type: 'message', step });
  if (verdict.kind === 'fails') {
    const { error } = verdict;
    draft.insert({ ...row, status: 'failed', reason: 'contact_invalid', error });
    failed(draft, stage.id, error);
  } else {
    skipNew(draft, stage, row, verdict.reason, () => verdict.expires && expire(draft));
  }
  return true;
}

/** As `isHeldBack`, for a row that waited for another try. `stage`: where the conversation stands meanwhile. */
export function isHeldBackAgain(draft: Draft, stage: CompiledStage, row: Message | undefined, dueAt: Date): boolean {
  draft.until = absent;
  const sender = row && draft.context.flow.stages.get(row.stage);
  if (row?.status !== 'queued' || sender === undefined) return false;
  const verdict = judge(draft, sender, dueAt);
  if (verdict.kind === 'leaves') {
    draft.until = verdict.until ?? absent;
    return false;
  }
  if (verdict.kind === 'waits') {
    const { at, why } = verdict;
    draft.changeRow(row, { dueAt: new Date(at) }, [], 'queued');
    postpone(draft, draft.rowAs(row), at, why);
  } else if (verdict.kind === 'fails') {
    const { error } = verdict;
    draft.changeRow(row, { status: 'failed', reason: 'contact_invalid', error }, ['pending'], 'queued');
    draft.count('pending', -1);
    draft.lower(row);
    draft.apply({ type: 'resumed' });
    failed(draft, row.stage, error);
  } else {
    draft.skipAwaited(verdict.reason);
    if (draft.state.status !== 'active') return true;
    if (verdict.expires) expire(draft);
    else {
      draft.apply({ type: 'moved', place: placeAt(stage, draft.state.step, draft.now, draft.scope) });
      unanswered(draft, stage, draft.now);
    }
  }
  return true;
}

function failed(draft: Draft, stageId: string, error: { code: string; message: string }): void {
  draft.count('messages.failed');
  draft.count('reasons.contact_invalid');
  if (draft.state.status === 'active') fail(draft, stageId, 'contact_invalid', error);
}

function expire(draft: Draft): true {
  draft.end({ status: 'cancelled', outcome: 'expired', reason: 'late_skipped' }, 'late_skipped');
  return true;
}

// ---------------------------------------------------------------- the verdict

function judge({ context, state, now }: Draft, stage: CompiledStage, dueAt: Date): Verdict {
  const { late } = context.flow;
  if (stage.type !== 'message' || (stage.window === undefined && late === undefined)) return leaves;
  if (late !== undefined && isLate(late, dueAt, now))
    return { kind: 'skipped', reason: 'late_skipped', expires: late.policy === 'expire' };
  return stage.window === undefined ? leaves : inWindow(stage.id, stage.window, state.contact, now);
}

const isLate = ({ after }: Late, dueAt: Date, now: number): boolean => addDuration(dueAt.getTime(), after) < now;

function inWindow(
  stage: string,
  window: NonNullable<CompiledMessage['window']>,
  contact: Whereabouts,
  now: number,
): Verdict {
  const opening = nextOpening(window, contact, now);
  switch (opening.state) {
    case 'open':
      return { kind: 'leaves', until: opening.until };
    case 'later':
      return { kind: 'waits', at: opening.at, why: opening.why };
    case 'hold':
      return { kind: 'waits', at: now + zoneLookMs, why: 'zone' };
    case 'fail':
      return { kind: 'fails', error: unplaced(stage, opening) };
    case 'never':
      return { kind: 'skipped', reason: 'window_expired', expires: false };
  }
}

const unplaced = (stage: string, { reason }: Unplaced): { code: string; message: string } => ({
  code: reason,
  message:
    reason === 'timezone_missing'
      ? `the contact has no timezone, which the send window of stage ${stage} asks for`
      : `the timezone of the contact is none of the tz database; the send window of stage ${stage} asks for one`,
});
