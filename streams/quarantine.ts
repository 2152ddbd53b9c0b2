import type { ConversationStore } from '../src/domain/conversationPorts.ts';
import { lostBefore } from '../src/domain/draft.ts';
import type {
  Conversation,
  CounterDelta,
  InboundEvent,
  LimitChange,
  Message,
  MessageChange,
  Unit,
} from '../src/domain/model.ts';
import { bouncing, errorOf, leaving, type RowResult, rejectionOf } from '../src/domain/outbox.ts';
import { agedCounters, receivedStatus } from '../src/domain/receipts.ts';
import type { Clock, Instruments, Logger } from '../src/domain/systemPorts.ts';
import { isSampled, traceFields } from '../src/domain/trace.ts';
import type { Tracer } from '../src/domain/tracePorts.ts';
import type { Dispatch } from './dispatch.ts';
import type { Candidate } from './load.ts';
import { attribute } from './spans.ts';

export interface QuarantineParams {
  store: Pick<ConversationStore, 'commit' | 'messages'>;
  dispatch: Pick<Dispatch, 'settled'>;
  logger: Logger;
  instruments: Instruments;
  clock: Pick<Clock, 'now'>;
  /** Absent: nobody asked for traces. */
  tracer?: Tracer | undefined;
}

/** Takes aside what no round can decide about or write, and ends the rows whose answers have no conversation to go to. */
export class Quarantine {
  private readonly params: QuarantineParams;
  /** Conversations that could not even be quarantined; they are left alone until the member restarts. */
  private readonly untouchable = new Set<string>();

  constructor(params: QuarantineParams) {
    this.params = params;
  }

  isUntouchable(conversationId: string): boolean {
    return this.untouchable.has(conversationId);
  }

  /** The conversation fails for `error`; its answers are recorded. False: it changed meanwhile, and may be decided again. */
  async isolate({ conversation, results }: Candidate, error: Error): Promise<boolean> {
    const { store, dispatch, logger, instruments } = this.params;
    const { _id, campaignId } = conversation;
    const where = { campaignId, conversationId: _id, ...traceFields(conversation.trace) };
    const awaited = await this.awaited(conversation);
    const unit = quarantineUnit(conversation, awaited, results, error);
    let { poisoned, missed } = await store.commit([unit]);
    if (poisoned.size > 0 && unit.deadLetters.length > 1) {
      logger.error('the events of a quarantined conversation cannot be kept', where);
      ({ poisoned, missed } = await store.commit([{ ...unit, deadLetters: unit.deadLetters.slice(0, 1) }]));
    }
    if (missed.size > 0) return false;
    instruments.event('poisoned');
    if (poisoned.size === 0) this.wrote(unit, conversation);
    logger.error('a conversation cannot be written and is quarantined', {
      code: 'poisoned',
      ...where,
      error,
    });
    if (poisoned.size > 0) {
      this.untouchable.add(_id);
      await this.recordOrphans(_id, results);
    }
    for (const { row } of results) dispatch.settled(row);
    return true;
  }

  /** Effects outside the database, as of what a round wrote. */
  private wrote({ change, rows }: Unit, { trace }: Pick<Conversation, 'trace'>): void {
    const { instruments, tracer, clock } = this.params;
    for (const { channel, set } of rows) if (set.status) instruments.messages(channel, set.status, 1);
    const status = change?.set.status;
    if (status === undefined) return;
    instruments.conversations(status, 1);
    if (tracer === undefined || !isSampled(trace)) return;
    const now = clock.now();
    const attributes = { [attribute.status]: status };
    const span = { name: 'completion', parent: trace?.traceparent, startMs: now, endMs: now, attributes };
    tracer.span({ ...span, error: 'poisoned' });
  }

  /** The row that waits for another try; whatever else was written in its place names none. */
  private async awaited({ awaiting }: Conversation): Promise<Message | undefined> {
    if (typeof awaiting !== 'string') return undefined;
    const [row] = await this.params.store.messages([awaiting]);
    return row?.pending === true ? row : undefined;
  }

