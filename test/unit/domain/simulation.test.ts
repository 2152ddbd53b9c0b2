import { describe, expect, test } from '@jest/globals';
import { parseChance, type SimulatedEvent } from '../../../src/domain/simulatedEvents.ts';
import { anna, t0 } from './given.ts';
import { flowOf, people, simulated } from './simulated.ts';

const message = (id: string, more: object = {}) => ({
  ...{ id, type: 'message', channel: 'sms', content: { text: `${id} for {{ contact.name }}` } },
  ...more,
});
const wait = (id: string, duration: string) => ({ id, type: 'wait', for: duration });
const replies = (text: string): SimulatedEvent[] => [{ type: 'reply', ...chance(text) }];
function chance(text: string) {
  const found = parseChance(text);
  if (found === undefined) throw new Error(`${text} is no chance`);
  return found;
}

describe('one contact', () => {
  test('gets what the flow says, when it says it', () => {
    const flow = [
      message('intro', { followUps: [{ after: 'PT10S' }, { after: 'PT20S', channel: 'push' }], waitForReply: 'PT30S' }),
      wait('pause', 'PT60S'),
      message('last', { delay: 'PT5S' }),
    ];
    const { lines, ended, counters, simulation } = simulated(flow);
    expect(lines).toEqual([
      '+0 sms intro/0 sent',
      '+10 sms intro/1 sent',
      '+30 push intro/2 sent',
      '+125 sms last/0 sent',
    ]);
    expect(ended).toMatchObject([{ status: 'completed', outcome: 'finished' }]);
    expect(counters).toMatchObject({ total: 1, active: 0, completed: 1, 'messages.sent': 4, pending: 0 });
    expect(simulation.open).toBe(0);
  });

  test('is skipped where it has no address, and its flow goes on', () => {
    const { url: _, ...rest } = anna;
    const { lines } = simulated([message('intro', { channel: 'push' }), message('last', { delay: 'PT5S' })], {
      contacts: [rest],
    });
    expect(lines).toEqual(['+0 push intro/0 skipped address_missing', '+5 sms last/0 sent']);
  });

  test('fails where a variable is missing', () => {
    const { lines, ended, tally } = simulated([
      message('intro', { content: { text: '{{ contact.attributes.city }}' } }),
    ]);
    expect(lines).toEqual(['+0 sms intro/0 failed template_variable_missing']);
    expect(ended).toMatchObject([{ status: 'failed' }]);
    expect(tally.figures(flowOf([])).conversations).toEqual([
      { status: 'failed', reason: 'template_variable_missing', count: 1, contacts: ['anna'] },
    ]);
  });

  test('replies when it was told to, and leaves', () => {
    const flow = [message('intro', { followUps: [{ after: 'PT10S' }] }), message('more', { delay: 'PT10S' })];
    const { lines, ended, counters } = simulated(flow, { events: replies('intro: 100% after PT12S') });
    expect(lines).toEqual(['+0 sms intro/0 sent', '+10 sms intro/1 sent']);
    expect(ended).toMatchObject([{ outcome: 'replied' }]);
    expect(counters).toMatchObject({ replied: 1, 'stages.more.replied': 1 });
  });

  test('whose address bounces is suppressed; whom a channel refuses fails; each where it was told', () => {
    const flow = [message('intro'), message('more', { delay: 'PT10S' })];
    const bounced = simulated(flow, { events: [{ type: 'bounce', ...chance('100% after PT5S') }] });
    expect(bounced.ended).toMatchObject([{ status: 'suppressed', outcome: 'bounced' }]);
    expect(bounced.lines).toEqual(['+0 sms intro/0 sent']);
    const failed = simulated(flow, { failures: [chance('more: 100%')] });
    expect(failed.lines).toEqual(['+0 sms intro/0 sent', '+10 sms more/0 failed provider_rejected']);
    expect(simulated(flow, { failures: [chance('100%')] }).lines).toEqual(['+0 sms intro/0 failed provider_rejected']);
  });

  test('a bounce is about its message: it counts, and leads where the stage says that sent it, however late', () => {
    const flow = [
      message('intro', { on: { bounce: 'other' } }),
      wait('rest', 'PT60S'),
      message('more'),
      message('other', { channel: 'push' }),
    ];
    const { lines, counters } = simulated(flow, { events: [{ type: 'bounce', ...chance('100% after PT5S') }] });
    expect(lines).toEqual(['+0 sms intro/0 sent', '+5 push other/0 sent']);
    expect(counters).toMatchObject({ 'messages.sent': 2, 'messages.bounced': 1, pending: 0 });
  });

  test('a first try that comes to nothing is made again, and what follows waits for it', () => {
    const flow = [message('intro'), message('more', { delay: 'PT10S' })];
    const { messages, counters } = simulated(flow, { retries: [chance('intro: 100%')] });
    expect(messages.map(({ stage, status }) => `${stage} ${status}`)).toEqual(['intro sent', 'more sent']);
    const [first = 0, second = 0] = messages.map(({ at }) => at.getTime());
    expect(first).toBeGreaterThan(t0);
    expect(second).toBe(first + 10_000);
    expect(counters).toMatchObject({ 'messages.sent': 2, pending: 0 });
  });

  test('a reply has a text, a stage that keeps an answer gets what stands in for it', () => {
    const say = (id: string, text: string, more: object = {}) => ({
      id,
      type: 'message',
      channel: 'sms',
      content: { text },
      ...more,
    });
    const heard = [say('a', 'x', { waitForReply: 'P1D', on: { reply: 'b' } }), say('b', '{{ event.text }}')];
    const events = [{ type: 'reply' as const, share: 1, after: { months: 0, ms: 60_000 } }];
    expect(simulated(heard, { events }).lines.at(-1)).toBe('+60 sms b/0 sent');
    const kept = [
      { id: 'hook', type: 'webhook', channel: 'push', body: { a: 1 }, keep: true },
      say('b', '{{ variables.hook.x }}'),
    ];
    expect(simulated(kept, { answers: { hook: { x: 'y' } } }).lines.at(-1)).toBe('+0 sms b/0 sent');
    expect(simulated(kept).lines.at(-1)).toContain('template_variable_missing');
  });

  test('a reply at the very time of a follow-up comes first', () => {
    const flow = [message('intro', { followUps: [{ after: 'PT10S' }] }), message('more', { delay: 'PT10S' })];
    const { lines } = simulated(flow, { events: replies('100% after PT10S') });
    expect(lines).toEqual(['+0 sms intro/0 sent']);
  });

  test('a reply that comes when all is over changes nothing', () => {
    const { ended, simulation } = simulated([message('intro')], { events: replies('100% after P1D') });
    expect(ended).toMatchObject([{ outcome: 'finished' }]);
    expect(simulation.now).toBe(t0);
  });

  test('an answer takes its time; the next message waits for it', () => {
    const paces = new Map([['sms', { concurrency: 1, latencyMs: 30_000 }]]);
    const { lines, ended } = simulated([message('intro'), message('more', { delay: 'PT10S' })], { paces });
    // the clock of what follows starts when it was really sent
    expect(lines).toEqual(['+30 sms intro/0 sent', '+70 sms more/0 sent']);
    expect(ended).toHaveLength(1);
  });

  test('one that replies while its message is under way ends at once, and its message counts', () => {
    const paces = new Map([['sms', { concurrency: 1, latencyMs: 30_000 }]]);
    const flow = [message('intro', { followUps: [{ after: 'PT10S' }] }), message('more', { delay: 'PT99S' })];
    const { lines, ended, simulation } = simulated(flow, { paces, events: replies('100% after PT15S') });
    expect(lines).toEqual(['+30 sms intro/0 sent', '+70 sms intro/1 sent']);
    expect(ended).toMatchObject([{ outcome: 'replied' }]);
    expect(simulation.open).toBe(0);
  });

  test('a flow that goes round ends at `until`', () => {
    const flow = [message('intro', { on: { noReply: 'intro' }, waitForReply: 'P1D' })];
    const { lines, ended, simulation } = simulated(flow, { until: t0 + 3.5 * 86_400_000 });
    expect(lines).toHaveLength(4);
    expect(ended).toEqual([]);
    expect(simulation.open).toBe(1);
  });

  test('a channel that is not there is waited for, not spun on', () => {
    const { lines, simulation } = simulated([message('intro')], {}, { channels: new Map() });
    expect(lines).toEqual([]);
    expect(simulation.open).toBe(1);
  });

  test('nobody: nothing', () => {
    expect(simulated([message('intro')], { contacts: [] }).lines).toEqual([]);
    expect(simulated([message('intro')], { contacts: [], endAt: t0 + 1 }).lines).toEqual([]);
  });
});

