/** How long a contact took to reply: from the last message that was sent before. */
import { type LengthGroup, quantise } from './distribution.ts';
import { messageId } from './ids.ts';

/** A conversation with a first reply. */
export interface Replied {
  id: string;
  repliedAt: Date;
  /** Number of its messages so far. */
  sequence: number;
}

/** Among so many of its last messages the one before the reply is looked for. */
const lookedAt = 1_000;

/** Ids of the messages that may have been replied to. */
export const candidatesOf = ({ id, sequence }: Replied): string[] =>
  Array.from({ length: Math.min(lookedAt, sequence) }, (_, n) => messageId(id, sequence - n));

/** Undefined when none of them was sent before the reply. */
export function delayOf(replied: Replied, sentAt: ReadonlyMap<string, Date>): LengthGroup | undefined {
  const at = replied.repliedAt.getTime();
  const asked = candidatesOf(replied).reduce((latest, id) => {
    const sent = sentAt.get(id)?.getTime() ?? Number.NEGATIVE_INFINITY;
    return sent <= at ? Math.max(latest, sent) : latest;
  }, Number.NEGATIVE_INFINITY);
  if (asked === Number.NEGATIVE_INFINITY) return undefined;
  return { bucketMs: quantise(at - asked), count: 1, maxMs: at - asked };
}
