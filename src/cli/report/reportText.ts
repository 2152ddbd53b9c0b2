/** A report for people at a terminal, and for pipes. */
import type { Bin, Figures } from '../../domain/distribution.ts';
import type { Report } from '../../domain/report.ts';
import { type Block, type Row, showBlock, wrap } from '../blocks.ts';
import { showId } from '../database.ts';
import { percent } from '../drawing.ts';
import { count, type Output, safe } from '../output.ts';
import {
  audienceWords,
  binWords,
  bucketLabel,
  differenceWords,
  headline,
  length,
  periodWords,
  problemWords,
  readingWords,
  sentWords,
  statusWords,
  timelineWords,
} from './reportWords.ts';

export function showReport(report: Report, out: Output): void {
  showHead(report, out);
  if (report.campaign.startedAt !== undefined || report.conversations.total > 0)
    for (const block of blocks(report)) showBlock(block, out);
  showFoot(report, out);
}

const paints: Readonly<Record<string, NonNullable<Row['paint']>>> = {
  completed: 'green',
  failed: 'red',
  suppressed: 'yellow',
  cancelled: 'yellow',
  escalated: 'cyan',
  active: 'cyan',
};

function showHead(report: Report, out: Output): void {
  const { color } = out;
  const { id, name, status } = report.campaign;
  const title = name === undefined ? '' : `  ${safe(name)}`;
  const paint = color[status === 'paused' ? 'yellow' : (paints[status] ?? 'cyan')];
  out.line(`${color.bold(showId(id))}${title}  ${paint(statusWords(report))}`);
  for (const line of [periodWords(report), audienceWords(report)]) if (line !== undefined) say(line, out);
  const problem = problemWords(report);
  if (problem !== undefined) say(problem, out, color.red);
  say(headline(report), out);
}

function blocks(report: Report): Block[] {
  return [
    conversationsBlock(report),
    stagesBlock(report),
    splitsBlock(report),
    messagesBlock(report),
    timelineBlock(report),
    latencyBlock(report),
    histogramBlock('Due to sent, messages sent at the first try', report.latency.firstTry?.histogram),
    histogramBlock('Due to sent, messages that took more than one try', report.latency.retried?.histogram),
    notSentBlock(report),
    errorsBlock(report),
    repliesBlock(report),
    histogramBlock('Message to first reply', report.replies.delay?.histogram),
  ].filter((block) => block !== undefined);
}

function conversationsBlock({ conversations }: Report): Block {
  const { statuses, outcomes, total } = conversations;
  const rows = statuses.flatMap(({ status, count: many, share }): Row[] => [
    { cells: [safe(status), count(many), percent(share)], bar: share, paint: paints[status] ?? 'dim' },
    ...outcomes
      .filter((outcome) => outcome.status === status && outcome.outcome !== status)
      .map(({ outcome, count: many, share }): Row => ({ cells: [`  ${safe(outcome)}`, count(many), percent(share)] })),
  ]);
  return {
    title: 'Conversations',
    head: ['status, outcome', 'count', 'share'],
    rows: [...rows, { cells: ['total', count(total), ''] }],
  };
}

function stagesBlock({ funnel }: Report): Block {
  const most = Math.max(1, ...funnel.map(({ entered }) => entered));
  return {
    title: 'Stages',
    head: ['stage', 'entered', 'sent', 'follow-ups', 'replied', 'of entered'],
    rows: funnel.flatMap((line): Row[] => [
      {
        cells: [
          safe(line.stage),
          count(line.entered),
          sentWords(line, 'sent'),
          sentWords(line, 'followUps'),
          count(line.replied),
          line.replied > 0 ? percent(line.replyRate) : '',
        ],
        bar: line.entered / most,
      },
      ...line.variants.map(
        (variant): Row => ({
          cells: [`  ${safe(variant.variant)}`, '', count(variant.sent), count(variant.followUps), '', ''],
        }),
      ),
    ]),
  };
}

function splitsBlock({ splits }: Report): Block {
  return {
    title: 'Variants',
    head: ['split', 'variant', 'contacts', 'replied', 'share'],
    words: [0, 1],
    rows: splits.map(({ stage, variant, conversations, replied, replyRate }) => ({
      cells: [safe(stage), safe(variant), count(conversations), count(replied), percent(replyRate)],
      bar: replyRate,
      paint: 'green',
    })),
  };
}

