/** The sections of the page. One that has nothing to say is left out. */
import type { Bin, Figures } from '../../domain/distribution.ts';
import type { Report } from '../../domain/report.ts';
import { percent } from '../drawing.ts';
import { count, plural } from '../output.ts';
import { Markup, markup } from '../page/markup.ts';
import { conversationsChart, histogramChart, repliesChart, stagesChart, timelineChart } from './reportCharts.ts';
import { figure, type Line, number, section, table, text } from './reportTables.ts';
import { messageWords } from './reportText.ts';
import * as words from './reportWords.ts';

const { capital, length } = words;

export async function sections(report: Report): Promise<Markup[]> {
  if (report.campaign.startedAt === undefined && report.conversations.total === 0) return [];
  const all = [
    cards(report),
    await conversations(report),
    await stages(report),
    splits(report),
    await overTime(report),
    await latency(report),
    await replies(report),
    notSent(report),
    errors(report),
  ];
  return all.filter((section) => section !== undefined);
}

function cards(report: Report): Markup {
  const { messages: sums, conversations: people, latency: times, rates } = report;
  const failed = sums.failed + sums.uncertain;
  const card = (name: string, big: string, small: string): Markup =>
    markup`<div class="card"><dt>${name}</dt><dd class="big">${big}</dd><dd class="small">${small}</dd></div>`;
  const first = times.firstTry;
  return markup`<dl class="cards">
${card('Contacts', count(people.total), `${percent(rates.completed)} completed`)}
${card('Messages sent', count(sums.sent), plural(sums.followUps, 'follow-up'))}
${card('Replied', percent(rates.replied), plural(people.replied, 'contact'))}
${card('Failed', count(failed), `${count(sums.skipped)} skipped`)}
${card('Due to sent', first === undefined ? '–' : length(first.p50Ms), first === undefined ? 'nothing sent' : `99 % in ${length(first.p99Ms)}`)}
</dl>
`;
}

async function conversations(report: Report): Promise<Markup | undefined> {
  const { statuses, outcomes, total } = report.conversations;
  if (total === 0) return undefined;
  const lines = statuses.flatMap(({ status, count: many, share }): Line[] => [
    { cells: [status, count(many), percent(share)] },
    ...outcomes
      .filter((outcome) => outcome.status === status && outcome.outcome !== status)
      .map(
        ({ outcome, count: some, share: part }): Line => ({ cells: [outcome, count(some), percent(part)], sub: true }),
      ),
  ]);
  const says = `Conversations by status: ${statuses.map(({ status, share }) => `${status} ${percent(share)}`).join(', ')}`;
  const figures = table(
    'Conversations by status and outcome',
    [text('Status'), number('Count'), number('Share')],
    [...lines, { cells: ['total', count(total), ''] }],
  );
  return section('Outcomes', undefined, figure(says, await conversationsChart(report), figures, false));
}

async function stages(report: Report): Promise<Markup | undefined> {
  const { funnel } = report;
  if (funnel.length === 0 || report.conversations.total === 0) return undefined;
  const columns = [
    text('Stage'),
    ...['Entered', 'Sent', 'Follow-ups', 'Replied', 'Of entered', 'Failed', 'Skipped'].map(number),
  ];
  const lines = funnel.flatMap((line): Line[] => [
    {
      cells: [
        line.stage,
        count(line.entered),
        words.sentWords(line, 'sent'),
        words.sentWords(line, 'followUps'),
        count(line.replied),
        line.replied > 0 ? percent(line.replyRate) : '',
        ...[line.failed + line.uncertain, line.skipped].map(count),
      ],
    },
    ...line.variants.map(
      (variant): Line => ({
        cells: [
          variant.variant,
          '',
          ...[variant.sent, variant.followUps].map(count),
          ...['', ''],
          ...[variant.failed + variant.uncertain, variant.skipped].map(count),
        ],
        sub: true,
      }),
    ),
  ]);
  const says = `By stage: ${funnel.map(({ stage, entered, sent, replied }) => `${stage}: ${count(entered)} entered, ${count(sent)} sent, ${count(replied)} replied`).join('; ')}`;
  const figures = table('Stages in the order of the flow', columns, lines);
  const svg = await stagesChart(report);
  return section(
    'Stages',
    'Sent includes follow-ups.',
    svg === undefined ? figures : figure(says, svg, figures, false),
  );
}

function splits({ splits: drawn }: Report): Markup | undefined {
  if (drawn.length === 0) return undefined;
  const columns = [text('Split'), text('Variant'), number('Contacts'), number('Replied'), number('Share')];
  const lines = drawn.map(({ stage, variant, conversations: many, replied, replyRate }) => ({
    cells: [stage, variant, count(many), count(replied), percent(replyRate)],
  }));
  return section('Variants', undefined, table('Contacts by the variant they were drawn into', columns, lines));
}

