/** Driver `webhook`: Standard Webhooks, to one address or to each recipient's own, and to nobody's that lies inside. */
import { createHash } from 'node:crypto';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import type { ResolveAll } from '../../../src/channels/addressGuard.ts';
import { BoundedChannel } from '../../../src/channels/bounded.ts';
import { webhookDriver } from '../../../src/channels/webhook.ts';
import type { ChannelConfig } from '../../../src/config.ts';
import type { Channel, SendResult } from '../../../src/domain/channelPorts.ts';
import { type ManualClock, manualClock } from '../../support/clock.ts';
import { type Sink, startSink } from '../../support/sink.ts';
import { waitFor } from '../../support/waitFor.ts';
import { config, describeChannel, message, never, type Rig } from './conformance.ts';

const secretOf = (n: number): string => `whsec_${Buffer.alloc(32, n).toString('base64')}`;

function openChannel(clock: ManualClock, given: Partial<ChannelConfig> = {}, resolve?: ResolveAll): Channel {
  const settings = config({ driver: 'webhook', token: secretOf(1), name: 'hook', address: 'url', ...given });
  return new BoundedChannel(settings, webhookDriver(settings, clock, resolve && { resolve }), clock);
}

async function make(given: Partial<ChannelConfig> = {}): Promise<Rig> {
  const sink = await startSink();
  const channel = openChannel(manualClock(), { url: sink.url, ...given });
  return {
    channel,
    arrived: () => sink.deliveries.map(({ key, raw }) => `${key} ${raw.toString('utf8')}`),
    gather: (count) => {
      sink.script(...Array.from({ length: count }, () => ({ hang: true })));
      sink.took(count).then(sink.release, () => undefined);
    },
    peak: () => sink.peak,
    breakMedium: () => sink.close(),
    dispose: async () => {
      await channel.close();
      await sink.close();
    },
  };
}

describeChannel('webhook', make);

