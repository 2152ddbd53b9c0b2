/** What the demo shows. Pure: figures in, lines out. */

import { bar, clock, paint, type Segment, segments, sparkline } from '../drawing.ts';
import { type Colors, count, pad, plural, span } from '../output.ts';
import type { Snapshot } from './demoFigures.ts';
import { stageOrder } from './demoScenario.ts';

const endings = (snapshot: Snapshot): [Segment, number][] =>
  segments
    .map((segment): [Segment, number] => [segment, snapshot.statuses[segment] ?? 0])
    .filter(([segment, value]) => value > 0 || segment === 'active' || segment === 'completed');

const places = (snapshot: Snapshot): [string, number][] =>
  stageOrder.map((stage): [string, number] => [stage, snapshot.stages[stage] ?? 0]).filter(([, value]) => value > 0);

function providerText({ down, unavailable, retrying, refused }: Snapshot): string {
  const wrong =
    refused > 0 ? `${count(refused)} unknown ${refused === 1 ? 'address' : 'addresses'}` : 'all addresses known so far';
  if (down) return `DOWN: ${count(unavailable)} tries got 503; ${count(retrying)} messages wait for another`;
  if (unavailable === 0) return wrong;
  const waiting = retrying === 0 ? 'all tried again' : `${count(retrying)} still to be tried again`;
  return `was down, ${count(unavailable)} tries got 503, ${waiting}; ${wrong}`;
}

/** The panel, redrawn in place; `rates` are those of the last looks, oldest first. */
export function renderPanel(snapshot: Snapshot, rates: readonly number[], width: number, color: Colors): string[] {
  const label = (text: string): string => color.dim(pad(text, 15));
  const barWidth = Math.max(10, Math.min(60, width - 25));
  return [
    '',
    `${label('time')}${color.bold(clock(snapshot.elapsedMs))}  campaign ${color.bold(snapshot.status)}`,
    `${label('conversations')}${bar(snapshot.statuses, snapshot.contacts, barWidth, color)} ${count(snapshot.contacts)}`,
    `${label('')}${endings(snapshot)
      .map(([segment, value]) => paint(color, segment, `${segment} ${count(value)}`))
      .join(' · ')}`,
    `${label('in stage')}${
      places(snapshot)
        .map(([stage, value]) => `${stage} ${count(value)}`)
        .join(' · ') || '-'
    }`,
    `${label('messages')}${count(snapshot.accepted)} at the provider, ${count(Math.round(snapshot.rate))}/s  ${color.cyan(sparkline(rates, 24))}`,
    `${label('replies')}${count(snapshot.replies)} pushed to inboxes`,
    `${label('provider')}${snapshot.down ? color.yellow(providerText(snapshot)) : providerText(snapshot)}`,
    `${label('workers')}${plural(snapshot.partitions.length, 'member')}, ${snapshot.partitions.map(count).join(' + ') || 'no'} partitions`,
    '',
  ];
}

/** The same in one line, for a pipe. */
export function renderProgress(snapshot: Snapshot): string {
  const parts = [
    endings(snapshot)
      .map(([segment, value]) => `${segment} ${count(value)}`)
      .join(', '),
    `${count(snapshot.accepted)} messages (${count(Math.round(snapshot.rate))}/s)`,
    plural(snapshot.replies, 'reply', 'replies'),
    ...(snapshot.down ? ['provider down (503)'] : []),
    ...(snapshot.retrying > 0 ? [`${count(snapshot.retrying)} to be tried again`] : []),
  ];
  return `${clock(snapshot.elapsedMs)}  ${parts.join(' · ')}`;
}

/** Said before anything happens. */
export const intro = (contacts: number, database: string, color: Colors): string[] => [
  `${color.bold('A messaging campaign, from start to end, on this machine.')} Nothing leaves it.`,
  `· What runs: ${database}, two workers, and a small HTTP provider that plays ${plural(contacts, 'person', 'people')}.`,
  '· The campaign: a welcome mail, two follow-ups while nobody answers, a pause, a text message; who replies gets a thank-you.',
  '· A day takes a second. Three in ten reply, one address in a hundred is wrong, and the provider breaks down once.',
  '· In about half a minute: how it ended for everybody, and whether each message arrived exactly once.',
];

export const duration = (ms: number | undefined): string => (ms === undefined ? '-' : span(Math.max(0, ms)));
