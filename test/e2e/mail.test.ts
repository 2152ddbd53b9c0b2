/** A campaign by mail: the plain driver writes it, a real worker sends it, a real SMTP server takes it, a mail program reads it. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type ParsedMail, simpleParser } from 'mailparser';
import type { Document } from 'mongodb';
import { conversationOf } from '../support/conversationOf.ts';
import { type Cutter, startCutter } from '../support/cutter.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Arrived, type MailServer, reply, startMailServer } from '../support/smtp.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorker, type WorkerProcess } from '../support/workers.ts';

const hashKey = 'a key for the tokens of this test';
let database: TestDatabase;
let server: MailServer;
let cutter: Cutter;
let worker: WorkerProcess;
/** Every mail that had its last dot, whatever was answered. */
let tries: Arrived[];

const triesOf = (to: string): Arrived[] => tries.filter((mail) => mail.to[0] === to);

beforeEach(async () => {
  database = await testDatabase('mail');
  tries = [];
  server = await startMailServer({
    onMessage(mail) {
      tries.push(mail);
      const first = triesOf(mail.to[0] ?? '').length === 1;
      if (first && mail.to[0] === 'jörg@müller.example') return reply(451, '4.3.0 try again later');
      // Taken, and the answer never comes.
      if (first && mail.to[0] === 'zoe@example.com') cutter.cut();
      return mail.to[0] === 'gone@example.com' ? reply(550, '5.1.1 nobody here') : '2.0.0 Ok: queued as Q4711';
    },
  });
  cutter = await startCutter(server.port);
  worker = startWorker(database, {
    HASH_KEY: hashKey,
    CHANNEL_NEWS_DRIVER: 'smtp',
    CHANNEL_NEWS_URL: `smtp://127.0.0.1:${cutter.port}?tls=none`,
    CHANNEL_NEWS_FROM: 'Żaneta at Compass <news@compass.example>',
    CHANNEL_NEWS_HEADERS: '{"Reply-To":"team@compass.example"}',
  });
});
afterEach(async () => {
  await worker.kill('SIGKILL');
  await cutter.close();
  await server.close();
  await database.close();
});

const campaign = {
  _id: 'spring' as never,
  status: 'pending',
  audience: {
    contacts: [
      { id: 'joerg', name: 'Jörg Müller', email: 'jörg@müller.example' },
      { id: 'zoe', name: 'Ζωή', email: 'zoe@example.com' },
      { id: 'gone', name: 'Nobody', email: 'gone@example.com' },
      { id: 'eve', name: 'Eve\r\nBcc: all@example.com', email: 'eve@example.com' },
      { id: 'odd', name: 'Odd', email: 'odd@example.com, eve@example.com' },
    ],
  },
  unsubscribe: { url: 'https://compass.example/u/{{ token }}', mailto: 'stop@compass.example?subject={{ token }}' },
  flow: {
    stages: [
      {
        id: 'intro',
        type: 'message',
        channel: 'news',
        content: {
          subject: 'Grüße, {{ contact.name }} 👋',
          text: 'Hello {{ contact.name }}\n.\nBye {{ unsubscribe.url }}',
          html: '<p>Hello <b>{{ contact.name }}</b> <a href="{{ unsubscribe.url }}">Leave</a></p>',
        },
        waitForReply: 'P1D',
      },
    ],
  },
};

const rows = () => database.db.collection<Document>('messages').find().sort({ _id: 1 }).toArray();
const read = (mail: Arrived | undefined): Promise<ParsedMail> => simpleParser(Buffer.from(mail?.raw ?? '', 'latin1'));

