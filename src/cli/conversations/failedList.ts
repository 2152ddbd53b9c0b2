/** `failed list`: what gave up, by campaign and code. */
import { serverTime } from '../../mongo/client.ts';
import { type FailedGroup, FailedReader, failedKinds, usualBounds } from '../../mongo/failedReader.ts';
import type { Context, ExitCode } from '../context.ts';
import { showId, withDatabase } from '../database.ts';
import { count, type Output, safe } from '../output.ts';
import { type FailedParams, filterOf, kindWords } from './failedScope.ts';

/** Prints each group with its count, its newest and one id; 0 also when there is none. */
export const failedList = (params: FailedParams, context: Context): Promise<ExitCode> =>
  withDatabase(context, async (database): Promise<ExitCode> => {
    const { out } = context;
    const filter = await filterOf(database, params, (await serverTime(database.db)).getTime());
    const reader = new FailedReader(database.db);
    const read = await Promise.all(failedKinds.map((kind) => reader.groups(kind, filter)));
    const groups = read.flatMap((one) => one.groups);
    const cut = failedKinds.filter((_, index) => read[index]?.more);
    out.value({ groups, cut, bounds: usualBounds });
    show(groups, out);
    for (const kind of cut)
      out.line(
        out.color.yellow(`${kindWords[kind]}: more than ${usualBounds.groups} groups; name a --campaign or a --code`),
      );
    return 0;
  });

function show(groups: readonly FailedGroup[], out: Output): void {
  if (groups.length === 0) {
    out.line('nothing gave up');
    return;
  }
  out.table(
    ['what', 'campaign', 'code', 'count', 'newest', 'one of them'],
    groups.map(({ kind, campaignId, channel, code, count: many, isCut, newest, example }) => [
      kindWords[kind],
      campaignId === undefined ? (channel === undefined ? '-' : `channel ${safe(channel)}`) : showId(campaignId),
      safe(code ?? '-'),
      `${count(many)}${isCut ? '+' : ''}`,
      newest?.toISOString() ?? '-',
      showId(example),
    ]),
    ['left', 'left', 'left', 'right', 'left', 'left'],
  );
  if (groups.some(({ isCut }) => isCut))
    out.line(
      `+ there are more: ${count(usualBounds.counted)} of a group are counted at most, fewer where there is much else`,
    );
}
