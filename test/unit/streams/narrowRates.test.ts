/** Limits narrower than that of a channel: of campaigns and of mail domains. They hold up nobody else. */
import { describe, expect, test } from '@jest/globals';
import type { Channel } from '../../../src/domain/channelPorts.ts';
import type { Message, Run } from '../../../src/domain/model.ts';
import { type RateLimit, rateLimit } from '../../../src/domain/rates.ts';
import { Dispatch } from '../../../streams/dispatch.ts';
import { Rates } from '../../../streams/rates.ts';
import { type ManualClock, manualClock } from '../../support/clock.ts';
import { recordingInstruments, recordingLogger } from '../../support/fakes.ts';
import { MemoryDatabase } from '../../support/memory/database.ts';
import { MemoryRates } from '../../support/memory/rates.ts';
import { facts } from '../domain/given.ts';
import { Cluster } from './cluster/cluster.ts';

interface World {
  domainRates?: Channel['domainRates'];
  concurrency?: number;
  rate?: RateLimit;
}

function world({ domainRates, concurrency = 8, rate }: World = {}) {
  const clock = manualClock(1_000_000);
  const database = new MemoryDatabase({ clock });
  const logger = recordingLogger();
  const sent: { id: string; at: number }[] = [];
  const held: { id: string; inMs: number | undefined }[] = [];
  const channel: Channel = {
    ...facts('email', 'email', {}),
    concurrency,
    ...(domainRates === undefined ? {} : { domainRates }),
    ...(rate === undefined ? {} : { rate }),
    send: async ({ messageId }) => {
      sent.push({ id: messageId, at: clock.monotonic() });
      return { kind: 'sent' };
    },
    close: async () => {},
  };
  let maySend = true;
  const stop = (): void => {
    maySend = false;
  };
  const channels = new Map([['email', channel]]);
  const instruments = recordingInstruments();
  const common = { channels, clock, random: () => 0, logger };
  const rates = new Rates({ ...common, store: new MemoryRates({ database, memberId: 'm1' }) });
  const dispatch: Dispatch = new Dispatch({
    ...{ ...common, concurrency: 64, instruments, ledger: { leaseRemaining: () => 10_000 } },
    ...{ rates, campaigns: { heads: async () => new Map(), sending: async () => 'on' as const } },
    ...{ seen: () => {}, maySend: () => maySend, onFresh: () => {} },
  });
  dispatch.results$.subscribe(({ row, outcome }) => {
    if (outcome.kind === 'held') held.push({ id: row._id, inMs: outcome.inMs });
    dispatch.settled(row);
  });
  let number = 0;
  const row = (to: string, campaignId = 'spring'): Message => {
    number += 1;
    const id = `${campaignId}:${number}`;
    return { _id: `${id}/1`, conversationId: id, campaignId, channel: 'email', to } as Message;
  };
  const put = (...rows: Message[]): void => dispatch.enqueue(rows.map((one) => ({ row: one, decidedAt: 0 })));
  const run = (id: string, perSecond?: number, more: object = {}): void => {
    const limits = perSecond === undefined ? {} : { limits: { perSecond } };
    rates.runChanged({ key: id, run: { _id: id, settled: false, ...limits, ...more } as Run });
  };
  return { clock, database, logger, instruments, sent, held, rates, dispatch, row, put, run, stop };
}

