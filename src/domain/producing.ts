/** Rows of the outbox: what leaves next, and another try of what waited. */
import type { ChannelFacts } from './channelPorts.ts';
import type { CompiledContent, Scope } from './content.ts';
import type { FlowContext } from './decision.ts';
import { conversationScope, type Draft } from './draft.ts';
import { escalate } from './escalation.ts';
import { exits } from './exit.ts';
import { fallsBack, isByFallback, isLate, passBy, refusalOfFallback } from './fallback.ts';
import type { CompiledEscalate, CompiledMessage, CompiledStage, CompiledWebhook } from './flow.ts';
import { fail, goOn } from './goingOn.ts';
import { messageId } from './ids.ts';
import { counted, isLimited, isLimitedAgain } from './limiting.ts';
import { renderMessage, renderText } from './mail.ts';
import type { Message, SkipReason } from './model.ts';
import { absent } from './shape.ts';
import { segmentsOf } from './smsSegments.ts';
import { addressIn, afterMessage, messageOf, placeAt, silenceStep } from './stages.ts';
import { endIfUnreachable, noRefusals, type Refusals, refusalOf } from './suppression.ts';
import { addDuration } from './timing.ts';

/** Another try of a row that waited, with the same bytes. */
export function resend(
  draft: Draft,
  stage: CompiledStage,
  row: Message | undefined,
  refusals: Refusals = noRefusals,
): void {
  const { worker } = draft.context;
  const isActive = draft.state.status === 'active';
  if (row?.status === 'queued' && (exits(draft) || isLimitedAgain(draft, stage, row, refusals))) return;
  draft.apply({ type: 'resumed' });
  if (isActive) draft.apply({ type: 'moved', place: placeAt(stage, draft.state.step, draft.now, draft.scope) });
  if (row?.status !== 'queued') {
    // somebody else deleted or changed it: no answer is waited for, and what is pending no longer will not be counted down later
    if (row?.pending !== true) draft.count('pending', -1);
    if (isActive) unanswered(draft, stage, draft.now);
    return;
  }
  const refused = refusalOf(draft, refusals, row.channel, row) ?? refusalOfFallback(draft, refusals, row);
  if (refused !== undefined) {
    draft.skipRow(row, refused);
    if (!isActive) return;
    // else it may have left by an earlier try
    const isSkipped = draft.rowAs(row).status === 'skipped';
    if (isSkipped && fallsBack(draft, row, refused, refusals.get(row.channel) === 'bounced')) return;
    if (endIfUnreachable(draft, refused, refusals)) return;
    unanswered(draft, stage, draft.now);
    return;
  }
  const change = { status: 'sending', attempts: row.attempts + 1, worker, ...counted(draft, row) } as const;
  draft.changeRow(row, change, [], 'queued');
  // with the receipts that came in this very decision
  draft.send = { ...draft.rowAs(row), ...change };
}

export type SendingStage = CompiledMessage | CompiledWebhook | CompiledEscalate;

/** Whether what comes next at this step of a stage leaves on a channel. */
export function needsChannel(stage: CompiledStage, step: number): stage is SendingStage {
  if (stage.type === 'message') return step < silenceStep(stage);
  if (stage.type === 'escalate') return step === 0 && stage.notify !== undefined;
  return stage.type === 'webhook' && step === 0;
}

/** What a row says, and where it goes. */
interface Letter {
  channel: string;
  content: CompiledContent;
  /** Of the row; undefined: there is none. */
  to: (channel: ChannelFacts, scope: Scope) => ReturnType<typeof renderText> | undefined;
}

function letterOf(draft: Draft, stage: SendingStage): Letter | undefined {
  const { state } = draft;
  const own = (channel: ChannelFacts): string | undefined => addressIn(state.contact, channel.address);
  const plain = (text: string | undefined) => (text === undefined ? undefined : ({ kind: 'rendered', text } as const));
  if (stage.type === 'message') {
    const message = messageOf(stage, state.step, state.fallback);
    return message && { ...message, to: (channel) => plain(own(channel)) };
  }
  if (stage.type === 'escalate') {
    const { notify } = stage;
    return notify && { ...notify, to: (_, scope) => renderText(notify.to, scope) };
  }
  const { to } = stage;
  return { ...stage, to: (channel, scope) => (to ? renderText(to, scope) : plain(own(channel) ?? state._id)) };
}

/** See DecideInput. */
interface Room {
  hasRoom: (channel: string) => boolean;
  restingSince?: ((channel: string) => number | undefined) | undefined;
}

/**
 * Writes the next row of a stage. False when there is no room on its channel, or this member has no such channel: it stays
 * due.
 */
