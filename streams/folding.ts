import { ignoreElements, type Observable } from 'rxjs';
import { isServiceError } from '../src/domain/errors.ts';
import { campaignKey } from '../src/domain/ids.ts';
import type { Id, Metrics, Run } from '../src/domain/model.ts';
import type { CampaignStore, Clock, Instruments, Logger } from '../src/domain/ports.ts';
import { readLoop } from './operators/readLoop.ts';
import { pause, Waker } from './waker.ts';

/** `metrics` is at most 2 s behind (contract). */
const everyMs = 1000;

export interface FoldingParams {
  campaigns: CampaignStore;
  owns: (partition: number) => boolean;
  clock: Clock;
  logger: Logger;
  instruments: Instruments;
  signal: AbortSignal;
  /** A run ended: nothing of it is left to do. */
  onSettled: (run: Run) => void;
}

/** Folds the members' counters of the owned open runs into their metrics, and ends a run when nothing of it is left. */
export class Folding {
  private readonly params: FoldingParams;
  private readonly open = new Map<string, Run>();
  /** To be looked at although no counter changed. */
  private readonly due = new Set<string>();
  private readonly folded = new Map<string, string>();
  private readonly waker = new Waker();

  /** Folds every second while an owned run is open; idle otherwise. */
  readonly stream$: Observable<never>;

  constructor(params: FoldingParams) {
    this.params = params;
    this.stream$ = readLoop(
      () => this.nextTurn(),
      () => this.tick(),
    ).pipe(ignoreElements());
  }

  /** Takes in a run as it is now. Its counters are looked at in the next turn, for they may have changed unseen. */
  track(run: Run): void {
    const key = campaignKey(run._id);
    if (run.settled) {
      this.forget(run._id);
      return;
    }
    this.open.set(key, run);
    this.due.add(key);
    this.waker.wake();
  }

  has(id: Id): boolean {
    return this.open.has(campaignKey(id));
  }

  forget(id: Id): void {
    const key = campaignKey(id);
    this.open.delete(key);
    this.due.delete(key);
    this.folded.delete(key);
  }

  /** One turn: whatever changed since the last. Never rejects; what fails is looked at again in the next turn. */
  async tick(): Promise<void> {
    const { campaigns, owns, signal, logger } = this.params;
    for (const run of this.open.values()) if (!owns(run.partition)) this.forget(run._id);
    if (this.open.size === 0 || signal.aborted) return;
    try {
      for (const id of await campaigns.changedCounters()) this.due.add(campaignKey(id));
    } catch (error) {
      logger.warn('it is not known which counters changed; it is tried again', { error });
      return;
    }
    const due = [...this.due];
    this.due.clear();
    for (const key of due) {
      const run = this.open.get(key);
      if (run === undefined || signal.aborted) continue;
      try {
        await this.fold(key, run);
      } catch (error) {
        // the member has left, or was taken over: that is told elsewhere, and somebody else folds
        if (isServiceError(error, 'fenced')) return;
        this.due.add(key);
        logger.warn('counters could not be folded; it is tried again', { campaignId: run._id, error });
      }
    }
  }

  private async nextTurn(): Promise<void> {
    const { clock, signal } = this.params;
    await this.waker.until(() => this.open.size > 0, signal);
    await pause(clock, everyMs, signal);
  }

  private async fold(key: string, run: Run): Promise<void> {
    const { campaigns } = this.params;
    const { metrics, pending } = await campaigns.counters(run._id);
    const said = figuresOf(metrics);
    if (this.folded.get(key) !== said) {
      await campaigns.fold(run._id, metrics);
      this.folded.set(key, said);
    }
    const over = run.status === 'cancelled' || (run.status === 'running' && run.expansion.done);
    if (over && metrics.active === 0 && pending === 0) await this.settle(key, run);
  }

  /** Refused while something changed meanwhile, and that is then told by the counters or by the campaign. */
  private async settle(key: string, { _id }: Run): Promise<void> {
    const { campaigns, logger, instruments, onSettled } = this.params;
    const settled = await campaigns.settle(_id);
    const run = await campaigns.run(_id);
    if (run === undefined || run.settled) this.forget(_id);
    else this.open.set(key, run);
    if (!run?.settled) return;
    if (settled) {
      const { metrics, endReason } = run;
      logger.info('a campaign ended', { campaignId: _id, status: run.status, endReason, metrics });
      instruments.event('campaign_settled');
    }
    onSettled(run);
  }
}

const figuresOf = ({ updatedAt: _, ...figures }: Metrics): string => JSON.stringify(figures);
