import type { Draft } from './draft.ts';
import type { CompiledStage } from './flow.ts';
import { sequenceOf } from './ids.ts';
import type { Message } from './model.ts';
import { afterMessage } from './stages.ts';

/**
 * The stage the conversation stands in, if that is where this row left it: nothing that came meanwhile moved it, not even to
 * the same place.
 */
export function stageAfter(
  draft: Pick<Draft, 'state' | 'context' | 'now' | 'scope'>,
  row: Message,
): CompiledStage | undefined {
  const { state, context } = draft;
  const sequence = sequenceOf(row._id);
  if (state.status !== 'active' || state.sequence !== sequence || state.ledAfter === sequence) return undefined;
  const stage = context.flow.stages.get(row.stage);
  if (stage === undefined) return undefined;
  const place = afterMessage(context.flow, stage, row.step, draft.now, draft.scope);
  return place.stage === state.stage && place.step === state.step ? context.flow.stages.get(place.stage) : undefined;
}
