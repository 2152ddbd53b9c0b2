/** Where a conversation stands in its flow and when something is due there. Pure arithmetic over a compiled flow. */
import type { CompiledFlow, CompiledMessage, CompiledStage, CompiledWait } from './flow.ts';
import type { Contact } from './model.ts';
import { addBusinessDays, movedInto } from './sendWindow.ts';
import { addDuration } from './timing.ts';
import { type UntilScope, untilAt } from './until.ts';

/** A place in the flow: `step` is what comes next there (see `conversation_states.step`). */
export interface Place {
  stage: string;
  step: number;
  /** ms since the epoch; absent: the place is left by an event, or when the message in flight was answered. */
  dueAt?: number;
  /** Channel the next action needs, "-" for none. Set exactly when `dueAt` is. */
  channel?: string;
  /** Why `dueAt` is later than the flow says. */
  delayed?: 'window' | 'holiday' | 'zone' | 'cap' | 'warm_up';
}

/** Whose place it is: due times may depend on that. */
export interface PlaceScope extends UntilScope {
  contact: Contact;
  variables: Readonly<Record<string, unknown>>;
  /** The stage it stands in, if what goes by that stage's channel goes by its fallback. */
  fellBack?: string | undefined;
}

/** Stages that silence can leave: an end is not left. */
export type LeftStage = Exclude<CompiledStage, { type: 'end' }>;

/** Leaving the last stage: there is no place to go. */
export type Destination = Place | { finished: true };

const noChannel = '-';

/** The step that ends a message stage's silence. */
export const silenceStep = (stage: CompiledMessage): number => stage.followUps.length + 1;

/** What comes next at a place when the clock starts at `at`. */
export function placeAt(stage: CompiledStage, step: number, at: number, scope: PlaceScope): Place {
  const place = { stage: stage.id, step };
  switch (stage.type) {
    case 'message':
      return inMessage(stage, step, at, scope);
    case 'wait':
      return inWait(stage, step, at, scope);
    case 'webhook':
      // then it stands until that was answered
      return step === 0 ? { ...place, dueAt: at, channel: stage.channel } : place;
    case 'escalate':
      if (step === 0) return { ...place, dueAt: at, channel: stage.notify?.channel ?? noChannel };
      return stage.after ? { ...place, dueAt: addDuration(at, stage.after), channel: noChannel } : place;
    case 'branch':
    case 'split':
    case 'end':
      return { ...place, dueAt: at, channel: noChannel };
  }
}

function inMessage(stage: CompiledMessage, step: number, at: number, scope: PlaceScope): Place {
  const place = { stage: stage.id, step };
  const said = messageOf(stage, step, scope.fellBack === stage.id);
  if (said) {
    const pause = step === 0 ? stage.delay : stage.followUps[step - 1]?.after;
    return leavesAt(stage, step, pause ? addDuration(at, pause) : at, said.channel, scope);
  }
  return stage.waitForReply ? { ...place, dueAt: addDuration(at, stage.waitForReply), channel: noChannel } : place;
}

/** In its window, if it has one: only what leaves for the contact is moved. */
function leavesAt(
  { id, window }: CompiledMessage,
  step: number,
  at: number,
  channel: string,
  scope: PlaceScope,
): Place {
  if (window === undefined) return { stage: id, step, dueAt: at, channel };
  const { at: dueAt, why } = movedInto(window, scope.contact, at);
  return { stage: id, step, dueAt, channel, ...(why === undefined ? {} : { delayed: why }) };
}

function inWait({ id, waitFor }: CompiledWait, step: number, at: number, scope: PlaceScope): Place {
  const place = { stage: id, step };
  switch (waitFor.kind) {
    case 'time':
      return { ...place, dueAt: addDuration(at, waitFor.duration), channel: noChannel };
    case 'businessDays': {
      const found = addBusinessDays(waitFor.window, scope.contact, at, waitFor.days);
      // without working days it is left at once, and fails
      return { ...place, dueAt: found.state === 'at' ? found.at : at, channel: noChannel };
    }
    case 'until':
      // without a date it is left at once, wherever that leads
      return { ...place, dueAt: Math.max(at, untilAt(waitFor.until, scope) ?? at), channel: noChannel };
    case 'event':
      return waitFor.timeout ? { ...place, dueAt: addDuration(at, waitFor.timeout), channel: noChannel } : place;
  }
}

/** Entering a stage; undefined when the flow has none of that name. */
export function arriveAt(flow: CompiledFlow, stageId: string, at: number, scope: PlaceScope): Place | undefined {
  const stage = flow.stages.get(stageId);
  return stage && placeAt(stage, 0, at, entering(scope));
}

/** Whoever enters a stage, be it the same again, begins with its own channel. */
const entering = (scope: PlaceScope): PlaceScope =>
  scope.fellBack === undefined ? scope : { ...scope, fellBack: undefined };

/** Where silence leads from a stage, or `target` where the author said so. */
export function leave(
  flow: CompiledFlow,
  stage: LeftStage,
  at: number,
  scope: PlaceScope,
  target: string | undefined = silenceTarget(stage),
): Destination {
  return (target === undefined ? undefined : arriveAt(flow, target, at, scope)) ?? { finished: true };
}

/**
 * Where a conversation stands once the `step`-th message of a stage is on its way. It moves on at once to where it waits, and
 * otherwise stays for the answer, so that a failure can still count.
 */
export function afterMessage(
  flow: CompiledFlow,
  stage: CompiledStage,
  step: number,
  at: number,
  scope: PlaceScope,
): Place {
  const next = placeAt(stage, step + 1, at, scope);
  if (next.dueAt !== undefined || stage.type !== 'message') return next;
  const target = silenceTarget(stage);
  const follower = target === undefined ? undefined : flow.stages.get(target);
  return follower?.type === 'message' || follower?.type === 'wait' ? placeAt(follower, 0, at, entering(scope)) : next;
}

function silenceTarget(stage: LeftStage): string | undefined {
  return stage.type === 'message' ? (targetOf(stage, 'noReply') ?? stage.next) : stage.next;
}

/** Where an event leads from a stage, if its author said so. */
export function targetOf(stage: CompiledStage | undefined, event: string): string | undefined {
  return stage !== undefined && 'on' in stage && Object.hasOwn(stage.on, event) ? stage.on[event] : undefined;
}

type Said = Pick<CompiledMessage, 'content' | 'channel'>;

/**
 * Content and channel of the `step`-th message of a stage. `fellBack`: what goes by the channel of the stage goes by its fallback;
 * a follow-up says there what is its own.
 */
export function messageOf(stage: CompiledMessage, step: number, fellBack = false): Said | undefined {
  const said = step === 0 ? stage : stage.followUps[step - 1];
  const { fallback } = stage;
  if (!fellBack || fallback === undefined || said === undefined || said.channel !== stage.channel) return said;
  return { channel: fallback.channel, content: said.content === stage.content ? fallback.content : said.content };
}

/** The contact's address on a channel, from the field the channel uses. */
export function addressIn(contact: Contact, field: string): string | undefined {
  const value = Object.hasOwn(contact, field) ? (contact as unknown as Record<string, unknown>)[field] : undefined;
  return typeof value === 'string' && value !== '' ? value : undefined;
}
