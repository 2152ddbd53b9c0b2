/** What the answer of a channel does to the row and to its conversation. */
import { backoffMs } from './backoff.ts';
import { type Draft, fail, goOn } from './draft.ts';
import type { CompiledStage } from './flow.ts';
import { sequenceOf } from './ids.ts';
import type { Message, MessageChange, SkipReason } from './model.ts';
import type { SendResult } from './ports.ts';
import { afterMessage, placeAt } from './stages.ts';

/** Whether a row of this status (undefined: it was deleted) takes a change that wants it `from` another. */
export const rowTakes = (status: Message['status'] | undefined, from: MessageChange['from']): boolean =>
  from === undefined || status === from || (status === undefined && from === 'sending');

/**
 * A channel's answer; or `held`: the gate kept the row back, it never left (`isStale`: only because nothing fresh was known
 * in time); or `lost`: its sender is gone, nobody knows whether it left.
 */
export type RowOutcome = SendResult | { kind: 'held'; isStale?: boolean } | { kind: 'lost' };

export interface RowResult {
  row: Message;
  outcome: RowOutcome;
  /** When the try was committed, ms since the epoch: timers were started then. */
  decidedAt: number;
  /** When it was handed over; absent when it never was. */
  handedAt?: number;
  answeredAt: number;
}

/** Codes of a rejection that say more than that the provider refused. */
const rejections: ReadonlyMap<string, SkipReason> = new Map([
  ['not_allowed', 'not_allowed'],
  ['address_invalid', 'address_invalid'],
]);

/** A follow-up's clock starts when the message was really sent; less than this late is not worth a write. */
const clockToleranceMs = 1000;

export function recordResult(draft: Draft, result: RowResult): void {
  const { row, outcome } = result;
  switch (outcome.kind) {
    case 'sent':
      arrived(draft, result, {
        status: 'sent',
        sentAt: new Date(result.answeredAt),
        ...(outcome.providerMessageId === undefined ? {} : { providerMessageId: outcome.providerMessageId }),
      });
      draft.count('messages.sent');
      draft.count(`stages.${row.stage}.sent`);
      if (row.step > 0) draft.count('messages.followUps');
      return;
    case 'unknown':
      uncertain(draft, result, errorOf(outcome));
      return;
    case 'lost':
      lost(draft, result);
      return;
    case 'rejected':
      gaveUp(draft, result, rejections.get(outcome.code) ?? 'provider_rejected', outcome);
      return;
    case 'retry':
      // it may have left all the same: whatever becomes of it, that it was handed over is to be seen
      if (outcome.counts && result.handedAt !== undefined)
        draft.changeRow(row, { handedAt: new Date(result.handedAt) });
      retry(draft, result, outcome);
      return;
    case 'held': {
      // not at once, lest it misses by the same margin each time
      const waitMs = outcome.isStale ? backoffMs(1, draft.random) : 0;
      requeue(draft, row, { attempts: row.attempts - 1 }, draft.now + waitMs, 'held');
      return;
    }
  }
}

/** As it is stored with the row. */
export const errorOf = ({ code, message }: { code: string; message: string }) => ({
  code,
  message: message.slice(0, 500),
});

/** The stage the conversation stands in, if that is where this row left it: nothing that came meanwhile moved it. */
function stageAfter(draft: Draft, row: Message): CompiledStage | undefined {
  const { state, context } = draft;
  if (state.status !== 'active' || state.sequence !== sequenceOf(row._id)) return undefined;
  const stage = context.flow.stages.get(row.stage);
  if (stage?.type !== 'message') return undefined;
  const place = afterMessage(context.flow, stage, row.step, draft.now);
  return place.stage === state.stage && place.step === state.step ? context.flow.stages.get(place.stage) : undefined;
}

/** The row's last change: nothing of it is pending any more. */
function finish(draft: Draft, { row, handedAt }: RowResult, set: Partial<Message>): void {
  draft.changeRow(row, handedAt === undefined ? set : { ...set, handedAt: new Date(handedAt) }, ['pending']);
  draft.count('pending', -1);
}

function arrived(draft: Draft, result: RowResult, set: Partial<Message>): void {
  const { row, answeredAt, decidedAt } = result;
  finish(draft, result, set);
  const stage = stageAfter(draft, row);
  if (stage === undefined) return;
  if (draft.state.nextActionAt === undefined && stage.type !== 'end') {
    goOn(draft, stage, answeredAt);
  } else if (answeredAt - decidedAt > clockToleranceMs) {
    draft.apply({ type: 'moved', place: placeAt(stage, draft.state.step, answeredAt) });
  }
}

function uncertain(draft: Draft, result: RowResult, error: { code: string; message: string }): void {
  arrived(draft, result, { status: 'uncertain', reason: 'uncertain', error });
  draft.count('messages.uncertain');
  draft.count('reasons.uncertain');
}

/** Sent again with the same key, unless that may not be (`at-most-once`) or need not be (the conversation went on without it). */
function lost(draft: Draft, result: RowResult): void {
  const { row } = result;
  const again =
    draft.context.channels.get(row.channel)?.delivery !== 'at-most-once' && stageAfter(draft, row) !== undefined;
  if (again) requeue(draft, row, {}, draft.now, 'held');
  else uncertain(draft, result, { code: 'sender_lost', message: 'its sender was lost before an answer was recorded' });
}

function gaveUp(draft: Draft, result: RowResult, reason: SkipReason, error: { code: string; message: string }): void {
  const { row } = result;
  const current = stageAfter(draft, row) !== undefined;
  finish(draft, result, { status: 'failed', reason, error: errorOf(error) });
  draft.count('messages.failed');
  draft.count(`reasons.${reason}`);
  if (current) fail(draft, row.stage, reason, errorOf(error));
}

function retry(draft: Draft, result: RowResult, outcome: Extract<SendResult, { kind: 'retry' }>): void {
  const { row } = result;
  const channel = draft.context.channels.get(row.channel);
  const attempts = outcome.counts ? row.attempts : row.attempts - 1;
  const waitMs = outcome.retryAfterMs ?? backoffMs(Math.max(1, attempts), draft.random);
  const at = draft.now + Math.max(0, waitMs);
  const over = channel && (attempts >= channel.attempts || at - row.queuedAt.getTime() > channel.giveUpMs);
  if (over) gaveUp(draft, result, 'retries_exhausted', outcome);
  else requeue(draft, row, { attempts, error: errorOf(outcome) }, at, 'retry');
}

function requeue(draft: Draft, row: Message, set: Partial<Message>, at: number, cause: 'retry' | 'held'): void {
  const { state, context } = draft;
  if (state.status !== 'active') {
    draft.skipRow(
      row,
      state.status === 'cancelled' ? (context.stopped ?? 'campaign_cancelled') : skipReason(state.outcome),
    );
  } else if (stageAfter(draft, row) !== undefined) {
    draft.changeRow(row, { ...set, status: 'queued' });
    draft.apply({ type: 'postponed', messageId: row._id, at, channel: row.channel, cause });
  } else {
    draft.skipRow(row, 'replied');
  }
}

const skipReason = (outcome: string | undefined): SkipReason =>
  outcome === 'replied'
    ? 'replied'
    : outcome === 'unsubscribed' || outcome === 'bounced' || outcome === 'complained'
      ? 'suppressed'
      : 'stopped';
