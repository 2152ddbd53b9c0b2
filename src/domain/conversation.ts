/** The one pure function that decides what a conversation does: `decide(context, input, now)`. No clock, no driver. */
import type { Scope } from './content.ts';
import { type Decision, Draft, type FlowContext, fail, goOn } from './draft.ts';
import { evolve } from './evolve.ts';
import type { CompiledFlow, CompiledMessage, CompiledStage } from './flow.ts';
import { conversationId, isObjectId, messageId, partitionOf } from './ids.ts';
import { renderMessage } from './mail.ts';
import type { Contact, Conversation, CounterDelta, InboxEvent, Message, Run } from './model.ts';
import { type RowResult, recordResult } from './outbox.ts';
import { absent, inShape } from './shape.ts';
import { addressIn, afterMessage, arriveAt, messageOf, type Place, placeAt, silenceStep, targetOf } from './stages.ts';

export interface DecideInput {
  /** As it was read, with its inbox. */
  conversation: Conversation;
  /** Answers to rows of this conversation, oldest first. */
  results: readonly RowResult[];
  /** It was taken from its lane: one message may leave. */
  slot: boolean;
  /** Whether one more message may leave on a channel; if not, it stays due there. */
  hasRoom: (channel: string) => boolean;
  /** A row of it is with a channel and not among `results`: no further message is decided. */
  inFlight: boolean;
  /** The row that `awaiting` names in the conversation as it was read. */
  awaited?: Message | undefined;
}

/** A conversation's first document: it stands at the entry of the flow. */
export function newConversation(input: {
  run: Pick<Run, '_id' | 'tenant'>;
  flow: CompiledFlow;
  contact: Contact;
  now: number;
  partitions: number;
  traceparent: string;
}): { conversation: Conversation; counters: CounterDelta } {
  const { run, flow, contact, partitions } = input;
  const now = new Date(input.now);
  const place: Place = arriveAt(flow, flow.entry, input.now) ?? { stage: flow.entry, step: 0 };
  const conversation = inShape({
    _id: conversationId(run._id, contact.id),
    campaignId: run._id,
    ...(run.tenant === undefined ? {} : { tenant: run.tenant }),
    contact,
    partition: partitionOf(run._id, contact.id, partitions),
    version: 1,
    status: 'active',
    stage: place.stage,
    step: place.step,
    opening: true,
    sequence: 0,
    inbox: [],
    consumed: [],
    history: [{ at: now, stage: place.stage, event: 'entered' }],
    trace: { traceparent: input.traceparent },
    createdAt: now,
    updatedAt: now,
  });
  return {
    conversation: evolve(conversation, { type: 'moved', place }),
    counters: { total: 1, active: 1, [`stages.${place.stage}.entered`]: 1 },
  };
}

/**
 * In this order: answers of channels, events in the order of the inbox, the end of the campaign, what is due.
 * @throws TypeError when `inbox` is no array: nobody can decide about such a document.
 */
export function decide(context: FlowContext, input: DecideInput, now: number, random: () => number): Decision {
  if (!Array.isArray(input.conversation.inbox))
    throw new TypeError('`inbox` of a conversation is an array, whatever else was written to it');
  const answered = input.results.map(({ row }) => row._id);
  const draft = new Draft(context, input.conversation, answered, now, random);
  for (const result of input.results) recordResult(draft, result);
  for (const event of input.conversation.inbox) takeEvent(draft, event);
  if (context.stopped !== undefined && draft.state.status === 'active')
    draft.end({ status: 'cancelled', outcome: 'cancelled', reason: context.stopped }, context.stopped);
  act(draft, input);
  return draft.decision();
}

// ---------------------------------------------------------------- events

function eventKey(event: InboxEvent): string | undefined {
  const id: unknown = event.id;
  if (typeof id === 'string') return id;
  if (typeof id === 'number') return `#${id}`;
  return isObjectId(id) ? id.toHexString() : undefined;
}

function takeEvent(draft: Draft, raw: unknown): void {
  if (typeof raw !== 'object' || raw === null || typeof (raw as InboxEvent).type !== 'string') {
    draft.deadLetter('event_invalid', 'an event of `inbox` is an object with a string `type`', raw);
    draft.apply({ type: 'unreadable' });
    return;
  }
  const event = raw as InboxEvent;
  const key = eventKey(event);
  const repeated = key !== undefined && draft.state.consumed.includes(key);
  if (repeated) {
    draft.apply({ type: 'repeated' });
    return;
  }
  draft.apply({ type: 'consumed', key, event });
  if (draft.state.status === 'active' && event.machine !== true) follow(draft, event);
}

/** Events that suppress where the author has no other way for them. */
const suppressing: ReadonlyMap<string, string> = new Map([
  ['bounce', 'bounced'],
  ['complaint', 'complained'],
  ['unsubscribe', 'unsubscribed'],
]);

