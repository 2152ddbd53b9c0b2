import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { checkCampaign } from '../../../src/domain/campaign.ts';
import {
  type AgedReceipts,
  ageOf,
  ages,
  guardWarnings,
  judge,
  type Mark,
  markOf,
  resumedAt,
  startMark,
  withMark,
} from '../../../src/domain/guard.ts';
import { foldAged, foldCounters } from '../../../src/domain/metrics.ts';
import { channels } from './given.ts';

const none = ages.map(() => 0);
/** Receipts of one age. */
const aged = (name: string, count: number): number[] => ages.map((age) => (age.name === name ? count : 0));
const mark = (at: number, answered: number, failed = 0, receipts: Partial<AgedReceipts> = {}): Mark => ({
  at,
  answered,
  failed,
  receipts: { bounced: none, complained: none, ...receipts },
});

describe('what is asked for', () => {
  const faultsOf = (guard: unknown): string[] =>
    checkCampaign(
      {
        _id: 'spring',
        status: 'pending',
        audience: { contacts: [] },
        flow: { stages: [{ id: 'intro', type: 'message', channel: 'sms', content: { text: 'Hi' } }] },
        guard,
      },
      { channels, reservedCollections: [] },
    ).faults.map(({ code, path, message }) => `${code} ${path}: ${message}`);

  test.each<[unknown, string | undefined]>([
    [{ errorRate: 0.1, bounceRate: 0.05, complaintRate: 0.001, over: 200 }, undefined],
    [{ complaintRate: 1 }, undefined],
    [{ over: 50 }, 'required guard: says no rate, so it would never pause anything'],
    [{}, 'required guard: '],
    [{ errorRate: 0 }, 'not_allowed guard.errorRate: was 0; it has to be a number, at most 1, more than 0'],
    [{ errorRate: 1.01 }, 'not_allowed guard.errorRate: was 1.01'],
    [{ bounceRate: Number.NaN }, 'guard.bounceRate: was NaN'],
    [{ complaintRate: '0.1' }, 'type guard.complaintRate: was "0.1"'],
    [{ errorRate: 0.1, over: 0 }, 'not_allowed guard.over: was 0; it has to be a whole number, at least 1'],
    [{ errorRate: 0.1, over: 1.5 }, 'type guard.over: was 1.5'],
    [
      { errorrate: 0.1 },
      'unknown_field guard.errorrate: there is no field "errorrate" here. Did you mean "errorRate"?',
    ],
    ['strict', 'type guard: was "strict"'],
    [null, 'type guard: was null'],
  ])('%j', (guard, says) => {
    const found = faultsOf(guard);
    expect(found).toHaveLength(says === undefined ? 0 : 1);
    if (says !== undefined) expect(found[0]).toContain(says);
  });

  test('a rate that the first message of a window is more than is told to its author', () => {
    expect(guardWarnings({ errorRate: 0.1, complaintRate: 0.001, over: 200 })).toMatchObject([
      { code: 'guard_rash', path: 'guard.complaintRate', message: expect.stringContaining('in over, 200') },
    ]);
    expect([undefined, { errorRate: 0.01 }, { errorRate: 0.001, over: 1000 }].flatMap(guardWarnings)).toEqual([]);
  });
});

