import {
  EMPTY,
  from,
  fromEvent,
  ignoreElements,
  lastValueFrom,
  merge,
  mergeMap,
  type Observable,
  takeUntil,
} from 'rxjs';
import type { AddressBook } from '../src/domain/addresses.ts';
import { backoffMs } from '../src/domain/backoff.ts';
import { type CampaignDecision, holdCampaign, runAfter } from '../src/domain/campaign.ts';
import { isExpanding } from '../src/domain/campaignTypes.ts';
import { type Fault, isServiceError } from '../src/domain/errors.ts';
import { guardTripped } from '../src/domain/guard.ts';
import { campaignKey, campaignPartition } from '../src/domain/ids.ts';
import type { Id, Run } from '../src/domain/model.ts';
import { isId } from '../src/domain/normalise.ts';
import type { RunHead } from '../src/domain/runHeads.ts';
import type { Instruments, Logger } from '../src/domain/systemPorts.ts';
import type { Tracer } from '../src/domain/tracePorts.ts';
import { audienceFault, CampaignReader, type CampaignReaderParams } from './campaignReader.ts';
import { Expansion } from './expansion.ts';
import { Folding } from './folding.ts';
import { OneByOne } from './oneByOne.ts';
import { traceCampaign, traceRun } from './spans.ts';
import { Turns } from './turns.ts';

/** A time on the wall that is near, ms. A clock that is set forward lets it come at once, and timers do not see that: they are short. */
const nearMs = 30_000;
const longestTimerMs = 600_000;
/** Looks at the same time. */
const concurrency = 8;
/** Its expansion starts again then, and meets the same refusal. */
const holdRetryMs = 5_000;
/** Read in one comparison, at most: with an inline audience one may have 16 MB. */
const wholeDocuments = 20;
/** Times a campaign may change under our hands before it has to wait. */
const mostTries = 5;

export interface CampaignsParams extends CampaignReaderParams {
  /** Is this partition ours right now? */
  owns: (partition: number) => boolean;
  /** Hash of an address, for `dedupeBy`. */
  addressHash: (text: string) => string;
  /** In [0, 1), for back-off. */
  random: () => number;
  logger: Logger;
  instruments: Instruments;
  signal: AbortSignal;
  /** The database is away, or an operator has something to mend: no contact is to blame. */
  isNoFaultOfDocuments: (error: unknown) => boolean;
  /** See `AudiencePagesParams`. */
  mostInlineBytes?: number | undefined;
  /** A run was started, paused, resumed, expanded, ended: told at once, without the change stream. */
  onRunChanged: (run: Run) => void;
  /** Hashes the addresses of contacts. */
  addressBook?: AddressBook | undefined;
  /** Absent: nobody asked for traces. */
  tracer?: Tracer | undefined;
}

/**
 * The lifecycle of the campaigns this member owns: validate, start, pause, expand, fold, complete. Everything is decided
 * from freshly read documents, so any look may be repeated or come late.
 */
export class Campaigns {
  readonly expansion: Expansion;
  readonly folding: Folding;
  private readonly params: CampaignsParams;
  private readonly reader: CampaignReader;
  private readonly queue = new OneByOne();
  /** Looks that have not begun: they will see whatever is asked for now. */
  private readonly waiting = new Map<string, Promise<void>>();
  private readonly timers = new Map<string, () => void>();
  private readonly failures = new Map<string, number>();
  /** Of `forgotten`. */
  readonly forgottenTurns = new Turns();

  constructor(params: CampaignsParams) {
    this.params = params;
    this.reader = new CampaignReader(params);
    this.expansion = new Expansion({
      ...params,
      queue: this.queue,
      onRefused: (id, error) => void this.hold(id, audienceFault(error)),
      onRunChanged: (run) => this.runChanged(run),
    });
    this.folding = new Folding({
      ...params,
      onSettled: (run) => this.runChanged(run),
      onTripped: (run, fault) => this.hold(run._id, fault, run),
    });
    params.signal.addEventListener('abort', () => this.stop(), { once: true });
  }

  /** Looks at every campaign that `ids$` names, expands and folds, until the signal is aborted. Errors never end it. */
  run$(ids$: Observable<Id>): Observable<never> {
    const { signal } = this.params;
    if (signal.aborted) return EMPTY;
    const looks$ = ids$.pipe(mergeMap((id) => this.look(id), concurrency));
    return merge(looks$, this.expansion.stream$, this.folding.stream$).pipe(
      ignoreElements(),
      takeUntil(fromEvent(signal, 'abort')),
    );
  }

