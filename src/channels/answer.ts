import type { SendResult } from '../domain/ports.ts';
import { oneLine } from './text.ts';

const maxIdLength = 512;
/** A proxy that got no answer from behind it: whether the message was taken there, nobody knows. */
const undecided = new Set([502, 504]);

/**
 * The result that a status stands for, before its body is read. 2xx is sent; 408, 429 and 5xx are tried again, 429 without
 * counting; all others, redirections too, are final. Where nothing may be sent twice, 502 and 504 stay unknown.
 */
export function verdictOf(status: number, retryAfterMs: number | undefined, atMostOnce: boolean): SendResult {
  if (status >= 200 && status < 300) return { kind: 'sent' };
  const code = `http_${status}`;
  const message = `HTTP ${status}`;
  if (atMostOnce && undecided.has(status)) return { kind: 'unknown', code, message };
  if (status === 408 || status === 429 || status >= 500) {
    const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
    return { kind: 'retry', code, message, counts: status !== 429, ...wait };
  }
  return { kind: 'rejected', code, message };
}

/** `id` of a JSON object: a string, or a number in all its digits. */
function idOf(text: string): string | undefined {
  // Most answers that are no JSON object are told by their first character: a failing parse costs microseconds.
  if (!/^\s*\{/.test(text)) return undefined;
  let id: unknown;
  try {
    ({ id } = JSON.parse(text) as { id?: unknown });
  } catch {
    return undefined;
  }
  if (typeof id === 'string') return id !== '' && id.length <= maxIdLength ? id : undefined;
  if (typeof id !== 'number') return undefined;
  if (Number.isSafeInteger(id) || !Number.isInteger(id)) return String(id);
  // Past 2^53 the parsed number is another one: receipts would name an id that nobody knows.
  return [...text.matchAll(/"id"\s*:\s*(-?\d+)/g)].map((match) => match[1]).find((digits) => Number(digits) === id);
}

/** The verdict with what the body adds: the provider's id, or the first 200 characters of its reasons without `secret`. */
export function completed(verdict: SendResult, body: string, secret: string | undefined): SendResult {
  if (body === '') return verdict;
  if (verdict.kind === 'sent') {
    const providerMessageId = idOf(body);
    return providerMessageId === undefined ? verdict : { kind: 'sent', providerMessageId };
  }
  const said = oneLine(secret === undefined ? body : body.replaceAll(secret, '***'), 200);
  return said === '' ? verdict : { ...verdict, message: `${verdict.message}: ${said}` };
}
