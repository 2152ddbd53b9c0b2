import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { WholeFile } from '../../../src/cli/wholeFile.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whole-file-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

test('is there whole, in the place of an older one', async () => {
  const path = join(folder, 'a.html');
  await writeFile(path, 'old');
  {
    await using file = await WholeFile.open(path, '--out');
    expect(await readFile(path, 'utf8')).toBe('old');
    await file.write('ne');
    await file.write('w');
    await file.finish();
  }
  expect(await readFile(path, 'utf8')).toBe('new');
  expect(await readdir(folder)).toEqual(['a.html']);
});

test('or not at all: what was there stays, and nothing is left lying about', async () => {
  const path = join(folder, 'a.html');
  await writeFile(path, 'old');
  {
    await using file = await WholeFile.open(path, '--out');
    await file.write('half');
  }
  expect(await readFile(path, 'utf8')).toBe('old');
  expect(await readdir(folder)).toEqual(['a.html']);
});

test('is written through a link', async () => {
  const path = join(folder, 'a.html');
  await writeFile(path, 'old');
  await symlink(path, join(folder, 'link.html'));
  {
    await using file = await WholeFile.open(join(folder, 'link.html'), '--out');
    await file.write('ne');
    await file.write('w');
    await file.finish();
  }
  expect(await readFile(path, 'utf8')).toBe('new');
  expect((await readdir(folder)).toSorted()).toEqual(['a.html', 'link.html']);
});

test('where there can be none, that is said before anything is read', async () => {
  await mkdir(join(folder, 'there'));
  await writeFile(join(folder, 'plain'), '');
  const cases = {
    [join(folder, 'there')]: 'it is a directory',
    [join(folder, 'nowhere', 'a.html')]: 'there is no such directory',
    [join(folder, 'plain', 'a.html')]: 'a part of its path is no directory',
    '/dev/null': 'it is no regular file',
  };
  for (const [path, why] of Object.entries(cases))
    await expect(WholeFile.open(path, '--out')).rejects.toMatchObject({
      code: 'usage',
      message: `--out: cannot write ${path}: ${why}`,
    });
});
