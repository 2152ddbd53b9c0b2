/** Driver twilio against the Messages API as it is documented. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { BoundedChannel } from '../../../src/channels/bounded.ts';
import { createChannel } from '../../../src/channels/index.ts';
import { twilioDriver } from '../../../src/channels/twilio.ts';
import { twilioErrors } from '../../../src/channels/twilioErrors.ts';
import type { ChannelConfig } from '../../../src/config.ts';
import type { SendResult } from '../../../src/domain/channelPorts.ts';
import { manualClock } from '../../support/clock.ts';
import { recordingLogger } from '../../support/fakes.ts';
import { fakeTwilio, messageIdIn, type TwilioAccount, twilioError } from '../../support/fakeTwilio.ts';
import { type Answer, type Sink, startSink } from '../../support/sink.ts';
import { config, describeChannel, message as mail, never } from './conformance.ts';
import { describeWire } from './wire.ts';

const hex = '0123456789abcdef'.repeat(2);
const account: TwilioAccount = {
  sid: `AC${hex}`,
  authToken: 'hush-hush',
  keys: { [`SK${hex}`]: 'key:secret' },
  senders: ['+15557654321', 'Compass'],
  services: [`MG${hex}`],
  emptyServices: [`MG${'e'.repeat(32)}`],
  optedOut: ['+15550000001'],
  landlines: ['+15550000002'],
  regions: ['+1', '+49'],
};
const number = (n: number): string => `+1555${String(2_000_000 + n)}`;
const message: typeof mail = (n, given = {}) => mail(n, { to: number(n), channel: 'sms', ...given });

const settings = (given: Partial<ChannelConfig>): ChannelConfig =>
  config({
    ...{ name: 'sms', driver: 'twilio', address: 'phone', account: account.sid, token: account.authToken },
    ...{ from: '+15557654321', statusCallback: 'https://us.example/status?from=twilio', maxSegments: 10 },
    ...given,
  });
const open = (given: Partial<ChannelConfig>): Promise<BoundedChannel> =>
  createChannel(settings(given), { clock: manualClock(), logger: recordingLogger() }) as Promise<BoundedChannel>;

describeChannel(
  'twilio',
  async (given = {}) => {
    const sink = await startSink({ key: messageIdIn, answer: fakeTwilio(account) });
    const channel = await open({ url: sink.url, ...given });
    return {
      channel,
      arrived: () => sink.deliveries.map(({ raw }) => [...new URLSearchParams(raw.toString('utf8'))].flat().join(' ')),
      gather: (count) => {
        sink.script(...Array.from({ length: count }, () => ({ status: 201, hang: true })));
        sink.took(count).then(sink.release, () => undefined);
      },
      peak: () => sink.peak,
      breakMedium: () => sink.close(),
      dispose: async () => {
        await channel.close();
        await sink.close();
      },
    };
  },
  {
    needs: ['text'],
    marks: ({ messageId, to, content }) => [encodeURIComponent(messageId), to, content.text ?? ''],
    unwritable: [{ content: {} }, { content: { html: '<p>Hello</p>' } }],
    to: number,
    written: '+1 (555) 200-0001',
    alias: { allow: '+49 (170) 123-45', to: '+4917012345' },
    redirect: '+15559999999',
  },
);

describeWire('twilio', {
  open: (url, given, clock, options) => {
    const all = settings({ url, ...given });
    return new BoundedChannel(all, twilioDriver(all, clock, options), clock);
  },
  message,
  key: messageIdIn,
  answer: fakeTwilio(account),
  answers: {
    busy: twilioError(429, 20429, 'Too Many Requests'),
    broken: twilioError(500, 20500, 'Internal Server Error'),
  },
  codes: { busy: 'rate_limited', broken: 'twilio_20500' },
});

describe('twilio', () => {
  let sink: Sink;
  beforeAll(async () => {
    sink = await startSink({ key: messageIdIn, answer: fakeTwilio(account) });
  });
  afterAll(() => sink.close());

  /** What comes of one message: from the fake's own judgement, or an answer as given. */
  async function send(given: Partial<ChannelConfig>, sent = message(1), answer?: Answer): Promise<SendResult> {
    const channel = await open({ url: sink.url, ...given });
    if (answer !== undefined) sink.script(answer);
    const result = await channel.send(sent, never());
    await channel.close();
    return result;
  }
  const sentForm = (): Record<string, string> =>
    Object.fromEntries(new URLSearchParams(sink.deliveries.at(-1)?.raw.toString('utf8')));

  it('writes the form, with our id in the address for statuses', async () => {
    const content = { text: 'Grüße & mehr=1+1 👩‍🚀' };
    expect(await send({}, message(7, { to: '001 (555) 200-0007', content }))).toEqual({
      kind: 'sent',
      providerMessageId: expect.stringMatching(/^SM[\da-f]{32}$/),
    });
    expect(sentForm()).toEqual({
      ...{ To: '+15552000007', From: '+15557654321', Body: content.text },
      StatusCallback: 'https://us.example/status?from=twilio&messageId=spring%3A7%2F1',
    });
  });

  it.each<[string, Partial<ChannelConfig>, Record<string, string>]>([
    ['a sender ID', { from: 'Compass' }, { From: 'Compass' }],
    ['a Messaging Service', { from: `MG${hex}` }, { MessagingServiceSid: `MG${hex}` }],
  ])('sends from %s', async (_what, given, form) => {
    const { statusCallback: _, ...without } = settings({ url: sink.url, ...given });
    const channel = await createChannel(without, { clock: manualClock(), logger: recordingLogger() });
    expect(await channel.send(message(1), never())).toMatchObject({ kind: 'sent' });
    await channel.close();
    expect(sentForm()).toEqual({ To: number(1), Body: 'Number 1', ...form });
  });

  it('logs in by an API key', async () => {
    const token = `SK${hex}:key`;
    const keyed = await startSink({ answer: fakeTwilio({ ...account, keys: { [`SK${hex}`]: 'key' } }) });
    expect(await send({ url: keyed.url, token })).toMatchObject({ kind: 'sent' });
    await keyed.close();
  });

  it.each<[string, Partial<ChannelConfig>, ReturnType<typeof message>, object]>([
    ['who said STOP', {}, message(1, { to: '+15550000001' }), { kind: 'rejected', code: 'opted_out' }],
    [
      'a landline, as a hard bounce',
      {},
      message(1, { to: '+15550000002' }),
      { kind: 'rejected', code: 'address_invalid', bounce: true },
    ],
    [
      'a region that is not allowed',
      {},
      message(1, { to: '+447700900123' }),
      { kind: 'rejected', code: 'twilio_21408' },
    ],
    ['a wrong token', { token: 'wrong' }, message(1), { kind: 'retry', code: 'login_failed', counts: false }],
    ['another account', { account: `AC${'f'.repeat(32)}` }, message(1), { kind: 'retry', code: 'login_failed' }],
    ...['e', 'f'].map((digit): [string, Partial<ChannelConfig>, ReturnType<typeof message>, object] => [
      `a Messaging Service that is empty, or not there (${digit})`,
      { from: `MG${digit.repeat(32)}` },
      message(1),
      { kind: 'retry', code: 'sender_refused', counts: false, retryAfterMs: 60_000 },
    ]),
    ['a sender of somebody else', { from: '+15551' + '111111' }, message(1), { kind: 'retry', code: 'sender_refused' }],
    [
      'an address for statuses that it does not take',
      { statusCallback: 'https://a_b.example/' },
      message(1),
      { kind: 'retry', code: 'callback_refused', counts: false, retryAfterMs: 60_000 },
    ],
  ])('is told of %s', async (_what, given, sent, expected) => {
    expect(await send(given, sent)).toMatchObject(expected);
  });

  it('logs what an operator has to mend, without the token', async () => {
    const logger = recordingLogger();
    const channel = await createChannel(settings({ url: sink.url, token: 'wrong' }), { clock: manualClock(), logger });
    const encoded = Buffer.from(`${account.sid}:wrong`).toString('base64').replace(/=+$/, '');
    sink.script(...[1, 2].map(() => twilioError(401, 20003, `Authenticate: not "wrong", nor ${encoded}`)));
    await Promise.all([1, 2].map((n) => channel.send(message(n), never())));
    await channel.close();
    expect(logger.of('warn').map(({ fields }) => fields)).toEqual([
      { channel: 'sms', code: 'login_failed', message: 'Twilio 20003: Authenticate: not "***", nor ***' },
    ]);
  });

  it.each([...twilioErrors])('knows error %d', async (code, [meaning]) => {
    const result = await send({}, message(1), twilioError(400, code, 'as it is'));
    expect(result).toMatchObject(
      meaning.kind === 'final'
        ? { kind: 'rejected', code: meaning.code ?? `twilio_${code}`, message: `Twilio ${code}: as it is` }
        : { kind: 'retry', code: meaning.code, counts: false },
    );
    expect('bounce' in result).toBe(meaning.kind === 'final' && meaning.bounce === true);
  });

  it.each([21606, 21612, 21703])('takes %d for a matter of one recipient, for good', async (code) => {
    expect(await send({}, message(1), twilioError(400, code, 'x'))).toEqual({
      ...{ kind: 'rejected', code: `twilio_${code}`, message: `Twilio ${code}: x` },
    });
  });

  it('a limit for one recipient has a code of its own', async () => {
    expect(await send({}, message(1), twilioError(429, 14107, 'x'))).toMatchObject({
      ...{ kind: 'retry', code: 'recipient_limited', counts: false, retryAfterMs: 30_000 },
    });
  });

  it('a handset that is unknown today is no hard bounce', async () => {
    const result = await send({}, message(1), twilioError(400, 30005, 'x'));
    expect(result).toEqual({ kind: 'rejected', code: 'address_invalid', message: 'Twilio 30005: x' });
  });

  it.each<[string, Answer, object]>([
    ['an error that is not listed', twilioError(400, 21620, 'x'), { kind: 'rejected', code: 'twilio_21620' }],
    ['the same, to do with the login', twilioError(403, 29999, 'x'), { kind: 'retry', code: 'login_failed' }],
    ['401 without a body', { status: 401, body: '' }, { kind: 'retry', code: 'login_failed', counts: false }],
    ['404 of something else', { status: 404, body: 'lost' }, { kind: 'retry', code: 'account_blocked', counts: false }],
    ['400 without JSON', { status: 400, body: 'no' }, { kind: 'rejected', code: 'http_400', message: 'HTTP 400: no' }],
    ['a code that is none', { status: 400, body: '{"code":"21610"}' }, { kind: 'rejected', code: 'http_400' }],
    ['null', { status: 400, body: 'null' }, { kind: 'rejected', code: 'http_400' }],
    ['400 and nothing', { status: 400, body: '' }, { kind: 'rejected', message: 'HTTP 400' }],
    ['an id that is none', { status: 201, body: '{"sid":7}' }, { kind: 'sent' }],
    [
      '200 of something in between',
      { body: '<h1>Log in</h1>' },
      { kind: 'retry', code: 'answer_invalid', counts: true, mayHaveLeft: true },
    ],
    ['200 with an id all the same', { body: '{"sid":"SM1"}' }, { kind: 'sent', providerMessageId: 'SM1' }],
  ])('reads %s', async (_what, answer, expected) => {
    expect(await send({}, message(1), answer)).toMatchObject(expected);
  });

  it.each([
    [502, 20500, 'twilio_20500'],
    [504, 20429, 'rate_limited'],
  ])('%d leaves open whether it was taken, whatever error %d says', async (status, error, code) => {
    const answer = twilioError(status, error, 'x');
    expect(await send({}, message(1), answer)).toMatchObject({ kind: 'retry', code, mayHaveLeft: true });
    expect(await send({}, message(1), { ...answer, status: 503 })).not.toHaveProperty('mayHaveLeft');
  });

  it('leaves 200 of something in between uncertain where nothing may be sent twice', async () => {
    const given = { delivery: 'at-most-once' } as const;
    expect(await send(given, message(1), { body: '<h1>Log in</h1>' })).toMatchObject({ code: 'answer_invalid' });
  });

  it.each([['account'], ['token'], ['from']] as const)('refuses at the start: no %s', (missing) => {
    const { [missing]: _, ...rest } = settings({ url: sink.url });
    expect(() => twilioDriver(rest as ChannelConfig, manualClock())).toThrow('driver twilio needs');
  });

  it('docs/channels.md has every error, and what comes of it', () => {
    const docs = readFileSync(new URL('../../../docs/channels.md', import.meta.url), 'utf8');
    for (const [code, [meaning, what]] of twilioErrors) {
      const said = meaning.code ?? `twilio_${code}`;
      const bounce = meaning.kind === 'final' && meaning.bounce ? ', a hard bounce' : '';
      const outcome = meaning.kind === 'final' ? `fails: \`${said}\`${bounce}` : `waits: \`${said}\``;
      expect(docs).toContain(`| ${code} | ${what} | ${outcome} |`);
    }
  });
});
