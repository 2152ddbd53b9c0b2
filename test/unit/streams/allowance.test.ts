import { expect, test } from '@jest/globals';
import { rateLimit } from '../../../src/domain/rates.ts';
import { Allowance } from '../../../streams/allowance.ts';
import { Rates } from '../../../streams/rates.ts';
import { type ManualClock, manualClock } from '../../support/clock.ts';
import { recordingLogger, silentLogger } from '../../support/fakes.ts';
import { MemoryDatabase } from '../../support/memory/database.ts';
import { MemoryRates } from '../../support/memory/rates.ts';

interface Sender {
  allowance: Allowance;
  /** Monotonic ms of each message. */
  sent: number[];
  /** As a queue does that always has something to send. */
  busy: boolean;
}

function world(
  members: number,
  perSecond: number,
): { clock: ManualClock; senders: Sender[]; database: MemoryDatabase } {
  const clock = manualClock(1_000_000);
  const database = new MemoryDatabase({ clock });
  const senders = Array.from({ length: members }, (_, n): Sender => {
    const pump = (): void => {
      if (!sender.busy) return;
      while (sender.allowance.take()) sender.sent.push(clock.monotonic());
      sender.allowance.ask();
    };
    const store = new MemoryRates({ database, memberId: `m${n}` });
    const allowance = new Allowance(
      {
        id: 'channel:sms',
        store,
        clock,
        random: () => n / members,
        logger: silentLogger,
        onSlot: pump,
        onNews: pump,
      },
      undefined,
    );
    const sender: Sender = { allowance, sent: [], busy: true };
    return sender;
  });
  for (const { allowance } of senders) allowance.set(rateLimit(perSecond));
  return { clock, senders, database };
}

async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let n = 0; n < ms; n += 5) await clock.advanceAsync(5);
}

