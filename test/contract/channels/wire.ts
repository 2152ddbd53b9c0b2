import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { HttpOptions } from '../../../src/channels/httpTransport.ts';
import type { ChannelConfig } from '../../../src/config.ts';
import type { Channel, OutboundMessage, SendResult } from '../../../src/domain/channelPorts.ts';
import type { Clock } from '../../../src/domain/systemPorts.ts';
import { selfSigned } from '../../support/certificate.ts';
import { type ManualClock, manualClock } from '../../support/clock.ts';
import { recordingLogger } from '../../support/fakes.ts';
import { type Answer, type Delivery, type Sink, startSink } from '../../support/sink.ts';
import { never } from './conformance.ts';
import { type Answers, type Fault, faults, type Outcomes, start, unreachable } from './faults.ts';

/** A driver over HTTP and the provider it speaks to. */
export interface WireRig {
  /** A channel of a provider at this origin. */
  open(origin: string, given: Partial<ChannelConfig>, clock: Clock, options: HttpOptions): Channel;
  message(n: number): OutboundMessage;
  /** What tells tries of one message from another one, where the provider sees it. */
  key(delivery: Omit<Delivery, 'key'>): string;
  /** The provider's answer while all is well. */
  answer(delivery: Delivery): Answer;
  answers: Answers;
  /** What the driver calls the answers. */
  codes: Readonly<Record<keyof Answers, string>>;
}

/** A result in few words. */
export function told(result: SendResult): string {
  if (result.kind === 'sent') return result.providerMessageId === undefined ? 'sent' : 'sent with its id';
  if (result.kind !== 'retry') return `${result.kind} ${result.code}`;
  const attempt = result.counts ? '' : ', no attempt';
  return `retry ${result.code}${attempt}${result.retryAfterMs === undefined ? '' : `, in ${result.retryAfterMs / 1000} s`}`;
}

const of = <T>(value: T | Readonly<Record<keyof Outcomes, T>>, delivery: keyof Outcomes): T =>
  typeof value === 'object' && value !== null && delivery in value
    ? (value as Readonly<Record<keyof Outcomes, T>>)[delivery]
    : (value as T);

/** What every driver over HTTP does when its provider misbehaves: nothing is lost, and nothing has two keys. */
export function describeWire(driver: string, rig: WireRig): void {
  const open = (url: string, clock: ManualClock, given: Partial<ChannelConfig> = {}, ca?: string): Channel =>
    rig.open(url, given, clock, { logger: recordingLogger(), ...(ca === undefined ? {} : { ca }) });

  describe.each(['at-least-once', 'at-most-once'] as const)(`a provider that misbehaves: ${driver}, %s`, (delivery) => {
    let sink: Sink;
    let well = true;
    let fault: Fault | undefined;
    beforeAll(async () => {
      const answer = (came: Delivery): Answer => {
        const usual = rig.answer(came);
        return well ? usual : (fault?.answer?.(usual, rig.answers) ?? usual);
      };
      sink = await startSink({ key: (came) => rig.key(came), answer });
      const channel = open(sink.url, manualClock(start));
      await answered(channel);
      await channel.close();
    });
    afterAll(() => sink.close());

    /** What the pipelines do with a result: a retry is sent again, the same message, and all is well by then. */
    async function sendAgain(channel: Channel, sent: OutboundMessage, result: SendResult): Promise<void> {
      well = true;
      if (result.kind === 'retry') {
        expect(told(await channel.send(structuredClone(sent), never()))).toBe('sent with its id');
      }
    }

    it.each(faults.map((one) => [one.what, one] as const))('%s', async (_what, one) => {
      const clock = manualClock(start);
      const channel = open(sink.url, clock, { delivery });
      const [taken, accepted] = [sink.taken, new Map(sink.accepted)];
      const count = one.messages ?? 1;
      const first = sink.requests + 1;
      const messages = Array.from({ length: count }, (_, n) => rig.message(first * 100 + n));
      [well, fault] = [false, one];
      if (one.script !== undefined) sink.script(one.script);
      const sending = messages.map((message) => channel.send(message, never()));
      if (one.meanwhile !== undefined) {
        await sink.took(taken + count);
        await answered(channel);
        one.meanwhile(sink, clock);
      }
      const results = await Promise.all(sending);
      const expected = of(one.outcome, delivery).replace(/\{(\w+)\}/g, (_, name: keyof Answers) => rig.codes[name]);
      expect(results.map(told)).toEqual(messages.map(() => expected));
      await Promise.all(messages.map((message, n) => sendAgain(channel, message, results[n] as SendResult)));
      const keys = [...sink.accepted].filter(([key]) => !accepted.has(key)).map(([, times]) => times);
      const times = of(one.taken, delivery);
      expect(keys).toEqual(times === 0 ? [] : messages.map(() => times));
      expectSameBytes(sink.deliveries.slice(taken));
      sink.release();
      await channel.close();
    });

    /** Lets what the provider has written so far arrive. */
    async function answered(channel: Channel): Promise<void> {
      [well, fault] = [true, undefined];
      for (let n = 0; n < 2; n += 1) await channel.send(rig.message(n), never());
    }

    const certificates = {
      'a certificate that it signed itself': async () => ({ tls: await selfSigned(), ca: undefined }),
      'a certificate for another name': async () => {
        const tls = await selfSigned({ host: 'other.example' });
        return { tls, ca: tls.cert };
      },
      'an expired certificate': async () => {
        const tls = await selfSigned({ until: new Date(2020, 0) });
        return { tls, ca: tls.cert };
      },
    };
    it.each(Object.entries(certificates))('%s', async (what, make) => {
      const { tls, ca } = await make();
      const secure = await startSink({ tls, key: (came) => rig.key(came), answer: rig.answer });
      await expectUnreachable(what, secure.url, ca);
      expect(secure.requests).toBe(0);
      await secure.close();
    });

    it.each([
      ['no TLS where TLS is asked for', async () => sink.url.replace('http:', 'https:')],
      ['a host name that does not resolve', async () => 'http://provider.invalid'],
      ['a refused connection', async () => `http://127.0.0.1:${await freePort()}`],
    ])('%s', async (what, url) => {
      await expectUnreachable(what, await url());
    });

    async function expectUnreachable(what: string, url: string, ca?: string): Promise<void> {
      const channel = open(url, manualClock(start), { delivery }, ca);
      expect(told(await channel.send(rig.message(1), never()))).toBe(unreachable[what as keyof typeof unreachable]);
      await channel.close();
    }
  });

  it(`a certificate that can be trusted: ${driver}`, async () => {
    const tls = await selfSigned();
    const secure = await startSink({ tls, key: (came) => rig.key(came), answer: rig.answer });
    const channel = open(secure.url, manualClock(start), {}, tls.cert);
    expect(told(await channel.send(rig.message(1), never()))).toBe('sent with its id');
    await channel.close();
    await secure.close();
  });
}

/** Tries of a message are the same request; different messages have different keys. */
function expectSameBytes(deliveries: readonly Delivery[]): void {
  const bodies = new Map<string, Set<string>>();
  for (const { key, raw } of deliveries) {
    bodies.set(key, (bodies.get(key) ?? new Set<string>()).add(raw.toString('utf8')));
  }
  for (const [key, all] of bodies) expect([key, all.size]).toEqual([key, 1]);
  const texts = [...bodies.values()].flatMap((all) => [...all]);
  expect(new Set(texts).size).toBe(texts.length);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
