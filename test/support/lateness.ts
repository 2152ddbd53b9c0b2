/** The most that this process was late by since it is called, ms: as much later than they came it may have seen messages. */
export function lateness(): { most(): number } {
  let last = performance.now();
  let most = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    most = Math.max(most, now - last - 10);
    last = now;
  }, 10);
  timer.unref();
  return {
    most() {
      clearInterval(timer);
      return Math.max(0, most, performance.now() - last - 10);
    },
  };
}