function mostInASecond(all: readonly number[]): number {
  const sorted = all.toSorted((a, b) => a - b);
  let from = 0;
  let most = 0;
  for (let to = 0; to < sorted.length; to++) {
    while ((sorted[to] as number) - (sorted[from] as number) >= 1_000) from += 1;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

test('four members, one of which goes and another comes: the rate is used, and never passed', async () => {
  const { clock, senders } = world(5, 100);
  const [gone, late] = [senders[0] as Sender, senders[4] as Sender];
  late.busy = false;
  await pass(clock, 4_000);
  gone.busy = false;
  await gone.allowance.stop();
  await pass(clock, 1_000);
  late.busy = true;
  late.allowance.ask();
  await pass(clock, 5_000);
  const all = senders.flatMap(({ sent }) => sent);
  expect(all.length).toBeGreaterThanOrEqual(950);
  expect(mostInASecond(all)).toBeLessThanOrEqual(200);
  // each had its share
  for (const { sent } of senders.slice(1, 4)) expect(sent.length).toBeGreaterThan(100);
  expect(late.sent.length).toBeGreaterThan(30);
});

test('who has no work keeps nothing from the others', async () => {
  const { clock, senders } = world(3, 50);
  for (const idle of senders.slice(1)) idle.busy = false;
  for (const { allowance } of senders) allowance.ask();
  await pass(clock, 10_000);
  expect(senders[0]?.sent.length).toBeGreaterThanOrEqual(500);
});

test('a slow rate: one message leaves at its time, and nobody asks without end', async () => {
  const { clock, senders, database } = world(2, 0.5);
  let asked = 0;
  database.hooks.before = (operation) => {
    if (operation === 'take_slots') asked += 1;
  };
  await pass(clock, 20_000);
  const all = senders.flatMap(({ sent }) => sent);
  expect(all.length).toBeGreaterThanOrEqual(9);
  expect(all.length).toBeLessThanOrEqual(11);
  expect(asked).toBeLessThan(100);
});

test('slots that nobody used are lost after a while', async () => {
  const { clock, senders } = world(1, 100);
  const [one] = senders as [Sender];
  one.busy = false;
  one.allowance.ask();
  await pass(clock, 5);
  expect(one.allowance.room).toBe(4);
  await pass(clock, 1_000);
  expect(one.allowance.room).toBe(0);
});

test('without a limit everything may leave; a new one holds at once', async () => {
  const { clock, senders } = world(1, 100);
  const [one] = senders as [Sender];
  one.busy = false;
  one.allowance.set(undefined);
  expect([one.allowance.room, one.allowance.take()]).toEqual([Number.POSITIVE_INFINITY, true]);
  one.allowance.set(rateLimit(10));
  expect([one.allowance.room, one.allowance.take()]).toEqual([0, false]);
  one.busy = true;
  await pass(clock, 3_000);
  expect(one.sent.length).toBeGreaterThanOrEqual(28);
  expect(one.sent.length).toBeLessThanOrEqual(40);
});

test('a store that fails is asked again, and says so once', async () => {
  const clock = manualClock();
  const logger = recordingLogger();
  let fails = true;
  let asked = 0;
  const allowance: Allowance = new Allowance(
    {
      ...{ id: 'channel:sms', clock, random: () => 0, logger },
      store: {
        take: async (_id, _limit, pace, count) => {
          asked += 1;
          if (fails) throw new Error('away');
          return { count, firstInMs: 0, againInMs: 0, pace };
        },
      },
      onSlot: () => {},
      onNews: () => allowance.ask(),
    },
    undefined,
  );
  allowance.set(rateLimit(100));
  await pass(clock, 5_000);
  expect(asked).toBeGreaterThan(3);
  expect(asked).toBeLessThan(15);
  expect(logger.of('warn')).toHaveLength(1);
  fails = false;
  await pass(clock, 600);
  expect(allowance.room).toBeGreaterThan(0);
});

test('what operators wrote holds as soon as it is read; what cannot be used is told once', async () => {
  const clock = manualClock();
  const database = new MemoryDatabase({ clock });
  const logger = recordingLogger();
  const rates = new Rates({
    ...{ store: new MemoryRates({ database, memberId: 'm1' }), clock, random: () => 0, logger },
    channels: new Map([
      ['sms', { name: 'sms', address: 'phone', concurrency: 8, rate: rateLimit(100) }],
      ['push', { name: 'push', address: 'phone', concurrency: 8 }],
    ]),
  });
  const listener = { onSlot: () => {}, onNews: () => {} };
  const [sms, push] = [rates.open('sms', listener), rates.open('push', listener)];
  expect([sms.room, push.room]).toEqual([0, Number.POSITIVE_INFINITY]);
  database.rates.put({ _id: 'channel:push', rate: '5/s' });
  database.rates.put({ _id: 'channel:sms', rate: 'fast' });
  await rates.load();
  await rates.load();
  expect([sms.room, push.room]).toEqual([0, 0]);
  expect(logger.of('error')).toHaveLength(1);
  database.rates.delete('channel:push');
  await rates.load();
  expect(push.room).toBe(Number.POSITIVE_INFINITY);
});

test('a limit that holds from the start wakes nobody: who would be woken may not be there yet', () => {
  const database = new MemoryDatabase({ clock: manualClock() });
  const woken: string[] = [];
  const rates = new Rates({
    ...{ store: new MemoryRates({ database, memberId: 'm1' }), clock: manualClock(), random: () => 0 },
    ...{
      logger: silentLogger,
      channels: new Map([['sms', { name: 'sms', address: 'phone', concurrency: 8, rate: rateLimit(100) }]]),
    },
  });
  rates.open('sms', { onSlot: () => woken.push('slot'), onNews: () => woken.push('news') });
  expect(woken).toEqual([]);
});

test('a limit that is raised while one waits for its next slot holds at once', async () => {
  const { clock, senders } = world(1, 5 / 3_600);
  const [one] = senders as [Sender];
  await pass(clock, 5_000);
  expect(one.sent.length).toBeLessThanOrEqual(1);
  one.allowance.set(rateLimit(100));
  await pass(clock, 1_000);
  expect(one.sent.length).toBeGreaterThan(50);
});

test('who has little to do takes little of what others need', async () => {
  const { clock, senders } = world(8, 100);
  for (const idle of senders.slice(1)) idle.busy = false;
  for (let n = 0; n < 10; n++) {
    for (const { allowance } of senders.slice(1)) {
      allowance.ask();
      allowance.take();
    }
    await pass(clock, 1_000);
  }
  const all = senders[0]?.sent.length ?? 0;
  expect(all).toBeGreaterThan(800);
});
