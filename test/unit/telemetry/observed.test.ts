import { writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { asked, dashboard, everyMetric, type Metric, readText, rules } from '../support/observed.ts';

/** What Prometheus adds to every series, and what it makes itself. */
const added = ['namespace', 'job', 'instance', 'le'];
const suffixes = /_(bucket|sum|count)$/;

let metrics: ReadonlyMap<string, Metric>;
beforeAll(async () => {
  metrics = new Map((await everyMetric()).map((metric) => [metric.name, metric]));
});

/** What is wrong with a query: series that no worker has, labels that none of them has. */
function faults(expr: string): string[] {
  const { names, labels } = asked(expr);
  const known = names.map((name) => metrics.get(name) ?? metrics.get(name.replace(suffixes, '')));
  const missing = names.filter((name, at) => name !== 'up' && known[at] === undefined);
  const there = new Set([...added, ...known.flatMap((metric) => metric?.labels ?? [])]);
  return [...missing, ...labels.filter((label) => !there.has(label))];
}

test('the check itself sees a series and a label that are not there', () => {
  expect(faults('sum by (nobody) (rate(communication_base_nothing_total{channel="a"}[1m]))')).toEqual([
    'communication_base_nothing_total',
    'channel',
    'nobody',
  ]);
  expect(faults('rate(communication_base_messages_total{channel="a"}[1m])')).toEqual([]);
});

describe('alerts', () => {
  const runbook = readText('docs/runbook.md');
  const tests = readText('test/alerts/alerts.test.yaml');
  test.each(rules().map((rule) => [rule.alert, rule] as const))('%s', (name, { expr, labels, annotations }) => {
    expect(faults(expr)).toEqual([]);
    expect(['critical', 'warning']).toContain(labels.severity);
    expect(annotations.summary.length * annotations.description.length).toBeGreaterThan(0);
    expect(annotations.runbook_url).toBe(`docs/runbook.md#${name.toLowerCase()}`);
    const [, section = ''] = runbook.split(`## ${name}\n`);
    const own = section.split('\n## ')[0] ?? '';
    for (const part of ['**Means:**', '**Look at:**', '**Do:**']) expect(own).toContain(part);
    expect(tests).toContain(`- name: ${name}\n`);
  });
});

describe('the dashboard', () => {
  const panels = dashboard().panels.filter(({ type }) => type !== 'row');
  test.each(panels.map((panel) => [panel.title, panel] as const))('%s', (_, { targets = [] }) => {
    expect(targets.length).toBeGreaterThan(0);
    for (const { expr } of targets) expect(faults(expr)).toEqual([]);
  });

  test('no panel lies over another one', () => {
    const cells = new Set<string>();
    for (const { gridPos, title } of dashboard().panels)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect([title, x < 24, cells.has(`${x} ${y}`)]).toEqual([title, true, false]);
          cells.add(`${x} ${y}`);
        }
  });
});

test('docs/metrics.md lists every metric of ours; UPDATE=1 writes it', () => {
  const text = readText('docs/metrics.md');
  const begin = '| metric | type | labels | meaning |\n|---|---|---|---|\n';
  const rows = [...metrics.values()]
    .filter(({ name }) => name.startsWith('communication_base_'))
    .sort((a, b) => a.name.localeCompare(b.name))
    .map(({ name, type, labels, help }) => {
      const of = labels.map((label) => `\`${label}\``).join(', ');
      return `| \`${name}\` | ${type} | ${of} | ${help.replaceAll('|', '\\|')} |\n`;
    });
  const [head = ''] = text.split(begin);
  const wanted = `${head}${begin}${rows.join('')}`;
  if (process.env['UPDATE'] === '1') writeFileSync(new URL('../../../docs/metrics.md', import.meta.url), wanted);
  else expect(text).toBe(wanted);
});

test('labels are few: none names a campaign, a contact or a message', () => {
  const labels = new Set([...metrics.values()].flatMap((metric) => metric.labels));
  const bounded = ['channel', 'status', 'result', 'outcome', 'event', 'kind', 'version', 'node'];
  const ofNode = ['type', 'space', 'kind', 'quantile', 'major', 'minor', 'patch'];
  expect([...labels].filter((label) => ![...bounded, ...ofNode].includes(label))).toEqual([]);
});
