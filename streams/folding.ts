import { ignoreElements, merge, type Observable } from 'rxjs';
import type { CampaignStore } from '../src/domain/campaignPorts.ts';
import { type Fault, isServiceError } from '../src/domain/errors.ts';
import { markOf } from '../src/domain/guard.ts';
import { campaignKey, campaignPartition } from '../src/domain/ids.ts';
import type { Id, Metrics, Run } from '../src/domain/model.ts';
import type { Clock, Instruments, Logger } from '../src/domain/systemPorts.ts';
import { Guards } from './guards.ts';
import { readLoop } from './operators/readLoop.ts';
import { pause, Waker } from './waker.ts';

/** `metrics` is at most 2 s behind (contract). */
const everyMs = 1000;
/** Who counted after the end folds that himself; what was left by one who could not is looked for so often. */
const lookEveryMs = 60_000;

export interface FoldingParams {
  campaigns: CampaignStore;
  /** Number of partitions of the cluster. */
  partitions: number;
  owns: (partition: number) => boolean;
  clock: Clock;
  logger: Logger;
  instruments: Instruments;
  signal: AbortSignal;
  /** A run ended: nothing of it is left to do. */
  onSettled: (run: Run) => void;
  /** The guard of a run says that it is to be paused. Resolves when that is done, or was of no use. Never rejects. */
  onTripped: (run: Run, fault: Fault) => Promise<void>;
}

/** Folds the members' counters of the owned open runs into their metrics, and ends a run when nothing of it is left. */
export class Folding {
  private readonly params: FoldingParams;
  private readonly open = new Map<string, Run>();
  /** To be looked at although no counter changed. */
  private readonly due = new Set<string>();
  private readonly folded = new Map<string, string>();
  /** Campaigns that have ended, in whose conversations something was counted since. */
  private readonly late = new Map<string, Id>();
  /** Campaigns that were seen to end: what was counted by who had not seen it yet is looked for once. */
  private readonly ended = new Map<string, Id>();
  private readonly waker = new Waker();
  private readonly guards = new Guards();

  /** Folds every second while an owned run is open, or one ended, or something was counted late; idle otherwise. */
  readonly stream$: Observable<never>;

  constructor(params: FoldingParams) {
    this.params = params;
    const { clock, signal } = params;
    const turns$ = readLoop(
      () => this.nextTurn(),
      () => this.tick(),
    );
    const looks$ = readLoop(
      () => pause(clock, lookEveryMs, signal),
      () => this.lookForLate(),
    );
    this.stream$ = merge(turns$, looks$).pipe(ignoreElements());
  }

  /** A committed round of this member counted something in a campaign that has ended: a receipt that came late. */
  counted(id: Id): void {
    this.late.set(campaignKey(id), id);
    this.waker.wake();
  }

  /** A run that this member held for open has ended, so it may have counted in it at that very moment. */
  hasEnded(id: Id): void {
    this.ended.set(campaignKey(id), id);
    this.waker.wake();
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
    this.guards.forget(id);
  }

  /** One turn: whatever changed since the last. Never rejects; what fails is looked at again in the next turn. */
  async tick(): Promise<void> {
    await this.foldOpen();
    if (this.ended.size > 0) await this.lookForLate();
    await this.foldLate();
  }

  /** What was counted late and is in no metrics, because its member was lost in between. Never rejects. */
  async lookForLate(): Promise<void> {
    const { campaigns, owns, partitions, logger, signal } = this.params;
    if (signal.aborted) return;
    const ended = new Map(this.ended);
    this.ended.clear();
    try {
      for (const id of await campaigns.unfolded())
        if (ended.has(campaignKey(id)) || owns(campaignPartition(id, partitions))) this.counted(id);
    } catch (error) {
      for (const [key, id] of ended) this.ended.set(key, id);
      logger.warn('it is not known what was counted late; it is looked for again', { error });
    }
  }

  private async foldLate(): Promise<void> {
    const { campaigns, signal, logger } = this.params;
    const late = [...this.late];
    this.late.clear();
    for (const [key, id] of late) {
      if (signal.aborted) return;
      try {
        await campaigns.foldLate(id);
      } catch (error) {
        if (isServiceError(error, 'fenced')) return;
        this.late.set(key, id);
        logger.warn('what was counted late could not be folded; it is tried again', { campaignId: id, error });
      }
    }
  }

  private async foldOpen(): Promise<void> {
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
    await this.waker.until(() => this.open.size + this.late.size + this.ended.size > 0, signal);
    await pause(clock, everyMs, signal);
  }

  private async fold(key: string, run: Run): Promise<void> {
    const { campaigns, clock, onTripped } = this.params;
    const at = clock.now();
    const { metrics, pending, aged } = await campaigns.counters(run._id);
    const said = figuresOf(metrics);
    if (this.folded.get(key) !== said) {
      await campaigns.fold(run._id, metrics);
      this.folded.set(key, said);
    }
    const fault = this.guards.see(run, markOf(metrics, aged, at));
    const isEmpty = metrics.active === 0 && pending === 0;
    const isMigrating = run.migration !== undefined && run.migration.completedAt === undefined;
    const over = run.status === 'cancelled' || (run.status === 'running' && run.expansion.done && !isMigrating);
    if (fault !== undefined && !(over && isEmpty)) {
      await onTripped(run, fault);
      // until it shows that it is paused
      this.due.add(key);
    } else if (over && isEmpty) {
      if (run.audience.dedupeBy !== undefined) await campaigns.forgetAddresses(run._id);
      await this.settle(key, run);
    }
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
