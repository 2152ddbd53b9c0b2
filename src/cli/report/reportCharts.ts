/** Charts as SVG, made by Vega without a browser. Colours are variables of the page's style sheet. The only file that knows Vega. */
import type { Spec } from 'vega';
import type { TopLevelSpec } from 'vega-lite';
import type { Bin } from '../../domain/distribution.ts';
import type { Report } from '../../domain/report.ts';
import type { Timeline } from '../../domain/timeline.ts';
import { percent } from '../drawing.ts';
import { count, safe } from '../output.ts';
import { binWords, bucketLabel } from './reportWords.ts';

const width = 780;
const rowHeight = 30;
/** More lines than that are for the table alone. */
const mostLines = 24;

const config: TopLevelSpec['config'] = {
  background: 'transparent',
  font: 'inherit',
  aria: false,
  view: { stroke: null },
  axis: {
    labelColor: 'var(--muted)',
    titleColor: 'var(--muted)',
    gridColor: 'var(--line)',
    domainColor: 'var(--line)',
    tickColor: 'var(--line)',
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    labelPadding: 6,
    labelLimit: 190,
    domain: false,
    ticks: false,
  },
  legend: { labelColor: 'var(--text)', labelFontSize: 12, title: null, orient: 'top', symbolType: 'square', offset: 8 },
  text: { color: 'var(--text)', fontSize: 12 },
};

/** The SVG alone, sized by its place. Its elements say nothing to a screen reader: the figure around it does. */
async function draw(spec: object): Promise<string> {
  const { Error: errorsOnly, logger, parse, View } = await import('vega');
  const { compile } = await import('vega-lite');
  const autosize = { type: 'fit', contains: 'padding' };
  const whole = {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    config,
    width,
    autosize,
    padding: 2,
    ...spec,
  };
  const { spec: compiled } = compile(whole as unknown as TopLevelSpec, { logger: logger(errorsOnly) });
  const view = new View(parse(compiled as Spec), { renderer: 'none' });
  try {
    const svg = await view.toSVG();
    return svg.replace(/ (class|role|aria-[a-z]+)="[^"]*"/g, '').replace('<svg ', '<svg aria-hidden="true" ');
  } finally {
    view.finalize();
  }
}

const none = { title: null } as const;

/** Bars end where there is still room for their value. */
const lengths = (values: readonly number[]): object => ({
  field: 'value',
  type: 'quantitative',
  axis: null,
  scale: { domain: [0, Math.max(1, ...values) * 1.25], nice: false },
});

/** Bars to the right, each with its value behind it. */
function bars(rows: readonly { label: string; value: number; text: string; colour: string }[]): object {
  const x = lengths(rows.map(({ value }) => value));
  const y = { field: 'label', type: 'ordinal', sort: null, axis: { ...none, labelColor: 'var(--text)' } };
  return {
    height: rows.length * rowHeight,
    data: { values: rows },
    encoding: { x, y },
    layer: [
      {
        mark: { type: 'bar', height: 18 },
        encoding: { color: { field: 'colour', type: 'nominal', scale: null, legend: null } },
      },
      { mark: { type: 'text', align: 'left', dx: 6 }, encoding: { text: { field: 'text' } } },
    ],
  };
}

const statusColours: Readonly<Record<string, string>> = {
  completed: 'var(--good)',
  failed: 'var(--bad)',
  suppressed: 'var(--warn)',
  cancelled: 'var(--warn)',
};

export const conversationsChart = ({ conversations }: Report): Promise<string> =>
  draw(
    bars(
      conversations.statuses.map(({ status, count: many, share }) => ({
        label: safe(status),
        value: many,
        text: `${count(many)}  ·  ${percent(share)}`,
        colour: statusColours[status] ?? 'var(--first)',
      })),
    ),
  );

const series = [
  ['entered', 'var(--quiet)'],
  ['sent', 'var(--first)'],
  ['replied', 'var(--good)'],
] as const;