  /**
   * Decides one campaign, one look at a time. Resolves when what is stored at the time of the call was decided on, or could
   * not be: then it is logged and tried again with back-off. Never rejects.
   */
  look(id: Id): Promise<void> {
    const key = keyOf(id);
    const asked = this.waiting.get(key);
    if (asked !== undefined) return asked;
    const look = this.queue.run(key, () => {
      this.waiting.delete(key);
      return this.lookNow(id, key);
    });
    this.waiting.set(key, look);
    return look;
  }

  /** Looks at every open run and every waiting campaign of our partitions: after a gap in the stream, and on gaining partitions. */
  async sweep(): Promise<void> {
    const { campaigns } = this.params;
    const ids = new Map<string, Id>();
    for (const { _id } of await campaigns.openRunHeads()) if (this.owns(_id)) ids.set(keyOf(_id), _id);
    for await (const id of campaigns.needingAttention()) if (this.owns(id)) ids.set(keyOf(id), id);
    await this.lookAtAll(ids.values());
  }

  /** Looks at these, several at a time: each may hold a document of 16 MB. */
  async lookAtAll(ids: Iterable<Id>): Promise<void> {
    const { signal } = this.params;
    const looks$ = from(ids).pipe(mergeMap((id) => (signal.aborted ? EMPTY : this.look(id)), concurrency));
    await lastValueFrom(looks$, { defaultValue: undefined });
  }

  /** Owned campaigns that wait for something which nobody here is at, with what it is. */
  async forgotten(): Promise<Map<string, string>> {
    const { campaigns } = this.params;
    const found = new Map<string, string>();
    const runs = new Map<string, RunHead>();
    for (const run of await campaigns.openRunHeads()) {
      const key = keyOf(run._id);
      if (!this.owns(run._id) || this.isInHand(key)) continue;
      const { status, expansion } = run;
      runs.set(key, run);
      if (!this.folding.has(run._id)) found.set(key, `not folded, ${status}`);
      else if (status === 'running' && isExpanding(run) && !this.expansion.has(run._id))
        found.set(key, `not expanded further than ${expansion.expanded}`);
    }
    const ids: Id[] = [];
    for await (const id of campaigns.needingAttention()) if (this.owns(id) && !this.isInHand(keyOf(id))) ids.push(id);
    const heads = await campaigns.heads(ids);
    let left = wholeDocuments;
    for (const id of this.forgottenTurns.order(ids, keyOf)) {
      const run = runs.get(keyOf(id));
      // nearly all: whole documents are read of the others only
      const head = heads.get(keyOf(id));
      if (run !== undefined && head?.status === run.status && head.isAsking !== true && !this.isOverdue(run)) continue;
      if (left-- <= 0) break;
      this.forgottenTurns.reached(keyOf(id));
      const { write } = await this.reader.decide(await this.reader.read(id));
      if (write) found.set(keyOf(id), `undecided, ${String(write.expectStatus)}`);
    }
    return found;
  }

  /** A look is asked for or under way, or another try is armed. */
  private isInHand(key: string): boolean {
    return this.waiting.has(key) || this.failures.has(key) || this.queue.has(key);
  }

  private isOverdue({ status, schedule, endReason, occurrences }: RunHead): boolean {
    const now = this.params.clock.now();
    const { startAt, endAt } = schedule ?? {};
    const starts = status === 'scheduled' && (startAt === undefined || startAt.getTime() <= now);
    const next = status === 'running' ? occurrences?.next : undefined;
    if (next !== undefined && next.getTime() <= now) return true;
    return starts || (endReason === undefined && endAt !== undefined && endAt.getTime() <= now);
  }

  /** One turn of folding; see `Folding.tick`. */
  foldTick(): Promise<void> {
    return this.folding.tick();
  }

  /** One slice of an audience; see `Expansion.tick`. */
  expandTick(): Promise<boolean> {
    return this.expansion.tick();
  }

  private owns(id: Id): boolean {
    const { owns, partitions } = this.params;
    return owns(isId(id) ? campaignPartition(id, partitions) : 0);
  }

