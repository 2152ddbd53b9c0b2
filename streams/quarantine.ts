import type { Conversation, Unit } from '../src/domain/model.ts';
import type { RowResult } from '../src/domain/outbox.ts';

/** The smallest write that takes a poisonous conversation out of the way: it fails with the reason, its inbox is emptied, a row of it that waits is skipped. */
export function quarantineUnit(conversation: Conversation, results: readonly RowResult[], error: Error): Unit {
  const reason = { code: 'poisoned', message: error.message.slice(0, 500) };
  const active = conversation.status === 'active';
  const rows = results.map(({ row, outcome, answeredAt }) =>
    outcome.kind === 'sent'
      ? {
          id: row._id,
          channel: row.channel,
          set: { status: 'sent' as const, sentAt: new Date(answeredAt) },
          unset: ['pending' as const],
        }
      : {
          id: row._id,
          channel: row.channel,
          set: { status: 'failed' as const, error: reason },
          unset: ['pending' as const],
        },
  );
  const counters: Record<string, number> = active ? { active: -1, failed: 1, 'outcomes.failed': 1 } : {};
  for (const { row, outcome } of results) {
    counters['pending'] = (counters['pending'] ?? 0) - 1;
    const sent = outcome.kind === 'sent';
    const path = sent ? 'messages.sent' : 'messages.failed';
    counters[path] = (counters[path] ?? 0) + 1;
    if (sent) counters[`stages.${row.stage}.sent`] = (counters[`stages.${row.stage}.sent`] ?? 0) + 1;
    if (sent && row.step > 0) counters['messages.followUps'] = (counters['messages.followUps'] ?? 0) + 1;
  }
  return {
    conversationId: conversation._id,
    campaignId: conversation.campaignId,
    change: {
      id: conversation._id,
      version: conversation.version,
      inboxSize: Array.isArray(conversation.inbox) ? conversation.inbox.length : 0,
      set: { inbox: [], ...(active ? { status: 'failed', outcome: 'failed', error: reason } : {}) },
      unset: active ? ['nextActionAt', 'nextChannel', 'opening', 'delayed', 'awaiting'] : [],
      history: [],
    },
    inserts: [],
    rows: [
      ...rows,
      ...(active && conversation.awaiting !== undefined
        ? [
            {
              id: conversation.awaiting,
              channel: conversation.nextChannel ?? '-',
              set: { status: 'skipped' as const, reason: 'stopped' as const },
              unset: ['pending' as const],
            },
          ]
        : []),
    ],
    counters:
      active && conversation.awaiting !== undefined
        ? { ...counters, pending: (counters['pending'] ?? 0) - 1, 'messages.skipped': 1, 'reasons.stopped': 1 }
        : counters,
    deadLetters: [{ reason: 'poisoned', error: reason }],
  };
}