describe('a channel that takes so many', () => {
  test('a second, with a burst of as many: the rest waits, in the order it came', () => {
    const paces = new Map([['sms', { concurrency: 100, perSecond: 2, latencyMs: 0 }]]);
    const { messages, lines } = simulated([message('intro')], { contacts: people(6), paces });
    expect(lines.map((line) => line.split(' ')[0])).toEqual(['+0', '+0', '+0.5', '+1', '+1.5', '+2']);
    expect(messages.map(({ contactId }) => contactId)).toEqual(['c0', 'c1', 'c2', 'c3', 'c4', 'c5']);
  });

  test('a campaign with a rate of its own keeps to it over all channels', () => {
    const paces = new Map(['sms', 'push'].map((name) => [name, { concurrency: 100, latencyMs: 0 }]));
    const flow = [message('intro', { followUps: [{ after: 'PT1S', channel: 'push' }] })];
    const { messages } = simulated(flow, { contacts: people(8), paces, perSecond: 2 });
    const times = messages.map(({ at }) => (at.getTime() - t0) / 1000).toSorted((a, b) => a - b);
    // the last one's follow-up is due no sooner
    expect(times).toEqual([0, 0, ...Array.from({ length: 13 }, (_, n) => 0.5 * (n + 1)), 7.5]);
    expect(new Set(messages.map(({ channel }) => channel)).size).toBe(2);
  });

  test('at a time', () => {
    const paces = new Map([['sms', { concurrency: 2, latencyMs: 1000 }]]);
    const { lines, counters } = simulated([message('intro')], { contacts: people(5), paces });
    expect(lines.map((line) => line.split(' ')[0])).toEqual(['+1', '+1', '+2', '+2', '+3']);
    expect(counters).toMatchObject({ completed: 5, active: 0 });
  });

  test('both, with many who wait', () => {
    const paces = new Map([['sms', { concurrency: 3, perSecond: 10, latencyMs: 50 }]]);
    const { messages } = simulated([message('intro')], { contacts: people(3_000), paces });
    expect(messages).toHaveLength(3_000);
    const last = messages.at(-1)?.at.getTime() ?? 0;
    expect((last - t0) / 1000).toBeCloseTo(3_000 / 10 - 1, 0);
    expect(new Set(messages.map(({ contactId }) => contactId)).size).toBe(3_000);
  });

  test('whoever replies while he waits for room gives it up', () => {
    const paces = new Map([
      ['sms', { concurrency: 9, latencyMs: 0 }],
      ['push', { concurrency: 9, perSecond: 0.1, latencyMs: 0 }],
    ]);
    const flow = [message('intro', { followUps: [{ after: 'PT1S', channel: 'push' }] })];
    const { lines, counters } = simulated(flow, { contacts: people(4), paces, events: replies('100% after PT15S') });
    expect(lines.slice(4)).toEqual(['+1 push intro/1 sent', '+11 push intro/1 sent']);
    expect(counters).toMatchObject({ replied: 2, completed: 4 });
    const some = simulated(flow, { contacts: people(12), paces, events: replies('50% after PT15S') });
    const { replied = 0, completed } = some.counters;
    expect(replied).toBeGreaterThan(2);
    expect(completed).toBe(12);
    // whoever did not reply has his turn every 10 s, and nobody else
    expect(some.lines.slice(12).map((line) => line.split(' ')[0])).toEqual(
      Array.from({ length: 12 - replied }, (_, n) => `+${1 + 10 * n}`),
    );
  });
});

