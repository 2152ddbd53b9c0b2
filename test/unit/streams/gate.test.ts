import { describe, expect, test } from '@jest/globals';
import type { Message } from '../../../src/domain/model.ts';
import { Gate } from '../../../streams/gate.ts';
import { manualClock } from '../../support/clock.ts';
import { silentLogger } from '../../support/fakes.ts';

function fixture() {
  const clock = manualClock();
  const told: string[] = [];
  const reads: string[] = [];
  let failing = 0;
  let lease = 1_000;
  let sending: 'on' | 'stopped' = 'on';
  let isConnecting = true;
  const gate = new Gate({
    ledger: { leaseRemaining: () => lease },
    campaigns: {
      heads: async (ids) => {
        reads.push(ids.join());
        if (failing-- > 0) throw new Error('away');
        return new Map(ids.map((id) => [String(id), { status: 'running' }]));
      },
      sending: async () => sending,
    },
    waiting: () => [{ campaignId: 'spring' }, { campaignId: 'spring' }, { campaignId: 'autumn' }] as Message[],
    isConnecting: () => isConnecting,
    seen: (id, head) => void told.push(`${id} ${head?.status}`),
    onOpen: () => void told.push('open'),
    onFresh: () => void told.push('fresh'),
    ...{ clock, logger: silentLogger },
  });
  return {
    ...{ clock, gate, told, reads },
    fail: (times: number): void => {
      failing = times;
    },
    stop: (): void => {
      sending = 'stopped';
    },
    setConnecting: (connects: boolean): void => {
      isConnecting = connects;
    },
    setLease: (ms: number): void => {
      lease = ms;
    },
  };
}

describe('the gate', () => {
  test('one read for all campaigns that wait; then it is open for a second, and says so', async () => {
    const { clock, gate, told, reads } = fixture();
    expect([gate.isOpen('spring'), gate.isOpen('autumn')]).toEqual([false, false]);
    await clock.advanceAsync(0);
    expect(reads).toEqual(['spring,autumn']);
    expect(told).toEqual(['spring running', 'autumn running', 'open', 'fresh']);
    clock.advance(750);
    expect([gate.isOpen('spring'), gate.isOpen('summer')]).toEqual([true, false]);
    clock.advance(1);
    expect([gate.isOpen('spring'), gate.mayBegin('spring'), gate.mayBegin('summer')]).toEqual([false, true, false]);
  });

  test('what is known is read anew while anything is being handed over, before it is too old', async () => {
    const { clock, gate, reads } = fixture();
    gate.isOpen('spring');
    for (let n = 0; n < 50; n++) {
      await clock.advanceAsync(100);
      expect([gate.isOpen('spring'), gate.mayBegin('spring')]).toEqual([true, true]);
    }
    expect(reads).toHaveLength(11);
  });

  test('what was handed over begins only while the lease holds and what was read is a second old at most', async () => {
    const { clock, gate, setLease, fail, setConnecting } = fixture();
    gate.isOpen('spring');
    await clock.advanceAsync(0);
    setConnecting(false);
    await clock.advanceAsync(500);
    fail(100);
    await clock.advanceAsync(500);
    expect(gate.mayBegin('spring')).toBe(true);
    setLease(0);
    expect(gate.mayBegin('spring')).toBe(false);
    setLease(1_000);
    await clock.advanceAsync(1);
    expect(gate.mayBegin('spring')).toBe(false);
  });

  test('nothing begins once the stop switch was seen', async () => {
    const { clock, gate, stop } = fixture();
    gate.isOpen('spring');
    await clock.advanceAsync(0);
    expect(gate.mayBegin('spring')).toBe(true);
    stop();
    await clock.advanceAsync(500);
    expect([gate.sendingStopped, gate.mayBegin('spring')]).toEqual([true, false]);
  });

  test('a read that fails is made again; nothing is open until one succeeds', async () => {
    const { clock, gate, told, reads, fail } = fixture();
    fail(2);
    gate.isOpen('spring');
    await clock.advanceAsync(0);
    expect([gate.isOpen('spring'), told]).toEqual([false, []]);
    await clock.advanceAsync(1_000);
    expect(reads.length).toBeGreaterThanOrEqual(3);
    expect(told).toContain('open');
  });

  test('without a lease nothing is read, and what waits is told to look again', async () => {
    const { clock, gate, told, reads, setLease } = fixture();
    setLease(0);
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
