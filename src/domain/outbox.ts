/** What the answer of a channel does to the row and to its conversation. */
import { everyTopic } from './addresses.ts';
import { backoffMs } from './backoff.ts';
import type { SendResult } from './channelPorts.ts';
import { type Draft, lostBefore, senderLost } from './draft.ts';
import { follow } from './events.ts';
import { givesWay, isReplaced, postpone } from './fallback.ts';
import { fail } from './goingOn.ts';
import type { InboundEvent, Message, MessageChange, SkipReason } from './model.ts';
import { unanswered } from './producing.ts';
import { countAged, receivedStatus, stampingOf } from './receipts.ts';
import { isAlone, stoppedFor } from './replay.ts';
import { movedInto, type SendWindow } from './sendWindow.ts';
import { placeAt } from './stages.ts';
import { stageAfter } from './standing.ts';
import { isToContact, standsOn, suppressOn } from './suppression.ts';

/** Whether a row of this status (undefined: it was deleted) takes a change that wants it `from` another. */
export const rowTakes = (status: Message['status'] | undefined, from: MessageChange['from']): boolean =>
  from === undefined || status === from || (status === undefined && from === 'sending');

/**
 * A channel's answer; or `held`: the gate kept the row back, it never left (`isStale`: only because nothing fresh was known
 * in time; `inMs`: because of the rate of its domain, worth another try then); or `lost`: its sender is gone, nobody knows whether it left.
 */
export type RowOutcome = SendResult | { kind: 'held'; isStale?: boolean; inMs?: number } | { kind: 'lost' };

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
  ['opted_out', 'provider_opted_out'],
  ['session_closed', 'session_closed'],
]);

/** Why a row fails that its channel rejected. */
export const rejectionOf = ({ code }: { code: string }): SkipReason => rejections.get(code) ?? 'provider_rejected';

/** A follow-up's clock starts when the message was really sent; less than this late is not worth a write. */
const clockToleranceMs = 1000;

export function recordResult(draft: Draft, result: RowResult): void {
  const { row, outcome } = result;
  switch (outcome.kind) {
    case 'sent':
      learn(draft, row, outcome.answer);
      arrived(draft, result, {
        status: receivedStatus(row, 'sent'),
        sentAt: new Date(result.answeredAt),
        ...(outcome.providerMessageId === undefined ? {} : { providerMessageId: outcome.providerMessageId }),
      });
      draft.count('messages.sent');
      draft.count(`stages.${row.stage}.sent`);
      draft.countVariants('sent');
      if (row.step > 0) draft.count('messages.followUps');
      return;
    case 'unknown':
      uncertain(draft, result, errorOf(outcome));
      return;
    case 'lost':
      lost(draft, result);
      return;
    case 'rejected':
      if (!isToContact(draft, row.channel, row.to)) gaveUp(draft, result, rejectionOf(outcome), outcome);
      else if (outcome.code === 'opted_out') optedOut(draft, result, outcome);
      else if (outcome.bounce === true) bounced(draft, result, outcome);
      else gaveUp(draft, result, rejectionOf(outcome), outcome);
      return;
    case 'retry':
      // it may have left all the same: whatever becomes of it, that it was handed over is to be seen
      if ((outcome.counts || outcome.mayHaveLeft === true) && result.handedAt !== undefined)
        draft.changeRow(row, { handedAt: new Date(result.handedAt) });
      retry(draft, result, outcome);
      return;
    case 'held': {
      // not at once, lest it misses by the same margin each time
      const waitMs = outcome.isStale ? backoffMs(1, draft.random) : 0;
      const { inMs } = outcome;
      const cause = inMs === undefined ? 'held' : 'rate';
      requeue(draft, row, { attempts: row.attempts - 1 }, draft.now + (inMs ?? waitMs), cause);
      return;
    }
  }
}

/** As it is stored with the row. */
export const errorOf = ({ code, message }: { code: string; message: string }) => ({
  code,
  message: message.slice(0, 500),
});

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
  if (draft.state.nextActionAt === undefined) {
    unanswered(draft, stage, answeredAt);
  } else if (stage.type !== 'escalate' && answeredAt - decidedAt > clockToleranceMs) {
    draft.apply({ type: 'moved', place: placeAt(stage, draft.state.step, answeredAt, draft.scope) });
  }
}

