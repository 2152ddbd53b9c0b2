import type { Change, ChangeBatch, ChangeSource } from '../../../src/domain/changePorts.ts';
import { ServiceError } from '../../../src/domain/errors.ts';
import type { StreamPosition } from '../../../src/domain/model.ts';
import type { Clock } from '../../../src/domain/systemPorts.ts';

const memoryReplicaSet = 'memory/0';
const memoryFilterVersion = 6;

/** The history that memory sources read: changes in order, each with a token; old ones can be cut off. */
export class MemoryLog {
  readonly #changes: Change[] = [];
  readonly #waiting = new Set<() => void>();
  #cut = 0;

  get end(): number {
    return this.#changes.length;
  }

  append(...changes: Change[]): void {
    this.#changes.push(...changes);
    for (const wake of [...this.#waiting]) wake();
  }

  /** Forgets what was written so far, as a rolled oplog does. */
  truncate(): void {
    this.#cut = this.#changes.length;
  }

  /** Changes behind `offset`; undefined when some of them are forgotten. */
  from(offset: number, limit: number): Change[] | undefined {
    return offset < this.#cut ? undefined : this.#changes.slice(offset, offset + limit);
  }

  /** Calls back once at the next append; returns a function that cancels. */
  onAppend(callback: () => void): () => void {
    const wake = (): void => {
      this.#waiting.delete(wake);
      callback();
    };
    this.#waiting.add(wake);
    return () => {
      this.#waiting.delete(wake);
    };
  }
}

export const memoryPosition = (offset: number): StreamPosition => ({
  token: offset.toString(16).padStart(8, '0'),
  replicaSet: memoryReplicaSet,
  filterVersion: memoryFilterVersion,
});

export interface MemoryChangeSourceParams {
  log: MemoryLog;
  clock: Clock;
  maxAwaitTimeMs?: number;
  batchSize?: number;
}

/** Like the real one a source is pulled batch by batch, waits for news, and is closed by any error; `fail` breaks it from outside. */
export class MemoryChangeSource implements ChangeSource {
  readonly #log: MemoryLog;
  readonly #clock: Clock;
  readonly #maxAwaitTimeMs: number;
  readonly #batchSize: number;
  #offset: number | undefined;
  #interrupt: ((error: Error) => void) | undefined;
  #failure: Error | undefined;

  constructor({ log, clock, maxAwaitTimeMs = 1_000, batchSize = 1_000 }: MemoryChangeSourceParams) {
    this.#log = log;
    this.#clock = clock;
    this.#maxAwaitTimeMs = maxAwaitTimeMs;
    this.#batchSize = batchSize;
  }

  get isOpen(): boolean {
    return this.#offset !== undefined;
  }

  async open(position: StreamPosition | undefined): Promise<void> {
    await this.close();
    this.#offset = position === undefined ? this.#log.end : this.#offsetOf(position);
  }

  async read(awaitMs = this.#maxAwaitTimeMs): Promise<ChangeBatch> {
    if (this.#offset === undefined) throw new ServiceError('internal', 'the change source is not open');
    try {
      if (this.#failure) throw this.#failure;
      if (this.#offset === this.#log.end) await this.#news(Math.min(awaitMs, this.#maxAwaitTimeMs));
      const offset = this.#offset;
      const changes = this.#log.from(offset, this.#batchSize);
      if (changes === undefined) throw lost('history');
      this.#offset = offset + changes.length;
      return { changes, position: memoryPosition(this.#offset), complete: this.#offset === this.#log.end };
    } catch (error) {
      this.#offset = undefined;
      this.#failure = undefined;
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#interrupt?.(new Error('the change source was closed'));
    this.#offset = undefined;
    this.#failure = undefined;
  }

  /** The read under way, or the next one, fails with this. */
  fail(error: Error): void {
    if (this.#interrupt) this.#interrupt(error);
    else this.#failure = error;
  }

  #offsetOf({ token, replicaSet, filterVersion }: StreamPosition): number {
    if (replicaSet !== memoryReplicaSet) throw lost('replica_set');
    if (filterVersion !== memoryFilterVersion) throw lost('filter_version');
    const offset = Number.parseInt(token, 16);
    if (Number.isNaN(offset) || offset > this.#log.end || this.#log.from(offset, 0) === undefined)
      throw lost('history');
    return offset;
  }

  #news(awaitMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        cancelTimer();
        cancelAppend();
        this.#interrupt = undefined;
        act();
      };
      const cancelTimer = this.#clock.after(awaitMs, () => settle(resolve));
      const cancelAppend = this.#log.onAppend(() => settle(resolve));
      this.#interrupt = (error) => settle(() => reject(error));
    });
  }
}

const lost = (why: string): ServiceError =>
  new ServiceError('position_lost', `the position cannot be resumed: ${why}`, { cause: { why } });
