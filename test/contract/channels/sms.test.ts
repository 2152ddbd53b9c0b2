/** What channels that reach telephones refuse before anything leaves: numbers that cannot be, and texts in too many parts. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createChannel } from '../../../src/channels/index.ts';
import type { ChannelConfig } from '../../../src/config.ts';
import type { OutboundMessage, SendResult } from '../../../src/domain/channelPorts.ts';
import { manualClock } from '../../support/clock.ts';
import { recordingLogger } from '../../support/fakes.ts';
import { fakeTwilio } from '../../support/fakeTwilio.ts';
import { type Sink, startSink } from '../../support/sink.ts';
import { config, message, never } from './conformance.ts';

const hex = '0123456789abcdef'.repeat(2);
const account = { sid: `AC${hex}`, authToken: 'hush-hush', senders: ['Compass'] };
let sink: Sink;
beforeAll(async () => {
  const twilio = fakeTwilio(account);
  sink = await startSink({ answer: (delivery) => (delivery.path === '/' ? {} : twilio(delivery)) });
});
afterAll(() => sink.close());

async function send(sent: Partial<OutboundMessage>, given: Partial<ChannelConfig> = {}): Promise<SendResult> {
  const login = { account: account.sid, token: account.authToken, from: 'Compass' };
  const settings = config({ name: 'sms', driver: 'twilio', url: sink.url, address: 'phone', ...login, ...given });
  const channel = await createChannel(settings, { clock: manualClock(), logger: recordingLogger() });
  const result = await channel.send(message(1, { to: '+4915112345678', ...sent }), never());
  await channel.close();
  return result;
}

describe('numbers', () => {
  it.each([
    '+4915112345678',
    '+49 (151) 123-45678',
    '0049 151 12345678',
    '15552000001',
    'tel:+551133334444',
    '+80012345678',
  ])('%s may be one', async (to) => {
    expect(await send({ to })).toMatchObject({ kind: 'sent' });
  });

  it.each(['+999123456', '+12', '+1555000111', '+12345678901234567', 'ada@example.com', 'call +15552000001', ''])(
    '%j cannot be one',
    async (to) => {
      const before = sink.requests;
      const result = await send({ to });
      expect(result).toEqual({
        ...{ kind: 'rejected', code: 'address_invalid', message: 'the recipient is no possible telephone number' },
      });
      expect(sink.requests).toBe(before);
    },
  );

  it('are looked at in the field of WhatsApp, too', async () => {
    const whatsapp: Partial<ChannelConfig> = {
      driver: 'whatsapp',
      address: 'whatsapp',
      from: '106540352242922',
      token: 't',
    };
    const before = sink.requests;
    await send({}, whatsapp);
    expect(sink.requests).toBe(before + 1);
    expect(await send({ to: '+12' }, whatsapp)).toMatchObject({ kind: 'rejected', code: 'address_invalid' });
    expect(sink.requests).toBe(before + 1);
  });

  it.each<[string, Partial<ChannelConfig>]>([
    ['the address is none', { driver: 'http', address: 'url' }],
    ['anything may be behind it', { driver: 'http' }],
    ['nothing is sent', { driver: 'console' }],
  ])('are not looked at where %s', async (_what, given) => {
    expect(await send({ to: '+12' }, given)).toMatchObject({ kind: 'sent' });
  });
});

describe('parts', () => {
  const limited = { driver: 'http', maxSegments: 2 } as const;

  it.each<[string, string]>([
    ['GSM-7', 'a'.repeat(306)],
    ['GSM-7 with its extension', '€'.repeat(152)],
    ['UCS-2', 'ж'.repeat(134)],
    ['nothing', ''],
  ])('two of %s are let through', async (_what, text) => {
    expect(await send({ content: { text } }, limited)).toMatchObject({ kind: 'sent' });
  });

  it.each<[string, string, string]>([
    ['GSM-7', 'a'.repeat(307), '3 segments (GSM-7), at most 2 are allowed'],
    ['GSM-7 with its extension', '€'.repeat(153), '3 segments (GSM-7), at most 2 are allowed'],
    ['UCS-2', 'ж'.repeat(135), '3 segments (UCS-2 because of ж), at most 2 are allowed'],
  ])('three of %s are refused', async (_what, text, reason) => {
    const before = sink.requests;
    const result = await send({ content: { text } }, limited);
    expect(result).toEqual({ kind: 'rejected', code: 'too_many_segments', message: reason });
    expect(sink.requests).toBe(before);
  });

  it('are limited by what Twilio takes, too', async () => {
    expect(await send({ content: { text: 'a'.repeat(1531) } }, { maxSegments: 10 })).toMatchObject({
      code: 'too_many_segments',
    });
    expect(await send({ content: { text: 'a'.repeat(1530) } }, { maxSegments: 10 })).toMatchObject({ kind: 'sent' });
    expect(await send({ content: { text: 'a'.repeat(1601) } }, { maxSegments: 20 })).toMatchObject({
      code: 'content_too_long',
    });
  });

  it('are not counted where there is no limit, or no text', async () => {
    expect(await send({ content: { text: 'a'.repeat(5000) } }, { driver: 'http' })).toMatchObject({ kind: 'sent' });
    expect(await send({ content: { body: { template: 'x' } } }, limited)).toMatchObject({ kind: 'sent' });
  });
});
