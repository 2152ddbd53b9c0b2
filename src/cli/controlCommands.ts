/** Commands that hold sending, and let it go on. */
import type { Command } from 'commander';
import type { Run } from './commandLine.ts';

export function addControl(program: Command, run: Run): void {
  const commands = {
    'stop-all': ['stopAll', 'stop every send of every campaign, within a second; nobody is lost'],
    'start-all': ['startAll', 'let sending go on after stop-all'],
  } as const;
  for (const [name, [action, description]] of Object.entries(commands))
    program
      .command(name)
      .description(description)
      .option('--reason <text>', 'why, for everybody who looks')
      .action((options, command) =>
        run(command, async (context) => (await import('./service/control.ts'))[action](options, context)),
      );
}

export function addResume(program: Command, run: Run): void {
  program
    .command('resume')
    .description(
      'go on with a paused campaign; says first who would be sent to, skipped and expired, and how long it takes',
    )
    .argument('<campaign>', 'its id')
    .option('--dry-run', 'only say it; 1 when the campaign is not paused')
    .option('--exact', 'look at everybody who is due, however many; else at a sample of 20,000')
    .option('--yes', 'do not ask')
    .action((campaign, options, command) =>
      run(command, async (context) =>
        (await import('./campaigns/resume.ts')).resume({ campaign, ...options }, context),
      ),
    );
}
