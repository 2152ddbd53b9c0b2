/** Two campaigns as a report sees them. */
import { foldCounters } from '../../../src/domain/metrics.ts';
import type { Run } from '../../../src/domain/model.ts';
import { type Report, type ReportHead, report } from '../../../src/domain/report.ts';
import { ReportTally } from '../../../src/domain/reportTally.ts';

export const start = new Date('2026-01-05T09:00:00.000Z');
export const later = (ms: number): Date => new Date(start.getTime() + ms);

const run = {
  status: 'completed',
  settled: true,
  flow: {
    stages: [
      { id: 'intro', type: 'message' },
      { id: 'quiet', type: 'end' },
    ],
  },
  expansion: { expanded: 20, skipped: { duplicate_contact: 2, contact_invalid: 0 }, done: true },
  startedAt: start,
  completedAt: later(7_200_000),
  pauses: [{ from: later(600_000), until: later(900_000) }],
} as unknown as Run;

export const head: ReportHead = {
  id: 'spring',
  campaign: { name: 'Spring launch', status: 'completed', tenant: 'acme' },
  run,
  metrics: foldCounters(
    [
      {
        counts: {
          ...{ total: 20, completed: 18, failed: 2, replied: 5 },
          messages: { sent: 30, failed: 2, skipped: 3, followUps: 12 },
          stages: { intro: { entered: 20, sent: 30, replied: 5 }, quiet: { entered: 13 } },
          reasons: { address_missing: 3, provider_rejected: 2 },
          outcomes: { replied: 5, no_answer: 13, failed: 2 },
        },
      },
    ],
    start,
  ).metrics,
};

export function tally(): ReportTally {
  const counted = new ReportTally();
  const row = { stage: 'intro', followUp: false, sent: true, pending: false, status: 'sent' };
  counted.addRows({
    rows: [
      { ...row, count: 14 },
      { ...row, followUp: true, count: 12 },
      { ...row, code: 'http_503', count: 4 },
      { ...row, status: 'failed', sent: false, reason: 'provider_rejected', code: 'http_550', count: 2 },
      { ...row, status: 'skipped', sent: false, reason: 'address_missing', count: 3 },
    ],
    latencies: [
      { retried: false, bucketMs: 15, count: 20, maxMs: 15 },
      { retried: false, bucketMs: 800, count: 6, maxMs: 800 },
      { retried: true, bucketMs: 65_000, count: 4, maxMs: 65_004 },
    ],
    moments: [
      { at: start.getTime(), series: 'sent', count: 18 },
      { at: start.getTime() + 3_600_000, series: 'sent', count: 12 },
      { at: start.getTime() + 3_600_000, series: 'followUps', count: 12 },
    ],
  });
  const ended = { replied: false, status: 'completed' };
  counted.addConversations({
    conversations: [
      { ...ended, outcome: 'no_answer', count: 13 },
      { ...ended, outcome: 'replied', replied: true, count: 5 },
      { ...ended, status: 'failed', outcome: 'failed', reason: 'provider_rejected', code: 'http_550', count: 2 },
    ],
    draws: [],
    delays: [
      { bucketMs: 90_000, count: 3, maxMs: 90_000 },
      { bucketMs: 3_000_000, count: 2, maxMs: 3_000_000 },
    ],
    moments: [{ at: start.getTime() + 120_000, series: 'replied', count: 5 }],
  });
  return counted;
}

export const reading = {
  fineMs: 1000,
  asOf: later(8_000_000),
  generatedAt: later(8_001_000),
  version: '1.2.3',
  consistency: 'snapshot',
} as const;

export const spring = (): Report => report(head, { ...reading, tally: tally() });

/** What an author of bad will would write wherever he can. */
export const evil = `</title><script>alert("x")</script>'&<img src=x onerror=alert(1)>\u202e\u001b[31m`;

/** Every word of it is evil, and it runs. */
export function hostile(): Report {
  const counted = new ReportTally();
  counted.addRows({
    rows: [
      { stage: evil, variant: evil, status: 'sent', followUp: false, sent: true, pending: false, count: 3 },
      {
        stage: evil,
        status: 'skipped',
        reason: evil,
        code: evil,
        followUp: false,
        sent: false,
        pending: false,
        count: 2,
      },
    ],
    latencies: [{ retried: false, bucketMs: 5, count: 3, maxMs: 5 }],
    moments: [{ at: start.getTime(), series: 'sent', count: 3 }],
  });
  counted.addConversations({
    conversations: [{ status: evil, outcome: `${evil}!`, replied: true, count: 5 }],
    draws: [{ stage: evil, variant: evil, conversations: 5, replied: 1 }],
    delays: [{ bucketMs: 7, count: 5, maxMs: 7 }],
    moments: [{ at: start.getTime(), series: 'replied', count: 5 }],
  });
  const campaign = { name: evil, status: evil, tenant: evil, error: { code: evil, message: evil, path: evil } };
  const { completedAt: _, pauses: __, ...open } = run;
  const running = { ...open, settled: false, expansion: { expanded: 5, skipped: { [evil]: 1 }, done: false } } as never;
  return report(
    { id: evil, campaign, run: running, metrics: head.metrics },
    { ...reading, consistency: 'snapshot', tally: counted },
  );
}
