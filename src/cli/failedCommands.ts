/** `failed`: what gave up, and another try of it. */
import type { Command } from 'commander';
import type { Run } from './commandLine.ts';

export function addFailed(program: Command, run: Run): void {
  const failed = program
    .command('failed')
    .description('what gave up: messages, conversations, events and documents; see it, and give messages another try');
  const filtered = (command: Command): Command =>
    command
      .option('--campaign <id>', 'of this campaign only')
      .option('--code <code>', 'with this code only, as `failed list` shows it')
      .option(
        '--since <when>',
        'since a date (2026-05-01T08:00Z), or for so long (PT6H): messages by when they were decided',
      );
  filtered(
    failed.command('list').description('what gave up, by campaign and code; reads only, and little of it'),
  ).action((options, command) =>
    run(command, async (context) => (await import('./conversations/failedList.ts')).failedList(options, context)),
  );
  failed
    .command('show')
    .description('one of them whole, with its story and why: 1 when there is none')
    .argument('<id>', 'of a message, a conversation, an inbound event or a dead letter')
    .action((id, _, command) =>
      run(command, async (context) => (await import('./conversations/failedShow.ts')).failedShow({ id }, context)),
    );
  filtered(
    failed
      .command('replay')
      .description('give messages that gave up another try, with the key and the bytes they had; says first which')
      .argument('[campaign]', 'the same as --campaign'),
  )
    .option('--message <id>', 'this one only')
    .option('--new-key', 'send them anew, as messages of their own: a provider that took one of them takes it again')
    .option('--uncertain', 'with the same key also what may have arrived on a channel that delivers at most once')
    .option('--dry-run', 'only say it')
    .option('--yes', 'do not ask; needed where nobody is there to answer')
    .action((campaign, options, command) =>
      run(command, async (context) =>
        (await import('./conversations/failedReplay.ts')).failedReplay(
          campaign === undefined ? options : { campaign, ...options },
          context,
        ),
      ),
    );
}