/** Answers of the store come between the timers. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let n = 0; n < ms; n += 5) await clock.advanceAsync(5);
}

const many = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);

describe('a campaign with limits.perSecond', () => {
  test('its rows wait beside the queue, and those of others behind them leave at once', async () => {
    const { clock, put, row, run, sent, held } = world();
    run('slow', 2);
    put(...many(4, () => row('a@a.test', 'slow')), ...many(6, () => row('a@a.test', 'free')));
    await clock.advanceAsync(30);
    expect(sent.filter(({ id }) => id.startsWith('free'))).toHaveLength(6);
    // a second's worth waits, the rest goes back to its lane, which knows when there are slots
    expect(held.every(({ inMs }) => inMs === undefined)).toBe(true);
    await pass(clock, 3_000);
    const own = sent.filter(({ id }) => id.startsWith('slow'));
    expect(own.length + held.length).toBe(4);
    expect(own.length).toBeGreaterThanOrEqual(2);
  });

  test('a lane has as much room as there are slots that no row waits for, or will be in a moment', async () => {
    const { clock, rates, run, put, row, sent } = world();
    expect(rates.room('spring', 'email')).toBe(Number.POSITIVE_INFINITY);
    run('spring', 1);
    expect(rates.room('spring', 'email')).toBe(0);
    run('spring', 10);
    // as far as they leave room on the channel
    expect(rates.room('spring', 'email')).toBe(4);
    expect(rates.room('spring', '-')).toBe(Number.POSITIVE_INFINITY);
    put(...many(4, () => row('a@a.test')));
    expect(rates.room('spring', 'email')).toBe(0);
    await pass(clock, 600);
    expect(sent).toHaveLength(4);
    expect(rates.room('spring', 'email')).toBeGreaterThanOrEqual(4);
  });

  test('the limit is live: raised, lifted, set by an operator, and gone with its campaign', async () => {
    const { clock, database, logger, rates, run } = world();
    run('spring', 1);
    rates.wanted('spring');
    await clock.advanceAsync(50);
    expect(database.rates.get('campaign:spring')).toMatchObject({ inForce: { perSecond: 1, burst: 1 } });
    run('spring');
    expect(rates.room('spring', 'email')).toBe(Number.POSITIVE_INFINITY);
    database.rates.put({ _id: 'campaign:spring', rate: '1/s' });
    await rates.load();
    expect(rates.room('spring', 'email')).toBe(0);
    database.rates.put({ _id: 'campaign:spring', rate: 'fast' });
    await rates.load();
    expect(rates.room('spring', 'email')).toBe(Number.POSITIVE_INFINITY);
    expect(logger.of('error').map(({ message }) => message)).toEqual([
      expect.stringContaining('rate_limits campaign:spring cannot be used: rate was "fast"'),
    ]);
    run('spring', 1, { settled: true });
    await clock.advanceAsync(0);
    expect([rates.room('spring', 'email'), database.rates.get('campaign:spring')]).toEqual([
      Number.POSITIVE_INFINITY,
      undefined,
    ]);
  });

  test('two members share it, an unlimited campaign beside it takes no notice, and both end', async () => {
    const cluster = new Cluster(() => 0.5);
    for (let n = 0; n < 2; n++) cluster.join();
    cluster.provider.isHealthy = true;
    await cluster.clock.advanceAsync(10_000);
    const began = cluster.clock.now();
    cluster.insertCampaign('one', 40, { limits: { perSecond: 4 } });
    cluster.insertCampaign('one', 40);
    const of = (campaignId: string): number[] =>
      cluster.database.messages
        .find((one) => one.campaignId === campaignId && one.sentAt !== undefined)
        .map(({ handedAt, sentAt }) => ((handedAt ?? sentAt) as Date).getTime())
        .toSorted((a, b) => a - b);
    let ms = 0;
    for (; ms < 60_000 && of('one0').length < 40; ms += 500) await cluster.clock.advanceAsync(500);
    const [slow, free] = [of('one0'), of('one1')];
    expect([slow.length, free.length]).toEqual([40, 40]);
    let from = 0;
    for (const [to, at] of slow.entries()) {
      while (at - (slow[from] as number) >= 1_000) from += 1;
      expect(to - from + 1).toBeLessThanOrEqual(8);
    }
    // 95 % of its rate
    expect((slow.at(-1) as number) - began).toBeLessThanOrEqual(10_000 / 0.95 + 1_000);
    expect((free.at(-1) as number) - began).toBeLessThan((slow.at(-1) as number) - began);
    expect(cluster.errors()).toEqual([]);
  });
});

test('slots of a campaign whose end a crash left untidied go before long, and those of one at work stay', async () => {
  const { clock, database, rates, run } = world();
  run('spring', 1);
  database.runs.put({ _id: 'spring', settled: false } as Run);
  database.runs.put({ _id: 'winter', settled: true } as Run);
  for (const id of ['spring', 'winter']) database.rates.put({ _id: `campaign:${id}`, tat: clock.now() });
  for (let n = 0; n < 12; n++) await clock.advanceAsync(60_000);
  expect(database.rates.find().map(({ _id }) => _id)).toEqual(['campaign:spring']);
  rates.stop();
});

describe('rates of mail domains', () => {
  test('a slow domain holds up no other; what would wait for long is told when its turn comes', async () => {
    const { clock, put, row, sent, held, dispatch } = world({ domainRates: { 'slow.test': 1 } });
    put(...many(20, () => row('a@slow.test')), ...many(20, () => row('a@fast.test')));
    await clock.advanceAsync(200);
    expect(sent).toHaveLength(21);
    expect(dispatch.inDoubt).toBeLessThanOrEqual(2);
    const turns = held.map(({ inMs }) => inMs as number);
    expect(turns).toEqual(turns.toSorted((a, b) => a - b));
    expect(turns.length).toBeGreaterThanOrEqual(17);
    expect(turns.at(-1)).toBeGreaterThanOrEqual(17_000);
    expect(turns.at(-1)).toBeLessThanOrEqual(23_000);
    await pass(clock, 2_000);
    expect(sent.length + held.length).toBe(40);
  });

  test('of the domain itself before any other, of operators before the environment; at any time', async () => {
    const { clock, database, rates, row } = world({ domainRates: { 'a.test': 10, '*': 5 } });
    const slots = async (to: string): Promise<unknown> => {
      const [limit] = rates.narrow(row(to));
      limit?.wanted();
      await clock.advanceAsync(50);
      const domain = to.slice(to.lastIndexOf('@') + 1);
      return database.rates.get(`domain:email:${domain}`)?.inForce?.perSecond;
    };
    expect(await slots('x@a.test')).toBe(10);
    expect(await slots('x@b.test')).toBe(5);
    expect(rates.narrow(row('nobody'))).toEqual([]);
    database.rates.put({ _id: 'domain:email:b.test', rate: '20/s' });
    database.rates.put({ _id: 'domain:email:*', rate: '3/s' });
    await rates.load();
    await clock.advanceAsync(1_000);
    expect(await slots('x@b.test')).toBe(20);
    expect(await slots('x@c.test')).toBe(3);
    expect(await slots('x@a.test')).toBe(10);
    expect(await slots('x@[IPv6:::1]')).toBe(undefined);
    expect(database.rates.get('domain:email:[ipv6:::1]')?.inForce?.perSecond).toBe(3);
  });

  test('a channel that had none gets one while it runs', async () => {
    const { database, rates, row } = world();
    expect(rates.narrow(row('x@a.test'))).toEqual([]);
    database.rates.put({ _id: 'domain:email:a.test', rate: '20/s' });
    await rates.load();
    expect([rates.narrow(row('x@a.test')).length, rates.narrow(row('x@b.test')).length]).toEqual([1, 0]);
  });

  test('domains without number leave nothing behind', async () => {
    const { clock, database, rates, row } = world({ domainRates: { '*': 1 / 60 } });
    for (let n = 0; n < 2_500; n++) {
      for (const limit of rates.narrow(row(`x@d${n}.test`))) limit.wanted();
      await clock.advanceAsync(1);
    }
    expect(database.rates.find().length).toBe(2_500);
    for (let n = 0; n < 12; n++) await clock.advanceAsync(60_000);
    expect(database.rates.find().length).toBeLessThanOrEqual(2_000);
    rates.stop();
  });

  test('turns are told as fast as the domain is, whoever never comes back, and however many there are', async () => {
    const { clock, put, row, sent, held } = world({ domainRates: { 'slow.test': 0.5 }, concurrency: 4 });
    // as many as never come back
    put(...many(60, () => row('a@slow.test', 'gone')));
    await pass(clock, 1_500);
    const back: { at: number; id: string }[] = [];
    const isOwn = (id: string): boolean => id.startsWith('spring');
    const takeBack = (): void => {
      for (const { id, inMs = 0 } of held.splice(0)) if (isOwn(id)) back.push({ id, at: clock.monotonic() + inMs });
    };
    held.length = 0;
    put(...many(1_200, () => row('a@slow.test')));
    const perQuarter: number[] = [];
    for (let quarter = 0; quarter < 4; quarter++) {
      const before = sent.length;
      for (let n = 0; n < 900; n++) {
        await clock.advanceAsync(1_000);
        takeBack();
        const due = back.filter(({ at }) => at <= clock.monotonic());
        for (const one of due) back.splice(back.indexOf(one), 1);
        if (due.length > 0) put(...due.map(() => row('a@slow.test')));
      }
      perQuarter.push(sent.length - before);
    }
    // 450 could leave in each; 1,200 there were
    expect(perQuarter.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(0.9 * 1_200);
    for (const count of perQuarter) expect(count).toBeLessThanOrEqual(452);
  });

  test('no row waits for longer than a second, whatever its store says, and none that may not leave', async () => {
    const { clock, database, put, row, held, dispatch, stop } = world({ domainRates: { 'slow.test': 1 / 3_600 } });
    database.rates.put({ _id: 'domain:email:slow.test', tat: clock.now() + 3_600_000 });
    put(row('a@slow.test'));
    await pass(clock, 1_500);
    expect([dispatch.inDoubt, held.length]).toEqual([0, 1]);
    const other = world({ domainRates: { 'slow.test': 1 } });
    other.put(...many(2, () => other.row('a@slow.test')));
    await pass(other.clock, 100);
    other.stop();
    await pass(other.clock, 500);
    expect(other.dispatch.inDoubt).toBe(0);
    stop();
  });

  test('whoever comes later does not overtake those that wait', async () => {
    const { clock, put, row, sent, held } = world({ domainRates: { 'slow.test': 2 } });
    put(...many(3, () => row('a@slow.test')));
    for (let n = 0; n < 200; n++) {
      put(row('a@slow.test'));
      await clock.advanceAsync(10);
    }
    const first = [1, 2, 3].map((n) => `spring:${n}/1`);
    const done = new Set([...sent, ...held].map(({ id }) => id));
    expect(first.filter((id) => !done.has(id))).toEqual([]);
    expect(sent.slice(0, 2).map(({ id }) => id)).toEqual(first.slice(0, 2));
  });

  test('who waits for his domain takes no slots of the campaign from who can use them', async () => {
    const { clock, put, row, run, sent, rates } = world({ domainRates: { 'slow.test': 0.5 }, concurrency: 16 });
    run('spring', 4);
    rates.wanted('spring');
    for (let n = 0; n < 1_200; n++) {
      const room = Math.min(4, rates.room('spring', 'email'));
      for (let count = 0; count < room; count++) put(row(`a@${(n + count) % 2 === 0 ? 'slow' : 'fast'}.test`));
      rates.wanted('spring');
      await clock.advanceAsync(25);
    }
    // 4 a second for 30 s
    expect(sent.length).toBeGreaterThanOrEqual(0.85 * 120);
    expect(sent.length).toBeLessThanOrEqual(124);
  });

  test('both limits hold where there are two', async () => {
    const { clock, put, row, run, sent, held } = world({ domainRates: { 'a.test': 2 } });
    run('spring', 4);
    put(...many(2, () => row('x@a.test')), ...many(3, () => row('x@b.test')));
    await clock.advanceAsync(40);
    expect(sent.length).toBeLessThanOrEqual(3);
    await pass(clock, 2_000);
    // one had to go back to its lane
    expect(sent.length + held.length).toBe(5);
    expect(sent.length).toBeGreaterThanOrEqual(4);
  });
});

describe('what is told of the waits', () => {
  test('each message that waited beside its queue once, by whose rate it was; those that did not wait, not at all', async () => {
    const { clock, put, row, run, sent, held, instruments } = world({ domainRates: { 'slow.test': 2 } });
    run('slow', 4);
    put(row('a@fast.test'), ...many(2, () => row('a@slow.test')), ...many(2, () => row('a@fast.test', 'slow')));
    await pass(clock, 1_500);
    expect([sent.length, held.length]).toEqual([5, 0]);
    const waits = instruments.of('rateWait');
    expect(waits.map(([kind]) => kind).toSorted()).toEqual(['campaign', 'campaign', 'domain', 'domain']);
    // two of a domain at 2/s: the second waits for half a second
    const ofDomain = waits.flatMap(([kind, ms]) => (kind === 'domain' ? [ms] : []));
    expect(Math.max(...ofDomain)).toBeGreaterThanOrEqual(450);
    for (const [, ms] of waits) expect(ms).toBeLessThanOrEqual(1_000);
  });

  test('rows behind each other in the queue of a channel with a rate', async () => {
    const { clock, put, row, sent, instruments } = world({ rate: rateLimit(10) });
    put(...many(5, () => row('a@a.test')));
    await pass(clock, 1_000);
    expect(sent).toHaveLength(5);
    const waits = instruments.of('rateWait');
    expect(waits.map(([kind]) => kind)).toEqual(many(5, () => 'channel'));
    // three may come at once, one each tenth of a second after them
    expect(waits.at(-1)?.[1]).toBeGreaterThanOrEqual(150);
    put(row('a@a.test'));
    await pass(clock, 500);
    expect(sent).toHaveLength(6);
    expect(instruments.of('rateWait').at(-1)?.[1]).toBeLessThan(150);
  });
});
