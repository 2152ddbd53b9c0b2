/** Every kind of answer a provider can give, and the result it stands for. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createChannel } from '../../../src/channels/index.ts';
import type { ChannelConfig } from '../../../src/config.ts';
import type { Channel, SendResult } from '../../../src/domain/channelPorts.ts';
import { manualClock } from '../../support/clock.ts';
import { recordingLogger } from '../../support/fakes.ts';
import { type Answer, type Sink, startSink } from '../../support/sink.ts';
import { waitFor } from '../../support/waitFor.ts';
import { config, message, never } from './conformance.ts';

const token = 'hush-hush';
const base64 = (text: string): string => Buffer.from(text).toString('base64').replace(/=+$/, '');
const clock = manualClock(Date.UTC(2026, 0, 5, 9));
let sink: Sink;
let careful: Channel;
let channel: Channel;

beforeAll(async () => {
  sink = await startSink();
  const given = { driver: 'http', url: sink.url, token } as const;
  channel = await createChannel(config(given), { clock, logger: recordingLogger() });
  careful = await createChannel(config({ ...given, delivery: 'at-most-once' }), { clock, logger: recordingLogger() });
});
afterAll(async () => {
  await Promise.all([channel.close(), careful.close()]);
  await sink.close();
});

let sequence = 0;
async function resultOf(answer: Answer, through = channel): Promise<SendResult> {
  sink.script(answer);
  sequence += 1;
  return through.send(message(sequence), never());
}
const json = (value: unknown): Answer => ({ body: JSON.stringify(value) });

describe('an answer of 2xx is sent', () => {
  it.each<[string, Answer, string | undefined]>([
    ['a text id', json({ id: 'abc-1' }), 'abc-1'],
    ['a number', json({ id: 42 }), '42'],
    [
      'a number past 2^53, in all its digits',
      { body: '{"ok":true,"id": 12345678901234567891}' },
      '12345678901234567891',
    ],
    ['status 201', { status: 201, id: 'x' }, 'x'],
    ['JSON without a content type', { body: ' {"id":"y"}', headers: { 'content-type': 'text/plain' } }, 'y'],
    ['no body at all', { status: 204 }, undefined],
    ['an empty body', { body: '' }, undefined],
    ['no id', json({ ok: true }), undefined],
    ['an empty id', json({ id: '' }), undefined],
    ['an id that is neither', json({ id: { $oid: 'x' } }), undefined],
    ['an id longer than any', json({ id: 'x'.repeat(513) }), undefined],
    ['a list', json([{ id: 'x' }]), undefined],
    ['no JSON', { body: 'queued' }, undefined],
    ['broken JSON', { body: '{"id":"x"' }, undefined],
    ['more than 64 KB', json({ id: 'x', filler: 'y'.repeat(65_536) }), undefined],
    ['several MB', { body: Buffer.alloc(5_000_000, 0x20) }, undefined],
  ])('with %s', async (_what, answer, providerMessageId) => {
    const { answer: _, ...result } = { answer: undefined, ...(await resultOf(answer)) };
    expect(result).toEqual(providerMessageId === undefined ? { kind: 'sent' } : { kind: 'sent', providerMessageId });
  });

  it.each<[string, Answer, unknown]>([
    ['a JSON object', json({ score: 7, of: { a: [1] } }), { score: 7, of: { a: [1] } }],
    ['a list', json([1]), undefined],
    ['no JSON', { body: 'queued' }, undefined],
    ['more than 16 KB', json({ filler: 'y'.repeat(16_384) }), undefined],
  ])('which is kept when it is small: %s', async (_what, answer, kept) => {
    expect(await resultOf(answer)).toEqual({ kind: 'sent', ...(kept === undefined ? {} : { answer: kept }) });
  });

  it.each(['reset', 'timeout', 'abort'] as const)('even when its body ends in a %s', async (how) => {
    const controller = new AbortController();
    sink.script({ slowBody: how === 'reset' ? 'reset' : true });
    const taken = sink.taken;
    const result = careful.send(message(900), controller.signal);
    await sink.took(taken + 1);
    await headersRead(careful);
    if (how === 'reset') sink.release();
    if (how === 'timeout') clock.advance(10_000);
    if (how === 'abort') controller.abort();
    expect(await result).toEqual({ kind: 'sent' });
    sink.release();
  });

  it('with the id of a body that comes in pieces', async () => {
    const taken = sink.taken;
    sink.script({ slowBody: true, id: 'späť' });
    const result = channel.send(message(901), never());
    await sink.took(taken + 1);
    await headersRead(channel);
    sink.release();
    expect(await result).toMatchObject({ kind: 'sent', providerMessageId: 'späť' });
  });
});

/** A request that began later has come back: the status line that left before it has been read as well. */
async function headersRead(through: Channel): Promise<void> {
  for (let n = 0; n < 3; n += 1) await through.send(message(1000 + n), never());
}

