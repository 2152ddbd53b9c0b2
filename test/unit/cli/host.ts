import type { Context } from '../../../src/cli/context.ts';
import { createOutput, type Environment, type Sink } from '../../../src/cli/output.ts';
import { type Host, runCommandLine } from '../../../src/cli/program.ts';

/** A stream that keeps what is written. */
export class Recorder implements Sink {
  text = '';
  isTTY: boolean;
  columns = 80;
  constructor(isTTY = false) {
    this.isTTY = isTTY;
  }
  write(text: string, done?: (error?: Error | null) => void): boolean {
    this.text += text;
    done?.();
    return true;
  }
}

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
  /** stdout as the JSON document it is. */
  json(): Record<string, unknown>;
}

/** One command line, as `main.ts` runs it. */
export async function run(argv: string[], env: Environment = {}, tty = false): Promise<Ran> {
  const stdout = new Recorder(tty);
  const stderr = new Recorder(tty);
  const host: Host = { env, stdout, stderr, interruptible: () => new AbortController().signal };
  const code = await runCommandLine(argv, host);
  return {
    code,
    stdout: stdout.text,
    stderr: stderr.text,
    json: () => JSON.parse(stdout.text) as Record<string, unknown>,
  };
}

/** What a command called as a function gets. */
export function context(
  env: Environment = {},
  options: { tty?: boolean; json?: boolean } = {},
): Context & { stdout: Recorder } {
  const stdout = new Recorder(options.tty);
  const out = createOutput({ stdout, stderr: new Recorder(), env, json: options.json ?? false });
  return { env, out, signal: new AbortController().signal, stdout };
}