function follow(draft: Draft, event: InboxEvent): void {
  const { flow } = draft.context;
  const stageId = draft.state.stage;
  if (event.type === 'reply') {
    if (event.auto === true) return;
    if (draft.state.repliedAt === undefined) draft.count('replied');
    draft.count(`stages.${stageId}.replied`);
    draft.apply({ type: 'replied', at: draft.now });
  }
  const target = targetOf(flow.stages.get(stageId), event.type);
  const optOut = event.type === 'unsubscribe' || event.type === 'complaint';
  const place = target === undefined || optOut ? undefined : arriveAt(flow, target, draft.now);
  if (place) {
    draft.skipAwaited('replied');
    draft.moveTo(place);
  } else if (event.type === 'reply') {
    draft.end({ status: 'completed', outcome: 'replied' }, 'replied');
  } else {
    const outcome = suppressing.get(event.type);
    if (outcome !== undefined) draft.end({ status: 'suppressed', outcome, reason: 'suppressed' }, 'suppressed');
  }
}

// ---------------------------------------------------------------- what is due

/** More than this many places in one decision waits for the next round. */
const placesPerDecision = 50;

function act(draft: Draft, input: DecideInput): void {
  const { flow } = draft.context;
  const mayLeave = input.slot && !input.inFlight;
  for (let places = 0; places < placesPerDecision && draft.send === undefined; places++) {
    const { state } = draft;
    const { nextActionAt, nextChannel } = state;
    if (state.status !== 'active' || nextActionAt === undefined || nextChannel === undefined) return;
    if (nextActionAt.getTime() > draft.now) return;
    const stage = flow.stages.get(state.stage);
    if (stage === undefined) {
      const message = `the flow has no stage ${state.stage}`;
      draft.end({ status: 'failed', outcome: 'failed', error: { code: 'stage_missing', message } }, 'stopped');
    } else if (state.awaiting !== undefined) {
      // what was put back just now leaves by a decision that was given the row
      if (state.awaiting !== input.conversation.awaiting) return;
      if (!mayLeave || !input.hasRoom(nextChannel)) return;
      resend(draft, stage, input.awaited);
    } else if (stage.type === 'message' && state.step < silenceStep(stage)) {
      if (!mayLeave || !produce(draft, stage, state.step, nextActionAt, input.hasRoom)) return;
    } else if (stage.type === 'end') {
      draft.end({ status: 'completed', outcome: stage.outcome }, 'stopped');
    } else {
      if (input.inFlight) return;
      goOn(draft, stage, draft.now);
    }
  }
}

/** Another try of a row that waited, with the same bytes. */
function resend(draft: Draft, stage: CompiledStage, row: Message | undefined): void {
  const { worker } = draft.context;
  draft.apply({ type: 'resumed' });
  draft.apply({ type: 'moved', place: placeAt(stage, draft.state.step, draft.now) });
  if (row?.status !== 'queued') {
    // somebody else deleted or changed it: no answer is waited for, and what is pending no longer will not be counted down later
    if (row?.pending !== true) draft.count('pending', -1);
    if (draft.state.nextActionAt === undefined && stage.type !== 'end') goOn(draft, stage, draft.now);
    return;
  }
  const change = { status: 'sending', attempts: row.attempts + 1, worker } as const;
  draft.changeRow(row, change, [], 'queued');
  draft.send = { ...row, ...change };
}

/** Writes the next message of a stage. False when there is no room on its channel, or this member has no such channel: it stays due. */
function produce(
  draft: Draft,
  stage: CompiledMessage,
  step: number,
  dueAt: Date,
  hasRoom: DecideInput['hasRoom'],
): boolean {
  const { context, state, now } = draft;
  const message = messageOf(stage, step);
  const channel = message && context.channels.get(message.channel);
  if (message === undefined || channel === undefined || !hasRoom(channel.name)) return false;
  const row: Message = {
    _id: messageId(state._id, state.sequence + 1),
    campaignId: context.campaignId,
    conversationId: state._id,
    partition: state.partition,
    stage: stage.id,
    step,
    channel: channel.name,
    to: absent,
    content: absent,
    status: 'skipped',
    reason: absent,
    attempts: 0,
    pending: absent,
    dueAt,
    queuedAt: new Date(now),
    worker: context.worker,
    trace: state.trace ?? absent,
  };
  draft.apply({ type: 'message', step });
  const to = addressIn(state.contact, channel.address);
  if (to === undefined) {
    draft.insert({ ...row, reason: 'address_missing' });
    draft.count('messages.skipped');
    draft.count('reasons.address_missing');
    // as silence does, with the pauses of the stage: a flow may loop because it has them
    const place = afterMessage(context.flow, stage, step, now);
    if (place.dueAt === undefined) goOn(draft, stage, now);
    else draft.moveTo(place);
    return true;
  }
  const rendered = renderMessage(message.content, channel, context, {
    ...{ scope: scopeOf(context, state), conversationId: state._id },
  });
  if (rendered.kind === 'failed') {
    const error = { code: rendered.reason, message: rendered.message };
    draft.insert({ ...row, to, status: 'failed', reason: rendered.reason, error });
    draft.count('messages.failed');
    draft.count(`reasons.${rendered.reason}`);
    fail(draft, stage.id, rendered.reason, error);
    return true;
  }
  const sending: Message = { ...row, to, content: rendered.content, status: 'sending', attempts: 1, pending: true };
  draft.insert(sending);
  draft.count('pending');
  draft.moveTo(afterMessage(context.flow, stage, step, now), true);
  draft.send = sending;
  return true;
}

function scopeOf(context: FlowContext, state: Conversation): Scope {
  return {
    contact: state.contact,
    variables: context.variables,
    campaign: context.campaign,
    conversation: { id: state._id, stage: state.stage, step: state.step, sequence: state.sequence },
  };
}
