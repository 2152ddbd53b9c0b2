/** The state of a campaign in one line, for a pipe; and when there is a new one to say. Pure. */
import { percent } from '../drawing.ts';
import { instant } from '../loose.ts';
import { count, distance } from '../output.ts';
import type { Snapshot } from './watchModel.ts';
import { many, rateWords } from './watchSections.ts';

export function progressLine(snapshot: Snapshot): string {
  const { at, status, metrics, pending, rates, due, estimate, delays, expansion } = snapshot;
  const { sent, failed, uncertain } = metrics.messages;
  const ended = metrics.total - metrics.active;
  const some = (value: number, word: string): string[] => (value > 0 ? [`${word} ${count(value)}`] : []);
  const parts = [
    `${status} ${percent(ended, metrics.total)}`,
    `${count(ended)} of ${count(metrics.total)} ended`,
    ...(expansion.done || expansion.open || metrics.total === 0 ? [] : ['still reading the audience']),
    `sent ${count(sent)}${rates.sent === undefined ? '' : ` (${rateWords(rates.sent)})`}`,
    ...some(failed, 'failed'),
    ...some(uncertain, 'uncertain'),
    ...some(pending, 'pending'),
    ...(due !== undefined && due.now.count > 0 ? [`due ${many(due.now)}`] : []),
    ...(estimate.kind === 'in' ? [`end in about ${distance(estimate.ms)}`] : []),
    ...(due?.next !== undefined && due.now.count === 0 && due.next > at ? [`next due ${instant(due.next)}`] : []),
    ...delays.slice(0, 2).map(({ text, stops }) => `${stops ? 'stopped' : 'delayed'}: ${text}`),
  ];
  return `${instant(at)} ${parts.join(' · ')}`;
}

/** The same as long as nothing changed that is worth a line: times and rates that only go on are not. */
export function changeKey({ status, over, metrics, pending, rates, expansion, delays, error }: Snapshot): string {
  const { updatedAt: _, ...figures } = metrics;
  const moves = (rates.sent ?? 0) > 0;
  return JSON.stringify([status, over, figures, pending, moves, expansion, delays.map(({ code }) => code), error]);
}

/** How it ended, in one sentence. */
export function endSentence({ campaign, status, over, error, metrics, endedByDate }: Snapshot): string {
  const why =
    error === undefined
      ? ''
      : `: ${error.code}${error.path === undefined ? '' : ` at ${error.path}`}: ${error.message}`;
  const left =
    over || metrics.active === 0
      ? ''
      : `; ${count(metrics.active)} conversations are still active, and nothing ends them`;
  if (status === 'deleted') return `${campaign} was deleted, which counts as cancelled${left}`;
  if (status === 'completed') return `${campaign} is completed${endedByDate ? ': its end (endAt) came' : ''}`;
  return `${campaign} is ${status}${why}${left}`;
}
