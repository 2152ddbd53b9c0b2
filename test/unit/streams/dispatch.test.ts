import { expect, test } from '@jest/globals';
import type { Channel, OutboundMessage } from '../../../src/domain/channelPorts.ts';
import type { Conversation, Message } from '../../../src/domain/model.ts';
import type { RowResult } from '../../../src/domain/outbox.ts';
import { rateLimit } from '../../../src/domain/rates.ts';
import { Dispatch } from '../../../streams/dispatch.ts';
import { Rates } from '../../../streams/rates.ts';
import { manualClock } from '../../support/clock.ts';
import { recordingInstruments, recordingLogger, silentLogger } from '../../support/fakes.ts';
import { MemoryDatabase } from '../../support/memory/database.ts';
import { MemoryRates } from '../../support/memory/rates.ts';
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
    random: () => 0,
    ...{ channels, concurrency: 64, clock: manualClock(), logger: silentLogger, instruments: recordingInstruments() },
    ledger: { leaseRemaining: () => 10_000 },
    campaigns: { heads: async () => new Map(), sending: async () => 'on' as const },
    ...{ seen: () => {}, maySend: () => true, onFresh: () => {} },
  });
  let count = 0;
  const put = (channel: string): void => {
    const row = { _id: `${count}/1`, conversationId: `${count++}`, campaignId: 'spring', channel } as Message;
    dispatch.enqueue([{ row, decidedAt: 0 }]);
  };
  put('push');
  for (let n = 0; n < 100 && dispatch.room.left('sms') > 0; n++) put('sms');
  expect([dispatch.inDoubt, dispatch.room.left('push')]).toEqual([55, 9]);
});

test('what waits to leave is decided again when its conversation moved on, and leaves when it did not', async () => {
  const sent: string[] = [];
  let free: (() => void) | undefined;
  const slow: Channel = {
    ...facts('sms', 'phone', {}),
    concurrency: 1,
    send: ({ messageId }: OutboundMessage) => {
      sent.push(messageId);
      return new Promise((resolve) => {
        free = () => resolve({ kind: 'sent' });
      });
    },
    close: async () => {},
  };
  const clock = manualClock();
  const dispatch = new Dispatch({
    random: () => 0,
    ...{ channels: new Map([['sms', slow]]), concurrency: 64, clock, logger: silentLogger },
    ...{ instruments: recordingInstruments(), ledger: { leaseRemaining: () => 10_000 } },
    campaigns: { heads: async () => new Map(), sending: async () => 'on' as const },
    ...{ seen: () => {}, maySend: () => true, onFresh: () => {} },
  });
  const results: RowResult[] = [];
  dispatch.results$.subscribe((result) => results.push(result));
  const conversation = (_id: string, more: Partial<Conversation> = {}): Conversation =>
    ({ _id, status: 'active', stage: 'intro', step: 1, sequence: 1, version: 2, ...more }) as Conversation;
  const ids = ['onTheWire', 'ended', 'elsewhere', 'asBefore'];
  dispatch.enqueue(
    ids.map((id) => ({
      row: { _id: `${id}/1`, conversationId: id, campaignId: 'spring', channel: 'sms' } as Message,
      decidedAt: 0,
      conversation: conversation(id),
    })),
  );
  await clock.advanceAsync(0);
  for (const id of ids) dispatch.rewritten(conversation(id, { version: 3 }));
  dispatch.rewritten(conversation('onTheWire', { status: 'completed' }));
  dispatch.rewritten(conversation('ended', { status: 'completed' }));
  dispatch.rewritten(conversation('elsewhere', { stage: 'thanks', step: 0 }));
  for (const _ of ids) {
    free?.();
    await clock.advanceAsync(0);
  }
  expect(sent).toEqual(['onTheWire/1', 'asBefore/1']);
  expect(results.map(({ row, outcome }) => [row.conversationId, outcome.kind])).toEqual([
    ['onTheWire', 'sent'],
    ['ended', 'held'],
    ['elsewhere', 'held'],
    ['asBefore', 'sent'],
  ]);
});

test.each([
  ['it connects', false],
  ['the server is told of it, and asked again before it counts', true],
])(
  'what has not begun is held while %s when sending was stopped or its campaign was held, and tried again when nothing is known any more',
  async (_, asksTwice) => {
    const cases: [string, (world: ReturnType<typeof connecting>) => void][] = [
      ['sent', () => {}],
      ['held', (world) => world.set({ sending: 'stopped' })],
      ['held', (world) => world.set({ maySend: false })],
      ['held, tried again', (world) => world.set({ isAway: true })],
      ['held', (world) => world.set({ lease: 0 })],
      ['held', ({ dispatch }) => dispatch.stop()],
    ];
    for (const [kind, befall] of cases) {
      const world = connecting(asksTwice);
      await world.clock.advanceAsync(0);
      befall(world);
      // longer than anything stays fresh by itself
      await world.clock.advanceAsync(5_000);
      world.connect();
      await world.clock.advanceAsync(0);
      const kinds = world.results.map(({ outcome }) =>
        outcome.kind === 'held' && outcome.isStale ? 'held, tried again' : outcome.kind,
      );
      expect(kinds).toEqual([kind]);
    }
  },
);

