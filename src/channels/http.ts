import type { ChannelConfig } from '../config.ts';
import type { OutboundMessage, SendResult } from '../domain/channelPorts.ts';
import type { Clock } from '../domain/systemPorts.ts';
import { completed, verdictOf } from './answer.ts';
import type { Driver } from './handover.ts';
import { basic, credentialsIn, httpAddress, messageHeaders, refusal, staticHeaders } from './httpHeaders.ts';
import type { HttpHead, HttpProtocol, HttpRequest } from './httpProtocol.ts';
import { type HttpOptions, HttpTransport } from './httpTransport.ts';
import { secretsOf } from './secrets.ts';
import { payload } from './text.ts';

/** Each message is a POST of the contract's JSON. */
class JsonProtocol implements HttpProtocol {
  readonly origin: string;
  readonly #path: string;
  readonly #headers: readonly string[];
  /** Blanked where an answer repeats it. */
  readonly #secrets: readonly string[];
  readonly #atMostOnce: boolean;

  /** Throws ServiceError `config_invalid` for an address or a header that cannot be used. */
  constructor(config: ChannelConfig) {
    const refuse = refusal(config);
    const url = httpAddress(config, refuse);
    const credentials = credentialsIn(url);
    const own: Record<string, string> = { 'content-type': 'application/json' };
    if (config.token !== undefined) own['authorization'] = `Bearer ${config.token}`;
    else if (credentials !== undefined) own['authorization'] = basic(credentials.user, credentials.password);
    this.origin = url.origin;
    this.#path = url.pathname + url.search;
    this.#headers = staticHeaders(config, own, refuse);
    this.#secrets = secretsOf(config, config.token ?? credentials?.password, own['authorization']);
    this.#atMostOnce = config.delivery === 'at-most-once';
  }

  request(message: OutboundMessage): HttpRequest {
    const headers = [...this.#headers, ...messageHeaders(message)];
    return { method: 'POST', path: this.#path, headers, body: payload(message) };
  }

  verdict({ status, retryAfterMs }: HttpHead): SendResult {
    return verdictOf(status, retryAfterMs, this.#atMostOnce);
  }

  result(verdict: SendResult, body: string): SendResult {
    return completed(verdict, body, this.#secrets);
  }
}

/** Throws ServiceError `config_invalid` for an address or a header that cannot be used. */
export const httpDriver = (config: ChannelConfig, clock: Clock, options: HttpOptions = {}): Driver =>
  new HttpTransport(new JsonProtocol(config), config, clock, options);
