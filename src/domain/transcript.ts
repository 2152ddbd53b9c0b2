/** What was said in a conversation so far, for the person who takes it over. */
import { messageId, sequenceOf } from './ids.ts';
import type { Escalation, HistoryEntry, Message } from './model.ts';

/** As much as one reads. */
const entries = 100;
/** Of a message of ours; what the contact wrote is as long as the history keeps it. */
const longestText = 2_000;
/** Characters of all texts together; the newest are kept. */
export const longestTranscript = 100_000;

/** Ids of the messages that may be in it. */
export const transcriptIds = (conversationId: string, sequence: number): string[] =>
  Array.from({ length: Math.min(entries, sequence) }, (_, n) => messageId(conversationId, sequence - n));

/** Messages and what came in, oldest first; of history only what the contact did. */
export function transcriptOf(rows: readonly Message[], history: readonly HistoryEntry[]): Escalation['transcript'] {
  const inOrder = rows.toSorted((a, b) => sequenceOf(a._id) - sequenceOf(b._id));
  const ours = inOrder.map(({ _id, queuedAt, sentAt, channel, status, content }) => {
    const text = content?.text ?? content?.html;
    return {
      ...{ at: sentAt ?? queuedAt, from: 'us' as const, channel, messageId: _id, status },
      ...(content?.subject === undefined ? {} : { subject: content.subject }),
      ...(text === undefined ? {} : { text: text.slice(0, longestText) }),
    };
  });
  const theirs = history.flatMap(({ at, event, detail }) => {
    const text = detail?.['text'];
    if (typeof text !== 'string' && event !== 'reply') return [];
    return [{ at, from: 'contact' as const, event, ...(typeof text === 'string' ? { text } : {}) }];
  });
  const all = [...ours, ...theirs].sort((a, b) => a.at.getTime() - b.at.getTime()).slice(-entries);
  let left = longestTranscript;
  const from = all.findLastIndex(({ text = '' }) => {
    left -= text.length;
    return left < 0;
  });
  return all.slice(from + 1);
}
