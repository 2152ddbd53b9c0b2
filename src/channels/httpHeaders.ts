/** What the requests of all HTTP drivers have in common: addresses, credentials, keys, headers. */
import { createHash } from 'node:crypto';
import type { ChannelConfig } from '../config.ts';
import type { OutboundMessage } from '../domain/channelPorts.ts';
import { ServiceError } from '../domain/errors.ts';

export type Refuse = (what: string) => ServiceError;

/** The error of a channel whose configuration cannot be used. */
export const refusal =
  ({ name }: ChannelConfig): Refuse =>
  (what) =>
    new ServiceError('config_invalid', `channel ${name}: ${what}`);

/** The channel's address. Throws what `refuse` makes where it is none of HTTP. */
export function httpAddress({ driver, url = '' }: ChannelConfig, refuse: Refuse): URL {
  if (!URL.canParse(url) || !/^https?:\/\//i.test(url)) {
    throw refuse(`driver ${driver} needs an http:// or https:// URL`);
  }
  return new URL(url);
}

/** User and password of a URL. A stray percent sign stands for itself. */
export function credentialsIn({ username, password }: URL): { user: string; password: string } | undefined {
  return username === '' && password === '' ? undefined : { user: decoded(username), password: decoded(password) };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** HTTP Basic (RFC 7617), in UTF-8. */
export const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

/**
 * Headers that are the same for every message, names and values in turn: `own`, then those of `_HEADERS` instead or beside
 * them. Throws what `refuse` makes for one that cannot be written.
 */
export function staticHeaders(config: ChannelConfig, own: Readonly<Record<string, string>>, refuse: Refuse): string[] {
  const headers = new Map([['user-agent', 'communication-base'], ...Object.entries(own)]);
  for (const [name, value] of Object.entries(config.headers)) headers.set(name.toLowerCase(), value);
  for (const [name, value] of headers) {
    // The client cannot send these at all: better told at the start than with every message.
    if (['expect', 'keep-alive', 'upgrade', 'connection', 'transfer-encoding', 'content-length'].includes(name)) {
      throw refuse(`the header ${name} cannot be set`);
    }
    if (!/^[!#$%&'*+.^`|~\w-]+$/.test(name) || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      throw refuse(`the header ${JSON.stringify(name)} has characters that a header cannot hold`);
    }
  }
  return [...headers].flat();
}

/** `Idempotency-Key`: as it is where a header can hold it, else its SHA-256 in hex. */
export const idempotencyKey = (messageId: string): string =>
  messageId.length <= 255 && /^[\x21-\x7e]+$/.test(messageId)
    ? messageId
    : createHash('sha256').update(messageId).digest('hex');

/** W3C Trace Context, 3.2. */
const traceparent = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/;

/** `Idempotency-Key` and, where it is one, `traceparent`: names and values in turn. */
export function messageHeaders(message: OutboundMessage): string[] {
  const headers = ['idempotency-key', idempotencyKey(message.messageId)];
  if (message.traceparent !== undefined && traceparent.test(message.traceparent)) {
    headers.push('traceparent', message.traceparent);
  }
  return headers;
}
