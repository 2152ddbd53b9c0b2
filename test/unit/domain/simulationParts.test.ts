/** What a simulation is put together from. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ChannelPace } from '../../../src/domain/channelPace.ts';
import { draw, draws } from '../../../src/domain/draws.ts';
import type { Conversation } from '../../../src/domain/model.ts';
import { counts, happens, parseChance } from '../../../src/domain/simulatedEvents.ts';
import type { SimulatedMessage } from '../../../src/domain/simulation.ts';
import { becauseOf } from '../../../src/domain/simulationModel.ts';
import { SimulationTally } from '../../../src/domain/simulationTally.ts';
import { TimeQueue } from '../../../src/domain/timeQueue.ts';
import { seconds, t0 } from './given.ts';
import { flowOf } from './simulated.ts';

describe('draws', () => {
  test('are uniform, also for names that are alike', () => {
    const names = Array.from({ length: 20_000 }, (_, n) => draw(7, `reply 0 spring:c${n}/1`));
    for (let tenth = 0; tenth < 10; tenth += 1) {
      const share = names.filter((value) => Math.floor(value * 10) === tenth).length / names.length;
      expect(Math.abs(share - 0.1)).toBeLessThan(0.015);
    }
  });

  test('are the same for the same seed, in [0, 1)', () => {
    fc.assert(
      fc.property(fc.integer(), fc.string(), (seed, name) => {
        expect(draw(seed, name)).toBe(draw(seed, name));
        expect(draw(seed, name)).toBeGreaterThanOrEqual(0);
        expect(draw(seed, name)).toBeLessThan(1);
        const [one, other] = [draws(seed), draws(seed)];
        const taken = Array.from({ length: 5 }, one);
        expect(taken).toEqual(Array.from({ length: 5 }, other));
        expect(taken.every((value) => value >= 0 && value < 1)).toBe(true);
      }),
    );
    expect(draw(1, 'a')).not.toBe(draw(2, 'a'));
  });
});

test.each<[string, Parameters<typeof becauseOf>[0]]>([
  ['rate', { conversation: { nextActionAt: new Date(t0) }, isInFlight: false, waitsSince: t0, waitedMs: 0 }],
  ['answer', { conversation: {}, isInFlight: true, waitsSince: undefined, waitedMs: 0 }],
  ['event', { conversation: {}, isInFlight: false, waitsSince: undefined, waitedMs: 0 }],
  [
    'retry',
    {
      conversation: { nextActionAt: new Date(t0), delayed: 'retry' },
      isInFlight: false,
      waitsSince: undefined,
      waitedMs: 5,
    },
  ],
  ['flow', { conversation: { nextActionAt: new Date(t0 + 9) }, isInFlight: false, waitsSince: undefined, waitedMs: 0 }],
  ['flow', { conversation: { nextActionAt: new Date(t0 + 9) }, isInFlight: false, waitsSince: undefined, waitedMs: 8 }],
  ['rate', { conversation: { nextActionAt: new Date(t0 + 9) }, isInFlight: false, waitsSince: undefined, waitedMs: 9 }],
])('what an open conversation waits for at the end: %s', (because, subject) => {
  expect(becauseOf(subject, t0)).toBe(because);
});

test('a queue gives the earliest first, of one time the urgent, and then what came first, however puts and takes mix', () => {
  const step = fc.option(fc.tuple(fc.nat(5), fc.boolean()), { nil: undefined });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (script) => {
      const queue = new TimeQueue<number>();
      const model: { at: number; isUrgent: boolean; item: number }[] = [];
      const next = (): number | undefined => {
        model.sort((a, b) => a.at - b.at || Number(b.isUrgent) - Number(a.isUrgent) || a.item - b.item);
        return model.shift()?.item;
      };
      for (const [item, put] of script.entries()) {
        if (put === undefined) expect(queue.take()?.item).toBe(next());
        else {
          const [at, isUrgent] = put;
          queue.put(at, item, isUrgent);
          model.push({ at, isUrgent, item });
        }
      }
      for (let left = model.length; left >= 0; left -= 1) expect(queue.take()?.item).toBe(next());
    }),
  );
});

describe('a channel', () => {
  test('over any span lets no more through than its rate and a burst of as many', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.array(fc.nat(400), { maxLength: 40 }), (perSecond, gaps) => {
        const pace = new ChannelPace({ concurrency: 1e9, perSecond, latencyMs: 0 });
        const begun: number[] = [];
        let now = 0;
        for (const gap of gaps) {
          now += gap;
          while (pace.hasRoom(now)) {
            pace.begin(now);
            begun.push(now);
          }
        }
        const most = (ms: number): number => (ms / 1000) * perSecond + perSecond + 1e-6;
        const tooMany = begun.some((from, index) => begun.slice(index).some((to, more) => more + 1 > most(to - from)));
        expect(tooMany).toBe(false);
      }),
      { numRuns: 30 },
    );
  });

  test('with less than one a second has no burst', () => {
    const pace = new ChannelPace({ concurrency: 5, perSecond: 0.1, latencyMs: 0 });
    pace.begin(0);
    expect(pace.hasRoom(9999)).toBe(false);
    expect(pace.hasRoom(10_000)).toBe(true);
  });

  test('that is full is not looked at before an answer', () => {
    const pace = new ChannelPace({ concurrency: 1, latencyMs: 0 });
    pace.begin(0);
    expect(pace.wakeAt).toBeUndefined();
    expect(pace.hasRoom(1e9)).toBe(false);
    pace.end();
    expect(pace.hasRoom(0)).toBe(true);
  });

  test('serves in order, however many wait', () => {
    const pace = new ChannelPace({ concurrency: 1, latencyMs: 0 });
    expect(pace.nextWaiting()).toBeUndefined();
    for (let who = 0; who < 25_000; who += 1) pace.wait(who);
    for (let who = 0; who < 25_000; who += 1) expect(pace.nextWaiting()).toBe(who);
    expect(pace.isWaitedFor).toBe(false);
  });
});

describe('chances', () => {
  const day = { months: 0, ms: 86_400_000 };
  test.each([
    ['20% after P1D', { share: 0.2, after: day }],
    [' intro : 0.5 % after P1D ', { stage: 'intro', share: 0.005, after: day }],
    ['100%', { share: 1, after: { months: 0, ms: 0 } }],
  ])('%s', (text, chance) => {
    expect(parseChance(text)).toEqual(chance);
  });

  test.each(['', '20', '20% P1D', '20% after', '20% after 1 day', '101%', '-1%', '1.%', ': 20%', '9x: 20%'])(
    '%j is none',
    (text) => {
      expect(parseChance(text)).toBeUndefined();
    },
  );

  test('count for the first message of their stage, or of all', () => {
    const chance = { share: 1, after: day };
    expect(counts(chance, { stage: 'a', step: 0, sequence: 1 })).toBe(true);
    expect(counts(chance, { stage: 'b', step: 0, sequence: 2 })).toBe(false);
    expect(counts({ ...chance, stage: 'b' }, { stage: 'b', step: 0, sequence: 2 })).toBe(true);
    expect(counts({ ...chance, stage: 'b' }, { stage: 'b', step: 1, sequence: 3 })).toBe(false);
    expect(counts({ ...chance, stage: 'b' }, { stage: 'a', step: 0, sequence: 1 })).toBe(false);
  });

  test('of nothing never happens, of all always', () => {
    expect(happens({ share: 0, after: day }, 1, 'reply 0', 'a:b/1')).toBe(false);
    expect(happens({ share: 1, after: day }, 1, 'reply 0', 'a:b/1')).toBe(true);
  });
});

describe('figures', () => {
  const flow = flowOf([
    { id: 'one', type: 'message' },
    { id: 'two', type: 'message' },
  ]);
  const message = (second: number, more: Partial<SimulatedMessage> = {}): SimulatedMessage => ({
    ...{
      at: new Date(seconds(second)),
      contactId: `c${second}`,
      stage: 'one',
      step: 0,
      channel: 'sms',
      status: 'sent',
    },
    ...more,
  });

  test('of nothing', () => {
    const figures = new SimulationTally(t0).figures(flow);
    expect(figures).toMatchObject({ steps: [], load: [], messages: [], conversations: [], cutOff: [] });
    expect(figures.stages).toEqual([
      { stage: 'one', entered: 0, sent: 0, replied: 0 },
      { stage: 'two', entered: 0, sent: 0, replied: 0 },
    ]);
    expect(figures).not.toHaveProperty('lastSentAt');
    expect(figures).not.toHaveProperty('lastEndedAt');
  });

  test('tell each message of the flow in its order, by channel, with its times', () => {
    const tally = new SimulationTally(t0);
    tally.message(message(50, { stage: 'two' }));
    tally.message(message(70, { stage: 'gone' }));
    for (const second of [9, 3, 6]) tally.message(message(second));
    tally.message(message(20, { step: 1, channel: 'push' }));
    tally.message(message(21, { step: 1, channel: 'email' }));
    tally.message(message(23, { step: 1, channel: 'fax' }));
    tally.message(message(22, { step: 1, channel: 'email', status: 'uncertain', reason: 'uncertain' }));
    const { steps, lastSentAt } = tally.figures(flow);
    expect(steps.map(({ stage, step, channel }) => [stage, step, channel])).toEqual([
      ['one', 0, 'sms'],
      ['one', 1, 'email'],
      ['one', 1, 'fax'],
      ['one', 1, 'push'],
      ['two', 0, 'sms'],
      ['gone', 0, 'sms'],
    ]);
    expect(steps[0]).toMatchObject({ sent: 3, firstMs: 3000, p50Ms: 6000, p99Ms: 9000, lastMs: 9000 });
    expect(steps[1]).toMatchObject({ sent: 1, uncertain: 1 });
    expect(lastSentAt).toEqual(new Date(seconds(70)));
  });

  test('tell the load by hour and channel', () => {
    const tally = new SimulationTally(t0);
    for (const second of [7200, 1, 7201, 3601]) tally.message(message(second));
    tally.message(message(1, { channel: 'email' }));
    tally.message(message(1, { channel: 'zulip' }));
    tally.message(message(2, { status: 'failed', reason: 'template_error' }));
    expect(tally.figures(flow).load).toEqual([
      { channel: 'email', sent: 1, peak: { at: new Date(t0), count: 1 }, hours: [{ at: new Date(t0), count: 1 }] },
      {
        ...{ channel: 'sms', sent: 4, peak: { at: new Date(seconds(7200)), count: 2 } },
        hours: [0, 3600, 7200].map((second, n) => ({ at: new Date(seconds(second)), count: n === 2 ? 2 : 1 })),
      },
      expect.objectContaining({ channel: 'zulip' }),
    ]);
  });

  test('tell who is left out and why, the most frequent first, with the first contacts', () => {
    const tally = new SimulationTally(t0);
    tally.message(message(1, { status: 'failed' }));
    for (const second of [2, 2, 3, 4, 5])
      tally.message(message(second, { status: 'skipped', reason: 'frequency_cap' }));
    expect(tally.figures(flow).messages).toEqual([
      { status: 'skipped', reason: 'frequency_cap', count: 5, contacts: ['c2', 'c3', 'c4'] },
      { status: 'failed', reason: 'stopped', count: 1, contacts: ['c1'] },
    ]);
  });

  test('tell the ends of conversations, and what endAt cut off', () => {
    const tally = new SimulationTally(t0);
    const ended = (more: Partial<Conversation>): void =>
      tally.ended(
        { status: 'completed', outcome: 'finished', contact: { id: 'ada' }, ...more } as Conversation,
        seconds(5),
      );
    ended({});
    ended({ status: 'suppressed', outcome: 'bounced' });
    ended({ status: 'failed', outcome: 'failed', error: { code: 'stage_missing', message: '' } });
    ended({ status: 'cancelled', outcome: 'cancelled', reason: 'campaign_ended' });
    for (const because of ['flow', 'rate', 'rate'] as const) tally.cutOff(because);
    tally.counted({ total: 4, 'stages.one.entered': 3, 'stages.one.sent': 2, 'stages.one.replied': 1 });
    tally.counted({ total: 1, 'reasons.constructor': 1 });
    const figures = tally.figures(flow);
    expect(figures.conversations.map(({ status, reason }) => [status, reason])).toEqual([
      ['suppressed', 'bounced'],
      ['failed', 'stage_missing'],
      ['cancelled', 'campaign_ended'],
    ]);
    expect(figures.cutOff).toEqual([
      { because: 'rate', count: 2 },
      { because: 'flow', count: 1 },
    ]);
    expect(figures.metrics).toMatchObject({ total: 5, reasons: { constructor: 1 } });
    expect(figures.stages[0]).toEqual({ stage: 'one', entered: 3, sent: 2, replied: 1 });
    expect(figures.lastEndedAt).toEqual(new Date(seconds(5)));
  });
});
