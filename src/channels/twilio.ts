import type { ChannelConfig } from '../config.ts';
import { plainAddress } from '../domain/addresses.ts';
import type { ChannelCheck, OutboundMessage, SendResult } from '../domain/channelPorts.ts';
import type { Clock } from '../domain/systemPorts.ts';
import { verdictOf, withDoubt } from './answer.ts';
import type { Driver } from './handover.ts';
import { basic, httpAddress, messageHeaders, refusal, staticHeaders } from './httpHeaders.ts';
import type { HttpHead, HttpLook, HttpProtocol, HttpRequest } from './httpProtocol.ts';
import { type HttpOptions, HttpTransport } from './httpTransport.ts';
import { hide, secretsOf } from './secrets.ts';
import { oneLine } from './text.ts';
import { trouble } from './trouble.ts';
import { type TwilioError, twilioVerdict } from './twilioErrors.ts';

/** `Body`: characters, as Twilio counts them. */
const maxCharacters = 1600;
const maxIdLength = 512;
const accountNotActive = 20005;
/** Where the message's id stands in the address of the status callback. */
const idParameter = 'messageId';

function objectIn(body: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function sidIn(body: string): string | undefined {
  const sid = objectIn(body)?.['sid'];
  return typeof sid === 'string' && sid !== '' && sid.length <= maxIdLength ? sid : undefined;
}

/** User and password: an API key `SK…:secret`, or the account and its auth token. */
function credentials(account: string, token: string): [string, string] {
  const colon = token.indexOf(':');
  return colon < 0 ? [account, token] : [token.slice(0, colon), token.slice(colon + 1)];
}

type Refusal = Extract<SendResult, { kind: 'retry' | 'rejected' }>;

/** By its status, with Twilio's code where it is about the message. */
function unlisted(verdict: Refusal, { code, said }: TwilioError): SendResult {
  const isMessage = verdict.kind === 'rejected' || verdict.counts;
  return { ...verdict, message: said, ...(isMessage ? { code: `twilio_${code}` } : {}) };
}

/** Twilio's Messages API: `POST /2010-04-01/Accounts/<SID>/Messages.json`, a form. It knows no idempotency key. */
export class TwilioProtocol implements HttpProtocol {
  readonly origin: string;
  readonly look: HttpLook;
  readonly #path: string;
  readonly #headers: readonly string[];
  readonly #sender: readonly [string, string];
  readonly #statusCallback: string | undefined;
  readonly #secrets: readonly string[];
  readonly #atMostOnce: boolean;

  /** Throws ServiceError `config_invalid`. */
  constructor(config: ChannelConfig) {
    const refuse = refusal(config);
    const { account, token, from, statusCallback } = config;
    if (account === undefined || token === undefined || from === undefined) {
      throw refuse('driver twilio needs an account, its token and a sender');
    }
    const [user, password] = credentials(account, token);
    this.origin = httpAddress(config, refuse).origin;
    this.#path = `/2010-04-01/Accounts/${account}/Messages.json`;
    const authorization = basic(user, password);
    const own = { 'content-type': 'application/x-www-form-urlencoded', authorization };
    this.#headers = staticHeaders(config, own, refuse);
    this.look = {
      // a standard API key may do everything but look at accounts
      path: `/2010-04-01/Accounts/${account}${user === account ? '' : '/Messages'}.json${user === account ? '' : '?PageSize=1'}`,
      headers: staticHeaders(config, { authorization }, refuse),
      judge: (status, body) => this.#known(account, status, body),
    };
    this.#sender = [/^MG[\da-f]{32}$/i.test(from) ? 'MessagingServiceSid' : 'From', from];
    this.#statusCallback = statusCallback;
    this.#secrets = secretsOf(config, password, authorization);
    this.#atMostOnce = config.delivery === 'at-most-once';
  }

  request(message: OutboundMessage): HttpRequest | SendResult {
    const { text } = message.content;
    if (text === undefined) return { kind: 'rejected', code: 'message_invalid', message: 'an SMS needs a text' };
    if (text.length > maxCharacters) {
      const said = `${text.length} characters, and Twilio takes ${maxCharacters}`;
      return { kind: 'rejected', code: 'content_too_long', message: said };
    }
    const form = new URLSearchParams([['To', plainAddress(message.to)], [...this.#sender], ['Body', text]]);
    if (this.#statusCallback !== undefined) {
      const callback = new URL(this.#statusCallback);
      callback.searchParams.set(idParameter, message.messageId);
      form.set('StatusCallback', callback.href);
    }
    const headers = [...this.#headers, ...messageHeaders(message)];
    return { method: 'POST', path: this.#path, headers, body: form.toString() };
  }

  /**
   * Only 201 says that a message was made; any other 2xx may be of something in between. 401, 403 and 404 are about the account in
   * the path and its credentials.
   */
  verdict({ status, retryAfterMs }: HttpHead): SendResult {
    const message = `HTTP ${status}`;
    if (status === 401 || status === 403) return trouble('login_failed', message);
    if (status === 404) return trouble('account_blocked', message);
    const verdict = verdictOf(status, retryAfterMs, this.#atMostOnce);
    if (verdict.kind !== 'sent' || status === 201) return verdict;
    const code = 'answer_invalid';
    return this.#atMostOnce
      ? { kind: 'unknown', code, message }
      : { kind: 'retry', code, message, counts: true, mayHaveLeft: true };
  }

  result(verdict: SendResult, body: string, { status, retryAfterMs }: HttpHead): SendResult {
    if (status < 300) {
      const sid = sidIn(body);
      return sid === undefined ? verdict : { kind: 'sent', providerMessageId: sid };
    }
    if (verdict.kind === 'sent' || verdict.kind === 'unknown') return verdict;
    const error = this.#errorIn(body);
    if (error !== undefined) return withDoubt(twilioVerdict(error, retryAfterMs) ?? unlisted(verdict, error), verdict);
    const said = oneLine(hide(body, this.#secrets), 200);
    return said === '' ? verdict : { ...verdict, message: `${verdict.message}: ${said}` };
  }

  /** Whether the account is there, and lets us in (twilio.com/docs/iam/api/account, twilio.com/docs/iam/api-keys). */
  #known(account: string, status: number, body: string): ChannelCheck {
    const said = this.#errorIn(body)?.said ?? `HTTP ${status}`;
    const left = 'whether its sender may write to a number shows with the first message';
    if (status === 200) {
      const { sid, status: state, messages } = objectIn(body) ?? {};
      if (Array.isArray(messages)) return { kind: 'ready', found: `Twilio lets the API key in for ${account}`, left };
      if (sid !== account) return { kind: 'failed', trouble: 'answer', found: 'what answers is not the API of Twilio' };
      if (state === 'active') return { kind: 'ready', found: `Twilio lets it in, account ${account} is active`, left };
      const found = `account ${account} is ${oneLine(String(state), 40)}`;
      return { kind: 'failed', trouble: 'account', found };
    }
    if (status === 401) return { kind: 'failed', trouble: 'login', found: said };
    if (status === 403 && this.#errorIn(body)?.code !== accountNotActive)
      return { kind: 'ready', found: `Twilio knows it, and does not let it look (${said})`, left };
    if (status === 403 || status === 404) return { kind: 'failed', trouble: 'account', found: said };
    // it is there, and has other things to do
    if (status === 429 || status >= 500) return { kind: 'unknown', found: `Twilio answers ${said}: ask again later` };
    return { kind: 'failed', trouble: 'answer', found: said };
  }

  /** `{ code, message, more_info, status }`. */
  #errorIn(body: string): TwilioError | undefined {
    const { code, message } = objectIn(body) ?? {};
    if (typeof code !== 'number') return undefined;
    return { code, said: oneLine(hide(`Twilio ${code}: ${String(message ?? '')}`, this.#secrets), 200) };
  }
}

/** Throws ServiceError `config_invalid`. */
export const twilioDriver = (config: ChannelConfig, clock: Clock, options: HttpOptions = {}): Driver =>
  new HttpTransport(new TwilioProtocol(config), config, clock, options);
