import { describe, expect, test } from '@jest/globals';
import type { Message } from '../../../src/domain/model.ts';
import { Gate } from '../../../streams/gate.ts';
import { manualClock } from '../../support/clock.ts';
import { silentLogger } from '../../support/fakes.ts';

function fixture() {
  const clock = manualClock();
  const told: string[] = [];
  const reads: string[] = [];
  const warnings: string[] = [];
  const state = {
    failing: 0,
    lease: 1_000,
    sending: 'on' as 'on' | 'stopped',
    waiting: ['spring', 'spring', 'autumn'],
    /** An answer takes so long. */
    readMs: 0,
    hangs: false,
    /** By how much the wall clock went on while the other stood still. */
    asleepMs: 0,
  };
  const answer = <T>(value: T): Promise<T> =>
    state.hangs
      ? new Promise(() => {})
      : state.readMs === 0
        ? Promise.resolve(value)
        : new Promise((resolve) => clock.after(state.readMs, () => resolve(value)));
  const gate = new Gate({
    ledger: { leaseRemaining: () => state.lease },
    campaigns: {
      heads: async (ids) => {
        reads.push(ids.join());
        if (state.failing-- > 0) throw new Error('away');
        return answer(new Map(ids.map((id) => [String(id), { status: 'running' }])));
      },
      sending: () => answer(state.sending),
    },
    waiting: () => state.waiting.map((campaignId) => ({ campaignId }) as Message),
    isConnecting: () => state.waiting.length > 0,
    seen: (id, head) => void told.push(`${id} ${head?.status}`),
    onOpen: () => void told.push('open'),
    onFresh: () => void told.push('fresh'),
    clock: { ...clock, now: () => clock.now() + state.asleepMs },
    logger: { ...silentLogger, warn: (message) => void warnings.push(message) },
  });
  return { clock, gate, told, reads, warnings, set: (more: Partial<typeof state>) => Object.assign(state, more) };
}

