import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { ServiceError } from '../domain/errors.ts';
import { safe } from './output.ts';

export interface TextFile {
  /** Resolves when the text was taken; rejects when it could not be written. */
  write(text: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * A new file that only its owner can read, as it holds what people trusted us with. `option` is what named it.
 * @throws ServiceError `usage` when it cannot be opened or written.
 */
export async function openTextFile(path: string, option: string): Promise<TextFile> {
  const stream = createWriteStream(path, { mode: 0o600 });
  const refuse = (error: unknown): ServiceError =>
    new ServiceError('usage', `${option}: cannot write ${safe(path)}: ${safe((error as Error).message)}`);
  await new Promise<void>((resolve, reject) => {
    stream.once('open', () => resolve());
    stream.once('error', (error) => reject(refuse(error)));
  });
  // Each write tells of its own failure; without a listener the event would end the process.
  stream.on('error', () => {});
  return {
    write: (text) =>
      new Promise((resolve, reject) => {
        stream.write(text, (error) => (error ? reject(refuse(error)) : resolve()));
      }),
    async close() {
      stream.end();
      await finished(stream).catch((error: unknown) => {
        throw refuse(error);
      });
    },
  };
}
