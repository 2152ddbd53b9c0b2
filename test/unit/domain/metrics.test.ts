import { describe, expect, test } from '@jest/globals';
import { Long } from 'bson';
import fc from 'fast-check';
import { emptyMetrics, foldCounters, results } from '../../../src/domain/metrics.ts';
import type { Run } from '../../../src/domain/model.ts';

const now = new Date('2026-01-05T12:00:00Z');

describe('foldCounters', () => {
  test('given nothing, then all is zero', () => {
    const { metrics, pending } = foldCounters([], now);
    expect(pending).toBe(0);
    expect(metrics).toEqual({
      total: 0,
      active: 0,
      completed: 0,
      escalated: 0,
      failed: 0,
      suppressed: 0,
      cancelled: 0,
      replied: 0,
      messages: { sent: 0, failed: 0, uncertain: 0, skipped: 0, followUps: 0, delivered: 0, bounced: 0, complained: 0 },
      stages: {},
      reasons: {},
      outcomes: {},
      updatedAt: now,
    });
    expect(emptyMetrics(now)).toEqual(metrics);
  });

  test('given the counters of two members, then they add up', () => {
    const { metrics, pending } = foldCounters(
      [
        {
          pending: 3,
          counts: {
            total: 5,
            active: 5,
            messages: { sent: 2, followUps: 1 },
            stages: { intro: { entered: 5, sent: 2 } },
            reasons: { address_missing: 1 },
            outcomes: { replied: 1 },
          },
        },
        {
          pending: -1,
          counts: {
            active: Long.fromNumber(-2),
            completed: 2,
            replied: 1,
            messages: { sent: 1 },
            stages: { intro: { replied: 1 }, offer: { entered: 1 } },
            outcomes: { replied: 1, finished: 1 },
          },
        },
        {},
      ],
      now,
    );
    expect(pending).toBe(2);
    expect(metrics).toMatchObject({
      total: 5,
      active: 3,
      completed: 2,
      replied: 1,
      messages: { sent: 3, followUps: 1, bounced: 0 },
      stages: { intro: { entered: 5, sent: 2, replied: 1 }, offer: { entered: 1, sent: 0, replied: 0 } },
      reasons: { address_missing: 1 },
      outcomes: { replied: 2, finished: 1 },
    });
  });

  test('given a stage called constructor, then it is counted under that very name', () => {
    const { metrics } = foldCounters(
      [{ counts: { stages: { constructor: { entered: 2 } }, outcomes: { toString: 1 } } }],
      now,
    );
    expect(Object.entries(metrics.stages)).toEqual([['constructor', { entered: 2, sent: 0, replied: 0 }]]);
    expect(Object.entries(metrics.outcomes)).toEqual([['toString', 1]]);
  });

  test('given rubbish, then it counts as nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ pending: fc.anything(), counts: fc.anything() })), (list) => {
        const { metrics, pending } = foldCounters(list, now);
        expect([pending, metrics.total, metrics.messages.sent].every(Number.isFinite)).toBe(true);
      }),
      { numRuns: 100 },
    );
    expect(foldCounters([{ pending: Number.NaN, counts: { total: 'x', stages: 7 } }], now).metrics.total).toBe(0);
  });

  test('given numbers too large for their sum, then the sum stays a number', () => {
    const huge = { pending: Number.MAX_VALUE, counts: { total: Number.MAX_VALUE } };
    const { metrics, pending } = foldCounters([huge, huge], now);
    expect([pending, metrics.total]).toEqual([Number.MAX_VALUE, Number.MAX_VALUE]);
  });
});

describe('results', () => {
  const run = (more: Partial<Run> = {}): Run =>
    ({
      flow: {
        stages: [
          { id: 'intro', type: 'message' },
          { id: 'pause', type: 'wait' },
        ],
      },
      startedAt: new Date('2026-01-04T09:58:52.5Z'),
      ...more,
    }) as Run;

  test('given figures, then there are outcomes, the funnel in order, durations and rates', () => {
    const { metrics } = foldCounters(
      [
        {
          counts: {
            total: 3,
            completed: 2,
            failed: 1,
            replied: 1,
            messages: { sent: 3, failed: 1, delivered: 2, bounced: 1 },
            stages: { intro: { entered: 3, sent: 3, replied: 1 } },
            outcomes: { replied: 1, finished: 1, failed: 1 },
          },
        },
      ],
      now,
    );
    expect(results(run(), metrics, now)).toEqual({
      total: 3,
      statuses: { completed: 2, escalated: 0, failed: 1, suppressed: 0, cancelled: 0 },
      outcomes: { replied: 1, finished: 1, failed: 1 },
      funnel: [
        { stage: 'intro', type: 'message', entered: 3, sent: 3, replied: 1 },
        { stage: 'pause', type: 'wait', entered: 0, sent: 0, replied: 0 },
      ],
      durations: { running: 'PT26H1M7.5S' },
      rates: {
        completed: 0.6667,
        escalated: 0,
        failed: 0.3333,
        suppressed: 0,
        cancelled: 0,
        replied: 0.3333,
        sent: 0.75,
        delivered: 0.6667,
        bounced: 0.25,
      },
    });
  });

  test('given migrations, then who went over and who stayed is told by stage; of others nothing is said', () => {
    const migrations = { 1: { moved: { a: 2 }, stayed: { b: 1 } }, 2: { moved: 'x' } };
    const { metrics } = foldCounters(
      [{ counts: { migrations } }, { counts: { migrations: { 1: { moved: { a: 3 } } } } }],
      now,
    );
    expect(metrics.migrations).toEqual({ 1: { moved: { a: 5 }, stayed: { b: 1 } }, 2: { moved: {}, stayed: {} } });
    expect(foldCounters([], now).metrics).not.toHaveProperty('migrations');
  });

  test('given variants of a split, then the funnel has them; whatever was counted there by others is nothing', () => {
    const counts = {
      variants: { intro: { a: { entered: 2, sent: 2 }, b: { entered: 1, replied: 1, sent: 'x' } }, odd: 7 },
    };
    const { metrics } = foldCounters([{ counts }, { counts: { variants: { intro: { a: { entered: 1 } } } } }], now);
    const a = { entered: 3, sent: 2, replied: 0 };
    const b = { entered: 1, sent: 0, replied: 1 };
    expect(metrics.variants).toEqual({ intro: { a, b }, odd: {} });
    expect(results(run(), metrics, now)['funnel']).toMatchObject([
      { stage: 'intro', variants: { a, b } },
      { stage: 'pause' },
    ]);
    expect((results(run(), metrics, now)['funnel'] as object[])[1]).not.toHaveProperty('variants');
  });

  test('given a campaign that never started, then nothing is divided by zero', () => {
    const { startedAt: _, ...rest } = run();
    const found = results(rest as Run, emptyMetrics(now), now);
    expect(found['durations']).toEqual({});
    expect(Object.values(found['rates'] as object).every((rate) => rate === 0)).toBe(true);
  });

  test('given a clock that went back, then the duration is zero', () => {
    const found = results(run({ startedAt: new Date(now.getTime() + 5) }), emptyMetrics(now), now);
    expect(found['durations']).toEqual({ running: 'PT0S' });
  });
});
