/** The command line as a table: what there is, with which options, and which file does it (loaded when asked for). */
import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { Context, ExitCode } from './context.ts';
import { describeFailure } from './failure.ts';
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
const staying: ReadonlySet<string> = new Set(['worker', 'demo', 'export', 'report', 'watch']);

/** What a command returns after its parameters: a number, or never at all (it throws). */
type Action = (context: Context) => Promise<ExitCode | number>;

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

const wholeNumber =
  (least: number, most: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || value > most)
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    return value;
  };

/** Seconds from look to look. */
function interval(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0.2 && value <= 3600))
    throw new InvalidArgumentError('It must be a number of seconds from 0.2 to 3600.');
  return value;
}

type Run = (command: Command, action: Action) => Promise<void>;

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
  addExport(program, run);
  addEvents(program, run);
  addQuestions(program, run);
  return program;
}

const version = (): string => {
  const { version } = JSON.parse(readFileSync(new URL('package.json', packageRoot()), 'utf8')) as { version: string };
  return version;
};

function addService(program: Command, run: Run): void {
  program
    .command('worker')
    .description('run the service until it is stopped')
    .action((options, command) =>
      run(command, async (context) => (await import('./worker.ts')).worker(options, context)),
    );
  program
    .command('demo')
    .description(
      'see a campaign run on this machine in half a minute, with a database, two workers and a provider of its own',
    )
    .option('--contacts <n>', 'how many people to write to', wholeNumber(10, 200_000), 2000)
    .option('--keep', 'leave it running afterwards, to look around')
    .action((options, command) => run(command, async (context) => (await import('./demo.ts')).demo(options, context)));
  program
    .command('init')
    .description('make collections, indexes and partitions in the database; safe to repeat')
    .action((options, command) => run(command, async (context) => (await import('./setup.ts')).init(options, context)));
  program
    .command('config')
    .description('print every setting in force and where it came from, secrets masked')
    .action((options, command) =>
      run(command, async (context) => (await import('./setup.ts')).showConfig(options, context)),
    );
}

function addCampaigns(program: Command, run: Run): void {
  program
    .command('submit')
    .description('check a campaign and store it; it starts at once unless its status is "draft"')
    .argument('<file>', 'a JSON or YAML file, "-" for stdin')
    .option('--contacts <file>', 'its audience: CSV with a header, or JSON lines; "-" for stdin')
    .option('--collection <name>', 'where the contacts go; contacts_<campaign id> when absent')
    .option('--rejects <file>', 'keep the rows that were left out, as JSON lines')
    .option('--strict', 'do not store the campaign when a row was left out')
    .option('--prune', 'remove contacts of an earlier file that this one does not have')
    .action((file, options, command) =>
      run(command, async (context) => (await import('./submit.ts')).submit({ file, ...options }, context)),
    );
  program
    .command('validate')
    .description('say everything that is wrong with a campaign, each with its line; 1 if anything is')
    .argument('<file>', 'a JSON or YAML file, "-" for stdin')
    .option('--contacts <file>', 'look at its contacts too (CSV or JSON lines); nothing is written')
    .option('--rejects <file>', 'keep the rows that are wrong, as JSON lines')
    .action((file, options, command) =>
      run(command, async (context) => (await import('./submit.ts')).validate({ file, ...options }, context)),
    );
  program
    .command('status')
    .description('show one campaign in figures, or the newest ones')
    .argument('[campaign]', 'its id')
    .option('--limit <n>', 'how many to list', wholeNumber(1, 1000), 50)
    .action((campaign, { limit }, command) =>
      run(command, async (context) =>
        (await import('./status.ts')).status({ ...(campaign === undefined ? {} : { campaign }), limit }, context),
      ),
    );
  program
    .command('watch')
    .description(
      'watch a campaign live until it has ended; 1 when it ended otherwise than completed, or you stopped before',
    )
    .argument('<campaign>', 'its id')
    .option('--interval <seconds>', 'how often to look (default: 1 on a terminal, 2 in a pipe)', interval)
    .option('--wait', 'wait for a campaign that is not there yet')
    .action((campaign, options, command) =>
      run(command, async (context) => (await import('./watch.ts')).watch({ campaign, ...options }, context)),
    );
  const changes = {
    pause: 'stop sending; nobody is lost, timers keep their due times',
    resume: 'go on with a paused campaign; says first how many are overdue',
    cancel: 'end a campaign for good',
  } as const;
  for (const [name, description] of Object.entries(changes) as [keyof typeof changes, string][])
    program
      .command(name)
      .description(description)
      .argument('<campaign>', 'its id')
      .action((campaign, _, command) =>
        run(command, async (context) => (await import('./campaigns.ts'))[name]({ campaign }, context)),
      );
}

