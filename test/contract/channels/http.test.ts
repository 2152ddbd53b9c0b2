/** The driver on the wire: what leaves, what comes of a connection that fails, time-outs, aborts, reuse. */

import { createHash } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BoundedChannel } from '../../../src/channels/bounded.ts';
import { httpDriver } from '../../../src/channels/http.ts';
import { createChannels } from '../../../src/channels/index.ts';
import type { ChannelConfig } from '../../../src/config.ts';
import type { Channel, SendResult } from '../../../src/domain/channelPorts.ts';
import type { Clock } from '../../../src/domain/systemPorts.ts';
import { systemClock } from '../../../src/worker/systemClock.ts';
import { type ManualClock, manualClock } from '../../support/clock.ts';
import { recordingLogger } from '../../support/fakes.ts';
import { type Sink, startSink } from '../../support/sink.ts';
import { waitFor } from '../../support/waitFor.ts';
import { config, describeChannel, message, never, type Rig } from './conformance.ts';

function openChannel(url: string, clock: Clock, given: Partial<ChannelConfig> = {}): Channel {
  const settings = config({ driver: 'http', url, ...given });
  return new BoundedChannel(settings, httpDriver(settings, clock), clock);
}

/** Holds the next requests until `count` of them are there at once. */
function gather(sink: Sink, count: number): void {
  sink.script(...Array.from({ length: count }, () => ({ hang: true })));
  sink.took(count).then(sink.release, () => undefined);
}

async function make(given: Partial<ChannelConfig> = {}): Promise<Rig> {
  const sink = await startSink();
  const channel = openChannel(sink.url, manualClock(), given);
  return {
    channel,
    arrived: () => sink.deliveries.map(({ key, raw }) => `${key} ${raw.toString('utf8')}`),
    gather: (count) => gather(sink, count),
    peak: () => sink.peak,
    breakMedium: () => sink.close(),
    dispose: async () => {
      await channel.close();
      await sink.close();
    },
  };
}

describeChannel('http', make);

