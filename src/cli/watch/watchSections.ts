/** The parts of the live view, each as lines of at most `width` cells. Pure. */
import { type Count, waiting } from '../../domain/progress.ts';
import { bar, clock, paint, percent, type Segment, segments, sparkline } from '../drawing.ts';
import { instant } from '../loose.ts';
import { type Colors, count, distance, fitTo, pad, plural, visibleLength } from '../output.ts';
import type { Snapshot } from './watchModel.ts';

const labelWidth = 11;

export const label = (text: string, color: Colors): string => color.dim(pad(text, labelWidth));

export const many = ({ count: value, more }: Count): string => `${count(value)}${more ? '+' : ''}`;

/** 1,240/s, 0.4/s, 2/min, 36/h: what is not nothing never reads as 0. */
export function rateWords(rate: number): string {
  if (rate <= 0 || rate >= 10) return `${count(Math.round(rate))}/s`;
  if (rate >= 0.1) return `${rate.toFixed(1)}/s`;
  return rate * 60 >= 1 ? `${Math.round(rate * 60)}/min` : `${Math.max(1, Math.round(rate * 3600))}/h`;
}

export function statusWords(status: string, color: Colors): string {
  if (status === 'completed') return color.green(status);
  if (status === 'failed') return color.red(status);
  return ['paused', 'cancelled', 'deleted'].includes(status) ? color.yellow(status) : color.bold(status);
}

const sinceStart = ({ at, startedAt, completedAt }: Snapshot): string =>
  startedAt === undefined ? '' : clock((completedAt ?? at).getTime() - startedAt.getTime());

export function title(snapshot: Snapshot, width: number, color: Colors): string {
  const { campaign, name, status } = snapshot;
  const right = [statusWords(status, color), sinceStart(snapshot)].filter((text) => text !== '').join('  ');
  const room = width - visibleLength(right) - 2;
  if (room < 4) return fitTo(right, width);
  const left = `${color.bold(campaign)}${name === undefined ? '' : `  ${name}`}`;
  return `${pad(fitTo(left, room), room)}  ${right}`;
}

/** Of what is to come: the audience where its size is known, else the conversations there are. */
const whole = ({ metrics: { total }, expansion: { of, done, skipped } }: Snapshot): number => {
  const left = Object.values(skipped).reduce((sum, value) => sum + value, 0);
  return done || of === undefined ? total : Math.max(total, of - left);
};

export function progress(snapshot: Snapshot, width: number, color: Colors): string[] {
  const { metrics, expansion } = snapshot;
  const total = whole(snapshot);
  const ended = metrics.total - metrics.active;
  const about = expansion.done || expansion.of === undefined ? '' : 'about ';
  const right =
    total === 0 ? 'no conversations yet' : `${percent(ended, total)}  ${count(ended)} of ${about}${count(total)} ended`;
  const barWidth = Math.min(100, width - visibleLength(right) - 2);
  const drawn = barWidth < 8 ? '' : `${bar(metrics, total, barWidth, color)}  `;
  return [drawn + right];
}

export function outcomes({ metrics, started }: Snapshot, color: Colors): string[] {
  if (!started) return [];
  const shown = segments
    .map((segment): [Segment, number] => [segment, metrics[segment]])
    .filter(([segment, value]) => value > 0 || segment === 'active' || segment === 'completed')
    .map(([segment, value]) => paint(color, segment, `${segment} ${count(value)}`));
  const words = Object.entries(metrics.outcomes)
    .filter(([, value]) => value > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([word, value]) => `${word} ${count(value)}`);
  return [
    label('outcomes', color) + shown.join(' · '),
    ...(words.length > 0 ? [label('', color) + words.join(' · ')] : []),
  ];
}

const openWords = {
  enrollments: 'enrollments are taken',
  occurrences: 'each occurrence is a campaign of its own',
  live: 'who joins later enters, too',
} as const;

export function audience({ expansion, rates, started }: Snapshot, color: Colors): string[] {
  if (!started) return [];
  const { expanded, skipped, done, of, open } = expansion;
  const left = Object.entries(skipped).filter(([, value]) => value > 0);
  if (done && left.length === 0) return [];
  const out = left.length > 0 ? `, left out: ${left.map(([why, value]) => `${count(value)} ${why}`).join(', ')}` : '';
  const pace = rates.entered !== undefined && rates.entered > 0 ? `, ${rateWords(rates.entered)}` : '';
  const size = of === undefined ? ', its size is not known' : ` of about ${count(of)}`;
  const reading = open ? `${pace}: ${openWords[open]}` : `${size}${pace}: still reading`;
  const going = done ? '' : reading;
  return [`${label('audience', color)}${plural(expanded, 'contact')} entered${going}${out}`];
}

