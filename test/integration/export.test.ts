import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import { BSON, type Document, ObjectId } from 'mongodb';
import { conversationId, conversationRange } from '../../src/domain/ids.ts';
import { initDatabase } from '../../src/mongo/collections.ts';
import { pagesOf } from '../../src/mongo/exportPages.ts';
import { failCommand, type TestDatabase, testDatabase } from '../support/mongo.ts';
import { run } from '../unit/cli/host.ts';

let database: TestDatabase;
let folder = '';
let env: Record<string, string> = {};
const size = 2500;
const at = new Date('2026-01-05T09:00:00Z');
const objectId = new ObjectId();
const names = ['Ada', '=HYPERLINK("http://evil")', 'two\nlines', 'a "quoted", one', '李雷 😀', 'lone\rcr'];

const conversation = (campaignId: string | ObjectId, contact: Document): Document => ({
  _id: conversationId(campaignId, contact['id']),
  campaignId,
  contact,
  partition: 1,
  version: 3,
  status: 'completed',
  outcome: 'replied',
  stage: 'intro',
  step: 0,
  inbox: [],
  consumed: [],
  history: [{ at, stage: 'intro', event: 'reply' }],
  variables: { n: 1 },
  createdAt: at,
  updatedAt: at,
});

beforeAll(async () => {
  database = await testDatabase('export');
  folder = await mkdtemp(join(tmpdir(), 'export-'));
  env = { MONGODB_URI: database.uri, MONGODB_DATABASE: database.name };
  await initDatabase(database.db, { partitions: 8 });
  const put = (name: string, documents: Document[]) =>
    database.db.collection<Document>(name).insertMany(documents, { bypassDocumentValidation: true });
  await put('campaigns', [
    { _id: 'spring', status: 'completed' },
    { _id: objectId, status: 'completed' },
    { _id: 'spring2', status: 'draft' },
  ] as Document[]);
  await put('campaign_runs', [
    { _id: 'deleted', metrics: { total: 1 } },
    { _id: objectId.toHexString(), metrics: { total: 1 } },
  ] as Document[]);
  await put('conversation_states', [
    ...Array.from({ length: size }, (_, n) =>
      conversation('spring', { id: `c${n}`, name: names[n % names.length], phone: '+4930123456' }),
    ),
    // neighbours in the order of ids
    conversation('spring2', { id: 'other' }),
    conversation('sprin', { id: 'other' }),
    conversation('deleted', { id: 1 }),
    conversation(objectId, { id: objectId, attributes: { a: { b: 1 } } }),
  ]);
  await put(
    'messages',
    Array.from({ length: 12 }, (_, n) => ({
      _id: `${conversationId('spring', 'c1')}/${n + 1}` as never,
      campaignId: 'spring',
      channel: 'email',
      to: 'a@example.com',
      status: 'sent',
      content: { subject: '=1', text: 'x' },
      attempts: 1,
      sentAt: at,
    })),
  );
});
afterAll(async () => {
  await database.close();
  await rm(folder, { recursive: true, force: true });
});

const cli = (...argv: string[]) => run(['export', ...argv], env);
const rowsOf = (csv: string): Record<string, string>[] => parse(csv, { columns: true, record_delimiter: '\r\n' });

