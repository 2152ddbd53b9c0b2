/** The command line: tables of commands (what there is, with which options, and which file does it, loaded when asked for), and how one is run. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addCampaigns, addExport } from './campaignCommands.ts';
import type { Action, Run } from './commandLine.ts';
import { addControl, addResume } from './controlCommands.ts';
import { addFailed } from './failedCommands.ts';
import { describeFailure } from './failure.ts';
import { addEvents, addQuestions, addService, addSuppress } from './otherCommands.ts';
import { createOutput, type Environment, type Sink } from './output.ts';
import { packageRoot } from './packageRoot.ts';
import type { KeySource } from './screen.ts';

export interface Host {
  env: Environment;
  stdout: Sink;
  stderr: Sink;
  /** Keys, for commands that fill the screen. */
  stdin?(): KeySource;
  /** Called by commands that stay: from then on SIGINT, SIGTERM and SIGHUP abort the signal instead of ending the process. */
  interruptible(): AbortSignal;
}

/** Commands that clean up when they are interrupted, or go on until something ends. */
const staying: ReadonlySet<string> = new Set(['worker', 'demo', 'export', 'report', 'watch', 'simulate']);

/** Runs one command line (without `node` and the script) and returns its exit code; never throws. */
export async function runCommandLine(argv: readonly string[], host: Host): Promise<number> {
  let code = 0;
  const run = async (command: Command, action: Action): Promise<void> => {
    const { json = false } = command.optsWithGlobals<{ json?: boolean }>();
    const out = createOutput({ stdout: host.stdout, stderr: host.stderr, env: host.env, json, stdin: host.stdin });
    const { contacts } = command.opts<{ contacts?: unknown }>();
    const stays = staying.has(command.name()) || (command.name() === 'submit' && contacts !== undefined);
    const signal = stays ? host.interruptible() : new AbortController().signal;
    try {
      code = await action({ env: host.env, out, signal });
    } catch (error) {
      const failure = describeFailure(error, host.env);
      out.endPanel();
      out.failure(failure);
      code = failure.exitCode;
    }
  };
  try {
    await build(host, run).parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : 2;
  }
  return code;
}

function build(host: Host, run: Run): Command {
  const program = new Command('communication-base')
    .description('Runs messaging campaigns from MongoDB collections: the collections are the API.')
    .version(version(), '-V, --version')
    .option('--json', 'print one JSON document (JSON lines where it streams)')
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(--help says what there is)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void host.stdout.write(text),
      writeErr: (text) => void host.stderr.write(text),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 the answer is no, 2 wrong use, 3 MongoDB out of reach, 130 interrupted before it was whole.\nSettings come from the environment; `config` prints them.',
    );
  addService(program, run);
  addCampaigns(program, run);
  addResume(program, run);
  addControl(program, run);
  addExport(program, run);
  addEvents(program, run);
  addSuppress(program, run);
  addQuestions(program, run);
  addFailed(program, run);
  return program;
}

const version = (): string => {
  const { version } = JSON.parse(readFileSync(new URL('package.json', packageRoot()), 'utf8')) as { version: string };
  return version;
};
