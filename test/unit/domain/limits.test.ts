/** How many messages a contact gets, and how many leave in a warm-up. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compileLimits, limitsOf } from '../../../src/domain/compileLimits.ts';
import type { FlowContext } from '../../../src/domain/decision.ts';
import type { ContactPressure, Flow } from '../../../src/domain/model.ts';
import { freeAt, longestSpanMs, pressureId, raised } from '../../../src/domain/pressure.ts';
import { nextTurn, periodAt } from '../../../src/domain/ramp.ts';
import { story as storyOf } from '../../../src/domain/story.ts';
import { nextOf, type StoryContext } from '../../../src/domain/storyNext.ts';
import { whyOf } from '../../../src/domain/storyWhy.ts';
import { addDuration, parseDuration } from '../../../src/domain/timing.ts';
import { anna, contextOf, Story, seconds, t0 } from './given.ts';
import { people, simulated } from './simulated.ts';
import { timed } from './timed.ts';

const hour = 3600;
const day = 24 * hour;
const dayMs = day * 1000;
const sent = { kind: 'sent' } as const;
const busy = { kind: 'retry', code: 'busy', message: 'busy', counts: true } as const;
const refused = { kind: 'rejected', code: 'no', message: 'no' } as const;
const say = (id: string, more: object = {}) => ({
  id,
  type: 'message',
  channel: 'sms',
  content: { text: id },
  ...more,
});
const wait = (id: string, time: string) => ({ id, type: 'wait', for: time });
const perWeek = (count: number, onCap?: string) => ({
  maxMessagesPerContact: { count, per: 'P7D' },
  ...(onCap === undefined ? {} : { onCap }),
});
const limited = (limits: object): Pick<FlowContext, 'cap' | 'ramp'> => {
  expect(compileLimits(limits).faults).toEqual([]);
  return limitsOf({ limits, startedAt: new Date(t0) } as never);
};
const given = (stages: unknown[], limits: object, contact = anna): Story =>
  new Story(contextOf(stages, limited(limits)), contact);
/** Another campaign writes to the same contact. */
const beside = (story: Story, stages: unknown[], limits: object): Story => {
  const other = new Story(contextOf(stages, { campaignId: 'summer', ...limited(limits) }));
  other.limits = story.limits;
  return other;
};
const rows = ({ rows: all }: Story) =>
  [...all.values()].map(({ stage, step, status, reason }) => [stage, step, status, reason]);
const place = ({ conversation: { status, stage, step, nextActionAt, delayed } }: Story) => ({
  ...{ status, stage, step, delayed },
  due: nextActionAt === undefined ? undefined : (nextActionAt.getTime() - t0) / 1000,
});
const changes = ({ decision }: Story) => (decision.unit?.limits ?? []).map(({ kind }) => kind);

