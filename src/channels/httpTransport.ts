import { Pool } from 'undici';
import type { ChannelConfig } from '../config.ts';
import type { ChannelCheck } from '../domain/channelPorts.ts';
import type { Clock, Logger } from '../domain/systemPorts.ts';
import type { Driver, Handover } from './handover.ts';
import { HttpExchange } from './httpExchange.ts';
import { lookAround } from './httpLook.ts';
import type { HttpProtocol } from './httpProtocol.ts';
import { reach } from './reach.ts';
import { type TroubleLog, troubleLog } from './trouble.ts';

export interface HttpOptions {
  /** Told what stops the whole channel. */
  logger?: Logger;
  /** Certificates to trust instead of Node's own; for tests. */
  ca?: string;
}

/**
 * Sends what a protocol writes over one pool of keep-alive connections, as many as the channel's concurrency, so that nothing
 * waits inside the client. Redirections are not followed: the recipient's data goes to the configured address only.
 */
export class HttpTransport implements Driver {
  readonly #pool: Pool;
  readonly #protocol: HttpProtocol;
  readonly #clock: Clock;
  readonly #onTrouble: TroubleLog | undefined;

  constructor(
    protocol: HttpProtocol,
    { name, concurrency, timeoutMs }: Pick<ChannelConfig, 'name' | 'concurrency' | 'timeoutMs'>,
    clock: Clock,
    { logger, ca }: HttpOptions = {},
  ) {
    this.#protocol = protocol;
    this.#clock = clock;
    this.#onTrouble = logger && troubleLog(name, clock, logger);
    // The hand-over's own deadline ends all phases; a phase's time-out of the client would only be a coarser second one.
    this.#pool = new Pool(protocol.origin, {
      connections: concurrency,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: timeoutMs, ...(ca === undefined ? {} : { ca }) },
      allowH2: false,
    });
  }

  start(handover: Handover): void {
    const request = this.#protocol.request(handover.message);
    if ('kind' in request) {
      handover.settle(request);
      return;
    }
    const exchange = new HttpExchange(handover, this.#protocol, this.#clock, this.#onTrouble);
    handover.wire = exchange;
    this.#pool.dispatch(request, exchange);
  }

  async check(signal: AbortSignal): Promise<ChannelCheck> {
    const { origin, look } = this.#protocol;
    const reached = await reach(new URL(origin), signal);
    return reached.kind === 'ready' && look ? lookAround(this.#pool, look, signal) : reached;
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}
