import type { Dispatcher } from 'undici';
import type { ChannelConfig } from '../config.ts';
import type { ChannelCheck } from '../domain/channelPorts.ts';
import { ServiceError } from '../domain/errors.ts';
import { parseMailbox } from '../domain/mailAddress.ts';
import type { Clock, Logger } from '../domain/systemPorts.ts';
import type { Driver, Handover } from './handover.ts';
import { secretsOf } from './smtpAnswer.ts';
import { AttachmentSource, AttachmentUnavailable } from './smtpAttachments.ts';
import { checkServer } from './smtpCheck.ts';
import { Delivery, type Setup } from './smtpDelivery.ts';
import { composeMail, MailFault } from './smtpMessage.ts';
import { SmtpPool } from './smtpPool.ts';
import type { SmtpServer } from './smtpSession.ts';
import { dkimSigner, type Signer } from './smtpSigning.ts';
import { describeError } from './text.ts';
import { troubleLog } from './trouble.ts';

/** A stray percent sign in user or password stands for itself. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function serverOf({ url: text = '', token }: ChannelConfig, ca: string | undefined): SmtpServer {
  const { protocol, hostname, port, username, password, searchParams } = new URL(text);
  const implicit = protocol === 'smtps:';
  const name = searchParams.get('name');
  const login = { user: decoded(username), pass: token ?? decoded(password) };
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    // RFC 8314, 3.3 and RFC 6409, 3.1.
    port: port === '' ? (implicit ? 465 : 587) : Number(port),
    tls: implicit ? 'implicit' : ((searchParams.get('tls') as 'opportunistic' | 'none' | null) ?? 'required'),
    ...(name === null ? {} : { name }),
    ...(username === '' ? {} : { login }),
    ...(ca === undefined ? {} : { ca }),
  };
}

export interface SmtpDependencies {
  clock: Clock;
  logger: Logger;
  /** Certificates to trust besides Node's own; for tests. */
  ca?: string;
  dispatcher?: Dispatcher;
}

/** Mail by SMTP (RFC 5321) over connections that are kept, as many as the channel's concurrency; one recipient a mail. */
export class SmtpDriver implements Driver {
  readonly #setup: Setup;
  readonly #look: (signal: AbortSignal) => Promise<ChannelCheck>;
  readonly #attachments: AttachmentSource;
  readonly #sign: Signer | undefined;

  /** Throws ServiceError `config_invalid`. */
  constructor(config: ChannelConfig, { clock, logger, ca, dispatcher }: SmtpDependencies) {
    const { name, url = '', from = '', headers, attachmentHosts = [], dkim, timeoutMs } = config;
    const refuse = (what: string): ServiceError => new ServiceError('config_invalid', `channel ${name}: ${what}`);
    if (!URL.canParse(url) || !/^smtps?:\/\//i.test(url)) throw refuse('driver smtp needs an smtp:// or smtps:// URL');
    if (parseMailbox(from) === undefined) throw refuse('driver smtp needs a sender (_FROM)');
    const server = serverOf(config, ca);
    this.#setup = {
      pool: new SmtpPool(server, clock),
      defaults: { from, headers },
      secrets: server.login === undefined ? [] : secretsOf(server.login),
      onTrouble: troubleLog(name, clock, logger),
    };
    this.#look = (signal) => checkServer(server, { clock, secrets: this.#setup.secrets, signal });
    this.#sign = dkim && dkimSigner(dkim, `CHANNEL_${name.toUpperCase()}_DKIM_KEY`);
    this.#attachments = new AttachmentSource(attachmentHosts, timeoutMs, clock, dispatcher);
  }

  start(handover: Handover): void {
    const { message } = handover;
    const attachments = message.content.attachments ?? [];
    const deliver = (loaded: Parameters<typeof composeMail>[2]): void => {
      const delivery = new Delivery(handover, this.#setup, () =>
        composeMail(message, this.#setup.defaults, loaded, this.#sign),
      );
      handover.wire = delivery;
      delivery.start();
    };
    const refuse = (error: unknown): void => {
      const { code } = error as { code?: string };
      if (error instanceof AttachmentUnavailable) handover.lost('attachment_unavailable', describeError(error));
      else {
        const known = error instanceof MailFault && code !== undefined ? code : 'message_invalid';
        handover.settle({ kind: 'rejected', code: known, message: describeError(error) });
      }
    };
    if (!Array.isArray(attachments) || attachments.length > 0) {
      this.#attachments
        .load(attachments, () => !handover.settled)
        .then((loaded) => {
          if (!handover.settled) deliver(loaded);
        })
        .catch(refuse);
      return;
    }
    try {
      deliver([]);
    } catch (error) {
      refuse(error);
    }
  }

  check(signal: AbortSignal): Promise<ChannelCheck> {
    return this.#look(signal);
  }

  async close(): Promise<void> {
    await this.#setup.pool.close();
  }
}
