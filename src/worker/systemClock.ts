import type { Clock } from '../domain/systemPorts.ts';

/** A `setTimeout` of more than this fires at once (Node.js, "setTimeout": 2^31 - 1 ms). */
const longestTimerMs = 2 ** 31 - 1;

/** The clocks of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, callback) {
    const until = performance.now() + ms;
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const left = until - performance.now();
      timer = setTimeout(left > longestTimerMs ? arm : callback, Math.min(Math.max(left, 0), longestTimerMs));
    };
    arm();
    return () => clearTimeout(timer);
  },
};
