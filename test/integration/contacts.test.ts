import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Document, ObjectId } from 'mongodb';
import { writeContactsFile } from '../../scripts/contactsFile.mjs';
import { initDatabase } from '../../src/mongo/collections.ts';
import { contactsWriter } from '../../src/mongo/contactsWriter.ts';
import { failCommand, type TestDatabase, testDatabase } from '../support/mongo.ts';
import { waitFor } from '../support/waitFor.ts';
import { type Ran, run } from '../unit/cli/host.ts';

let database: TestDatabase;
let folder = '';
let env: Record<string, string> = {};
beforeAll(async () => {
  database = await testDatabase('contacts');
  folder = await mkdtemp(join(tmpdir(), 'contacts-'));
  env = { MONGODB_URI: database.uri, MONGODB_DATABASE: database.name, CHANNEL_EMAIL_DRIVER: 'console' };
  await initDatabase(database.db, { partitions: 8 });
  await file('campaign.yaml', campaign('spring'));
});
afterAll(async () => {
  await database.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  await database.db.collection('campaigns').deleteMany({});
  for (const name of ['contacts_spring', 'people']) await database.db.collection(name).drop();
});

const campaign = (id: string, more = ''): string => `
_id: ${id}
status: draft
unsubscribe: { mailto: stop@example.com }
${more}
flow:
  stages:
    - { id: hello, type: message, channel: email, content: { subject: Hi, text: 'Hello {{ contact.name }}' } }
`;
const at = (name: string): string => join(folder, name);
async function file(name: string, content: string | Uint8Array): Promise<string> {
  await writeFile(at(name), content);
  return at(name);
}
const submit = (contacts: string, ...more: string[]): Promise<Ran> =>
  run(['submit', at('campaign.yaml'), '--contacts', contacts, ...more], env);
const stored = (name = 'contacts_spring') => database.db.collection<Document>(name).find({}).sort({ _id: 1 }).toArray();
const campaigns = () => database.db.collection<Document>('campaigns').find({}).toArray();

