/** A whole mail as a server got it: every header it has, its signature, and what attacks on any of its parts come to. */
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Agent } from 'undici';
import { BoundedChannel } from '../../../src/channels/bounded.ts';
import { SmtpDriver } from '../../../src/channels/smtp.ts';
import { messageIdOf } from '../../../src/channels/smtpMessage.ts';
import type { ChannelConfig } from '../../../src/config.ts';
import type { Channel, OutboundMessage } from '../../../src/domain/channelPorts.ts';
import { systemClock } from '../../../src/worker/systemClock.ts';
import { selfSigned } from '../../support/certificate.ts';
import { fieldsOf, verifyDkim } from '../../support/dkim.ts';
import { type MailServer, reply, startMailServer } from '../../support/smtp.ts';
import { config, message, never } from './conformance.ts';
import { parse, quiet } from './smtpChannel.ts';

const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
const dkim = {
  ...{ domain: 'compass.example', selector: '2026a' },
  key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
};
const pdf = Buffer.from('%PDF-1.7 \0\r\n.\r\nan offer');

let files: Server;
let host: string;
let dispatcher: Agent;
let server: MailServer;
let channel: Channel;
beforeAll(async () => {
  const pair = await selfSigned();
  files = createServer(pair, (_, response) => response.end(pdf));
  files.listen(0, '127.0.0.1');
  await once(files, 'listening');
  host = `localhost:${(files.address() as AddressInfo).port}`;
  dispatcher = new Agent({ connect: { ca: pair.cert } });
});
afterAll(async () => {
  await dispatcher.close();
  files.closeAllConnections();
  files.close();
});

function open(given: Partial<ChannelConfig> = {}): Channel {
  const settings = config({
    ...{ driver: 'smtp', url: `smtp://127.0.0.1:${server.port}?tls=none`, attachmentHosts: [host], dkim },
    ...{ from: 'Żaneta at Compass <news@compass.example>', timeoutMs: 30_000 },
    ...given,
  });
  const driver = new SmtpDriver(settings, { clock: systemClock, logger: quiet, dispatcher });
  return new BoundedChannel(settings, driver, systemClock);
}
beforeEach(async () => {
  server = await startMailServer();
  channel = open();
});
afterEach(async () => {
  await channel.close();
  await server.close();
});

const content = {
  ...{ subject: 'Grüße, Ζωή 👋', text: 'Hello Ζωή\n.\nBye', html: '<p>Hello <b>Ζωή</b></p>', toName: 'Ζωή "Z", Ltd.' },
  from: 'Żaneta at Compass <news@compass.example>',
  headers: {
    'Reply-To': 'Team <team@compass.example>',
    'List-Unsubscribe': '<mailto:stop@compass.example?subject=tok>, <https://compass.example/u/tok>',
    'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
  },
};
const offer = (filename: string) => ({ filename, href: `https://${host}/offer`, contentType: 'application/pdf' });
const whole: OutboundMessage['content'] = { ...content, attachments: [] };
const last = () => {
  const mail = server.mails.at(-1);
  if (mail === undefined) throw new Error('no mail arrived');
  return mail;
};
/** Unfolded (RFC 5322, 2.2.3), in order. */
const headers = (): [string, string][] =>
  fieldsOf(last().raw).map((field) => {
    const line = field.replaceAll('\r\n', '');
    return [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)];
  });
const names = (): string[] => headers().map(([name]) => name);
const valid = (): boolean | undefined => verifyDkim(last().raw, keys.publicKey)?.valid;

