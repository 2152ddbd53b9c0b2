/** What a look at the way to a provider finds, without anything being sent. */
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttp } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { BoundedChannel } from '../../../src/channels/bounded.ts';
import { createChannel } from '../../../src/channels/index.ts';
import { SmtpDriver } from '../../../src/channels/smtp.ts';
import type { ChannelConfig } from '../../../src/config.ts';
import type { ChannelCheck } from '../../../src/domain/channelPorts.ts';
import { systemClock } from '../../../src/worker/systemClock.ts';
import { selfSigned } from '../../support/certificate.ts';
import { type CloudApi, phoneNumberId, startCloudApi, token } from '../../support/cloudApi.ts';
import { fakeTwilio } from '../../support/fakeTwilio.ts';
import { startSink } from '../../support/sink.ts';
import { reply, startMailServer } from '../../support/smtp.ts';
import { config, never } from './conformance.ts';
import { channelAt, from, quiet } from './smtpChannel.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function check(given: Partial<ChannelConfig>, signal = never()): Promise<ChannelCheck | undefined> {
  const channel = await createChannel(config(given), { clock: systemClock, logger: quiet });
  closing.push(() => channel.close());
  return channel.check?.(signal);
}

async function listening(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  closing.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A port that nobody listens at. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('http', () => {
  it('connects, and asks for nothing', async () => {
    let requests = 0;
    const port = await listening(createHttp(() => (requests += 1)));
    const found = await check({ driver: 'http', url: `http://127.0.0.1:${port}/hook`, token: 't0ken-secret' });
    expect(found).toMatchObject({ kind: 'ready', left: expect.stringContaining('first message') });
    expect(requests).toBe(0);
    expect(JSON.stringify(found)).not.toContain('t0ken');
  });

  it('nobody listens, no TLS, an unknown name and no answer are told apart', async () => {
    const port = await listening(createHttp());
    const silent = await listening(createServer());
    const late = AbortSignal.timeout(50);
    const found = await Promise.all([
      check({ driver: 'http', url: `http://127.0.0.1:${await freePort()}/` }),
      check({ driver: 'http', url: `https://127.0.0.1:${port}/` }),
      check({ driver: 'http', url: 'http://nosuchhost.invalid/' }),
      check({ driver: 'http', url: `https://127.0.0.1:${silent}/` }, late),
    ]);
    expect(found.map((one) => one?.kind === 'failed' && one.trouble)).toEqual(['refused', 'tls', 'dns', 'late']);
  });
});

describe('twilio', () => {
  const sid = `AC${'1'.repeat(32)}`;
  const key = `SK${'2'.repeat(32)}`;
  const account = { sid, authToken: 'a-token', keys: { [key]: 'a-secret' }, senders: ['+15551234567'] };
  async function look(token: string, more: object = {}, given: Partial<ChannelConfig> = {}) {
    const sink = await startSink({ answer: fakeTwilio({ ...account, ...more }) });
    closing.push(() => sink.close());
    const found = await check({ driver: 'twilio', url: sink.url, account: sid, token, from: '+15551234567', ...given });
    expect(sink.deliveries.map(({ method }) => method)).toEqual(['GET']);
    expect(JSON.stringify(found)).not.toMatch(/a-token|a-secret|wrong-one/);
    return found;
  }

  it.each<[string, string, object, Partial<ChannelConfig>, object]>([
    ['its auth token', 'a-token', {}, {}, { kind: 'ready', found: expect.stringContaining('is active') }],
    ['an API key, which may not look at accounts', `${key}:a-secret`, {}, {}, { kind: 'ready' }],
    ['another token', 'wrong-one', {}, {}, { kind: 'failed', trouble: 'login' }],
    ['another secret', `${key}:wrong-one`, {}, {}, { kind: 'failed', trouble: 'login' }],
    ['a suspended account', 'a-token', { active: false }, {}, { kind: 'failed', trouble: 'account' }],
    ['an account that is not there', 'a-token', {}, { account: `AC${'3'.repeat(32)}` }, { trouble: 'login' }],
  ])('%s', async (_, token, more, given, expected) => expect(await look(token, more, given)).toMatchObject(expected));
});

describe('whatsapp', () => {
  async function look(given: Partial<ChannelConfig> = {}, prepare: (api: CloudApi) => void = () => {}) {
    const api = await startCloudApi();
    closing.push(() => api.close());
    prepare(api);
    const found = await check({ driver: 'whatsapp', url: api.url, from: phoneNumberId, token, ...given });
    expect(api.sink.deliveries.map(({ method }) => method)).toEqual(['GET']);
    expect(JSON.stringify(found)).not.toMatch(/access-token|wrong-one/);
    return found;
  }

  it.each<[string, Partial<ChannelConfig>, ((api: CloudApi) => void) | undefined, object]>([
    ['a token for the number', {}, undefined, { kind: 'ready', found: expect.stringContaining('+1 555-078-3881') }],
    ['another token', { token: 'wrong-one' }, undefined, { kind: 'failed', trouble: 'login' }],
    ['the number instead of its id', { from: '15550783881' }, undefined, { kind: 'failed', trouble: 'account' }],
    ['a number that is not connected', {}, (api) => api.becomes('BANNED'), { kind: 'failed', trouble: 'account' }],
    ['a token that may send and not look', {}, (api) => api.failWith(200), { kind: 'ready' }],
    ['trouble at Meta', {}, (api) => api.failWith(131000), { kind: 'unknown' }],
    ['a number that sends less', {}, (api) => api.becomes('FLAGGED'), { kind: 'ready' }],
  ])('%s', async (_, given, prepare, expected) => expect(await look(given, prepare)).toMatchObject(expected));

  it('what answers otherwise is told', async () => {
    const port = await listening(createHttp((_, answer) => answer.end('<html>')));
    const found = await check({
      driver: 'whatsapp',
      url: `http://127.0.0.1:${port}/v24.0`,
      from: phoneNumberId,
      token,
    });
    expect(found).toMatchObject({ kind: 'failed', trouble: 'answer' });
    const raw = await listening(createServer((socket) => socket.on('data', () => socket.end('SSH-2.0\r\n'))));
    const other = await check({ driver: 'whatsapp', url: `http://127.0.0.1:${raw}/v24.0`, from: phoneNumberId, token });
    expect(other).toMatchObject({ kind: 'failed', trouble: 'answer' });
  });
});

describe('smtp', () => {
  const login = { user: 'app', pass: 'p@ss wörd' };
  async function secured(pass: string, ca = true): Promise<ChannelCheck | undefined> {
    const { key, cert } = await selfSigned();
    const server = await startMailServer({ login, options: { key, cert } });
    closing.push(() => server.close());
    const url = `smtp://app:${encodeURIComponent(pass)}@localhost:${server.port}`;
    const settings = config({ driver: 'smtp', url, from });
    const driver = new SmtpDriver(settings, { clock: systemClock, logger: quiet, ...(ca ? { ca: cert } : {}) });
    const channel = new BoundedChannel(settings, driver, systemClock);
    closing.push(() => channel.close());
    const found = await channel.check(never());
    expect(server.mails).toEqual([]);
    return found;
  }

  it('encrypts, logs in and leaves', async () => {
    expect(await secured(login.pass)).toMatchObject({
      kind: 'ready',
      found: expect.stringMatching(/encrypted by STARTTLS; the login was taken/),
    });
  });

  it('a wrong password is a matter of the login, and is not repeated', async () => {
    const found = await secured('wrong-s3cret');
    expect(found).toMatchObject({ kind: 'failed', trouble: 'login', found: expect.stringContaining('535') });
    expect(JSON.stringify(found)).not.toContain('s3cret');
  });

  it('a certificate that is not trusted, and a server without STARTTLS, are matters of TLS', async () => {
    expect(await secured(login.pass, false)).toMatchObject({ kind: 'failed', trouble: 'tls' });
    const plain = await startMailServer();
    closing.push(() => plain.close());
    const channel = channelAt(plain.port, { url: `smtp://127.0.0.1:${plain.port}` });
    closing.push(() => channel.close());
    expect(await channel.check?.(never())).toMatchObject({ kind: 'failed', trouble: 'tls' });
  });

  it('nobody listens; a server that refuses everybody; one that never greets', async () => {
    const busy = await startMailServer({ onConnect: () => reply(554, 'no service for you') });
    closing.push(() => busy.close());
    const ports = [
      await freePort(),
      busy.port,
      await listening(createServer((socket) => socket.on('error', () => {}))),
    ];
    const found = await Promise.all(
      ports.map((port, at) => {
        const channel = channelAt(port);
        closing.push(() => channel.close());
        return channel.check?.(at === 2 ? AbortSignal.timeout(50) : never());
      }),
    );
    expect(found.map((one) => one?.kind === 'failed' && one.trouble)).toEqual(['refused', 'answer', 'late']);
  });
});

describe('console and file', () => {
  it('console is ready; a file can be written, or says why not; none is made', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'communication-base-check-'));
    closing.push(() => rm(folder, { recursive: true, force: true }));
    const there = join(folder, 'there.jsonl');
    await writeFile(there, '');
    const urls = [there, join(folder, 'new.jsonl'), folder, join(folder, 'none', 'x.jsonl'), join(there, 'x.jsonl')];
    const found = await Promise.all(urls.map((url) => check({ driver: 'file', url })));
    expect(found.map((one) => one?.kind)).toEqual(['ready', 'ready', 'failed', 'failed', 'failed']);
    expect(found[2]).toMatchObject({ trouble: 'path', found: expect.stringContaining('is a folder') });
    expect(found[3]).toMatchObject({ trouble: 'path', found: expect.stringContaining('not there') });
    expect(await readdir(folder)).toEqual(['there.jsonl']);
    expect(await check({ driver: 'console' })).toMatchObject({ kind: 'ready' });
  });

  it('a file and a folder that may not be written; root may write wherever he likes', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'communication-base-check-'));
    closing.push(() => rm(folder, { recursive: true, force: true }));
    const there = join(folder, 'there.jsonl');
    await writeFile(there, '', { mode: 0o400 });
    const expected = process.getuid?.() === 0 ? { kind: 'ready' } : { kind: 'failed', trouble: 'path' };
    expect(await check({ driver: 'file', url: there })).toMatchObject(expected);
    await chmod(folder, 0o500);
    expect(await check({ driver: 'file', url: join(folder, 'x') })).toMatchObject(expected);
    await chmod(folder, 0o700);
  });
});

it('a driver without a look says so, and one that throws is a failure', async () => {
  const make = (check?: () => Promise<ChannelCheck>): BoundedChannel => {
    const driver = { start: () => {}, close: async () => {}, ...(check === undefined ? {} : { check }) };
    return new BoundedChannel(config(), driver, systemClock);
  };
  expect(await make().check(never())).toMatchObject({ kind: 'unknown' });
  const throws = make(() => Promise.reject(new Error('broken')));
  expect(await throws.check(never())).toEqual({ kind: 'failed', trouble: 'answer', found: 'broken' });
});