describe('submit --contacts', () => {
  test('contacts first, then the campaign that reads them', async () => {
    const csv = await file(
      'a.csv',
      '\uFEFFid,email,attributes.plan,attributes.age:number\r\n007,ada@example.com,gold,42\r\nb,,,\r\n',
    );
    const ran = await submit(csv);
    expect(ran).toMatchObject({ code: 0, stdout: 'spring\n' });
    expect(ran.stderr).toContain('2 rows in');
    expect(ran.stderr).toContain('2 inserted, 0 updated, 0 unchanged, 0 left out');
    expect(await stored()).toEqual([
      { _id: '007', email: 'ada@example.com', attributes: { plan: 'gold', age: 42 } },
      { _id: 'b' },
    ]);
    expect(await campaigns()).toMatchObject([
      { _id: 'spring', status: 'draft', audience: { collection: 'contacts_spring' } },
    ]);
  });

  test('every bad row is named by its line, the others are there; all of them in a file', async () => {
    const { bad } = await writeContactsFile(at('mixed.csv'), 3000, 36);
    const ran = await submit(at('mixed.csv'), '--rejects', at('rejects.jsonl'));
    expect(ran).toMatchObject({ code: 0, stdout: 'spring\n' });
    const rejects = (await readFile(at('rejects.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(rejects.map(({ line }) => line)).toEqual(bad.map(({ line }) => line));
    expect(new Set(bad.map(({ kind }) => kind)).size).toBe(12);
    expect(rejects.every(({ reason, row }) => reason.length > 0 && row.length > 0)).toBe(true);
    const shown = ran.stderr.split('\n').filter((line) => line.startsWith(`${at('mixed.csv')}:`));
    expect(shown).toHaveLength(20);
    expect(ran.stderr).toContain('… and 16 more rows left out');
    expect(await database.db.collection('contacts_spring').countDocuments()).toBe(3000 - 36);
  });

  test('the same once more adds nothing; what changed is updated; an interrupted run is run again', async () => {
    const rows = (name: string): string =>
      `id,name\n${Array.from({ length: 2500 }, (_, n) => `c${n},${n === 7 ? name : 'Ada'}\n`).join('')}`;
    await file('again.csv', rows('Ada'));
    // as if it had been interrupted: contacts without a campaign
    await contactsWriter(database.db, 'contacts_spring', { mode: 'replace' }).write([
      { _id: 'c1', name: 'Ada' },
      { _id: 'c2', name: 'x' },
    ]);
    const json = async (): Promise<Record<string, unknown>> => {
      await database.db.collection('campaigns').deleteMany({});
      return (await submit(at('again.csv'), '--json')).json()['contacts'] as Record<string, unknown>;
    };
    expect(await json()).toMatchObject({ rows: 2500, inserted: 2498, updated: 1, unchanged: 1, rejected: 0 });
    expect(await json()).toMatchObject({ inserted: 0, updated: 0, unchanged: 2500 });
    await file('again.csv', rows('Zoë'));
    expect(await json()).toMatchObject({ inserted: 0, updated: 1, unchanged: 2499 });
  });

  test('a campaign that is stored keeps its contacts as they are', async () => {
    await submit(await file('b.csv', 'id,name\n1,Ada\n'));
    const again = await submit(await file('b.csv', 'id,name\n1,Zoë\n2,Jo\n'));
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('its contacts were left as they are') });
    expect(await stored()).toEqual([{ _id: '1', name: 'Ada' }]);
  });

  test('contacts of an earlier file get no message unawares', async () => {
    await submit(await file('c.csv', 'id\n1\n2\n3\n'));
    await database.db.collection('campaigns').deleteMany({});
    const less = await file('c.csv', 'id\n1\n3\n');
    const ran = await submit(less);
    expect(ran).toMatchObject({ code: 1, stdout: '' });
    expect(ran.stderr).toContain('contacts_spring holds 1 contact that this file does not have, such as 2');
    expect(await campaigns()).toEqual([]);
    expect(await submit(less, '--prune')).toMatchObject({ code: 0 });
    expect((await stored()).map(({ _id }) => _id)).toEqual(['1', '3']);
  });

  test('--strict stores no campaign when a row was left out; nor does a file without any contact', async () => {
    const csv = await file('d.csv', 'id\n1\n\n""\n');
    expect(await submit(csv, '--strict')).toMatchObject({ code: 1, stderr: expect.stringContaining('--strict') });
    expect(await submit(await file('e.csv', 'id,email\n'))).toMatchObject({ code: 1 });
    expect((await submit(await file('e.csv', ''), '--json')).json()).toMatchObject({
      submitted: false,
      error: { code: 'contacts_missing' },
    });
    expect(await campaigns()).toEqual([]);
  });

  test('JSON lines keep their types; each kind of bad line has its reason', async () => {
    const id = new ObjectId();
    const lines = [
      `{"id": {"$oid": "${id}"}, "attributes": {"since": {"$date": "2026-01-01T00:00:00Z"}, "n": 5}}`,
      '',
      '{"id": 5}',
      '{"id": "a"',
      '[1]',
      '{"id": "b", "attributes": {"$set": 1}}',
      '{"id": "c", "attributes": {"_bsontype": "ObjectId", "x": 1}}',
      '{"id": 5, "name": "again"}',
      `{"id": "d", "name": "${'x'.repeat(600)}"}`,
      '{"id": "e", "attributes.plan": 1}',
    ];
    const latin = Buffer.concat([
      Buffer.from(`${lines.join('\n')}\n`),
      Buffer.from('{"id": "f", "name": "\xe9"}', 'latin1'),
    ]);
    const ran = await submit(await file('x.jsonl', latin), '--json');
    const { rejects, inserted } = ran.json()['contacts'] as {
      rejects: { line: number; reason: string }[];
      inserted: number;
    };
    expect(inserted).toBe(3);
    expect(rejects.map(({ line }) => line)).toEqual([4, 5, 6, 8, 9, 10, 11]);
    expect((await stored()).map(({ _id }) => _id)).toEqual(expect.arrayContaining([5, 'c', id]));
    expect((await stored()).find(({ _id }) => String(_id) === String(id))).toMatchObject({
      attributes: { since: new Date('2026-01-01T00:00:00Z'), n: 5 },
    });
  });

  test('a row too large for a document, or for the memory, costs itself only', async () => {
    const rows = [
      { id: 'a' },
      { id: 'b', attributes: { text: 'x'.repeat(15_900_000) } },
      { id: 'c', attributes: { list: Array(2_000_000).fill(1) } },
      { id: 'd', attributes: { text: 'x'.repeat(17_000_000) } },
      { id: 'e', attributes: { list: Array(900_000).fill('123456789') } },
      { id: 'f' },
    ];
    const lines = await file('large.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'));
    const ran = await submit(lines, '--json');
    expect(ran.json()).toMatchObject({ contacts: { inserted: 3, rejects: [{ line: 3 }, { line: 4 }, { line: 5 }] } });
    expect((await stored()).map(({ _id }) => _id)).toEqual(['a', 'b', 'f']);
  });

  test('into a collection of others only the columns of the file are set', async () => {
    await database.db
      .collection<Document>('people')
      .insertMany([
        { _id: 'a', owner: 'x', attributes: { plan: 'old', kept: 1 }, name: 'gone' },
        { _id: 'z' },
        { _id: 'odd', attributes: 'text' },
      ] as Document[]);
    const csv = await file('f.csv', 'id,name,attributes.plan\na,,gold\nb,Bo,\nodd,,silver\n');
    const ran = await submit(csv, '--collection', 'people', '--json');
    expect(ran.json()).toMatchObject({ contacts: { inserted: 1, updated: 1, rejects: [{ line: 4 }] } });
    expect(await stored('people')).toEqual([
      { _id: 'a', owner: 'x', attributes: { plan: 'gold', kept: 1 } },
      { _id: 'b', name: 'Bo' },
      { _id: 'odd', attributes: 'text' },
      { _id: 'z' },
    ]);
  });

  test('the audience of the file: its map finds id and addresses', async () => {
    await file(
      'mapped.yaml',
      campaign('spring', "audience: { collection: people, map: { id: '$nr', email: '$mail' } }"),
    );
    await file('g.csv', 'nr;mail\n1;ada@example.com\n;x@example.com\n');
    const ran = await run(['submit', at('mapped.yaml'), '--contacts', at('g.csv'), '--json'], env);
    expect(ran.json()).toMatchObject({ submitted: true, contacts: { inserted: 1, rejects: [{ line: 3 }] } });
    expect(await stored('people')).toEqual([{ _id: '1', nr: '1', mail: 'ada@example.com' }]);
  });

  test.each([
    ['audience: { contacts: [{ id: 1 }] }', [], 'audience.contacts'],
    ['audience: { collection: people }', ['--collection', 'others'], 'audience.collection'],
    ['', ['--collection', 'messages'], 'audience.collection'],
  ])('an audience that says something else is a fault: %s %j', async (audience, more, path) => {
    await file('wrong.yaml', campaign('spring', audience));
    const csv = await file('h.csv', 'id\n1\n');
    const ran = await run(['submit', at('wrong.yaml'), '--contacts', csv, '--json', ...more], env);
    expect(ran.code).toBe(1);
    expect(ran.json()['faults']).toMatchObject([{ path, line: expect.any(Number) }]);
    expect(await campaigns()).toEqual([]);
  });

  test.each([
    ['name\nAda\n', /i\.csv:1: there is no column "id"; the header has "name"/],
    ['id,id\n1,1\n', /"id" is there twice/],
    [Buffer.from('id,name\n1,Ada\n', 'utf16le').toString('latin1'), /no CSV text file/],
    [`\xff\xfe${Buffer.from('id', 'utf16le').toString('latin1')}`, /is UTF-16/],
    ['id,name\r1,Ada\r', /lines that end with LF or CRLF/],
  ])('a header that cannot be used: %j', async (text, why) => {
    const ran = await submit(await file('i.csv', Buffer.from(text, 'latin1')));
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(why);
    expect(await campaigns()).toEqual([]);
  });

  test('--prune never touches a collection that the campaign file names', async () => {
    await database.db.collection<Document>('people').insertOne({ _id: 'z' as never });
    await file('shared.yaml', campaign('spring', 'audience: { collection: people }'));
    const csv = await file('l.csv', 'id\n1\n');
    expect(await run(['submit', at('shared.yaml'), '--contacts', csv, '--prune'], env)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('audience.collection'),
    });
    expect(await stored('people')).toEqual([{ _id: 'z' }]);
    expect(await campaigns()).toEqual([]);
  });

  test('wrong use is 2', async () => {
    const csv = await file('j.csv', 'id\n1\n');
    const ran = (...argv: string[]) => run(['submit', ...argv], env);
    expect(await ran(at('campaign.yaml'), '--contacts', '/nowhere.csv')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no such file'),
    });
    expect(await submit(csv, '--rejects', csv)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is the same file as'),
    });
    const own = at('campaign.yaml');
    expect(await submit(csv, '--rejects', own)).toMatchObject({ code: 2 });
    expect(await run(['validate', own, '--contacts', csv, '--rejects', own], env)).toMatchObject({ code: 2 });
    expect(await readFile(own, 'utf8')).toBe(campaign('spring'));
    const earlier = await file('earlier.jsonl', 'earlier');
    expect(await submit('/nowhere.csv', '--rejects', earlier)).toMatchObject({ code: 2 });
    expect(await readFile(earlier, 'utf8')).toBe('earlier');
    expect(await submit(csv, '--rejects', '/nowhere/x')).toMatchObject({ code: 2 });
    expect(await submit(csv, '--prune', '--collection', 'people')).toMatchObject({ code: 2 });
    expect(await ran(at('campaign.yaml'), '--strict')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--contacts'),
    });
    expect(await ran('-', '--contacts', '-')).toMatchObject({ code: 2 });
    expect(await readFile(csv, 'utf8')).toBe('id\n1\n');
  });

  test('validate --contacts tells of the campaign and of a header that cannot be used', async () => {
    await file('faulty.yaml', campaign('spring', 'priority: high'));
    const csv = await file('m.csv', 'name\nAda\n');
    const argv = ['validate', at('faulty.yaml'), '--contacts', csv];
    const ran = await run(argv, env);
    expect(ran).toMatchObject({ code: 1, stdout: expect.stringContaining('priority') });
    expect(ran.stderr).toContain('m.csv:1: there is no column "id"');
    expect((await run([...argv, '--json'], env)).json()).toMatchObject({
      valid: false,
      faults: [{ path: 'priority' }],
      contacts: { error: { code: 'document_invalid' } },
    });
  });

  test('validate --contacts writes nothing', async () => {
    const csv = await file('k.csv', 'id,plan\n1,x\n1,x\n');
    const ran = await run(['validate', at('campaign.yaml'), '--contacts', csv], env);
    expect(ran).toMatchObject({ code: 1, stdout: expect.stringContaining(`${csv}:3: id "1" was in the file before`) });
    expect(ran.stdout).toContain('note: no message can say "plan"');
    expect(await stored()).toEqual([]);
  });

  test('SIGINT: the campaign is not stored, and the same command goes on', async () => {
    await writeContactsFile(at('slow.csv'), 500, 0);
    const bin = new URL('../../bin/communication-base.js', import.meta.url).pathname;
    const bad = at('so-far.jsonl');
    const child = spawn(process.execPath, [bin, 'submit', at('campaign.yaml'), '--contacts', '-', '--rejects', bad], {
      env: { PATH: process.env['PATH'] ?? '', ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    // The pipe stays open: it waits for more when the signal comes.
    child.stdin.write(Buffer.concat([await readFile(at('slow.csv')), Buffer.from('too,few\n')]));
    await waitFor(async () => (await database.db.collection('contacts_spring').countDocuments()) > 0, {
      what: 'first contacts',
    });
    child.kill('SIGINT');
    const [code] = await once(child, 'exit');
    expect(code).toBe(130);
    expect(said).toContain('interrupted');
    expect(await readFile(bad, 'utf8')).toContain('"row":"too,few"');
    expect(await campaigns()).toEqual([]);
    expect(await submit(at('slow.csv'))).toMatchObject({ code: 0 });
    expect(await database.db.collection('contacts_spring').countDocuments()).toBe(500);
  });
});

describe('the writer', () => {
  const appName = 'contacts-writer';
  const write = async (documents: Document[], mode: 'replace' | 'merge' = 'replace', fresh = false) => {
    await using other = await testDatabase('contacts_writer', { appName, retryWrites: false });
    await other.db.collection<Document>('people').createIndex({ email: 1 }, { unique: true, sparse: true });
    const written = await contactsWriter(other.db, 'people', { mode, fresh }).write(documents);
    return { written, stored: await other.db.collection('people').countDocuments() };
  };

  test('waits out a primary that is away', async () => {
    await using _ = await failCommand(database.client, { failCommands: ['update'], appName, errorCode: 189, times: 2 });
    expect(await write([{ _id: 1 }, { _id: 2 }])).toMatchObject({ written: { inserted: 2, refused: [] }, stored: 2 });
  });

  test('what is there although the collection was empty is updated', async () => {
    await using other = await testDatabase('contacts_fresh');
    const writer = contactsWriter(other.db, 'people', { mode: 'replace', fresh: true });
    await writer.write([{ _id: 1 }, { _id: 2, name: '$a' }]);
    expect(await writer.write([{ _id: 1 }, { _id: 2, name: 'b' }, { _id: 3 }])).toEqual({
      inserted: 1,
      updated: 1,
      unchanged: 1,
      refused: [],
    });
    expect(await other.db.collection('people').findOne({ _id: 2 as never })).toEqual({ _id: 2, name: 'b' });
  });

  test('a right that is missing is thrown, not put down to the rows', async () => {
    await using _ = await failCommand(database.client, { failCommands: ['update'], appName, errorCode: 13, times: 5 });
    await expect(write([{ _id: 1 }])).rejects.toMatchObject({ code: 13 });
  });

  test.each([
    ['replace', false],
    ['replace', true],
    ['merge', false],
  ] as const)('what the server refuses is told by its index (%s, fresh: %s)', async (mode, fresh) => {
    const result = await write([{ _id: 1, email: 'a' }, { _id: 2, email: 'a' }, { _id: 3 }], mode, fresh);
    expect(result).toMatchObject({ written: { inserted: 2, refused: [{ index: 1 }] }, stored: 2 });
  });

  test('what the driver refuses is found among the others', async () => {
    const result = await write([{ _id: 1 }, { _id: 2, 'a\0b': 1 }, { _id: 3 }]);
    expect(result).toMatchObject({ written: { inserted: 2, refused: [{ index: 1 }] }, stored: 2 });
  });
});
