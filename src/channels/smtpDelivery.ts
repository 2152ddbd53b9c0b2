import { Readable } from 'node:stream';
import type { SendResult } from '../domain/channelPorts.ts';
import type { Handover, Wire } from './handover.ts';
import { connectVerdict, describe, queueIdOf, replyVerdict, type SmtpError } from './smtpAnswer.ts';
import type { Mail, MailDefaults } from './smtpMessage.ts';
import type { SmtpPool } from './smtpPool.ts';
import type { SmtpSession } from './smtpSession.ts';

/** What a channel settles once. */
export interface Setup {
  pool: SmtpPool;
  defaults: MailDefaults;
  /** Blanked where a reply repeats them. */
  secrets: readonly string[];
  /** Told of what concerns the whole channel. */
  onTrouble: (code: string, message: string) => void;
}

/**
 * One mail on its way. The server can take it only once it has the last dot, so the message is in doubt from just before
 * that dot: whatever breaks earlier is a retry, of which nothing left.
 */
export class Delivery implements Wire {
  readonly #handover: Handover;
  readonly #setup: Setup;
  readonly #compose: () => Mail;
  #session: SmtpSession | undefined;

  constructor(handover: Handover, setup: Setup, compose: () => Mail) {
    this.#handover = handover;
    this.#setup = setup;
    this.#compose = compose;
  }

  cut(): void {
    this.#session?.close();
  }

  /** `fresh`: a connection that had been waiting was dead. Throws MailFault. */
  start(fresh = false): void {
    const { pool, secrets } = this.#setup;
    const mail = this.#compose();
    const refusal = pool.refusal();
    if (refusal !== undefined) {
      this.#handover.settle(refusal);
      return;
    }
    const session = pool.take(fresh);
    this.#session = session;
    if (session.ready) this.#transmit(session, mail, true);
    else {
      session.open((error) => {
        if (error === undefined) {
          pool.letIn();
          this.#transmit(session, mail, false);
          return;
        }
        session.close();
        const said = describe(error, secrets);
        const verdict = connectVerdict(error, said);
        if (error.code === 'EAUTH' && verdict !== undefined) pool.refuse(verdict);
        if (verdict === undefined) this.#handover.lost('connection_failed', said);
        else this.#settle(verdict);
      });
    }
  }

  #transmit(session: SmtpSession, mail: Mail, reused: boolean): void {
    const { pool } = this.#setup;
    const handover = this.#handover;
    if (mail.international && !session.international) {
      const message = 'the address is not ASCII, and the server has no SMTPUTF8';
      pool.give(session);
      handover.settle({ kind: 'rejected', code: 'address_invalid', message });
      return;
    }
    // Asked before anything of the message is shown to the server, and again before the dot.
    // Whoever is told no makes room for the next message, which finds the connection free.
    pool.give(session);
    if (!handover.begin(false)) return;
    pool.keep(session);
    session.mails += 1;
    session.send(mail.envelope, this.#guarded(session, mail), (error, response = '') => {
      if (error !== undefined) this.#failed(session, error, reused);
      else if (handover.begun) this.#sent(session, response);
      else this.#failed(session, new Error('the server answered before the mail had come to its end'), false);
    });
  }

  /** The mail's bytes, from when the server asks for them; their end, which becomes the dot, only when it may still leave. */
  #guarded(session: SmtpSession, mail: Mail): Readable {
    const handover = this.#handover;
    async function* bytes(): AsyncGenerator<Buffer> {
      yield* mail.open() as AsyncIterable<Buffer>;
      if (handover.begin()) return;
      session.close();
      throw new Error('it may not leave');
    }
    return Readable.from(bytes(), { objectMode: false });
  }

  #sent(session: SmtpSession, response: string): void {
    const id = queueIdOf(response);
    this.#setup.pool.give(session);
    this.#handover.settle({ kind: 'sent', ...(id === undefined ? {} : { providerMessageId: id }) });
  }

  #failed(session: SmtpSession, error: SmtpError, reused: boolean): void {
    const { secrets } = this.#setup;
    const handover = this.#handover;
    const said = describe(error, secrets);
    // Anything else is no answer to what was asked (RFC 5321, 4.2.1): nobody knows what it means.
    const { responseCode = 0 } = error;
    const answered = responseCode >= 400 && responseCode < 600;
    if (error.response === undefined && (error.code === 'EMESSAGE' || error.code === 'EENVELOPE')) {
      // Refused by the library for what the server had announced, such as its SIZE: no command was written.
      this.#setup.pool.give(session);
      handover.settle({ kind: 'rejected', code: 'message_refused', message: said });
    } else if (reused && !handover.begun && !handover.settled && (!answered || responseCode === 421)) {
      // A server ends connections that waited, and those it thinks are old: nothing of the message left.
      session.close();
      this.start(true);
    } else if (answered) {
      handover.verdict = replyVerdict(error, said);
      this.#reset(session, error);
    } else {
      session.close();
      handover.lost(handover.begun ? 'connection_lost' : 'connection_failed', said);
    }
  }

  /** The result is told once the connection is free for another message, or gone: never more of them than the limit. */
  #reset(session: SmtpSession, { code, responseCode }: SmtpError): void {
    const settle = (): void => {
      const { verdict } = this.#handover;
      if (verdict !== undefined) this.#settle(verdict);
    };
    // A server that refuses a mail while it is still coming would read what follows as the rest of it.
    const halfway = code === 'EMESSAGE' && !this.#handover.begun;
    if (session.gone || halfway || responseCode === 421 || responseCode === 503) {
      session.close();
      settle();
      return;
    }
    session.reset((error) => {
      if (error !== undefined) session.close();
      this.#setup.pool.give(session);
      settle();
    });
  }

  #settle(result: SendResult): void {
    if (result.kind === 'retry' && !result.counts) this.#setup.onTrouble(result.code, result.message);
    this.#handover.settle(result);
  }
}
