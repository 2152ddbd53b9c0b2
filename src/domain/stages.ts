/** Where a conversation stands in its flow and when something is due there. Pure arithmetic over a compiled flow. */
import type { CompiledFlow, CompiledMessage, CompiledStage, CompiledWait } from './flow.ts';
import type { Contact } from './model.ts';
import { addDuration } from './timing.ts';

/** A place in the flow: `step` is what comes next there (see `conversation_states.step`). */
export interface Place {
  stage: string;
  step: number;
  /** ms since the epoch; absent: the place is left when the message in flight was answered. */
  dueAt?: number;
  /** Channel the next action needs, "-" for none. Set exactly when `dueAt` is. */
  channel?: string;
}

/** Stages that silence can leave: an end is not left. */
export type LeftStage = CompiledMessage | CompiledWait;

/** Leaving the last stage: there is no place to go. */
export type Destination = Place | { finished: true };

const noChannel = '-';

/** The step that ends a message stage's silence. */
export const silenceStep = (stage: CompiledMessage): number => stage.followUps.length + 1;

/** What comes next at a place when the clock starts at `at`. */
export function placeAt(stage: CompiledStage, step: number, at: number): Place {
  const place = { stage: stage.id, step };
  if (stage.type === 'wait') return { ...place, dueAt: addDuration(at, stage.for), channel: noChannel };
  if (stage.type === 'end') return { ...place, dueAt: at, channel: noChannel };
  if (step === 0) return { ...place, dueAt: stage.delay ? addDuration(at, stage.delay) : at, channel: stage.channel };
  const followUp = stage.followUps[step - 1];
  if (followUp) return { ...place, dueAt: addDuration(at, followUp.after), channel: followUp.channel };
  return stage.waitForReply ? { ...place, dueAt: addDuration(at, stage.waitForReply), channel: noChannel } : place;
}

/** Entering a stage; undefined when the flow has none of that name. */
export function arriveAt(flow: CompiledFlow, stageId: string, at: number): Place | undefined {
  const stage = flow.stages.get(stageId);
  return stage && placeAt(stage, 0, at);
}

/** Where silence leads from a stage. */
export function leave(flow: CompiledFlow, stage: LeftStage, at: number): Destination {
  const target = silenceTarget(stage);
  return (target === undefined ? undefined : arriveAt(flow, target, at)) ?? { finished: true };
}

/**
 * Where a conversation stands once the `step`-th message of a stage is on its way. It moves on at once, except where the
 * flow ends: there the answer to the message is waited for, so that a failure can still count.
 */
export function afterMessage(flow: CompiledFlow, stage: CompiledMessage, step: number, at: number): Place {
  const next = placeAt(stage, step + 1, at);
  if (next.dueAt !== undefined) return next;
  const target = silenceTarget(stage);
  const follower = target === undefined ? undefined : flow.stages.get(target);
  return follower === undefined || follower.type === 'end' ? next : placeAt(follower, 0, at);
}

function silenceTarget(stage: LeftStage): string | undefined {
  return stage.type === 'message' ? (targetOf(stage, 'noReply') ?? stage.next) : stage.next;
}

/** Where an event leads from a stage, if its author said so. */
export function targetOf(stage: CompiledStage | undefined, event: string): string | undefined {
  return stage?.type === 'message' && Object.hasOwn(stage.on, event) ? stage.on[event] : undefined;
}

/** Content and channel of the `step`-th message of a stage. */
export function messageOf(
  stage: CompiledMessage,
  step: number,
): Pick<CompiledMessage, 'content' | 'channel'> | undefined {
  return step === 0 ? stage : stage.followUps[step - 1];
}

/** The contact's address on a channel, from the field the channel uses. */
export function addressIn(contact: Contact, field: string): string | undefined {
  const value = Object.hasOwn(contact, field) ? (contact as unknown as Record<string, unknown>)[field] : undefined;
  return typeof value === 'string' && value !== '' ? value : undefined;
}
