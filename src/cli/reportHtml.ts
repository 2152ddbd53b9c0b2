/** A report as one page that needs nothing but itself: no script, no font, no picture from elsewhere. */
import { createHash } from 'node:crypto';
import type { Bin, Figures } from '../domain/distribution.ts';
import type { Report } from '../domain/report.ts';
import { showId } from './database.ts';
import { count, plural } from './output.ts';
import { conversationsChart, histogramChart, repliesChart, stagesChart, timelineChart } from './reportCharts.ts';
import { Markup, markup } from './reportMarkup.ts';
import { style } from './reportStyle.ts';
import { messageWords } from './reportText.ts';
import * as words from './reportWords.ts';

const { length, percent } = words;

/** The whole document. */
export async function reportPage(report: Report): Promise<string> {
  const { id, name } = report.campaign;
  const title = name ?? showId(id);
  const hash = createHash('sha256').update(style).digest('base64');
  const policy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
  const body = [head(report), ...(await sections(report)), foot(report)];
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new Markup(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${title} – campaign report</title>
<style>${new Markup(style)}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`.text;
}

function head(report: Report): Markup {
  const { id, name, tenant, status } = report.campaign;
  const known = ['completed', 'failed', 'paused', 'cancelled', 'deleted'].find((one) => one === status) ?? '';
  const ids = [`Campaign ${showId(id)}`, ...(tenant === undefined ? [] : [tenant])].join(' · ');
  const lines = [words.periodWords(report), words.audienceWords(report)].filter((line) => line !== undefined);
  return markup`<header>
<p class="eyebrow"><bdi>${ids}</bdi></p>
<h1><bdi>${name ?? showId(id)}</bdi> <span class="status ${known}">${words.statusWords(report)}</span></h1>
${lines.map((line) => markup`<p class="meta">${capital(line)}.</p>`)}
<p class="lead">${words.headline(report)}</p>
${[words.problemWords(report), words.differenceWords(report)].map((problem) =>
  problem === undefined ? undefined : markup`<p class="alert" role="note">${capital(problem)}</p>`,
)}
</header>
`;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function foot(report: Report): Markup {
  return markup`<footer>
<p>${capital(words.readingWords(report))}. All times are UTC. Generated ${words.instant(report.generatedAt)} by communication-base ${report.version}.</p>
</footer>`;
}

async function sections(report: Report): Promise<Markup[]> {
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

// ---------------------------------------------------------------- parts

interface Column {
  name: string;
  number?: boolean;
}
interface Line {
  cells: readonly (string | Markup)[];
  sub?: boolean;
}
const text = (name: string): Column => ({ name });
const number = (name: string): Column => ({ name, number: true });

function table(caption: string, columns: readonly Column[], lines: readonly Line[]): Markup {
  const attributes = (column: Column | undefined): Markup =>
    new Markup(column?.number === true ? ' class="number"' : '');
  return markup`<div class="table"><table${new Markup(columns.length <= 3 ? ' class="narrow"' : '')}>
<caption>${caption}</caption>
<thead><tr>${columns.map((column) => markup`<th scope="col"${attributes(column)}>${column.name}</th>`)}</tr></thead>
<tbody>${lines.map(
    ({ cells: [first = '', ...rest], sub }) =>
      markup`<tr${new Markup(sub === true ? ' class="sub"' : '')}><th scope="row"${attributes(columns[0])}>${first}</th>${rest.map(
        (cell, index) => markup`<td${attributes(columns[index + 1])}>${cell}</td>`,
      )}</tr>\n`,
  )}</tbody>
</table></div>`;
}

/** A chart with what it says in words, and its figures behind it. */
const figure = (says: string, svg: string, figures: Markup, folded: boolean): Markup =>
  markup`<figure><div class="chart" role="img" aria-label="${says}">${new Markup(svg)}</div>${
    folded ? markup`<details><summary>Figures</summary>${figures}</details>` : figures
  }</figure>`;

const section = (title: string, note: string | undefined, ...parts: readonly (Markup | undefined)[]): Markup =>
  markup`<section>
<h2>${title}</h2>
${note === undefined ? undefined : markup`<p class="note">${note}</p>`}
${parts}
</section>
`;

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
