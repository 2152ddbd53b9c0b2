/** A real SMTP server that keeps what it was given, and does what a test wants of it. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerOptions, type SMTPServerSession } from 'smtp-server';

export interface Arrived {
  from: string;
  to: string[];
  /** As it came, each byte a character. */
  raw: string;
  user: string | undefined;
  secure: boolean;
}

/** An answer other than yes. */
export const reply = (responseCode: number, text: string): Error => Object.assign(new Error(text), { responseCode });

export interface MailServer {
  readonly port: number;
  readonly mails: Arrived[];
  /** Connections so far, and at this moment. */
  connections(): number;
  open(): number;
  close(): Promise<void>;
}

type Verdict = Error | string | undefined;

export interface Behaviour {
  onConnect?(): Verdict;
  onMail?(from: string): Verdict;
  onRcpt?(to: string): Verdict;
  /** After the last dot. */
  onMessage?(mail: Arrived): Verdict | Promise<Verdict>;
  login?: { user: string; pass: string };
  options?: SMTPServerOptions;
}

const addressOf = (given: { address?: string } | false): string => (given === false ? '' : (given.address ?? ''));

export async function startMailServer(behaviour: Behaviour = {}): Promise<MailServer> {
  const mails: Arrived[] = [];
  let connections = 0;
  let open = 0;
  const tell = (verdict: Verdict, done: (error?: Error | null) => void): void =>
    done(verdict instanceof Error ? verdict : null);
  const server = new SMTPServer({
    authOptional: behaviour.login === undefined,
    ...(behaviour.login === undefined ? { disabledCommands: ['AUTH', 'STARTTLS'] } : {}),
    logger: false,
    disableReverseLookup: true,
    onConnect(_session, done) {
      connections += 1;
      open += 1;
      tell(behaviour.onConnect?.(), done);
    },
    onClose() {
      open -= 1;
    },
    onAuth({ username, password }, _session, done) {
      const { user, pass } = behaviour.login ?? {};
      if (username === user && password === pass) done(null, { user });
      else done(reply(535, '5.7.8 authentication failed'));
    },
    onMailFrom: (address, _session, done) => tell(behaviour.onMail?.(address.address), done),
    onRcptTo: (address, _session, done) => tell(behaviour.onRcpt?.(address.address), done),
    onData(stream, session: SMTPServerSession, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        const mail: Arrived = {
          from: addressOf(mailFrom),
          to: rcptTo.map(({ address }) => address),
          raw: Buffer.concat(chunks).toString('latin1'),
          user: session.user as string | undefined,
          secure: session.secure,
        };
        void Promise.resolve(behaviour.onMessage?.(mail)).then((verdict) => {
          if (verdict instanceof Error) {
            done(verdict);
            return;
          }
          mails.push(mail);
          done(null, verdict);
        });
      });
    },
    ...behaviour.options,
  });
  server.on('error', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  return {
    port: (server.server.address() as AddressInfo).port,
    mails,
    connections: () => connections,
    open: () => open,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
