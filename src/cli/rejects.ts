/** Rows of a file that were left out: the first ones for people, all of them in a file of JSON lines. */
import { stat } from 'node:fs/promises';
import { ServiceError } from '../domain/errors.ts';
import type { Reject } from './contactsFile.ts';
import { safe } from './output.ts';
import { openTextFile, type TextFile } from './textFile.ts';

/** As many as anyone reads on a terminal. */
const mostShown = 20;

export interface Rejects {
  readonly count: number;
  /** The first ones, in the order of the file. */
  readonly first: readonly { line: number; reason: string }[];
  add(rejects: readonly Reject[]): Promise<void>;
  close(): Promise<void>;
}

/**
 * `path`: where all of them go, `{ line, reason, row }` each; it is written anew. `source` is the file they come from.
 * @throws ServiceError `usage` when it cannot be written, or is the source itself.
 */
export async function openRejects(path: string | undefined, source: string): Promise<Rejects> {
  const file = path === undefined ? undefined : await openFile(path, source);
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
    close: async () => file?.close(),
  };
}

/** What is no UTF-8 in it shows as U+FFFD. */
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

async function openFile(path: string, source: string): Promise<TextFile> {
  const [there, read] = await Promise.all([stat(path).catch(() => undefined), stat(source).catch(() => undefined)]);
  if (there && read && there.ino === read.ino && there.dev === read.dev)
    throw new ServiceError('usage', `--rejects ${safe(path)} is the file the contacts come from`);
  return openTextFile(path, '--rejects');
}
