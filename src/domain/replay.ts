/** Another try of a message that gave up, because a person asked for it: what is asked is told to its conversation as an event. */
import { type Draft, lostBefore, senderLost } from './draft.ts';
import { sequenceOf } from './ids.ts';
import type { Conversation, InboxEvent, Message } from './model.ts';
import { isPlain, own } from './plain.ts';
import { newRow } from './producing.ts';
import { agedCounters } from './receipts.ts';
import { absent } from './shape.ts';
import { stageAfter } from './standing.ts';

/** Of the event: none of the words of authors, for no flow can ask for it. */
export const replayType = 'communication-base.replay';

export interface ReplayOptions {
  /** A message of its own, with a key of its own, says the same again. */
  newKey?: boolean;
  /** Also where it may have left, and its channel delivers at most once. */
  uncertain?: boolean;
}

/** What is pushed to the inbox of its conversation. Asked for twice it is the same event, until the row has answered. */
export const replayEvent = (row: Pick<Message, '_id' | 'replay'>, options: ReplayOptions, at: Date): InboxEvent => {
  const count = countOf(row) + 1;
  return {
    id: `replay:${sequenceOf(row._id)}:${count}`,
    type: replayType,
    at,
    data: {
      ...{ messageId: row._id, count },
      ...(options.newKey ? { newKey: true } : {}),
      ...(options.uncertain ? { uncertain: true } : {}),
    },
  };
};

const countOf = ({ replay }: Pick<Message, 'replay'>): number => replay?.count ?? 0;

/** It gave up, as far as anybody knows, and may be given another try. */
export const gaveUp = (row: Pick<Message, 'status'> & Partial<Message>): boolean =>
  (row.status === 'failed' || row.status === 'uncertain') &&
  row.deliveredAt === undefined &&
  row.openedAt === undefined &&
  row.clickedAt === undefined;

/** Whether the row has answered: it was queued again, refused, or needs no other try any more. */
export const isAnswered = (row: Pick<Message, 'status' | 'replay'> & Partial<Message>, count: number): boolean =>
  countOf(row) >= count || !gaveUp(row);

/** Ids of the rows that an inbox asks to try again: they are read whole. */
export function replayedRows({ _id, inbox }: Pick<Conversation, '_id' | 'inbox'>): string[] {
  if (!Array.isArray(inbox)) return [];
  const asked = inbox.flatMap((event: unknown) =>
    isReplay(event) ? (askOf(event as InboxEvent)?.messageId ?? []) : [],
  );
  return [...new Set(asked.filter((id) => id.startsWith(`${_id}/`)))];
}

export const isReplay = (event: unknown): boolean => isPlain(event) && own(event, 'type') === replayType;

function askOf({ data }: InboxEvent): ({ messageId: string; count: number } & ReplayOptions) | undefined {
  if (!isPlain(data)) return undefined;
  const [id, count] = [own(data, 'messageId'), own(data, 'count')];
  if (typeof id !== 'string' || typeof count !== 'number') return undefined;
  return { messageId: id, count, newKey: own(data, 'newKey') === true, uncertain: own(data, 'uncertain') === true };
}

type Refused = NonNullable<NonNullable<Message['replay']>['refused']>;

/** An event that asks for another try. `inFlight`: a row of the conversation is with a channel. */
export function takeReplay(draft: Draft, event: InboxEvent, rows: readonly Message[], inFlight: boolean): void {
  const asked = askOf(event);
  if (asked === undefined) {
    draft.deadLetter('event_invalid', `\`data\` of an event ${replayType} has a messageId and a count`, event);
    return;
  }
  const found = rows.find(({ _id }) => _id === asked.messageId);
  if (found === undefined || !gaveUp(found)) return;
  const row = draft.rowAs(found);
  // it arrived after all, or this was done before
  if (!gaveUp(row) || countOf(row) + 1 !== asked.count) return;
  const replay = { at: new Date(draft.now), count: asked.count };
  const refused = refusalOf(draft, row, asked, inFlight);
  if (refused !== undefined) {
    draft.changeRow(row, { replay: { ...replay, refused } }, [], found.status);
    return;
  }
  const alone = !leadsOn(draft, row);
  const marked = alone ? { ...replay, alone: true as const } : replay;
  if (!alone) draft.reopen();
  if (asked.newKey === true) sendAnew(draft, row, found.status, marked);
  else queueAgain(draft, row, found.status, marked);
}

