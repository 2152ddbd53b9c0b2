/** The mail itself, as a server got it and a mail program reads it. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Agent } from 'undici';
import { BoundedChannel } from '../../../src/channels/bounded.ts';
import { SmtpDriver } from '../../../src/channels/smtp.ts';
import type { Channel, OutboundMessage, SendResult } from '../../../src/domain/channelPorts.ts';
import { systemClock } from '../../../src/worker/systemClock.ts';
import { selfSigned } from '../../support/certificate.ts';
import { type MailServer, startMailServer } from '../../support/smtp.ts';
import { waitFor } from '../../support/waitFor.ts';
import { config, message, never } from './conformance.ts';
import { channelAt, from, parse, quiet } from './smtpChannel.ts';

let server: MailServer;
let channel: Channel;
beforeEach(async () => {
  server = await startMailServer();
  channel = channelAt(server.port);
});
afterEach(async () => {
  await channel.close();
  await server.close();
});

const send = (content: OutboundMessage['content'], given: Partial<OutboundMessage> = {}): Promise<SendResult> =>
  channel.send(message(1, { content, ...given }), never());
const last = () => {
  const mail = server.mails.at(-1);
  if (mail === undefined) throw new Error('no mail arrived');
  return mail;
};
const headerBlock = (): string => last().raw.slice(0, last().raw.indexOf('\r\n\r\n'));
/** Unfolded, in order. */
const headerLines = (): string[] =>
  headerBlock()
    .replace(/\r\n[ \t]/g, ' ')
    .split('\r\n');

