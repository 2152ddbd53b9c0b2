import { beforeEach, describe, expect, it } from '@jest/globals';
import { HostCircuits } from '../../../src/channels/hostCircuits.ts';
import { type ManualClock, manualClock } from '../../support/clock.ts';

const [down, up] = ['https://down.example', 'https://up.example'];

describe('hosts that are left alone', () => {
  let clock: ManualClock;
  let circuits: HostCircuits;
  const fail = (times: number): void => {
    for (let n = 0; n < times; n += 1) circuits.failed(down);
  };
  beforeEach(() => {
    clock = manualClock();
    circuits = new HostCircuits(clock, 15_000);
  });

  it('are none before the tenth failure in a row', () => {
    fail(9);
    expect(circuits.waitMs(down)).toBe(0);
    circuits.went(down);
    fail(9);
    expect(circuits.waitMs(down)).toBe(0);
  });

  it('are those that failed, no others', () => {
    fail(10);
    expect([circuits.waitMs(down), circuits.waitMs(up)]).toEqual([1000, 0]);
    clock.advance(400);
    expect(circuits.waitMs(down)).toBe(600);
  });

  it('get one probe after the pause, and all again when it comes through', () => {
    fail(10);
    clock.advance(1000);
    expect([circuits.waitMs(down), circuits.waitMs(down)]).toEqual([0, 15_000]);
    circuits.went(down);
    expect([circuits.waitMs(down), circuits.waitMs(down)]).toEqual([0, 0]);
    fail(9);
    expect(circuits.waitMs(down)).toBe(0);
  });

  it('are left alone twice as long each time, five minutes at most', () => {
    fail(10);
    const pauses = Array.from({ length: 11 }, () => {
      const pause = circuits.waitMs(down);
      clock.advance(pause);
      expect(circuits.waitMs(down)).toBe(0);
      circuits.failed(down);
      return pause / 1000;
    });
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  });

  it('are judged once by all that was under way when they failed', () => {
    fail(64);
    expect(circuits.waitMs(down)).toBe(1000);
  });

  it('get another probe where nobody tells what became of one', () => {
    fail(10);
    clock.advance(1000);
    expect(circuits.waitMs(down)).toBe(0);
    clock.advance(15_000);
    expect(circuits.waitMs(down)).toBe(0);
  });

  it('are left alone for as long as they ask', () => {
    circuits.failed(down, 7000);
    expect(circuits.waitMs(down)).toBe(7000);
    circuits.failed(down, 9000);
    circuits.failed(down, 3000);
    expect(circuits.waitMs(down)).toBe(9000);
    clock.advance(9000);
    expect([circuits.waitMs(down), circuits.waitMs(down)]).toEqual([0, 15_000]);
  });

  it('are not left alone for longer than five minutes, whatever one of them asks', () => {
    circuits.failed(down, 86_400_000);
    expect(circuits.waitMs(down)).toBe(300_000);
  });

  it('are forgotten where there are too many, those that failed first', () => {
    fail(10);
    for (let n = 0; n < 10_000; n += 1) circuits.failed(`https://${n}.example`);
    expect(circuits.waitMs(down)).toBe(0);
  });
});
