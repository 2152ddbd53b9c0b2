/** The end of the demo: how it went for everybody, what was verified, where to look next. */

import { percent } from '../drawing.ts';
import { type Align, count, type Output, plural } from '../output.ts';
import { type Endings, type Line, percentile, type Tally } from './demoFigures.ts';
import { campaignId, stageOrder } from './demoScenario.ts';
import type { Check, Facts } from './demoVerdict.ts';
import { duration } from './demoView.ts';

const right: Align = 'right';

/** What the outcomes of the demo's flow mean. */
const meanings: Readonly<Record<string, string>> = {
  activated: 'replied, and was thanked',
  no_answer: 'got every message, never replied',
  failed: 'the provider refused the address',
};

function outcomeRows({ outcomes }: Endings, contacts: number): string[][] {
  const entries = Object.entries(outcomes).sort(([, a], [, b]) => b - a);
  const total = entries.reduce((sum, [, value]) => sum + value, 0);
  return [
    ...entries.map(([outcome, value]) => [outcome, count(value), percent(value, contacts), meanings[outcome] ?? '']),
    ['total', count(total), '', `of ${plural(contacts, 'contact')}`],
  ];
}

const order = ({ stage, step }: Line): number => stageOrder.indexOf(stage) * 100 + step;

const messageRow = (line: Line): string[] => [
  line.step === 0 ? line.stage : `${line.stage}, follow-up ${line.step}`,
  line.channel,
  count(line.sent),
  count(line.failed),
  count(line.skipped),
  count(line.retries),
  duration(percentile(line.latencies, 0.5)),
  duration(percentile(line.latencies, 0.99)),
];

function messageRows(tally: Tally): string[][] {
  const total = (key: 'sent' | 'failed' | 'skipped' | 'retries'): string =>
    count(tally.lines.reduce((sum, line) => sum + line[key], 0));
  const first = tally.lines.flatMap(({ latencies }) => latencies).sort((a, b) => a - b);
  return [
    ...tally.lines.toSorted((a, b) => order(a) - order(b)).map(messageRow),
    [
      'total',
      '',
      total('sent'),
      total('failed'),
      total('skipped'),
      total('retries'),
      duration(percentile(first, 0.5)),
      duration(percentile(first, 0.99)),
    ],
  ];
}

/** `elapsedMs`: from submitting the campaign to its end. */
export function showSummary(facts: Facts, checks: readonly Check[], elapsedMs: number, out: Output): void {
  const { color } = out;
  const { tally, endings } = facts;
  out.line(color.bold(`How it ended for ${plural(facts.contacts, 'contact')}`));
  out.table(['outcome', 'count', 'share', ''], outcomeRows(endings, facts.contacts), ['left', right, right, 'left']);
  out.line();
  out.line(color.bold('Messages by stage'));
  out.table(['message', 'channel', 'sent', 'failed', 'skipped', 'retries', 'p50', 'p99'], messageRows(tally), [
    'left',
    'left',
    right,
    right,
    right,
    right,
    right,
    right,
  ]);
  out.line(
    color.dim(
      'p50, p99: from due to sent, of messages that left at the first try; the welcome mails are all due at once.',
    ),
  );
  if (tally.retriedLatencies.length > 0)
    out.line(
      color.dim(
        `${plural(tally.retriedLatencies.length, 'message')} needed another try: p50 ${duration(percentile(tally.retriedLatencies, 0.5))}, p99 ${duration(percentile(tally.retriedLatencies, 0.99))}.`,
      ),
    );
  out.line();
  out.line(
    `${plural(tally.sent, 'message')} and ${plural(facts.replies, 'reply', 'replies')} in ${duration(elapsedMs)}, at most ${count(tally.peakPerSecond)} messages in one second`,
  );
  const conversations = Object.values(endings.statuses).reduce((sum, value) => sum + value, 0);
  const ok = checks.every((check) => check.ok);
  const verified = `${plural(conversations, 'conversation')}, ${plural(facts.accepted, 'message')} at the provider, ${count(tally.lost + tally.unrecorded)} lost, ${count(tally.repeated)} repeated`;
  out.line(
    ok ? color.green(color.bold(`verified: ${verified}`)) : color.red(color.bold(`NOT as it should be: ${verified}`)),
  );
  for (const check of checks) {
    if (!check.ok) out.line(color.red(`  ✗ ${check.text}`));
    else out.line(color.dim(`  ✓ ${check.text}`));
  }
}

export interface Place {
  /** Of a replica set that the demo started; absent for the one MONGODB_URI names, whose password stays unprinted. */
  uri?: string;
  database: string;
  /** It can be looked at now. */
  kept: boolean;
}

export function showNext({ uri, database, kept }: Place, out: Output): void {
  const { color } = out;
  out.line();
  out.line(color.bold(kept ? 'Look around (in another terminal)' : 'Where to look next'));
  if (!kept) out.line('run it again with --keep (npm run demo -- --keep) and everything stays until Ctrl-C. Then:');
  const server = uri === undefined ? '' : `MONGODB_URI='${uri}' `;
  const target = kept ? `${server}MONGODB_DATABASE=${database} ` : '';
  out.line(`  ${target}npx communication-base status ${campaignId}`);
  if (kept) out.line(`  mongosh ${uri === undefined ? '"$MONGODB_URI"' : `'${uri}'`}   then: use ${database}`);
  out.line(
    "  db.campaigns.findOne({ _id: 'onboarding' })                        the campaign with its metrics and results",
  );
  out.line(
    "  db.conversation_states.findOne({ outcome: 'activated' })           one contact's way through the flow, in `history`",
  );
  out.line('  db.messages.find({ attempts: { $gt: 1 } })                         what had to be tried again');
  out.line(
    '  db.templates.findOne()                                             the flow and its texts, also in German',
  );
  out.line(
    'Your own: write a campaign file, `communication-base validate FILE`, then `submit FILE`; README.md begins there.',
  );
}

/** The last JSON line. */
export function summaryRecord(
  { contacts, status, endings, tally, accepted, replies }: Facts,
  checks: readonly Check[],
  elapsedMs: number,
): object {
  const { lines, retriedLatencies, ...figures } = tally;
  const latency = (values: readonly number[]): object => ({
    p50Ms: percentile(values, 0.5) ?? null,
    p99Ms: percentile(values, 0.99) ?? null,
  });
  return {
    type: 'summary',
    ok: checks.every((check) => check.ok),
    status,
    contacts,
    elapsedMs: Math.round(elapsedMs),
    statuses: endings.statuses,
    outcomes: endings.outcomes,
    accepted,
    replies,
    ...figures,
    dueToSent: latency(lines.flatMap(({ latencies }) => latencies).sort((a, b) => a - b)),
    dueToSentRetried: latency(retriedLatencies),
    lines: lines.map(({ latencies, ...line }) => ({ ...line, dueToSent: latency(latencies) })),
    checks,
  };
}
