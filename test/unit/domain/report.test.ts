import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { keptPauses } from '../../../src/domain/campaignPauses.ts';
import { emptyMetrics } from '../../../src/domain/metrics.ts';
import type { Run } from '../../../src/domain/model.ts';
import { Recount } from '../../../src/domain/recount.ts';
import { report } from '../../../src/domain/report.ts';
import { ReportTally, word } from '../../../src/domain/reportTally.ts';
import { head, later, reading, spring, start, tally } from './reports.ts';

const empty = { ...reading, tally: new ReportTally() };

describe('the report of a campaign', () => {
  test('has its figures, counted by hand', () => {
    expect(spring()).toEqual({
      campaign: {
        ...{ id: 'spring', name: 'Spring launch', tenant: 'acme', status: 'completed', runStatus: 'completed' },
        startedAt: start,
        completedAt: later(7_200_000),
      },
      ...{ asOf: later(8_000_000), generatedAt: later(8_001_000), version: '1.2.3', consistency: 'snapshot' },
      checked: { figures: 20, differences: [] },
      duration: { totalMs: 7_200_000, pausedMs: 300_000, pauses: 1 },
      audience: {
        entered: 20,
        leftOut: [{ reason: 'duplicate_contact', words: 'the contact is in the campaign already', count: 2 }],
        done: true,
      },
      conversations: {
        ...{ total: 20, replied: 5 },
        statuses: [
          { status: 'completed', count: 18, share: 0.9 },
          { status: 'failed', count: 2, share: 0.1 },
        ],
        outcomes: [
          { status: 'completed', outcome: 'no_answer', count: 13, share: 0.65 },
          { status: 'completed', outcome: 'replied', count: 5, share: 0.25 },
          { status: 'failed', outcome: 'failed', count: 2, share: 0.1 },
        ],
      },
      messages: {
        ...{ total: 35, sent: 30, followUps: 12, failed: 2, uncertain: 0, skipped: 3, waiting: 0 },
        ...{ delivered: 0, bounced: 0 },
      },
      rates: { completed: 0.9, failed: 0.1, replied: 0.25, sent: 0.9375, delivered: 0, bounced: 0 },
      funnel: [
        {
          ...{ stage: 'intro', type: 'message', entered: 20, sent: 30, followUps: 12, replied: 5, replyRate: 0.25 },
          ...{ failed: 2, uncertain: 0, skipped: 3, waiting: 0, variants: [] },
        },
        {
          ...{ stage: 'quiet', type: 'end', entered: 13, sent: 0, followUps: 0, replied: 0, replyRate: 0 },
          ...{ failed: 0, uncertain: 0, skipped: 0, waiting: 0, variants: [] },
        },
      ],
      splits: [],
      timeline: expect.objectContaining({ stepMs: 120_000 }),
      shortTimeline: expect.objectContaining({ stepMs: 300_000 }),
      latency: {
        firstTry: {
          ...{ count: 26, p50Ms: 15, p90Ms: 800, p99Ms: 800, maxMs: 800 },
          histogram: expect.arrayContaining([{ fromMs: 10, toMs: 20, count: 20 }]),
        },
        retried: {
          ...{ count: 4, p50Ms: 65_004, p90Ms: 65_004, p99Ms: 65_004, maxMs: 65_004 },
          histogram: [{ fromMs: 60_000, toMs: 120_000, count: 4 }],
        },
        unknown: 0,
      },
      notSent: [
        {
          ...{ status: 'skipped', reason: 'address_missing', count: 3 },
          words: 'the contact has no address on that channel',
        },
        { status: 'failed', reason: 'provider_rejected', words: 'the provider refused it for good', count: 2 },
      ],
      errors: [
        { code: 'http_550', gaveUp: 2, waiting: 0, overcome: 0, conversations: 0 },
        { code: 'http_503', gaveUp: 0, waiting: 0, overcome: 4, conversations: 0 },
      ],
      replies: { count: 5, delay: expect.objectContaining({ count: 5, p50Ms: 90_000, maxMs: 3_000_000 }), unknown: 0 },
    });
  });

  test('given counters that say something else, then it says what, with both figures', () => {
    const metrics = { ...emptyMetrics(start), total: 19, stages: { gone: { entered: 0, sent: 4, replied: 0 } } };
    const { checked, funnel } = report({ ...head, metrics }, { ...reading, tally: tally() });
    expect(checked?.differences).toEqual(
      expect.arrayContaining([
        { figure: 'total', counted: 20, told: 19 },
        { figure: 'stages.gone.sent', counted: 0, told: 4 },
        { figure: 'reasons.provider_rejected', counted: 2, told: 0 },
      ]),
    );
    expect(funnel.map(({ stage }) => stage)).toEqual(['intro', 'quiet', 'gone']);
  });

  test.each([
    ['it was read in parts', { consistency: 'parts' as const }, head],
    ['there are no counters', {}, { ...head, metrics: undefined }],
  ])('given %s, then nothing is said of the counters', (_, more, told) => {
    expect(report(told, { ...reading, tally: tally(), ...more })).not.toHaveProperty('checked');
  });

  test('given no run and a fault, then it says why, and there are no figures', () => {
    const error = { code: 'not_allowed', message: 'was 12', path: 'priority' };
    const found = report({ id: 7, campaign: { status: 'failed', error }, run: undefined, metrics: undefined }, empty);
    expect(found.campaign).toEqual({ id: 7, status: 'failed', error });
    expect(found).toMatchObject({
      conversations: { total: 0, statuses: [] },
      messages: { total: 0 },
      rates: { replied: 0 },
      funnel: [],
      latency: { unknown: 0 },
      replies: { count: 0, unknown: 0 },
      audience: { entered: 0, leftOut: [], done: false },
    });
    for (const absent of ['duration', 'timeline', 'checked']) expect(found).not.toHaveProperty(absent);
  });

  test('given a document that others wrote as they liked, then it is read as what it is', () => {
    const campaign = { status: 7, name: ['a'], error: { text: 1 }, schedule: { startAt: start, endAt: 'soon' } };
    const found = report({ id: 'x', campaign, run: undefined, metrics: undefined }, empty);
    expect(found.campaign).toEqual({
      ...{ id: 'x', status: '7', name: 'an array of 1', startAt: start },
      error: { code: 'unknown', message: '' },
    });
    const bare = report({ id: 'x', campaign: { error: 'no', schedule: 5 }, run: undefined, metrics: undefined }, empty);
    expect(bare.campaign).toEqual({ id: 'x', status: 'without a status' });
  });

  test('given its document was deleted, then the run tells of it', () => {
    const run = { ...head.run, schedule: { endAt: later(9) }, endReason: 'campaign_ended', pausedReason: 'x' } as Run;
    expect(report({ ...head, campaign: undefined, run }, empty).campaign).toMatchObject({
      ...{ status: 'deleted', runStatus: 'completed', startedAt: start, endAt: later(9) },
      ...{ endReason: 'campaign_ended', pausedReason: 'x' },
    });
  });

  test('given it runs and is paused, then its time goes on, and so does the pause', () => {
    const { completedAt: _, ...run } = { ...head.run, pauses: [{ from: later(1000) }] } as Run;
    const { duration } = report({ ...head, run }, { ...empty, asOf: later(5000) });
    expect(duration).toEqual({ totalMs: 5000, pausedMs: 4000, pauses: 1 });
    const { pauses: __, ...older } = run;
    expect(report({ ...head, run: older }, { ...empty, asOf: later(5000) }).duration?.pauses).toBe(0);
  });

  test('given as many pauses as are kept, then it says that there may have been older ones', () => {
    const pausesOf = (many: number) =>
      Array.from({ length: many }, (_, n) => ({ from: later(n), until: later(n + 1) }));
    const durationOf = (many: number) =>
      report({ ...head, run: { ...head.run, pauses: pausesOf(many) } }, empty).duration;
    expect(durationOf(keptPauses - 1)).not.toHaveProperty('olderPauses');
    expect(durationOf(keptPauses)).toMatchObject({ pausedMs: 100, pauses: 100, olderPauses: true });
  });

  test('variants have their own figures, in their stage and where they were drawn', () => {
    const counted = new ReportTally();
    const row = { stage: 'intro', status: 'sent', followUp: false, sent: true, pending: false };
    counted.addRows({
      rows: [
        { ...row, variant: 'a', count: 3 },
        { ...row, variant: 'b', count: 4, status: 'queued', sent: false, pending: true, code: 'http_503' },
        { ...row, variant: 'a', count: 1, followUp: true },
        { ...row, status: 'failed', sent: false, count: 1 },
        { ...row, code: 'timeout', count: 1 },
      ],
      ...{ latencies: [], moments: [] },
    });
    counted.addConversations({
      conversations: [
        { status: 'active', replied: false, count: 5 },
        { status: 'failed', outcome: 'failed', code: 'stage_missing', replied: false, count: 1 },
      ],
      draws: [
        { stage: 'draw', variant: 'a', conversations: 2, replied: 1 },
        { stage: 'draw', variant: 'a', conversations: 2, replied: 0 },
        { stage: 'draw', variant: null, conversations: 1, replied: 0 },
      ],
      ...{ delays: [], moments: [] },
    });
    const found = report(head, { ...reading, tally: counted });
    expect(found.funnel[0]).toMatchObject({ sent: 5, waiting: 4, failed: 1 });
    expect(found.funnel[0]?.variants).toEqual([
      { variant: 'a', sent: 4, followUps: 1, failed: 0, uncertain: 0, skipped: 0, waiting: 0 },
      { variant: 'b', sent: 0, followUps: 0, failed: 0, uncertain: 0, skipped: 0, waiting: 4 },
    ]);
    expect(found.splits).toEqual([
      { stage: 'draw', variant: 'a', conversations: 4, replied: 1, replyRate: 0.25 },
      { stage: 'draw', variant: 'none', conversations: 1, replied: 0, replyRate: 0 },
    ]);
    expect(found.errors).toEqual([
      { code: 'stage_missing', gaveUp: 0, waiting: 0, overcome: 0, conversations: 1 },
      { code: 'timeout', gaveUp: 0, waiting: 0, overcome: 1, conversations: 0 },
      { code: 'http_503', gaveUp: 0, waiting: 4, overcome: 0, conversations: 0 },
    ]);
    expect(found.notSent).toEqual([{ status: 'failed', words: 'no reason was recorded', count: 1 }]);
    expect(found.latency.unknown).toBe(5);
  });

  test('what is equally many has one order, in whichever it was counted', () => {
    const names = ['b', 'c', 'a'];
    const of = (order: readonly string[]) => {
      const counted = new ReportTally();
      const row = { followUp: false, sent: false, pending: false, status: 'skipped', stage: 'intro', count: 1 };
      const rows = order.map((name) => ({ ...row, reason: name, code: name, variant: name }));
      counted.addRows({ rows, latencies: [], moments: [] });
      const conversations = order.map((name) => ({ status: name, outcome: name, replied: false, count: 1 }));
      const draws = order.map((variant) => ({ stage: 'draw', variant, conversations: 1, replied: 0 }));
      counted.addConversations({ conversations, draws, delays: [], moments: [] });
      return report(head, { ...reading, tally: counted });
    };
    const { errors, notSent, splits, conversations, ...rest } = of(names);
    expect(of(names.toReversed())).toMatchObject({ errors, notSent, splits, conversations, funnel: rest.funnel });
    expect(errors.map(({ code }) => code)).toEqual(['a', 'b', 'c']);
    expect(conversations.statuses.map(({ status }) => status)).toEqual(['a', 'b', 'c']);
  });

  test('of a million, few are not none, and most are not all', () => {
    const counted = new ReportTally();
    const row = { stage: 'intro', followUp: false, pending: false };
    const rows = [
      { ...row, status: 'sent', sent: true, count: 999_970 },
      { ...row, status: 'failed', sent: false, reason: 'provider_rejected', count: 30 },
    ];
    counted.addRows({ rows, latencies: [], moments: [] });
    const conversations = [
      { status: 'completed', replied: false, count: 999_970 },
      { status: 'failed', replied: false, count: 30 },
    ];
    counted.addConversations({ conversations, draws: [], delays: [], moments: [] });
    const { rates, conversations: found } = report(head, { ...reading, tally: counted });
    expect(rates).toMatchObject({ completed: 0.99997, failed: 0.00003, sent: 0.99997 });
    expect(found.statuses.map(({ share }) => share)).toEqual([0.99997, 0.00003]);
  });

  test('what has no stage or status is counted all the same', () => {
    const counted = new ReportTally();
    counted.addRows({ rows: [{ followUp: false, sent: false, pending: false, count: 2 }], latencies: [], moments: [] });
    const conversations = [{ replied: true, count: 2 }];
    counted.addConversations({ conversations, draws: [], delays: [], moments: [] });
    const found = report({ ...head, metrics: undefined }, { ...reading, tally: counted });
    expect(found.messages.total).toBe(2);
    expect(found.conversations.statuses).toEqual([{ status: 'unknown', count: 2, share: 1 }]);
    expect(found.replies).toEqual({ count: 2, unknown: 2 });
    expect(found.funnel.map(({ stage }) => stage)).toEqual(['intro', 'quiet', 'unknown']);
  });
});

