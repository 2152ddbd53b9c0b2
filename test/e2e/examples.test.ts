/** The examples as they are handed out, on a real worker: the files by the command line, the service by the plain driver. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { simpleParser } from 'mailparser';
import type { Document } from 'mongodb';
import { startGateway } from '../../examples/sandbox/gateway.mjs';
import { startMailbox } from '../../examples/sandbox/mailbox.mjs';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorker, type WorkerProcess } from '../support/workers.ts';
import { run } from '../unit/cli/host.ts';

const examples = new URL('../../examples/', import.meta.url).pathname;

let database: TestDatabase;
let worker: WorkerProcess;
let folder = '';
let env: Record<string, string> = {};
let said: string[] = [];
const closing: (() => Promise<void>)[] = [];

beforeEach(async () => {
  database = await testDatabase('examples');
  folder = await mkdtemp(join(tmpdir(), 'examples-'));
  said = [];
  const say = (kind: string, line: string): void => void said.push(`${kind} ${line}`);
  const replies = `http://127.0.0.1:${await freePort()}/replies`;
  const gateway = await startGateway({ port: 0, replies, say });
  const mailbox = await startMailbox({ port: 0, folder, say });
  closing.push(gateway.close, mailbox.close);
  const channels = {
    ...{ CHANNEL_SMS_DRIVER: 'http', CHANNEL_SMS_URL: `http://127.0.0.1:${gateway.port}/messages` },
    ...{ CHANNEL_EMAIL_DRIVER: 'smtp', CHANNEL_EMAIL_URL: `smtp://127.0.0.1:${mailbox.port}?tls=none` },
    ...{ CHANNEL_EMAIL_FROM: 'Ada at Compass <ada@compass.example>', HASH_KEY: 'only for this very test' },
  };
  env = { MONGODB_URI: database.uri, MONGODB_DATABASE: database.name, REPLIES_URL: replies, ...channels };
  worker = startWorker(database, channels);
});
afterEach(async () => {
  await worker.kill('SIGKILL');
  for (const close of closing.splice(0)) await close();
  await database.close();
  await rm(folder, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** With days and hours made as many seconds; the row of `broadcast.csv` that is of no use is left out. */
async function submit(name: string): Promise<void> {
  const text = await readFile(join(examples, `${name}.yaml`), 'utf8');
  const file = join(folder, `${name}.yaml`);
  await writeFile(file, text.replace(/: P(?:T?)(\d+)[DH]$/gm, ': PT$1S'));
  const contacts = join(examples, `${name}.csv`);
  expect(await run(['submit', file, '--contacts', contacts], env)).toMatchObject({ code: 0 });
}

const outcomes = async (campaignId: string): Promise<Record<string, unknown>> => {
  const found = await database.db.collection<Document>('conversation_states').find({ campaignId }).toArray();
  return Object.fromEntries(
    found.map(({ contact, outcome, status }) => [contact.name ?? contact.id, outcome ?? status]),
  );
};

const completed = (campaignId: string): Promise<unknown> =>
  waitFor(
    async () => {
      const found = await database.db.collection<Document>('campaigns').findOne({ _id: campaignId as never });
      return found?.['status'] === 'completed';
    },
    { timeoutMs: 90_000, what: `${campaignId} to be completed` },
  );

test('a broadcast reaches everybody once', async () => {
  await submit('broadcast');
  await completed('maintenance');
  expect(await outcomes('maintenance')).toMatchObject({
    Ada: 'finished',
    李雷: 'finished',
    'Nobody has this number': 'failed',
  });
  expect(said.filter((line) => line.includes('+493055502001'))).toEqual([
    'sms +493055502001  Ada, Compass is down for maintenance on Sunday from 02:00 to 04:00 UTC.',
  ]);
  expect(said.find((line) => line.includes('+493055502006'))).toContain('  Hello, Compass is down');
});

test('a series of mails goes on while there is silence, each in both parts and as it was meant', async () => {
  await submit('onboarding');
  await waitFor(async () => said.length >= 7, { timeoutMs: 60_000, what: 'the first mails' });
  const reply = { id: 'r1', type: 'reply', text: 'Hi', channel: 'email' };
  await database.db
    .collection<Document>('conversation_states')
    .updateOne({ _id: 'onboarding:1001' as never }, { $push: { inbox: reply } } as never);
  await completed('onboarding');
  expect(await outcomes('onboarding')).toMatchObject({ 'Ada Byron': 'talking', 'Łukasz Żak': 'no_answer' });
  const mails = await Promise.all(
    (await readdir(folder))
      .filter((name) => name.endsWith('.eml'))
      .map(async (name) => simpleParser(await readFile(join(folder, name)))),
  );
  const to = (address: string) => mails.filter((mail) => JSON.stringify(mail.to).includes(address));
  expect(to('jurgen.strauss').map(({ subject }) => subject)).toEqual(
    expect.arrayContaining([
      'Willkommen bei Compass, Jürgen Strauß',
      'A first step in Compass',
      'Three shortcuts that save an hour a week',
    ]),
  );
  const [welcome] = to('li.lei');
  expect(welcome?.to).toMatchObject({ value: [{ name: '李雷', address: 'li.lei@mail.example' }] });
  expect(welcome).toMatchObject({ text: expect.stringContaining('your free plan is ready') });
  expect(String(welcome?.html)).toContain('your <b>free</b> plan is ready');
  const link = /https:\/\/compass\.example\/unsubscribe\/[\w-]{20,}/;
  for (const { text, html, headers } of mails) {
    expect(text).toMatch(link);
    if (html !== false) expect(html).toMatch(link);
    expect(JSON.stringify(headers.get('list'))).toMatch(link);
  }
  expect(new Set(mails.map(({ messageId }) => messageId)).size).toBe(mails.length);
  expect(to('nguyen')[0]?.to).toMatchObject({ value: [{ name: 'Nguyễn, Thị Hoa' }] });
});

test('the service of another team asks, hears the answers and reads the results', async () => {
  const child = spawn(process.execPath, [join(examples, 'agent-service.mjs')], {
    env: { PATH: process.env['PATH'] ?? '', ...env, PATIENCE: 'PT3S' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  expect((await once(child, 'exit'))[0]).toBe(0);
  const table = Object.fromEntries(text.split('\n').map((line) => line.split(/ {2,}| (?=\w+$)/) as [string, string]));
  expect(text).toContain('campaign completed: 7 messages sent');
  expect(table).toMatchObject({
    ...{ Mara: 'confirmed', Tomasz: 'confirmed', Aylin: 'declined', Jo: 'call_them', Chiara: 'no_answer' },
  });
  expect(await outcomes('appointments-of-tomorrow')).toMatchObject({ Noor: 'failed', Björn: 'no_answer' });
});

test('a reminder is answered in the words of the flow', async () => {
  await submit('appointment');
  await waitFor(async () => said.length >= 7, { timeoutMs: 60_000, what: 'the reminders' });
  for (const [id, type] of [
    ['p-11', 'confirm'],
    ['p-13', 'decline'],
    ['p-14', 'reply'],
  ])
    expect(await run(['event', `appointment:${id}`, '--type', String(type), '--text', 'so'], env)).toMatchObject({
      code: 0,
    });
  await completed('appointment');
  expect(await outcomes('appointment')).toMatchObject({
    ...{ Mara: 'confirmed', Aylin: 'declined', Jo: 'call_them', Chiara: 'no_answer', Noor: 'failed' },
  });
  expect(said.filter((line) => line.includes('+493055501005')).length).toBe(2);
});
