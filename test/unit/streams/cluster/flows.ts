/** Flows without a way back, so that each of their steps is taken once at most. */
import type { Flow } from '../../../../src/domain/model.ts';

const message = (id: string, channel: string, more: object = {}) => ({
  ...{ id, type: 'message', channel, content: { text: 'Hello {{ contact.name }}' } },
  ...more,
});
const end = (id: string, outcome: string) => ({ id, type: 'end', outcome });

const stages: Record<string, object[]> = {
  one: [message('intro', 'sms')],
  reply: [
    message('intro', 'sms', {
      followUps: [{ after: 'PT3S' }, { after: 'PT4S', channel: 'push' }],
      waitForReply: 'PT6S',
      on: { reply: 'thanks', failed: 'quiet', custom: 'thanks' },
    }),
    end('quiet', 'no_answer'),
    message('thanks', 'sms'),
  ],
  channels: [
    message('intro', 'sms', { on: { bounce: 'later' } }),
    message('later', 'push', { delay: 'PT2S', on: { failed: 'last' } }),
    message('last', 'sms'),
  ],
  wait: [
    { id: 'first', type: 'wait', for: 'PT2S' },
    message('intro', 'push', { waitForReply: 'PT5S' }),
    { id: 'pause', type: 'wait', for: 'PT4S' },
    message('more', 'sms'),
    end('over', 'told'),
  ],
  long: [message('intro', 'sms'), { id: 'pause', type: 'wait', for: 'P30D' }, message('more', 'sms')],
  fallback: [
    message('intro', 'push', {
      ...{ fallback: { channel: 'sms' }, followUps: [{ after: 'PT3S' }], waitForReply: 'PT4S' },
      on: { failed: 'quiet', custom: 'more' },
    }),
    end('quiet', 'no_answer'),
    message('more', 'sms', { fallback: { channel: 'push' } }),
  ],
  late: [
    message('intro', 'sms', { fallback: { channel: 'push', after: 'PT2S' } }),
    message('more', 'push', { fallback: { channel: 'sms', after: 'PT1S' }, followUps: [{ after: 'PT2S' }] }),
  ],
};

/** What came of them later: stages that are gone, new, of another type or on another channel. */
const later: Record<string, object[]> = {
  one: [message('intro', 'sms', { followUps: [{ after: 'PT3S' }] }), message('more', 'push')],
  reply: [
    message('intro', 'push', { followUps: [{ after: 'PT2S' }], waitForReply: 'PT6S', on: { reply: 'thanks' } }),
    message('ask', 'sms'),
    message('thanks', 'push'),
  ],
  channels: [message('intro', 'push', { on: { bounce: 'last' } }), message('last', 'push', { delay: 'PT1S' })],
  wait: [
    { id: 'first', type: 'wait', for: 'PT1S' },
    { id: 'pause', type: 'wait', event: 'custom', timeout: 'PT3S' },
    message('intro', 'sms'),
    message('more', 'push', { delay: 'PT2S' }),
    end('over', 'told_later'),
  ],
  long: [message('intro', 'push'), message('pause', 'sms', { delay: 'PT1S' }), message('more', 'sms')],
  fallback: [
    message('intro', 'sms', { fallback: { channel: 'push', after: 'PT2S' }, followUps: [{ after: 'PT2S' }] }),
    message('more', 'push', { fallback: { channel: 'sms' }, delay: 'PT1S' }),
  ],
  late: [
    message('intro', 'push', { fallback: { channel: 'sms' }, waitForReply: 'PT3S' }),
    message('more', 'sms', { fallback: { channel: 'push', after: 'PT1S' } }),
  ],
};

/** In another order, without the ways that would lead back there. */
const reversed = (all: readonly object[]): object[] =>
  all.toReversed().map((stage, index, order) => {
    const ahead = new Set(order.slice(index + 1).map((one) => (one as { id: string }).id));
    const { on, ...rest } = stage as { on?: Record<string, string> };
    return on === undefined
      ? rest
      : { ...rest, on: Object.fromEntries(Object.entries(on).filter(([, to]) => ahead.has(to))) };
  });

export type FlowName = keyof typeof stages;
export const flowNames: FlowName[] = Object.keys(stages);
/** Versions 1 to 3; the third has the stages of the first in another order. */
export const versions = [1, 2, 3] as const;
export const flowOf = (name: FlowName, version: (typeof versions)[number] = 1): Flow => {
  const all = { 1: stages[name] ?? [], 2: later[name] ?? [], 3: reversed(stages[name] ?? []) };
  return { stages: all[version] } as Flow;
};
