import { chmod, link, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openRejects } from '../../../../src/cli/contacts/rejects.ts';

let folder = '';
let path = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rejects-'));
  path = join(folder, 'bad.jsonl');
  await writeFile(path, 'earlier');
  await chmod(path, 0o644);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const reject = (line: number, row: string) => ({ line, reason: 'r', bytes: Buffer.from(row) });

test('all of them, each whole however many are written at once, for the owner only', async () => {
  {
    await using rejects = await openRejects(path, []);
    const rows = Array.from({ length: 8 }, (_, n) => String(n).repeat(600_000));
    await Promise.all(rows.map((row, n) => rejects.add([reject(n + 1, row)])));
    expect(await readFile(path, 'utf8')).toBe('earlier');
    await rejects.finish();
    expect(rejects.count).toBe(8);
    const lines = (await readFile(path, 'utf8')).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).row)).toEqual(rows);
  }
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(folder)).toEqual(['bad.jsonl']);
});

test('what fails before it is finished leaves an earlier file as it was', async () => {
  {
    await using rejects = await openRejects(path, [join(folder, 'typo.csv')]);
    await rejects.add([reject(1, 'x')]);
  }
  expect(await readFile(path, 'utf8')).toBe('earlier');
  expect(await readdir(folder)).toEqual(['bad.jsonl']);
});

test('never takes the place of a file that is read, whatever its name', async () => {
  const other = join(folder, 'campaign.yaml');
  await link(path, other);
  for (const sources of [[path], ['-', other]])
    await expect(openRejects(path, sources)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringMatching(/^--rejects .* is the same file as .*, which is read: name another one$/),
    });
  expect(await readdir(folder)).toHaveLength(2);
});