describe('what is counted', () => {
  test('errors are what the provider refused and what was given up; what we chose not to send is none', () => {
    const counts = {
      messages: { sent: 70, failed: 20, uncertain: 5, skipped: 40 },
      reasons: { provider_rejected: 8, address_invalid: 4, retries_exhausted: 3, contact_invalid: 5, suppressed: 40 },
    };
    const { metrics } = foldCounters([{ counts }], new Date(0));
    const receipts = foldAged([
      { counts: { aged: { bounced: { '10s': 2, older: 1 }, complained: { '1d': 4 } } } },
      { counts: { aged: { bounced: { '10s': 3 } } } },
      { counts: 'none' },
    ]);
    expect(markOf(metrics, receipts, 7)).toEqual({
      ...{ at: 7, answered: 90, failed: 15 },
      receipts: { bounced: [5, 0, 0, 0, 0, 1], complained: [0, 0, 0, 0, 4, 0] },
    });
    expect(markOf(foldCounters([], new Date(0)).metrics, foldAged([]), 7)).toEqual(mark(7, 0));
  });

  test.each([
    [-5, '10s'],
    [10_000, '10s'],
    [10_001, '1m'],
    [86_400_000, '1d'],
    [86_400_001, 'older'],
    [Number.NaN, 'older'],
  ])('a receipt %d ms after its message counts under %s', (ms, name) => expect(ageOf(ms)).toBe(name));

  test('the period begins with the last resume', () => {
    const date = (ms: number) => new Date(ms);
    expect([{}, { pauses: [] }, { pauses: [{ from: date(1) }] }].map(resumedAt)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(
      resumedAt({
        pauses: [
          { from: date(1), until: date(2) },
          { from: date(3), until: date(4) },
        ],
      }),
    ).toBe(4);
    expect(resumedAt({ pauses: [{ from: date(1), until: date(2) }, { from: date(3) }] })).toBe(2);
  });

  test('marks are bounded; the first and the newest stay', () => {
    let marks: Mark[] = [startMark];
    for (let at = 1; at <= 10_000; at++) {
      marks = withMark(marks, mark(at, at));
      expect(marks.length).toBeLessThanOrEqual(256);
    }
    expect([marks[0], ...marks.slice(-100)]).toEqual([
      startMark,
      ...Array.from({ length: 100 }, (_, n) => mark(9901 + n, 9901 + n)),
    ]);
    expect(marks.map(({ at }) => at)).toEqual(marks.map(({ at }) => at).toSorted((a, b) => a - b));
  });
});

describe('errors', () => {
  const guard = { errorRate: 0.1, over: 200 };

  test.each([
    ['fewer than over were answered', [startMark], mark(1, 199, 199), undefined],
    ['as many as it allows', [startMark], mark(1, 200, 20), undefined],
    [
      'one more',
      [startMark],
      mark(1, 200, 21),
      '21 of the newest 200 messages failed for good (10.5 %), more than 0.1',
    ],
    ['many good ones before', [startMark, mark(1, 1_000_000)], mark(2, 1_000_200, 21), '21 of the newest 200 messages'],
    ['failures before the newest ones', [startMark, mark(1, 500, 40)], mark(2, 900, 41), undefined],
    ['those since a resume', [mark(1, 500, 500)], mark(2, 700, 520), undefined],
    ['too many since a resume', [mark(1, 500, 500)], mark(2, 700, 521), '21 of the newest 200 messages'],
    ['too few since a resume', [mark(1, 500, 500)], mark(2, 699, 699), undefined],
    ['documents that were mended', [mark(1, 500, 500)], mark(2, 720, 100), undefined],
  ])('given %s', (_, marks, now, says) => {
    const fault = judge(guard, marks, now);
    if (says === undefined) expect(fault).toBeUndefined();
    else {
      expect(fault).toMatchObject({ code: 'guard_tripped', path: 'guard.errorRate' });
      expect(fault?.message).toContain(says);
    }
  });

  test('without over it looks at 200', () => {
    const found = [199, 200].map((answered) => judge({ errorRate: 0.5 }, [startMark], mark(1, answered, answered)));
    expect(found.map((fault) => fault?.path)).toEqual([undefined, 'guard.errorRate']);
  });
});

describe('bounces and complaints', () => {
  const guard = { bounceRate: 0.05, over: 100 };
  const minute = 60_000;

  test.each<[string, Mark[], Mark, string | undefined]>([
    ['no marks: it is since the start', [], mark(minute, 100, 0, { bounced: aged('10s', 6) }), undefined],
    [
      'quick ones',
      [startMark],
      mark(minute, 100, 0, { bounced: aged('10s', 6) }),
      '6 of the newest 100 messages bounced (6 %)',
    ],
    ['as many as it allows', [startMark], mark(minute, 100, 0, { bounced: aged('10s', 5) }), undefined],
    [
      'old ones while few messages leave: they are about the many from before',
      [startMark, mark(1000 * minute, 100_000)],
      mark(1060 * minute, 100_200, 0, { bounced: aged('1d', 500) }),
      undefined,
    ],
    [
      'quick ones after a million good ones',
      [startMark, mark(1000 * minute, 1_000_000), mark(1001 * minute, 1_001_000)],
      mark(1002 * minute, 1_002_000, 0, { bounced: aged('10s', 400) }),
      '400 of the newest 2,000 messages bounced (20 %)',
    ],
    [
      'old ones that come after a resume',
      [mark(10 * minute, 1000), mark(11 * minute, 1100)],
      mark(12 * minute, 1200, 0, { bounced: aged('10m', 1000) }),
      undefined,
    ],
    [
      'what came since so long after a resume that it is about what left since',
      [mark(10 * minute, 1000), mark(20 * minute, 1100), mark(21 * minute, 1150)],
      mark(22 * minute, 1200, 0, { bounced: aged('10m', 30) }),
      '30 of the newest 200 messages bounced (15 %)',
    ],
    [
      'ages that only together are too many',
      [startMark],
      mark(minute, 100, 0, { bounced: ages.map(() => 1) }),
      '6 of the newest 100 messages',
    ],
  ])('given %s', (_, marks, now, says) => {
    const fault = judge(guard, marks, now);
    if (says === undefined) expect(fault).toBeUndefined();
    else {
      expect(fault).toMatchObject({ code: 'guard_tripped', path: 'guard.bounceRate' });
      expect(fault?.message).toContain(says);
    }
  });

  test('complaints have a rate of their own, and the first rate that is passed is told', () => {
    const receipts = { bounced: aged('1m', 10), complained: aged('1h', 2) };
    const now = mark(minute, 1000, 0, receipts);
    const rates = { errorRate: 0.5, bounceRate: 0.05, complaintRate: 0.001 };
    expect(judge(rates, [startMark], now)).toMatchObject({
      path: 'guard.complaintRate',
      message: expect.stringContaining('2 of the newest 1,000 messages were complained about (0.2 %), more than 0.001'),
    });
    expect(judge({ ...rates, errorRate: 0.001 }, [startMark], { ...now, failed: 2 })?.path).toBe('guard.errorRate');
  });
});

describe('what it says is true', () => {
  /** One message: when it was answered, and after how long it bounced, ms. */
  const message = fc.record({
    at: fc.integer({ min: 0, max: 200_000 }),
    bounces: fc.option(fc.oneof(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 150_000 })), {
      nil: undefined,
      freq: 2,
    }),
  });
  type Sent = { at: number; bounces: number | undefined };
  const seenAt = (all: readonly Sent[], at: number): Mark => {
    const bounced = [...none];
    for (const one of all) {
      if (one.bounces === undefined || one.at + one.bounces > at) continue;
      const index = ages.findIndex(({ name }) => name === ageOf(one.bounces as number));
      bounced[index] = (bounced[index] ?? 0) + 1;
    }
    return mark(at, all.filter((one) => one.at <= at).length, 0, { bounced });
  };
  /** The largest share that has bounced by then of those since any moment of the period. */
  const truth = (all: readonly Sent[], begin: number, now: number): number => {
    const period = all.filter(({ at }) => at > begin && at <= now).toSorted((a, b) => b.at - a.at);
    let bounced = 0;
    return period.reduce((most, one, index) => {
      if (one.bounces !== undefined && one.at + one.bounces <= now) bounced += 1;
      // all of one moment count together
      return period[index + 1]?.at === one.at ? most : Math.max(most, bounced / (index + 1));
    }, 0);
  };

  test('whenever bounces come, a campaign is paused only if that share of messages since some moment bounced', () => {
    const looks = fc.uniqueArray(fc.integer({ min: 1, max: 400_000 }), { minLength: 1, maxLength: 60 });
    let tripped = 0;
    fc.assert(
      fc.property(fc.array(message, { maxLength: 60 }), looks, fc.option(fc.nat(200_000)), (all, times, resume) => {
        const begin = resume ?? Number.NEGATIVE_INFINITY;
        let marks = [resume === null ? startMark : seenAt(all, resume)];
        for (const at of times.filter((time) => time > begin).toSorted((a, b) => a - b)) {
          const now = seenAt(all, at);
          const found = judge({ bounceRate: 0.3, over: 5 }, marks, now);
          if (found !== undefined) {
            tripped += 1;
            expect(truth(all, begin, at)).toBeGreaterThan(0.3);
          }
          marks = withMark(marks, now);
        }
      }),
      { numRuns: 500 },
    );
    expect(tripped).toBeGreaterThan(100);
  });
});
