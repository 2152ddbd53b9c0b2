/** A report in words, for the terminal and the page alike. */
import type { Report, StageLine } from '../../domain/report.ts';
import { instantLabel, stepWords, type Timeline } from '../../domain/timeline.ts';
import { errorWords } from '../../domain/words.ts';
import { percent } from '../drawing.ts';
import { count, distance, plural, safe } from '../output.ts';

/** 2026-01-05 09:00:30 UTC. */
export const instant = (at: Date): string => `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`;

const unstarted = new Set(['draft', 'pending', 'scheduled']);

/** What the whole comes to. */
export function headline({ campaign, conversations, messages, latency, rates }: Report): string {
  const { status, startAt, startedAt, error } = campaign;
  if (startedAt === undefined) {
    if (status === 'failed') return 'It did not start: it is not valid as it was written.';
    if (unstarted.has(status) && startAt !== undefined) return `It has not started; it starts at ${instant(startAt)}.`;
    return error === undefined ? 'It has not started: nothing was sent.' : 'It did not start: nothing was sent.';
  }
  if (conversations.total === 0) return 'Nobody was written to: no contact entered it.';
  const people = plural(conversations.total, 'contact');
  const replied =
    conversations.replied === 0 ? `none of ${people} has replied` : `${percent(rates.replied)} of ${people} replied`;
  const first = latency.firstTry;
  const quick = first === undefined ? '' : `; half of the first tries left within ${length(first.p50Ms)} of being due`;
  return `${plural(messages.sent, 'message')} sent; ${replied}${quick}.`;
}

/** How it stands, with the reason where there is one. */
export function statusWords({ campaign }: Report): string {
  const { status, endReason, pausedReason } = campaign;
  if (status === 'completed' && endReason === 'campaign_ended') return 'completed at its end (endAt)';
  if (status === 'paused' && pausedReason !== undefined) return `paused by the service (${safe(pausedReason)})`;
  if (status === 'deleted') return campaign.runStatus === 'completed' ? 'completed, then deleted' : 'deleted';
  return safe(status);
}

export function problemWords({ campaign }: Report): string | undefined {
  const { error } = campaign;
  if (error === undefined) return undefined;
  const path = error.path === undefined || error.path === '' ? '' : ` at ${error.path}`;
  return safe(`${errorWords({ code: `${error.code}${path}`, message: error.message })}`);
}

/** From when to when, and how long that is. */
export function periodWords({ campaign, duration, asOf }: Report): string | undefined {
  const { startedAt, completedAt } = campaign;
  if (startedAt === undefined || duration === undefined) return undefined;
  const took = `${length(duration.totalMs)}${pausesWords(duration)}`;
  return completedAt === undefined
    ? `started ${instant(startedAt)}, ${took} so far (as of ${instant(asOf)})`
    : `${instant(startedAt)} to ${instant(completedAt)}, ${took}`;
}

function pausesWords({ pausedMs, pauses, olderPauses }: NonNullable<Report['duration']>): string {
  if (pauses === 0) return '';
  const most = `${length(pausedMs)} of it in ${plural(pauses, 'pause')}`;
  return olderPauses ? `, at least ${most} (older ones are not kept)` : `, ${most}`;
}

export function audienceWords({ audience, conversations, campaign }: Report): string | undefined {
  if (campaign.startedAt === undefined) return undefined;
  const reading = audience.done ? '' : ', its audience is still being read';
  const left = audience.leftOut.map(({ words, count: many }) => `${count(many)} left out: ${safe(words)}`);
  return `${[`${plural(conversations.total, 'contact')} entered${reading}`, ...left].join('; ')}`;
}

/** What is to be thought of the figures. */
export function readingWords({ consistency, asOf, checked, campaign }: Report): string {
  const when = {
    snapshot: `all figures are of one moment, ${instant(asOf)}`,
    ended: 'the campaign had ended when it was read',
    parts: `read over some minutes from ${instant(asOf)} on, while it ran: sums may differ a little`,
  }[consistency];
  const settled = campaign.startedAt === undefined || checked === undefined;
  const proof =
    settled || checked.differences.length > 0
      ? ''
      : `; ${count(checked.figures)} figures counted from the documents equal the counters`;
  return `${when}${proof}`;
}

/** Undefined when counters and documents agree. */
export function differenceWords({ checked }: Report): string | undefined {
  const differences = checked?.differences ?? [];
  if (differences.length === 0) return undefined;
  const shown = differences
    .slice(0, 5)
    .map(({ figure, counted, told }) => `${safe(figure)}: ${count(counted)} counted, the counters say ${count(told)}`);
  const more = differences.length > shown.length ? `; and ${count(differences.length - shown.length)} more` : '';
  return `the counters differ from the documents, see \`communication-base audit\`: ${shown.join('; ')}${more}`;
}

/** With a capital letter at its begin. */
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

export const length = (ms: number): string => distance(ms);

/** "under 10 ms", "10 ms to 20 ms", "30 d and more". */
export function binWords({ fromMs, toMs }: { fromMs: number; toMs?: number }): string {
  if (toMs === undefined) return `${short(fromMs)} and more`;
  return fromMs === 0 ? `under ${short(toMs)}` : `${short(fromMs)} to ${short(toMs)}`;
}

const units: readonly (readonly [number, string])[] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1000, 's'],
];

/** A limit of a bin: whole numbers of one unit. */
export function short(ms: number): string {
  const [size, unit] = units.find(([size]) => ms >= size) ?? [1, 'ms'];
  return `${ms / size} ${unit}`;
}

/** "per minute, UTC, 2026-01-05": the day where all lies in one. */
export function timelineWords({ stepMs, buckets }: Timeline): string {
  const day = oneDay(buckets);
  return `per ${stepWords(stepMs)}, UTC${day === undefined ? '' : `, ${day}`}`;
}

/** Labels of the buckets, without the day where all lies in one. */
export function bucketLabel({ stepMs, buckets }: Timeline, at: Date): string {
  const label = instantLabel(at, stepMs);
  return oneDay(buckets) === undefined || !label.includes(' ') ? label : (label.split(' ')[1] as string);
}

function oneDay(buckets: Timeline['buckets']): string | undefined {
  const days = new Set(buckets.map(({ at }) => at.toISOString().slice(0, 10)));
  return days.size === 1 ? [...days][0] : undefined;
}

/** How many of its messages were sent; a stage that sends none has a dash. */
export const sentWords = ({ type, ...line }: StageLine, name: 'sent' | 'followUps' | 'skipped'): string =>
  type !== undefined && type !== 'message' && line[name] === 0 ? '–' : count(line[name]);