/** Three bars a stage, in the order of the flow; undefined when nobody came to any. */
export async function stagesChart({ funnel }: Report): Promise<string | undefined> {
  const lines = funnel.filter(({ entered, sent, replied }) => entered + sent + replied > 0).slice(0, mostLines);
  if (lines.length === 0) return undefined;
  const values = lines.flatMap((line) =>
    series.map(([name]) => ({
      stage: safe(line.stage),
      name,
      value: line[name],
      text: line[name] === 0 ? '' : count(line[name]),
    })),
  );
  const y = {
    field: 'stage',
    type: 'ordinal',
    sort: null,
    axis: { ...none, labelColor: 'var(--text)' },
    scale: { paddingInner: 0.25, paddingOuter: 0.05 },
  };
  const colour = {
    field: 'name',
    type: 'nominal',
    sort: null,
    scale: { domain: series.map(([name]) => name), range: series.map(([, colour]) => colour) },
  };
  return draw({
    height: lines.length * 62,
    data: { values },
    encoding: {
      y,
      yOffset: {
        field: 'name',
        type: 'nominal',
        sort: null,
        scale: { domain: series.map(([name]) => name), paddingOuter: 0 },
      },
      x: lengths(values.map(({ value }) => value)),
    },
    layer: [
      { mark: { type: 'bar' }, encoding: { color: colour } },
      { mark: { type: 'text', align: 'left', dx: 5, fontSize: 11 }, encoding: { text: { field: 'text' } } },
    ],
  });
}

const sent = [
  ['first messages', 'var(--first)'],
  ['follow-ups', 'var(--second)'],
] as const;

/** Columns in the order of time, first messages below follow-ups. */
export function timelineChart(timeline: Timeline): Promise<string> {
  const values = timeline.buckets.flatMap(({ at, sent: all, followUps }, index) => [
    { index, name: sent[0][0], value: all - followUps, label: bucketLabel(timeline, at) },
    { index, name: sent[1][0], value: followUps, label: bucketLabel(timeline, at) },
  ]);
  const hasFollowUps = timeline.buckets.some(({ followUps }) => followUps > 0);
  const colour = {
    field: 'name',
    type: 'nominal',
    sort: null,
    ...(hasFollowUps ? {} : { legend: null }),
    scale: { domain: sent.map(([name]) => name), range: sent.map(([, colour]) => colour) },
  };
  return draw(columns(timeline, values, 'value', colour));
}

export function repliesChart(timeline: Timeline): Promise<string> {
  const values = timeline.buckets.map(({ at, replied }, index) => ({
    ...{ index, replied, label: bucketLabel(timeline, at) },
  }));
  return draw({ ...columns(timeline, values, 'replied', { value: 'var(--good)' }), height: 90 });
}

function columns(timeline: Timeline, values: readonly object[], field: string, color: object): object {
  const { buckets } = timeline;
  // as many labels as have room
  const every = Math.ceil(buckets.length / 8);
  return {
    height: 190,
    data: { values },
    mark: { type: 'bar' },
    encoding: {
      x: {
        field: 'index',
        type: 'ordinal',
        scale: { paddingInner: buckets.length > 1 ? 0.15 : 0, paddingOuter: 0 },
        axis: {
          ...none,
          labelAngle: 0,
          labelOverlap: false,
          values: buckets.map((_, index) => index).filter((index) => index % every === 0),
          labelExpr: `${JSON.stringify(buckets.map(({ at }) => bucketLabel(timeline, at)))}[datum.value]`,
        },
      },
      y: {
        field,
        type: 'quantitative',
        stack: true,
        axis: { ...none, tickCount: 4, format: ',d', minExtent: 52 },
        scale: { domainMin: 0 },
      },
      color,
      order: { field: 'name', sort: 'ascending' },
    },
  };
}

export const histogramChart = (bins: readonly Bin[], colour: 'first' | 'good' | 'warn'): Promise<string> => {
  const all = bins.reduce((sum, { count }) => sum + count, 0);
  return draw(
    bars(
      bins.map((bin) => ({
        label: binWords(bin),
        value: bin.count,
        text: bin.count === 0 ? '' : `${count(bin.count)}  ·  ${percent(bin.count / all)}`,
        colour: `var(--${colour})`,
      })),
    ),
  );
};
