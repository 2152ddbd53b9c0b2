/** A campaign out of two files, run by a real worker, and back into a file. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import type { Document } from 'mongodb';
import { writeContactsFile } from '../../scripts/contactsFile.mjs';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorker, type WorkerProcess } from '../support/workers.ts';
import { run } from '../unit/cli/host.ts';

let database: TestDatabase;
let sink: Sink;
let worker: WorkerProcess;
let folder = '';
beforeEach(async () => {
  database = await testDatabase('e2e_files');
  sink = await startSink({ keep: 10 });
  folder = await mkdtemp(join(tmpdir(), 'files-'));
});
afterEach(async () => {
  await worker.kill('SIGKILL');
  await sink.close();
  await database.close();
  await rm(folder, { recursive: true, force: true });
});

test('contacts of a CSV file are written to, the bad rows are not, and the export tells of each', async () => {
  const rows = 600;
  const channel = { CHANNEL_PHONE_DRIVER: 'http', CHANNEL_PHONE_URL: sink.url };
  const env = { MONGODB_URI: database.uri, MONGODB_DATABASE: database.name, ...channel };
  const { bad } = await writeContactsFile(join(folder, 'people.csv'), rows, 24);
  await writeFile(
    join(folder, 'campaign.yaml'),
    [
      '_id: files.2026',
      'status: pending',
      'flow:',
      '  stages:',
      "    - { id: hello, type: message, channel: phone, content: { text: 'Hello {{ contact.name }}, {{ contact.attributes.plan }}' }, on: { noReply: done } }",
      '    - { id: done, type: end, outcome: done }',
    ].join('\r\n'),
  );
  worker = startWorker(database, channel);
  const submitted = await run(
    ['submit', join(folder, 'campaign.yaml'), '--contacts', join(folder, 'people.csv'), '--json'],
    env,
  );
  expect(submitted.json()).toMatchObject({
    submitted: true,
    contacts: { inserted: rows - bad.length, rejected: bad.length },
  });
  const campaigns = database.db.collection<Document>('campaigns');
  await waitFor(async () => (await campaigns.findOne({ _id: 'files.2026' as never }))?.['status'] === 'completed', {
    timeoutMs: 90_000,
    what: 'the campaign to be completed',
  });
  expect(await campaigns.findOne({})).toMatchObject({
    metrics: { total: rows - bad.length, completed: rows - bad.length, messages: { sent: rows - bad.length } },
  });
  expect(sink.keys.size).toBe(rows - bad.length);

  const out = join(folder, 'out.csv');
  expect(await run(['export', 'files.2026', '--out', out], env)).toMatchObject({ code: 0 });
  const exported: Record<string, string>[] = parse(await readFile(out, 'utf8'), {
    columns: true,
    record_delimiter: '\r\n',
  });
  const contacts = await database.db.collection<Document>('contacts_files%2E2026').find({}).toArray();
  expect(exported.map((row) => [row['contact.id'], row['contact.name']]).sort()).toEqual(
    contacts.map(({ _id, name }) => [String(_id), name]).sort(),
  );
  expect(new Set(exported.map(({ outcome }) => outcome))).toEqual(new Set(['done']));
});