describe('an answer that asks for patience is tried again', () => {
  it.each([408, 500, 501, 502, 503, 504, 507, 599])('%d counts as an attempt', async (status) => {
    // a proxy that got no answer does not know whether the message was taken behind it
    const doubt = status === 502 || status === 504 ? { mayHaveLeft: true } : {};
    expect(await resultOf({ status, body: 'later' })).toEqual({
      kind: 'retry',
      code: `http_${status}`,
      message: `HTTP ${status}: later`,
      counts: true,
      ...doubt,
    });
  });

  it('429 counts as none', async () => {
    expect(await resultOf({ status: 429, body: '' })).toEqual({
      kind: 'retry',
      code: 'http_429',
      message: 'HTTP 429',
      counts: false,
    });
  });

  it.each<[string | number, number | undefined]>([
    [0, 0],
    [30, 30_000],
    [999_999, 86_400_000],
    ['Mon, 05 Jan 2026 09:01:00 GMT', 60_000],
    ['Mon, 05 Jan 2026 08:00:00 GMT', 0],
    ['soon', undefined],
  ])('after Retry-After %j', async (retryAfter, retryAfterMs) => {
    // The clock of the suite has moved on by the time-outs it played.
    clock.stepWall(Date.UTC(2026, 0, 5, 9) - clock.now());
    for (const status of [429, 503]) {
      const result = await resultOf({ status, retryAfter });
      expect(result).toMatchObject({ kind: 'retry', code: `http_${status}`, counts: status !== 429 });
      expect('retryAfterMs' in result ? result.retryAfterMs : undefined).toBe(retryAfterMs);
    }
  });

  it.each([408, 429, 500, 503])('%d with at-most-once too: the provider says it did not take it', async (status) => {
    expect(await resultOf({ status }, careful)).toMatchObject({ kind: 'retry', code: `http_${status}` });
  });

  it.each([502, 504])('but %d with at-most-once is unknown: a proxy cannot tell', async (status) => {
    expect(await resultOf({ status, body: 'bad gateway' }, careful)).toEqual({
      kind: 'unknown',
      code: `http_${status}`,
      message: `HTTP ${status}: bad gateway`,
    });
  });
});

