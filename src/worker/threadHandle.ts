import { Worker } from 'node:worker_threads';
import type { Config } from '../config.ts';
import { backoffMs } from '../domain/backoff.ts';
import type { Clock, Logger } from '../domain/systemPorts.ts';
import type { MetricsSnapshot } from '../telemetry/metrics.ts';
import type { ThreadHealth } from './health.ts';
import type { FromThread, MemberStatus, ThreadData, ToThread } from './protocol.ts';

export interface RestartPolicy {
  /** Ceilings of the jittered wait before a new thread: the first one, and all. */
  baseMs: number;
  capMs: number;
  /** So many deaths within `withinMs` are too many. */
  deaths: number;
  withinMs: number;
}

export interface ThreadHandleDeps {
  thread: number;
  url: URL;
  config: Config;
  logger: Logger;
  clock: Clock;
  random: () => number;
  restart: RestartPolicy;
  writeLine: (line: string) => void;
  /** The metrics a thread that is gone left behind, if it was ever asked for them. */
  died: (last: MetricsSnapshot | undefined) => void;
  gaveUp: (why: string) => void;
}

/** A thread too busy to answer a scrape in this time is reported with what it said last. */
const metricsTimeoutMs = 1000;

/**
 * One seat for a member: keeps a thread in it, with a jittered wait after each death. A death is a member's crash like
 * any other: the cluster takes its partitions over or the next thread claims them again.
 */
export class ThreadHandle {
  /** Resolves when no thread runs here and none will: after `stop`, `terminate` or giving up. */
  readonly ended: Promise<void>;
  readonly #deps: ThreadHandleDeps;
  #end: () => void = () => undefined;
  #worker: Worker | undefined;
  #state: ThreadHealth['state'] = 'restarting';
  #stopping = false;
  #status: MemberStatus | undefined;
  #heardAt = 0;
  #deaths: number[] = [];
  #cancelRestart: () => void = () => undefined;
  #snapshot: MetricsSnapshot | undefined;
  #requests = new Map<number, () => void>();
  #lastRequest = 0;

  constructor(deps: ThreadHandleDeps) {
    this.#deps = deps;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  start(): void {
    const { clock, config, thread, url } = this.#deps;
    const workerData: ThreadData = { kind: 'communication-base/member', thread, config };
    const worker = new Worker(url, { workerData, name: `member-${thread}` });
    this.#worker = worker;
    this.#state = 'running';
    this.#status = undefined;
    this.#heardAt = clock.monotonic();
    worker.on('message', (message: FromThread) => this.#hear(message));
    // Without a listener this would end the process.
    worker.on('error', (error) => this.#deps.logger.error('a thread failed', { error }));
    worker.on('messageerror', (error) => this.#deps.logger.error('a message of a thread was lost', { error }));
    worker.on('exit', (code) => this.#exited(code));
  }

  health(): ThreadHealth {
    const status = this.#state === 'running' ? this.#status : undefined;
    return {
      thread: this.#deps.thread,
      state: this.#state,
      ...(status === undefined ? {} : { status }),
      statusAgeMs: Math.round(this.#deps.clock.monotonic() - this.#heardAt),
    };
  }

  /** The newest metrics of the thread; undefined when none has answered since the last death. */
  get snapshot(): MetricsSnapshot | undefined {
    return this.#snapshot;
  }

  /** Resolves when the thread has answered, or is too busy, or gone. */
  async askMetrics(): Promise<void> {
    if (this.#worker === undefined) return;
    this.#lastRequest += 1;
    const id = this.#lastRequest;
    await new Promise<void>((resolve) => {
      const cancel = this.#deps.clock.after(metricsTimeoutMs, resolve);
      this.#requests.set(id, () => {
        cancel();
        resolve();
      });
      this.#tell({ type: 'metrics', id });
    });
    this.#requests.delete(id);
  }

  /** Asks the thread to drain; none is started again. */
  stop(): void {
    this.#stopping = true;
    this.#cancelRestart();
    if (this.#worker === undefined) this.#finish();
    else this.#tell({ type: 'stop' });
  }

  /** Ends the thread where it stands. */
  async terminate(): Promise<void> {
    this.stop();
    await this.#worker?.terminate();
  }

  #tell(message: ToThread): void {
    this.#worker?.postMessage(message);
  }

  #finish(): void {
    this.#state = 'ended';
    this.#end();
  }

  #hear(message: FromThread): void {
    switch (message.type) {
      case 'status':
        this.#status = message.status;
        this.#heardAt = this.#deps.clock.monotonic();
        return;
      case 'metrics':
        this.#snapshot = message.snapshot;
        this.#requests.get(message.id)?.();
        return;
      case 'log':
        this.#deps.writeLine(message.line);
        return;
      case 'final':
        this.#stopping = true;
        this.#deps.gaveUp(message.message);
    }
  }

  #exited(exitCode: number): void {
    this.#worker = undefined;
    const last = this.#snapshot;
    this.#snapshot = undefined;
    this.#deps.died(last);
    for (const over of this.#requests.values()) over();
    if (this.#stopping) this.#finish();
    else this.#died(exitCode);
  }

  #died(exitCode: number): void {
    const { clock, logger, random, restart } = this.#deps;
    const now = clock.monotonic();
    this.#deaths = [...this.#deaths.filter((at) => now - at < restart.withinMs), now];
    this.#state = 'restarting';
    this.#heardAt = now;
    const deaths = this.#deaths.length;
    if (deaths >= restart.deaths) {
      logger.error('the thread keeps dying', { exitCode, deaths, withinMs: restart.withinMs });
      this.#finish();
      this.#deps.gaveUp(`thread ${this.#deps.thread} died ${deaths} times within ${restart.withinMs} ms`);
      return;
    }
    const waitMs = backoffMs(deaths, random, { baseMs: restart.baseMs, capMs: restart.capMs });
    logger.error('a thread died; another one takes its place', { exitCode, deaths, waitMs });
    this.#cancelRestart = clock.after(waitMs, () => this.start());
  }
}
