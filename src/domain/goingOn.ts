/** Where a conversation goes when a stage is over. */
import type { Draft } from './draft.ts';
import type { SkipReason } from './model.ts';
import { arriveAt, type LeftStage, leave, targetOf } from './stages.ts';

/** Leaves a stage as silence does, or for `target` where the author said so. */
export function goOn(draft: Draft, stage: LeftStage, at: number, target?: string): void {
  const destination = leave(draft.context.flow, stage, at, draft.scope, target);
  if ('finished' in destination) draft.end({ status: 'completed', outcome: 'finished' }, 'stopped');
  else draft.moveTo(destination, false, stage.type === 'branch' || stage.type === 'split');
}

/** A message that failed for good: where its author leads it, else the conversation failed. */
export function fail(
  draft: Draft,
  stageId: string,
  reason: SkipReason,
  error: { code: string; message: string },
): void {
  const { flow } = draft.context;
  const target = targetOf(flow.stages.get(stageId), 'failed');
  const place = target === undefined ? undefined : arriveAt(flow, target, draft.now, draft.scope);
  if (place) draft.moveTo(place);
  else draft.end({ status: 'failed', outcome: 'failed', reason, error }, 'stopped');
}
