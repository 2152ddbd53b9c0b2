/** What becomes of a message after it was sent, as its provider tells: in any order, any number of times, the end is the same. */
import type { Draft } from './draft.ts';
import type { CompiledFlow } from './flow.ts';
import { ageOf } from './guard.ts';
import { messageId, sequenceOf } from './ids.ts';
import type { Conversation, CounterDelta, InboxEvent, Message } from './model.ts';
import { isDate } from './normalise.ts';
import { isPlain, own } from './plain.ts';
import { targetOf } from './stages.ts';
import { stageAfter } from './standing.ts';

type Stamp = 'deliveredAt' | 'openedAt' | 'clickedAt' | 'bouncedAt' | 'complainedAt';

/** `failed` counts as a bounce that does not suppress. */
const stamps: ReadonlyMap<string, Stamp> = new Map([
  ['delivered', 'deliveredAt'],
  ['opened', 'openedAt'],
  ['clicked', 'clickedAt'],
  ['bounce', 'bouncedAt'],
  ['failed', 'bouncedAt'],
  ['complaint', 'complainedAt'],
]);
const namesRow = (type: unknown): boolean => stamps.has(String(type));

/** A conversation's newest rows that receipts can name without saying which. */
const rowsKept = 100;

/**
 * Ids of the rows that the events of an inbox may name: the one that a receipt names by our id, the newest for one that does
 * not; none where none of them is a receipt.
 */
export function namedRows({ _id, sequence, inbox }: Conversation): string[] {
  if (!Array.isArray(inbox)) return [];
  const receipts = inbox.filter((event: unknown) => isPlain(event) && namesRow(own(event, 'type')));
  if (receipts.length === 0) return [];
  const named = receipts.map(({ data }) => text(data, 'messageId'));
  const first = named.includes(undefined) ? Math.max(1, sequence - rowsKept + 1) : sequence + 1;
  const newest = Array.from({ length: Math.max(0, sequence - first + 1) }, (_, n) => messageId(_id, first + n));
  const ours = named.filter((id): id is string => id?.startsWith(`${_id}/`) === true);
  return [...new Set([...newest, ...ours])];
}

const text = (data: unknown, field: string): string | undefined => {
  const value = isPlain(data) ? own(data, field) : undefined;
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
};

/**
 * The row that a receipt is about: `data.messageId`, `data.providerMessageId`, or, when it names none, the newest to the contact
 * that was handed over (on the event's channel, if it says so).
 */
export function rowOf(
  event: InboxEvent,
  rows: readonly Message[],
  isToContact: (row: Message) => boolean,
): Message | undefined {
  const id = text(event.data, 'messageId');
  const providers = text(event.data, 'providerMessageId');
  if (id !== undefined) return rows.find((row) => row._id === id);
  if (providers !== undefined) return rows.find((row) => row.providerMessageId === providers);
  const left = rows.filter(
    (row) =>
      (event.channel === undefined || row.channel === event.channel) &&
      (row.handedAt !== undefined || row.status === 'sending') &&
      isToContact(row),
  );
  return left.toSorted((a, b) => sequenceOf(b._id) - sequenceOf(a._id))[0];
}

/** When an event happened, as it says, or now. */
export function timeOf({ at }: { at?: unknown }, now: number): Date {
  return isDate(at) && !Number.isNaN(at.getTime()) ? at : new Date(now);
}

/** What a row's status is with its receipts: sent < delivered < bounced. What never left, or failed, stays what it is. */
export function receivedStatus(row: Omit<StampedRow, 'status'>, status: Message['status']): Message['status'] {
  const left = status === 'sent' || status === 'uncertain' || status === 'delivered';
  if (!left) return status;
  if (row.bouncedAt !== undefined) return 'bounced';
  return row.deliveredAt === undefined ? status : 'delivered';
}

/** A receipt, and the row it is about. */
export interface Receipt {
  /** As it is with the receipt. */
  row: Message;
  /** The row knew it before: whatever it leads to has been done. */
  isRepeated: boolean;
}

/** A row as far as receipts change it. */
export type StampedRow = Pick<
  Message,
  'status' | 'deliveredAt' | 'openedAt' | 'clickedAt' | 'bouncedAt' | 'complainedAt'
>;

/** What a receipt changes of its row, and what that counts whenever it comes: messages are counted, not receipts. */
export interface Stamping {
  /** Undefined: it leaves none. */
  stamp: Stamp | undefined;
  /** Undefined: the row knows it already, or it says nothing of what people did. */
  set: Partial<StampedRow> | undefined;
  /** The row knew of such a receipt before. */
  isRepeated: boolean;
  counters: CounterDelta;
}

