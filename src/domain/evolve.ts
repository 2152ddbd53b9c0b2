/** How a conversation's document changes with each fact. `decide` (conversation.ts) says which facts there are. */
import type {
  Contact,
  Conversation,
  ConversationChange,
  EndedStatus,
  HistoryEntry,
  InboxEvent,
  SkipReason,
} from './model.ts';
import { absent } from './shape.ts';
import type { Place } from './stages.ts';
import { headOf } from './textBytes.ts';

export type Fact =
  /** `isQuiet`: its row says all that there is to say of it. */
  | { type: 'consumed'; key: string | undefined; event: InboxEvent; isQuiet?: boolean }
  /** Others are told of what it knows: should that come back, it was consumed. */
  | { type: 'told'; key: string }
  /** An event that was consumed before, or cannot be read. */
  | { type: 'repeated' }
  | { type: 'unreadable' }
  | { type: 'replied'; at: number }
  /** `planned`: where a message that was just decided leads by itself; its own entry in the history says so. */
  | { type: 'moved'; place: Place; planned?: boolean; passing?: boolean; entering?: boolean }
  | { type: 'message'; step: number }
  /** The row waits for another try. */
  | {
      type: 'postponed';
      messageId: string;
      at: number;
      channel: string;
      cause: 'retry' | 'held' | 'window' | 'holiday' | 'zone' | 'cap' | 'warm_up' | 'rate';
      /** It is only looked at again: its history says so already. */
      again?: true;
    }
  /** The fallback of its stage takes the place of a message. */
  | { type: 'fell_back'; place: Place; messageId: string; reason: SkipReason }
  | { type: 'resumed' }
  /** A row that gave up waits for another try, although its conversation may have ended. */
  | { type: 'replayed'; messageId: string; at: number; channel: string }
  /** An event led somewhere: conditions and templates can read it. */
  | { type: 'heard'; event: InboxEvent }
  | { type: 'drawn'; stage: string; variant: string }
  /** Where the contact is; who waited for a time zone is due. */
  | { type: 'located'; contact: Pick<Contact, 'timezone' | 'country'>; at: number }
  /** A webhook was answered. */
  | { type: 'learnt'; name: string; value: unknown }
  | { type: 'escalated'; id: string; to: string }
  /** Nobody is asked for any more. */
  | { type: 'de_escalated' }
  | { type: 'reopened' }
  /** The last migration of its run asked for it, and it follows what it did; `stays`: although it was to follow another version. */
  | { type: 'asked'; number: number; stays?: true }
  /** It follows another version from the same place. Without `dueAt` nothing of that changes. */
  | {
      type: 'migrated';
      number: number;
      version: Conversation['flowVersion'];
      dueAt?: number;
      channel?: string;
      addresses?: string[];
    }
  | { type: 'ended'; status: EndedStatus; outcome: string; reason?: string; error?: { code: string; message: string } };

const consumedLimit = 200;

const withKey = (consumed: readonly string[], key: string): string[] => [...consumed, key].slice(-consumedLimit);

/** Applies one fact. The result shares what did not change with the conversation given. */
export function evolve(state: Conversation, fact: Fact): Conversation {
  switch (fact.type) {
    case 'consumed': {
      const [, ...inbox] = state.inbox;
      return fact.key === undefined
        ? { ...state, inbox }
        : { ...state, inbox, consumed: withKey(state.consumed, fact.key) };
    }
    case 'told':
      return { ...state, consumed: withKey(state.consumed, fact.key) };
    case 'repeated':
    case 'unreadable':
      return { ...state, inbox: state.inbox.slice(1) };
    case 'replied':
      return state.repliedAt ? state : { ...state, repliedAt: new Date(fact.at) };
    case 'moved': {
      const { stage, step, dueAt, channel, delayed = absent } = fact.place;
      // only the entry is served by the opening lane, and where a choice leads at once
      const opens = stage === state.stage || fact.passing === true;
      const opening = state.opening === true && opens ? true : absent;
      const stays = stage === state.stage && fact.entering !== true;
      const fallback = stays ? (state.fallback ?? absent) : absent;
      return { ...state, opening, fallback, delayed, stage, step, ...due(dueAt, channel) };
    }
    case 'message':
      return { ...state, opening: absent, sequence: state.sequence + 1 };
    case 'postponed': {
      const delayed = fact.cause === 'held' ? absent : fact.cause;
      return { ...state, awaiting: fact.messageId, delayed, ...due(fact.at, fact.channel) };
    }
    case 'fell_back': {
      const { stage, step, dueAt, channel, delayed = absent } = fact.place;
      return { ...state, awaiting: absent, fallback: true, delayed, stage, step, ...due(dueAt, channel) };
    }
    case 'resumed': {
      const rested = { ...state, awaiting: absent, delayed: absent };
      // in one that has ended nothing else is due
      return state.status === 'active' ? rested : { ...rested, ...due(undefined, undefined) };
    }
    case 'replayed':
      return { ...state, awaiting: fact.messageId, delayed: absent, ...due(fact.at, fact.channel) };
    case 'heard':
      return { ...state, event: keptEvent(fact.event), ledAfter: state.sequence };
    case 'drawn':
      return { ...state, variant: { ...state.variant, [fact.stage]: fact.variant } };
    case 'located': {
      const contact = { ...state.contact, ...fact.contact };
      if (state.delayed !== 'zone') return { ...state, contact };
      return { ...state, contact, delayed: absent, nextActionAt: new Date(fact.at) };
    }
    case 'learnt':
      return { ...state, variables: { ...state.variables, [fact.name]: fact.value } };
    case 'escalated':
      return { ...state, escalation: fact.id };
    case 'de_escalated':
      return { ...state, escalation: absent };
    case 'reopened':
      return { ...state, status: 'active', outcome: absent, reason: absent, error: absent };
    case 'asked':
      return { ...state, migration: fact.number };
    case 'migrated': {
      const { number, version = absent, dueAt, channel, addresses = state.addresses ?? absent } = fact;
      const moved = { ...state, flowVersion: version, migration: number, addresses };
      return dueAt === undefined ? moved : { ...moved, ...due(dueAt, channel) };
    }
    case 'ended': {
      const { status, outcome, reason = state.reason ?? absent, error = state.error ?? absent } = fact;
      const over = { awaiting: absent, delayed: absent, opening: absent, ...due(undefined, undefined) };
      return { ...state, ...over, status, outcome, reason, error };
    }
  }
}

