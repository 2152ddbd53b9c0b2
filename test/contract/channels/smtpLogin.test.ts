/** Encryption that a server may or may not offer, and the ways to log in. */
import { afterEach, beforeAll, expect, it } from '@jest/globals';
import { BoundedChannel } from '../../../src/channels/bounded.ts';
import { SmtpDriver } from '../../../src/channels/smtp.ts';
import type { Channel, SendResult } from '../../../src/domain/channelPorts.ts';
import { systemClock } from '../../../src/worker/systemClock.ts';
import { selfSigned } from '../../support/certificate.ts';
import { type MailServer, reply, startMailServer } from '../../support/smtp.ts';
import { config, message, never } from './conformance.ts';
import { from, quiet } from './smtpChannel.ts';

let pair: Awaited<ReturnType<typeof selfSigned>>;
let server: MailServer;
let channel: Channel;
beforeAll(async () => {
  pair = await selfSigned();
});
afterEach(async () => {
  await channel.close();
  await server.close();
});

const open = (login: string, query = ''): void => {
  const settings = config({ driver: 'smtp', url: `smtp://${login}localhost:${server.port}${query}`, from });
  const driver = new SmtpDriver(settings, { clock: systemClock, logger: quiet, ca: pair.cert });
  channel = new BoundedChannel(settings, driver, systemClock);
};
const send = (): Promise<SendResult> => channel.send(message(1), never());

it.each(['PLAIN', 'LOGIN', 'CRAM-MD5'])('a server that knows %s alone is logged in to', async (method) => {
  server = await startMailServer({
    login: { user: 'app', pass: 'p@ss' },
    options: {
      ...pair,
      authMethods: [method],
      onAuth(auth, _, done) {
        const isRight = method === 'CRAM-MD5' ? auth.validatePassword('p@ss') : auth.password === 'p@ss';
        if (auth.method === method && auth.username === 'app' && isRight) done(null, { user: 'app' });
        else done(reply(535, '5.7.8 no'));
      },
    },
  });
  open('app:p%40ss@');
  expect(await send()).toMatchObject({ kind: 'sent' });
  expect(server.mails).toMatchObject([{ user: 'app', secure: true }]);
});

it('a server that knows no way of ours is told to the operator, and no attempt is counted', async () => {
  server = await startMailServer({
    login: { user: 'app', pass: 'p@ss' },
    options: { ...pair, authMethods: ['XOAUTH2'] },
  });
  open('app:p%40ss@');
  expect(await send()).toMatchObject({ kind: 'retry', code: 'login_failed', counts: false });
  expect(server.mails).toEqual([]);
});

it.each([
  ['offers encryption: it is used, whoever signed the certificate', [], true],
  ['offers none: it gets the mail without', ['STARTTLS'], false],
])('tls=opportunistic: a server that %s', async (_, disabledCommands, secure) => {
  const { key, cert } = await selfSigned();
  server = await startMailServer({ options: { key, cert, authOptional: true, disabledCommands } });
  open('', '?tls=opportunistic');
  expect(await send()).toMatchObject({ kind: 'sent' });
  expect(server.mails).toMatchObject([{ secure }]);
});
