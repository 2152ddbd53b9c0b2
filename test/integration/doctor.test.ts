/** `doctor` against set-ups that are really broken. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type Document, MongoClient } from 'mongodb';
import type { Result, Status } from '../../src/cli/doctor/verdict.ts';
import { collections } from '../../src/mongo/collections.ts';
import { failCommand, type TestDatabase, testDatabase } from '../support/mongo.ts';
import { standalone, withUsers } from '../support/ownMongod.ts';
import { startMailServer } from '../support/smtp.ts';
import { run } from '../unit/cli/host.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

interface Found {
  code: number;
  text: string;
  of(name: string): Result;
  /** Names of checks by status. */
  with(status: Status): string[];
}

async function doctor(env: Record<string, string>): Promise<Found> {
  const common = { MONGODB_DATABASE: 'app', LEASE_TTL_MS: '1000', CHANNEL_EMAIL_DRIVER: 'console' };
  const ran = await run(['doctor', '--json'], { ...common, ...env });
  const { checks, counts, ok } = ran.json() as { checks: Result[]; counts: Record<Status, number>; ok: boolean };
  const names = (some: readonly Result[]): string[] => some.map(({ group, check }) => `${group}, ${check}`).toSorted();
  expect(ok).toBe(counts.failure === 0);
  expect(ran.code).toBe(ok ? 0 : 1);
  return {
    code: ran.code,
    text: ran.stdout + ran.stderr,
    of: (name) => checks.find(({ group, check }) => `${group}, ${check}` === name) as Result,
    with: (status) => names(checks.filter((one) => one.status === status)),
  };
}

const envOf = ({ uri, name }: TestDatabase): Record<string, string> => ({ MONGODB_URI: uri, MONGODB_DATABASE: name });
const contentOf = async ({ db }: TestDatabase): Promise<unknown> => (await db.command({ dbHash: 1 }))['collections'];

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('a replica set', () => {
  test('that was never prepared: exactly what init does then, and nothing is written', async () => {
    await using database = await testDatabase('doctor');
    const before = await doctor(envOf(database));
    expect(before.code).toBe(0);
    expect(await database.db.listCollections().toArray()).toEqual([]);
    expect(before.with('warning')).toEqual(['preparation, HASH_KEY', 'preparation, database', 'workers, members']);
    const { changes } = (await run(['init', '--json'], envOf(database))).json();
    expect(before.of('preparation, database').detail?.filter((step) => step !== 'the cluster setting')).toEqual(
      changes,
    );

    const content = await contentOf(database);
    const after = await doctor(envOf(database));
    expect(after.of('preparation, database')).toMatchObject({ status: 'ok' });
    expect(after.with('ok')).toEqual(
      expect.arrayContaining(
        ['clock', 'change stream', 'majority', 'version', 'login'].map((one) => `mongodb, ${one}`),
      ),
    );
    expect(await contentOf(database)).toEqual(content);
  });

  test('with settings that do not fit, dead workers, and campaigns that need somebody', async () => {
    await using database = await testDatabase('doctor');
    const { db } = database;
    await run(['init'], { ...envOf(database), PARTITIONS: '4' });
    const member = {
      host: 'h',
      thread: 0,
      beat: 7,
      filterVersion: 1,
      channels: [],
      version: '1',
      startedAt: new Date(),
    };
    await db.collection<Document & { _id: string }>('members').insertOne({ _id: 'dead', ...member });
    await db
      .collection<Document & { _id: string }>('settings')
      .insertOne({ _id: 'control', sending: 'stopped', reason: 'wrong prices' });
    await collections(db).settings.updateOne({ _id: 'cluster' }, { $set: { hashKeyCheck: 'of another key' } });
    const campaigns = db.collection<Document & { _id: string }>('campaigns');
    const error = { code: 'guard_tripped', path: 'guard.errorRate', message: '12 of 100' };
    await campaigns.insertMany([
      { _id: 'wrong', status: 'failed', error: { code: 'missing', path: 'flow', message: 'no flow' } },
      { _id: 'guarded', status: 'paused', error },
      { _id: 'by hand', status: 'paused' },
      { _id: 'new', status: 'pending' },
      { _id: 'late', status: 'scheduled', schedule: { startAt: new Date(Date.now() - 60_000) } },
      { _id: 'later', status: 'scheduled', schedule: { startAt: new Date(Date.now() + 60_000) } },
    ]);
    const content = await contentOf(database);
    await using _ = await failCommand(database.client, {
      failCommands: ['update'],
      appName: 'communication-base doctor',
      writeConcernError: { code: 64, errmsg: 'waiting for replication timed out' },
    });
    const found = await doctor({ ...envOf(database), HASH_KEY: 'a key that nobody knows' });
    expect(found.with('failure')).toEqual([
      'mongodb, majority',
      'preparation, HASH_KEY',
      'preparation, PARTITIONS',
      'workers, members',
    ]);
    expect(found.of('preparation, PARTITIONS').mend).toEqual(['set PARTITIONS=4']);
    expect(found.of('campaigns, sending').found).toContain('wrong prices');
    expect(found.of('campaigns, failed').detail).toEqual(['wrong: missing, flow, no flow']);
    expect(found.of('campaigns, paused').detail).toEqual(['guarded: guard_tripped, guard.errorRate, 12 of 100']);
    expect(found.of('campaigns, waiting').detail).toEqual(['new', 'late']);
    expect(found.text).not.toContain('a key that nobody knows');
    expect(await contentOf(database)).toEqual(content);
  });
});