/** What a webhook was answered, where its author wants to know. */
function learn(draft: Draft, row: Message, answer: Record<string, unknown> | undefined): void {
  const stage = draft.context.flow.stages.get(row.stage);
  if (stage?.type !== 'webhook' || !stage.keep || answer === undefined || draft.state.status !== 'active') return;
  draft.apply({ type: 'learnt', name: row.stage, value: answer });
}

function uncertain(draft: Draft, result: RowResult, error: { code: string; message: string }): void {
  const status = receivedStatus(result.row, 'uncertain');
  arrived(draft, result, { status, reason: 'uncertain', error });
  if (status === 'uncertain') draft.count('messages.uncertain');
  draft.count('reasons.uncertain');
}

/** Sent again with the same key, unless that may not be (`at-most-once`) or need not be (the conversation went on without it). */
function lost(draft: Draft, result: RowResult): void {
  const { row } = result;
  const again =
    draft.context.channels.get(row.channel)?.delivery !== 'at-most-once' &&
    (isAlone(draft, row) || stageAfter(draft, row) !== undefined);
  const error = { code: senderLost, message: 'its sender was lost before an answer was recorded' };
  if (again) requeue(draft, row, { error }, draft.now, 'held');
  else uncertain(draft, result, error);
}

function gaveUp(draft: Draft, result: RowResult, reason: SkipReason, error: { code: string; message: string }): void {
  const { row } = result;
  const current = stageAfter(draft, row) !== undefined;
  finish(draft, result, { status: 'failed', reason, error: errorOf(error) });
  draft.count('messages.failed');
  draft.count(`reasons.${reason}`);
  draft.lower(row);
  if (!current || givesWay(draft, row, reason)) return;
  const stage = draft.context.flow.stages.get(row.stage);
  // whoever is escalated is so although the notification failed
  if (stage?.type !== 'escalate') fail(draft, row.stage, reason, errorOf(error));
  else unanswered(draft, stage, draft.now);
}

/**
 * The contact left, and its provider knows: no failure that an author leads elsewhere, but an opt-out, for all topics. Other
 * open conversations of the address hear of it as of any other.
 */
function optedOut(draft: Draft, result: RowResult, error: { code: string; message: string }): void {
  const { row } = result;
  const stage = stageAfter(draft, row);
  const reason = 'provider_opted_out';
  finish(draft, result, { status: 'failed', reason, error: errorOf(error) });
  draft.lower(row);
  draft.count('messages.failed');
  draft.count(`reasons.${reason}`);
  suppressOn(draft, row.channel, { reason, topic: everyTopic });
  draft.tell(leaving(row, draft.now));
  if (draft.state.status !== 'active') return;
  if (standsOn(draft, row.channel)) draft.end({ status: 'suppressed', outcome: 'unsubscribed', reason }, 'suppressed');
  else if (stage !== undefined) unanswered(draft, stage, draft.now);
}

/**
 * The provider says at once what others tell later by a receipt: the address takes nothing, for all topics. The row failed, for
 * nobody took the message, and counts as bounced, once, whatever receipts say of it. The flow goes where a hard bounce leads;
 * other open conversations of the address hear of it as of any other.
 */
function bounced(draft: Draft, result: RowResult, error: { code: string; message: string }): void {
  const { row, answeredAt } = result;
  const stage = stageAfter(draft, row);
  const reason = rejectionOf(error);
  const event = bouncing(row, draft.now);
  const { set, isRepeated } = stampingOf(row, event, new Date(answeredAt));
  finish(draft, result, { ...set, status: 'failed', reason, error: errorOf(error) });
  draft.lower(row);
  draft.count('messages.failed');
  draft.count(`reasons.${reason}`);
  const failed = draft.rowAs(row);
  if (!isRepeated) countAged(draft, failed, 'bounced');
  suppressOn(draft, row.channel, { reason: 'bounce', topic: everyTopic });
  draft.tell(event);
  if (draft.state.status !== 'active') return;
  const heard = { ...event, id: event._id as string };
  // what it does is done here: coming back it would end a conversation that went on elsewhere meanwhile
  draft.apply({ type: 'told', key: heard.id });
  const heeded = { channel: row.channel, type: event.type, isOthers: false };
  follow(draft, heard, heeded, { row: failed, isRepeated: false });
  // on another channel it stays: its silence begins
  if (stage !== undefined && stageAfter(draft, row) !== undefined) unanswered(draft, stage, draft.now);
}

