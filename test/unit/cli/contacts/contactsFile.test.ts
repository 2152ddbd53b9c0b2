import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Long } from 'mongodb';
import { type Batch, newIdSet, readContacts } from '../../../../src/cli/contacts/contactsFile.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'contacts-file-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function read(name: string, text: string): Promise<Pick<Batch, 'rows' | 'rejects'>> {
  const file = join(folder, name);
  await writeFile(file, text);
  const batches: Batch[] = [];
  const { signal } = new AbortController();
  for await (const batch of readContacts({ file, map: {}, ids: newIdSet(), signal })) batches.push(batch);
  return { rows: batches.flatMap(({ rows }) => rows), rejects: batches.flatMap(({ rejects }) => rejects) };
}

describe('JSON lines', () => {
  test.each([
    ['{"id": 9007199254740993}', /no number that can be kept exactly.*, at "9007199254740993}"$/],
    ['{"id": "a", "attributes": {"acc": 12345678901234567890}}', /kept exactly.*, at "12345678901234567890}}"$/],
    ['{"id": "a", "attributes": {"n": 1e400}}', /kept exactly.*, at "1e400}}"$/],
    ['{"id": "a", "email": "a@x.example", "email": "b@x.example"}', /the key "email" is there twice/],
    ['{"id": {"$numberDouble": "9007199254740993"}}', /id is a number past 2\^53/],
    ['{"id": "a"', /is no JSON: the object is not closed.*, at its end$/],
    ['{"id": {"$oid": "nonsense"}}', /is no Extended JSON/],
  ])('%s is left out, not taken for something else', async (text, reason) => {
    const { rows, rejects } = await read('exact.jsonl', `${text}\n{"id": 9007199254740991}\n`);
    expect(rejects).toMatchObject([{ line: 1, reason: expect.stringMatching(reason) }]);
    expect(rows.map(({ document }) => document['_id'])).toEqual([9007199254740991]);
  });

  test.each([
    ['array.json', '\uFEFF\n [\n{"id": "a"},\n{"id": "b"}\n]\n'],
    ['array', '[{"id": "a"}]'],
  ])('an array is refused as a whole: its last element alone would look like a row (%s)', async (name, text) => {
    await expect(read(name, text)).rejects.toMatchObject({
      code: 'document_invalid',
      message: expect.stringContaining('it is a JSON array; JSON lines has one object a line'),
    });
  });

  test('a large number that says it is a Long is kept as one', async () => {
    const { rows } = await read(
      'long.jsonl',
      '{"id": "a", "attributes": {"acc": {"$numberLong": "9007199254740993"}}}',
    );
    expect(rows[0]?.document).toMatchObject({ attributes: { acc: Long.fromString('9007199254740993') } });
  });
});