async function overTime({ timeline }: Report): Promise<Markup | undefined> {
  if (timeline === undefined) return undefined;
  const { buckets, peak } = timeline;
  const note = `${capital(words.timelineWords(timeline))}.`;
  const lines = buckets.map(({ at, sent, followUps, replied }) => ({
    cells: [words.instant(at), ...[sent, followUps, replied].map(count)],
  }));
  const columns = [text('From'), number('Sent'), number('Follow-ups'), number('First replies')];
  const says = `Messages over time, ${words.timelineWords(timeline)}; most, ${count(peak.sent)}, from ${words.instant(peak.at)}`;
  const some = buckets.some(({ replied }) => replied > 0);
  const drawn = some ? markup`<h3>First replies</h3>${new Markup(await repliesChart(timeline))}` : undefined;
  const svg = (await timelineChart(timeline)) + (drawn?.text ?? '');
  return section('Messages over time', note, figure(says, svg, table('Over time', columns, lines), true));
}

const percentileColumns = ['Half within', '90 %', '99 %', 'Longest'].map(number);
const percentiles = ({ p50Ms, p90Ms, p99Ms, maxMs }: Figures): string[] => [p50Ms, p90Ms, p99Ms, maxMs].map(length);

async function histogram(title: string, bins: readonly Bin[], colour: 'first' | 'good' | 'warn'): Promise<Markup> {
  const says = `${title}: ${bins.map((bin) => `${words.binWords(bin)}: ${count(bin.count)}`).join(', ')}`;
  const lines = bins.map((bin) => ({ cells: [words.binWords(bin), count(bin.count)] }));
  const figures = table(title, [text('Time'), number('Count')], lines);
  return figure(says, await histogramChart(bins, colour), figures, true);
}

async function latency({ latency: times }: Report): Promise<Markup | undefined> {
  const { firstTry, retried, unknown } = times;
  if (firstTry === undefined && retried === undefined) return undefined;
  const lines = [
    ...(firstTry ? [{ cells: ['first try', count(firstTry.count), ...percentiles(firstTry)] }] : []),
    ...(retried ? [{ cells: ['after more tries', count(retried.count), ...percentiles(retried)] }] : []),
    ...(unknown > 0 ? [{ cells: ['time unknown', count(unknown), '', '', '', ''] }] : []),
  ];
  const columns = [text(''), number('Messages'), ...percentileColumns];
  const title = 'Messages sent at the first try, by time from due to sent';
  const later = 'Messages that took more than one try';
  return section(
    'From due to sent',
    'How long after its time a message left. Time in which the campaign was paused does not count.',
    firstTry ? await histogram(title, firstTry.histogram, 'first') : undefined,
    table('From due to sent', columns, lines),
    retried ? markup`<h3>${later}</h3>${await histogram(later, retried.histogram, 'warn')}` : undefined,
  );
}

async function replies({ replies: told }: Report): Promise<Markup | undefined> {
  const { delay, unknown, count: many } = told;
  if (many === 0) return undefined;
  const lines = [
    ...(delay ? [{ cells: ['replied', count(delay.count), ...percentiles(delay)] }] : []),
    ...(unknown > 0 ? [{ cells: ['without a message before it', count(unknown), '', '', '', ''] }] : []),
  ];
  const columns = [text(''), number('Contacts'), ...percentileColumns];
  return section(
    'Replies',
    'From the last message before it to the first reply of a contact.',
    delay ? await histogram('First replies by their delay', delay.histogram, 'good') : undefined,
    table('Delay of first replies', columns, lines),
  );
}

function notSent(report: Report): Markup | undefined {
  if (report.notSent.length === 0) return undefined;
  const lines = report.notSent.map(({ words: why, reason, status, count: many }) => ({
    cells: [
      markup`${capital(why)}${reason === undefined ? undefined : markup` <code>${reason}</code>`}`,
      status,
      count(many),
    ],
  }));
  const note = messageWords(report)
    .slice(1)
    .filter(([name]) => !name.startsWith(' '))
    .map(([name, many]) => `${count(many)} ${name}`)
    .join(', ');
  const columns = [text('Why'), text('Status'), number('Messages')];
  return section('Not sent', `${capital(note)}.`, table('Messages that were not sent', columns, lines));
}

function errors({ errors: told }: Report): Markup | undefined {
  if (told.length === 0) return undefined;
  const columns = [text('Code'), ...['Not sent', 'Waiting', 'Sent later', 'Conversations'].map(number)];
  const lines = told.map(({ code, gaveUp, waiting, overcome, conversations: ended }) => ({
    cells: [markup`<code>${code}</code>`, ...[gaveUp, waiting, overcome, ended].map(count)],
  }));
  const note = 'Messages by the last error of each; conversations that ended by an error without a message.';
  return section('Errors', note, table('Errors by code', columns, lines));
}