test('the tally counts as the counters are recounted, whatever is grouped how', () => {
  const status = fc.constantFrom('queued', 'sending', 'sent', 'failed', 'uncertain', 'skipped', 'delivered', 'bounced');
  const row = fc.record({
    ...{ stage: fc.constantFrom('a', 'b', '__proto__'), step: fc.nat(2), status, sent: fc.boolean() },
    ...{ pending: fc.boolean(), reason: fc.constantFrom(undefined, 'stopped', 'uncertain') },
  });
  const conversation = fc.record({
    status: fc.constantFrom('active', 'completed', 'failed', 'cancelled'),
    ...{ outcome: fc.constantFrom(undefined, 'done', 'constructor'), replied: fc.boolean() },
  });
  fc.assert(
    fc.property(fc.array(row), fc.array(conversation), (rows, conversations) => {
      const naive = new Recount();
      const counted = new ReportTally();
      for (const { sent, pending, reason, step, ...rest } of rows) {
        const told = { ...rest, step, ...(reason ? { reason } : {}), ...(sent ? { sentAt: start } : {}) };
        naive.row({ ...told, ...(pending ? { pending: true } : {}) } as never);
        const group = { ...rest, reason, sent, pending, followUp: step > 0, count: 1 };
        counted.addRows({ rows: [group], latencies: [], moments: [] });
      }
      for (const { outcome, replied, ...rest } of conversations) {
        const told = { ...rest, ...(outcome ? { outcome } : {}), ...(replied ? { repliedAt: start } : {}) };
        naive.conversation(told as never);
        const group = { ...rest, outcome, replied, count: 1 };
        counted.addConversations({ conversations: [group], draws: [], delays: [], moments: [] });
      }
      expect(new Map(counted.figures)).toEqual(new Map(naive.figures));
    }),
  );
});

test.each([
  [undefined, undefined],
  [null, undefined],
  ['a', 'a'],
  [{ a: 1 }, 'an object'],
])('%p as a word is %p', (value, expected) => {
  expect(word(value)).toBe(expected);
});
