import type { Dispatcher } from 'undici';
import type { ChannelConfig } from '../config.ts';
import type { SendResult } from '../domain/channelPorts.ts';
import type { Clock } from '../domain/systemPorts.ts';
import { AddressRefused, guardedConnector, type ResolveAll } from './addressGuard.ts';
import type { Driver, Handover } from './handover.ts';
import { HostCircuits } from './hostCircuits.ts';
import { HostClients } from './hostClients.ts';
import { HttpExchange } from './httpExchange.ts';
import { httpAddress, refusal } from './httpHeaders.ts';
import type { HttpProtocol } from './httpProtocol.ts';
import { type HttpOptions, HttpTransport } from './httpTransport.ts';
import { WebhookProtocol, type WebhookSettings, webhookSettings } from './webhookProtocol.ts';

export interface WebhookOptions extends HttpOptions {
  /** Instead of the system's DNS. */
  resolve?: ResolveAll;
}

/** An exchange over a connection that is lent to it. */
class LentExchange extends HttpExchange {
  readonly #handover: Handover;
  readonly #onOver: () => void;
  readonly #onJudged: (verdict: SendResult | undefined) => void;
  #isConnected = false;
  #isJudged = false;

  /**
   * `onOver`: the connection is free. `onJudged`: what the answer stands for, undefined for none; never called where nothing
   * was found out about the host.
   */
  constructor(
    handover: Handover,
    given: { protocol: HttpProtocol; clock: Clock },
    { onOver, onJudged }: { onOver: () => void; onJudged: (verdict: SendResult | undefined) => void },
  ) {
    super(handover, given.protocol, given.clock);
    this.#handover = handover;
    this.#onOver = onOver;
    this.#onJudged = onJudged;
  }

  override cut(): void {
    // a host that was reached has done nothing wrong when nothing may be sent to it any more
    if (!this.#isConnected || this.#handover.begun) this.#judge();
    super.cut();
  }

  override onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#isConnected = true;
    super.onRequestStart(controller);
  }

  override onResponseEnd(): void {
    this.#judge();
    super.onResponseEnd();
    this.#onOver();
  }

  override onResponseError(controller: Dispatcher.DispatchController, error: Error & { code?: string }): void {
    if (error instanceof AddressRefused) {
      this.#handover.settle({ kind: 'rejected', code: 'not_allowed', message: error.message });
    } else {
      if (!this.#isConnected || this.#handover.begun) this.#judge();
      super.onResponseError(controller, error);
    }
    this.#onOver();
  }

  #judge(): void {
    if (this.#isJudged) return;
    this.#isJudged = true;
    this.#onJudged(this.#handover.verdict);
  }
}

const noAddress: SendResult = {
  kind: 'rejected',
  code: 'address_invalid',
  message: 'the recipient is no http:// or https:// URL',
};

/** Each message to the address of its recipient, over connections to whatever hosts these are; only where that is public. */
class RecipientWebhooks implements Driver {
  readonly #settings: WebhookSettings;
  readonly #clients: HostClients;
  readonly #circuits: HostCircuits;
  readonly #clock: Clock;

  constructor(config: ChannelConfig, clock: Clock, options: WebhookOptions) {
    const connect = guardedConnector(config.allowedHosts ?? [], config.timeoutMs, options);
    this.#settings = webhookSettings(config, clock);
    this.#clients = new HostClients(connect, config.concurrency);
    this.#circuits = new HostCircuits(clock, config.timeoutMs);
    this.#clock = clock;
  }

  start(handover: Handover): void {
    const { to } = handover.message;
    if (!URL.canParse(to) || !/^https?:\/\//i.test(to)) {
      handover.settle(noAddress);
      return;
    }
    const protocol = new WebhookProtocol(new URL(to), this.#settings, true);
    const { origin } = protocol;
    const waitMs = this.#circuits.waitMs(origin);
    if (waitMs > 0) {
      const message = 'the host did not take what was sent to it before: it is left alone for a while';
      handover.settle({ kind: 'retry', code: 'host_waits', message, counts: false, retryAfterMs: Math.ceil(waitMs) });
      return;
    }
    const request = protocol.request(handover.message);
    const client = this.#clients.lend(origin);
    const exchange = new LentExchange(
      handover,
      { protocol, clock: this.#clock },
      {
        onOver: () => this.#clients.giveBack(client),
        onJudged: (verdict) => this.#judged(origin, verdict),
      },
    );
    handover.wire = exchange;
    client.dispatch(request, exchange);
  }

  #judged(origin: string, verdict: SendResult | undefined): void {
    if (verdict?.kind === 'sent' || verdict?.kind === 'rejected') this.#circuits.went(origin);
    else this.#circuits.failed(origin, verdict?.kind === 'retry' ? verdict.retryAfterMs : undefined);
  }

  async close(): Promise<void> {
    await this.#clients.close();
  }
}

/**
 * Driver `webhook`: to `url` where it is set, as the operator trusts it, else to the recipient's own. Throws ServiceError
 * `config_invalid`.
 */
export function webhookDriver(config: ChannelConfig, clock: Clock, options: WebhookOptions = {}): Driver {
  if (config.url === undefined) return new RecipientWebhooks(config, clock, options);
  const url = httpAddress(config, refusal(config));
  return new HttpTransport(new WebhookProtocol(url, webhookSettings(config, clock), false), config, clock, options);
}