describe('what can be written', () => {
  test.each<[unknown, Record<string, string>]>([
    [undefined, {}],
    [{}, {}],
    [{ ...perWeek(3), onCap: 'delay', ramp: ['50/d', '5/h'] }, {}],
    [{ maxMessagesPerContact: { count: 100, per: 'P93D' } }, {}],
    [{ maxMessagesPerContact: { count: 1, per: 'P3M' } }, {}],
    [{ perSecond: 50 }, {}],
    [{ perSecond: 1 / 86_400 }, {}],
    [{ perSecond: 0 }, { 'limits.perSecond': 'not_allowed' }],
    [{ perSecond: -1 }, { 'limits.perSecond': 'not_allowed' }],
    [{ perSecond: 1_000_001 }, { 'limits.perSecond': 'not_allowed' }],
    [{ perSecond: '50/s' }, { 'limits.perSecond': 'not_allowed' }],
    [{ perSecond: Number.NaN }, { 'limits.perSecond': 'not_allowed' }],
    [7, { limits: 'type' }],
    [{ maxMessagesPerContact: 3 }, { 'limits.maxMessagesPerContact': 'type' }],
    [{ maxMessagesPerContact: { count: 0, per: 'P1D' } }, { 'limits.maxMessagesPerContact.count': 'not_allowed' }],
    [{ maxMessagesPerContact: { count: 101, per: 'P1D' } }, { 'limits.maxMessagesPerContact.count': 'not_allowed' }],
    [{ maxMessagesPerContact: { count: 1.5, per: 'P1D' } }, { 'limits.maxMessagesPerContact.count': 'not_allowed' }],
    [{ maxMessagesPerContact: { count: '3', per: 'P1D' } }, { 'limits.maxMessagesPerContact.count': 'not_allowed' }],
    [
      { maxMessagesPerContact: { count: 3, per: '7 days' } },
      { 'limits.maxMessagesPerContact.per': 'duration_invalid' },
    ],
    [{ maxMessagesPerContact: { count: 3, per: 'PT0S' } }, { 'limits.maxMessagesPerContact.per': 'duration_invalid' }],
    [{ maxMessagesPerContact: { count: 3, per: 7 } }, { 'limits.maxMessagesPerContact.per': 'duration_invalid' }],
    [{ maxMessagesPerContact: { count: 3, per: 'P94D' } }, { 'limits.maxMessagesPerContact.per': 'not_allowed' }],
    [{ onCap: 'skip' }, { 'limits.maxMessagesPerContact': 'required' }],
    [{ ...perWeek(1), onCap: 'drop' }, { 'limits.onCap': 'not_allowed' }],
    [{ ramp: '50/d' }, { 'limits.ramp': 'type' }],
    [{ ramp: [] }, { 'limits.ramp': 'not_allowed' }],
    [
      { ramp: ['50/d', '50', 50, '0/d', '5/w', '-1/d', '1.5/d', ' 5/d', '1000000000/d'] },
      Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8].map((n) => [`limits.ramp[${n}]`, 'not_allowed'])),
    ],
  ])('%j', (limits, faults) => {
    expect(Object.fromEntries(compileLimits(limits).faults.map(({ path, code }) => [path, code]))).toEqual(faults);
  });

  test('a rate is kept as it was written, beside the others', () => {
    expect(compileLimits({ perSecond: 2.5, ramp: ['1/d'] }).limits).toMatchObject({ perSecond: 2.5, ramp: [{}] });
  });

  test('a transactional campaign has no cap, and its ramp; one that did not start yet begins its ramp whenever', () => {
    const limits = { ...perWeek(1), ramp: ['1/d'] };
    expect(limitsOf({ limits, transactional: true } as never)).toEqual({
      ramp: expect.objectContaining({ startedAt: 0 }),
    });
    expect(limitsOf({})).toEqual({});
    expect(limitsOf({ limits: perWeek(2) as never })).toMatchObject({ cap: { count: 2, delays: false } });
  });
});