describe('the gate', () => {
  test('one read for all campaigns that wait; then it is open for a second, and says so', async () => {
    const { clock, gate, told, reads, set } = fixture();
    expect([gate.isOpen('spring'), gate.isOpen('autumn')]).toEqual([false, false]);
    await clock.advanceAsync(0);
    expect(reads).toEqual(['spring,autumn']);
    expect(told).toEqual(['spring running', 'autumn running', 'open', 'fresh']);
    set({ waiting: [] });
    clock.advance(1_000);
    expect([gate.isOpen('spring'), gate.isOpen('summer'), gate.mayBegin('spring')]).toEqual([true, false, true]);
    clock.advance(1);
    expect([gate.isOpen('spring'), gate.mayBegin('spring')]).toEqual([false, false]);
  });

  test.each([0, 250, 500, 700])(
    'what is known is read anew while anything waits or is being handed over, before it is too old (read in %i ms)',
    async (readMs) => {
      const { clock, gate, reads, set } = fixture();
      set({ readMs });
      gate.isOpen('spring');
      await clock.advanceAsync(readMs);
      for (let n = 0; n < 500; n++) {
        await clock.advanceAsync(10);
        expect([n, gate.isOpen('spring'), gate.mayBegin('spring')]).toEqual([n, true, true]);
      }
      expect(reads.length).toBeGreaterThanOrEqual(20);
      expect(reads.length).toBeLessThanOrEqual(24);
    },
  );

  test('each campaign is read anew by its own age, whatever was read of others', async () => {
    const { clock, gate, set } = fixture();
    set({ waiting: ['spring'] });
    gate.isOpen('spring');
    await clock.advanceAsync(0);
    set({ waiting: [] });
    await clock.advanceAsync(600);
    set({ waiting: ['autumn'] });
    gate.isOpen('autumn');
    await clock.advanceAsync(0);
    set({ waiting: [] });
    await clock.advanceAsync(350);
    expect(gate.isOpen('spring')).toBe(true);
    set({ waiting: ['spring'] });
    gate.renew('spring');
    await clock.advanceAsync(60);
    expect(gate.mayBegin('spring')).toBe(true);
  });

  test('a question that is not answered keeps nobody from asking again', async () => {
    const { clock, gate, told, reads, warnings, set } = fixture();
    set({ hangs: true });
    gate.isOpen('spring');
    await clock.advanceAsync(1_999);
    expect([reads.length, told, warnings]).toEqual([4, [], []]);
    set({ hangs: false });
    await clock.advanceAsync(252);
    expect([gate.isOpen('spring'), warnings]).toEqual([true, ['the gate cannot read what it has to know; rows wait']]);
  });

  test('an answer to what was asked before it expired does not count', async () => {
    const { clock, gate, reads, set } = fixture();
    set({ readMs: 200 });
    gate.isOpen('spring');
    await clock.advanceAsync(100);
    set({ sending: 'stopped', waiting: [] });
    gate.expire();
    await clock.advanceAsync(100);
    expect([gate.isOpen('spring'), gate.sendingStopped]).toEqual([false, false]);
    await clock.advanceAsync(100);
    expect([gate.isOpen('spring'), gate.sendingStopped, gate.mayBegin('spring')]).toEqual([false, true, false]);
    expect(reads[1]).toBe('');
  });

  test('the stop switch is read until it is known, though nothing waits; and while it is set', async () => {
    const { clock, gate, reads, set } = fixture();
    set({ failing: 3, sending: 'stopped', waiting: [] });
    gate.expire();
    await clock.advanceAsync(1_000);
    expect(gate.sendingStopped).toBe(true);
    set({ sending: 'on' });
    await clock.advanceAsync(1_000);
    expect(gate.sendingStopped).toBe(false);
    const { length } = reads;
    await clock.advanceAsync(60_000);
    expect(reads.length - length).toBeLessThanOrEqual(1);
  });

  test('what was known before the machine slept is known no longer', async () => {
    const { clock, gate, set } = fixture();
    gate.isOpen('spring');
    await clock.advanceAsync(0);
    set({ waiting: [], asleepMs: 1_001 });
    expect([gate.isOpen('spring'), gate.mayBegin('spring')]).toEqual([false, false]);
  });

  test('what lasts is said every few seconds', async () => {
    const { clock, gate, warnings, set } = fixture();
    set({ readMs: 1_500 });
    gate.isOpen('spring');
    await clock.advanceAsync(11_000);
    expect(warnings).toEqual(Array(2).fill('what is asked before a message leaves takes too long to read; rows wait'));
    expect(gate.isOpen('spring')).toBe(false);
  });

  test('what was handed over begins only while the lease holds and what was read is a second old at most', async () => {
    const { clock, gate, set } = fixture();
    gate.isOpen('spring');
    await clock.advanceAsync(0);
    set({ waiting: [], failing: 100 });
    await clock.advanceAsync(1_000);
    expect(gate.mayBegin('spring')).toBe(true);
    set({ lease: 0 });
    expect(gate.mayBegin('spring')).toBe(false);
    set({ lease: 1_000 });
    await clock.advanceAsync(1);
    expect(gate.mayBegin('spring')).toBe(false);
  });

  test('nothing begins once the stop switch was seen', async () => {
    const { clock, gate, set } = fixture();
    gate.isOpen('spring');
    await clock.advanceAsync(0);
    expect(gate.mayBegin('spring')).toBe(true);
    set({ sending: 'stopped' });
    await clock.advanceAsync(500);
    expect([gate.sendingStopped, gate.mayBegin('spring')]).toEqual([true, false]);
  });

  test('a read that fails is made again; nothing is open until one succeeds', async () => {
    const { clock, gate, told, reads, set } = fixture();
    set({ failing: 2 });
    gate.isOpen('spring');
    await clock.advanceAsync(0);
    expect([gate.isOpen('spring'), told]).toEqual([false, []]);
    await clock.advanceAsync(1_000);
    expect(reads.length).toBeGreaterThanOrEqual(3);
    expect(told).toContain('open');
  });

  test('without a lease nothing is read, and what waits is told to look again', async () => {
    const { clock, gate, told, reads, set } = fixture();
    set({ lease: 0 });
    expect([gate.isOpen('spring'), gate.isOpen('spring')]).toEqual([false, false]);
    await clock.advanceAsync(50);
    expect([told, reads]).toEqual([['open'], []]);
  });

  test('once closed it reads no more', async () => {
    const { clock, gate, reads } = fixture();
    gate.close();
    gate.isOpen('spring');
    gate.expire();
    await clock.advanceAsync(5_000);
    expect(reads).toEqual([]);
  });
});