describe('http', () => {
  let sink: Sink;
  let clock: ManualClock;
  const open: Channel[] = [];
  const channel = (given: Partial<ChannelConfig> = {}, path = ''): Channel => {
    const made = openChannel(sink.url + path, clock, given);
    open.push(made);
    return made;
  };
  beforeEach(async () => {
    sink = await startSink();
    clock = manualClock();
  });
  afterEach(async () => {
    sink.release();
    const closing = open.splice(0).map((one) => one.close());
    await clock.advanceAsync(10_000);
    await Promise.all(closing);
    await sink.close();
  });
  const headersOf = async (n: number): Promise<Record<string, unknown>> => {
    await sink.took(n);
    return sink.deliveries[n - 1]?.headers ?? {};
  };

  describe('what leaves', () => {
    it('is a POST of the contract, with its headers', async () => {
      const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
      const http = channel({ token: 'hush', headers: { 'X-Source': 'stage' } }, '/messages?v=2');
      await http.send(message(7, { traceparent, campaignId: 12, content: { text: 'Grüße 👩‍🚀' } }), never());
      const [delivery] = sink.deliveries;
      expect(delivery).toMatchObject({ method: 'POST', path: '/messages?v=2', key: 'spring:7/1' });
      expect(delivery?.headers).toMatchObject({
        traceparent,
        authorization: 'Bearer hush',
        'content-type': 'application/json',
        'x-source': 'stage',
      });
      expect(delivery?.raw.toString('utf8')).toBe(
        '{"messageId":"spring:7/1","campaignId":12,"conversationId":"spring:7","channel":"email",' +
          '"to":"contact7@example.com","content":{"text":"Grüße 👩‍🚀"},"stage":"intro","step":0}',
      );
    });

    it('names a campaign by the hex of its ObjectId', async () => {
      const campaignId = { _bsontype: 'ObjectId', toHexString: () => '65a000000000000000000001' };
      await channel().send(message(1, { campaignId }), never());
      expect(sink.deliveries[0]?.json).toMatchObject({ campaignId: '65a000000000000000000001' });
    });

    it.each([
      ['a'.repeat(255), 'a'.repeat(255)],
      ['a'.repeat(256), createHash('sha256').update('a'.repeat(256)).digest('hex')],
      ['spring:Jürgen/1', createHash('sha256').update('spring:Jürgen/1').digest('hex')],
      ['a b', createHash('sha256').update('a b').digest('hex')],
      ['x\r\nBcc: all', createHash('sha256').update('x\r\nBcc: all').digest('hex')],
    ])('has a key that a header can hold: %j', async (messageId, key) => {
      expect(await channel().send(message(1, { messageId }), never())).toMatchObject({ kind: 'sent' });
      expect((await headersOf(1))['idempotency-key']).toBe(key);
    });

    it('leaves out a trace that is none', async () => {
      await channel().send(message(1, { traceparent: '00-x\r\nBcc: all' }), never());
      expect((await headersOf(1))['traceparent']).toBeUndefined();
    });

    it('takes user and password of the URL as credentials', async () => {
      const http = openChannel(sink.url.replace('//', '//us%40er:p%C3%A4ss@'), clock);
      open.push(http);
      await http.send(message(1), never());
      expect((await headersOf(1))['authorization']).toBe(`Basic ${Buffer.from('us@er:päss').toString('base64')}`);
    });

    it.each<[string, Partial<ChannelConfig>]>([
      ['driver http needs an http:// or https:// URL', { url: 'ftp://x' }],
      ['driver http needs an http:// or https:// URL', { url: '' }],
      ['characters that a header cannot hold', { headers: { 'x-a': 'b\r\nBcc: all' } }],
      ['characters that a header cannot hold', { headers: { 'x a': 'b' } }],
      ['the header expect cannot be set', { headers: { Expect: '100-continue' } }],
    ])('refuses at the start: %s', (reason, given) => {
      expect(() => openChannel(sink.url, clock, given)).toThrow(reason);
    });
  });

  describe('connections', () => {
    it('are used again, whatever the answers were', async () => {
      const http = channel({ concurrency: 1 });
      sink.script(
        {},
        { status: 500 },
        { status: 404, body: 'x'.repeat(200_000) },
        { status: 204 },
        { status: 302 },
        {},
      );
      for (let n = 0; n < 6; n += 1) await http.send(message(n), never());
      expect(sink.taken).toBe(6);
      expect(sink.connections).toBe(1);
    });

    it('are never more than the messages that may be under way', async () => {
      const http = channel({ concurrency: 3 });
      gather(sink, 3);
      await Promise.all(Array.from({ length: 30 }, (_, n) => http.send(message(n), never())));
      expect(sink.connections).toBe(3);
      expect(sink.peak).toBe(3);
    });

    it('are made again after the provider was away', async () => {
      const http = channel({ concurrency: 2 });
      await Promise.all([1, 2].map((n) => http.send(message(n), never())));
      const { port } = sink;
      await sink.close();
      expect(await http.send(message(3), never())).toMatchObject({ kind: 'retry', counts: true });
      // a kept connection may have had it; a new one had not
      const refused = await http.send(message(3), never());
      expect(refused).toMatchObject({ kind: 'retry', code: 'connection_failed', counts: true });
      expect(refused).not.toHaveProperty('mayHaveLeft');
      sink = await startSink({ port });
      const results = await Promise.all([4, 5, 6].map((n) => http.send(message(n), never())));
      expect(results.map(({ kind }) => kind)).toEqual(['sent', 'sent', 'sent']);
    });
  });

  const bothWays = [
    ['at-least-once', { kind: 'retry', counts: true, mayHaveLeft: true }],
    ['at-most-once', { kind: 'unknown' }],
  ] as const;

  describe.each(bothWays)('when nobody knows whether it arrived (%s)', (delivery, expected) => {
    it.each(['before', 'after'] as const)('a reset %s the provider took it', async (reset) => {
      sink.script({ reset });
      expect(await channel({ delivery }).send(message(1), never())).toMatchObject({
        ...expected,
        code: 'connection_lost',
      });
      expect(sink.taken).toBe(reset === 'after' ? 1 : 0);
    });

    it('no answer in time', async () => {
      sink.script({ hang: true });
      const result = channel({ delivery, timeoutMs: 500 }).send(message(1), never());
      await sink.took(1);
      clock.advance(499);
      expect(clock.pending).toBe(1);
      clock.advance(1);
      expect(await result).toMatchObject({ ...expected, code: 'timeout', message: 'no answer within 500 ms' });
      await waitFor(() => sink.open === 0, { what: 'the connection to be cut' });
    });

    it('an answer that came while the process stood still counts, although its time was over', async () => {
      const timeoutMs = 1_000;
      const http = openChannel(sink.url, systemClock, { delivery, timeoutMs });
      for (let n = 1, wasInTime = false; !wasInTime; n++) {
        sink.script({ hang: true });
        const began = performance.now();
        const result = http.send(message(n), never());
        await sink.took(n);
        sink.release();
        // promises settle, so the answer is written; nothing is read before the deadline
        for (let turns = 0; turns < 50; turns++) await undefined;
        wasInTime = performance.now() - began < timeoutMs / 2;
        for (const until = performance.now() + 1.2 * timeoutMs; performance.now() < until; );
        const { kind } = await result;
        if (wasInTime) expect(kind).toBe('sent');
      }
      await http.close();
    });

    it('what left late because the process stood still has its whole time to be answered', async () => {
      const http = openChannel(sink.url, systemClock, { delivery, timeoutMs: 500, concurrency: 1 });
      await http.send(message(1), never());
      // the connection is used again a turn of the event loop later
      const result = http.send(message(2), never());
      for (const until = performance.now() + 700; performance.now() < until; );
      expect(await result).toMatchObject({ kind: 'sent' });
      await http.close();
    });

    it('an abort on the wire', async () => {
      sink.script({ hang: true }, { hang: true });
      const http = channel({ delivery });
      const controller = new AbortController();
      const results = Promise.all([1, 2].map((n) => http.send(message(n), controller.signal)));
      await sink.took(2);
      controller.abort();
      for (const result of await results) expect(result).toMatchObject({ ...expected, code: 'aborted' });
      await waitFor(() => sink.open === 0, { what: 'the connections to be cut' });
      expect(await http.send(message(3), never())).toMatchObject({ kind: 'sent' });
      expect(clock.pending).toBe(0);
    });

    it('an answer that is not HTTP', async () => {
      const babble = createServer((socket) => socket.once('data', () => socket.end('SMTP ready\r\n\r\n')));
      await new Promise<void>((resolve) => babble.listen(0, '127.0.0.1', resolve));
      const http = openChannel(`http://127.0.0.1:${(babble.address() as AddressInfo).port}`, clock, { delivery });
      expect(await http.send(message(1), never())).toMatchObject({ ...expected, code: 'connection_lost' });
      await http.close();
      babble.close();
    });
  });

  describe.each(['at-least-once', 'at-most-once'] as const)('when nothing was written (%s)', (delivery) => {
    it.each([
      ['a refused connection', async () => `http://127.0.0.1:${await freePort()}`],
      ['a name that does not resolve', async () => 'http://provider.invalid'],
      ['a TLS handshake that fails', async () => sink.url.replace('http:', 'https:')],
    ])('%s is to be tried again', async (_what, url) => {
      const http = openChannel(await url(), clock, { delivery });
      expect(await http.send(message(1), never())).toMatchObject({
        kind: 'retry',
        code: 'connection_failed',
        counts: true,
        message: expect.stringMatching(/./),
      });
      await http.close();
      expect(sink.taken).toBe(0);
    });

    it('a connection that takes too long is to be tried again', async () => {
      // 192.0.2.0/24 (RFC 5737) answers nobody; where it is refused at once instead, that is a retry as well.
      const http = openChannel('http://192.0.2.1:9', clock, { delivery, timeoutMs: 1000 });
      const result = http.send(message(1), never());
      clock.advance(1000);
      expect(await result).toMatchObject({ kind: 'retry', counts: true });
      await http.close();
    });

    it('an abort while the connection is being made counts no attempt, and nothing is written later', async () => {
      const http = channel({ delivery });
      const controller = new AbortController();
      const result = http.send(message(1), controller.signal);
      controller.abort();
      expect(await result).toMatchObject({ kind: 'retry', code: 'aborted', counts: false });
      expect(await http.send(message(2), never())).toMatchObject({ kind: 'sent' });
      expect([...sink.keys.keys()]).toEqual(['spring:2/1']);
    });

    it('a lease that ends while the connection is being made is noticed before anything is written', async () => {
      const http = channel({ delivery });
      let holds = true;
      const result = http.send(message(1), never(), () => holds);
      holds = false;
      expect(await result).toMatchObject({ kind: 'retry', code: 'not_begun', counts: false });
      expect(await http.send(message(2), never(), () => true)).toMatchObject({ kind: 'sent' });
      expect([...sink.keys.keys()]).toEqual(['spring:2/1']);
    });

    it('an abort of what waits for its turn counts no attempt and leaves the others alone', async () => {
      sink.script({ hang: true });
      const http = channel({ delivery, concurrency: 1 });
      const controller = new AbortController();
      const first = http.send(message(1), never());
      const second = http.send(message(2), controller.signal);
      const third = http.send(message(3), never());
      await sink.took(1);
      controller.abort();
      expect(await second).toMatchObject({ kind: 'retry', code: 'aborted', counts: false });
      sink.release();
      expect(await Promise.all([first, third])).toMatchObject([{ kind: 'sent' }, { kind: 'sent' }]);
      expect([...sink.keys.keys()]).toEqual(['spring:1/1', 'spring:3/1']);
    });
  });

  describe('closing', () => {
    it('waits for the answer of what is on the wire, and hands out what waits as not tried', async () => {
      sink.script({ hang: true });
      const http = channel({ concurrency: 1 });
      const onWire = http.send(message(1), never());
      const waiting = http.send(message(2), never());
      await sink.took(1);
      let closed = false;
      const closing = http.close().then(() => {
        closed = true;
      });
      expect(await waiting).toMatchObject({ kind: 'retry', code: 'closed', counts: false });
      expect(closed).toBe(false);
      sink.release();
      expect(await onWire).toMatchObject({ kind: 'sent' });
      await closing;
    });

    it('ends with the deadline of what never answers', async () => {
      sink.script({ hang: true });
      const http = channel({ timeoutMs: 500 });
      const onWire = http.send(message(1), never());
      await sink.took(1);
      const closing = http.close();
      clock.advance(500);
      expect(await onWire).toMatchObject({ kind: 'retry', code: 'timeout' });
      await closing;
    });
  });

  it('listens once to a signal that many messages share', async () => {
    const warnings: Error[] = [];
    const keep = (warning: Error): void => void warnings.push(warning);
    process.on('warning', keep);
    const signal = never();
    const http = channel();
    const results = await Promise.all(Array.from({ length: 64 }, (_, n) => http.send(message(n), signal)));
    await new Promise<void>((resolve) => process.nextTick(resolve));
    process.off('warning', keep);
    expect(results.every(({ kind }: SendResult) => kind === 'sent')).toBe(true);
    expect(warnings).toEqual([]);
  });

  it('makes all configured channels, by name, and warns of those set up for tests', async () => {
    const logger = recordingLogger();
    const channels = await createChannels(
      [config({ driver: 'http', url: sink.url }), config({ name: 'sms', redirect: '+49170' })],
      { clock, logger, write: () => undefined },
    );
    expect([...channels.keys()]).toEqual(['email', 'sms']);
    expect(logger.of('warn').map(({ fields }) => fields['channel'])).toEqual(['sms']);
    expect(JSON.stringify(logger.entries)).not.toContain('+49170');
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
