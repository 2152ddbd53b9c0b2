/** Snapshots as the live view gets them. */
import fc from 'fast-check';
import type { Snapshot } from '../../../../src/cli/watch/watchModel.ts';

const at = new Date('2026-03-02T09:12:31Z');

export const sample = (change: Partial<Snapshot> = {}): Snapshot => ({
  at,
  campaign: 'spring-2026',
  name: 'Spring launch',
  status: 'running',
  started: true,
  over: false,
  startedAt: new Date('2026-03-02T09:00:00Z'),
  endedByDate: false,
  metrics: {
    total: 120_000,
    active: 45_350,
    completed: 71_000,
    escalated: 0,
    failed: 3400,
    suppressed: 250,
    cancelled: 0,
    messages: {
      sent: 203_412,
      failed: 3400,
      uncertain: 2,
      skipped: 12,
      followUps: 61_022,
      delivered: 0,
      bounced: 0,
      complained: 0,
    },
    replied: 18_020,
    stages: {
      intro: { entered: 120_000, sent: 180_000, replied: 15_020 },
      thanks: { entered: 15_020, sent: 15_020, replied: 3000 },
    },
    reasons: { provider_rejected: 2900, retries_exhausted: 500, address_missing: 12 },
    outcomes: { no_answer: 56_000, finished: 15_000, failed: 3400, unsubscribed: 250 },
    updatedAt: at,
  },
  pending: 1210,
  expansion: { expanded: 120_000, skipped: { duplicate_contact: 3 }, done: true },
  funnel: [
    { stage: 'intro', type: 'message', entered: 120_000, sent: 180_000, replied: 15_020 },
    { stage: 'pause', type: 'wait', entered: 60_000, sent: 0, replied: 0 },
    { stage: 'thanks', type: 'message', entered: 15_020, sent: 15_020, replied: 3000 },
    { stage: 'quiet', type: 'end', entered: 56_000, sent: 0, replied: 0 },
  ],
  rates: { sent: 1240.33, ended: 310.5, entered: 0 },
  sentRates: Array.from({ length: 100 }, (_, index) => 800 + 400 * Math.sin(index / 7)),
  due: {
    now: { count: 10_000, more: true },
    later: [
      { count: 820, more: false, withinMs: 60_000 },
      { count: 10_000, more: true, withinMs: 3_600_000 },
      { count: 0, more: false, withinMs: 86_400_000 },
      { count: 4, more: false },
    ],
    next: new Date('2026-03-02T09:12:40Z'),
    nextIsBound: false,
  },
  drainMs: 8064,
  estimate: { kind: 'none', why: 'waiting' },
  delays: [
    { code: 'silent', text: 'a silent member, taken over when its lease ends, owns 2 partitions: 4, 9', stops: false },
    { code: 'retry', text: '391 conversations waiting for another try', stops: false },
  ],
  troubles: [
    {
      kind: 'retry',
      code: 'http_503',
      count: 391,
      more: false,
      message: 'HTTP 503: maintenance',
      messageId: 'spring-2026:c7/2',
    },
    {
      kind: 'reason',
      code: 'provider_rejected',
      count: 2900,
      more: false,
      message: 'http_422: HTTP 422: no such mailbox',
      messageId: 'spring-2026:c31/1',
    },
    {
      kind: 'reason',
      code: 'retries_exhausted',
      count: 500,
      more: false,
      message: 'it was tried as often, or as long, as its channel allows',
    },
  ],
  members: [
    {
      id: '0b5a52c1-2f0e-4c58-9d55-6f0c0e3f4d10',
      host: 'worker-0',
      thread: 0,
      life: 'alive',
      partitions: 32,
      share: 32,
      beat: 12_041,
      lagSeconds: 0,
      rate: 640,
    },
    {
      id: '7d1fb6b4-53c8-4d93-8c13-0b1ff3c76c2a',
      host: 'worker-1',
      thread: 0,
      life: 'silent',
      partitions: 32,
      share: 32,
      beat: 9004,
      lagSeconds: 14,
      rate: 0,
    },
  ],
  partitions: 64,
  ...change,
});

export const paused = sample({
  status: 'paused',
  delays: [
    { code: 'paused', text: 'it is paused by the service itself (channel_unknown: no channel sms)', stops: true },
  ],
  error: { code: 'channel_unknown', message: 'no channel sms', path: 'flow.stages[2].channel' },
  estimate: { kind: 'none', why: 'not_running' },
  rates: { sent: 0, ended: 0, entered: 0 },
});

export const wide = sample({
  campaign: '春の発売-🚀',
  name: '春の発売キャンペーン 👨‍👩‍👧 '.repeat(8),
  funnel: [{ stage: 's'.repeat(64), type: 'message', entered: 3, sent: 2, replied: 1 }],
});

// ---------------------------------------------------------------- anything

/** As documents of others come out of `safe`: any text without control characters. */
const text = fc.string({ unit: 'grapheme', maxLength: 40 }).map((value) => value.replaceAll(/\p{C}/gu, ' '));
const whole = fc.nat(2_000_000_000);
const count = fc.record({ count: whole, more: fc.boolean() });
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });

export const anySnapshot: fc.Arbitrary<Snapshot> = fc
  .record({
    campaign: text,
    name: text,
    status: fc.oneof(fc.constantFrom('running', 'paused', 'completed', 'deleted'), text),
    started: fc.boolean(),
    over: fc.boolean(),
    pending: whole,
    error: optional(fc.record({ code: text, message: text, path: text })),
    outcomes: fc.dictionary(text, whole, { maxKeys: 30 }),
    figures: fc.record({ total: whole, active: whole, completed: whole, failed: whole, cancelled: whole }),
    expansion: fc.record({ expanded: whole, skipped: fc.dictionary(text, whole), done: fc.boolean() }),
    funnel: fc.array(fc.record({ stage: text, type: text, entered: whole, sent: whole, replied: whole }), {
      maxLength: 25,
    }),
    rates: fc.record({ sent: fc.double({ min: 0, max: 1e9, noNaN: true }) }),
    sentRates: fc.array(fc.double({ min: 0, max: 1e9, noNaN: true }), { maxLength: 300 }),
    due: optional(fc.record({ now: count, later: fc.array(count, { maxLength: 5 }) })),
    delays: fc.array(fc.record({ code: fc.constant('retry' as const), text, stops: fc.boolean() }), { maxLength: 40 }),
    troubles: fc.array(
      fc.record({
        kind: fc.constantFrom('reason' as const, 'retry' as const),
        code: text,
        count: whole,
        more: fc.boolean(),
        message: text,
        messageId: text,
      }),
      { maxLength: 25 },
    ),
    members: optional(
      fc.array(
        fc.record({
          id: text,
          host: text,
          thread: whole,
          life: fc.constantFrom('alive' as const, 'silent' as const, 'unknown' as const),
          partitions: whole,
          share: whole,
          beat: whole,
        }),
        { maxLength: 25 },
      ),
    ),
  })
  .map(({ figures, outcomes, due, members, error, ...change }) => {
    const { due: _, members: __, ...base } = sample();
    return {
      ...base,
      ...change,
      metrics: { ...base.metrics, ...figures, outcomes },
      ...(due === undefined ? {} : { due }),
      ...(members === undefined ? {} : { members }),
      ...(error === undefined ? {} : { error }),
    };
  });