describe('the cap of a contact', () => {
  test('what is one too many is skipped, and the flow goes on as silence does', () => {
    const story = given([say('a'), wait('w', 'P1D'), say('b'), wait('x', 'P1D'), say('c')], perWeek(2));
    story
      .due(0)
      .answer(0, sent)
      .due(day)
      .due(day)
      .answer(day, sent)
      .due(2 * day)
      .due(2 * day);
    expect(rows(story)).toEqual([
      ['a', 0, 'sent', undefined],
      ['b', 0, 'sent', undefined],
      ['c', 0, 'skipped', 'frequency_cap'],
    ]);
    expect(story.conversation).toMatchObject({ status: 'completed', outcome: 'finished' });
    expect(story.counters).toMatchObject({ 'messages.skipped': 1, 'reasons.frequency_cap': 1 });
  });

  test('follow-ups count alike; with onCap delay they wait until a send leaves the span, in their window', () => {
    const flow = [say('a', { followUps: [{ after: 'P1D' }, { after: 'P1D' }] })];
    const story = given(flow, perWeek(2, 'delay'))
      .due(0)
      .answer(0, sent)
      .due(day)
      .answer(day, sent)
      .due(2 * day);
    expect(place(story)).toEqual({ status: 'active', stage: 'a', step: 2, delayed: 'cap', due: 7 * day });
    expect(rows(story)).toHaveLength(2);
    story.due(7 * day);
    expect(story.decision.send).toMatchObject({ step: 2, pressure: ':anna' });
    expect(story.conversation).not.toHaveProperty('delayed');
    const office = { days: ['tue'], from: '10:00', to: '18:00', timezone: 'UTC' };
    const inWindow = new Story({ ...timed(flow, { sendWindow: office }), ...limited(perWeek(1, 'delay')) });
    inWindow
      .due(day + hour)
      .answer(day + hour, sent)
      .due(8 * day + hour - 1);
    expect(place(inWindow)).toMatchObject({ step: 1, due: 8 * day + hour });
  });

  test('campaigns that have one count among each other, by tenant and contact; those without are not counted', () => {
    const first = given([say('a')], perWeek(1))
      .due(0)
      .answer(0, sent);
    expect(rows(beside(first, [say('b')], perWeek(1)).due(1))).toEqual([['b', 0, 'skipped', 'frequency_cap']]);
    const free = new Story(contextOf([say('c')], { campaignId: 'autumn' })).due(2);
    expect(free.decision.unit?.limits).toBeUndefined();
    const ids = [pressureId({ contact: anna }), pressureId({ tenant: '', contact: anna })];
    expect(ids).toEqual([':anna', ':anna']);
    expect(pressureId({ tenant: 'a:b', contact: { id: 7 } })).toBe('a%3Ab:#7');
  });

  test('webhooks and notifications of colleagues are neither counted nor held', () => {
    const webhook = { id: 'h', type: 'webhook', channel: 'push', body: { a: 1 } };
    const notify = { channel: 'sms', to: '+1', content: { text: 'look' } };
    const flow = [say('a'), wait('w', 'PT1H'), webhook, { id: 'p', type: 'escalate', to: 'us', notify }];
    const story = given(flow, { ...perWeek(1), ramp: ['1/d'] })
      .due(0)
      .answer(0, sent)
      .due(hour)
      .due(hour);
    expect(changes(story)).toEqual([]);
    story.answer(hour, sent).due(hour);
    expect(rows(story).map(([stage, , status]) => [stage, status])).toEqual([
      ['a', 'sent'],
      ['h', 'sent'],
      ['p', 'sending'],
    ]);
    story.answer(hour, { ...busy, retryAfterMs: 1000 }).due(hour + 1);
    expect([changes(story), story.decision.send?.stage]).toEqual([[], 'p']);
  });

  test('who has no address, or must not be written to, is not held by it', () => {
    const story = given([say('a')], perWeek(1))
      .due(0)
      .answer(0, sent);
    const nowhere = beside(story, [say('b')], perWeek(1));
    nowhere.conversation = { ...nowhere.conversation, contact: { id: 'anna' } };
    expect(rows(nowhere.due(1))).toEqual([['b', 0, 'skipped', 'address_missing']]);
    const left = beside(story, [say('b'), say('p', { channel: 'push' })], perWeek(1));
    left.decide(1, { slot: true, refusals: new Map([['sms', 'suppressed']]) });
    expect(rows(left)[0]).toEqual(['b', 0, 'skipped', 'suppressed']);
  });

  test('a message that does not come about gives back; one that may have left does not', () => {
    const failed = given([say('a')], perWeek(1)).due(0);
    expect(changes(failed)).toEqual(['raise']);
    failed.answer(1, refused);
    expect([changes(failed), failed.rows.get('spring:anna/1')]).toEqual([
      ['lower'],
      expect.not.objectContaining({ pressure: ':anna' }),
    ]);
    expect(rows(beside(failed, [say('b')], perWeek(1)).due(2))).toEqual([['b', 0, 'sending', undefined]]);
    const unsure = given([say('a')], perWeek(1))
      .due(0)
      .answer(1, { kind: 'unknown', code: 'x', message: 'x' });
    expect(changes(unsure)).toEqual([]);
    expect(rows(beside(unsure, [say('b')], perWeek(1)).due(2))).toEqual([['b', 0, 'skipped', 'frequency_cap']]);
  });

  test('a row that waits keeps what it raised, until its conversation ends', () => {
    const story = given([say('a')], perWeek(1))
      .due(0)
      .answer(1, { ...busy, retryAfterMs: 60_000 });
    expect([changes(story), place(story).delayed]).toEqual([[], 'retry']);
    expect(rows(beside(story, [say('b')], perWeek(1)).due(2))).toEqual([['b', 0, 'skipped', 'frequency_cap']]);
    story.stop(30, 'campaign_cancelled');
    expect([rows(story), changes(story)]).toEqual([[['a', 0, 'skipped', 'campaign_cancelled']], ['lower']]);
    // of a ramp it gives its place back where its provider never saw it
    for (const [handed, givenBack] of [
      [{ outcome: busy, handedAt: t0 }, ['lower']],
      [{ outcome: { kind: 'held' as const, isStale: false } }, ['lower', 'return']],
    ] as const) {
      const both = given([say('a')], { ...perWeek(1), ramp: ['5/d'] }).due(0);
      both.conversation = { ...both.conversation, inbox: [{ type: 'unsubscribe', at: new Date(seconds(1)) }] };
      const row = both.row as NonNullable<Story['row']>;
      both.row = undefined;
      const result = { row, ...handed, decidedAt: t0, answeredAt: t0 };
      both.decide(1, { results: [result], slot: true, inFlight: false });
      expect([rows(both), changes(both)]).toEqual([[['a', 0, 'skipped', expect.anything()]], givenBack]);
    }
  });

  test('what fails and leads on at once to another message counts once', () => {
    const flow = [say('a', { on: { failed: 'b' } }), { id: 'e', type: 'end', outcome: 'e' }, say('b')];
    const story = given(flow, perWeek(1)).due(0);
    const row = story.row as NonNullable<Story['row']>;
    story.row = undefined;
    const result = { row, outcome: refused, decidedAt: t0, handedAt: t0, answeredAt: t0 };
    story.decide(1, { results: [result], slot: true, inFlight: false });
    expect([changes(story), story.decision.send?.stage]).toEqual([['lower', 'raise'], 'b']);
    const [, raise] = story.decision.unit?.limits ?? [];
    expect(raise).toMatchObject({ document: { sends: [{ id: 'spring:anna/2' }] } });
  });

  test('another try counts from its own time, and is held when others took the place of what has left the span', () => {
    const give = (onCap?: string): Story => {
      const story = given([say('a', { waitForReply: 'P30D' })], perWeek(1, onCap), anna).due(0);
      story.context = {
        ...story.context,
        channels: new Map(
          [...story.context.channels].map(([name, facts]) => [name, { ...facts, giveUpMs: 99 * dayMs }]),
        ),
      };
      return story.answer(1, { ...busy, retryAfterMs: 8 * dayMs });
    };
    const again = give().due(8 * day + 2);
    expect([changes(again), again.decision.send?.attempts]).toEqual([['raise'], 2]);
    expect(rows(beside(again, [say('b')], perWeek(1)).due(8 * day + 3))[0]).toEqual([
      'b',
      0,
      'skipped',
      'frequency_cap',
    ]);
    const late = give();
    beside(late, [say('b')], perWeek(1))
      .due(7 * day + 1)
      .answer(7 * day + 1, sent);
    expect(rows(late.due(8 * day + 2))).toEqual([['a', 0, 'skipped', 'frequency_cap']]);
    expect([changes(late), place(late)]).toEqual([['lower'], expect.objectContaining({ stage: 'a', step: 1 })]);
    const put = give('delay');
    beside(put, [say('b')], perWeek(1))
      .due(7 * day + 1)
      .answer(7 * day + 1, sent);
    put.due(8 * day + 2);
    expect([changes(put), place(put)]).toEqual([
      ['lower'],
      expect.objectContaining({ delayed: 'cap', due: 14 * day + 1 }),
    ]);
    expect(put.decision.unit?.rows).toMatchObject([{ from: 'queued', unset: ['pressure'] }]);
    expect(put.due(14 * day + 1).decision.send).toMatchObject({ _id: 'spring:anna/1', pressure: ':anna' });
  });

  test('of one that may have left nobody can say that its contact did not get it', () => {
    const lost = given([say('a')], perWeek(1, 'delay'))
      .due(0)
      .answer(1, { kind: 'lost' });
    beside(lost, [say('b')], perWeek(1)).due(7 * day + 1);
    const [id] = [...lost.rows.keys()];
    lost.conversation = { ...lost.conversation, nextActionAt: new Date(seconds(7 * day + 2)) };
    lost.limits.apply([
      {
        kind: 'raise',
        version: 1,
        document: {
          _id: ':anna',
          contactId: 'anna',
          version: 9,
          sends: [
            { id: String(id), at: new Date(t0) },
            { id: 'x', at: new Date(seconds(7 * day)) },
          ],
          expireAt: new Date(),
        },
      },
    ]);
    lost.due(7 * day + 2);
    expect([changes(lost), place(lost).delayed]).toEqual([[], 'cap']);
    const gone = given([say('a')], perWeek(1))
      .due(0)
      .answer(1, { kind: 'lost' })
      .stop(2, 'campaign_cancelled');
    expect([rows(gone), changes(gone)]).toEqual([[['a', 0, 'uncertain', 'uncertain']], []]);
  });

  test('as long as it is not known what a contact got, nothing leaves', () => {
    const story = given([say('a')], perWeek(1)).decide(0, { slot: true, limits: undefined });
    expect([rows(story), place(story)]).toEqual([[], expect.objectContaining({ due: 0 })]);
  });

  test('property: no span ever holds more than the cap, and what is given back is free again', () => {
    const per = parseDuration('PT10S') as NonNullable<ReturnType<typeof parseDuration>>;
    const step = fc.record({ gap: fc.nat(4000), isGivenBack: fc.boolean() });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 60 }), (count, steps) => {
        let stored: ContactPressure | undefined;
        const left: number[] = [];
        let now = t0;
        for (const [n, { gap, isGivenBack }] of steps.entries()) {
          now += gap;
          const free = freeAt({ count, per, delays: true }, stored?.sends ?? [], now);
          const inSpan = left.filter((at) => addDuration(at, per) > now).length;
          expect(free === undefined).toBe(inSpan < count);
          if (free !== undefined) {
            const heldAt = (instant: number): number => left.filter((at) => addDuration(at, per) > instant).length;
            expect(heldAt(free)).toBeLessThan(count);
            expect(heldAt(free - 1)).toBeGreaterThanOrEqual(count);
            continue;
          }
          const id = `m/${n}`;
          const after = raised({ contact: anna }, stored, { id, at: new Date(now) }, new Set());
          expect(after.version).not.toBe(stored?.version);
          if (isGivenBack) stored = { ...after, sends: after.sends.filter((one) => one.id !== id) };
          else {
            stored = after;
            left.push(now);
          }
        }
      }),
    );
  });

  test('a document keeps the newest 200 sends of 93 days', () => {
    let stored: ContactPressure | undefined;
    const at = (n: number) => new Date(t0 + n * dayMs);
    for (let n = 0; n < 100; n += 1)
      stored = raised({ tenant: 'acme', contact: anna }, stored, { id: `a/${n}`, at: at(n) }, new Set());
    expect(stored).toMatchObject({ _id: 'acme:anna', tenant: 'acme', contactId: 'anna', version: t0 + 99 });
    expect(stored?.sends.map(({ id }) => id)).toEqual(Array.from({ length: 93 }, (_, n) => `a/${n + 7}`));
    expect(stored?.expireAt).toEqual(new Date(at(99).getTime() + longestSpanMs));
    for (let n = 0; n < 300; n += 1)
      stored = raised({ contact: anna }, stored, { id: `b/${n}`, at: at(99) }, new Set(['a/99']));
    expect(stored?.sends.map(({ id }) => id)).toEqual(Array.from({ length: 200 }, (_, n) => `b/${n + 100}`));
  });
});

