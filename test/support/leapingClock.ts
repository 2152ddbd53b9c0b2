import type { Clock } from '../../src/domain/systemPorts.ts';
import { systemClock } from '../../src/worker/systemClock.ts';

export interface LeapingClock extends Clock {
  /** Puts the wall clock forward, and calls whatever that makes due, in its order. */
  leapTo(at: number): void;
}

/**
 * A wall clock that stands still but for its leaps, for a member that works on a real database: leases and pauses of the
 * machinery last as long as ever, a campaign of weeks as long as its work does.
 */
export function leapingClock(start: number): LeapingClock {
  let wall = start;
  const timers = new Set<{ at: number; fire: () => void }>();
  return {
    now: () => wall,
    monotonic: systemClock.monotonic,
    after(ms, callback) {
      const fire = (): void => {
        cancel();
        callback();
      };
      const timer = { at: wall + Math.max(0, ms), fire };
      const cancelReal = systemClock.after(ms, fire);
      const cancel = (): void => {
        timers.delete(timer);
        cancelReal();
      };
      timers.add(timer);
      return cancel;
    },
    leapTo(at) {
      wall = at;
      const due = [...timers].filter((timer) => timer.at <= at).sort((a, b) => a.at - b.at);
      for (const timer of due) if (timers.has(timer)) timer.fire();
    },
  };
}
