import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { percentile, type Row, type Snapshot, tally } from '../../../../src/cli/demo/demoFigures.ts';
import type { Delivery } from '../../../../src/cli/demo/demoProvider.ts';
import { showNext, showSummary, summaryRecord } from '../../../../src/cli/demo/demoSummary.ts';
import { type Facts, judge } from '../../../../src/cli/demo/demoVerdict.ts';
import { intro, renderPanel, renderProgress } from '../../../../src/cli/demo/demoView.ts';
import { cells, sparkline } from '../../../../src/cli/drawing.ts';
import { visibleLength } from '../../../../src/cli/output.ts';
import { context } from '../host.ts';

const due = new Date('2026-01-05T09:00:00.000Z');
const row = (_id: string, more: Partial<Row> = {}): Row => ({
  _id,
  stage: 'welcome',
  step: 0,
  channel: 'email',
  status: 'sent',
  attempts: 1,
  dueAt: due,
  sentAt: new Date(due.getTime() + 20),
  ...more,
});
const delivery = (more: Partial<Delivery> = {}): Delivery => ({
  accepted: 1,
  unavailable: 0,
  refused: 0,
  digest: 'x',
  changed: false,
  ...more,
});

describe('the reckoning', () => {
  test('rows and deliveries that agree: nothing lost, nothing repeated', async () => {
    const rows = [
      row('c:1/1'),
      row('c:1/2', { step: 1, attempts: 3, sentAt: new Date(due.getTime() + 2000) }),
      (({ sentAt: _, ...failed }) => failed)(row('c:2/1', { status: 'failed' })),
    ];
    const result = await tally(
      rows,
      new Map([
        ['c:1/1', delivery()],
        ['c:1/2', delivery({ unavailable: 2 })],
        ['c:2/1', delivery({ accepted: 0, refused: 1 })],
      ]),
    );
    expect(result).toMatchObject({
      rows: 3,
      sent: 2,
      retries: 2,
      lost: 0,
      unrecorded: 0,
      repeated: 0,
      changed: 0,
      peakPerSecond: 1,
    });
    expect(result.retriedLatencies).toEqual([2000]);
    expect(result.lines).toMatchObject([
      { stage: 'welcome', step: 0, sent: 1, failed: 1, latencies: [20] },
      { stage: 'welcome', step: 1, sent: 1, retries: 2, latencies: [] },
    ]);
  });

  test('what disagrees is counted for what it is', async () => {
    const result = await tally(
      [row('lost'), row('twice'), row('other')],
      new Map([
        ['twice', delivery({ accepted: 2 })],
        ['other', delivery({ changed: true })],
        ['unknown', delivery()],
      ]),
    );
    expect(result).toMatchObject({ lost: 1, repeated: 1, changed: 1, unrecorded: 1 });
  });

  test('percentiles are nearest ranks', () => {
    expect([percentile([1, 2, 3, 4], 0.5), percentile([1, 2, 3, 4], 0.99), percentile([], 0.5)]).toEqual([
      2,
      4,
      undefined,
    ]);
  });
});

async function facts(more: Partial<Facts> = {}): Promise<Facts> {
  return {
    contacts: 2,
    status: 'completed',
    metrics: { total: 2, completed: 1, failed: 1, messages: { sent: 1 } } as unknown as NonNullable<Facts['metrics']>,
    endings: { statuses: { completed: 1, failed: 1 }, outcomes: { activated: 1, failed: 1 }, heard: 1 },
    tally: await tally([row('c:1/1')], new Map([['c:1/1', delivery()]])),
    accepted: 1,
    replies: 1,
    repliesFailure: undefined,
    ...more,
  };
}
const failing = (given: Facts): string[] =>
  judge(given)
    .filter(({ ok }) => !ok)
    .map(({ text }) => text);