describe('the ramp of a campaign', () => {
  const ramp = (...entries: string[]) => limited({ ramp: entries }).ramp as NonNullable<FlowContext['ramp']>;

  test('its entries follow each other, each for its own day or hour; the last holds from then on', () => {
    const at = (is: ReturnType<typeof ramp>, second: number) => {
      const { from, until, limit } = periodAt(is, seconds(second));
      return [(from - t0) / 1000, (until - t0) / 1000, limit];
    };
    const daily = ramp('50/d', '100/d', '200/d');
    expect([-5, 0, day - 1, day, 2 * day, 9 * day + 7].map((second) => at(daily, second))).toEqual([
      [0, day, 50],
      [0, day, 50],
      [0, day, 50],
      [day, 2 * day, 100],
      [2 * day, 3 * day, 200],
      [9 * day, 10 * day, 200],
    ]);
    const mixed = ramp('5/h', '50/d', '7/h');
    expect([0, hour, day + hour, day + 3.5 * hour].map((second) => at(mixed, second))).toEqual([
      [0, hour, 5],
      [hour, day + hour, 50],
      [day + hour, day + 2 * hour, 7],
      [day + 3 * hour, day + 4 * hour, 7],
    ]);
  });

  test('who finds no room looks again with the next period; of very many only as many as may be of use', () => {
    const turn = (is: ReturnType<typeof ramp>, waiting: number, share: number) =>
      (nextTurn(is, seconds(5), waiting, () => share) - t0) / (1000 * day);
    expect([turn(ramp('5/d'), 0, 0.99), turn(ramp('5/d', '9/d'), 10_000, 0.999)]).toEqual([1, 1]);
    expect([0.005, 0.015, 0.5, 0.9999].map((share) => turn(ramp('5/d', '50/d'), 1_000_000, share))).toEqual([
      1, 2, 51, 100,
    ]);
    expect(turn(ramp('1/d', '5000/d', '50000/d'), 1_000_000, 0.9)).toBe(6);
    expect([0.01, 0.03].map((share) => turn(ramp('1/d', '5000/d', '50000/d'), 1_000_000, share))).toEqual([1, 2]);
  });

  test('what is over is delayed, never skipped: also by late, which counts from then', () => {
    const people3 = { contacts: people(5) };
    const { lines, delays } = simulated([say('a')], people3, limited({ ramp: ['2/d', '1/d', '4/d'] }));
    expect(lines).toEqual([
      '+0 sms a/0 sent',
      '+0 sms a/0 sent',
      `+${day} sms a/0 sent`,
      `+${2 * day} sms a/0 sent`,
      `+${2 * day} sms a/0 sent`,
    ]);
    expect(delays.map(({ because, contactId }) => [because, contactId])).toEqual(
      ['c2', 'c3', 'c4'].map((id) => ['warm_up', id]),
    );
    const context = {
      ...timed([say('a')], { late: { policy: 'expire', after: 'PT1H' } }),
      ...limited({ ramp: ['1/d'] }),
    };
    const late = new Story(context);
    late.limits.apply([{ kind: 'take', from: new Date(t0), limit: 1 }]);
    expect(place(late.due(0))).toMatchObject({ delayed: 'warm_up', due: day });
    expect(rows(late.due(day))).toEqual([['a', 0, 'sending', undefined]]);
  });

  test('a message leaves in the period that it was taken for, or is decided again', () => {
    const story = given([say('a')], { ramp: ['1/d', '1/d', '1/d'] }).due(day - 1);
    expect(story.decision).toMatchObject({ until: seconds(day), send: { ramp: new Date(t0) } });
    story.answer(day, { kind: 'held' }).due(day);
    expect(story.decision).toMatchObject({ until: seconds(2 * day), send: { ramp: new Date(seconds(day)) } });
    expect(changes(story)).toEqual(['take']);
    const window = { from: '09:00', to: '12:00', timezone: 'UTC' };
    const both = new Story({ ...timed([say('a')], { sendWindow: window }), ...limited({ ramp: ['1/d'] }) }).due(60);
    expect(both.decision.until).toBe(seconds(3 * hour));
  });

  test('another try in its period is taken once; in a later one it needs room', () => {
    const story = given([say('a')], { ramp: ['1/d'] })
      .due(0)
      .answer(1, { ...busy, retryAfterMs: 60_000 })
      .due(61);
    expect([changes(story), story.decision.send?.attempts]).toEqual([[], 2]);
    story.answer(day - 1, { kind: 'held' });
    story.limits.apply([{ kind: 'take', from: new Date(seconds(day)), limit: 1 }]);
    story.due(day);
    expect([place(story), rows(story)]).toEqual([
      expect.objectContaining({ delayed: 'warm_up', due: 2 * day }),
      [['a', 0, 'queued', undefined]],
    ]);
    expect(story.rows.get('spring:anna/1')?.dueAt).toEqual(new Date(seconds(2 * day)));
    expect(story.due(2 * day).decision.send).toMatchObject({ ramp: new Date(seconds(2 * day)) });
  });

  test('what is held for good gives its place back, and an opt-out comes before the limits', () => {
    const story = given([say('a')], { ramp: ['1/d'] })
      .due(0)
      .answer(1, { kind: 'held' });
    story.decide(2, { slot: true, refusals: new Map([['sms', 'suppressed']]) });
    expect([rows(story), changes(story)]).toEqual([[['a', 0, 'skipped', 'suppressed']], ['return']]);
    expect(beside(story, [say('b')], { ramp: ['1/d'] }).due(3).decision.send).toBeDefined();
    story.limits.apply([{ kind: 'return', from: new Date(0) }]);
    expect(story.limits.factsOf(story.conversation, story.context, 0, t0)).toMatchObject({ room: 0 });
  });

  test('an end that comes too soon is told', () => {
    const { cutOff, tally } = simulated(
      [say('a')],
      { contacts: people(9), endAt: t0 + 3 * dayMs - 1 },
      limited({ ramp: ['2/d'] }),
    );
    expect(cutOff).toEqual(['warm_up', 'warm_up', 'warm_up']);
    expect(tally.figures({ stages: [] }).putOff).toEqual([
      { because: 'warm_up', count: 7, contacts: ['c2', 'c3', 'c4'] },
    ]);
  });

  test('property: no period ever has more than its limit, everybody has a message in the end, and none before his time', () => {
    const entries = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.constantFrom('d', 'h')), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(entries, fc.integer({ min: 1, max: 40 }), (steps, many) => {
        const is = ramp(...steps.map(([limit, unit]) => `${limit}/${unit}`));
        const flow = [say('a', { followUps: [{ after: 'PT5H' }] })];
        const { messages } = simulated(flow, { contacts: people(many) }, { ramp: is });
        const counts = new Map<number, number>();
        for (const { at } of messages) {
          const { from, limit } = periodAt(is, at.getTime());
          counts.set(from, (counts.get(from) ?? 0) + 1);
          expect(counts.get(from)).toBeLessThanOrEqual(limit);
        }
        expect(messages.map(({ status }) => status)).toEqual(Array.from({ length: 2 * many }, () => 'sent'));
      }),
      { numRuns: 60 },
    );
  });
});

