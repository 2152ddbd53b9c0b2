import type { SendResult } from '../domain/channelPorts.ts';
import { hide } from './secrets.ts';
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
    const doubt = undecided.has(status) ? { mayHaveLeft: true as const } : {};
    return { kind: 'retry', code, message, counts: status !== 429, ...wait, ...doubt };
  }
  return { kind: 'rejected', code, message };
}

/** What an error in the body stands for, with the doubt of the status that it came with. */
export const withDoubt = (result: SendResult, verdict: SendResult): SendResult =>
  result.kind === 'retry' && verdict.kind === 'retry' && verdict.mayHaveLeft === true
    ? { ...result, mayHaveLeft: true }
    : result;

/** Of a longer answer nothing is kept but its `id`. */
const keptAnswer = 16_384;

/** A JSON object; undefined for anything else. */
function objectIn(text: string): Record<string, unknown> | undefined {
  // Most answers that are no JSON object are told by their first character: a failing parse costs microseconds.
  if (!/^\s*\{/.test(text)) return undefined;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** `id` of a JSON object: a string, or a number in all its digits. */
function idOf({ id }: Record<string, unknown>, text: string): string | undefined {
  if (typeof id === 'string') return id !== '' && id.length <= maxIdLength ? id : undefined;
  if (typeof id !== 'number') return undefined;
  if (Number.isSafeInteger(id) || !Number.isInteger(id)) return String(id);
  // Past 2^53 the parsed number is another one: receipts would name an id that nobody knows.
  return [...text.matchAll(/"id"\s*:\s*(-?\d+)/g)].map((match) => match[1]).find((digits) => Number(digits) === id);
}

/** What providers mean by a refusal that is an opt-out: `code` or `error` of a JSON object, or `code` in its `error`. */
function isOptedOut(answer: Record<string, unknown> | undefined): boolean {
  const { code, error } = answer ?? {};
  const inner = typeof error === 'object' && error !== null ? (error as Record<string, unknown>)['code'] : error;
  return code === optedOut || inner === optedOut;
}
const optedOut = 'opted_out';

/**
 * The verdict with what the body adds: the provider's id, that the recipient opted out, or the first 200 characters of its
 * reasons without any of `secrets`.
 */
export function completed(verdict: SendResult, body: string, secrets: readonly string[]): SendResult {
  if (body === '') return verdict;
  if (verdict.kind === 'sent') {
    const answer = objectIn(body);
    if (answer === undefined) return verdict;
    const providerMessageId = idOf(answer, body);
    return {
      kind: 'sent',
      ...(providerMessageId === undefined ? {} : { providerMessageId }),
      ...(body.length <= keptAnswer ? { answer } : {}),
    };
  }
  const said = oneLine(hide(body, secrets), 200);
  if (said === '') return verdict;
  const code = verdict.kind === 'rejected' && isOptedOut(objectIn(body)) ? { code: optedOut } : {};
  return { ...verdict, ...code, message: `${verdict.message}: ${said}` };
}
