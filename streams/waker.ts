/** Lets loops sleep until there is work, without a timer and without a query. */
export class Waker {
  readonly #asleep = new Set<() => void>();

  wake(): void {
    for (const wake of this.#asleep) wake();
    this.#asleep.clear();
  }

  /** Resolves once `ready` holds or the signal is aborted; `ready` is looked at again whenever `wake` is called. */
  async until(ready: () => boolean, signal: AbortSignal): Promise<void> {
    const stop = (): void => this.wake();
    signal.addEventListener('abort', stop);
    while (!ready() && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#asleep.add(resolve);
      });
    }
    signal.removeEventListener('abort', stop);
  }
}

/** Resolves after `ms` or when the signal is aborted. */
export function pause(
  clock: { after(ms: number, callback: () => void): () => void },
  ms: number,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const stop = (): void => {
      cancel();
      resolve();
    };
    const cancel = clock.after(ms, () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
    signal.addEventListener('abort', stop, { once: true });
  });
}