describe('any other answer is final', () => {
  it.each([400, 401, 403, 404, 409, 410, 413, 422, 425, 451, 301, 302, 303, 307, 308, 304])('%d', async (status) => {
    const before = sink.requests;
    const result = await resultOf({ status, headers: { location: `${sink.url}/elsewhere` }, body: 'no such list' });
    const said = status === 304 ? '' : ': no such list';
    expect(result).toEqual({ kind: 'rejected', code: `http_${status}`, message: `HTTP ${status}${said}` });
    expect(sink.requests).toBe(before + 1);
  });

  it.each([
    ['code', { code: 'opted_out', message: 'STOP was said' }],
    ['error', { error: 'opted_out' }],
    ['code of an error', { error: { code: 'opted_out', message: 'STOP was said' } }],
  ])('and an opt-out where its %s says so', async (_what, body) => {
    expect(await resultOf({ status: 403, body: JSON.stringify(body) })).toMatchObject({
      ...{ kind: 'rejected', code: 'opted_out', message: expect.stringContaining('HTTP 403') },
    });
  });

  it('and no opt-out of the contact where everything is redirected', async () => {
    const given = { driver: 'http', url: sink.url, address: 'phone', redirect: '+499' } as const;
    const stage = await createChannel(config(given), { clock, logger: recordingLogger() });
    expect(await resultOf({ status: 403, body: JSON.stringify({ code: 'opted_out' }) }, stage)).toMatchObject({
      ...{ kind: 'rejected', code: 'redirect_opted_out' },
    });
    await stage.close();
  });

  it.each([
    ['says something else', { status: 400, body: JSON.stringify({ code: 'opted', error: { code: 7 } }) }, 'http_400'],
    ['is no JSON', { status: 400, body: 'opted_out' }, 'http_400'],
    ['says so of a try that may come again', { status: 503, body: JSON.stringify({ code: 'opted_out' }) }, 'http_503'],
  ])('is no opt-out where it %s', async (_what, answer, code) => {
    expect(await resultOf(answer)).toMatchObject({ code });
  });

  it('tells the first 200 characters of the reason, in one line', async () => {
    const result = await resultOf({ status: 400, body: `a\r\nb\u0000\t"${'😀'.repeat(100_000)}` });
    expect(result).toEqual({
      kind: 'rejected',
      code: 'http_400',
      message: `HTTP 400: a b "${'😀'.repeat(195)}…`,
    });
  });

  it('does not tell the token that an answer repeats', async () => {
    const result = await resultOf({ status: 401, body: `Bearer ${token} is not known` });
    expect(result).toMatchObject({ message: 'HTTP 401: Bearer *** is not known' });
  });

  it.each<[string, Partial<ChannelConfig>, string, string]>([
    ['a header that is secret', { headers: { 'X-Api-Key': 'k3y-of-ours' } }, 'no k3y-of-ours here', 'no *** here'],
    ['its credentials', { headers: { Authorization: 'Key k3y-of-ours' } }, 'no k3y-of-ours here', 'no *** here'],
    [
      'Basic as it is written, and the password in it',
      { headers: { authorization: `Basic ${base64('us:s3same')}` } },
      `${base64('us:s3same')}, s3same`,
      '***, ***',
    ],
    ['nor what a URL has', { url: 'http://us:s3same@H' }, `${base64('us:s3same')}, s3same`, '***, ***'],
    ['but a header that is none', { headers: { 'X-Team': 'growth' } }, 'no growth here', 'no growth here'],
    ['and what stands in any text', { headers: { 'X-Auth-Version': '1' } }, '1 of 11', '1 of 11'],
  ])('nor %s', async (_what, given, body, said) => {
    const url = (given.url ?? 'http://H').replace('H', `127.0.0.1:${sink.port}`);
    const settings = config({ driver: 'http', ...given, url });
    const secret = await createChannel(settings, { clock, logger: recordingLogger() });
    expect(await resultOf({ status: 400, body }, secret)).toMatchObject({ message: `HTTP 400: ${said}` });
    await secret.close();
  });

  it('with what came of a body that was cut', async () => {
    sink.script({ status: 400, body: 'half of it is said', slowBody: 'reset' });
    const taken = sink.taken;
    const result = channel.send(message(902), never());
    await sink.took(taken + 1);
    await headersRead(channel);
    sink.release();
    expect(await result).toEqual({ kind: 'rejected', code: 'http_400', message: 'HTTP 400: half of i' });
  });
});

describe('informational answers', () => {
  it('are waited past', async () => {
    const { createServer } = await import('node:http');
    const server = createServer((request, response) => {
      response.writeEarlyHints({ link: '</x>; rel=preload' });
      request.resume().on('end', () => response.end('{"id":"late"}'));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const url = `http://127.0.0.1:${port}`;
    const early = await createChannel(config({ driver: 'http', url }), { clock, logger: recordingLogger() });
    expect(await early.send(message(1), never())).toMatchObject({ kind: 'sent', providerMessageId: 'late' });
    await early.close();
    server.close();
    await waitFor(() => !server.listening, { what: 'the server to close' });
  });
});
