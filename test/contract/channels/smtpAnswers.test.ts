/** What a server says, and what is made of it: the message's fault, the channel's trouble, or nobody's. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BoundedChannel } from '../../../src/channels/bounded.ts';
import { SmtpDriver } from '../../../src/channels/smtp.ts';
import type { Channel, SendResult } from '../../../src/domain/channelPorts.ts';
import { systemClock } from '../../../src/worker/systemClock.ts';
import { selfSigned } from '../../support/certificate.ts';
import { type Behaviour, type MailServer, reply, startMailServer } from '../../support/smtp.ts';
import { waitFor } from '../../support/waitFor.ts';
import { config, message, never } from './conformance.ts';
import { channelAt, from, quiet } from './smtpChannel.ts';

let server: MailServer;
let channel: Channel;
async function start(behaviour: Behaviour, given: Parameters<typeof channelAt>[1] = {}): Promise<void> {
  server = await startMailServer(behaviour);
  channel = channelAt(server.port, given);
}
const send = (n: number, to = `contact${n}@example.com`): Promise<SendResult> =>
  channel.send(message(n, { to }), never());

afterEach(async () => {
  await channel.close();
  await server.close();
});

describe('a reply', () => {
  const final = (code: string) => ({ kind: 'rejected', code, message: expect.any(String) });
  const dead = (code: string) => ({ ...final(code), bounce: true });
  const again = (code: string) => ({ kind: 'retry', code, counts: true });
  const later = (code: string) => ({ ...again(code), ofRecipient: true });
  const trouble = (code: string) => ({ kind: 'retry', code, counts: false, retryAfterMs: expect.any(Number) });
  it.each<[string, Behaviour, object]>([
    ['550 5.1.1 for the recipient', { onRcpt: () => reply(550, '5.1.1 no such user') }, dead('address_invalid')],
    ['550 5.2.1 for the recipient', { onRcpt: () => reply(550, '5.2.1 disabled') }, dead('smtp_550')],
    ['552 5.2.2 for the recipient', { onRcpt: () => reply(552, '5.2.2 mailbox full') }, final('smtp_552')],
    ['452 4.2.2 for the recipient', { onRcpt: () => reply(452, '4.2.2 mailbox full') }, later('smtp_452')],
    ['421 for the recipient', { onRcpt: () => reply(421, '4.7.0 too many') }, trouble('smtp_421')],
    ['550 5.7.1 for the recipient', { onRcpt: () => reply(550, '5.7.1 policy') }, final('smtp_550')],
    ['450 4.2.1 for the recipient', { onRcpt: () => reply(450, '4.2.1 greylisted') }, later('smtp_450')],
    ['530 for the recipient', { onRcpt: () => reply(530, '5.7.0 login first') }, trouble('login_failed')],
    ['550 5.1.8 for the sender', { onMail: () => reply(550, '5.1.8 bad sender') }, trouble('sender_refused')],
    [
      'a sender refused with the recipient',
      { onRcpt: () => reply(553, '5.7.1 <news@example.org>: Sender address rejected: not owned by user') },
      trouble('sender_refused'),
    ],
    ['552 for the sender', { onMail: () => reply(552, '5.3.4 too large') }, final('smtp_552')],
    ['451 for the sender', { onMail: () => reply(451, '4.3.0 later') }, again('smtp_451')],
    ['554 for the message', { onMessage: () => reply(554, '5.6.0 spam') }, final('smtp_554')],
    ['550 5.1.1 for the message', { onMessage: () => reply(550, '5.1.1 nobody') }, dead('address_invalid')],
    ['550 5.7.1 for the message', { onMessage: () => reply(550, '5.7.1 policy') }, final('smtp_550')],
    ['452 for the message', { onMessage: () => reply(452, '4.3.1 disk full') }, again('smtp_452')],
    ['421 for the message', { onMessage: () => reply(421, '4.3.2 shutting down') }, again('smtp_421')],
    ['421 for the sender', { onMail: () => reply(421, '4.7.0 too many') }, trouble('smtp_421')],
    ['421 as the greeting', { onConnect: () => reply(421, '4.7.0 too many') }, trouble('smtp_421')],
    ['554 as the greeting', { onConnect: () => reply(554, '5.7.1 not you') }, trouble('smtp_554')],
  ])('%s', async (_, behaviour, expected) => {
    await start(behaviour);
    const message = expect.any(String);
    expect(await send(1)).toEqual({ message, ...expected });
    expect(server.mails).toEqual([]);
  });

  it('of a redirection says nothing of the contact', async () => {
    await start({ onRcpt: () => reply(550, '5.1.1 no such user') }, { redirect: 'tester@example.com' });
    expect(await send(1)).toEqual({
      ...{ kind: 'rejected', code: 'address_invalid', message: expect.stringContaining('no such user') },
    });
  });

  it('is told in one line, with its enhanced code and where it came', async () => {
    await start({ onRcpt: () => reply(550, '5.1.1 <contact1@example.com>: no such user \u202e') });
    expect(await send(1)).toMatchObject({
      message: 'SMTP 550 5.1.1 at RCPT TO: <contact1@example.com>: no such user',
    });
  });

  it.each([
    ['2.0.0 Ok: queued as 4F1B2C3D', '4F1B2C3D'],
    ['OK id=1sAbCd-0004Xy-2Z', '1sAbCd-0004Xy-2Z'],
    ['2.0.0 41234567890123 Message accepted for delivery', '41234567890123'],
    ['ok 1755000000 qp 12345', '12345'],
    ['2.6.0 <a1@b.example> [InternalId=123, Hostname=x] Queued mail for delivery', '123'],
    ['Ok 0100018b5c3c0a4f-12345678-000000', '0100018b5c3c0a4f-12345678-000000'],
    ['2.0.0 OK  1755000000 a1b2.12 - gsmtp', '1755000000 a1b2.12'],
    ['Message Queued (5A2B-1)', '5A2B-1'],
    ['Thank you', undefined],
    ['OK: message queued', undefined],
  ])('250 %s has the id %s', async (text, id) => {
    await start({ onMessage: () => text });
    expect(await send(1)).toEqual(id === undefined ? { kind: 'sent' } : { kind: 'sent', providerMessageId: id });
  });
});

describe('a connection', () => {
  it('serves one mail after the other, also behind a recipient that was refused', async () => {
    await start({ onRcpt: (to) => (to.startsWith('no') ? reply(550, '5.1.1 nobody') : undefined) }, { concurrency: 1 });
    const results = await Promise.all([send(1), send(2, 'no@example.com'), send(3), send(4, 'nobody@x.test'), send(5)]);
    expect(results.map(({ kind }) => kind)).toEqual(['sent', 'rejected', 'sent', 'rejected', 'sent']);
    expect(server.connections()).toBe(1);
  });

  it('is replaced at once when the server closed it meanwhile, and nothing is counted', async () => {
    await start({ options: { socketTimeout: 500, closeTimeout: 1 } });
    expect(await send(1)).toMatchObject({ kind: 'sent' });
    await waitFor(() => server.open() === 0, { what: 'the server to close it' });
    expect(await send(2)).toMatchObject({ kind: 'sent' });
    expect(server.connections()).toBe(2);
  });

  it('is replaced when the server has had enough of it, and others go on', async () => {
    let mails = 0;
    await start({ onMail: () => (++mails % 3 === 0 ? reply(421, '4.7.0 enough') : undefined) }, { concurrency: 2 });
    const results = await Promise.all(Array.from({ length: 12 }, (_, n) => send(n)));
    // A fresh connection that is refused as well is the server's trouble; nothing is lost, nothing is sent twice.
    for (const result of results)
      expect(result.kind === 'sent' || (result.kind === 'retry' && !result.counts)).toBe(true);
    const sent = results.filter(({ kind }) => kind === 'sent').length;
    expect(server.mails).toHaveLength(sent);
    expect(sent).toBeGreaterThan(6);
  });

  it('ends after a hundred mails, and never are there more than the concurrency', async () => {
    let most = 0;
    const look = (): undefined => {
      most = Math.max(most, server.open());
    };
    await start({ onMail: look }, { concurrency: 2 });
    const results = await Promise.all(Array.from({ length: 240 }, (_, n) => send(n)));
    expect(results.every(({ kind }) => kind === 'sent')).toBe(true);
    expect([3, 4]).toContain(server.connections());
    // One that takes its leave may still be there beside its successor.
    expect(most).toBeLessThanOrEqual(3);
  });

  it('is not opened for what may not leave', async () => {
    await start({}, { concurrency: 1 });
    await send(1);
    const refused = Array.from({ length: 20 }, (_, n) => channel.send(message(n), never(), () => false));
    for (const result of await Promise.all(refused)) expect(result).toMatchObject({ code: 'not_begun', counts: false });
    expect(await send(2)).toMatchObject({ kind: 'sent' });
    expect([server.connections(), server.mails.length]).toEqual([1, 2]);
  });

  it('that had all of a mail but its dot gets no dot once it may not leave any more', async () => {
    await start({});
    let asked = 0;
    const result = await channel.send(message(1), never(), () => ++asked === 1);
    expect(result).toMatchObject({ kind: 'retry', code: 'not_begun', counts: false });
    await waitFor(() => server.open() === 0, { what: 'the connection to end' });
    expect([asked, server.mails.length]).toEqual([2, 0]);
  });

  it('takes its leave when the channel is closed', async () => {
    await start({});
    await send(1);
    await channel.close();
    await waitFor(() => server.open() === 0, { what: 'the connection to end' });
  });
});

describe('login and encryption', () => {
  let told: unknown[];
  beforeEach(() => {
    told = [];
  });
  const secured = async (
    scheme: 'smtp' | 'smtps',
    given: { trusted?: boolean; pass?: string; behaviour?: Behaviour } = {},
  ): Promise<void> => {
    const { key, cert } = await selfSigned();
    server = await startMailServer({
      login: { user: 'app', pass: 'p@ss wörd' },
      options: { key, cert, secure: scheme === 'smtps' },
      ...given.behaviour,
    });
    const pass = encodeURIComponent(given.pass ?? 'p@ss wörd');
    const settings = config({ driver: 'smtp', url: `${scheme}://app:${pass}@localhost:${server.port}`, from });
    const driver = new SmtpDriver(settings, {
      clock: systemClock,
      logger: { ...quiet, warn: (_, fields) => told.push(fields) },
      ...(given.trusted === false ? {} : { ca: cert }),
    });
    channel = new BoundedChannel(settings, driver, systemClock);
  };

  it.each(['smtp', 'smtps'] as const)('%s:// encrypts before it logs in', async (scheme) => {
    await secured(scheme);
    expect(await send(1)).toMatchObject({ kind: 'sent' });
    expect(server.mails[0]).toMatchObject({ user: 'app', secure: true });
  });

  it.each(['smtp', 'smtps'] as const)('%s:// trusts no certificate that it does not know', async (scheme) => {
    await secured(scheme, { trusted: false });
    expect(await send(1)).toMatchObject({ kind: 'retry', code: 'tls_failed', counts: false });
    expect(server.mails).toEqual([]);
  });

  it('a server without STARTTLS gets nothing', async () => {
    await start({});
    await channel.close();
    channel = channelAt(server.port, { url: `smtp://127.0.0.1:${server.port}` });
    expect(await send(1)).toMatchObject({ kind: 'retry', code: 'tls_failed', counts: false });
    expect(server.mails).toEqual([]);
  });

  it('a refused login is told to all without asking again, and the password to nobody', async () => {
    await secured('smtp', { pass: 'wrong-s3cret' });
    expect(await send(1)).toMatchObject({ kind: 'retry', code: 'login_failed', counts: false, retryAfterMs: 60_000 });
    const tried = server.connections();
    const results = await Promise.all(Array.from({ length: 20 }, (_, n) => send(n)));
    for (const result of results) expect(result).toMatchObject({ code: 'login_failed', counts: false });
    expect(told).toEqual([expect.objectContaining({ channel: 'email', code: 'login_failed' })]);
    expect(JSON.stringify([results, told])).not.toContain('s3cret');
    expect(server.connections()).toBe(tried);
  });
});

describe('a server that keeps to no rules', () => {
  /** Says `lines` one after the other: the greeting, then one for each line that ends with CRLF. */
  const scripted = async (
    talk: (line: string, said: string) => string | undefined,
    { lines, timeoutMs }: { lines: number; timeoutMs: number },
  ): Promise<SendResult> => {
    const raw = createServer((socket) => {
      let all = '';
      socket.on('error', () => undefined);
      socket.write('220 hello\r\n');
      socket.on('data', (chunk) => {
        for (const line of chunk.toString('latin1').split(/(?<=\r\n)/)) {
          all += line;
          const answer = talk(line, all);
          if (answer !== undefined) socket.write(answer);
        }
      });
    });
    raw.listen(0, '127.0.0.1');
    await once(raw, 'listening');
    const { port } = raw.address() as AddressInfo;
    channel = channelAt(port, { delivery: 'at-most-once', timeoutMs });
    const long = message(1, { content: { text: 'a line of a mail that goes on\n'.repeat(lines) } });
    const result = await channel.send(long, never());
    await channel.close();
    await new Promise((resolve) => raw.close(resolve));
    return result;
  };
  const usual = (line: string): string | undefined => {
    if (/^(MAIL|RCPT|EHLO)/.test(line)) return '250 fine\r\n';
    return line.startsWith('DATA') ? '354 go on\r\n' : undefined;
  };
  const long = { lines: 200_000, timeoutMs: 60_000 };
  beforeEach(async () => {
    server = await startMailServer();
  });

  it.each([
    ['refuses a mail that is still coming', '552 5.3.4 too large\r\n', { kind: 'rejected', code: 'smtp_552' }],
    ['takes a mail that is still coming', '250 fine\r\n', { kind: 'retry', code: 'connection_failed' }],
  ])('%s', async (_, answer, expected) => {
    let told = false;
    const result = await scripted((line, said) => {
      if (told || !said.includes('goes on')) return usual(line);
      told = true;
      return answer;
    }, long);
    expect(result).toMatchObject(expected);
  });

  it.each([
    ['354 still', 30_000],
    ['hello?', 30_000],
    ['999 what', 30_000],
    ['250-never the last', 3000],
  ])('answers the mail with %j: nobody knows', async (answer, timeoutMs) => {
    const result = await scripted((line) => (line === '.\r\n' ? `${answer}\r\n` : usual(line)), {
      ...{ lines: 2, timeoutMs },
    });
    expect(result).toMatchObject({ kind: 'unknown' });
  });

  it.each(['251 will forward', '252 we will see'])(
    'answers the recipient with %s: a yes (RFC 5321, 4.2.3)',
    async (answer) => {
      const result = await scripted(
        (line) => (line.startsWith('RCPT') ? `${answer}\r\n` : line === '.\r\n' ? '250 fine\r\n' : usual(line)),
        { lines: 2, timeoutMs: 30_000 },
      );
      expect(result).toMatchObject({ kind: 'sent' });
    },
  );

  it('answers with a line without end', async () => {
    const result = await scripted((line) => (line.startsWith('EHLO') ? 'x'.repeat(3_000_000) : undefined), long);
    expect(result).toMatchObject({ kind: 'retry', code: 'connection_failed' });
  });
});

describe('an address that is not ASCII', () => {
  it('goes to a server that takes it', async () => {
    await start({});
    expect(await send(1, 'jörg@müller.example')).toMatchObject({ kind: 'sent' });
    expect(server.mails[0]?.to).toEqual(['jörg@müller.example']);
  });

  it('is refused where the server does not; a domain alone never needs it', async () => {
    await start({ options: { hideSMTPUTF8: true } });
    expect(await send(1, 'jörg@müller.example')).toEqual({
      ...{ kind: 'rejected', code: 'address_invalid' },
      message: 'the address is not ASCII, and the server has no SMTPUTF8',
    });
    expect(await send(2, 'joerg@müller.example')).toMatchObject({ kind: 'sent' });
  });
});
