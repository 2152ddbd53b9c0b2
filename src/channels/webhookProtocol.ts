import { createHash } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import type { ChannelConfig } from '../config.ts';
import type { OutboundMessage, SendResult } from '../domain/channelPorts.ts';
import type { Clock } from '../domain/systemPorts.ts';
import { completed, verdictOf } from './answer.ts';
import { basic, credentialsIn, messageHeaders, refusal, staticHeaders } from './httpHeaders.ts';
import type { HttpHead, HttpProtocol, HttpRequest } from './httpProtocol.ts';
import { secretsOf } from './secrets.ts';
import { payload } from './text.ts';

/** What all requests of a channel share. */
export interface WebhookSettings {
  /** The first signs as the current secret, the others for receivers that do not have it yet. */
  readonly secrets: readonly Webhook[];
  /** Names and values in turn. */
  readonly headers: readonly string[];
  /** As they are configured: what of them is secret shows in no answer. */
  readonly given: ChannelConfig['headers'];
  readonly atMostOnce: boolean;
  readonly clock: Pick<Clock, 'now'>;
}

/** Throws ServiceError `config_invalid` for secrets or headers that cannot be used. */
export function webhookSettings(config: ChannelConfig, clock: Clock): WebhookSettings {
  const refuse = refusal(config);
  const secrets = (config.token ?? '').split(',').filter((secret) => secret !== '');
  if (secrets.length === 0) throw refuse('driver webhook needs a secret to sign with');
  return {
    secrets: secrets.map((secret) => new Webhook(secret)),
    headers: staticHeaders(config, { 'content-type': 'application/json' }, refuse),
    given: config.headers,
    atMostOnce: config.delivery === 'at-most-once',
    clock,
  };
}

/**
 * `webhook-id`: the message's id, or its SHA-256 in hex where a header cannot hold it, or where it has a full stop, which
 * separates the signed parts (Standard Webhooks, "Signature scheme").
 */
export const webhookId = (messageId: string): string =>
  messageId.length <= 255 && /^[\x21-\x2d\x2f-\x7e]+$/.test(messageId)
    ? messageId
    : createHash('sha256').update(messageId).digest('hex');

/** The same text at every try: `timestamp` is when the message was decided. */
export const webhookBody = (message: OutboundMessage): string =>
  `{"type":"message","timestamp":${JSON.stringify(message.queuedAt)},"data":${payload(message)}}`;

/** Requests as Standard Webhooks 1.0.0 signs them, to one address. */
export class WebhookProtocol implements HttpProtocol {
  readonly origin: string;
  readonly #path: string;
  readonly #settings: WebhookSettings;
  readonly #isContacts: boolean;
  readonly #credentials: ReturnType<typeof credentialsIn>;

  /** `isContacts`: the address is the recipient's own, so that what it answers is about the recipient. */
  constructor(url: URL, settings: WebhookSettings, isContacts: boolean) {
    this.origin = url.origin;
    this.#path = url.pathname + url.search;
    this.#settings = settings;
    this.#isContacts = isContacts;
    this.#credentials = credentialsIn(url);
  }

  /** The timestamp, and with it the signature, is that of the try; all else is the same at each. */
  request(message: OutboundMessage): HttpRequest {
    const { secrets, headers, clock } = this.#settings;
    const body = webhookBody(message);
    const id = webhookId(message.messageId);
    const now = new Date(clock.now());
    const signed = [
      ...['webhook-id', id, 'webhook-timestamp', String(Math.floor(now.getTime() / 1000))],
      ...['webhook-signature', secrets.map((secret) => secret.sign(id, now, body)).join(' ')],
    ];
    const { user, password } = this.#credentials ?? {};
    const own = user === undefined || password === undefined ? [] : ['authorization', basic(user, password)];
    const all = [...headers, ...own, ...messageHeaders(message), ...signed];
    return { method: 'POST', path: this.#path, headers: all, body };
  }

  /** "Delivery success and failure": 410 says that the receiver wants no more of it. */
  verdict({ status, retryAfterMs }: HttpHead): SendResult {
    if (status === 410 && this.#isContacts) return { kind: 'rejected', code: 'opted_out', message: 'HTTP 410' };
    return verdictOf(status, retryAfterMs, this.#settings.atMostOnce);
  }

  result(verdict: SendResult, body: string): SendResult {
    if (verdict.kind === 'sent') return completed(verdict, body, []);
    const { user = '', password } = this.#credentials ?? {};
    const authorization = password === undefined ? undefined : basic(user, password);
    return completed(verdict, body, secretsOf({ headers: this.#settings.given }, password, authorization));
  }
}
