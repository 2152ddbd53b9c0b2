/** Commands for campaigns: written, tried out, stored, watched, changed, written out. */
import { type Command, Option } from 'commander';
import { collect, interval, type Run, wholeNumber } from './commandLine.ts';

export function addCampaigns(program: Command, run: Run): void {
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
      run(command, async (context) => (await import('./campaigns/submit.ts')).submit({ file, ...options }, context)),
    );
  program
    .command('validate')
    .description('say everything that is wrong with a campaign, each with its line; 1 if anything is')
    .argument('<file>', 'a JSON or YAML file, "-" for stdin')
    .option('--contacts <file>', 'look at its contacts too (CSV or JSON lines); nothing is written')
    .option('--rejects <file>', 'keep the rows that are wrong, as JSON lines')
    .option('--strict', '1 if there is a warning, too')
    .action((file, options, command) =>
      run(command, async (context) => (await import('./author/validate.ts')).validate({ file, ...options }, context)),
    );
  addTryouts(program, run);
  program
    .command('status')
    .description('show one campaign in figures, or the newest ones')
    .argument('[campaign]', 'its id')
    .option('--limit <n>', 'how many to list', wholeNumber(1, 1000), 50)
    .action((campaign, { limit }, command) =>
      run(command, async (context) =>
        (await import('./campaigns/status.ts')).status(
          { ...(campaign === undefined ? {} : { campaign }), limit },
          context,
        ),
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
      run(command, async (context) => (await import('./watch/watch.ts')).watch({ campaign, ...options }, context)),
    );
  const changes = {
    pause: 'stop sending; nobody is lost, timers keep their due times',
    cancel: 'end a campaign for good',
  } as const;
  for (const [name, description] of Object.entries(changes) as [keyof typeof changes, string][])
    program
      .command(name)
      .description(description)
      .argument('<campaign>', 'its id')
      .action((campaign, _, command) =>
        run(command, async (context) => (await import('./campaigns/campaigns.ts'))[name]({ campaign }, context)),
      );
  program
    .command('migrate')
    .description(
      'let a running campaign go over to another version of its template; says first who goes over, and who stays',
    )
    .argument('<campaign>', 'its id')
    .requiredOption('--to <version>', 'the version', wholeNumber(1, 2 ** 31 - 1))
    .option('--dry-run', 'only say what would come of it')
    .action((campaign, options, command) =>
      run(command, async (context) =>
        (await import('./campaigns/migrate.ts')).migrate({ campaign, ...options }, context),
      ),
    );
}

function addTryouts(program: Command, run: Run): void {
  program
    .command('preview')
    .description('show every message of a campaign file as it would leave for one contact; 1 when one would not')
    .argument('<file>', 'a JSON or YAML file, "-" for stdin')
    .option('--contact <id>', 'for whom; the first one when absent')
    .option('--contacts <file>', 'where the contact is: CSV with a header, or JSON lines; else in the campaign')
    .option('--stage <id>', 'only the messages of this stage')
    .option('--step <n>', '0 for the message of a stage, n for its n-th follow-up', wholeNumber(0, 1000))
    .option('--locale <tag>', 'in this language, such as de-AT, instead of the contact’s own')
    .option('--html <file>', 'write one page with all of them; "-" for stdout')
    .option('--images', 'let that page load pictures from the web')
    .action((file, options, command) =>
      run(command, async (context) => (await import('./author/preview.ts')).preview({ file, ...options }, context)),
    );
  program
    .command('simulate')
    .description(
      'play a campaign file on a virtual clock: what leaves when, and who is left out; 1 when endAt cuts it off',
    )
    .argument('<file>', 'a JSON or YAML file, "-" for stdin')
    .option('--contacts <file>', 'its audience: CSV with a header, or JSON lines; "-" for stdin')
    .option('--start <date>', 'when it is submitted (default: now); it starts then, or at its startAt')
    .option('--until <date>', 'how far to look: a date, or a duration from the start (default: P1Y)')
    .option(
      '--replies <chance>',
      '"20% after P1D" of the contacts, "intro: 5% after PT2H" of a stage; several',
      collect,
    )
    .option('--bounces <chance>', 'the same of addresses that bounce', collect)
    .option('--failures <chance>', '"1%" of messages that the channel refuses', collect)
    .option('--retries <chance>', '"5%" of messages whose first try comes to nothing', collect)
    .option('--rate <channel=n>', 'as if the channel took n messages a second; several', collect)
    .option('--latency <ms>', 'how long a channel takes to answer', wholeNumber(0, 600_000), 100)
    .option('--seed <n>', 'another seed, other people who reply', wholeNumber(0, 2 ** 31 - 1), 1)
    .action((file, options, command) =>
      run(command, async (context) => (await import('./author/simulate.ts')).simulate({ file, ...options }, context)),
    );
}

export function addExport(program: Command, run: Run): void {
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
      run(command, async (context) =>
        (await import('./campaigns/export.ts')).exportCampaign({ campaign, ...options }, context),
      ),
    );
}