  private async lookNow(id: Id, key: string): Promise<void> {
    const { signal, logger, random } = this.params;
    if (signal.aborted) return;
    this.disarm(key);
    if (!this.owns(id)) {
      this.forget(id, key);
      return;
    }
    try {
      await this.decide(id, key);
      this.failures.delete(key);
    } catch (error) {
      if (isServiceError(error, 'document_invalid')) void this.hold(id, audienceFault(error));
      const attempt = (this.failures.get(key) ?? 0) + 1;
      this.failures.set(key, attempt);
      const delayMs = backoffMs(attempt, random, { baseMs: 200, capMs: 30_000 });
      logger.warn('a campaign could not be decided; it is tried again', { campaignId: id, delayMs, error });
      this.arm(id, key, delayMs);
    }
  }

  private async decide(id: Id, key: string, fault?: Fault, judged?: Run): Promise<void> {
    const { campaigns, tracer, clock } = this.params;
    for (let tries = 0; tries < mostTries; tries++) {
      const input = await this.reader.read(id);
      const decision = fault ? holdCampaign(input, fault, judged) : await this.reader.decide(input);
      const run = decision.write ? runAfter(input.run, decision.write) : input.run;
      if (tracer && run && input.run === undefined) traceRun(tracer, run, input.now);
      if (decision.write && !(await campaigns.commit(decision.write))) continue;
      if (tracer && run && decision.event) traceCampaign(tracer, run, decision.event, [input.now, clock.now()]);
      this.tell(id, decision);
      if (run && isId(id)) this.follow(run, decision.write?.run !== undefined);
      if (decision.lookAgainAt !== undefined) this.armAt(id, key, decision.lookAgainAt);
      return;
    }
    throw new Error('it changed again and again while it was decided');
  }

  /** Pauses a campaign that cannot go on as its author wrote it, or whose guard says so: then only in the period it was `judged` by. */
  private async hold(id: Id, fault: Fault, judged?: Run): Promise<void> {
    try {
      await this.queue.run(keyOf(id), () => this.decide(id, keyOf(id), fault, judged));
    } catch (error) {
      this.params.logger.warn('a campaign could not be paused', { campaignId: id, fault, error });
      this.arm(id, keyOf(id), holdRetryMs);
    }
  }

  private tell(campaignId: Id, { event, faults }: CampaignDecision): void {
    const { logger, instruments } = this.params;
    if (event !== undefined) instruments.event(`campaign_${event}`);
    if (faults?.[0]?.code === guardTripped) instruments.event(guardTripped);
    if (faults !== undefined) logger.warn(`campaign: ${event ?? 'a change was not taken'}`, { campaignId, faults });
    else if (event !== undefined) logger.info(`campaign: ${event}`, { campaignId });
  }

  /** Keeps at hand what the run needs from now on. */
  private follow(run: Run, changed: boolean): void {
    if (changed) this.runChanged(run);
    else this.folding.track(run);
    if (run.status === 'running' && !run.settled && isExpanding(run)) this.expansion.add(run._id);
    else this.expansion.remove(run._id);
  }

  private runChanged(run: Run): void {
    if (run.settled) this.forget(run._id, keyOf(run._id));
    else this.folding.track(run);
    this.params.onRunChanged(run);
  }

  // -------------------------------------------------------------- timers

  private arm(id: Id, key: string, delayMs: number): void {
    const { clock, signal } = this.params;
    this.disarm(key);
    if (signal.aborted) return;
    const cancel = clock.after(Math.max(delayMs, 0), () => {
      this.timers.delete(key);
      void this.look(id);
    });
    this.timers.set(key, cancel);
  }

  /** At a time on the wall, ms since the epoch. */
  private armAt(id: Id, key: string, at: number): void {
    const { clock, signal } = this.params;
    const leftMs = at - clock.now();
    if (leftMs <= nearMs) {
      this.arm(id, key, leftMs);
      return;
    }
    this.disarm(key);
    if (signal.aborted) return;
    this.timers.set(
      key,
      clock.after(Math.max(nearMs, Math.min(Math.floor(leftMs / 4), longestTimerMs)), () => this.armAt(id, key, at)),
    );
  }

  private disarm(key: string): void {
    this.timers.get(key)?.();
    this.timers.delete(key);
  }

  private forget(id: Id, key: string): void {
    this.disarm(key);
    this.failures.delete(key);
    if (!isId(id)) return;
    this.folding.forget(id);
    this.expansion.remove(id);
  }

  private stop(): void {
    for (const key of [...this.timers.keys()]) this.disarm(key);
  }
}

/** An `_id` that is none (a date, an object) has a key too: its campaign fails like any other that is wrong. */
const keyOf = (id: Id): string => (isId(id) ? campaignKey(id) : `?${String(id)}`);