test('who asks is told which limit it is', () => {
  const told = (story: Story): string[] => {
    const context: StoryContext = {
      ...{
        conversation: story.conversation,
        rows: [...story.rows.values()],
        campaign: { status: 'running' },
        sending: 'on',
      },
      run: { status: 'running', settled: false, flow: { stages: [say('a')] } as Flow, startedAt: new Date(t0) },
      ...{ members: [{ _id: 'm1', channels: ['sms'] }], owner: 'm1', ownerAlive: true, now: seconds(8 * day + 3) },
    };
    return whyOf(context, nextOf(context)).map(({ code, text }) => `${code}: ${text}`);
  };
  const held = (story: Story): string[] =>
    storyOf(story.conversation, [...story.rows.values()]).flatMap(({ what, text }) => (what === 'held' ? [text] : []));
  const capped = given([say('a')], perWeek(1, 'delay'))
    .due(0)
    .answer(1, { ...busy, retryAfterMs: 60_000 });
  capped.context = { ...capped.context, ...limited({ ...perWeek(1, 'delay'), ramp: ['1/d'] }) };
  beside(capped, [say('b')], perWeek(1)).limits.apply([
    {
      kind: 'raise',
      version: 1,
      document: {
        ...{ _id: ':anna', contactId: 'anna', version: 9, expireAt: new Date() },
        sends: [{ id: 'x', at: new Date(seconds(8 * day)) }],
      },
    },
  ]);
  capped.due(8 * day + 2);
  expect(told(capped)).toEqual([
    expect.stringMatching(/^cap: its contact has had as many .* until 2026-01-20T09:00:00.000Z$/),
  ]);
  expect(held(capped)).toEqual([
    'message 1 was held back by the limit of messages for a contact, until 2026-01-20T09:00:00.000Z',
  ]);
  const warm = given([say('a')], { ramp: ['1/d'] });
  warm.limits.apply([{ kind: 'take', from: new Date(seconds(8 * day)), limit: 1 }]);
  warm.due(8 * day + 2);
  expect(told(warm)).toEqual([
    expect.stringMatching(/^warm_up: the ramp .*; looked at again at 2026-01-14T09:00:00.000Z$/),
  ]);
});

