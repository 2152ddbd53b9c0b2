import { createHash } from 'node:crypto';
import { type Dispatcher, Pool } from 'undici';
import type { ChannelConfig } from '../config.ts';
import type { ChannelCheck, OutboundMessage } from '../domain/channelPorts.ts';
import { ServiceError } from '../domain/errors.ts';
import type { Clock } from '../domain/systemPorts.ts';
import { completed, verdictOf } from './answer.ts';
import type { Driver, Handover, Wire } from './handover.ts';
import { reach } from './reach.ts';
import { retryAfterMs } from './retryAfter.ts';
import { describeError, payload } from './text.ts';

/** More of an answer is read off the connection and forgotten. */
const keptBytes = 65_536;
/** An answer longer than this costs more to read to its end than a new connection does. */
const drainedBytes = 1_048_576;

/** `Idempotency-Key`: as it is where a header can hold it, else its SHA-256 in hex. */
const idempotencyKey = (messageId: string): string =>
  messageId.length <= 255 && /^[\x21-\x7e]+$/.test(messageId)
    ? messageId
    : createHash('sha256').update(messageId).digest('hex');

/** W3C Trace Context, 3.2. */
const traceparent = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/;

/** What a channel settles once: where to, and the headers that are the same for every message. */
interface Target {
  path: string;
  headers: readonly string[];
  /** Blanked where an answer repeats it. */
  secret: string | undefined;
  atMostOnce: boolean;
}

type Refuse = (what: string) => ServiceError;

/** A stray percent sign in user or password stands for itself. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function staticHeaders(config: ChannelConfig, url: URL, refuse: Refuse): string[] {
  const headers = new Map([
    ['user-agent', 'communication-base'],
    ['content-type', 'application/json'],
  ]);
  if (config.token !== undefined) headers.set('authorization', `Bearer ${config.token}`);
  else if (url.username !== '' || url.password !== '') {
    const pair = `${decoded(url.username)}:${decoded(url.password)}`;
    headers.set('authorization', `Basic ${Buffer.from(pair).toString('base64')}`);
  }
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

/** One POST: writes what comes of it into its hand-over. */
class Exchange implements Dispatcher.DispatchHandler, Wire {
  readonly #handover: Handover;
  readonly #target: Target;
  readonly #clock: Clock;
  #controller: Dispatcher.DispatchController | undefined;
  #chunks: Buffer[] = [];
  #size = 0;

  constructor(handover: Handover, target: Target, clock: Clock) {
    this.#handover = handover;
    this.#target = target;
    this.#clock = clock;
  }

  cut(): void {
    this.#controller?.abort(new Error('given up'));
  }

  /** A connection is there, nothing is written yet. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (!this.#handover.begin()) this.cut();
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    // 1xx only announces an answer.
    if (status < 200) return;
    const wait = retryAfterMs(headers['retry-after'], this.#clock.now());
    this.#handover.verdict = verdictOf(status, wait, this.#target.atMostOnce);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size <= keptBytes) this.#chunks.push(chunk);
    if (this.#size <= drainedBytes) return;
    this.#finish();
    this.cut();
  }

  onResponseEnd(): void {
    this.#finish();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error & { code?: string }): void {
    const { verdict, begun } = this.#handover;
    if (verdict !== undefined) this.#finish();
    else if (!begun && (error.code === 'UND_ERR_INVALID_ARG' || error.code === 'UND_ERR_NOT_SUPPORTED')) {
      this.#handover.settle({ kind: 'rejected', code: 'message_invalid', message: describeError(error) });
    } else this.#handover.lost(begun ? 'connection_lost' : 'connection_failed', describeError(error));
  }

  /** The status has decided; a body that is too long, or did not come whole, only adds less. */
  #finish(): void {
    const { verdict, settled } = this.#handover;
    if (verdict === undefined || settled) return;
    const tooLong = this.#size > keptBytes && verdict.kind === 'sent';
    const body = tooLong || this.#size === 0 ? '' : Buffer.concat(this.#chunks).toString('utf8');
    this.#handover.settle(completed(verdict, body, this.#target.secret));
  }
}

/**
 * POSTs each message as JSON over one pool of keep-alive connections, as many as the channel's concurrency, so that nothing
 * waits inside the client. Redirections are not followed: the recipient's data goes to the configured address only.
 */
export class HttpDriver implements Driver {
  readonly #pool: Pool;
  readonly #url: URL;
  readonly #target: Target;
  readonly #clock: Clock;

  /** Throws ServiceError `config_invalid` for an address or a header that cannot be used. */
  constructor(config: ChannelConfig, clock: Clock) {
    const refuse: Refuse = (what) => new ServiceError('config_invalid', `channel ${config.name}: ${what}`);
    const text = config.url ?? '';
    if (!URL.canParse(text) || !/^https?:\/\//i.test(text))
      throw refuse('driver http needs an http:// or https:// URL');
    const url = new URL(text);
    this.#clock = clock;
    this.#url = url;
    this.#target = {
      path: url.pathname + url.search,
      headers: staticHeaders(config, url, refuse),
      secret: config.token ?? (url.password === '' ? undefined : decoded(url.password)),
      atMostOnce: config.delivery === 'at-most-once',
    };
    // The hand-over's own deadline ends all phases; a phase's time-out of the client would only be a coarser second one.
    this.#pool = new Pool(url.origin, {
      connections: config.concurrency,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: config.timeoutMs },
      allowH2: false,
    });
  }

  start(handover: Handover): void {
    const { message } = handover;
    const exchange = new Exchange(handover, this.#target, this.#clock);
    handover.wire = exchange;
    const body = payload(message);
    this.#pool.dispatch({ method: 'POST', path: this.#target.path, headers: this.#headers(message), body }, exchange);
  }

  check(signal: AbortSignal): Promise<ChannelCheck> {
    return reach(this.#url, signal);
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  #headers(message: OutboundMessage): string[] {
    const headers = [...this.#target.headers, 'idempotency-key', idempotencyKey(message.messageId)];
    if (message.traceparent !== undefined && traceparent.test(message.traceparent)) {
      headers.push('traceparent', message.traceparent);
    }
    return headers;
  }
}