export function produce(
  draft: Draft,
  stage: SendingStage,
  dueAt: Date,
  { hasRoom, restingSince, refusals = noRefusals }: Room & { refusals?: Refusals | undefined },
): boolean {
  if (exits(draft)) return true;
  const { context, state, now } = draft;
  const { step } = state;
  const letter = letterOf(draft, stage);
  const channel = letter && context.channels.get(letter.channel);
  if (letter === undefined || channel === undefined) return false;
  if (!hasRoom(channel.name)) return isPassedBy(draft, stage, channel.name, dueAt, restingSince?.(channel.name));
  if (stage.type === 'message' && isLimited(draft, stage, channel, dueAt, refusals)) return true;
  const row = newRow(draft, stage.id, channel.name, dueAt);
  draft.apply({ type: 'message', step });
  const scope = scopeOf(context, draft);
  const to = letter.to(channel, scope);
  if (to === undefined) return passOver(draft, stage, { ...row, reason: 'address_missing' }, refusals);
  const refused =
    to.kind === 'failed'
      ? undefined
      : (refusalOf(draft, refusals, channel.name, { stage: stage.id, to: to.text }) ??
        refusalOfFallback(draft, refusals, row));
  if (to.kind !== 'failed' && refused !== undefined)
    return passOver(draft, stage, { ...row, to: to.text, reason: refused }, refusals);
  const rendered =
    to.kind === 'failed' ? to : renderMessage(letter.content, channel, context, { scope, conversationId: state._id });
  if (to.kind === 'failed' || rendered.kind === 'failed') {
    const { reason, message } = rendered as Extract<typeof rendered, { kind: 'failed' }>;
    const error = { code: reason, message };
    draft.insert({ ...row, to: to.kind === 'failed' ? absent : to.text, status: 'failed', reason, error });
    draft.count('messages.failed');
    draft.count(`reasons.${reason}`);
    if (fallsBack(draft, row, reason)) return true;
    // a notification that fails changes nothing for whoever is escalated
    if (stage.type === 'escalate') settle(draft, stage);
    else fail(draft, stage.id, reason, error);
    return true;
  }
  const { content } = rendered;
  const sending: Message = { ...row, to: to.text, content, status: 'sending', attempts: 1, pending: true };
  Object.assign(sending, counted(draft, row), segmentsOf(channel, content));
  draft.insert(sending);
  draft.count('pending');
  draft.moveTo(afterMessage(context.flow, stage, step, now, draft.scope), true);
  draft.send = sending;
  return true;
}

/** It was due for so long on a channel that is left alone that the fallback of its stage takes its place. */
function isPassedBy(draft: Draft, stage: SendingStage, channel: string, dueAt: Date, restingSince?: number): boolean {
  const row = newRow(draft, stage.id, channel, dueAt);
  if (restingSince === undefined || !isLate(draft, row, restingSince)) return false;
  draft.apply({ type: 'message', step: row.step });
  return skipNew(draft, stage, row, 'superseded', () => {
    passBy(draft, row);
    return true;
  });
}

/** As it is inserted, when nothing of it is known but that it is skipped. */
export function newRow(draft: Draft, stage: string, channel: string, dueAt: Date): Message {
  const { context, state, now } = draft;
  return {
    _id: messageId(state._id, state.sequence + 1),
    campaignId: context.campaignId,
    conversationId: state._id,
    partition: state.partition,
    stage,
    step: state.step,
    variant: state.variant === undefined ? absent : latestOf(state.variant),
    channel,
    to: absent,
    content: absent,
    status: 'skipped',
    reason: absent,
    attempts: 0,
    pending: absent,
    fallback: isByFallback(draft, stage) ? true : absent,
    dueAt,
    queuedAt: new Date(now),
    worker: context.worker,
    trace: state.trace ?? absent,
  };
}

/** Of the split that was passed last. */
const latestOf = (variant: Record<string, unknown>): string => String(Object.values(variant).at(-1));

/** It is not sent, and the flow goes on, as long as any message of it can reach the contact. */
function passOver(
  draft: Draft,
  stage: SendingStage,
  row: Message & { reason: SkipReason },
  refusals: Refusals,
): boolean {
  const { reason } = row;
  const ends = (): boolean =>
    fallsBack(draft, row, reason, refusals.get(row.channel) === 'bounced') ||
    (reason !== 'address_missing' && endIfUnreachable(draft, reason, refusals));
  return skipNew(draft, stage, row, reason, ends);
}

/** A new row that does not leave. `ends`: asked when it is written, whether the conversation does not go on as silence does. */
export function skipNew(
  draft: Draft,
  stage: SendingStage,
  row: Message,
  reason: SkipReason,
  ends: () => boolean,
): true {
  const { context, now } = draft;
  draft.insert({ ...row, reason });
  draft.count('messages.skipped');
  draft.count(`reasons.${reason}`);
  if (ends()) return true;
  // as silence does, with the pauses of the stage: a flow may loop because it has them
  const place = afterMessage(context.flow, stage, row.step, now, draft.scope);
  if (stage.type === 'escalate') settle(draft, stage);
  else if (place.dueAt === undefined) goOn(draft, stage, now);
  else draft.moveTo(place);
  return true;
}

function scopeOf(context: FlowContext, { state, variables }: Draft): Scope {
  return {
    contact: state.contact,
    variables,
    campaign: context.campaign,
    conversation: conversationScope(state),
    ...(state.event === undefined ? {} : { event: state.event }),
  };
}

// ---------------------------------------------------------------- escalation

/** The document for whoever takes over, as soon as the stage is reached: it waits for no room on the channel of a notification. */
export function handOver(draft: Draft, { to, reason, after }: CompiledEscalate): void {
  if (draft.state.escalation !== undefined) return;
  const until = after && addDuration(draft.now, after);
  escalate(draft, { to, ...(reason === undefined ? {} : { reason }), ...(until === undefined ? {} : { until }) });
}

/** The answer that a place was kept for has come, or will never come. What waits for an event goes on waiting. */
export function unanswered(draft: Draft, stage: CompiledStage, at: number): void {
  if (draft.state.nextActionAt !== undefined) return;
  if (stage.type === 'escalate') settle(draft, stage);
  else if (stage.type === 'message' || stage.type === 'webhook') goOn(draft, stage, at);
}

/** Nothing is to be sent any more: it waits for whoever took over, or counts as ended. */
export function settle(draft: Draft, stage: CompiledEscalate): void {
  const place = placeAt(stage, 1, draft.now, draft.scope);
  if (place.dueAt === undefined) draft.end({ status: 'escalated', outcome: 'escalated' }, 'stopped');
  else draft.moveTo(place);
}