describe('endAt', () => {
  test('cancels what is open, and says what it waited for', () => {
    const paces = new Map([['sms', { concurrency: 9, perSecond: 1, latencyMs: 0 }]]);
    const flow = [message('intro'), message('more', { delay: 'PT10S' })];
    const { cutOff, counters, ended } = simulated(flow, { contacts: people(5), paces, endAt: t0 + 11_500 });
    expect(counters).toMatchObject({ cancelled: 3, completed: 2 });
    expect(cutOff).toEqual(['rate', 'rate', 'rate']);
    expect(ended.filter(({ status }) => status === 'cancelled').map(({ reason }) => reason)).toEqual(
      Array(3).fill('campaign_ended'),
    );
  });

  test.each([
    ['flow', [message('intro', { delay: 'P9D' })], {}],
    ['answer', [message('intro')], { paces: new Map([['sms', { concurrency: 1, latencyMs: 99_000 }]]) }],
    [
      'rate',
      [message('intro')],
      { contacts: people(2), paces: new Map([['sms', { concurrency: 9, perSecond: 0.001, latencyMs: 0 }]]) },
    ],
  ])('%s', (because, flow, more) => {
    const { cutOff, simulation } = simulated(flow, { ...more, endAt: t0 + 60_000 });
    expect(cutOff).toEqual([because]);
    expect(simulation.open).toBe(0);
  });

  test('whoever has ended with a message under way is left alone', () => {
    const paces = new Map([['sms', { concurrency: 9, latencyMs: 30_000 }]]);
    const flow = [message('intro', { followUps: [{ after: 'PT10S' }], waitForReply: 'P1D' })];
    const { ended, cutOff, lines } = simulated(flow, {
      paces,
      events: replies('100% after PT15S'),
      endAt: t0 + 60_000,
    });
    expect(ended).toMatchObject([{ outcome: 'replied' }]);
    expect(cutOff).toEqual([]);
    expect(lines).toHaveLength(2);
  });

  test('behind the last message it changes nothing', () => {
    const { ended, cutOff } = simulated([message('intro')], { endAt: t0 + 60_000 });
    expect(ended).toMatchObject([{ outcome: 'finished' }]);
    expect(cutOff).toEqual([]);
  });
});

