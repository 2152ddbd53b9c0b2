import { expect, test } from '@jest/globals';
import type { Message } from '../../../src/domain/model.ts';
import type { Channel } from '../../../src/domain/ports.ts';
import { Dispatch } from '../../../streams/dispatch.ts';
import { manualClock } from '../../support/clock.ts';
import { recordingInstruments, silentLogger } from '../../support/fakes.ts';
import { facts } from '../domain/given.ts';

test('a channel that hangs leaves every other one what it can send at a time', () => {
  const hanging = (name: string, concurrency: number): Channel => ({
    ...facts(name, 'phone', {}),
    concurrency,
    send: () => new Promise(() => {}),
    close: async () => {},
  });
  const channels = new Map([hanging('sms', 64), hanging('push', 10)].map((channel) => [channel.name, channel]));
  const dispatch = new Dispatch({
    ...{ channels, concurrency: 64, clock: manualClock(), logger: silentLogger, instruments: recordingInstruments() },
    ledger: { leaseRemaining: () => 10_000 },
    campaigns: { statuses: async () => new Map(), sending: async () => 'on' as const },
    ...{ seen: () => {}, maySend: () => true, onFresh: () => {} },
  });
  let count = 0;
  const put = (channel: string): void => {
    const row = { _id: `${count}/1`, conversationId: `${count++}`, campaignId: 'spring', channel } as Message;
    dispatch.enqueue([{ row, decidedAt: 0 }]);
  };
  put('push');
  for (let n = 0; n < 100 && dispatch.room('sms') > 0; n++) put('sms');
  expect([dispatch.inDoubt, dispatch.room('push')]).toEqual([55, 9]);
});
