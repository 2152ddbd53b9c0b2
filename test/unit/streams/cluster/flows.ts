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
};

export type FlowName = keyof typeof stages;
export const flowNames: FlowName[] = Object.keys(stages);
export const flowOf = (name: FlowName): Flow => ({ stages: stages[name] ?? [] }) as Flow;