describe('the verdict', () => {
  test('figures that add up pass', async () => {
    expect(failing(await facts())).toEqual([]);
  });

  test.each<[string, Partial<Facts>, RegExp]>([
    ['a campaign that is still running', { status: 'running' }, /the campaign is running/],
    ['a conversation too few', { contacts: 3 }, /3 contacts agreed, 2 conversations/],
    [
      'one that did not end',
      { endings: { statuses: { completed: 1, active: 1 }, outcomes: {}, heard: 1 } },
      /1 of them ended/,
    ],
    ['no metrics', { metrics: undefined }, /metrics.total 0/],
    ['a message the provider does not know', { accepted: 0 }, /0 messages at the provider/],
    ['a reply nobody consumed', { replies: 2 }, /2 replies pushed, 1 consumed/],
    ['replies that could not be pushed', { repliesFailure: 'no primary' }, /no primary/],
  ])('%s does not', async (_, more, text) => {
    expect(failing(await facts(more)).join('\n')).toMatch(text);
  });
});

const snapshot: Snapshot = {
  elapsedMs: 64_500,
  status: 'running',
  contacts: 2000,
  statuses: { active: 1200, completed: 780, failed: 20 },
  stages: { welcome: 1100, tips: 100 },
  retrying: 12,
  accepted: 3214,
  rate: 411.6,
  unavailable: 214,
  refused: 20,
  down: true,
  replies: 310,
  partitions: [32, 32],
};

describe('what it shows', () => {
  test('cells add up to what is filled, and what is there is seen', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(2000), { minLength: 5, maxLength: 5 }),
        fc.integer({ min: 10, max: 60 }),
        (values, width) => {
          const total = Math.max(
            1,
            values.reduce((sum, value) => sum + value, 0),
          );
          const drawn = cells(values, total, width);
          expect(drawn.reduce((sum, cell) => sum + cell, 0)).toBe(values.some((value) => value > 0) ? width : 0);
          for (const [index, value] of values.entries()) if (value > 0) expect(drawn[index]).toBeGreaterThan(0);
        },
      ),
    );
  });

  test('the panel has a constant number of lines, each within a terminal of 80 columns, as long as it is told', () => {
    const { out } = context({}, { tty: true });
    const lines = renderPanel(snapshot, [1, 5, 400], 80, out.color);
    const empty = renderPanel(
      { ...snapshot, statuses: {}, stages: {}, partitions: [], down: false, unavailable: 0, refused: 0 },
      [],
      80,
      out.color,
    );
    expect(lines).toHaveLength(empty.length);
    for (const line of [...lines, ...empty]) expect(visibleLength(line)).toBeLessThan(80);
    const text = lines.join('\n');
    expect(text).toContain('01:04');
    expect(text).toContain('DOWN');
    expect(text).toContain('32 + 32');
  });

  test('a pipe gets one line for each look', () => {
    expect(renderProgress(snapshot)).toBe(
      '01:04  completed 780, failed 20, active 1,200 · 3,214 messages (412/s) · 310 replies · provider down (503) · 12 to be tried again',
    );
    expect(sparkline([0, 50, 100], 2)).toBe('▅█');
  });

  test('it begins by saying what will happen', () => {
    const { out } = context();
    expect(intro(2000, 'a database', out.color)).toHaveLength(5);
  });

  test('it ends with outcomes that add up, the verdict, and where to look next', async () => {
    const { out, stdout } = context();
    const given = await facts();
    showSummary(given, judge(given), 21_000, out);
    showNext({ uri: 'mongodb://x', database: 'demo', kept: true }, out);
    expect(stdout.text).toMatch(/^total +2/m);
    expect(stdout.text).toContain('verified: 2 conversations, 1 message at the provider, 0 lost, 0 repeated');
    expect(stdout.text).toContain(
      "MONGODB_URI='mongodb://x' MONGODB_DATABASE=demo npx communication-base status onboarding",
    );
    expect(summaryRecord(given, judge(given), 21_000)).toMatchObject({
      type: 'summary',
      ok: true,
      dueToSent: { p50Ms: 20 },
    });
  });

  test('what does not add up is said', async () => {
    const { out, stdout } = context();
    const given = await facts({ accepted: 7 });
    showSummary(given, judge(given), 21_000, out);
    expect(stdout.text).toContain('NOT as it should be');
    expect(stdout.text).toMatch(/✗ 7 messages at the provider/);
  });
});