test('what waits to leave when its send window closes is held, and so is what has not begun by then', async () => {
  const clock = manualClock();
  const begin: (() => void)[] = [];
  const sent: string[] = [];
  const slow: Channel = {
    ...facts('sms', 'phone', {}),
    concurrency: 2,
    send: ({ messageId }: OutboundMessage, _, mayBegin = () => true) =>
      new Promise((resolve) => {
        begin.push(() => {
          if (!mayBegin()) return resolve({ kind: 'retry', code: 'not_begun', message: '', counts: false });
          sent.push(messageId);
          resolve({ kind: 'sent' });
        });
      }),
    close: async () => {},
  };
  const dispatch = new Dispatch({
    random: () => 0,
    ...{ channels: new Map([['sms', slow]]), concurrency: 64, clock, logger: silentLogger },
    ...{ instruments: recordingInstruments(), ledger: { leaseRemaining: () => 10_000 } },
    campaigns: { heads: async () => new Map(), sending: async () => 'on' as const },
    ...{ seen: () => {}, maySend: () => true, onFresh: () => {} },
  });
  const results: RowResult[] = [];
  dispatch.results$.subscribe((result) => results.push(result));
  const until = clock.now() + 60_000;
  dispatch.enqueue(
    ['begins', 'connects', 'waits', 'open'].map((id) => ({
      row: { _id: `${id}/1`, conversationId: id, campaignId: 'spring', channel: 'sms' } as Message,
      decidedAt: 0,
      until: id === 'open' ? undefined : until,
    })),
  );
  await clock.advanceAsync(59_999);
  begin.shift()?.();
  await clock.advanceAsync(0);
  expect(sent).toEqual(['begins/1']);
  await clock.advanceAsync(1);
  for (let n = 0; n < 4; n++) {
    begin.shift()?.();
    await clock.advanceAsync(0);
  }
  expect(sent).toEqual(['begins/1', 'open/1']);
  expect(
    results
      .filter(({ outcome }) => outcome.kind === 'held')
      .map(({ row }) => row.conversationId)
      .sort(),
  ).toEqual(['connects', 'waits']);
});

/** One row, handed over to a channel that is still connecting, or that has asked once and will ask again. */
function connecting(asksTwice = false) {
  const clock = manualClock();
  const state = { sending: 'on' as 'on' | 'stopped', maySend: true, isAway: false, lease: 10_000 };
  let connect = (): void => {};
  const channel: Channel = {
    ...facts('sms', 'phone', {}),
    concurrency: 4,
    send: (_, __, mayBegin = () => true) =>
      new Promise((resolve) => {
        if (asksTwice) expect(mayBegin(false)).toBe(true);
        connect = () =>
          resolve(mayBegin() ? { kind: 'sent' } : { kind: 'retry', code: 'not_begun', message: '', counts: false });
      }),
    close: async () => {},
  };
  const dispatch = new Dispatch({
    random: () => 0,
    ...{ channels: new Map([['sms', channel]]), concurrency: 64, clock, logger: silentLogger },
    ...{ instruments: recordingInstruments(), ledger: { leaseRemaining: () => state.lease } },
    campaigns: {
      heads: async () => {
        if (state.isAway) throw new Error('away');
        return new Map();
      },
      sending: async () => state.sending,
    },
    ...{ seen: () => {}, maySend: () => state.maySend, onFresh: () => {} },
  });
  const results: RowResult[] = [];
  dispatch.results$.subscribe((result) => results.push(result));
  const row = { _id: 'ada/1', conversationId: 'ada', campaignId: 'spring', channel: 'sms' } as Message;
  dispatch.enqueue([{ row, decidedAt: 0 }]);
  return {
    clock,
    dispatch,
    results,
    set: (more: Partial<typeof state>) => Object.assign(state, more),
    connect: () => connect(),
  };
}

