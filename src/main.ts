/** argv to a command; signals, exit codes. Everything heavy is loaded by the command that needs it. */
import { constants } from 'node:os';
import { runCommandLine } from './cli/program.ts';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

let interrupted = false;

/** As PID 1 of a container a process is spared what a signal does by itself (kill(2)): without this no command would end by one. */
const leave = (signal: NodeJS.Signals): void => process.exit(128 + constants.signals[signal]);
if (process.pid === 1) for (const signal of signals) process.on(signal, leave);

/** The first signal asks to stop; a second one, half a second later or more, does not wait. */
function interruptible(): AbortSignal {
  const controller = new AbortController();
  let asked: number | undefined;
  for (const signal of signals) {
    process.off(signal, leave);
    process.on(signal, () => {
      if (asked === undefined) asked = performance.now();
      // npm passes a Ctrl-C on that the terminal has sent already: two within a moment are one.
      else if (performance.now() - asked > 500) process.exit(130);
      interrupted = true;
      controller.abort(signal);
    });
  }
  return controller.signal;
}

// A reader that went away (`| head`), or a terminal that was closed, is no error of ours.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
  });

const code = await runCommandLine(process.argv.slice(2), {
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: () => process.stdin,
  interruptible,
});
process.exitCode = code;
// A command that was interrupted has cleaned up; what it abandoned (a download, a connection attempt) is not waited for.
if (interrupted) process.exit();
