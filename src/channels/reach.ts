/** Whether a provider can be reached at all: a connection, encrypted where its address says so, and nothing over it. */
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { ChannelCheck, ChannelTrouble } from '../domain/channelPorts.ts';
import { describeError } from './text.ts';

const byCode: Readonly<Record<string, ChannelTrouble>> = {
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  EAI_FAIL: 'dns',
  ECONNREFUSED: 'refused',
  EPROTO: 'tls',
};
const ofTls = /CERT|TLS|SSL|SIGNATURE/;

/** What a code of the operating system, or of Node's TLS, says of a connection. */
export const troubleOf = (code: string | undefined): ChannelTrouble =>
  byCode[code ?? ''] ?? (ofTls.test(code ?? '') ? 'tls' : 'unreachable');

/** The code of an error, or of the first of several addresses that were tried. */
const codeOf = (error: unknown): string | undefined => {
  const { code, errors } = error as { code?: unknown; errors?: { code?: unknown }[] };
  const found = code ?? errors?.[0]?.code;
  return typeof found === 'string' ? found : undefined;
};

/** The words of OpenSSL without its line numbers, where it was OpenSSL. */
function saidBy(error: Error & { reason?: unknown }): string {
  const { reason } = error;
  if (typeof reason !== 'string' || reason === '') return describeError(error);
  return `${reason}${/wrong version/i.test(reason) ? ': it does not speak TLS' : ''}`;
}

/** Connects to the host of an http or https address and closes again. Never throws. */
export function reach(url: URL, signal: AbortSignal): Promise<ChannelCheck> {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const isEncrypted = url.protocol === 'https:';
  const port = url.port === '' ? (isEncrypted ? 443 : 80) : Number(url.port);
  const where = `${url.hostname}:${port}`;
  const left = 'whether it takes the messages, and the token where there is one, shows with the first message';
  return new Promise((resolve) => {
    const socket: Socket | TLSSocket = isEncrypted
      ? connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}) })
      : connect({ host, port });
    const end = (check: ChannelCheck): void => {
      signal.removeEventListener('abort', abort);
      socket.destroy();
      resolve(check);
    };
    const abort = (): void => end({ kind: 'failed', trouble: 'late', found: `${where} did not answer` });
    socket.once(isEncrypted ? 'secureConnect' : 'connect', () => {
      const protocol = isEncrypted ? `, encrypted by ${(socket as TLSSocket).getProtocol() ?? 'TLS'}` : '';
      end({ kind: 'ready', found: `${where} answers${protocol}`, left });
    });
    socket.on('error', (error) =>
      end({ kind: 'failed', trouble: troubleOf(codeOf(error)), found: `${where}: ${saidBy(error)}` }),
    );
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}