test('a cap and its skips are known beforehand', () => {
  const flow = [say('a'), wait('w', 'P1D'), say('b')];
  const { lines, delays, tally } = simulated(flow, { contacts: people(2) }, limited(perWeek(1)));
  expect(lines.filter((line) => line.includes('skipped'))).toHaveLength(2);
  expect([delays, tally.figures({ stages: [] }).messages]).toEqual([
    [],
    [{ status: 'skipped', reason: 'frequency_cap', count: 2, contacts: ['c0', 'c1'] }],
  ]);
  const both = simulated(flow, { contacts: people(3) }, limited({ ...perWeek(1, 'delay'), ramp: ['2/d'] }));
  expect(both.tally.figures({ stages: [] }).putOff).toEqual([
    { because: 'cap', count: 3, contacts: ['c0', 'c1', 'c2'] },
    { because: 'warm_up', count: expect.any(Number), contacts: expect.arrayContaining(['c2']) },
  ]);
  const waiting = simulated(flow, { contacts: people(1) }, limited(perWeek(1, 'delay')));
  expect(waiting.lines).toEqual(['+0 sms a/0 sent', `+${7 * day} sms b/0 sent`]);
  expect(waiting.delays).toMatchObject([{ because: 'cap', contactId: 'c0', until: new Date(seconds(7 * day)) }]);
});