it('a mail with everything has these headers and no other, and is read back as it was meant', async () => {
  const sent = message(1, {
    content: { ...whole, attachments: [offer('Angebot Größe 🧭.pdf')] },
    to: 'zoe@Example.com',
  });
  expect(await channel.send(sent, never())).toEqual({ kind: 'sent' });
  expect(last()).toMatchObject({ from: 'news@compass.example', to: ['zoe@example.com'] });
  const signature =
    /^v=1; a=rsa-sha256; c=relaxed\/relaxed; d=compass\.example; q=dns\/txt; s=2026a; bh=[\w+/]{43}=; h=[a-z:-]+; b=[\w+/ ]+={0,2}$/;
  expect(headers()).toEqual([
    // RFC 6376, 5.6: before what it signs
    ['DKIM-Signature', expect.stringMatching(signature)],
    // RFC 3834, 5
    ['Auto-Submitted', 'auto-generated'],
    ['Precedence', 'bulk'],
    ['Reply-To', 'Team <team@compass.example>'],
    // RFC 2369, 3.2; RFC 8058, 3.1
    ['List-Unsubscribe', content.headers['List-Unsubscribe']],
    ['List-Unsubscribe-Post', 'List-Unsubscribe=One-Click'],
    // RFC 5322, 3.6: each once; RFC 2047: encoded words where it is not ASCII
    ['From', '=?UTF-8?Q?=C5=BBaneta_at_Compass?= <news@compass.example>'],
    ['To', '=?UTF-8?Q?=CE=96=CF=89=CE=AE_=22Z=22=2C_Ltd=2E?= <zoe@example.com>'],
    ['Subject', expect.stringMatching(/^(=\?UTF-8\?[QB]\?[!-~]+\?= ?)+$/)],
    ['Message-ID', messageIdOf(sent.messageId, 'compass.example')],
    ['Date', 'Mon, 05 Jan 2026 09:00:00 +0000'],
    // RFC 2045, 4
    ['MIME-Version', '1.0'],
    ['Content-Type', expect.stringMatching(/^multipart\/mixed; boundary="[!-~]{1,70}"$/)],
  ]);

  const mail = await parse(last());
  expect(mail).toMatchObject({
    ...{ subject: content.subject, text: content.text, html: content.html, date: sent.queuedAt },
    from: { value: [{ name: 'Żaneta at Compass', address: 'news@compass.example' }] },
    to: { value: [{ name: 'Ζωή "Z", Ltd.', address: 'zoe@example.com' }] },
    replyTo: { value: [{ name: 'Team', address: 'team@compass.example' }] },
  });
  expect(mail.attachments).toMatchObject([
    {
      filename: 'Angebot Größe 🧭.pdf',
      contentType: 'application/pdf',
      content: pdf,
      contentDisposition: 'attachment',
    },
  ]);
  // RFC 5322, 2.1.1; RFC 5321, 4.5.3.1.6; nothing asks for 8BITMIME (RFC 6152)
  const lines = last().raw.split('\r\n');
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(998);
  expect(last().raw).toMatch(/^[\t\r\n -~]*$/);
  expect(last().raw).not.toMatch(/\r(?!\n)|(?<!\r)\n/);
});

it('a mail of text alone, without unsubscribe, has these', async () => {
  await channel.close();
  channel = open({ dkim: undefined as never });
  await channel.send(message(1, { content: { subject: 'Hi', text: 'Hello' } }), never());
  expect(names()).toEqual([
    ...['Auto-Submitted', 'From', 'To', 'Subject', 'Message-ID', 'Date', 'Content-Transfer-Encoding', 'MIME-Version'],
    'Content-Type',
  ]);
});

