import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DueTimes } from '../../../src/domain/dueTimes.ts';

describe('DueTimes', () => {
  test('knows nothing at first', () => {
    const times = new DueTimes();
    expect(times.next).toBeUndefined();
    expect(times.needsLook(1e15)).toBe(false);
  });

  test('property: the earliest noted time that was not taken, never earlier than asked and 10 ms later at most', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1_000_000), { minLength: 1 }), fc.nat(1_000_000), (noted, now) => {
        const times = new DueTimes();
        for (const at of noted) times.note(at);
        times.taken(now);
        const left = noted.map((at) => Math.ceil(at / 10) * 10).filter((at) => at > now);
        expect(times.next).toBe(left.length === 0 ? undefined : Math.min(...left));
        if (times.next !== undefined)
          expect(times.next - Math.min(...noted.filter((at) => Math.ceil(at / 10) * 10 > now))).toBeLessThan(10);
      }),
    );
  });

  test('what the database told comes up, and asks for another look once it has passed', () => {
    const times = new DueTimes();
    times.note(500);
    times.lookedUp(200);
    expect(times.next).toBe(200);
    expect(times.needsLook(199)).toBe(false);
    expect(times.needsLook(200)).toBe(true);
    times.lookedUp(undefined);
    expect(times.next).toBe(500);
  });

  test('what there is no room for is found by a look when its time comes', () => {
    const times = new DueTimes();
    for (let at = 5000; at > 0; at--) times.note(at * 1000);
    times.taken(4_096_000);
    expect(times.next).toBe(4_097_000);
    expect(times.needsLook(4_097_000)).toBe(true);
  });
});
