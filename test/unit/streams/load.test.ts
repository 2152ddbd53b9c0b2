/** What a round is about, and in which order it is decided: room on a channel is given in that order. */
import { expect, test } from '@jest/globals';
import type { Conversation } from '../../../src/domain/model.ts';
import type { Dispatch } from '../../../streams/dispatch.ts';
import { Loader } from '../../../streams/load.ts';
import type { Quarantine } from '../../../streams/quarantine.ts';
import type { Schedule } from '../../../streams/schedule.ts';
import { manualClock } from '../../support/clock.ts';

const conversation = (_id: string, nextChannel: string, more: Partial<Conversation> = {}): Conversation =>
  ({ _id, nextChannel, status: 'active', ...more }) as Conversation;

test('what comes from a pause is decided last, but a message that waits for another try stands behind no fresh one', async () => {
  const due = [
    conversation('paused', '-'),
    conversation('fresh', 'sms'),
    conversation('waits', '-', { awaiting: 'waits/1' }),
    conversation('again', 'sms', { awaiting: 'again/1' }),
  ];
  const loader = new Loader({
    store: { byIds: async () => [], messages: async () => [] },
    schedule: { take: async () => due, rateBefore: () => undefined } as unknown as Schedule,
    dispatch: { room: { left: () => 10 }, entries: () => [], entry: () => undefined } as unknown as Dispatch,
    quarantine: { isUntouchable: () => false } as unknown as Quarantine,
    ...{ batchSize: 10, owns: () => true, clock: manualClock() },
  });
  const candidates = await loader.load([], new Set());
  expect([...candidates.keys()]).toEqual(['waits', 'fresh', 'again', 'paused']);
  expect([...candidates.values()].every(({ slot }) => slot)).toBe(true);
});