/** What became of the messages; what there is none of is left out. */
export const messageWords = ({ messages }: Report): [string, number][] =>
  (
    [
      ['sent', messages.sent],
      ['  of them follow-ups', messages.followUps],
      ['  of them delivered', messages.delivered],
      ['  of them bounced', messages.bounced],
      ['failed', messages.failed],
      ['uncertain', messages.uncertain],
      ['skipped', messages.skipped],
      ['on their way, or to be tried again', messages.waiting],
    ] as [string, number][]
  ).filter(([name, many]) => many > 0 || name === 'sent');

function messagesBlock(report: Report): Block {
  return {
    title: 'Messages',
    head: ['', 'count'],
    rows: [
      ...messageWords(report).map(([name, many]): Row => ({ cells: [name, count(many)] })),
      ...(report.messages.sent > 0 ? [{ cells: ['sent, of all that were tried', percent(report.rates.sent)] }] : []),
    ],
  };
}

function timelineBlock({ shortTimeline: timeline }: Report): Block | undefined {
  if (timeline === undefined) return undefined;
  const { buckets, peak } = timeline;
  const rows = buckets.map(
    (bucket): Row => ({
      cells: [bucketLabel(timeline, bucket.at), count(bucket.sent), count(bucket.followUps), count(bucket.replied)],
      bar: peak.sent === 0 ? 0 : bucket.sent / peak.sent,
    }),
  );
  const note = timelineWords(timeline);
  return { title: 'Over time', note, head: ['from', 'sent', 'follow-ups', 'first replies'], rows };
}

const percentiles = ({ count: many, p50Ms, p90Ms, p99Ms, maxMs }: Figures): string[] => [
  count(many),
  ...[p50Ms, p90Ms, p99Ms, maxMs].map(length),
];
const percentileHead = ['messages', 'half within', '90 %', '99 %', 'longest'];

function latencyBlock({ latency }: Report): Block {
  const { firstTry, retried, unknown } = latency;
  return {
    title: 'Due to sent',
    note: 'without pauses',
    head: ['', ...percentileHead],
    rows: [
      ...(firstTry ? [{ cells: ['first try', ...percentiles(firstTry)] }] : []),
      ...(retried ? [{ cells: ['after more tries', ...percentiles(retried)] }] : []),
      ...(unknown > 0 ? [{ cells: ['time unknown', count(unknown), '', '', '', ''] }] : []),
    ],
  };
}

function histogramBlock(title: string, bins: readonly Bin[] | undefined): Block | undefined {
  if (bins === undefined || bins.length < 2) return undefined;
  const most = Math.max(1, ...bins.map(({ count }) => count));
  const rows = bins.map((bin): Row => ({ cells: [binWords(bin), count(bin.count)], bar: bin.count / most }));
  return { title, head: ['time', 'count'], rows };
}

function notSentBlock({ notSent }: Report): Block {
  const rows = notSent.map(
    ({ status, count: many, words, reason }): Row => ({
      cells: [status, count(many), `${safe(words)}${reason === undefined ? '' : ` (${safe(reason)})`}`],
    }),
  );
  return { title: 'Not sent', head: ['status', 'messages', 'why'], words: [0, 2], rows };
}

function errorsBlock({ errors }: Report): Block {
  const rows = errors.map(
    ({ code, gaveUp, waiting, overcome, conversations }): Row => ({
      cells: [safe(code), ...[gaveUp, waiting, overcome, conversations].map(count)],
    }),
  );
  const head = ['code', 'not sent', 'waiting', 'sent later', 'conversations'];
  return { title: 'Errors', note: 'messages by the last one of each', head, rows };
}

function repliesBlock({ replies }: Report): Block | undefined {
  if (replies.count === 0) return undefined;
  const { delay, unknown } = replies;
  return {
    title: 'Replies',
    note: 'from the message before it to the first reply',
    head: ['', 'contacts', ...percentileHead.slice(1)],
    rows: [
      ...(delay ? [{ cells: ['replied', ...percentiles(delay)] }] : []),
      ...(unknown > 0 ? [{ cells: ['without a message before it', count(unknown), '', '', '', ''] }] : []),
    ],
  };
}

/** A sentence, in lines of the terminal's width. */
function say(text: string, out: Output, paint: (text: string) => string = String): void {
  for (const line of out.tty ? wrap(text, Math.min(110, out.width)) : [text]) out.line(paint(line));
}

function showFoot(report: Report, out: Output): void {
  const { color } = out;
  out.line();
  const difference = differenceWords(report);
  if (difference !== undefined) say(difference, out, color.red);
  say(readingWords(report), out, color.dim);
}