describe('access control', () => {
  let server: Awaited<ReturnType<typeof withUsers>>;
  beforeAll(async () => {
    const role = (name: string, db: string): Document => ({ role: name, db });
    server = await withUsers([
      { createUser: 'rw', pwd: 'pw', roles: [role('readWrite', 'app')] },
      { createUser: 'reader', pwd: 'pw', roles: [role('read', 'app')] },
    ]);
    await using root = await new MongoClient(server.uri('root')).connect();
    await root.db('app').command({ createUser: 'ours', pwd: 'pw', roles: ['readWrite'] });
  });
  afterAll(() => server.stop());

  test('readWrite alone: no failure, and a warning that says what does not work without more', async () => {
    const found = await doctor({ MONGODB_URI: server.uri('rw') });
    expect(found.with('failure')).toEqual([]);
    expect(found.of('rights, work')).toMatchObject({ status: 'ok' });
    expect(found.of('rights, validators')).toMatchObject({
      status: 'warning',
      mend: [expect.stringContaining('grantRolesToUser("rw", [{ role: "dbAdmin", db: "app" }])')],
    });
  });

  test('a right that is missing names the role; what it hides is not checked', async () => {
    const found = await doctor({ MONGODB_URI: server.uri('reader') });
    expect(found.with('failure')).toEqual(['rights, work']);
    expect(found.of('rights, work').mend).toEqual([
      expect.stringContaining('grantRolesToUser("reader", [{ role: "readWrite", db: "app" }])'),
    ]);
    expect(found.with('not_checked')).toEqual(['mongodb, majority']);
  });

  test('a wrong password, another authSource and no login at all are told apart', async () => {
    const wrong = await doctor({ MONGODB_URI: server.uri('rw').replace(':pw@', ':s3cret@') });
    expect(wrong.with('failure')).toEqual(['mongodb, login']);
    expect(wrong.of('mongodb, login').found).toContain('password is wrong');
    expect(wrong.text).not.toContain('s3cret');
    const elsewhere = await doctor({ MONGODB_URI: server.uri('ours') });
    expect(elsewhere.of('mongodb, login').mend).toEqual(['add authSource=app to MONGODB_URI']);
    const nobody = await doctor({
      MONGODB_URI: server.uri('rw').replace('rw:pw@', '').replace('&authSource=admin', ''),
    });
    expect(nobody.with('failure')).toEqual(['mongodb, login']);
    expect(nobody.of('mongodb, login').found).toContain('asks for a login');
  });
});

test('a standalone server, asked for by its name or as a set, is told what it is', async () => {
  const { port, stop } = await standalone();
  closing.push(stop);
  for (const options of ['', '?replicaSet=rs0']) {
    const found = await doctor({ MONGODB_URI: `mongodb://127.0.0.1:${port}/${options}` });
    expect(found.with('failure')).toEqual(['mongodb, replica set']);
    expect(found.of('mongodb, replica set').mend?.join()).toContain(`host: "127.0.0.1:${port}"`);
  }
});

test('nobody listens, mail that does not let in, and wrong settings: all at once, and no secret', async () => {
  const mail = await startMailServer({
    login: { user: 'app', pass: 'right' },
    options: { allowInsecureAuth: true, hideSTARTTLS: true },
  });
  closing.push(() => mail.close());
  const found = await doctor({
    MONGODB_URI: `mongodb://u:m0ngo-secret@127.0.0.1:${await freePort()}/?replicaSet=rs0`,
    PARTITIONS: 'many',
    CHANNEL_EMAIL_DRIVER: 'smtp',
    CHANNEL_EMAIL_FROM: 'news@example.org',
    CHANNEL_EMAIL_URL: `smtp://app:m4il-secret@127.0.0.1:${mail.port}?tls=none`,
    CHANNEL_SMS_DRIVER: 'http',
    CHANNEL_SMS_URL: `http://127.0.0.1:${await freePort()}/`,
    CHANNEL_SMS_TOKEN: 't0ken-secret',
    CHANNEL_URL_DRIVER: 'htp',
  });
  expect(found.with('failure')).toEqual([
    'channels, email',
    'channels, sms',
    'mongodb, connection',
    'settings, CHANNEL_URL_DRIVER',
    'settings, PARTITIONS',
  ]);
  expect(found.of('mongodb, connection').found).toContain('nobody listens');
  expect(found.of('channels, email').found).toContain('535');
  expect(found.of('channels, url')).toMatchObject({ status: 'not_checked' });
  expect(found.text).not.toMatch(/secret/);
  expect(mail.mails).toEqual([]);
});
