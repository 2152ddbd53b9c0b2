/** Whether a mail server lets us in: connection, greeting, encryption and login, then QUIT. No envelope, no mail. */
import type { ChannelCheck, ChannelTrouble } from '../domain/channelPorts.ts';
import type { Clock } from '../domain/systemPorts.ts';
import { troubleOf } from './reach.ts';
import { connectVerdict, describe, type SmtpError } from './smtpAnswer.ts';
import { type SmtpServer, SmtpSession } from './smtpSession.ts';

export interface CheckOptions {
  clock: Clock;
  /** Blanked where an answer repeats them. */
  secrets: readonly string[];
  signal: AbortSignal;
}

const byVerdict: Readonly<Record<string, ChannelTrouble>> = { login_failed: 'login', tls_failed: 'tls' };
const tlsWords: Readonly<Record<string, string>> = {
  implicit: 'encrypted from the first byte',
  required: 'encrypted by STARTTLS',
  none: 'not encrypted',
};

function failureOf(error: SmtpError, where: string, secrets: readonly string[]): ChannelCheck {
  const said = describe(error, secrets);
  const verdict = connectVerdict(error, said);
  const code = verdict !== undefined && 'code' in verdict ? verdict.code : undefined;
  const trouble =
    code === undefined ? troubleOf(error.originalCode ?? error.code) : (byVerdict[code] ?? ('answer' as const));
  return { kind: 'failed', trouble, found: `${where}: ${said}` };
}

/** Never throws. */
export function checkServer(server: SmtpServer, { clock, secrets, signal }: CheckOptions): Promise<ChannelCheck> {
  const where = `${server.host}:${server.port}`;
  return new Promise((resolve) => {
    const session = new SmtpSession(server, clock, () => undefined);
    const abort = (): void => {
      session.close();
      resolve({ kind: 'failed', trouble: 'late', found: `${where} did not answer` });
    };
    const end = (check: ChannelCheck): void => {
      signal.removeEventListener('abort', abort);
      resolve(check);
    };
    if (signal.aborted) {
      abort();
      return;
    }
    signal.addEventListener('abort', abort, { once: true });
    session.open((error) => {
      if (error !== undefined) {
        session.close();
        end(failureOf(error, where, secrets));
        return;
      }
      session.quit();
      const login = server.login === undefined ? 'no login is configured' : 'the login was taken';
      const left = 'whether it takes the sender (_FROM) shows with the first mail';
      end({ kind: 'ready', found: `${where} answers, ${tlsWords[server.tls] ?? server.tls}; ${login}`, left });
    });
  });
}
