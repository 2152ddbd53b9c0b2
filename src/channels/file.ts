import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ChannelCheck, SendResult } from '../domain/channelPorts.ts';
import type { Clock } from '../domain/systemPorts.ts';
import { checkFile } from './fileCheck.ts';
import type { Driver, Handover } from './handover.ts';
import { describeError, payload } from './text.ts';

const newline = 0x0a;
const sent: SendResult = { kind: 'sent' };
/** Pipes, terminals and /dev/null have nothing to sync. */
async function sync(file: FileHandle): Promise<void> {
  try {
    await file.datasync();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EINVAL' && code !== 'ENOTSUP' && code !== 'EROFS') throw error;
  }
}

/** A write of another process takes no longer as a rule: what ends within a line for so long was not finished. */
const tornMs = 250;

/** True when the file ends within a line, as after a crash or a full disk; not while somebody else writes. */
async function endsTorn(file: FileHandle): Promise<boolean> {
  for (let seen = -1; ; await sleep(tornMs)) {
    const stat = await file.stat();
    if (!stat.isFile() || stat.size === 0) return false;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(1), 0, 1, stat.size - 1);
    if (bytesRead === 0 || buffer[0] === newline) return false;
    if (stat.size === seen) return true;
    seen = stat.size;
  }
}

/** Bytes written so far; a write that failed half-way leaves `done` behind. */
async function writeWhole(file: FileHandle, lines: Buffer, progress: { done: number }): Promise<void> {
  // One call to the system as a rule: with O_APPEND other writers' lines then come before or after, never between.
  while (progress.done < lines.length) progress.done += (await file.write(lines, progress.done)).bytesWritten;
}

/**
 * Appends one JSON object a line, `{ at, ...the contract's body }`. All messages of a turn, and all that come while a write
 * is under way, are one append and one sync; they are `sent` once on disk. Several threads and processes may share a file.
 */
export class FileDriver implements Driver {
  readonly #path: string;
  readonly #clock: Clock;
  #pending: { handover: Handover; line: string }[] = [];
  #file: FileHandle | undefined;
  #torn = false;
  #flushing: Promise<void> | undefined;

  /** `location`: a path or a `file:` URL. The file is made when the first message comes. */
  constructor(location: string, clock: Clock) {
    this.#path = /^file:\/\//i.test(location) ? fileURLToPath(location) : location;
    this.#clock = clock;
  }

  start(handover: Handover): void {
    const at = new Date(this.#clock.now()).toISOString();
    const line = `{"at":"${at}",${payload(handover.message).slice(1)}`;
    this.#pending.push({ handover, line });
    this.#flushing ??= new Promise<void>((resolve) => setImmediate(resolve)).then(() => this.#flush());
  }

  check(): Promise<ChannelCheck> {
    return checkFile(this.#path);
  }

  async close(): Promise<void> {
    await this.#flushing;
    await this.#discard();
  }

  async #flush(): Promise<void> {
    while (this.#pending.length > 0) await this.#flushOnce();
    this.#flushing = undefined;
  }

  async #flushOnce(): Promise<void> {
    let batch: Handover[] = [];
    const progress = { done: 0 };
    try {
      this.#file ??= await this.#open();
      const file = this.#file;
      const due = this.#pending.filter(({ handover }) => handover.begin());
      this.#pending = [];
      batch = due.map(({ handover }) => handover);
      if (batch.length === 0) return;
      const lines = Buffer.from(`${this.#torn ? '\n' : ''}${due.map(({ line }) => line).join('\n')}\n`);
      try {
        await writeWhole(file, lines, progress);
        this.#torn = false;
      } catch (error) {
        // Nothing written is nothing left: no doubt that at-most-once would have to keep.
        if (progress.done === 0) for (const handover of batch) handover.begun = false;
        else this.#torn = lines[progress.done - 1] !== newline;
        throw error;
      }
      await sync(file);
      for (const handover of batch) handover.settle(sent);
    } catch (error) {
      const failed = [...batch, ...this.#pending.splice(0).map(({ handover }) => handover)];
      await this.#discard();
      for (const handover of failed) handover.lost('write_failed', describeError(error));
    }
  }

  async #open(): Promise<FileHandle> {
    // Read as well, to see how it ends. People's addresses are in it: not for everybody's eyes.
    const file = await open(this.#path, 'a+', 0o640);
    try {
      this.#torn = await endsTorn(file);
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async #discard(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close().catch(() => undefined);
  }
}