test('mails arrive once as they were meant, or twice as the same mail; who leaves by the link of a mail is let go', async () => {
  await database.db.collection('campaigns').insertOne(campaign);
  await waitFor(async () => (await rows()).filter(({ status }) => ['sent', 'failed'].includes(status)).length === 5, {
    timeoutMs: 60_000,
    intervalMs: 100,
    what: 'every message to be sent or failed',
  });

  const mail = await read(triesOf('jörg@müller.example')[1]);
  expect(mail.subject).toBe('Grüße, Jörg Müller 👋');
  expect(mail.from?.value).toEqual([{ name: 'Żaneta at Compass', address: 'news@compass.example' }]);
  expect(mail.to).toMatchObject({ value: [{ name: 'Jörg Müller', address: 'jörg@müller.example' }] });
  expect(mail.replyTo?.value).toMatchObject([{ address: 'team@compass.example' }]);

  // Refused for now, and cut off behind the dot: the very same mail again.
  for (const to of ['jörg@müller.example', 'zoe@example.com']) {
    const [first, ...again] = triesOf(to);
    expect(again.length).toBeGreaterThan(0);
    for (const one of again) expect(one.raw).toBe(first?.raw);
  }
  const ids = await Promise.all(tries.map(async (one) => (await read(one)).messageId));
  expect(new Set(ids).size).toBe(4);
  expect(tries.flatMap(({ to }) => to)).not.toContain('all@example.com');

  const stored = new Map((await rows()).map((row) => [String(row['conversationId']), row]));
  expect(stored.get('spring:zoe')).toMatchObject({ status: 'sent', providerMessageId: 'Q4711' });
  expect(stored.get('spring:gone')).toMatchObject({ status: 'failed', reason: 'address_invalid' });
  expect(stored.get('spring:gone')?.['error'].message).toBe('SMTP 550 5.1.1 at DATA: nobody here');
  // A hard bounce that is told at once: the address is suppressed with the answer, and others of it are told.
  const gone = { _id: 'spring:gone' as never };
  expect(stored.get('spring:gone')).toHaveProperty('bouncedAt');
  expect(await database.db.collection('conversation_states').findOne(gone)).toMatchObject({
    ...{ status: 'suppressed', outcome: 'bounced' },
  });
  expect(await database.db.collection('suppressions').find().toArray()).toMatchObject([
    { _id: expect.stringMatching(/^news:\*:/), reason: 'bounce', campaignId: 'spring' },
  ]);
  const bounced = { _id: 'bounced:spring:gone/1' as never, handledAt: { $exists: true } };
  await waitFor(async () => (await database.db.collection('inbound_events').countDocuments(bounced)) === 1, {
    ...{ timeoutMs: 20_000, intervalMs: 100, what: 'others to be told of the bounce' },
  });
  expect(stored.get('spring:odd')).toMatchObject({ status: 'failed', reason: 'address_invalid' });

  const headers = mail.headerLines.map(({ line }) => line.replace(/\r?\n\s/g, ' '));
  expect(headers).toContain('List-Unsubscribe-Post: List-Unsubscribe=One-Click');
  const link = headers.find((line) => line.startsWith('List-Unsubscribe: ')) ?? '';
  const [, byMail, byWeb] =
    /<mailto:stop@compass\.example\?subject=([\w-]+)>, <https:\/\/compass\.example\/u\/([\w-]+)>/.exec(link) ?? [];
  expect(byMail).toBe(byWeb);
  const seen = `https://compass.example/u/${byWeb}`;
  expect(mail.text).toBe(`Hello Jörg Müller\n.\nBye ${seen}`);
  expect(mail.html).toBe(`<p>Hello <b>Jörg Müller</b> <a href="${seen}">Leave</a></p>`);
  const conversation = conversationOf(byWeb ?? '', hashKey);
  expect(conversation).toBe('spring:joerg');

  const conversations = database.db.collection<Document>('conversation_states');
  const leaving = { id: `unsubscribe-${byWeb}`, type: 'unsubscribe', channel: 'news' };
  await conversations.updateOne({ _id: conversation as never }, { $push: { inbox: leaving as never } });
  await waitFor(
    async () => (await conversations.findOne({ _id: 'spring:joerg' as never }))?.['status'] === 'suppressed',
    {
      timeoutMs: 20_000,
      intervalMs: 100,
      what: 'the contact to be let go',
    },
  );
}, 120_000);