describe('chance', () => {
  const flow = [message('intro', { followUps: [{ after: 'P2D' }], waitForReply: 'P2D' })];
  const share = (seed: number, text: string): number =>
    (simulated(flow, { contacts: people(1000), seed, events: replies(text) }).counters['replied'] ?? 0) / 1000;

  test('comes out as asked, and the same for the same seed', () => {
    expect(share(1, '20% after P1D')).toBeCloseTo(0.2, 1);
    expect(share(1, '20% after P1D')).toBe(share(1, '20% after P1D'));
    expect(share(1, '20% after P1D')).not.toBe(share(2, '20% after P1D'));
    expect(share(1, '0%')).toBe(0);
  });

  test('whoever replies is the same person, whatever else is simulated', () => {
    const who = (more: object): unknown[] =>
      simulated(flow, { contacts: people(300), events: replies('20% after P1D'), ...more })
        .ended.filter(({ outcome }) => outcome === 'replied')
        .map(({ contact }) => contact.id)
        .toSorted();
    const paces = new Map([['sms', { concurrency: 2, perSecond: 5, latencyMs: 700 }]]);
    expect(who({ paces })).toEqual(who({}));
    expect(who({}).length).toBeGreaterThan(20);
  });
});

test('1,000 contacts through a six-week drip take three steps a message, whatever the channel is like', () => {
  const stages = Array.from({ length: 7 }, (_, n) => message(`week${n}`, n === 0 ? {} : { delay: 'P7D' }));
  const paces = new Map([['sms', { concurrency: 64, perSecond: 100, latencyMs: 100 }]]);
  const { messages, counters, steps } = simulated(stages, { contacts: people(1_000), paces });
  expect(messages).toHaveLength(7_000);
  expect(counters).toMatchObject({ completed: 1_000, 'messages.sent': 7_000 });
  expect(steps).toBeLessThan(3.5 * 7_000);
});
