/** A file that is there whole or not at all: written beside its name, then renamed. */
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ServiceError } from '../domain/errors.ts';
import { safe } from './output.ts';

/** Mode of a file with what people trusted us with. */
export const ownerOnly = 0o600;

export class WholeFile {
  private readonly path: string;
  private readonly option: string;
  private readonly temporary: string;
  private readonly handle: FileHandle;
  /** The writes so far, one after the other. */
  private written: Promise<void> = Promise.resolve();
  private isDone = false;

  private constructor(path: string, option: string, temporary: string, handle: FileHandle) {
    this.path = path;
    this.option = option;
    this.temporary = temporary;
    this.handle = handle;
  }

  /** Shows at once whether it can be written. `option` is what named it. Throws ServiceError `usage`. */
  static async open(file: string, option: string, mode?: number): Promise<WholeFile> {
    try {
      const path = await targetOf(file);
      const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.part`);
      await rm(temporary, { force: true });
      return new WholeFile(path, option, temporary, await open(temporary, 'wx', mode));
    } catch (error) {
      throw refusal(option, file, error);
    }
  }

  /**
   * Appends, in the order of the calls. Throws ServiceError `usage` when the disk is full or the like; what was there
   * before is untouched then.
   */
  write(text: string): Promise<void> {
    const append = (): Promise<void> =>
      this.handle.appendFile(text, 'utf8').catch((error: unknown) => {
        throw refusal(this.option, this.path, error);
      });
    this.written = this.written.then(append);
    return this.written;
  }

  /** It is whole: gives it its name. Throws as `write` does. */
  async finish(): Promise<void> {
    try {
      await this.handle.sync();
      await this.handle.close();
      await rename(this.temporary, this.path);
      this.isDone = true;
    } catch (error) {
      throw refusal(this.option, this.path, error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isDone) return;
    await this.handle.close().catch(() => {});
    await rm(this.temporary, { force: true }).catch(() => {});
  }
}

/** A link to a file is written through, one that leads nowhere replaced; what is no regular file (a device) is not. */
async function targetOf(file: string): Promise<string> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return file;
  if (found.isDirectory()) throw new Error('it is a directory');
  if (!found.isFile()) throw new Error('it is no regular file');
  return realpath(file);
}

const refusal = (option: string, file: string, error: unknown): ServiceError =>
  new ServiceError('usage', `${option}: cannot write ${safe(file)}: ${why(error)}`);

function why(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'there is no such directory';
  if (code === 'ENOTDIR') return 'a part of its path is no directory';
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return 'no right to write there';
  if (code === 'ENOSPC') return 'the disk is full';
  return safe(message);
}