/** Of a text so many characters are kept, of `data` so many as JSON. */
const keptText = 1_000;
const keptData = 4_000;

function keptEvent({ id, type, channel, text, at, data }: InboxEvent): NonNullable<Conversation['event']> {
  const isSmall = data !== undefined && JSON.stringify(data).length <= keptData;
  return {
    type,
    ...(typeof id === 'string' ? { id } : {}),
    ...(typeof channel === 'string' ? { channel } : {}),
    ...(typeof text === 'string' ? { text: text.slice(0, keptText) } : {}),
    ...(at instanceof Date ? { at } : {}),
    ...(isSmall ? { data } : {}),
  };
}

const due = (
  at: number | undefined,
  channel: string | undefined,
): Pick<Conversation, 'nextActionAt' | 'nextChannel'> =>
  at === undefined || channel === undefined
    ? { nextActionAt: absent, nextChannel: absent }
    : { nextActionAt: new Date(at), nextChannel: channel };

/** As much of what somebody wrote as a person who takes over has to read, bytes. */
const keptInHistory = 8_192;

/** What the operator reads later; undefined for facts that say nothing by themselves. */
export function historyOf(before: Conversation, after: Conversation, fact: Fact, now: Date): HistoryEntry | undefined {
  switch (fact.type) {
    case 'consumed': {
      if (fact.isQuiet) return undefined;
      const { id, auto, machine, text } = fact.event;
      const detail = {
        ...(typeof id === 'string' ? { id } : {}),
        ...(typeof text === 'string' ? { text: headOf(text, keptInHistory) } : {}),
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
      if (fact.again) return undefined;
      return {
        at: now,
        stage: before.stage,
        event: fact.cause,
        detail: { messageId: fact.messageId, until: new Date(fact.at) },
      };
    case 'fell_back': {
      const { place, messageId, reason } = fact;
      return { at: now, stage: place.stage, event: 'fallback', detail: { messageId, channel: place.channel, reason } };
    }
    case 'ended':
      return {
        at: now,
        stage: before.stage,
        event: 'ended',
        detail: { status: fact.status, outcome: fact.outcome, ...(fact.reason ? { reason: fact.reason } : {}) },
      };
    case 'drawn':
      return { at: now, stage: before.stage, event: 'drawn', detail: { variant: fact.variant } };
    case 'learnt':
      return { at: now, stage: before.stage, event: 'answered', detail: { variable: fact.name } };
    case 'escalated':
      return { at: now, stage: before.stage, event: 'escalated', detail: { escalation: fact.id, to: fact.to } };
    case 'reopened':
      return { at: now, stage: before.stage, event: 'reopened' };
    case 'replayed':
      return { at: now, stage: before.stage, event: 'replayed', detail: { messageId: fact.messageId } };
    case 'migrated': {
      const { number, version } = fact;
      const detail = { migration: number, ...(version === undefined ? {} : { version }) };
      return { at: now, stage: before.stage, event: 'migrated', detail };
    }
    case 'asked':
      if (fact.stays !== true) return undefined;
      return { at: now, stage: before.stage, event: 'stayed', detail: { migration: fact.number } };
    case 'repeated':
    case 'told':
    case 'replied':
    case 'resumed':
    case 'heard':
    case 'located':
    case 'de_escalated':
      return undefined;
  }
}

const fields = [
  'status',
  'stage',
  'step',
  'flowVersion',
  'migration',
  'nextActionAt',
  'nextChannel',
  'opening',
  'fallback',
  'delayed',
  'sequence',
  'awaiting',
  'outcome',
  'repliedAt',
  'reason',
  'error',
  'variant',
  'variables',
  'event',
  'ledAfter',
  'contact',
  'addresses',
  'escalation',
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