export function messages(snapshot: Snapshot, width: number, color: Colors): string[] {
  const { metrics, pending, rates, sentRates, started, over } = snapshot;
  if (!started) return [];
  const { sent, followUps, failed, uncertain, skipped, delivered, bounced, complained } = metrics.messages;
  const others: [string, number][] = [
    ['follow-ups', followUps],
    ['failed', failed],
    ['uncertain', uncertain],
    ['skipped', skipped],
    ['delivered', delivered],
    ['bounced', bounced],
    ['complained', complained],
    ['pending', pending],
  ];
  const shown = others.filter(([, value]) => value > 0).map(([word, value]) => `${word} ${count(value)}`);
  const parts = [`sent ${count(sent)}`, ...shown, `replied ${count(metrics.replied)}`];
  const rate = rates.sent === undefined ? 'not measured yet' : rateWords(rates.sent);
  const room = Math.max(0, Math.min(60, width - labelWidth - visibleLength(rate) - 2));
  const counts = label('messages', color) + parts.join(' · ');
  if (over) return [counts];
  return [counts, `${label('rate', color)}${color.bold(rate)}  ${color.cyan(sparkline(sentRates, room))}`];
}

const spanWords = (ms: number): string =>
  ms <= 60_000 ? 'within a minute' : ms <= 3_600_000 ? 'within an hour' : ms <= 86_400_000 ? 'within a day' : 'later';

export function due(snapshot: Snapshot, color: Colors): string[] {
  const { due: counts, drainMs, at, over, started } = snapshot;
  if (over || !started) return [];
  if (counts === undefined) return [`${label('due', color)}not looked at yet`];
  const later = counts.later
    .filter(({ count: value }) => value > 0)
    .map((part) => `${many(part)} ${part.withinMs === undefined ? 'after a day' : spanWords(part.withinMs)}`);
  const drain =
    drainMs === undefined ? '' : `, away in ${counts.now.more ? 'more than' : 'about'} ${distance(drainMs)}`;
  const now = counts.now.count === 0 ? 'nothing now' : `${many(counts.now)} now${drain}`;
  return [
    `${label('due', color)}${[now, ...later].join(' · ')}`,
    ...(counts.next === undefined ? [] : [`${label('next', color)}${nextWords(counts, at)}`]),
  ];
}

/** The time alone where the day is today's; UTC as everything here. */
const moment = (at: Date, now: Date): string => {
  const text = instant(at);
  return text.slice(0, 10) === instant(now).slice(0, 10) ? `${text.slice(11, 19)} UTC` : text;
};

function nextWords({ next, nextIsBound }: NonNullable<Snapshot['due']>, at: Date): string {
  if (next === undefined) return 'nothing';
  const ms = next.getTime() - at.getTime();
  if (ms <= 1000) return 'any moment';
  const when = moment(next, at);
  return nextIsBound ? `in less than ${distance(ms)}, before ${when}` : `in ${distance(ms)}, at ${when}`;
}

export function end(snapshot: Snapshot, color: Colors): string[] {
  if (snapshot.over || !snapshot.started) return [];
  const until =
    snapshot.endAt === undefined ? '' : `; it ends at ${moment(snapshot.endAt, snapshot.at)} at the latest (endAt)`;
  return [`${label('end', color)}${estimateWords(snapshot)}${until}`];
}

/** What can honestly be said of the end. */
function estimateWords({ estimate, due: counts, metrics }: Snapshot): string {
  if (estimate.kind === 'in') return `in about ${distance(estimate.ms)} at the present rate`;
  switch (estimate.why) {
    case 'not_running':
      return 'no estimate while it does not run';
    case 'reading_audience':
      return 'no estimate while the audience is read';
    case 'not_measured':
      return 'no estimate yet';
    case 'waiting': {
      const all = counts === undefined ? { count: 0, more: false } : waiting(counts);
      // counted a moment before the active ones
      return `no estimate: ${many({ ...all, count: Math.min(all.count, metrics.active) })} of ${count(metrics.active)} active wait for their time`;
    }
    case 'going_on':
      return 'no estimate: who gets a message now goes on in the flow';
    case 'standing_still':
      return 'no estimate: nothing ends at present';
  }
}

export function delays({ delays: found, error, status }: Snapshot, color: Colors): string[] {
  const failure = error === undefined || found.some(({ text }) => text.includes(error.message)) ? [] : [error];
  const told = failure.map(
    ({ code, path, message }) => `${code}${path === undefined ? '' : ` at ${path}`}: ${message}`,
  );
  return [
    ...told.map((text) => label('error', color) + (status === 'failed' ? color.red(text) : color.yellow(text))),
    ...found.map(
      ({ text, stops }, index) =>
        label(index === 0 ? (stops ? 'stopped' : 'delayed') : '', color) +
        (stops ? color.red(text) : color.yellow(text)),
    ),
  ];
}
