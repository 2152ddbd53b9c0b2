const everyMs = 10;

/**
 * The most that this process was late by since it is called, ms: as much later than they came it may have seen messages. With `ping`, what
 * that took, too: how long the database stood still.
 */
export function lateness(ping?: () => Promise<unknown>): { most(): number } {
  let last = performance.now();
  let most = 0;
  let isOut = false;
  const look = (): void => {
    const now = performance.now();
    most = Math.max(most, now - last - everyMs);
    last = now;
  };
  const timer = setInterval(() => {
    if (isOut) return;
    look();
    if (ping === undefined) return;
    isOut = true;
    ping().then(
      () => {
        isOut = false;
        look();
      },
      // the database is gone: the test is over
      () => clearInterval(timer),
    );
  }, everyMs);
  timer.unref();
  return {
    most() {
      clearInterval(timer);
      look();
      return most;
    },
  };
}
