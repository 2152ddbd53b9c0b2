/** docs/mail.md says what is true: what goes wrong on the way, row by row, with a server that does just that. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { SendResult } from '../../../src/domain/channelPorts.ts';
import { selfSigned } from '../../support/certificate.ts';
import { startMailServer } from '../../support/smtp.ts';
import { message, never } from './conformance.ts';
import { channelAt } from './smtpChannel.ts';

/** What a server says to a line, the connection's greeting being its answer to ''. `cut`: after that. Undefined: nothing. */
type Talk = (line: string, socket: Socket) => string | { cut: string } | undefined;
interface Scene {
  talk?: Talk;
  url?: string;
  encrypts?: boolean;
  timeoutMs?: number;
  times?: number;
}

const usual: Talk = (line) => {
  if (line === '') return '220 hello\r\n';
  if (line.startsWith('DATA')) return '354 go on\r\n';
  if (line.startsWith('QUIT')) return { cut: '221 bye\r\n' };
  return /^(EHLO|MAIL|RCPT|RSET)/.test(line) || line === '.\r\n' ? '250 fine\r\n' : undefined;
};
/** As usual, but to what begins like this. */
const at = (start: string, answer: ReturnType<Talk>): Talk => {
  const isIt = (line: string): boolean => (start === '' || start === '.\r\n' ? line === start : line.startsWith(start));
  return (line, socket) => (isIt(line) ? answer : usual(line, socket));
};
const soon = 250;

const scenes: Readonly<Record<string, Scene>> = {
  // a label has 63 characters at most: nobody has to be asked
  'the host’s name is not known': { url: `smtp://${'a'.repeat(70)}.test:25?tls=none` },
  'nobody listens': { url: 'smtp://127.0.0.1:1?tls=none' },
  'the certificate is not trusted': { encrypts: true },
  // 0x16: the first byte of a handshake (RFC 8446, 5.1)
  'TLS breaks off': { talk: (line) => (line.startsWith('\x16') ? { cut: 'no TLS' } : ehloWithTls(line)) },
  'no greeting in time': { talk: () => undefined, timeoutMs: soon },
  'the greeting is 421': { talk: at('', '421 4.3.2 too many\r\n') },
  'the greeting is no reply': { talk: at('', { cut: 'hello?\r\n' }) },
  '421 for the sender': { talk: at('MAIL', '421 4.7.0 too many\r\n') },
  '451 for the message, again and again': { talk: at('.\r\n', '451 4.3.0 later\r\n'), times: 5 },
  'slow, but in time': {
    talk(line, socket) {
      const answer = usual(line, socket);
      if (typeof answer !== 'string') return answer;
      for (const [n, byte] of [...answer].entries()) setTimeout(() => socket.write(byte), n);
      return undefined;
    },
  },
  'no answer to the recipient in time': { talk: at('RCPT', undefined), timeoutMs: soon },
  'cut off in the middle of the answer to the recipient': { talk: at('RCPT', { cut: '250 fi' }) },
  'cut off before the last dot': { talk: at('DATA', { cut: '354 go on\r\n' }) },
  'cut off behind the last dot': { talk: at('.\r\n', { cut: '' }) },
  'cut off in the middle of the last answer': { talk: at('.\r\n', { cut: '250 fi' }) },
  'no answer behind the last dot in time': { talk: at('.\r\n', undefined), timeoutMs: soon },
  'the last answer is no reply': { talk: at('.\r\n', 'hello?\r\n') },
};
function ehloWithTls(line: string): string | undefined {
  if (line.startsWith('EHLO')) return '250-fine\r\n250 STARTTLS\r\n';
  return line === '' || line.startsWith('STARTTLS') ? '220 go on\r\n' : undefined;
}

let server: Server;
let talk: Talk;
let sockets: Set<Socket>;
beforeEach(async () => {
  sockets = new Set();
  server = createServer((socket) => {
    sockets.add(socket);
    const answer = (line: string): void => {
      const said = talk(line, socket);
      if (typeof said === 'string') socket.write(said);
      else if (said !== undefined) socket.end(said.cut);
    };
    socket.on('error', () => undefined);
    answer('');
    socket.on('data', (chunk) => {
      for (const line of chunk.toString('latin1').split(/(?<=\r\n)/)) answer(line);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

const text = readFileSync(new URL('../../../docs/mail.md', import.meta.url), 'utf8');
const rows = text
  .slice(text.indexOf('| What happens |'), text.indexOf('## Links to leave by'))
  .split('\n')
  .filter((row) => row.startsWith('| ') && !row.startsWith('| What happens'))
  .map((row) => row.split('|').map((cell) => cell.trim().replaceAll('`', '')))
  .map(([, what = '', atLeastOnce = '', atMostOnce = '', code = '']) => ({ what, atLeastOnce, atMostOnce, code }));

const wordFor = (result: SendResult): string => {
  if (result.kind === 'retry') return result.counts ? 'another try' : 'waits';
  return result.kind === 'unknown' ? 'uncertain' : result.kind;
};

it('every row has its scene, and every scene its row', () => {
  expect(rows.map(({ what }) => what.replace("'", '’'))).toEqual(Object.keys(scenes));
});

it.each(rows)('$what', async ({ what, atLeastOnce, atMostOnce, code }) => {
  const scene = scenes[what.replace("'", '’')] as Scene;
  talk = scene.talk ?? usual;
  const own = scene.encrypts
    ? await startMailServer({ options: { ...(await selfSigned()), disabledCommands: [] } })
    : undefined;
  const port = own?.port ?? (server.address() as AddressInfo).port;
  const isTls = code === 'tls_failed';
  const url = scene.url ?? `smtp://localhost:${port}${isTls ? '' : '?tls=none'}`;
  for (const [delivery, expected] of [
    ['at-least-once', atLeastOnce],
    ['at-most-once', atMostOnce],
  ] as const) {
    const channel = channelAt(port, { url, delivery, timeoutMs: scene.timeoutMs ?? 30_000 });
    for (let n = 0; n < (scene.times ?? 1); n++) {
      const result = await channel.send(message(n), never());
      expect([wordFor(result), 'code' in result ? result.code : '']).toEqual([expected, code]);
    }
    await channel.close();
  }
  await own?.close();
});