  /** Answers whose conversation or run is gone: somebody deleted it. The rows end all the same, else the campaign never would. */
  async recordOrphans(conversationId: string, results: readonly RowResult[]): Promise<void> {
    const { store, dispatch, logger } = this.params;
    for (const result of results) {
      const { row } = result;
      const { campaignId } = row;
      const where = { campaignId, conversationId, messageId: row._id, ...traceFields(row.trace) };
      logger.warn('what the answer to a message belongs to is gone', where);
      const unit = orphanUnit(result);
      const { poisoned } = await store.commit([unit]);
      const error = poisoned.get(conversationId);
      if (error === undefined) this.wrote(unit, {});
      if (error) logger.error('the row of a message cannot be ended; it stays `sending`', { ...where, error });
      dispatch.settled(row);
    }
  }
}

interface Recorded {
  inbound: InboundEvent[];
  limits: LimitChange[];
  rows: MessageChange[];
  counters: CounterDelta;
}

const add = (counters: CounterDelta, ...paths: string[]): void => {
  for (const path of paths) counters[path] = (counters[path] ?? 0) + 1;
};

/** What is known of a row at its end, when its conversation cannot say what follows. */
function endOf({ row, outcome, answeredAt, handedAt }: RowResult): Pick<Message, 'status'> & Partial<Message> {
  const left = handedAt === undefined ? {} : { handedAt: new Date(handedAt) };
  // this try says nothing of the one before it
  if (lostBefore(row) !== undefined && (outcome.kind === 'retry' || outcome.kind === 'held'))
    return { status: 'uncertain', reason: 'uncertain', ...left };
  switch (outcome.kind) {
    case 'sent': {
      const { providerMessageId } = outcome;
      const known = providerMessageId === undefined ? {} : { providerMessageId };
      return { status: 'sent', sentAt: new Date(answeredAt), handedAt: new Date(handedAt ?? answeredAt), ...known };
    }
    case 'rejected': {
      const bounced = outcome.bounce === true ? { bouncedAt: row.bouncedAt ?? new Date(answeredAt) } : {};
      return { status: 'failed', reason: rejectionOf(outcome), error: errorOf(outcome), ...bounced, ...left };
    }
    case 'unknown':
      return { status: 'uncertain', reason: 'uncertain', error: errorOf(outcome), ...left };
    case 'lost':
      return { status: 'uncertain', reason: 'uncertain' };
    case 'retry':
      return { status: 'skipped', reason: 'stopped', error: errorOf(outcome), ...(outcome.counts ? left : {}) };
    case 'held':
      return { status: 'skipped', reason: 'stopped' };
  }
}

function record(results: readonly RowResult[]): Recorded {
  const counters: CounterDelta = {};
  const limits: LimitChange[] = [];
  const inbound: InboundEvent[] = [];
  const rows = results.map((result): MessageChange => {
    const { row } = result;
    const end = endOf(result);
    // receipts that came before tell more
    const set = { ...end, status: receivedStatus(row, end.status) };
    // whoever it was meant for: that address wants nothing more
    if (set.reason === 'provider_opted_out' && row.to !== undefined) inbound.push(leaving(row, result.answeredAt));
    if (result.outcome.kind === 'rejected' && result.outcome.bounce === true && row.to !== undefined) {
      inbound.push(bouncing(row, result.answeredAt));
      if (row.bouncedAt === undefined) add(counters, ...agedCounters({ ...row, ...end }, 'bounced', result.answeredAt));
    }
    if (end.status !== 'uncertain' || set.status === 'uncertain') add(counters, `messages.${end.status}`);
    counters['pending'] = (counters['pending'] ?? 0) - 1;
    if (set.reason !== undefined) add(counters, `reasons.${set.reason}`);
    if (end.status === 'sent') add(counters, `stages.${row.stage}.sent`);
    if (end.status === 'sent' && row.step > 0) add(counters, 'messages.followUps');
    const isGivenBack = set.status === 'failed' || set.status === 'skipped';
    if (isGivenBack)
      limits.push(
        ...givenBack(row, set.status === 'skipped' && set.handedAt === undefined && row.handedAt === undefined),
      );
    const unset =
      isGivenBack && row.pressure !== undefined ? (['pending', 'pressure'] as const) : (['pending'] as const);
    return { id: row._id, channel: row.channel, from: 'sending', set, unset: [...unset] };
  });
  return { limits, inbound, rows, counters };
}