/** `at`: when it happened. */
export function stampingOf(
  row: StampedRow,
  { type, machine }: Pick<InboxEvent, 'type' | 'machine'>,
  at: Date,
): Stamping {
  const stamp = stamps.get(type);
  // who opened or clicked was a machine: the row says what people did
  if (stamp === undefined || (machine === true && (stamp === 'openedAt' || stamp === 'clickedAt')))
    return { stamp: undefined, set: undefined, isRepeated: false, counters: {} };
  const before = row[stamp];
  const isRepeated = before !== undefined;
  if (isRepeated && before <= at) return { stamp, set: undefined, isRepeated, counters: {} };
  const status = receivedStatus({ ...row, [stamp]: at }, row.status);
  const counters: CounterDelta = {};
  if (!isRepeated && stamp === 'deliveredAt') counters['messages.delivered'] = 1;
  if (row.status === 'uncertain' && status !== 'uncertain') counters['messages.uncertain'] = -1;
  return { stamp, set: { [stamp]: at, ...(status === row.status ? {} : { status }) }, isRepeated, counters };
}

/** Keeps a receipt on the row it is about. Undefined: it is about none of these, or is no receipt. */
export function recordReceipt(draft: Draft, event: InboxEvent, rows: readonly Message[]): Receipt | undefined {
  if (!namesRow(event.type)) return undefined;
  const { stages } = draft.context.flow;
  const isForOthers = (type: string | undefined): boolean => type === 'webhook' || type === 'escalate';
  const found = rowOf(event, rows, ({ stage }) => !isForOthers(stages.get(stage)?.type));
  if (found === undefined) return undefined;
  const row = draft.rowAs(found);
  const { stamp, set, isRepeated, counters } = stampingOf(row, event, timeOf(event, draft.now));
  if (set === undefined) return { row, isRepeated };
  draft.changeRow(row, set, [], found.status);
  for (const [path, by] of Object.entries(counters)) draft.count(path, by);
  if (!isRepeated && stamp === 'bouncedAt') countAged(draft, row, 'bounced');
  if (!isRepeated && stamp === 'complainedAt') countAged(draft, row, 'complained');
  return { row: draft.rowAs(found), isRepeated };
}

/** Counters of a message that bounced or was complained about: how old it was tells the guard which ones that can be. */
export const agedCounters = (
  { sentAt, handedAt, queuedAt }: Pick<Message, 'sentAt' | 'handedAt' | 'queuedAt'>,
  what: 'bounced' | 'complained',
  now: number,
): string[] => [`messages.${what}`, `aged.${what}.${ageOf(now - (sentAt ?? handedAt ?? queuedAt).getTime())}`];

export function countAged(draft: Draft, row: Message, what: 'bounced' | 'complained'): void {
  for (const path of agedCounters(row, what, draft.now)) draft.count(path);
}

// ---------------------------------------------------------------- those that nobody listens to

const quiet: ReadonlySet<string> = new Set(['delivered', 'opened', 'clicked']);

/**
 * Whether a receipt is nothing but a stamp on its row: it leads nowhere by itself, and the flow does not ask for it. Such a one
 * need not go by its conversation.
 */
export function isOnlyStamp({ rules, stages }: CompiledFlow, type: string): boolean {
  if (!quiet.has(type) || rules.some(({ on }) => on === type)) return false;
  return ![...stages.values()].some(
    (stage) =>
      targetOf(stage, type) !== undefined ||
      (stage.type === 'wait' && stage.waitFor.kind === 'event' && stage.waitFor.event === type),
  );
}

/** Nothing is on its way of a row any more: whoever stamps it then meets nobody who does not read it first. */
export const isAnswered = ({ status, pending }: Pick<Message, 'status' | 'pending'>): boolean =>
  pending !== true && status !== 'sending' && status !== 'queued';

// ---------------------------------------------------------------- the flow

/**
 * Where an event leads. What became of a message is asked of the stage that sent it, also when that was left; a failure is like a
 * bounce where its author says no more.
 */
export function receiptTarget(
  { stages }: CompiledFlow,
  stageId: string,
  type: string,
  row: Message | undefined,
): string | undefined {
  const isEnd = type === 'bounce' || type === 'failed';
  const stage = stages.get(isEnd && row !== undefined ? row.stage : stageId);
  return targetOf(stage, type) ?? (type === 'failed' ? targetOf(stage, 'bounce') : undefined);
}

/** The provider took a message, and says now that it failed: the end of a conversation that still stands where it left it. */
export function failedAfterAll(draft: Draft, row: Message | undefined): void {
  if (row === undefined || draft.context.flow.stages.get(row.stage)?.type !== 'message') return;
  if (stageAfter(draft, row) === undefined) return;
  const error = {
    code: 'provider_failed',
    message: 'its provider took the message, and reported later that it failed',
  };
  draft.end({ status: 'failed', outcome: 'failed', reason: 'provider_rejected', error }, 'stopped');
}