function refusalOf(
  draft: Draft,
  row: Message,
  { newKey, uncertain }: ReplayOptions,
  inFlight: boolean,
): Refused | undefined {
  const { context, state } = draft;
  const stopped = stoppedFor(draft);
  if (stopped !== undefined) return stopped;
  if (row.replayedAs !== undefined) return 'sent_anew';
  // its fallback said the same
  if (row.gaveWay === true) return 'moved_on';
  if (state.status === 'active') return 'moved_on';
  if (state.awaiting !== undefined || inFlight) return 'busy';
  // what could not be written has no bytes to send again
  if (row.content === undefined || row.to === undefined) return 'never_written';
  const once = context.channels.get(row.channel)?.delivery === 'at-most-once';
  // what a later try was answered does not say what became of that one
  const isDoubtful = row.status === 'uncertain' || row.mayHaveLeft === true;
  return isDoubtful && once && !newKey && !uncertain ? 'may_have_left' : undefined;
}

/** The conversation failed by this very message, while its campaign runs: it goes on from there. */
function leadsOn(draft: Draft, row: Message): boolean {
  const { state, context } = draft;
  if (context.isOver === true || state.status !== 'failed' || row.status !== 'failed') return false;
  // whoever came in again is in it by another conversation
  if (state.reason !== row.reason || mayBeInAgain(state)) return false;
  return stageAfter({ ...standing(draft), state: { ...state, status: 'active' } }, row) !== undefined;
}

const mayBeInAgain = ({ _id, entries = 1 }: Conversation): boolean => entries > 1 || _id.split(':').length > 2;

const standing = ({ context, now, scope }: Draft) => ({ context, now, scope });

type Mark = NonNullable<Message['replay']>;

/** The same row, the same key, the same bytes. */
function queueAgain(draft: Draft, row: Message, from: Message['status'], replay: Mark): void {
  const again = { status: 'queued', attempts: 0, dueAt: new Date(draft.now), pending: true, replay } as const;
  // refused as dead, or told so later: of this try nobody knows yet. How old it was then is known to the moment it was told
  const bounced = row.bouncedAt === undefined ? [] : (['bouncedAt'] as const);
  // whatever becomes of this try does not say that the one before did not arrive
  if (row.status === 'uncertain') {
    const doubt = { error: lostBefore(row) ?? mayHaveLeft, mayHaveLeft: true as const };
    draft.changeRow(row, { ...again, ...doubt }, ['reason', ...bounced], from);
  } else draft.changeRow(row, again, ['reason', 'error', ...bounced], from);
  if (row.bouncedAt !== undefined)
    for (const path of agedCounters(row, 'bounced', row.bouncedAt.getTime())) draft.count(path, -1);
  draft.count(`messages.${row.status}`, -1);
  if (row.reason !== undefined) draft.count(`reasons.${row.reason}`, -1);
  draft.count('pending');
  draft.apply({ type: 'replayed', messageId: row._id, at: draft.now, channel: row.channel });
}

const mayHaveLeft = { code: senderLost, message: 'it may have arrived before it was tried again' };

/** A row of its own says the same; the other one stays what it is. */
function sendAnew(draft: Draft, row: Message, from: Message['status'], replay: Mark): void {
  const { _id: replayOf, stage, step, channel, to, content, variant } = row as Required<Message>;
  // where the conversation stands by now says nothing of them
  const { fallback = absent, segments = absent } = row;
  const fresh: Message = {
    ...newRow(draft, stage, channel, new Date(draft.now)),
    ...{ step, variant, to, content, fallback, segments },
    ...{ status: 'queued', pending: true, replayOf, replay: { ...replay, count: 0 } },
  };
  draft.insert(fresh);
  draft.count('pending');
  draft.apply({ type: 'message', step });
  draft.changeRow(row, { replay, replayedAs: fresh._id }, [], from);
  draft.apply({ type: 'replayed', messageId: fresh._id, at: draft.now, channel });
}

/** Why nothing that gave up is tried again: its campaign was cut short. Undefined: it was not. */
export const stoppedFor = ({ context, stopsReplays }: Draft): 'campaign_cancelled' | 'campaign_ended' | undefined =>
  stopsReplays ?? context.stopped;

/** It is tried again by itself: its conversation has ended, and stays so. */
export const isAlone = ({ state }: Draft, { replay }: Pick<Message, 'replay'>): boolean =>
  replay?.alone === true && state.status !== 'active';
