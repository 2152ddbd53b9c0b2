/** Places that are left without a message: what waited is over, and what decides which way to go. */
import type { Draft } from './draft.ts';
import { endEscalation } from './escalation.ts';
import type { CompiledSplit, CompiledStage, CompiledWait, WaitFor } from './flow.ts';
import { goOn } from './goingOn.ts';
import { fnv1a32 } from './ids.ts';
import { settle } from './producing.ts';
import { addBusinessDays } from './sendWindow.ts';
import { untilAt } from './until.ts';

/** What is due at such a place. */
export function passThrough(draft: Draft, stage: CompiledStage): void {
  const { now, state } = draft;
  switch (stage.type) {
    case 'end':
      draft.end({ status: 'completed', outcome: stage.outcome }, 'stopped');
      return;
    case 'branch': {
      const taken = stage.branches.find(({ query }) => query?.matches(draft.subject()) ?? true);
      goOn(draft, stage, now, taken?.goto);
      return;
    }
    case 'split':
      drawn(draft, stage);
      return;
    case 'wait':
      waited(draft, stage);
      return;
    case 'escalate':
      if (state.step === 0) {
        settle(draft, stage);
      } else {
        endEscalation(draft, 'expired');
        goOn(draft, stage, now, stage.onTimeout);
      }
      return;
    case 'message':
    case 'webhook':
      goOn(draft, stage, now);
  }
}

function waited(draft: Draft, stage: CompiledWait): void {
  const { waitFor } = stage;
  if (waitFor.kind === 'businessDays' && !hasWorkingDays(draft, waitFor)) {
    const message = `the send window has no working days to wait for in stage ${stage.id}`;
    draft.end({ status: 'failed', outcome: 'failed', error: { code: 'window_never_opens', message } }, 'stopped');
    return;
  }
  if (waitFor.kind !== 'until' || untilAt(waitFor.until, draft.scope) !== undefined) {
    goOn(draft, stage, draft.now, waitFor.kind === 'event' ? waitFor.onTimeout : undefined);
  } else if (waitFor.onMissing !== undefined) {
    goOn(draft, stage, draft.now, waitFor.onMissing);
  } else {
    const message = `stage ${stage.id} has no date to wait until`;
    draft.end({ status: 'failed', outcome: 'failed', error: { code: 'date_missing', message } }, 'stopped');
  }
}

const hasWorkingDays = ({ state, now }: Draft, { window }: Extract<WaitFor, { kind: 'businessDays' }>): boolean =>
  addBusinessDays(window, state.contact, now, 1).state === 'at';

function drawn(draft: Draft, { id, variants, ...stage }: CompiledSplit): void {
  const before = draft.state.variant?.[id];
  const variant = variants.find((one) => one.variant === before) ?? pick(variants, shareOf(`${draft.state._id}:${id}`));
  if (variant.variant !== before) draft.apply({ type: 'drawn', stage: id, variant: variant.variant });
  draft.count(`variants.${id}.${variant.variant}.entered`);
  if (variant.goto === undefined)
    draft.end({ status: 'completed', outcome: 'hold_out', reason: 'hold_out' }, 'hold_out');
  else goOn(draft, { id, variants, ...stage }, draft.now, variant.goto);
}

/** @param share In [0, 1). */
export function pick(variants: CompiledSplit['variants'], share: number): CompiledSplit['variants'][number] {
  let left = share * variants.reduce((sum, { weight }) => sum + weight, 0);
  const found = variants.find(({ weight }) => {
    left -= weight;
    return left < 0;
  });
  // what is left of a sum of fractions
  return found ?? (variants.findLast(({ weight }) => weight > 0) as CompiledSplit['variants'][number]);
}

/** In [0, 1), spread evenly: the finaliser of MurmurHash3 over FNV-1a, whose upper bits hardly differ between neighbours. */
function shareOf(text: string): number {
  let hash = fnv1a32(text);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