describe('export', () => {
  test('CSV: every conversation of the campaign and no other, read back as it was, formulas harmless', async () => {
    const ran = await cli('spring');
    expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining('2,500 conversations in') });
    const rows = rowsOf(ran.stdout);
    expect(rows).toHaveLength(size);
    expect(rows.map(({ _id }) => _id)).toEqual(rows.map(({ _id }) => _id).toSorted());
    expect(new Set(rows.map((row) => row['contact.name']))).toEqual(
      new Set(names.map((name) => (name.startsWith('=') ? `'${name}` : name))),
    );
    expect(rows[0]).toMatchObject({
      'contact.phone': '+4930123456',
      variables: '{"n":1}',
      createdAt: at.toISOString(),
      step: '0',
    });
    expect((await cli('spring', '--keep-formulas')).stdout).toContain('"=HYPERLINK(');
  });

  test('JSON lines: Extended JSON, whole documents', async () => {
    const ran = await cli(String(objectId), '--format', 'jsonl');
    const stored = await database.db.collection('conversation_states').findOne({ campaignId: objectId });
    expect(
      ran.stdout
        .trim()
        .split('\n')
        .map((line) => BSON.EJSON.parse(line)),
    ).toEqual([stored]);
    expect((await cli('spring', '--json')).stdout.trim().split('\n')).toHaveLength(size);
  });

  test('messages; a campaign that was deleted', async () => {
    const rows = rowsOf((await cli('spring', '--messages')).stdout);
    expect(rows).toHaveLength(12);
    expect(rows[0]).toMatchObject({
      _id: 'spring:c1/1',
      content: '{"subject":"=1","text":"x"}',
      sentAt: at.toISOString(),
    });
    expect(rowsOf((await cli('deleted')).stdout)).toHaveLength(1);
    expect(rowsOf((await cli('spring2', '--messages')).stdout)).toEqual([]);
  });

  test('--out: a whole file or none, for its owner only, in the format of its name', async () => {
    const path = join(folder, 'out.jsonl');
    expect((await cli('spring', '--out', path, '--json')).json()).toMatchObject({
      campaign: 'spring',
      conversations: size,
      file: path,
    });
    expect((await readFile(path, 'utf8')).trim().split('\n')).toHaveLength(size);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(rowsOf((await cli('spring', '--out', '-')).stdout)).toHaveLength(size);
    expect(await cli('spring', '--out', folder)).toMatchObject({ code: 2 });
    expect(await cli('spring', '--out', '/nowhere/x.csv')).toMatchObject({ code: 2 });
    await using _ = await failCommand(database.client, {
      failCommands: ['find'],
      appName: 'communication-base cli',
      namespace: `${database.name}.conversation_states`,
      errorCode: 13,
      times: 'alwaysOn',
    });
    expect((await cli('spring', '--out', join(folder, 'none.csv'))).code).not.toBe(0);
    expect(await readdir(folder)).toEqual(['out.jsonl']);
  });

  test.each([
    [['nobody'], 1],
    [['spring', '--messages', '--conversations'], 2],
    [['spring', '--format', 'xml'], 2],
  ])('%j ends with %i', async (argv, code) => {
    expect((await cli(...argv)).code).toBe(code);
  });

  test('a reader that has enough ends it quietly', async () => {
    const bin = new URL('../../bin/communication-base.js', import.meta.url).pathname;
    const child = spawn(process.execPath, [bin, 'export', 'spring', '--format', 'jsonl'], {
      env: { PATH: process.env['PATH'] ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    await once(child.stdout, 'data');
    child.stdout.destroy();
    const [code] = await once(child, 'exit');
    expect({ code, said }).toEqual({ code: 0, said: '' });
  });
});

describe('pages', () => {
  test('are read when asked for, and end where the range ends', async () => {
    const collection = database.db.collection<Document>('conversation_states');
    const pages = pagesOf(collection, conversationRange('spring'), { limit: 100 });
    const first = (await pages.next()).value as Document[];
    expect(first).toHaveLength(100);
    let rows = first.length;
    for await (const page of pages) rows += page.length;
    expect(rows).toBe(size);
  });

  test('a primary that is away is waited for', async () => {
    await using other = await testDatabase('export_away', { appName: 'export-away', retryReads: false });
    await other.db.collection('x').insertOne({ _id: 'a:1' as never });
    await using _ = await failCommand(database.client, {
      failCommands: ['find'],
      appName: 'export-away',
      errorCode: 189,
      times: 2,
    });
    const pages = [];
    for await (const page of pagesOf(other.db.collection('x'), { from: 'a:', to: 'a;' })) pages.push(page);
    expect(pages).toEqual([[{ _id: 'a:1' }]]);
  });

  test('documents of any size come in pages that fit', async () => {
    await using other = await testDatabase('export_big');
    const big = 'x'.repeat(3_000_000);
    for (let n = 0; n < 12; n += 1) await other.db.collection('x').insertOne({ _id: `a:${n}` as never, big });
    const sizes = [];
    for await (const page of pagesOf(other.db.collection('x'), { from: 'a:', to: 'a;' })) sizes.push(page.length);
    expect(sizes.reduce((sum, length) => sum + length, 0)).toBe(12);
    expect(Math.max(...sizes)).toBeLessThan(7);
  });
});
