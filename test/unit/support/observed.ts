/** What Prometheus sees of a worker, and what alerts and dashboard ask of it. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { aggregate, createMetrics, createProcessMetrics } from '../../../src/telemetry/metrics.ts';

const root = new URL('../../../', import.meta.url);
export const readText = (path: string): string => readFileSync(new URL(path, root), 'utf8');

export interface Metric {
  name: string;
  type: string;
  help: string;
  labels: string[];
}

/** Every metric of a worker in which each measurement was made once. */
export async function everyMetric(): Promise<Metric[]> {
  const { instruments, snapshot } = createMetrics(() => 0);
  instruments.circuit('sms', 'closed');
  instruments.conversations('active', 1);
  instruments.messages('sms', 'sent', 1);
  instruments.send('sms', 1, 'sent');
  instruments.dueToSent('sms', 1);
  instruments.rateWait('channel', 1);
  instruments.recovered('sms', 'lost', 1);
  instruments.vitals({ oplog: { firstMs: 0, lastMs: 1 } });
  const processMetrics = createProcessMetrics('0');
  processMetrics.health(true, true, 1);
  return parseMetrics(`${await aggregate([await snapshot()])}\n${await processMetrics.text()}`);
}

function parseMetrics(text: string): Metric[] {
  const found = new Map<string, Metric & { seen: Set<string> }>();
  let current: (Metric & { seen: Set<string> }) | undefined;
  for (const line of text.split('\n')) {
    const [, name, help] = /^# HELP (\S+) (.*)/.exec(line) ?? [];
    const type = /^# TYPE \S+ (\S+)/.exec(line)?.[1];
    if (name !== undefined) {
      current = { name, help: help ?? '', type: '', labels: [], seen: new Set() };
      found.set(name, current);
    } else if (current && type !== undefined) current.type = type;
    else if (current) for (const [, label = ''] of line.matchAll(/[{,](\w+)="/g)) current.seen.add(label);
  }
  return [...found.values()].map(({ seen, ...metric }) => ({
    ...metric,
    labels: [...seen].filter((label) => metric.type !== 'histogram' || label !== 'le').sort(),
  }));
}

export interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; description: string; runbook_url: string };
}

export const rules = (): Rule[] =>
  (parse(readText('helm/communication-base/files/alerts.yaml')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
    (group) => group.rules,
  );

interface Panel {
  title: string;
  type: string;
  gridPos: { h: number; w: number; x: number; y: number };
  targets?: { expr: string }[];
}
export const dashboard = (): { panels: Panel[] } =>
  JSON.parse(readText('helm/communication-base/files/dashboard.json')) as { panels: Panel[] };

/** Series a query names, with the labels it asks them for or groups them by. */
export function asked(expr: string): { names: string[]; labels: string[] } {
  const bare = expr.replaceAll(/"[^"]*"/g, '""');
  const names = [...bare.matchAll(/\b((?:communication_base|process|nodejs)_\w+|up\b)/g)].map(([name]) => name);
  const selected = [...bare.matchAll(/[{,]\s*(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label);
  const grouped = [...bare.matchAll(/\b(?:by|on|group_left)\s*\(([^)]*)\)/g)].flatMap(([, list = '']) =>
    list.split(',').map((label) => label.trim()),
  );
  return {
    names: [...new Set(names)],
    labels: [...new Set([...selected, ...grouped])].filter((label) => label !== ''),
  };
}
