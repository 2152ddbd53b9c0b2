import type { ChannelConfig } from '../config.ts';
import type { ChannelCheck, OutboundMessage, SendResult } from '../domain/channelPorts.ts';
import type { Clock } from '../domain/systemPorts.ts';
import { verdictOf, withDoubt } from './answer.ts';
import type { Driver } from './handover.ts';
import { httpAddress, messageHeaders, refusal, staticHeaders } from './httpHeaders.ts';
import type { HttpHead, HttpLook, HttpProtocol, HttpRequest } from './httpProtocol.ts';
import { type HttpOptions, HttpTransport } from './httpTransport.ts';
import { hide, secretsOf } from './secrets.ts';
import { oneLine } from './text.ts';
import { type GraphError, graphVerdict } from './whatsappErrors.ts';
import { cloudApiBody, isNumber } from './whatsappMessage.ts';

const maxIdLength = 512;
/** Graph API, "Error Handling": an id that is not there, or that the token may not see. */
const invalidParameter = 100;
/** A number in one of these sends nothing; others (FLAGGED, RESTRICTED, …) send less. */
const mute: ReadonlySet<string> = new Set(['BANNED', 'DELETED', 'DISCONNECTED', 'MIGRATED', 'PENDING', 'UNVERIFIED']);
const mayNot = ({ code }: GraphError): boolean => code === 3 || code === 10 || (code >= 200 && code < 300);

type Plain = Record<string, unknown>;

function objectIn(body: string): Plain | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Plain) : undefined;
  } catch {
    return undefined;
  }
}

/** `messages[0].id` of an answer: the wamid that statuses name. */
function wamidIn(body: string): string | undefined {
  const messages = objectIn(body)?.['messages'];
  const id = Array.isArray(messages) ? (messages[0] as { id?: unknown } | null | undefined)?.id : undefined;
  return typeof id === 'string' && id !== '' && id.length <= maxIdLength ? id : undefined;
}

/** `error` of an answer; undefined where there is none that can be read. */
function errorIn(body: string, secrets: readonly string[]): GraphError | undefined {
  const error = objectIn(body)?.['error'] as Plain | null | undefined;
  const { code, error_subcode: subcode, is_transient: transient, message, error_data: data } = error ?? {};
  if (typeof code !== 'number') return undefined;
  const details = (data as { details?: unknown } | null | undefined)?.details;
  const parts = [message, details].filter((part) => typeof part === 'string' && part !== '');
  return {
    code,
    ...(typeof subcode === 'number' ? { subcode } : {}),
    isTransient: transient === true,
    // the code stands in Meta's own message, as a rule
    said: oneLine(hide(parts.join(': ') || `error ${code}`, secrets), 200),
  };
}

/** WhatsApp Business Platform, Cloud API: `POST /<version>/<phone number id>/messages`. It knows no idempotency key. */
export class CloudApiProtocol implements HttpProtocol {
  readonly origin: string;
  readonly look: HttpLook;
  readonly #path: string;
  readonly #headers: readonly string[];
  readonly #secrets: readonly string[];
  readonly #atMostOnce: boolean;

  /** Throws ServiceError `config_invalid`. */
  constructor(config: ChannelConfig) {
    const refuse = refusal(config);
    const url = httpAddress(config, refuse);
    if (config.from === undefined) throw refuse('driver whatsapp needs the id of a phone number');
    const authorization = config.token === undefined ? {} : { authorization: `Bearer ${config.token}` };
    this.origin = url.origin;
    this.#path = `${url.pathname.replace(/\/+$/, '')}/${config.from}/messages`;
    this.#headers = staticHeaders(config, { 'content-type': 'application/json', ...authorization }, refuse);
    this.look = {
      path: `${url.pathname.replace(/\/+$/, '')}/${config.from}?fields=display_phone_number,quality_rating,status`,
      headers: staticHeaders(config, authorization, refuse),
      judge: (status, body) => this.#known(status, body),
    };
    this.#secrets = secretsOf(config, config.token);
    this.#atMostOnce = config.delivery === 'at-most-once';
  }

  request(message: OutboundMessage): HttpRequest | SendResult {
    if (!isNumber(message.to)) {
      return { kind: 'rejected', code: 'address_invalid', message: 'the recipient is no telephone number' };
    }
    const headers = [...this.#headers, ...messageHeaders(message)];
    return { method: 'POST', path: this.#path, headers, body: cloudApiBody(message) };
  }

  /** A 4xx whose error never came may be a limit: it says nothing yet. */
  verdict({ status, retryAfterMs }: HttpHead): SendResult {
    const verdict = verdictOf(status, retryAfterMs, this.#atMostOnce);
    if (verdict.kind !== 'rejected' || status < 400) return verdict;
    return { kind: 'retry', code: verdict.code, message: `${verdict.message} without an error`, counts: true };
  }

  result(verdict: SendResult, body: string, { status, retryAfterMs }: HttpHead): SendResult {
    if (verdict.kind === 'sent') {
      const wamid = wamidIn(body);
      return wamid === undefined ? verdict : { kind: 'sent', providerMessageId: wamid };
    }
    const error = errorIn(body, this.#secrets);
    if (error === undefined || verdict.kind === 'unknown') return verdict;
    return withDoubt(graphVerdict(error, status, retryAfterMs), verdict);
  }

  /** Whether the token may use the number (Graph API, "WhatsApp Business Account Phone Number"). */
  #known(status: number, body: string): ChannelCheck {
    const left = 'whether it may send shows with the first message';
    if (status === 200) {
      const { display_phone_number: number, quality_rating: quality, status: state } = objectIn(body) ?? {};
      if (objectIn(body) === undefined)
        return { kind: 'failed', trouble: 'answer', found: 'what answers is not the Graph API of Meta' };
      if (typeof number !== 'string')
        return { kind: 'failed', trouble: 'account', found: 'the id is known, and is none of a phone number' };
      const more = [state, quality === undefined ? undefined : `quality ${String(quality)}`].filter(Boolean).join(', ');
      const found = oneLine(`Meta lets it in for ${number}${more === '' ? '' : ` (${more})`}`, 200);
      return typeof state === 'string' && mute.has(state)
        ? { kind: 'failed', trouble: 'account', found }
        : { kind: 'ready', found, left };
    }
    const error = errorIn(body, this.#secrets);
    const found = error?.said ?? `HTTP ${status}`;
    // sending needs less than looking does
    if (error !== undefined && mayNot(error))
      return { kind: 'ready', found: `Meta knows the token, and does not let it look (${found})`, left };
    if (status === 401 || error?.code === 190) return { kind: 'failed', trouble: 'login', found };
    if (status === 429 || status >= 500) return { kind: 'unknown', found: `Meta answers ${found}: ask again later` };
    const isUnknown = status === 403 || status === 404 || error?.code === invalidParameter;
    return { kind: 'failed', trouble: isUnknown ? 'account' : 'answer', found };
  }
}

/** Throws ServiceError `config_invalid`. */
export const whatsappDriver = (config: ChannelConfig, clock: Clock, options: HttpOptions = {}): Driver =>
  new HttpTransport(new CloudApiProtocol(config), config, clock, options);
