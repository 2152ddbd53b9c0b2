import type { Logger } from '../src/domain/systemPorts.ts';

interface Draining {
  partitions: readonly number[];
  done: boolean;
}

/** Partitions that are on their way out: drained in the background, so that beats go on meanwhile. */
export class Drains {
  readonly #drain: (partitions: readonly number[]) => Promise<void>;
  readonly #logger: Logger;
  readonly #running = new Set<Draining>();

  constructor(params: { drain: (partitions: readonly number[]) => Promise<void>; logger: Logger }) {
    this.#drain = params.drain;
    this.#logger = params.logger;
  }

  has(partition: number): boolean {
    return [...this.#running].some(({ partitions }) => partitions.includes(partition));
  }

  /** A drain that fails is forgotten: its partitions are kept until it is asked for again. */
  start(partitions: readonly number[]): void {
    const draining: Draining = { partitions, done: false };
    this.#running.add(draining);
    this.#drain(partitions).then(
      () => {
        draining.done = true;
      },
      (error: unknown) => {
        this.#logger.warn('partitions could not be drained; it is tried again', { partitions, error });
        this.#running.delete(draining);
      },
    );
  }

  /** Hands what is drained to `release`; what it refuses stays for the next call. */
  async release(release: (partitions: number[]) => Promise<void>): Promise<void> {
    const ready = [...this.#running].filter(({ done }) => done);
    if (ready.length === 0) return;
    await release(ready.flatMap(({ partitions }) => partitions));
    for (const draining of ready) this.#running.delete(draining);
  }
}
