import { Pool } from 'undici';
import type { ChannelConfig } from '../config.ts';
import type { Clock } from '../domain/systemPorts.ts';
import type { Driver, Handover } from './handover.ts';
import { HttpExchange } from './httpExchange.ts';
import type { HttpProtocol } from './httpProtocol.ts';

/**
 * Sends what a protocol writes over one pool of keep-alive connections, as many as the channel's concurrency, so that nothing
 * waits inside the client. Redirections are not followed: the recipient's data goes to the configured address only.
 */
export class HttpTransport implements Driver {
  readonly #pool: Pool;
  readonly #protocol: HttpProtocol;
  readonly #clock: Clock;

  constructor(
    protocol: HttpProtocol,
    { concurrency, timeoutMs }: Pick<ChannelConfig, 'concurrency' | 'timeoutMs'>,
    clock: Clock,
  ) {
    this.#protocol = protocol;
    this.#clock = clock;
    // The hand-over's own deadline ends all phases; a phase's time-out of the client would only be a coarser second one.
    this.#pool = new Pool(protocol.origin, {
      connections: concurrency,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: timeoutMs },
      allowH2: false,
    });
  }

  start(handover: Handover): void {
    const request = this.#protocol.request(handover.message);
    if ('kind' in request) {
      handover.settle(request);
      return;
    }
    const exchange = new HttpExchange(handover, this.#protocol, this.#clock);
    handover.wire = exchange;
    this.#pool.dispatch(request, exchange);
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}
