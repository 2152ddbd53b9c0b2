import type { Conversation, CounterDelta, Message, MessageChange, SkipReason, Unit } from '../src/domain/model.ts';
import type { RowResult } from '../src/domain/outbox.ts';

interface Recorded {
  rows: MessageChange[];
  counters: CounterDelta;
}

const add = (counters: CounterDelta, ...paths: string[]): void => {
  for (const path of paths) counters[path] = (counters[path] ?? 0) + 1;
};

/** What is known of a row at its end, when its conversation cannot say what follows. */
function endOf({ outcome, answeredAt }: RowResult): Pick<Message, 'status'> & Partial<Message> {
  switch (outcome.kind) {
    case 'sent':
      return { status: 'sent', sentAt: new Date(answeredAt) };
    case 'rejected':
      return { status: 'failed', reason: 'provider_rejected' };
    case 'unknown':
    case 'lost':
      return { status: 'uncertain', reason: 'uncertain' };
    case 'retry':
    case 'held':
      return { status: 'skipped', reason: 'stopped' };
  }
}

function record(results: readonly RowResult[]): Recorded {
  const counters: CounterDelta = {};
  const rows = results.map((result): MessageChange => {
    const { row } = result;
    const set = endOf(result);
    add(counters, `messages.${set.status}`);
    counters['pending'] = (counters['pending'] ?? 0) - 1;
    if (set.reason !== undefined) add(counters, `reasons.${set.reason}`);
    if (set.status === 'sent') add(counters, `stages.${row.stage}.sent`);
    if (set.status === 'sent' && row.step > 0) add(counters, 'messages.followUps');
    return { id: row._id, channel: row.channel, set, unset: ['pending'] };
  });
  return { rows, counters };
}

/** Answers to rows whose conversation is gone: the rows end, and so do their counters. */
export function orphanUnit(conversationId: string, results: readonly [RowResult, ...RowResult[]]): Unit {
  const { campaignId } = results[0].row;
  return { conversationId, campaignId, inserts: [], deadLetters: [], ...record(results) };
}

/** The smallest write that takes a poisonous conversation out of the way: it fails with the reason, its inbox is emptied, a row of it that waits is skipped. */
export function quarantineUnit(conversation: Conversation, results: readonly RowResult[], error: Error): Unit {
  const reason = { code: 'poisoned', message: error.message.slice(0, 500) };
  const active = conversation.status === 'active';
  const { rows, counters } = record(results);
  if (active) {
    add(counters, 'failed', 'outcomes.failed');
    counters['active'] = -1;
  }
  if (active && conversation.awaiting !== undefined) {
    const skipped: SkipReason = 'stopped';
    const channel = conversation.nextChannel ?? '-';
    rows.push({ id: conversation.awaiting, channel, set: { status: 'skipped', reason: skipped }, unset: ['pending'] });
    add(counters, 'messages.skipped', `reasons.${skipped}`);
    counters['pending'] = (counters['pending'] ?? 0) - 1;
  }
  return {
    conversationId: conversation._id,
    campaignId: conversation.campaignId,
    change: {
      id: conversation._id,
      version: conversation.version,
      inboxSize: Array.isArray(conversation.inbox) ? conversation.inbox.length : -1,
      set: { inbox: [], ...(active ? { status: 'failed', outcome: 'failed', error: reason } : {}) },
      unset: active ? ['nextActionAt', 'nextChannel', 'opening', 'delayed', 'awaiting'] : [],
      history: [],
    },
    inserts: [],
    rows,
    counters,
    deadLetters: [{ reason: 'poisoned', error: reason }],
  };
}
