import { describe, expect, test } from '@jest/globals';
import { manualClock } from '../../support/clock.ts';

describe('the manual clock', () => {
  test('calls timers in order of due time, each at its time, those they add included', () => {
    const clock = manualClock(1_000);
    const seen: [string, number][] = [];
    const note = (name: string) => (): void => {
      seen.push([name, clock.now()]);
    };
    clock.after(30, note('c'));
    clock.after(10, () => {
      note('a')();
      clock.after(10, note('b'));
    });
    clock.after(30, note('d'));
    clock.after(31, note('late'));
    clock.advance(30);
    expect(seen).toEqual([
      ['a', 1_010],
      ['b', 1_020],
      ['c', 1_030],
      ['d', 1_030],
    ]);
    expect(clock.nextIn).toBe(1);
  });

  test('a cancelled timer is not called', () => {
    const clock = manualClock();
    let called = false;
    const cancel = clock.after(5, () => {
      called = true;
    });
    cancel();
    clock.advance(10);
    expect(called).toBe(false);
    expect(clock.pending).toBe(0);
  });

  test('a step of the wall clock moves neither timers nor the monotonic clock', () => {
    const clock = manualClock(1_000);
    let called = false;
    clock.after(5, () => {
      called = true;
    });
    clock.stepWall(60_000);
    expect([clock.now(), clock.monotonic(), called]).toEqual([61_000, 0, false]);
  });

  test('advanceAsync lets a loop of awaits run between its timers', async () => {
    const clock = manualClock(0);
    const ticks: number[] = [];
    const loop = async (): Promise<void> => {
      for (let i = 0; i < 3; i++) {
        await new Promise<void>((resolve) => clock.after(10, resolve));
        ticks.push(clock.monotonic());
      }
    };
    const running = loop();
    await clock.advanceAsync(35);
    await running;
    expect(ticks).toEqual([10, 20, 30]);
  });
});