describe('webhook', () => {
  let sink: Sink;
  let clock: ManualClock;
  const open: Channel[] = [];
  const toOne = (given: Partial<ChannelConfig> = {}): Channel => {
    const made = openChannel(clock, { url: `${sink.url}/hook?v=1`, ...given });
    open.push(made);
    return made;
  };
  const toEach = (given: Partial<ChannelConfig> = {}, resolve?: ResolveAll): Channel => {
    const made = openChannel(clock, { allowedHosts: [`127.0.0.1:${sink.port}`], ...given }, resolve);
    open.push(made);
    return made;
  };
  beforeEach(async () => {
    sink = await startSink();
    // receivers compare the time of the signature with their own
    clock = manualClock(Date.now());
  });
  afterEach(async () => {
    sink.release();
    const closing = open.splice(0).map((one) => one.close());
    await clock.advanceAsync(20_000);
    await Promise.all(closing);
    await sink.close();
  });

  /** What the n-th request says to a receiver that has this secret. Throws as the library does. */
  const verified = (n: number, secret: string): unknown => {
    const { raw, headers } = sink.deliveries[n] ?? { raw: Buffer.alloc(0), headers: {} };
    return new Webhook(secret).verify(raw, headers as Record<string, string>);
  };

  describe('what leaves', () => {
    it('is a signed POST that the library of its receiver accepts', async () => {
      const queuedAt = new Date(Date.UTC(2026, 0, 5, 9));
      expect(await toOne().send(message(7, { queuedAt }), never())).toEqual({
        ...{ kind: 'sent', providerMessageId: '1', answer: { id: '1' } },
      });
      expect(verified(0, secretOf(1))).toEqual({
        type: 'message',
        timestamp: '2026-01-05T09:00:00.000Z',
        data: expect.objectContaining({ messageId: 'spring:7/1', to: 'contact7@example.com', stage: 'intro', step: 0 }),
      });
      expect(sink.deliveries[0]).toMatchObject({ method: 'POST', path: '/hook?v=1', key: 'spring:7/1' });
      expect(sink.deliveries[0]?.headers).toMatchObject({
        'webhook-id': 'spring:7/1',
        'webhook-timestamp': String(Math.floor(clock.now() / 1000)),
        'content-type': 'application/json',
      });
    });

    it('is signed with each secret while they are changed, and with none that is not ours', async () => {
      await toOne({ token: [secretOf(2), secretOf(1)].join(',') }).send(message(1), never());
      expect(verified(0, secretOf(1))).toEqual(verified(0, secretOf(2)));
      expect(() => verified(0, secretOf(3))).toThrow('No matching signature found');
    });

    it('has the same body at every try, and the time and signature of the try', async () => {
      const hook = toOne();
      sink.script({ status: 503 });
      await hook.send(message(1), never());
      await clock.advanceAsync(90_000);
      await hook.send(message(1), never());
      const [first, second] = sink.deliveries;
      expect(second?.raw.equals(first?.raw ?? Buffer.alloc(0))).toBe(true);
      const at = (n: number): number => Number(sink.deliveries[n]?.headers['webhook-timestamp']);
      expect(at(1) - at(0)).toBe(90);
      expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
      expect(second?.headers['webhook-signature']).not.toBe(first?.headers['webhook-signature']);
      expect(() => [0, 1].map((n) => verified(n, secretOf(1)))).not.toThrow();
    });

    it.each(['spring:ada.l@example.com/1', 'spring:Jürgen/1', 'x\r\nBcc: all', 'a'.repeat(256)])(
      'has an id without the stop that parts what is signed: %j',
      async (messageId) => {
        await toOne().send(message(1, { messageId }), never());
        const hashed = createHash('sha256').update(messageId).digest('hex');
        expect(sink.deliveries[0]?.headers['webhook-id']).toBe(hashed);
        expect(verified(0, secretOf(1))).toMatchObject({ data: { messageId } });
      },
    );

    it.each([
      ['driver webhook needs a secret', { token: '' }],
      ['driver webhook needs an http:// or https:// URL', { url: 'ftp://x' }],
    ])('needs what it cannot work without: %s', (reason, given) => {
      expect(() => openChannel(clock, given)).toThrow(reason);
    });
  });

  describe('to the address of each recipient', () => {
    it('goes to its path and query, with its credentials and nobody else’s', async () => {
      const hook = toEach();
      await hook.send(message(1, { to: `http://us%40er:p%C3%A4ss@127.0.0.1:${sink.port}/a?b=c#d` }), never());
      await hook.send(message(2, { to: `${sink.url}/other` }), never());
      expect(sink.deliveries.map(({ path }) => path)).toEqual(['/a?b=c', '/other']);
      const [first, second] = sink.deliveries.map(({ headers }) => headers.authorization);
      expect(first).toBe(`Basic ${Buffer.from('us@er:päss').toString('base64')}`);
      expect(second).toBeUndefined();
      expect(() => verified(1, secretOf(1))).not.toThrow();
    });

    it('leaves the password out of what a refusal repeats', async () => {
      sink.script({ status: 400, body: `no s3same for you, ${Buffer.from('me:s3same').toString('base64')}` });
      const to = `http://me:s3same@127.0.0.1:${sink.port}/`;
      expect(await toEach().send(message(1, { to }), never())).toMatchObject({
        message: 'HTTP 400: no *** for you, ***',
      });
      sink.script({ status: 400, body: 'no k3y-of-ours' });
      const keyed = toOne({ headers: { 'X-Api-Key': 'k3y-of-ours' } });
      expect(await keyed.send(message(2), never())).toMatchObject({ message: 'HTTP 400: no ***' });
    });

    it.each(['spring:ada', 'mailto:a@b.c', 'ftp://127.0.0.1/', 'file:///etc/passwd', 'http://', ''])(
      'is no address: %j',
      async (to) => {
        expect(await toEach().send(message(1, { to }), never())).toMatchObject({
          ...{ kind: 'rejected', code: 'address_invalid' },
        });
      },
    );

    it.each([
      ['its own', 410, { kind: 'rejected', code: 'opted_out', message: 'HTTP 410' }],
      ['its own', 404, { kind: 'rejected', code: 'http_404' }],
      ['its own', 302, { kind: 'rejected', code: 'http_302' }],
      ['its own', 502, { kind: 'retry', code: 'http_502', counts: true }],
      ['the one', 410, { kind: 'rejected', code: 'http_410' }],
    ])('%s answers %d', async (whose, status, expected) => {
      const elsewhere = await startSink();
      sink.script({ status, body: '', headers: { location: `${elsewhere.url}/inside` } });
      const hook = whose === 'the one' ? toOne() : toEach();
      expect(await hook.send(message(1, { to: sink.url }), never())).toMatchObject(expected);
      expect(elsewhere.requests).toBe(0);
      await elsewhere.close();
    });
  });

  describe('addresses that lie inside', () => {
    const refused = { kind: 'rejected', code: 'not_allowed', message: expect.stringContaining('no public address') };

    it.each([
      '127.0.0.1',
      '127.1',
      '2130706433',
      '0x7f000001',
      '0177.0.0.1',
      '127.0.0.1.',
      '１２７.0.0.1',
      '0.0.0.0',
      '[::1]',
      '[::]',
      '[::ffff:127.0.0.1]',
      '[::ffff:7f00:1]',
      '[::127.0.0.1]',
      'localhost',
      '169.254.169.254',
      '10.0.0.1',
      '[fd00:ec2::254]',
    ])('%s gets no connection, by http or https', async (host) => {
      let asked = 0;
      const hook = toEach({ allowedHosts: [] });
      const mayBegin = (): boolean => ++asked > 0;
      for (const scheme of ['http', 'https']) {
        const to = `${scheme}://${host}:${sink.port}/`;
        expect(await hook.send(message(1, { to }), never(), mayBegin)).toMatchObject(refused);
      }
      expect([asked, sink.connections]).toEqual([0, 0]);
    });

    it('are found behind a name, also one that was public when it was asked for before', async () => {
      const answers = ['8.8.8.8', '127.0.0.1'];
      let asked = 0;
      const moves: ResolveAll = (_, callback) => {
        asked += 1;
        callback(null, [{ address: answers.shift() ?? '127.0.0.1', family: 4 }]);
      };
      moves('hooks.example.com', () => undefined);
      const to = `http://hooks.example.com:${sink.port}/`;
      expect(await toEach({}, moves).send(message(1, { to }), never())).toMatchObject(refused);
      expect([asked, sink.connections]).toEqual([2, 0]);
    });

    it('may be connected to where the operator says so, and only on that port', async () => {
      const other = await startSink();
      const hook = toEach({ allowedHosts: [`localhost:${sink.port}`] });
      expect(await hook.send(message(1, { to: `http://localhost:${sink.port}` }), never())).toMatchObject({
        kind: 'sent',
      });
      expect(await hook.send(message(2, { to: `http://localhost:${other.port}` }), never())).toMatchObject(refused);
      expect(other.connections).toBe(0);
      await other.close();
    });

    it('a name that DNS does not know is tried again', async () => {
      const failure = Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' });
      const hook = toEach({}, (_, callback) => callback(failure, []));
      expect(await hook.send(message(1, { to: 'http://hooks.example.com/' }), never())).toMatchObject({
        ...{ kind: 'retry', code: 'connection_failed', counts: true },
      });
    });
  });

  describe('connections to many hosts', () => {
    it('are used again, and never many more than the messages under way', async () => {
      const sockets = new Set<Socket>();
      let [made, peak] = [0, 0];
      const server = createHttpServer((request, response) => request.resume().on('end', () => response.end()));
      server.on('connection', (socket) => {
        made += 1;
        sockets.add(socket);
        peak = Math.max(peak, sockets.size);
        socket.once('close', () => sockets.delete(socket));
      });
      await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
      const { port } = server.address() as AddressInfo;
      const hosts = Array.from({ length: 40 }, (_, n) => `127.0.1.${n + 1}`);
      const hook = toEach({ concurrency: 4, allowedHosts: hosts });
      const sendAll = (): Promise<unknown[]> =>
        Promise.all(hosts.map((host, n) => hook.send(message(n, { to: `http://${host}:${port}` }), never())));
      expect((await sendAll()).every((result) => (result as { kind: string }).kind === 'sent')).toBe(true);
      expect(made).toBe(40);
      // 4 under way and 4 kept; the server learns a little later that one was closed
      expect(peak).toBeLessThanOrEqual(16);
      await waitFor(() => sockets.size <= 4, { what: 'what is over the limit to be closed' });
      const last = hosts.slice(-4);
      for (const [n, host] of last.entries()) await hook.send(message(n, { to: `http://${host}:${port}` }), never());
      expect(made).toBe(40);
      await hook.close();
      await waitFor(() => sockets.size === 0, { what: 'all connections to be closed' });
      server.close();
    });

    it('hold each other up no longer than one of them takes to be found out', async () => {
      const hook = toEach({ allowedHosts: ['127.0.0.1'], timeoutMs: 5000 });
      const down = await startSink();
      const to = (url: string, n: number): Promise<SendResult> => hook.send(message(n, { to: url }), never());
      down.script(...Array.from({ length: 9 }, () => ({ status: 500 })));
      for (let n = 0; n < 9; n += 1) expect(await to(down.url, n)).toMatchObject({ code: 'http_500', counts: true });
      down.script({ hang: true });
      const hangs = to(down.url, 10);
      await down.took(10);
      clock.advance(5000);
      expect(await hangs).toMatchObject({ kind: 'retry', code: 'timeout', counts: true });
      const waits = { kind: 'retry', code: 'host_waits', counts: false, retryAfterMs: 1000 };
      expect(await to(down.url, 16)).toEqual({ ...waits, message: expect.any(String) });
      expect(down.requests).toBe(10);
      expect(await to(sink.url, 7)).toMatchObject({ kind: 'sent' });
      clock.advance(1000);
      // what may not be sent says nothing of the host, and its probe is lost
      expect(await hook.send(message(8, { to: down.url }), never(), () => false)).toMatchObject({ code: 'not_begun' });
      clock.advance(5000);
      expect(await to(down.url, 16)).toMatchObject({ kind: 'sent' });
      expect(await to(down.url, 9)).toMatchObject({ kind: 'sent' });
      down.release();
      await down.close();
    });

    it('are left alone as they ask', async () => {
      const hook = toEach();
      sink.script({ status: 429, retryAfter: 30 });
      const to = (n: number): Promise<SendResult> => hook.send(message(n, { to: sink.url }), never());
      expect(await to(1)).toMatchObject({ code: 'http_429', retryAfterMs: 30_000 });
      clock.advance(10_000);
      expect(await to(2)).toMatchObject({ code: 'host_waits', retryAfterMs: 20_000, counts: false });
      clock.advance(20_000);
      expect(await to(2)).toMatchObject({ kind: 'sent' });
    });

    it('are known to those who judge the channel', () => {
      expect([toEach().manyHosts, toOne().manyHosts]).toEqual([true, undefined]);
    });

    it('are no longer waited for than a message may take', async () => {
      const sockets = new Set<Socket>();
      // never answers the TLS handshake
      const server = createServer((socket) => {
        sockets.add(socket.on('error', () => undefined));
        socket.once('close', () => sockets.delete(socket));
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      const hook = toEach({ allowedHosts: [`127.0.0.1:${port}`], timeoutMs: 5000 });
      const result = hook.send(message(1, { to: `https://127.0.0.1:${port}` }), never());
      await waitFor(() => sockets.size === 1, { what: 'the connection' });
      await clock.advanceAsync(5000);
      expect(await result).toMatchObject({ kind: 'retry', code: 'timeout', message: 'not begun within 5000 ms' });
      for (const socket of sockets) socket.destroy();
      server.close();
    });
  });
});
