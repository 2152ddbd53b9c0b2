/**
 * `failed replay`: asks the conversations of messages that gave up for another try of them. Nothing of ours is written but
 * events to their inboxes, as any other service does; the members that own them decide, each exactly once.
 */
import { ServiceError } from '../../domain/errors.ts';
import type { Id } from '../../domain/model.ts';
import { gaveUp, type ReplayOptions } from '../../domain/replay.ts';
import { replayWord } from '../../domain/words.ts';
import { serverTime } from '../../mongo/client.ts';
import { type FailedGroup, FailedReader, type FailedRow } from '../../mongo/failedReader.ts';
import type { Context, ExitCode } from '../context.ts';
import { type Database, showId, withDatabase } from '../database.ts';
import { count, type Output, plural, safe } from '../output.ts';
import { silent, startProgress } from '../progress.ts';
import { type FailedParams, filterOf } from './failedScope.ts';
import { type Outcome, Replay } from './replayAsks.ts';

export interface FailedReplayParams extends FailedParams, ReplayOptions {
  message?: string;
  dryRun?: boolean;
  yes?: boolean;
}

/** Messages that are asked for at a time. */
const pageSize = 500;
/** Groups that one command goes through; the next one goes on with the others. */
const mostGroups = 1_000;
/** 1 when something was refused or waits, or the answer is no. */
export const failedReplay = (params: FailedReplayParams, context: Context): Promise<ExitCode> =>
  withDatabase(context, async (database): Promise<ExitCode> => {
    const { out } = context;
    const began = await serverTime(database.db);
    const filter = await filterOf(database, params, began.getTime());
    const { groups, more, rows } = await wanted(database, params, filter);
    const total = rows?.length ?? groups.reduce((sum, group) => sum + group.count, 0);
    const isCut = more || groups.some((group) => group.isCut);
    say(groups, rows, params, out);
    if (total === 0 || params.dryRun === true) {
      out.value({ asked: 0, found: total, isCut, groups });
      return 0;
    }
    if (!(await isMeant(`try ${isCut ? 'more than ' : ''}${plural(total, 'message')} again?`, params, out))) return 1;
    const replay = new Replay(database, params, began);
    const progress = out.json ? silent : startProgress({ sink: out.notes, what: 'messages', total: { rows: total } });
    try {
      for await (const page of pagesOf(database, groups, rows, filter.since)) {
        await replay.ask(page);
        progress.update({ rows: replay.done, bytes: 0 });
        if (replay.outcome.waiting > 0) break;
      }
    } finally {
      progress.stop();
    }
    return tell(replay.outcome, isCut, out);
  });

async function wanted(
  database: Database,
  { message }: FailedReplayParams,
  filter: Awaited<ReturnType<typeof filterOf>>,
): Promise<{ groups: FailedGroup[]; more: boolean; rows?: FailedRow[] }> {
  if (message !== undefined) {
    const found = await database.in.messages.findOne({ _id: message }, { projection: { content: 0 } });
    if (found === null) throw new ServiceError('not_found', `there is no message ${safe(message)}`);
    return { groups: [], more: false, rows: gaveUp(found) && found.replayedAs === undefined ? [found] : [] };
  }
  const reader = new FailedReader(database.db);
  const bounds = { groups: mostGroups, counted: 100_000 };
  const failed = await reader.groups('message_failed', filter, bounds);
  const uncertain = await reader.groups('message_uncertain', filter, bounds);
  return { groups: [...failed.groups, ...uncertain.groups], more: failed.more || uncertain.more };
}

async function* pagesOf(
  { db }: Database,
  groups: readonly FailedGroup[],
  rows: readonly FailedRow[] | undefined,
  since: Date | undefined,
): AsyncIterable<readonly FailedRow[]> {
  if (rows !== undefined) yield rows;
  const reader = new FailedReader(db);
  for (const group of groups)
    for (let after: FailedRow | undefined; ; ) {
      const page = await reader.page(group, since, after, pageSize);
      after = page.at(-1);
      if (after === undefined) break;
      yield page;
    }
}

/** Where nobody can be asked, `--yes` has to say it. */
async function isMeant(question: string, { yes }: FailedReplayParams, out: Output): Promise<boolean> {
  if (yes === true) return true;
  if (!out.tty)
    throw new ServiceError('usage', 'nobody is there to be asked: say --yes, or --dry-run to see what it would do');
  return out.confirm(question);
}

const others: Readonly<Record<string, string>> = {
  conversation_missing: 'its conversation is gone',
  message_missing: 'it is gone',
  not_needed: 'it arrived meanwhile',
};
const takesRisk = '; --uncertain or --new-key takes that risk';
const refusalOf = (why: string): string =>
  `${others[why] ?? safe(replayWord(why))}${why === 'may_have_left' ? takesRisk : ''}`;

function say(
  groups: readonly FailedGroup[],
  rows: readonly FailedRow[] | undefined,
  { newKey, uncertain }: FailedReplayParams,
  out: Output,
): void {
  if (groups.length === 0 && (rows?.length ?? 0) === 0) {
    out.line('no message gave up there');
    return;
  }
  for (const { _id, status } of rows ?? []) out.line(`${safe(_id)}  ${safe(status)}`);
  if (groups.length > 0)
    out.table(
      ['campaign', 'code', 'status', 'messages'],
      groups.map(({ kind, campaignId, code, count: many, isCut }) => [
        showId(campaignId as Id),
        safe(code ?? '-'),
        kind === 'message_failed' ? 'failed' : 'uncertain',
        `${count(many)}${isCut ? '+' : ''}`,
      ]),
      ['left', 'left', 'left', 'right'],
    );
  if (newKey) out.line('each is sent anew, with a key of its own: what did arrive arrives twice');
  else
    out.line(
      'each is tried again with its old key and bytes, once suppressions, windows, limits and its campaign are asked again',
    );
  if (uncertain && !newKey)
    out.line('also what may have arrived on channels that deliver at most once: that may arrive twice');
}

function tell(outcome: Outcome, isCut: boolean, out: Output): ExitCode {
  const { queued, refused, waiting } = outcome;
  out.value({ asked: queued + waiting + Object.values(refused).reduce((sum, one) => sum + one, 0), ...outcome, isCut });
  out.line(`${plural(queued, 'message')} queued`);
  for (const [why, many] of Object.entries(refused)) out.line(`${count(many)} refused: ${refusalOf(why)}`);
  if (waiting > 0)
    out.line(
      out.color.yellow(
        `${count(waiting)} asked for, and not decided yet: is a worker running? They are tried again when one is; ask again for the others`,
      ),
    );
  return waiting > 0 || Object.keys(refused).length > 0 ? 1 : 0;
}
