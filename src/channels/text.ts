import type { OutboundMessage } from '../domain/channelPorts.ts';

/** Control characters, line separators, and what turns the direction of writing around: all that could forge a line. */
const unsafe = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu;

/** Without any of these: each run of them is a space. */
export const withoutMarks = (text: string): string => text.replace(unsafe, ' ').trim();

/** One line, safe to print, of at most `limit` characters; a surrogate pair is never cut in two. */
export function oneLine(text: string, limit: number): string {
  // Cut before the regular expressions run: what comes in may be large.
  const line = text
    .slice(0, limit * 4)
    .replace(unsafe, ' ')
    .replace(/ {2,}/g, ' ')
    .trim();
  const characters = [...line.slice(0, limit * 2)];
  return characters.length > limit || line.length > limit * 2 ? `${characters.slice(0, limit).join('')}…` : line;
}

/** An error in one line: the message of the first cause where it has none of its own (several addresses were tried). */
export function describeError(error: unknown): string {
  if (typeof error !== 'object' || error === null) return oneLine(String(error), 200);
  const { message, errors } = error as { message?: unknown; errors?: unknown };
  if (message === '' && Array.isArray(errors) && errors.length > 0) return describeError(errors[0]);
  return oneLine(String(message), 200);
}

/** The contract's body of a message, fields in this order: the same text for every try. Throws on what JSON cannot hold. */
export function payload(message: OutboundMessage): string {
  const { messageId, campaignId, conversationId, channel, to, content, stage, step } = message;
  return JSON.stringify({
    messageId,
    campaignId: typeof campaignId === 'object' ? campaignId.toHexString() : campaignId,
    conversationId,
    channel,
    to,
    content,
    stage,
    step,
  });
}
