/** Rows of a file that were left out: the first ones for people, all of them in a file of JSON lines. */
import { stat } from 'node:fs/promises';
import { ServiceError } from '../../domain/errors.ts';
import { safe } from '../output.ts';
import { ownerOnly, WholeFile } from '../wholeFile.ts';
import type { Reject } from './contactsFile.ts';

/** As many as anyone reads on a terminal. */
const mostShown = 20;

export interface Rejects extends AsyncDisposable {
  readonly count: number;
  /** The first ones, in the order of the file. */
  readonly first: readonly { line: number; reason: string }[];
  add(rejects: readonly Reject[]): Promise<void>;
  /** Gives the file its name. Without it there is none, and an older one stays as it was. */
  finish(): Promise<void>;
}

/**
 * `path`: where all of them go, `{ line, reason, row }` each, for its owner only, in the place of an older file.
 * `sources` are the files that are read, which it must not replace.
 * @throws ServiceError `usage` when it cannot be written, or is one of the sources.
 */
export async function openRejects(path: string | undefined, sources: readonly string[]): Promise<Rejects> {
  const file = path === undefined ? undefined : await openFile(path, sources);
  let count = 0;
  const first: { line: number; reason: string }[] = [];
  return {
    get count() {
      return count;
    },
    get first() {
      return first.toSorted((a, b) => a.line - b.line);
    },
    async add(rejects) {
      count += rejects.length;
      for (const { line, reason } of rejects.slice(0, mostShown - first.length)) first.push({ line, reason });
      if (file === undefined || rejects.length === 0) return;
      const lines = rejects.map(({ line, reason, bytes }) => JSON.stringify({ line, reason, row: textOf(bytes) }));
      await file.write(`${lines.join('\n')}\n`);
    },
    finish: async () => file?.finish(),
    [Symbol.asyncDispose]: async () => file?.[Symbol.asyncDispose](),
  };
}

/** What is no UTF-8 in it shows as U+FFFD. */
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

async function openFile(path: string, sources: readonly string[]): Promise<WholeFile> {
  const there = await identity(path);
  for (const source of sources)
    if (there !== undefined && there === (await identity(source === '-' ? '/dev/stdin' : source)))
      throw new ServiceError(
        'usage',
        `--rejects ${safe(path)} is the same file as ${source === '-' ? 'stdin' : safe(source)}, which is read: name another one`,
      );
  return WholeFile.open(path, '--rejects', ownerOnly);
}

/** The same for all names of one file; undefined where there is none. */
async function identity(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found && `${found.dev}:${found.ino}`;
}
