/** What `resume` says before it does anything. */
import { delayWords } from '../../domain/delays.ts';
import type { Run } from '../../domain/model.ts';
import type { Fate } from '../../domain/outlook.ts';
import { count, distance, type Output, plural, safe } from '../output.ts';
import type { CampaignOutlook } from './outlook.ts';

const fateWords: Readonly<Record<Fate, string>> = {
  sent: 'sent to at once',
  expired: 'expired: too late, they leave the campaign (schedule.late)',
  skipped: 'skipped: this message is left out',
  failed: 'failed: it cannot be written to them',
  held: 'held',
  later: 'nothing to send now: they wait for something else, move on or end',
  unreadable: 'cannot be decided about',
};

/** Since its start, without its pauses; undefined where that is too little to tell. */
export function ratePerSecond({
  startedAt,
  pauses = [],
  metrics,
}: Pick<Run, 'startedAt' | 'pauses' | 'metrics'>): number | undefined {
  const sent = metrics?.messages.sent ?? 0;
  const end = pauses.at(-1)?.from.getTime();
  if (startedAt === undefined || end === undefined || sent < 100) return undefined;
  const paused = pauses.reduce((sum, { from, until }) => sum + (until ? until.getTime() - from.getTime() : 0), 0);
  const ms = end - startedAt.getTime() - paused;
  return ms < 1000 ? undefined : (sent / ms) * 1000;
}

export function outlookLines(outlook: CampaignOutlook & { rate?: number; takesMs?: number }, out: Output): string[] {
  const { due, looked, unknownChannels, rate, takesMs } = outlook;
  const { color } = out;
  if (due === 0) return ['nothing came due while it was paused'];
  const lines = [`${plural(due, 'conversation')} ${due === 1 ? 'is' : 'are'} due, and would be`];
  const width = count(due).length;
  for (const [fate, many] of Object.entries(outlook.fates) as [Fate, number][])
    if (many > 0) lines.push(`  ${count(many).padStart(width)}  ${fateWords[fate]}${more(fate, outlook)}`);
  if (rate !== undefined && takesMs !== undefined && outlook.fates.sent > 0)
    lines.push(`sending takes about ${distance(takesMs)} at ${rateWords(rate)}, as it was so far`);
  lines.push(
    looked < due
      ? color.yellow(`estimated from a sample of ${count(looked)}; --exact looks at all of them`)
      : color.dim(`decided for each of them, as a worker would now`),
  );
  if (unknownChannels.length > 0)
    lines.push(
      color.yellow(
        `not configured here, so that a worker may decide otherwise: ${unknownChannels.map(safe).join(', ')}`,
      ),
    );
  return lines;
}

function more(fate: Fate, { details, heldUntil }: CampaignOutlook): string {
  // the most frequent first, those of a number by name
  const found = Object.entries(details[fate]).toSorted(([a, many], [b, more]) => more - many || (a < b ? -1 : 1));
  const shown = found.map(([detail, many]) => `${safe(fate === 'held' ? heldWords(detail) : detail)} ${count(many)}`);
  const until = fate === 'held' && heldUntil ? `, ${spanWords(heldUntil)}` : '';
  return fate === 'expired' ? '' : ` (${shown.join(' · ')})${until}`;
}

const heldWords = (why: string): string =>
  Object.hasOwn(delayWords, why) ? delayWords[why as keyof typeof delayWords] : why;

function spanWords({ first, last }: { first: number; last: number }): string {
  const iso = (at: number): string => new Date(at).toISOString();
  return first === last ? `until ${iso(first)}` : `the first until ${iso(first)}, the last until ${iso(last)}`;
}

const rateWords = (rate: number): string =>
  rate >= 1 ? `${count(Math.round(rate))} messages a second` : `${count(Math.round(rate * 60))} messages a minute`;
