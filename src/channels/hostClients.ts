import { type buildConnector, Client } from 'undici';

/**
 * Connections to many hosts, one `Client` each: those that are lent out, and up to `idle` that wait to be used again, the
 * ones that were used last. Whoever lends at most n has at most n + `idle` open, whatever the hosts.
 */
export class HostClients {
  readonly #connect: buildConnector.connector;
  readonly #idleLimit: number;
  readonly #lent = new Set<Client>();
  /** In the order in which they were given back. */
  readonly #idle = new Set<Client>();
  readonly #originOf = new WeakMap<Client, string>();

  constructor(connect: buildConnector.connector, idle: number) {
    this.#connect = connect;
    this.#idleLimit = idle;
  }

  /** For one request to this scheme, host and port. */
  lend(origin: string): Client {
    const used = [...this.#idle].findLast((client) => this.#originOf.get(client) === origin);
    const client = used ?? this.#open(origin);
    this.#idle.delete(client);
    this.#lent.add(client);
    return client;
  }

  #open(origin: string): Client {
    // The hand-over's own deadline ends all phases.
    const options = { pipelining: 1, headersTimeout: 0, bodyTimeout: 0, connect: this.#connect, allowH2: false };
    const client = new Client(origin, options);
    this.#originOf.set(client, origin);
    return client;
  }

  /** Its request is over. */
  giveBack(client: Client): void {
    this.#lent.delete(client);
    if (client.destroyed) return;
    this.#idle.add(client);
    const [oldest] = this.#idle;
    if (oldest !== undefined && this.#idle.size > this.#idleLimit) {
      this.#idle.delete(oldest);
      void oldest.destroy();
    }
  }

  async close(): Promise<void> {
    const all = [...this.#idle, ...this.#lent];
    this.#idle.clear();
    await Promise.all(all.map((client) => client.destroy()));
  }
}
