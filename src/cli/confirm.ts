/** A question that a person answers with one key. */
import type { Sink } from './output.ts';
import type { KeySource } from './screen.ts';

/** True for `y`. Without a keyboard nobody is there to answer, and it goes on: true. */
export function confirm(question: string, stdout: Sink, keyboard: KeySource | undefined): Promise<boolean> {
  if (keyboard?.isTTY !== true || keyboard.setRawMode === undefined) return Promise.resolve(true);
  stdout.write(`${question} [y/N] `);
  return new Promise((resolve) => {
    const listen = (data: unknown): void => {
      keyboard.off('data', listen);
      keyboard.setRawMode?.(false);
      keyboard.pause();
      const yes = /^y/i.test(String(data));
      stdout.write(`${yes ? 'y' : 'n'}\n`);
      resolve(yes);
    };
    keyboard.setRawMode?.(true);
    keyboard.on('data', listen);
    keyboard.resume();
  });
}
