import type { Client, Dispatcher } from 'undici';
import type { ChannelConfig } from '../config.ts';
import type { SendResult } from '../domain/channelPorts.ts';
import type { Clock } from '../domain/systemPorts.ts';
import { AddressRefused, guardedConnector, type ResolveAll } from './addressGuard.ts';
import type { Driver, Handover } from './handover.ts';
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
  readonly #client: Client;
  readonly #giveBack: (client: Client) => void;

  constructor(handover: Handover, protocol: HttpProtocol, clock: Clock, client: Client, giveBack: (c: Client) => void) {
    super(handover, protocol, clock);
    this.#handover = handover;
    this.#client = client;
    this.#giveBack = giveBack;
  }

  override onResponseEnd(): void {
    super.onResponseEnd();
    this.#giveBack(this.#client);
  }

  override onResponseError(controller: Dispatcher.DispatchController, error: Error & { code?: string }): void {
    if (error instanceof AddressRefused) {
      this.#handover.settle({ kind: 'rejected', code: 'not_allowed', message: error.message });
    } else super.onResponseError(controller, error);
    this.#giveBack(this.#client);
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
  readonly #clock: Clock;

  constructor(config: ChannelConfig, clock: Clock, options: WebhookOptions) {
    const connect = guardedConnector(config.allowedHosts ?? [], config.timeoutMs, options);
    this.#settings = webhookSettings(config, clock);
    this.#clients = new HostClients(connect, config.concurrency);
    this.#clock = clock;
  }

  start(handover: Handover): void {
    const { to } = handover.message;
    if (!URL.canParse(to) || !/^https?:\/\//i.test(to)) {
      handover.settle(noAddress);
      return;
    }
    const protocol = new WebhookProtocol(new URL(to), this.#settings, true);
    const request = protocol.request(handover.message);
    const client = this.#clients.lend(protocol.origin);
    const giveBack = (lent: Client): void => this.#clients.giveBack(lent);
    const exchange = new LentExchange(handover, protocol, this.#clock, client, giveBack);
    handover.wire = exchange;
    client.dispatch(request, exchange);
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
