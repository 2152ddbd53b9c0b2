/** How a conversation's document changes with each fact. `decide` (conversation.ts) says which facts there are. */
import type { Conversation, ConversationChange, EndedStatus, HistoryEntry, InboxEvent } from './model.ts';
import { absent } from './shape.ts';
import type { Place } from './stages.ts';

export type Fact =
  | { type: 'consumed'; key: string | undefined; event: InboxEvent }
  /** An event that was consumed before, or cannot be read. */
  | { type: 'repeated' }
  | { type: 'unreadable' }
  | { type: 'replied'; at: number }
  /** `planned`: where a message that was just decided leads by itself; its own entry in the history says so. */
  | { type: 'moved'; place: Place; planned?: boolean }
  | { type: 'message'; step: number }
  /** The row waits for another try. */
  | { type: 'postponed'; messageId: string; at: number; channel: string; cause: 'retry' | 'held' }
  | { type: 'resumed' }
  | { type: 'ended'; status: EndedStatus; outcome: string; reason?: string; error?: { code: string; message: string } };

const consumedLimit = 200;

/** Applies one fact. The result shares what did not change with the conversation given. */
export function evolve(state: Conversation, fact: Fact): Conversation {
  switch (fact.type) {
    case 'consumed': {
      const [, ...inbox] = state.inbox;
      return fact.key === undefined
        ? { ...state, inbox }
        : { ...state, inbox, consumed: [...state.consumed, fact.key].slice(-consumedLimit) };
    }
    case 'repeated':
    case 'unreadable':
      return { ...state, inbox: state.inbox.slice(1) };
    case 'replied':
      return state.repliedAt ? state : { ...state, repliedAt: new Date(fact.at) };
    case 'moved': {
      const { stage, step, dueAt, channel } = fact.place;
      // only the entry is served by the opening lane
      const opening = state.opening === true && stage === state.stage ? true : absent;
      return { ...state, opening, stage, step, ...due(dueAt, channel) };
    }
    case 'message':
      return { ...state, opening: absent, sequence: state.sequence + 1 };
    case 'postponed': {
      const delayed = fact.cause === 'retry' ? 'retry' : absent;
      return { ...state, awaiting: fact.messageId, delayed, ...due(fact.at, fact.channel) };
    }
    case 'resumed':
      return { ...state, awaiting: absent, delayed: absent };
    case 'ended': {
      const { status, outcome, reason = state.reason ?? absent, error = state.error ?? absent } = fact;
      const over = { awaiting: absent, delayed: absent, opening: absent, ...due(undefined, undefined) };
      return { ...state, ...over, status, outcome, reason, error };
    }
  }
}

const due = (
  at: number | undefined,
  channel: string | undefined,
): Pick<Conversation, 'nextActionAt' | 'nextChannel'> =>
  at === undefined || channel === undefined
    ? { nextActionAt: absent, nextChannel: absent }
    : { nextActionAt: new Date(at), nextChannel: channel };

/** What the operator reads later; undefined for facts that say nothing by themselves. */
export function historyOf(before: Conversation, after: Conversation, fact: Fact, now: Date): HistoryEntry | undefined {
  switch (fact.type) {
    case 'consumed': {
      const { id, auto, machine } = fact.event;
      const detail = {
        ...(typeof id === 'string' ? { id } : {}),
        ...(auto === true ? { auto } : {}),
        ...(machine === true ? { machine } : {}),
      };
      return {
        at: now,
        stage: before.stage,
        event: fact.event.type,
        ...(Object.keys(detail).length > 0 ? { detail } : {}),
      };
    }
    case 'unreadable':
      return { at: now, stage: before.stage, event: 'unreadable_event' };
    case 'moved':
      if (after.stage === before.stage || fact.planned === true) return undefined;
      return { at: now, stage: after.stage, event: 'entered' };
    case 'message':
      return {
        at: now,
        stage: before.stage,
        event: 'message',
        detail: { sequence: after.sequence, step: fact.step },
      };
    case 'postponed':
      return {
        at: now,
        stage: before.stage,
        event: fact.cause,
        detail: { messageId: fact.messageId, until: new Date(fact.at) },
      };
    case 'ended':
      return {
        at: now,
        stage: before.stage,
        event: 'ended',
        detail: { status: fact.status, outcome: fact.outcome, ...(fact.reason ? { reason: fact.reason } : {}) },
      };
    case 'repeated':
    case 'replied':
    case 'resumed':
      return undefined;
  }
}

const fields = [
  'status',
  'stage',
  'step',
  'nextActionAt',
  'nextChannel',
  'opening',
  'delayed',
  'sequence',
  'awaiting',
  'outcome',
  'repliedAt',
  'reason',
  'error',
  'inbox',
  'consumed',
] as const satisfies readonly (keyof Conversation)[];

/** The guarded change that turns the document as read into the conversation as decided; undefined when nothing differs. */
export function changeOf(
  before: Conversation,
  after: Conversation,
  history: HistoryEntry[],
): ConversationChange | undefined {
  const set: Record<string, unknown> = {};
  const unset: (keyof Conversation)[] = [];
  let changed = history.length > 0;
  for (const field of fields) {
    const was = before[field];
    const is = after[field];
    if (was === is || (was instanceof Date && is instanceof Date && was.getTime() === is.getTime())) continue;
    changed = true;
    if (is === undefined) unset.push(field);
    else set[field] = is;
  }
  if (!changed) return undefined;
  return { id: before._id, version: before.version, inboxSize: before.inbox.length, set, unset, history };
}