test('a row that is taken in twice takes one place', async () => {
  const channel: Channel = {
    ...facts('sms', 'phone', {}),
    concurrency: 4,
    send: async () => ({ kind: 'sent' }),
    close: async () => {},
  };
  const dispatch = new Dispatch({
    random: () => 0,
    ...{ channels: new Map([['sms', channel]]), concurrency: 64, clock: manualClock(), logger: silentLogger },
    ...{ instruments: recordingInstruments(), ledger: { leaseRemaining: () => 10_000 } },
    campaigns: { heads: async () => new Map(), sending: async () => 'on' as const },
    ...{ seen: () => {}, maySend: () => true, onFresh: () => {} },
  });
  const row = { _id: 'ada/1', conversationId: 'ada', campaignId: 'spring', channel: 'sms' } as Message;
  const before = dispatch.room.left('sms');
  dispatch.adopt([row], 'lost');
  dispatch.enqueue([{ row: { ...row }, decidedAt: 0 }]);
  expect([dispatch.inDoubt, dispatch.room.left('sms')]).toEqual([1, before - 1]);
  dispatch.settled(row);
  expect([dispatch.inDoubt, dispatch.room.left('sms')]).toEqual([0, before]);
});

test.each([
  [300, 750],
  [400, 650],
  [400, 800],
  [500, 520],
  [450, 3_000],
  [700, 400],
  [740, 3_000],
])(
  'what is known is read in %i ms and a connection made in %i ms: everything leaves at the first try',
  async (readMs, connectMs) => {
    const clock = manualClock();
    let tries = 0;
    const channel: Channel = {
      ...facts('sms', 'phone', {}),
      concurrency: 4,
      send: (_, __, mayBegin = () => true) =>
        new Promise((resolve) => {
          tries += 1;
          clock.after(connectMs, () =>
            resolve(mayBegin() ? { kind: 'sent' } : { kind: 'retry', code: 'not_begun', message: '', counts: false }),
          );
        }),
      close: async () => {},
    };
    const dispatch = new Dispatch({
      random: () => 0,
      ...{ channels: new Map([['sms', channel]]), concurrency: 64, clock, logger: silentLogger },
      ...{ instruments: recordingInstruments(), ledger: { leaseRemaining: () => 10_000 } },
      campaigns: {
        heads: () => new Promise((resolve) => clock.after(readMs, () => resolve(new Map()))),
        sending: async () => 'on',
      },
      ...{ seen: () => {}, maySend: () => true, onFresh: () => {} },
    });
    const sent: string[] = [];
    dispatch.results$.subscribe(({ row, outcome }) => void sent.push(`${row._id} ${outcome.kind}`));
    const rows = Array.from({ length: 20 }, (_, n) => `c${n}`);
    for (const id of rows) {
      const row = { _id: `${id}/1`, conversationId: id, campaignId: 'spring', channel: 'sms' } as Message;
      dispatch.enqueue([{ row, decidedAt: 0 }]);
    }
    await clock.advanceAsync(60_000);
    expect(sent.sort()).toEqual(rows.map((id) => `${id}/1 sent`).sort());
    expect(tries).toBe(rows.length);
  },
);

test('a provider that is down: what waits goes back, no more is taken, one is tried after a while', async () => {
  const clock = manualClock();
  let works = false;
  const tried: string[] = [];
  const sms: Channel = {
    ...facts('sms', 'phone', {}),
    concurrency: 4,
    send: async ({ messageId }: OutboundMessage) => {
      tried.push(messageId);
      return works
        ? { kind: 'sent' }
        : { kind: 'retry', code: 'http_503', message: 'HTTP 503: +4915 is away', counts: true };
    },
    close: async () => {},
  };
  const push: Channel = { ...sms, name: 'push', send: async () => ({ kind: 'sent' }) };
  const instruments = recordingInstruments();
  const logger = recordingLogger();
  const wakes: number[] = [];
  const dispatch = new Dispatch({
    ...{ channels: new Map([sms, push].map((one) => [one.name, one])), concurrency: 64, clock, logger },
    ...{ instruments, random: () => 0, ledger: { leaseRemaining: () => 10_000 } },
    campaigns: { heads: async () => new Map(), sending: async () => 'on' as const },
    ...{ seen: () => {}, maySend: () => true, onFresh: () => wakes.push(clock.now()) },
  });
  const results: RowResult[] = [];
  dispatch.results$.subscribe((result) => {
    results.push(result);
    dispatch.settled(result.row);
  });
  let count = 0;
  const put = (many: number): void =>
    dispatch.enqueue(
      Array.from({ length: many }, () => {
        const id = `${count++}`;
        const row = { _id: `${id}/1`, conversationId: id, campaignId: 'spring', channel: 'sms' } as Message;
        return { row, decidedAt: 0 };
      }),
    );
  put(20);
  await clock.advanceAsync(0);
  // four at a time: two more were on their way when ten had failed
  expect(tried.length).toBeLessThanOrEqual(13);
  expect(results.map(({ outcome }) => outcome.kind).filter((kind) => kind === 'held')).toHaveLength(20 - tried.length);
  expect(dispatch.inDoubt).toBe(0);
  expect([dispatch.room.left('sms'), dispatch.room.left('push')]).toEqual([0, 8]);
  expect(dispatch.channelStates).toMatchObject({ sms: { state: 'open', code: 'http_503' } });
  expect(logger.of('warn')).toMatchObject([{ fields: { channel: 'sms', code: 'http_503' } }]);
  expect(JSON.stringify(logger.entries)).not.toContain('+4915');
  // a round that was decided before is committed only now
  results.length = 0;
  put(3);
  expect(results.map(({ outcome }) => outcome.kind)).toEqual(['held', 'held', 'held']);
  expect(dispatch.inDoubt).toBe(0);
  const before = tried.length;
  wakes.length = 0;
  await clock.advanceAsync(1_000);
  expect([dispatch.room.left('sms'), wakes.length > 0]).toEqual([1, true]);
  // what only tries whether it is back is no attempt
  results.length = 0;
  put(1);
  await clock.advanceAsync(0);
  expect(results.map(({ outcome }) => outcome)).toMatchObject([{ kind: 'retry', counts: false }]);
  await clock.advanceAsync(30_000);
  works = true;
  put(5);
  await clock.advanceAsync(0);
  expect(tried.length - before).toBe(6);
  expect(dispatch.channelStates).toEqual({});
  expect(instruments.of('circuit')).toEqual([
    ['sms', 'closed'],
    ['push', 'closed'],
    ['sms', 'open'],
    ['sms', 'half_open'],
    ['sms', 'open'],
    ['sms', 'half_open'],
    ['sms', 'closed'],
  ]);
});

