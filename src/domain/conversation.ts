/** The one pure function that decides what a conversation does: `decide(context, input, now)`. No clock, no driver. */
import type { Decision, FlowContext } from './decision.ts';
import { Draft } from './draft.ts';
import { takeEvent } from './events.ts';
import { evolve } from './evolve.ts';
import { gaveWay, isLookedAtLater } from './fallback.ts';
import type { CompiledFlow, CompiledStage } from './flow.ts';
import { enteringAt } from './flowVersions.ts';
import { conversationId, partitionOf } from './ids.ts';
import { isHeldBack, isHeldBackAgain } from './leaving.ts';
import { knowsLimits, type LimitFacts } from './limiting.ts';
import { askToMigrate } from './migration.ts';
import type { Contact, Conversation, CounterDelta, Message, Run } from './model.ts';
import { type RowResult, recordResult } from './outbox.ts';
import { passThrough } from './passing.ts';
import { handOver, needsChannel, produce, resend } from './producing.ts';
import { stoppedFor } from './replay.ts';
import { inShape } from './shape.ts';
import { arriveAt, type Place } from './stages.ts';
import type { Refusals } from './suppression.ts';

export interface DecideInput {
  /** As it was read, with its inbox. */
  conversation: Conversation;
  /** Answers to rows of this conversation, oldest first. */
  results: readonly RowResult[];
  /** It was taken from its lane: one message may leave. */
  slot: boolean;
  /** Whether one more message may leave on a channel; if not, it stays due there. */
  hasRoom: (channel: string) => boolean;
  /** Since when a channel is left alone, ms since the epoch; undefined: it is used. Absent: all are. */
  restingSince?: ((channel: string) => number | undefined) | undefined;
  /** A row of it is with a channel and not among `results`: no further message is decided. */
  inFlight: boolean;
  /** The contact as its source has it now, for `exitWhen`. */
  fresh?: Contact | undefined;
  /** The row that `awaiting` names in the conversation as it was read. */
  awaited?: Message | undefined;
  /** Rows that events of the inbox may name (`namedRows`), as they are stored. */
  rows?: readonly Message[] | undefined;
  /** Channels on which its contact must not be written to. */
  refusals?: Refusals | undefined;
  /** Why nothing of an ended conversation is tried again any more: its campaign was cut short, or is gone. */
  stopsReplays?: 'campaign_cancelled' | 'campaign_ended' | undefined;
  /** What the limits of its campaign ask for. Absent: nothing, or it is not known and no message leaves. */
  limits?: LimitFacts | undefined;
}

/** A conversation's first document: it stands at the entry of the flow. */
export function newConversation(input: {
  run: Pick<Run, '_id' | 'tenant' | 'variables'> & Partial<Pick<Run, 'migration' | 'template'>>;
  /** What whoever enters follows, with its `variables` in `run`. */
  flow: CompiledFlow;
  contact: Contact;
  now: number;
  partitions: number;
  traceparent: string;
  /** From 2 on: the contact was in the campaign before. */
  entry?: number;
  /** Of the contact, on the channels of the flow (`addressesOf`). */
  addresses?: readonly string[] | undefined;
}): { conversation: Conversation; counters: CounterDelta } {
  const { run, flow, contact, partitions } = input;
  const now = new Date(input.now);
  const place: Place = arriveAt(flow, flow.entry, input.now, { contact, variables: run.variables }) ?? {
    stage: flow.entry,
    step: 0,
  };
  const conversation = inShape({
    _id: conversationId(run._id, contact.id, input.entry),
    campaignId: run._id,
    ...(run.tenant === undefined ? {} : { tenant: run.tenant }),
    contact,
    partition: partitionOf(run._id, contact.id, partitions),
    version: 1,
    status: 'active',
    stage: place.stage,
    step: place.step,
    ...enteringAt(run),
    opening: true,
    sequence: 0,
    ...(input.addresses === undefined ? {} : { addresses: [...input.addresses] }),
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
 * In this order: answers of channels, another version of the flow, events in the order of the inbox, the end of the campaign, what is due.
 * @throws TypeError when `inbox` is no array: nobody can decide about such a document.
 */
export function decide(context: FlowContext, input: DecideInput, now: number, random: () => number): Decision {
  if (!Array.isArray(input.conversation.inbox))
    throw new TypeError('`inbox` of a conversation is an array, whatever else was written to it');
  const answered = input.results.map(({ row }) => row._id);
  const draft = new Draft(context, input.conversation, answered, now, random, input.awaited);
  draft.fresh = input.fresh;
  draft.limits = input.limits;
  draft.stopsReplays = input.stopsReplays;
  for (const result of input.results) recordResult(draft, result);
  const migrated = context.asking !== undefined && askToMigrate(draft, input);
  for (const event of input.conversation.inbox) takeEvent(draft, event, input.rows ?? [], input.inFlight);
  if (context.stopped !== undefined && draft.state.status === 'active')
    draft.end({ status: 'cancelled', outcome: 'cancelled', reason: context.stopped }, context.stopped);
  const stopped = stoppedFor(draft);
  if (stopped !== undefined && draft.state.status !== 'active') draft.skipAwaited(stopped);
  act(draft, migrated ? { ...input, slot: false } : input);
  return draft.decision();
}

// ---------------------------------------------------------------- what is due

/** More than this many places in one decision waits for the next round. */
const placesPerDecision = 50;

function act(draft: Draft, input: DecideInput): void {
  const { flow } = draft.context;
  for (let places = 0; places < placesPerDecision && draft.send === undefined; places++) {
    const { state } = draft;
    const { nextActionAt, nextChannel } = state;
    const isActive = state.status === 'active';
    if (!isActive && state.awaiting === undefined) return;
    if (nextActionAt === undefined || nextChannel === undefined) return;
    if (nextActionAt.getTime() > draft.now) return;
    const stage = flow.stages.get(state.stage);
    if (stage === undefined && !isActive) {
      draft.skipAwaited('stopped');
    } else if (stage === undefined) {
      const message = `the flow has no stage ${state.stage}`;
      draft.end({ status: 'failed', outcome: 'failed', error: { code: 'stage_missing', message } }, 'stopped');
    } else if (!actAt(draft, stage, { dueAt: nextActionAt, channel: nextChannel }, input)) return;
  }
}

/** What is due at a place; false when it stays due. */
function actAt(draft: Draft, stage: CompiledStage, due: { dueAt: Date; channel: string }, input: DecideInput): boolean {
  const { state } = draft;
  const { slot, inFlight, hasRoom } = input;
  const { dueAt, channel } = due;
  const mayLeave = slot && !inFlight && knowsLimits(draft);
  if (state.awaiting !== undefined) {
    // what was put back just now leaves by a decision that was given the row
    if (state.awaiting !== input.conversation.awaiting || !mayLeave) return false;
    const { awaited } = input;
    if (gaveWay(draft, awaited)) return true;
    if (!hasRoom(awaited?.channel ?? channel)) return isLookedAtLater(draft, awaited, channel);
    if (!isHeldBackAgain(draft, stage, awaited, dueAt)) resend(draft, stage, awaited, input.refusals);
    return true;
  }
  // the silence after a message begins with its answer; what chooses, hands over or ends need not wait for that
  const waits = stage.type === 'message' || stage.type === 'wait' || stage.type === 'webhook';
  if (stage.type === 'escalate' && state.step === 0) handOver(draft, stage);
  if (needsChannel(stage, state.step))
    return mayLeave && (isHeldBack(draft, stage, dueAt, channel) || produce(draft, stage, dueAt, input));
  if (inFlight && waits) return false;
  passThrough(draft, stage);
  return true;
}
