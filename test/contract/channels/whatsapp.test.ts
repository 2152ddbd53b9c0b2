/** Driver `whatsapp` against a Cloud API that validates, limits and refuses as Meta documents it. */
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BoundedChannel } from '../../../src/channels/bounded.ts';
import { whatsappDriver } from '../../../src/channels/whatsapp.ts';
import type { ChannelConfig } from '../../../src/config.ts';
import type { Channel, OutboundMessage, SendResult } from '../../../src/domain/channelPorts.ts';
import { type ManualClock, manualClock } from '../../support/clock.ts';
import { type CloudApi, graphError, phoneNumberId, startCloudApi, token } from '../../support/cloudApi.ts';
import { startSink } from '../../support/sink.ts';
import { config, describeChannel, message, never } from './conformance.ts';

const ada = '+4915112345678';
const fixed = { driver: 'whatsapp', name: 'whatsapp', address: 'whatsapp', from: phoneNumberId, token } as const;
const open: Channel[] = [];

describeChannel(
  'whatsapp',
  async (given = {}) => {
    const sink = await startSink({ answer: () => ({ body: '{"messages":[{"id":"wamid.1"}]}' }) });
    const settings = config({ ...fixed, url: `${sink.url}/v24.0`, ...given });
    const clock = manualClock();
    const channel = new BoundedChannel(settings, whatsappDriver(settings, clock), clock);
    return {
      channel,
      arrived: () => sink.deliveries.map(({ raw }) => raw.toString('utf8')),
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
  },
  {
    needs: ['text', 'body'],
    marks: ({ messageId, to, content }) => [messageId, to, content.text ?? ''],
    odd: {
      subject: 'Grüße',
      text: 'not this',
      body: { text: { preview_url: false, body: 'two\nlines 👩‍🚀 \u2028 \ud800' } },
    },
    to: (n) => `+49151123456${String(n).padStart(2, '0')}`,
    written: '+49 (151) 123-456-01',
    redirect: '+4915700000000',
  },
);

describe('whatsapp', () => {
  let api: CloudApi;
  let clock: ManualClock;
  beforeEach(async () => {
    clock = manualClock();
    api = await startCloudApi({ now: () => clock.now() });
  });
  afterEach(async () => {
    api.sink.release();
    await Promise.all(open.splice(0).map((one) => one.close()));
    await api.close();
  });

  function channel(given: Partial<ChannelConfig> = {}): Channel {
    const settings = config({ ...fixed, url: api.url, ...given });
    const made = new BoundedChannel(settings, whatsappDriver(settings, clock), clock);
    open.push(made);
    return made;
  }
  const send = (given: Partial<OutboundMessage> = {}, settings: Partial<ChannelConfig> = {}): Promise<SendResult> =>
    channel(settings).send(message(1, { to: ada, content: { text: 'Hello' }, ...given }), never());
  const body = (n = 0): unknown => api.sink.deliveries[n]?.json;

  describe('a text', () => {
    it('goes out while the window of the person is open, and is known by its wamid', async () => {
      api.wrote(ada);
      expect(await send()).toEqual({ kind: 'sent', providerMessageId: expect.stringMatching(/^wamid\./) });
      const second = await send({ messageId: 'spring:1/2' });
      expect(second).toEqual({ kind: 'sent', providerMessageId: api.accepted[1]?.wamid });
      expect(body()).toEqual({
        messaging_product: 'whatsapp',
        recipient_type: 'individual',
        to: ada,
        type: 'text',
        text: { body: 'Hello' },
        biz_opaque_callback_data: 'spring:1/1',
      });
      expect(api.sink.deliveries[0]).toMatchObject({ method: 'POST', path: `/v24.0/${phoneNumberId}/messages` });
    });

    it('is refused as session_closed before the person wrote, and 24 hours after', async () => {
      const closed = { kind: 'rejected', code: 'session_closed', message: expect.stringContaining('#131047') };
      expect(await send()).toMatchObject(closed);
      api.wrote(ada);
      clock.advance(86_399_999);
      expect(await send()).toMatchObject({ kind: 'sent' });
      clock.advance(1);
      expect(await send()).toMatchObject(closed);
    });

    it.each([
      ['body', { text: 'shown elsewhere', body: 'From body' }, { type: 'text', text: { body: 'From body' } }],
      [
        'its object',
        { body: { text: { body: 'See https://a.example', preview_url: true } } },
        { type: 'text', text: { preview_url: true } },
      ],
      [
        'an image',
        { body: { image: { link: 'https://a.example/a.png' } } },
        { type: 'image', image: { link: 'https://a.example/a.png' } },
      ],
    ])('may be given as %s', async (_, content, expected) => {
      api.wrote(ada);
      expect(await send({ content })).toMatchObject({ kind: 'sent' });
      expect(body()).toMatchObject(expected);
    });
  });

  describe('a template', () => {
    const parameters = [{ type: 'text', text: 'Ada' }];
    const template = { name: 'welcome', language: 'de', components: [{ type: 'body', parameters }] };
    beforeEach(() => api.approve('welcome', 'de', 1));

    it.each(['de', { code: 'de', policy: 'deterministic' }])('needs no open window (language %j)', async (language) => {
      const content = { text: 'left out', body: { template: { ...template, language } } };
      expect(await send({ content })).toMatchObject({ kind: 'sent' });
      const written = typeof language === 'string' ? { code: language } : language;
      expect(body()).toMatchObject({ type: 'template', template: { ...template, language: written } });
      expect(body()).not.toHaveProperty('text');
    });

    it.each([
      ['is not approved', { ...template, name: 'other' }, 'whatsapp_132001'],
      ['is not there in that language', { ...template, language: 'en_US' }, 'whatsapp_132001'],
      ['has other parameters', { ...template, components: [] }, 'whatsapp_132000'],
    ])('that %s is refused for good', async (_, wrong, code) => {
      expect(await send({ content: { body: { template: wrong } } })).toMatchObject({ kind: 'rejected', code });
    });
  });

  describe('what is no message of WhatsApp never leaves', () => {
    it.each([
      ['nothing', { subject: 'Hello' }, 'neither text nor body'],
      ['HTML alone', { html: '<p>Hello</p>' }, 'neither text nor body'],
      ['two types', { body: { text: { body: 'a' }, image: { link: 'b' } } }, 'exactly one of template, text'],
      ['another type', { body: { reaction: { emoji: 'x' } } }, 'exactly one of template, text'],
      ['a list', { body: ['a'] }, 'neither text nor body'],
      ['no template', { body: { template: 'welcome' } }, 'body.template is no object'],
      ['a template without a name', { body: { template: { language: 'de' } } }, 'body.template.name is missing'],
      ['a template without a language', { body: { template: { name: 'a' } } }, 'body.template.language is missing'],
      [
        'components that are none',
        { body: { template: { name: 'a', language: 'de', components: {} } } },
        'components is no array',
      ],
      ['attachments', { text: 'a', attachments: [{ url: 'https://a.example' }] }, 'a file goes as body.document'],
    ])('%s', async (_, content, said) => {
      expect(await send({ content })).toEqual({
        ...{ kind: 'rejected', code: 'message_invalid', message: expect.stringContaining(said) },
      });
      expect(api.sink.requests).toBe(0);
    });

    it.each(['ada@example.com', 'https://a.example', '', '+49\n151', '123'])('to %j', async (to) => {
      expect(await send({ to })).toMatchObject({ kind: 'rejected', code: 'address_invalid' });
      expect(api.sink.requests).toBe(0);
    });
  });

  it('tells a message that its statuses cannot name by its hash', async () => {
    const messageId = `spring:${'a'.repeat(520)}/1`;
    api.wrote(ada);
    await send({ messageId });
    const hash = createHash('sha256').update(messageId).digest('hex');
    expect(body()).toMatchObject({ biz_opaque_callback_data: hash });
  });

  describe('an error of the Cloud API', () => {
    const retry = (code: string, counts: boolean, retryAfterMs?: number) => ({
      ...{ kind: 'retry', code, counts, message: expect.stringMatching(/^\(#\d+\) \S+/) },
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
    const rejected = (code: string) => ({
      ...{ kind: 'rejected', code, message: expect.stringMatching(/^\(#\d+\) \S+/) },
    });

    it.each<[number, object]>([
      [0, retry('login_failed', false, 60_000)],
      [3, retry('login_failed', false, 60_000)],
      [10, retry('login_failed', false, 60_000)],
      [190, retry('login_failed', false, 60_000)],
      [200, retry('login_failed', false, 60_000)],
      [299, retry('login_failed', false, 60_000)],
      [131005, retry('login_failed', false, 60_000)],
      [33, retry('account_blocked', false, 60_000)],
      [368, retry('account_blocked', false, 60_000)],
      [131031, retry('account_blocked', false, 60_000)],
      [131042, retry('account_blocked', false, 60_000)],
      [131045, retry('account_blocked', false, 60_000)],
      [133010, retry('account_blocked', false, 60_000)],
      [4, retry('rate_limited', false, 60_000)],
      [17, retry('rate_limited', false, 60_000)],
      [613, retry('rate_limited', false, 60_000)],
      [80008, retry('rate_limited', false, 60_000)],
      [80007, retry('rate_limited', false, 60_000)],
      [130429, retry('rate_limited', false)],
      [131048, retry('rate_limited', false, 600_000)],
      [131056, retry('recipient_limited', false, 6000)],
      [131000, retry('whatsapp_131000', true)],
      [131016, retry('whatsapp_131016', true)],
      [131026, rejected('address_invalid')],
      [131050, rejected('opted_out')],
      [131030, rejected('not_allowed')],
      [131047, rejected('session_closed')],
      [100, rejected('whatsapp_100')],
      [130472, rejected('whatsapp_130472')],
      [131008, rejected('whatsapp_131008')],
      [131049, rejected('whatsapp_131049')],
      [131051, rejected('whatsapp_131051')],
      [132015, rejected('whatsapp_132015')],
    ])('%d, whatever the delivery', async (code, expected) => {
      api.failWith(code);
      for (const delivery of ['at-least-once', 'at-most-once'] as const) {
        expect(await send({}, { delivery })).toEqual(expected);
      }
      expect(api.accepted).toEqual([]);
    });

    it('of a wrong token stops the channel, and the token shows nowhere', async () => {
      expect(await send({}, { token: 'EAAJB-expired' })).toMatchObject(retry('login_failed', false, 60_000));
      api.sink.script({ status: 401, body: JSON.stringify({ error: { code: 190, message: `no ${token} here` } }) });
      expect(await send()).toMatchObject({ code: 'login_failed', message: 'no *** here' });
    });

    it('of a number that is not there is the channel’s, not the message’s', async () => {
      expect(await send({}, { from: '10654035224299' })).toMatchObject(retry('login_failed', false, 60_000));
    });

    it.each([
      ['one that is not listed is final with 4xx', graphError(999_999), { kind: 'rejected', code: 'whatsapp_999999' }],
      ['unless Meta calls it transient', graphError(999_999, { is_transient: true }), { kind: 'retry', counts: true }],
      ['and tried again with 5xx', { ...graphError(999_999), status: 500 }, { kind: 'retry', counts: true }],
      [
        'a 502 and a 504 leave open whether it was taken',
        { ...graphError(131000), status: 502 },
        { code: 'whatsapp_131000', mayHaveLeft: true },
      ],
      ['Retry-After is heeded', { ...graphError(130429), retryAfter: 7 }, { code: 'rate_limited', retryAfterMs: 7000 }],
      ['and goes before a wait of ours', { ...graphError(131056), retryAfter: 9 }, { retryAfterMs: 9000 }],
      ['without details', { status: 400, body: '{"error":{"code":100}}' }, { kind: 'rejected', message: 'error 100' }],
      // it may have been a limit, which comes as 400, too
      ['a 400 that says nothing', { status: 400, body: '<h1>Bad Request</h1>' }, { kind: 'retry', counts: true }],
      [
        'a 400 with another error',
        { status: 400, body: '{"error":"no"}' },
        { kind: 'retry', code: 'http_400', counts: true },
      ],
      ['a redirection', { status: 302, headers: { location: '/' }, body: '' }, { kind: 'rejected', code: 'http_302' }],
    ])('%s', async (_, answer, expected) => {
      api.sink.script(answer);
      expect(await send()).toMatchObject(expected);
    });

    it('of too many messages in a second passes with the second', async () => {
      api.limit(3);
      api.wrote(ada);
      const whatsapp = channel();
      const five = () =>
        Promise.all(
          [1, 2, 3, 4, 5].map((n) => whatsapp.send(message(n, { to: ada, content: { text: 'a' } }), never())),
        );
      const kinds = (await five()).map(({ kind }) => kind);
      expect(kinds.toSorted()).toEqual(['retry', 'retry', 'sent', 'sent', 'sent']);
      clock.advance(1000);
      expect((await five()).filter(({ kind }) => kind === 'sent')).toHaveLength(3);
    });
  });

  it.each([
    ['nothing', ''],
    ['no JSON', 'OK'],
    ['null', 'null'],
    ['no messages', '{"messages":[]}'],
    ['a message that is none', '{"messages":[null]}'],
    ['an id that is none', '{"messages":[{"id":17}]}'],
    ['an id that is too long', JSON.stringify({ messages: [{ id: 'w'.repeat(513) }] })],
  ])('an answer that took it and tells %s is sent without an id', async (_, answer) => {
    api.sink.script({ body: answer });
    expect(await send()).toEqual({ kind: 'sent' });
  });

  it.each([
    ['the id of a phone number', { from: undefined }],
    ['an http:// or https:// URL', { url: 'ftp://x' }],
  ])('needs %s', (what, given) => {
    expect(() => channel(given as Partial<ChannelConfig>)).toThrow(`driver whatsapp needs ${what}`);
  });
});