test('where each recipient has a host of its own, the failures of one stop nobody else', async () => {
  const clock = manualClock();
  const many: Channel = {
    ...facts('hook', 'url', {}),
    ...{ concurrency: 4, manyHosts: true },
    send: async () => ({ kind: 'retry', code: 'connection_failed', message: 'refused', counts: true }),
    close: async () => {},
  };
  const dispatch = new Dispatch({
    ...{ channels: new Map([['hook', many]]), concurrency: 64, clock, random: () => 0, logger: silentLogger },
    ...{ instruments: recordingInstruments(), ledger: { leaseRemaining: () => 10_000 } },
    campaigns: { heads: async () => new Map(), sending: async () => 'on' as const },
    ...{ seen: () => {}, maySend: () => true, onFresh: () => {} },
  });
  const tried: string[] = [];
  dispatch.results$.subscribe(({ row, outcome }) => {
    tried.push(outcome.kind);
    dispatch.settled(row);
  });
  dispatch.enqueue(
    Array.from({ length: 30 }, (_, n) => {
      const row = { _id: `${n}/1`, conversationId: `${n}`, campaignId: 'spring', channel: 'hook' } as Message;
      return { row, decidedAt: 0 };
    }),
  );
  await clock.advanceAsync(0);
  expect(tried).toEqual(Array.from({ length: 30 }, () => 'retry'));
  expect(dispatch.channelStates).toEqual({});
});

test('a row that would wait for long for a slot of the rate waits in its lane', async () => {
  const clock = manualClock();
  const database = new MemoryDatabase({ clock });
  const channel: Channel = {
    ...facts('sms', 'phone', {}),
    ...{ concurrency: 8, rate: rateLimit(0.1) },
    send: async () => ({ kind: 'sent' }),
    close: async () => {},
  };
  const channels = new Map([['sms', channel]]);
  const common = { channels, clock, random: () => 0, logger: silentLogger };
  const dispatch: Dispatch = new Dispatch({
    ...{ ...common, concurrency: 64, instruments: recordingInstruments(), ledger: { leaseRemaining: () => 10_000 } },
    rates: new Rates({ ...common, store: new MemoryRates({ database, memberId: 'm1' }) }),
    campaigns: { heads: async () => new Map(), sending: async () => 'on' as const },
    ...{ seen: () => {}, maySend: () => true, onFresh: () => {} },
  });
  const kinds: string[] = [];
  dispatch.results$.subscribe(({ row, outcome }) => {
    kinds.push(outcome.kind);
    dispatch.settled(row);
  });
  dispatch.enqueue(
    Array.from({ length: 3 }, (_, n) => {
      const row = { _id: `${n}/1`, conversationId: `${n}`, campaignId: 'spring', channel: 'sms' } as Message;
      return { row, decidedAt: 0 };
    }),
  );
  await clock.advanceAsync(500);
  expect(kinds.toSorted()).toEqual(['held', 'held', 'sent']);
  expect([dispatch.inDoubt, dispatch.room.left('sms')]).toEqual([0, 0]);
  dispatch.room.wanted('sms');
  await clock.advanceAsync(10_000);
  dispatch.room.wanted('sms');
  await clock.advanceAsync(200);
  expect(dispatch.room.left('sms')).toBe(1);
});
