/** One connection to the server. Only this file knows nodemailer's SMTPConnection. */
import type { Readable } from 'node:stream';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { Clock } from '../domain/systemPorts.ts';
import type { SmtpError } from './smtpAnswer.ts';

export interface SmtpServer {
  host: string;
  port: number;
  /**
   * `implicit`: TLS from the first byte; `required`: STARTTLS or nothing; `opportunistic`: where the server offers it, with whatever
   * certificate it has (RFC 7435), and else without.
   */
  tls: 'implicit' | 'required' | 'opportunistic' | 'none';
  /** Our name in EHLO. */
  name?: string;
  login?: { user: string; pass: string };
  /** Certificates to trust besides Node's own; for tests. */
  ca?: string;
}

type Done = (error: SmtpError | undefined, response?: string) => void;

/** Phases of ours end earlier: each hand-over has its deadline. These only free what nobody waits for. */
const libraryTimeoutMs = 3_600_000;
const quitMs = 2000;

/** One command at a time; its `done` is called once, unless the session is closed from our side. */
export class SmtpSession {
  /** Mails that went over it. */
  mails = 0;
  /** It is open: encrypted and logged in. */
  ready = false;
  /** The server takes addresses that are not ASCII. */
  international = false;
  readonly #connection: SMTPConnection;
  readonly #login: SmtpServer['login'];
  readonly #clock: Clock;
  readonly #onGone: (session: SmtpSession) => void;
  #done: Done | undefined;
  #gone = false;

  /** `onGone`: the connection is no more, whoever ended it. */
  constructor(server: SmtpServer, clock: Clock, onGone: (session: SmtpSession) => void) {
    const { host, port, tls, name, login, ca } = server;
    this.#login = login;
    this.#clock = clock;
    this.#onGone = onGone;
    this.#connection = new SMTPConnection({
      ...{ host, port, secure: tls === 'implicit', requireTLS: tls === 'required', ignoreTLS: tls === 'none' },
      ...(name === undefined ? {} : { name }),
      ...(tls === 'opportunistic' ? { opportunisticTLS: true, tls: { rejectUnauthorized: false } } : {}),
      ...(ca === undefined || tls === 'opportunistic' ? {} : { tls: { ca } }),
      connectionTimeout: libraryTimeoutMs,
      greetingTimeout: libraryTimeoutMs,
      socketTimeout: libraryTimeoutMs,
      // What is closed by us is not waited for: whatever its buffers hold must not leave.
      socketCloseTimeout: 0,
      allowInternalNetworkInterfaces: true,
    });
    this.#connection.on('error', (error: SmtpError) => this.#finish(error));
    // Some ends are told before their cause is.
    this.#connection.once('end', () => {
      this.#gone = true;
      setImmediate(() => this.#finish(lost()));
      this.#onGone(this);
    });
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** Connects, encrypts, logs in. */
  open(done: Done): void {
    this.#done = done;
    this.#connection.connect((error?: unknown) => {
      if (error) {
        this.#finish(error as SmtpError);
        return;
      }
      // The answer to EHLO, one extension a line (RFC 5321, 4.1.1.1).
      this.international = /^250[ -]SMTPUTF8\b/im.test(String(this.#connection.lastServerResponse));
      const login = this.#login;
      if (login === undefined) this.#finish(undefined);
      else this.#connection.login({ user: login.user, pass: login.pass }, (refused: unknown) => this.#told(refused));
    });
  }

  send(envelope: { from: string; to: string; size?: number }, message: Readable, done: Done): void {
    this.#done = done;
    this.#connection.send({ ...envelope, to: [envelope.to] }, message, (error, info) => {
      this.#told(error, info?.response);
    });
  }

  /** Forgets what the server refused, so that another message can follow. */
  reset(done: Done): void {
    this.#done = done;
    this.#connection.reset((error: unknown) => this.#told(error));
  }

  /** At once. Nothing is told any more. */
  close(): void {
    this.#done = undefined;
    this.#connection.close();
  }

  /** Takes its leave; closed when the server has nothing to say to it. */
  quit(): void {
    if (this.#gone) return;
    this.#done = undefined;
    const stop = this.#clock.after(quitMs, () => this.close());
    this.#connection.once('end', stop);
    this.#connection.quit();
  }

  #told(error: unknown, response?: string): void {
    this.#finish(error ? (error as SmtpError) : undefined, response);
  }

  #finish(error: SmtpError | undefined, response?: string): void {
    if (error === undefined) this.ready = true;
    const done = this.#done;
    this.#done = undefined;
    done?.(error, response);
  }
}

const lost = (): SmtpError => new Error('the connection was closed');