describe('a mail', () => {
  it('has what the row settled: sender, names, date, key and headers', async () => {
    await send(
      {
        ...{ subject: 'Grüße an Ζωή 👩‍🚀', text: 'Hello', from: '"Compass, Inc." <other@compass.example>' },
        toName: 'Ζωή "Z" <x@y.z>',
        headers: { 'List-Unsubscribe': '<https://a.test/t>', 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' },
      },
      { to: 'Zoe@MÜLLER.example' },
    );
    const mail = await parse(last());
    expect(last().from).toBe('other@compass.example');
    expect(last().to).toEqual(['Zoe@müller.example']);
    expect(mail).toMatchObject({
      subject: 'Grüße an Ζωή 👩‍🚀',
      text: 'Hello\n',
      date: new Date('2026-01-05T09:00:00Z'),
    });
    expect(mail.from?.value).toEqual([{ address: 'other@compass.example', name: 'Compass, Inc.' }]);
    expect(mail.to).toMatchObject({ value: [{ address: 'Zoe@müller.example', name: 'Ζωή "Z" <x@y.z>' }] });
    expect(headerBlock()).toContain('Zoe@xn--mller-kva.example');
    expect(mail.messageId).toMatch(/^<[0-9a-f]{40}@compass\.example>$/);
    expect(headerLines()).toEqual(
      expect.arrayContaining([
        'List-Unsubscribe: <https://a.test/t>',
        'List-Unsubscribe-Post: List-Unsubscribe=One-Click',
        'Auto-Submitted: auto-generated',
        'Precedence: bulk',
        'Date: Mon, 05 Jan 2026 09:00:00 +0000',
        'MIME-Version: 1.0',
      ]),
    );
    expect(headerBlock()).not.toMatch(/x-mailer|nodemailer/i);
  });

  it('keeps a long link in one piece', async () => {
    const link = `<https://a.test/${'abc-_~%20'.repeat(95)}>`;
    await send({
      text: 'Hello',
      headers: { 'List-Unsubscribe': `<mailto:a@b.test?subject=${'x'.repeat(800)}>, ${link}` },
    });
    expect(headerLines().find((line) => line.startsWith('List-Unsubscribe'))).toContain(link);
    expect(
      Math.max(
        ...headerBlock()
          .split('\r\n')
          .map((line) => line.length),
      ),
    ).toBeLessThan(998);
  });

  it.each(['x', '=?utf-8?Q?a?=', 'a"', 'ü', '👩'])('folds a subject of many %j without spaces', async (unit) => {
    const subject = unit.repeat(1500 / unit.length);
    await send({ subject: `Hi ${subject}`, text: 'x' });
    const lines = headerBlock().split('\r\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(998);
    expect((await parse(last())).subject).toBe(`Hi ${subject}`);
  });

  it('turns no writing around by the name of its recipient', async () => {
    await send({ text: 'x', toName: '\u202eAda\u2066\u2028Byron' });
    expect((await parse(last())).to).toMatchObject({ value: [{ name: 'Ada Byron' }] });
  });

  it('takes sender and headers of the channel where the row has none; the channel may say more about answers', async () => {
    await channel.close();
    channel = channelAt(server.port, { headers: { 'Auto-Submitted': 'no', 'Reply-To': 'Team <team@a.test>' } });
    await send({ subject: 'Hi', text: 'Hello' });
    expect((await parse(last())).from?.value).toEqual([{ address: 'news@example.org', name: 'Łukasz at Compass' }]);
    expect(headerLines()).toEqual(expect.arrayContaining(['Auto-Submitted: no', 'Reply-To: Team <team@a.test>']));
    expect(headerLines().filter((line) => /^(auto-submitted|precedence)/i.test(line))).toHaveLength(1);
  });

  it('is the same to the byte at every try, whatever the channel says by then', async () => {
    const content = { subject: 'Ü', text: 'a', html: '<b>a</b>', from: 'A <a@b.example>', headers: { 'X-A': '1' } };
    await send(content);
    await channel.close();
    channel = channelAt(server.port, { from: 'Other <other@c.example>', headers: { 'X-B': '2' } });
    await send(content);
    const [first, second] = server.mails;
    expect(second).toEqual(first);
    await send(content, { messageId: 'spring:1/2' });
    expect(last().raw).not.toBe(first?.raw);
  });

  it('is text, html, or both; a text is made of html alone', async () => {
    await send({ text: 'Only text' });
    expect(headerLines().find((line) => line.startsWith('Content-Type'))).toMatch(/^Content-Type: text\/plain/);
    await send({ text: 'Own text', html: '<p>Html</p>' });
    expect(last().raw).toMatch(/Content-Type: multipart\/alternative/);
    expect(await parse(last())).toMatchObject({ text: 'Own text', html: '<p>Html</p>' });
    await send({
      html: '<h1>Hi</h1><p>See <a href="https://a.test/x">this</a></p><img src="x.png" alt="logo"><style>p{}</style>',
    });
    const made = await parse(last());
    expect(made.text).toContain('See this <https://a.test/x>');
    expect(made.text).not.toMatch(/logo|p\{/);
    await send({ html: '<img src="https://a.test/x.png">' });
    expect(last().raw).toMatch(/^Content-Type: text\/html/m);
  });

  it.each([
    ['a line of one dot', '.\n..\n.\r\n.x\n\n.'],
    ['line ends of all kinds', 'a\rb\nc\r\nd\n\re'],
    ['a long line', 'word '.repeat(50_000)],
    ['a long word', 'x'.repeat(100_000)],
    ['emoji', '👩‍🚀'.repeat(5000)],
    ['what begins like a header', 'From me\nBcc: eve@x.test\n\nx'],
  ])('brings %s through, in lines that every server takes', async (_, text) => {
    await send({ text });
    const lines = last().raw.split('\r\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(998);
    expect(last().raw).not.toMatch(/\r(?!\n)|(?<!\r)\n/);
    const normal = (value: string): string => value.replace(/\r\n|\r/g, '\n').trimEnd();
    expect(normal((await parse(last())).text ?? '')).toBe(normal(text));
  });

  it('of several megabytes arrives whole', async () => {
    const html = `<p>${'Grüße & mehr. '.repeat(200_000)}</p>`;
    expect(await send({ html, text: 'short' })).toMatchObject({ kind: 'sent' });
    expect((await parse(last())).html).toBe(html);
  });
});

describe('nothing that a contact or an author writes', () => {
  const nasty = fc.string({
    unit: fc.constantFrom(
      ...'aB \t\r\n\0:<>@,;"\\=?()ü.\u2028\u202e\x7f',
      '\r\n',
      '\r\n\r\n',
      '\nBcc: eve@x.test',
      '👩‍🚀',
      '\ud800',
      '=?utf-8?Q?',
    ),
    maxLength: 60,
  });
  const known =
    /^(from|to|subject|message-id|date|mime-version|content-type|content-transfer-encoding|auto-submitted|precedence|list-unsubscribe|x-note): /i;

  it('adds a header, a recipient or a line', async () => {
    await fc.assert(
      fc.asyncProperty(nasty, nasty, nasty, nasty, async (subject, toName, text, note) => {
        const headers = { 'X-Note': note, 'List-Unsubscribe': '<https://a.test>' };
        const result = await send({ subject, toName, text: `${text}x`, headers });
        expect(result).toMatchObject({ kind: 'sent' });
        expect(last().to).toEqual(['contact1@example.com']);
        const lines = headerLines();
        expect(lines.filter((line) => !known.test(line))).toEqual([]);
        const names = lines.map((line) => line.split(':')[0]?.toLowerCase());
        expect(new Set(names).size).toBe(names.length);
        expect(last().raw).not.toMatch(/\r(?!\n)|(?<!\r)\n|\0/);
        const mail = await parse(last());
        expect(mail.from?.value).toHaveLength(1);
        expect(mail.to).toMatchObject({ value: [{ address: 'contact1@example.com' }] });
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  it('reaches an address of its own', async () => {
    await fc.assert(
      fc.asyncProperty(nasty, async (text) => {
        const before = server.mails.length;
        const result = await send({ text: 'x' }, { to: `${text}@example.com` });
        if (result.kind === 'sent') expect(last().to).toHaveLength(1);
        else {
          expect(result).toMatchObject({ kind: 'rejected', code: 'address_invalid' });
          expect(server.mails).toHaveLength(before);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('attachments', () => {
  let files: Server;
  let host: string;
  let cert: string;
  let requests: string[];
  let waiting: (() => void)[];
  beforeAll(async () => {
    const pair = await selfSigned();
    cert = pair.cert;
    files = createServer(pair, (request, response) => {
      requests.push(request.url ?? '');
      if (request.url === '/moved') response.writeHead(302, { location: '/offer.pdf' }).end();
      else if (request.url === '/gone') response.writeHead(404).end();
      else if (request.url === '/huge') response.end(Buffer.alloc(11 * 1024 * 1024));
      else if (request.url?.startsWith('/five')) response.end(Buffer.alloc(5 * 1024 * 1024));
      else if (request.url === '/two') {
        // the first answer comes with the second
        waiting.push(() => response.end(Buffer.alloc(2 * 1024 * 1024)));
        if (waiting.length === 2) for (const answer of waiting) answer();
      } else if (request.url === '/broken') {
        response.writeHead(200, { 'content-length': '9' }).write('x');
        setImmediate(() => response.destroy());
      } else response.end(Buffer.from(`content of ${request.url}`));
    });
    files.listen(0, '127.0.0.1');
    await once(files, 'listening');
    host = `localhost:${(files.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    files.closeAllConnections();
    files.close();
  });
  beforeEach(async () => {
    requests = [];
    waiting = [];
    await channel.close();
    const url = `smtp://127.0.0.1:${server.port}?tls=none`;
    const settings = config({ driver: 'smtp', url, from, timeoutMs: 10_000, attachmentHosts: [host] });
    const dispatcher = new Agent({ connect: { ca: cert } });
    channel = new BoundedChannel(
      settings,
      new SmtpDriver(settings, { clock: systemClock, logger: quiet, dispatcher }),
      systemClock,
    );
  });
  const attach = (...attachments: unknown[]) =>
    send({ html: '<p>Hi <img src="cid:logo"></p>', attachments: attachments as Record<string, unknown>[] });

  it('come from an allowed host, once for many messages, with their names', async () => {
    const offer = {
      filename: 'Angebot "Größe"\r\nBcc: x.pdf',
      href: `https://${host}/offer.pdf`,
      contentType: 'application/pdf',
    };
    const logo = { href: `https://${host}/a/logo.png`, cid: 'logo' };
    expect(await attach(offer, logo)).toMatchObject({ kind: 'sent' });
    expect(await attach(offer, logo)).toMatchObject({ kind: 'sent' });
    expect(requests.sort()).toEqual(['/a/logo.png', '/offer.pdf']);
    expect(server.mails[1]).toEqual(server.mails[0]);
    const found = (await parse(last())).attachments.map(({ filename, contentType, content, cid }) => ({
      ...{ filename, contentType, cid, content: content.toString() },
    }));
    expect(found).toEqual(
      expect.arrayContaining([
        {
          filename: 'Angebot "Größe" Bcc: x.pdf',
          contentType: 'application/pdf',
          cid: undefined,
          content: 'content of /offer.pdf',
        },
        { filename: 'logo.png', contentType: 'image/png', cid: 'logo', content: 'content of /a/logo.png' },
      ]),
    );
    expect(headerLines().filter((line) => /^bcc/i.test(line))).toEqual([]);
  });

  it.each([
    ['another host', { href: 'https://169.254.169.254/latest/meta-data' }, 'host 169.254.169.254 is not allowed'],
    ['no TLS', { href: 'http://localhost/x' }, 'has to be an https:// address'],
    ['a file', { href: 'file:///etc/passwd' }, 'has to be an https:// address'],
    ['a path', { path: '/etc/passwd' }, 'attachments[0].path is not known'],
    ['its own content', { href: 'https://x.test/', content: 'x' }, 'attachments[0].content is not known'],
    ['a data URL', { href: 'data:text/plain,hi' }, 'has to be an https:// address'],
    ['a login', { href: 'https://u:p@localhost/x' }, 'without user and password'],
    ['an injected type', { href: 'HOST/x', contentType: 'a/b\r\nX: y' }, 'contentType has to be a media type'],
    ['an injected id', { href: 'HOST/x', cid: 'a>\r\nX: y' }, 'cid has to be a word'],
    ['a name that is no text', { href: 'HOST/x', filename: 7 }, 'filename has to be a text'],
    ['no object', 'x', 'attachments[0] is not an object'],
  ])('are refused for good with %s', async (_, given, why) => {
    const here =
      typeof given === 'object' && 'href' in given
        ? { ...given, href: given.href.replace(/^HOST/, `https://${host}`) }
        : given;
    expect(await attach(here)).toMatchObject({
      ...{ kind: 'rejected', code: 'attachment_refused', message: expect.stringContaining(why) },
    });
    expect([requests, server.mails]).toEqual([[], []]);
  });

  it('that are too large are refused for good', async () => {
    expect(await attach({ href: `https://${host}/huge` })).toMatchObject({
      kind: 'rejected',
      code: 'attachment_too_large',
    });
  });

  it('that are too large together are not loaded beyond that', async () => {
    const files = Array.from({ length: 20 }, (_, n) => ({ href: `https://${host}/five?${n}` }));
    expect(await attach(...files)).toMatchObject({ kind: 'rejected', code: 'attachment_too_large' });
    expect(requests).toEqual(['/five?0', '/five?1', '/five?2']);
    expect(await attach(...files.slice(0, 2))).toMatchObject({ kind: 'sent' });
    expect(requests).toHaveLength(3);
  });

  it('that are too large for one message are not for another', async () => {
    const two = { href: `https://${host}/two` };
    const full = attach(...[0, 1].map((n) => ({ href: `https://${host}/five?${n}` })), two);
    await waitFor(() => requests.length === 3, { what: 'the last of them to be asked for' });
    expect(await attach(two)).toMatchObject({ kind: 'sent' });
    expect(await full).toMatchObject({ kind: 'rejected', code: 'attachment_too_large' });
  });

  it('are no longer loaded for a message whose time is up', async () => {
    await channel.close();
    const settings = { driver: 'smtp', url: `smtp://127.0.0.1:${server.port}?tls=none`, from } as const;
    const driver = new SmtpDriver(config({ ...settings, attachmentHosts: [host] }), {
      ...{ clock: systemClock, logger: quiet, dispatcher: new Agent({ connect: { ca: cert } }) },
    });
    channel = new BoundedChannel(config({ ...settings, timeoutMs: 1000 }), driver, systemClock);
    const late = attach({ href: `https://${host}/two` }, { href: `https://${host}/offer.pdf` });
    expect(await late).toMatchObject({ kind: 'retry', code: 'timeout' });
    for (const answer of waiting) answer();
    // what would follow it is asked for before this is
    await attach({ href: `https://${host}/two` });
    await attach({ href: `https://${host}/a/logo.png` });
    expect(requests).not.toContain('/offer.pdf');
  });

  it('that are larger than the server takes are refused before they are sent, and the connection serves on', async () => {
    await server.close();
    server = await startMailServer({ options: { size: 20 } });
    await channel.close();
    const url = `smtp://127.0.0.1:${server.port}?tls=none`;
    const settings = config({ driver: 'smtp', url, from, attachmentHosts: [host] });
    const dispatcher = new Agent({ connect: { ca: cert } });
    const driver = new SmtpDriver(settings, { clock: systemClock, logger: quiet, dispatcher });
    channel = new BoundedChannel(settings, driver, systemClock);
    for (const _ of [1, 2]) {
      expect(await attach({ href: `https://${host}/offer.pdf` })).toMatchObject({
        ...{ kind: 'rejected', code: 'message_refused', message: 'Message size larger than allowed 20' },
      });
    }
    expect([server.connections(), server.mails.length]).toEqual([1, 0]);
  });

  it.each(['/gone', '/moved', '/broken'])('that do not come are waited for: %s', async (path) => {
    const unavailable = { kind: 'retry', counts: true };
    expect(await attach({ href: `https://${host}${path}` })).toMatchObject(unavailable);
    expect(await attach({ href: `https://${host}${path}` })).toMatchObject(unavailable);
    // A failure is not kept.
    expect(requests).toEqual([path, path]);
    expect(server.mails).toEqual([]);
  });

  it('are refused where no host is allowed', async () => {
    await channel.close();
    channel = channelAt(server.port);
    expect(await attach({ href: `https://${host}/offer.pdf` })).toMatchObject({ code: 'attachment_refused' });
  });
});
