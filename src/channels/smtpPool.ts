/** Connections that are kept for the next mail, and what is known of a server that lets nobody in. */
import type { SendResult } from '../domain/channelPorts.ts';
import type { Clock } from '../domain/systemPorts.ts';
import { type SmtpServer, SmtpSession } from './smtpSession.ts';

/** Servers keep an idle connection for 5 minutes (RFC 5321, 4.5.3.2.7), firewalls not always. */
const idleMs = 60_000;
/** Many servers end a connection after as many. */
const mailsPerConnection = 100;

export class SmtpPool {
  readonly #server: SmtpServer;
  readonly #clock: Clock;
  /** The one used last comes last, and is used first. */
  readonly #idle = new Map<SmtpSession, () => void>();
  readonly #all = new Set<SmtpSession>();
  #refusal: { result: SendResult; until: number } | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(server: SmtpServer, clock: Clock) {
    this.#server = server;
    this.#clock = clock;
  }

  /** A connection that is open, or a new one that is still to be opened. `fresh`: the ones that wait are not trusted. */
  take(fresh: boolean): SmtpSession {
    const waiting = [...this.#idle.keys()].at(-1);
    if (waiting !== undefined) {
      this.keep(waiting);
      if (!fresh) return waiting;
      // It takes the place of this one: never more connections than messages under way.
      waiting.close();
    }
    const session = new SmtpSession(this.#server, this.#clock, (gone) => {
      this.keep(gone);
      this.#all.delete(gone);
      if (this.#all.size === 0) this.#onEmpty?.();
    });
    this.#all.add(session);
    return session;
  }

  give(session: SmtpSession): void {
    if (session.gone) return;
    if (session.mails >= mailsPerConnection) session.quit();
    else
      this.#idle.set(
        session,
        this.#clock.after(idleMs, () => this.#retire(session)),
      );
  }

  /** It serves a message: nobody else gets it. */
  keep(session: SmtpSession): void {
    this.#idle.get(session)?.();
    this.#idle.delete(session);
  }

  /** What every message is told while the server refuses our login; one after each pause tries it again. */
  refusal(): SendResult | undefined {
    const refusal = this.#refusal;
    if (refusal === undefined) return undefined;
    const now = this.#clock.monotonic();
    if (now < refusal.until) return refusal.result;
    this.refuse(refusal.result);
    return undefined;
  }

  refuse(result: SendResult): void {
    const pauseMs = result.kind === 'retry' ? (result.retryAfterMs ?? 0) : 0;
    this.#refusal = { result, until: this.#clock.monotonic() + pauseMs };
  }

  letIn(): void {
    this.#refusal = undefined;
  }

  /** All take their leave; resolves when no connection is left. */
  async close(): Promise<void> {
    for (const session of [...this.#idle.keys()]) this.#retire(session);
    if (this.#all.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  #retire(session: SmtpSession): void {
    this.keep(session);
    session.quit();
  }
}