/** A provider said that this address is dead: its other conversations hear of it as of any hard bounce of that message. */
export const bouncing = ({ _id, channel, to }: Message, now: number): InboundEvent & { at: Date } => ({
  ...{ _id: `bounced:${_id}`, type: 'bounce', channel, address: to as string, data: { messageId: _id } },
  at: new Date(now),
});

/** A provider said that this address left: its other conversations hear of it as of any opt-out. */
export const leaving = ({ _id, channel, to }: Message, now: number): InboundEvent => ({
  ...{
    _id: `opted_out:${_id}`,
    type: 'unsubscribe',
    channel,
    address: to as string,
    data: { topic: everyTopic },
    at: new Date(now),
  },
});

function retry(draft: Draft, result: RowResult, outcome: Extract<SendResult, { kind: 'retry' }>): void {
  const { row } = result;
  const channel = draft.context.channels.get(row.channel);
  const attempts = outcome.counts ? row.attempts : row.attempts - 1;
  // a provider may ask for more, not for less: tries without a pause would be used up by a moment's trouble
  const waitMs = Math.max(outcome.retryAfterMs ?? 0, backoffMs(Math.max(1, attempts), draft.random));
  const at = draft.now + Math.max(0, waitMs);
  // the time in which a window kept it from being tried is not held against it
  const since = Math.max(row.queuedAt.getTime(), row.dueAt.getTime());
  const over = channel && (attempts >= channel.attempts || at - since > channel.giveUpMs);
  if (over) gaveUp(draft, result, 'retries_exhausted', outcome);
  // that another try failed does not say that the one before did
  else {
    const doubt = outcome.mayHaveLeft ? { mayHaveLeft: true as const } : {};
    requeue(draft, row, { attempts, error: lostBefore(row) ?? errorOf(outcome), ...doubt }, at, 'retry');
  }
}

function requeue(
  draft: Draft,
  row: Message,
  set: Partial<Message>,
  at: number,
  cause: 'retry' | 'held' | 'rate',
): void {
  const { state, context } = draft;
  const isReplayed = isAlone(draft, row);
  const stopped = isReplayed ? stoppedFor(draft) : undefined;
  if (stopped !== undefined) {
    draft.skipRow(row, stopped);
  } else if (state.status !== 'active' && !isReplayed) {
    draft.skipRow(
      row,
      state.status === 'cancelled' ? (context.stopped ?? 'campaign_cancelled') : skipReason(state.outcome),
    );
  } else if (isReplayed || stageAfter(draft, row) !== undefined) {
    const { at: opensAt, why } = movedInto(windowOf(draft, row), state.contact, at);
    // the time of a window, or of a rate, is not held against it
    const moved = why === undefined && cause !== 'rate' ? {} : { dueAt: new Date(opensAt) };
    draft.changeRow(row, { ...set, ...moved, status: 'queued' });
    postpone(draft, draft.rowAs(row), opensAt, why ?? cause);
  } else {
    draft.skipRow(row, isReplaced(draft, row) ? 'superseded' : 'replied');
  }
}

function windowOf({ context }: Draft, { stage }: Message): SendWindow | undefined {
  const sender = context.flow.stages.get(stage);
  return sender?.type === 'message' ? sender.window : undefined;
}

const skipReason = (outcome: string | undefined): SkipReason =>
  outcome === 'replied'
    ? 'replied'
    : outcome === 'suppressed' || outcome === 'unsubscribed' || outcome === 'bounced' || outcome === 'complained'
      ? 'suppressed'
      : 'stopped';
