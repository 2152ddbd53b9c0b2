import type { Clock } from '../src/domain/systemPorts.ts';

/** What sleeps, by key: each once, until its time has come, it is woken by hand, or the signal is aborted. */
export class Sleepers {
  private readonly clock: Pick<Clock, 'after'>;
  private readonly asleep = new Map<string, () => void>();

  constructor(clock: Pick<Clock, 'after'>, signal: AbortSignal) {
    this.clock = clock;
    signal.addEventListener('abort', () => this.clear(), { once: true });
  }

  has(key: string): boolean {
    return this.asleep.has(key);
  }

  /** Calls back after `ms`, unless it is forgotten before. */
  sleep(key: string, ms: number, callback: () => void): void {
    this.forget(key);
    const cancel = this.clock.after(ms, () => {
      this.asleep.delete(key);
      callback();
    });
    this.asleep.set(key, cancel);
  }

  forget(key: string): void {
    this.asleep.get(key)?.();
    this.asleep.delete(key);
  }

  private clear(): void {
    for (const key of [...this.asleep.keys()]) this.forget(key);
  }
}
