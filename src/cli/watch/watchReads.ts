/** How often what is read: the head at every look, the cluster every few seconds, samples more rarely, and never so much that looking becomes a load. */
import { isNoFaultOfDocuments } from '../../mongo/away.ts';
import type { ProgressReader } from '../../mongo/progressReader.ts';
import { safe } from '../output.ts';
import type { WatchState } from './watchSnapshot.ts';

const clusterEveryMs = 2_000;
const asideEveryMs = 4_000;
/** The longest pause after a dear look. */
const mostRestMs = 5_000;
/** What was dear is asked for so many times more rarely than it took. */
const restFactor = 20;

export interface Clock {
  /** ms, never set back. */
  monotonic(): number;
  /** ms since the epoch. */
  now(): number;
}

export class WatchReads {
  private readonly reader: ProgressReader;
  private readonly state: WatchState;
  private readonly clock: Clock;
  private clusterAt = Number.NEGATIVE_INFINITY;
  private asideAt = Number.NEGATIVE_INFINITY;
  private aside: Promise<void> | undefined;
  private failure: unknown;
  private sized = false;
  private retriesSeen = false;

  constructor(reader: ProgressReader, state: WatchState, clock: Clock) {
    this.reader = reader;
    this.state = state;
    this.clock = clock;
  }

  /** Resolves to the ms to wait before the next look, at least. Rejects with what MongoDB said. */
  async look(): Promise<number> {
    const began = this.clock.monotonic();
    const first = this.clusterAt === Number.NEGATIVE_INFINITY;
    const head = await this.reader.head();
    this.state.seeHead(head, this.clock.monotonic());
    if (head.run !== undefined) {
      this.state.flow ??= (await this.reader.flow()) as WatchState['flow'];
      await this.size(head.run);
    }
    if (began - this.clusterAt >= clusterEveryMs) {
      this.state.seeCluster(await this.reader.cluster(), this.clock.monotonic(), this.clock.now());
      this.clusterAt = began;
    }
    const took = this.clock.monotonic() - began;
    if (head.run !== undefined && head.run['settled'] !== true) this.lookAside();
    if (first) await this.aside;
    if (this.failure !== undefined) throw this.failure;
    return Math.min(mostRestMs, took * 4);
  }

  /** After MongoDB was away: nothing that was seen before tells who is alive. */
  forget(): void {
    this.state.forget();
    this.clusterAt = Math.min(this.clusterAt, 0);
  }

  private async size(run: Record<string, unknown>): Promise<void> {
    if (this.sized || (run['expansion'] as { done?: unknown } | undefined)?.done === true) return;
    this.sized = true;
    this.state.audienceSize = await this.bounded(() => this.reader.audienceSize(run));
  }

  /** In the background: the view goes on while a sample takes its time. */
  private lookAside(): void {
    const began = this.clock.monotonic();
    if (this.aside !== undefined || began < this.asideAt) return;
    this.aside = this.samples()
      .catch((error: unknown) => {
        this.failure = error;
      })
      .finally(() => {
        this.aside = undefined;
        const took = this.clock.monotonic() - began;
        this.asideAt = began + Math.max(asideEveryMs, restFactor * took);
      });
  }

  private async samples(): Promise<void> {
    const { reader, state } = this;
    const now = state.clock(this.clock.now());
    state.due = await this.bounded(() => reader.due(state.channels, now));
    const delayed = await this.bounded(() => reader.delayed(state.channels, now));
    state.delayed = (delayed ?? []).map(({ reason, count, more }) => ({ reason: safe(reason), count, more }));
    const retries = state.delayed.some(({ reason }) => reason === 'retry');
    if (retries || this.retriesSeen) {
      const pending = await this.bounded(() => reader.pending());
      state.troubles.waiting(pending?.rows ?? [], pending?.more ?? false);
    }
    this.retriesSeen = retries;
    if (state.troubles.unseen) state.troubles.failed((await this.bounded(() => reader.failed())) ?? []);
  }

  /** Undefined where MongoDB could not answer in time, or at all: the part is not known then, and no reason to stop. */
  private async bounded<T>(read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      if (isNoFaultOfDocuments(error)) return undefined;
      throw error;
    }
  }
}
