import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../../src/domain/systemPorts.ts';

export interface ManualClock extends Clock {
  /** Moves both clocks on and calls what came due, in order of due time, each at its time. What a callback adds within the span is called too. */
  advance(ms: number): void;
  /** The same, and lets promises settle before, between and after the callbacks. */
  advanceAsync(ms: number): Promise<void>;
  /** Steps the wall clock alone, as an operator or NTP does; timers do not notice. */
  stepWall(ms: number): void;
  /** Timers not yet called. */
  readonly pending: number;
  /** Ms until the next timer; undefined without one. */
  readonly nextIn: number | undefined;
}

interface Timer {
  at: number;
  callback: () => void;
}

/** A clock that only moves when told; it starts at `wall` ms since the epoch, monotonic 0. */
export function manualClock(wall = Date.UTC(2026, 0, 5, 9)): ManualClock {
  let monotonic = 0;
  let offset = wall;
  const timers = new Set<Timer>();

  /** Sorting is stable and a Set keeps its order, so equal times are called in the order they were set. */
  const next = (): Timer | undefined => [...timers].sort((a, b) => a.at - b.at)[0];
  const fireNext = (until: number): boolean => {
    const timer = next();
    if (timer === undefined || timer.at > until) return false;
    timers.delete(timer);
    monotonic = Math.max(monotonic, timer.at);
    timer.callback();
    return true;
  };

  return {
    now: () => offset + monotonic,
    monotonic: () => monotonic,
    after(ms, callback) {
      const timer = { at: monotonic + Math.max(0, ms), callback };
      timers.add(timer);
      return () => {
        timers.delete(timer);
      };
    },
    advance(ms) {
      const until = monotonic + ms;
      while (fireNext(until));
      monotonic = until;
    },
    async advanceAsync(ms) {
      const until = monotonic + ms;
      do await turn();
      while (fireNext(until));
      monotonic = until;
      await turn();
    },
    stepWall(ms) {
      offset += ms;
    },
    get pending() {
      return timers.size;
    },
    get nextIn() {
      const timer = next();
      return timer && timer.at - monotonic;
    },
  };
}
