/** Commands for the service itself, for single conversations and contacts, and for questions. */
import type { Command } from 'commander';
import { type Run, wholeNumber } from './commandLine.ts';

export function addService(program: Command, run: Run): void {
  program
    .command('worker')
    .description('run the service until it is stopped')
    .action((options, command) =>
      run(command, async (context) => (await import('./service/worker.ts')).worker(options, context)),
    );
  program
    .command('demo')
    .description(
      'see a campaign run on this machine in half a minute, with a database, two workers and a provider of its own',
    )
    .option('--contacts <n>', 'how many people to write to', wholeNumber(10, 200_000), 2000)
    .option('--keep', 'leave it running afterwards, to look around')
    .action((options, command) =>
      run(command, async (context) => (await import('./demo/demo.ts')).demo(options, context)),
    );
  program
    .command('init')
    .description('make collections, indexes and partitions in the database; safe to repeat')
    .action((options, command) =>
      run(command, async (context) => (await import('./service/setup.ts')).init(options, context)),
    );
  program
    .command('doctor')
    .description(
      'check settings, MongoDB, rights, workers and channels, and say how to mend what is wrong; 1 when anything fails',
    )
    .action((options, command) =>
      run(command, async (context) => (await import('./doctor/doctor.ts')).doctor(options, context)),
    );
  program
    .command('config')
    .description('print every setting in force and where it came from, secrets masked')
    .action((options, command) =>
      run(command, async (context) => (await import('./service/setup.ts')).showConfig(options, context)),
    );
}

export function addEvents(program: Command, run: Run): void {
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
      run(command, async (context) =>
        (await import('./conversations/events.ts')).event({ conversation, ...options }, context),
      ),
    );
}

export function addSuppress(program: Command, run: Run): void {
  program
    .command('suppress')
    .description('write to an address no more, whatever the campaign, from two seconds on')
    .argument('<address>', 'a mail address or a phone number, in any usual form')
    .option(
      '--channel <name...>',
      'by these channels only; all that are configured here for such addresses when absent',
    )
    .option('--topic <topic>', 'only about this topic', '*')
    .option('--lift', 'the opposite: it may be written to again; 1 when it was not suppressed')
    .action((address, options, command) =>
      run(command, async (context) =>
        (await import('./conversations/suppress.ts')).suppress({ address, ...options }, context),
      ),
    );
}

export function addQuestions(program: Command, run: Run): void {
  program
    .command('members')
    .description('show who works on what, and who is alive; 1 when a partition has no live owner')
    .action((options, command) =>
      run(command, async (context) => (await import('./service/members.ts')).members(options, context)),
    );
  program
    .command('audit')
    .description('prove from the stored documents that all is well, beside workers at work; 1 when anything is not')
    .argument('[campaign]', 'its id; all of them when absent')
    .option('--overdue <seconds>', 'what is due for longer counts as stuck', wholeNumber(1, 86_400), 60)
    .action((campaign, { overdue }, command) =>
      run(command, async (context) =>
        (await import('./audit/audit.ts')).audit({ ...(campaign === undefined ? {} : { campaign }), overdue }, context),
      ),
    );
  program
    .command('report')
    .description('tell what came of a campaign, or how far it is: every figure of it; reads only')
    .argument('<campaign>', 'its id')
    .option('--html <file>', 'write one page to look at, send or print; "-" for stdout')
    .action((campaign, options, command) =>
      run(command, async (context) => (await import('./report/report.ts')).report({ campaign, ...options }, context)),
    );
  program
    .command('explain')
    .description('tell the whole story of a conversation, what comes next, and why it has not come yet')
    .argument('<conversation>', '<campaign id>:<contact id>')
    .action((conversation, _, command) =>
      run(command, async (context) => (await import('./conversations/explain.ts')).explain({ conversation }, context)),
    );
}