describe('a signature (DKIM)', () => {
  const h = 'from:reply-to:subject:date:message-id:to:mime-version:content-type:list-unsubscribe:list-unsubscribe-post';

  it('is valid, and covers what RFC 8058 asks for; of another key, or of a mail that was changed, it is not', async () => {
    await channel.send(message(1, { content: whole }), never());
    const { raw } = last();
    expect(verifyDkim(raw, keys.publicKey)).toMatchObject({ valid: true, signed: h.split(':') });
    const other = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
    expect(verifyDkim(raw, other)?.valid).toBe(false);
    for (const [was, is] of [
      ['Hello', 'Hallo'],
      ['One-Click', 'One-Clock'],
      ['09:00:00', '09:00:01'],
    ] as const) {
      expect(raw).toContain(was);
      expect(verifyDkim(raw.replace(was, is), keys.publicKey)?.valid).toBe(false);
    }
  });

  it('is the same at every try, to the byte, whoever makes it and whenever', async () => {
    await server.close();
    let tries = 0;
    const raws: string[] = [];
    server = await startMailServer({
      onMessage(mail) {
        raws.push(mail.raw);
        return ++tries === 1 ? reply(451, '4.3.0 later') : undefined;
      },
    });
    await channel.close();
    for (const kind of ['retry', 'sent', 'sent']) {
      channel = open();
      const sent = message(1, { content: { ...whole, attachments: [offer('a.pdf')] } });
      expect(await channel.send(sent, never())).toMatchObject({ kind });
      await channel.close();
    }
    expect(raws).toEqual([raws[0], raws[0], raws[0]]);
    expect(verifyDkim(raws[0] ?? '', keys.publicKey)?.valid).toBe(true);
    // no time of signing, and none of expiry
    expect([...(verifyDkim(raws[0] ?? '', keys.publicKey)?.tags.keys() ?? [])]).toEqual([
      ...['v', 'a', 'c', 'd', 'q', 's', 'bh', 'h', 'b'],
    ]);
  });

  it.each([
    ['line ends of all kinds', 'a\rb\nc\r\nd\n\re  \t\n\n\n'],
    ['dots', '.\n..\n.\r\n.x\n\n.'],
    ['long lines', 'word '.repeat(5000)],
    ['many bytes', 'Grüße & mehr. '.repeat(50_000)],
    ['spaces alone in lines', ' \n\t\n x \n'],
  ])('holds for %s', async (_, text) => {
    await channel.send(message(1, { content: { ...whole, text } }), never());
    expect(valid()).toBe(true);
  });

  it('holds where headers are not ASCII (RFC 6532)', async () => {
    await channel.send(message(1, { content: whole, to: 'jörg@müller.example' }), never());
    expect(valid()).toBe(true);
    expect(headers().find(([name]) => name === 'To')?.[1]).toMatch(/[\x80-\xff]/);
  });

  it('is not put off by a mail that may not leave, nor by one that is given up', async () => {
    let asked = 0;
    expect(await channel.send(message(1, { content: whole }), never(), () => ++asked === 1)).toMatchObject({
      code: 'not_begun',
    });
    expect(server.mails).toEqual([]);
    expect(await channel.send(message(1, { content: whole }), never())).toMatchObject({ kind: 'sent' });
    expect(valid()).toBe(true);
  });

  const pem = (type: 'ed25519' | 'x25519'): string =>
    generateKeyPairSync(type as 'ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const rsa = (bits: number): string =>
    generateKeyPairSync('rsa', { modulusLength: bits }).privateKey.export({ type: 'pkcs1', format: 'pem' }) as string;
  it.each([
    ['of a curve', () => pem('ed25519'), 'is a key for ed25519'],
    ['too short', () => rsa(1016), 'has 1016 bits'],
    ['broken', () => dkim.key.replace(/\n[^\n]{20}/, '\n'), 'cannot be read as a private key'],
  ])('with a key that is %s is refused at the start, in words, and never left out', (_, key, why) => {
    const fault = `CHANNEL_EMAIL_DKIM_KEY ${why}; allowed: an RSA private key of 1024 to 4096 bits`;
    const given = key();
    expect(() => open({ dkim: { ...dkim, key: given } })).toThrow(fault);
    try {
      open({ dkim: { ...dkim, key: given } });
    } catch (error) {
      expect(error).toMatchObject({ code: 'config_invalid' });
      expect(String(error)).not.toContain(given.split('\n')[1]);
    }
  });
});

describe('an attack lands as text', () => {
  const attacks = [
    '\r\nBcc: eve@x.test',
    '\nBcc: eve@x.test',
    '\rBcc: eve@x.test',
    '\r\n\r\n<b>a body</b>',
    '\r\n .\r\nMAIL FROM:<eve@x.test>',
    '\u2028Bcc: eve@x.test',
    '\u2029Bcc: eve@x.test',
    '\u0085Bcc: eve@x.test',
    '\0Bcc: eve@x.test',
    '=?utf-8?Q?=0D=0ABcc:_eve@x.test?=',
    '=?utf-8?B?DQpCY2M6IGV2ZUB4LnRlc3Q=?=',
    ', eve@x.test',
    '; eve@x.test',
    '" <eve@x.test>, "',
    '<eve@x.test>',
    '\\" <eve@x.test>',
    '(a comment) group: eve@x.test;',
    '"; filename="evil.exe',
    "'; filename*=utf-8''evil.exe",
    '%0D%0ABcc: eve@x.test',
  ];
  /** What becomes of it in one line. */
  const asText = (attack: string): string => `A${attack}Z`.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ');
  let usual: string[];
  beforeEach(async () => {
    await channel.send(message(1, { content: { ...whole, attachments: [offer('a.pdf')] } }), never());
    usual = names();
  });
  const arrives = async (given: OutboundMessage['content']) => {
    const before = server.mails.length;
    expect(await channel.send(message(1, { content: { ...whole, ...given } }), never())).toEqual({ kind: 'sent' });
    expect(server.mails).toHaveLength(before + 1);
    expect(last().to).toEqual(['contact1@example.com']);
    expect(names()).toEqual(usual);
    expect(last().raw).not.toMatch(/\r(?!\n)|(?<!\r)\n|\0/);
    expect(valid()).toBe(true);
    const mail = await parse(last());
    expect(mail.to).toMatchObject({ value: [{ address: 'contact1@example.com' }] });
    expect(mail.from?.value).toHaveLength(1);
    expect(mail).toMatchObject({ text: content.text, html: content.html });
    return mail;
  };
  it('in the subject, in a name, in a file name', async () => {
    for (const attack of attacks) {
      const given = { subject: `A${attack}Z`, toName: `A${attack}Z`, attachments: [offer(`A${attack}Z`)] };
      const mail = await arrives(given);
      expect(mail.subject).toBe(asText(attack));
      expect(mail.to).toMatchObject({ value: [{ name: asText(attack) }] });
      expect(mail.attachments).toHaveLength(1);
      const filename = asText(attack).replace(/[/\\]+/g, ' ');
      expect(mail.attachments[0]).toMatchObject({ filename, content: pdf });
    }
  });

  it('in a header', async () => {
    for (const attack of attacks) {
      const unsubscribe = { 'List-Unsubscribe': `<https://a.test/A${attack}Z>` };
      await arrives({ attachments: [offer('a.pdf')], headers: { ...content.headers, ...unsubscribe } });
    }
  });

  it('in an address it reaches nobody else', async () => {
    const results = new Set<string>();
    for (const attack of attacks)
      for (const to of [`${attack}@example.com`, `ada@example.com${attack}`, `"${attack}"@example.com`]) {
        const before = server.mails.length;
        const result = await channel.send(
          message(1, { content: { ...whole, attachments: [offer('a.pdf')] }, to }),
          never(),
        );
        results.add(result.kind);
        // RFC 5321, 4.1.2: some are the local part of an address like any other
        if (result.kind === 'sent') expect([last().to, names()]).toEqual([[to], usual]);
        else expect(result).toMatchObject({ kind: 'rejected', code: 'address_invalid' });
        expect(server.mails).toHaveLength(before + Number(result.kind === 'sent'));
      }
    expect([...results].sort()).toEqual(['rejected', 'sent']);
  });

  it('in the name of the sender', async () => {
    for (const attack of attacks) {
      const given = { ...whole, from: `"A${attack.replace(/(["\\])/g, '\\$1')}Z" <news@compass.example>` };
      const result = await channel.send(message(1, { content: { ...given, attachments: [offer('a.pdf')] } }), never());
      // with a line end it is no sender (a start with it is refused)
      if (result.kind === 'rejected')
        expect([result.code, /\p{Cc}|\u2028|\u2029/u.test(attack)]).toEqual(['message_invalid', true]);
      else expect([names(), valid()]).toEqual([usual, true]);
    }
  });

  it('whatever it is made of', async () => {
    const unit = fc.constantFrom(...attacks, ...'aB \t:<>@,;"\\=?()ü.', '\ud800', '👩‍🚀');
    const text = fc.string({ unit, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(text, text, text, async (subject, toName, filename) => {
        const mail = await arrives({ subject: `A${subject}`, toName, attachments: [offer(filename)] });
        expect(mail.attachments).toHaveLength(1);
      }),
      { numRuns: 60 },
    );
  });
});