function addExport(program: Command, run: Run): void {
  program
    .command('export')
    .description('write the conversations of a campaign, or its messages, as CSV or JSON lines')
    .argument('<campaign>', 'its id')
    .addOption(new Option('--conversations', 'one row for each contact (default)').conflicts('messages'))
    .option('--messages', 'one row for each message')
    .addOption(
      new Option('--format <format>', 'csv unless --json or the name of --out says jsonl').choices(['csv', 'jsonl']),
    )
    .option('--out <file>', 'a file, whole or not there at all; standard output when absent or "-"')
    .option('--keep-formulas', 'CSV: leave text as it is that a spreadsheet would run')
    .action((campaign, options, command) =>
      run(command, async (context) => (await import('./export.ts')).exportCampaign({ campaign, ...options }, context)),
    );
}

function addEvents(program: Command, run: Run): void {
  program
    .command('event')
    .description('tell a conversation something, as any other service would: 1 when there is no such conversation')
    .argument('<conversation>', '<campaign id>:<contact id>')
    .requiredOption('--type <type>', 'reply, bounce, complaint, unsubscribe, … or a word of your own')
    .option('--text <text>', 'what was said')
    .option('--channel <name>', 'where it came from')
    .option('--id <id>', 'identity: the same id counts once; a new one when absent')
    .option('--data <json>', 'a JSON object with anything else')
    .option('--auto', 'an automatic answer, which is no reply (RFC 3834)')
    .option('--machine', 'made by a machine: moves nothing')
    .action((conversation, options, command) =>
      run(command, async (context) => (await import('./events.ts')).event({ conversation, ...options }, context)),
    );
}

function addQuestions(program: Command, run: Run): void {
  program
    .command('members')
    .description('show who works on what, and who is alive; 1 when a partition has no live owner')
    .action((options, command) =>
      run(command, async (context) => (await import('./members.ts')).members(options, context)),
    );
  program
    .command('audit')
    .description('prove from the stored documents that all is well, beside workers at work; 1 when anything is not')
    .argument('[campaign]', 'its id; all of them when absent')
    .option('--overdue <seconds>', 'what is due for longer counts as stuck', wholeNumber(1, 86_400), 60)
    .action((campaign, { overdue }, command) =>
      run(command, async (context) =>
        (await import('./audit.ts')).audit({ ...(campaign === undefined ? {} : { campaign }), overdue }, context),
      ),
    );
  program
    .command('report')
    .description('tell what came of a campaign, or how far it is: every figure of it; reads only')
    .argument('<campaign>', 'its id')
    .option('--html <file>', 'write one page to look at, send or print; "-" for stdout')
    .action((campaign, options, command) =>
      run(command, async (context) => (await import('./report.ts')).report({ campaign, ...options }, context)),
    );
  program
    .command('explain')
    .description('tell the whole story of a conversation, what comes next, and why it has not come yet')
    .argument('<conversation>', '<campaign id>:<contact id>')
    .action((conversation, _, command) =>
      run(command, async (context) => (await import('./explain.ts')).explain({ conversation }, context)),
    );
}