/** Its contact did not get it: what limits count of it. */
const givenBack = ({ _id, pressure, ramp }: Message, neverLeft: boolean): LimitChange[] => [
  ...(pressure === undefined ? [] : [{ kind: 'lower' as const, id: pressure, messageId: _id }]),
  ...(ramp === undefined || !neverLeft ? [] : [{ kind: 'return' as const, from: ramp }]),
];

/** The answer to a row whose conversation is gone: the row ends, and so do its counters. */
function orphanUnit(result: RowResult): Unit {
  const { conversationId, campaignId } = result.row;
  return { conversationId, campaignId, inserts: [], deadLetters: [], ...record([result]) };
}

/** The smallest write that takes a poisonous conversation out of the way: it fails with the reason, what is in its inbox is kept as dead letters, a row of it that waits is skipped. */
function quarantineUnit(
  conversation: Conversation,
  awaited: Message | undefined,
  results: readonly RowResult[],
  error: Error,
): Unit {
  const reason = { code: 'poisoned', message: error.message.slice(0, 500) };
  const active = conversation.status === 'active';
  const { rows, counters, limits, inbound } = record(results);
  if (active) {
    add(counters, 'failed', 'outcomes.failed');
    counters['active'] = -1;
  }
  if (awaited !== undefined) {
    const { _id, channel, pressure, handedAt } = awaited;
    const isSkipped = lostBefore(awaited) === undefined;
    const set: Partial<Message> = isSkipped
      ? { status: 'skipped', reason: 'stopped' }
      : { status: receivedStatus(awaited, 'uncertain'), reason: 'uncertain' };
    rows.push({
      ...{ id: _id, channel, from: undefined, set },
      unset: isSkipped && pressure !== undefined ? ['pending', 'pressure'] : ['pending'],
    });
    if (isSkipped) limits.push(...givenBack(awaited, handedAt === undefined));
    if (isSkipped || set.status === 'uncertain') add(counters, `messages.${set.status}`);
    add(counters, `reasons.${set.reason}`);
  }
  // of one that somebody deleted, too: nobody would count it down later
  if ((active || awaited !== undefined) && conversation.awaiting !== undefined)
    counters['pending'] = (counters['pending'] ?? 0) - 1;
  return {
    conversationId: conversation._id,
    campaignId: conversation.campaignId,
    change: {
      id: conversation._id,
      version: conversation.version,
      inboxSize: Array.isArray(conversation.inbox) ? conversation.inbox.length : -1,
      set: { inbox: [], ...(active ? { status: 'failed', outcome: 'failed', error: reason } : {}) },
      unset:
        active || conversation.awaiting !== undefined
          ? ['nextActionAt', 'nextChannel', 'opening', 'delayed', 'awaiting']
          : [],
      history: [],
    },
    inserts: [],
    rows,
    limits,
    inbound,
    counters,
    deadLetters: [{ reason: 'poisoned', error: reason }, ...lettersOf(conversation.inbox, reason)],
  };
}

/** Nobody will read these events any more: they are kept as they are. */
function lettersOf(inbox: unknown, error: { code: string; message: string }): Unit['deadLetters'] {
  const events: unknown[] = Array.isArray(inbox) ? inbox : inbox === undefined || inbox === null ? [] : [inbox];
  return events.map((document) => ({ reason: 'event_of_poisoned', error: { ...error, path: 'inbox' }, document }));
}
