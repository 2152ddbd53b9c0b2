import { hostname } from 'node:os';
import { EMPTY, type Observable } from 'rxjs';
import { Campaigns } from '../../streams/campaigns.ts';
import { Changes } from '../../streams/changes.ts';
import { conversations$, HintQueue, sweep } from '../../streams/conversations.ts';
import { Dispatch } from '../../streams/dispatch.ts';
import { Membership } from '../../streams/membership.ts';
import { Ownership } from '../../streams/ownership.ts';
import { Round } from '../../streams/round.ts';
import { type KnownRun, Runs } from '../../streams/runs.ts';
import { Schedule } from '../../streams/schedule.ts';
import { pause } from '../../streams/waker.ts';
import type { Config } from '../config.ts';
import { backoffMs } from '../domain/backoff.ts';
import { isServiceError } from '../domain/errors.ts';
import { campaignKey, partitionOfConversation } from '../domain/ids.ts';
import type { Id, Partition } from '../domain/model.ts';
import { isId } from '../domain/normalise.ts';
import type { Change, Channel, Clock, Instruments, Logger } from '../domain/ports.ts';
import { PositionTracker } from '../domain/positions.ts';
import { newTraceparent } from '../domain/trace.ts';
import { MongoCampaigns } from '../mongo/campaigns.ts';
import { filterVersion, MongoChangeSource } from '../mongo/changeSource.ts';
import { ownCollections } from '../mongo/collections.ts';
import { MongoConversations } from '../mongo/conversations.ts';
import { isDatabaseAway, MongoLedger } from '../mongo/ledger.ts';
import { MongoMembership } from '../mongo/membership.ts';
import type { Db, MongoClient } from '../mongo/values.ts';
import { traceRandom } from '../telemetry/tracing.ts';
import type { MemberStatus } from './protocol.ts';
import { version } from './version.ts';

export interface GenerationParams {
  client: MongoClient;
  db: Db;
  config: Config;
  channels: ReadonlyMap<string, Channel>;
  partitions: number;
  memberId: string;
  thread: number;
  replicaSet: string;
  clock: Clock;
  random: () => number;
  logger: Logger;
  instruments: Instruments;
}

const pageSize = 500;
/** A sweep that failed is tried again after about this. */
const sweepRetry = { baseMs: 200, capMs: 10_000 };

/** One life of a member, from joining under an id to leaving or being fenced. */
export class Generation {
  private readonly params: GenerationParams;
  private readonly abort = new AbortController();
  private readonly tracker = new PositionTracker();
  private readonly ledger: MongoLedger;
  private readonly conversations: MongoConversations;
  private readonly campaignStore: MongoCampaigns;
  private readonly membership: Membership;
  private readonly ownership: Ownership;
  private readonly runs: Runs;
  private readonly schedule: Schedule;
  private readonly dispatch: Dispatch;
  private readonly campaigns: Campaigns;
  private readonly changes: Changes;
  private readonly hints = new HintQueue();
  private readonly round: Round;
  private readonly sweeping = new Map<string, Promise<void>>();
  /** `wake` of each run as it was last answered. */
  private readonly wakes = new Map<string, number>();
  private fail: (error: unknown) => void = () => {};
  private end: () => void = () => {};
  private joined = false;
  private running = true;
  private cancelGuard: (() => void) | undefined;

  constructor(params: GenerationParams) {
    this.params = params;
    const { client, db, config, clock, random, logger, instruments, memberId, channels, partitions } = params;
    const signal = this.abort.signal;
    const position = () => this.tracker.done;
    const common = { clock, random, logger, instruments };
    this.ledger = new MongoLedger({ client, db, memberId, leaseTtlMs: config.leaseTtlMs, position, ...common });
    this.conversations = new MongoConversations({ db, ledger: this.ledger, clock, logger, memberId });
    this.campaignStore = new MongoCampaigns({ db, ledger: this.ledger, clock, memberId });
    this.runs = new Runs({
      ...{ campaigns: this.campaignStore, channels, memberId, logger },
      onChanged: (known) => this.runChanged(known),
    });
    this.dispatch = new Dispatch({
      ...{ channels, concurrency: config.sendConcurrency, ledger: this.ledger, campaigns: this.campaignStore },
      seen: (id, status) => this.runs.seen(id, status),
      maySend: (id) => this.runs.get(id)?.state === 'running',
      onFresh: () => this.schedule.arm(),
      ...{ clock, logger, instruments },
    });
    this.ownership = new Ownership({
      ...{ store: this.conversations, dispatch: this.dispatch, logger },
      onActive: (gained) => this.activated(gained),
    });
    this.schedule = new Schedule({
      ...{ store: this.conversations, clock },
      partitions: () => this.ownership.active,
      room: (channel) => this.dispatch.room(channel),
    });
    this.round = new Round({
      ...{ store: this.conversations, runs: this.runs, schedule: this.schedule, dispatch: this.dispatch },
      ...{ batchSize: config.batchSize, signal, isDatabaseAway, ...common },
      owns: (_, partition) => this.ownership.isActive(partition),
      hint: (ids) => void this.hints.offer(ids),
      afterUnknownCommit: () => this.afterUnknownCommit(),
    });
    const bytes = traceRandom();
    this.campaigns = new Campaigns({
      ...{
        campaigns: this.campaignStore,
        channels,
        partitions,
        reservedCollections: ownCollections,
        signal,
        ...common,
      },
      owns: (partition) => this.ownership.isActive(partition),
      traceparent: () => newTraceparent(bytes),
      onRunChanged: (run) => this.wakeFor(this.runs.update(run)),
      collectionMissing: () => this.collectionMissing(),
    });
    this.changes = new Changes({
      source: new MongoChangeSource({ db, replicaSet: params.replicaSet, clock }),
      tracker: this.tracker,
      handle: (changes) => this.handle(changes),
      sweep: () => this.sweepAll(),
      ...common,
    });
    this.membership = new Membership({
      store: new MongoMembership({
        ...{ db, ledger: this.ledger, maxTimeMs: config.leaseTtlMs },
        onClaim: (from) => this.changes.rewind(from),
      }),
      ledger: this.ledger,
      member: {
        ...{ _id: memberId, host: hostname(), thread: params.thread, sessionId: this.ledger.sessionId, beat: 0 },
        ...{ filterVersion, channels: [...channels.keys()], version, startedAt: new Date(clock.now()) },
      },
      ...{ leaseTtlMs: config.leaseTtlMs, position, ...common },
      drain: (leaving) => this.ownership.drain(leaving),
      onGained: (gained) => void this.gained(gained),
      onLost: (lost) => this.lost(lost),
    });
  }

  /** Everything that has to be subscribed to while the member lives. They end with an error, never by themselves. */
  get pipelines$(): Observable<unknown>[] {
    const { config } = this.params;
    const rounds$ = conversations$({
      ...{ results$: this.dispatch.results$, due$: this.schedule.due$, hints: this.hints },
      round: (inputs) => this.ownership.during(() => this.round.run(inputs)),
      ...{ batchSize: config.batchSize, windowMs: config.batchWindowMs, inDoubt: () => this.dispatch.inDoubt },
    });
    return [rounds$, this.changes.stream$, this.campaigns.run$(EMPTY)];
  }

  onFailure(fail: (error: unknown) => void): void {
    this.fail = fail;
  }

  onEnd(end: () => void): void {
    this.end = end;
  }

  /** Inserts the member and takes its first share. The pipelines are running already. */
  async join(): Promise<void> {
    for (const run of await this.campaignStore.openRuns()) this.runs.update(run);
    await this.membership.tick();
    this.joined = true;
    this.params.logger.info('member joined', { channels: [...this.params.channels.keys()] });
    this.guardLease();
    this.membership.run(this.abort.signal).catch((error: unknown) => this.fail(error));
  }

  status(): MemberStatus {
    const leaseValid = this.ledger.leaseRemaining() > 0;
    return {
      memberId: this.params.memberId,
      joined: this.joined,
      streamOpen: this.changes.isOpen,
      leaseValid,
      partitions: this.ownership.active.length,
      inDoubt: this.dispatch.inDoubt,
      pipelinesRunning: this.running,
      ...(leaseValid ? {} : { detail: 'no commit within the lease' }),
    };
  }

  /** Takes no more, finishes what is in flight within the grace, hands the partitions over with their position. */
  async stop(graceMs: number): Promise<void> {
    this.joined = false;
    try {
      await this.membership.leave(graceMs);
      this.params.logger.info('member left; its partitions are handed over');
    } finally {
      await this.close();
    }
  }

  /** Fenced, or failed: aborts every unsent message at once. */
  async abandon(): Promise<void> {
    this.joined = false;
    this.dispatch.abortAll();
    await this.close();
  }

  private async close(): Promise<void> {
    this.running = false;
    this.cancelGuard?.();
    this.dispatch.abortAll();
    this.abort.abort();
    this.end();
    await this.changes.close().catch(() => {});
    await this.ledger.close().catch(() => {});
  }

  private guardLease(): void {
    const { clock, config } = this.params;
    this.cancelGuard = clock.after(Math.min(250, config.leaseTtlMs / 20), () => {
      this.dispatch.guardLease();
      this.guardLease();
    });
  }

  // ---------------------------------------------------------------- ownership

  private lost(partitions: readonly number[]): void {
    this.params.logger.info('partitions were given up', { count: partitions.length });
    this.ownership.lost(partitions);
  }

  private async gained(partitions: readonly Partition[]): Promise<void> {
    this.params.logger.info('partitions were gained', { count: partitions.length });
    void this.changes.reopen();
    await this.untilDone('gained partitions are taken up', async () => {
      await this.loadRuns();
      await this.ownership.gained(partitions, this.abort.signal);
    });
  }

  private activated(partitions: readonly number[]): void {
    this.schedule.lookAtAll();
    for (const known of this.runs.all()) this.sweepStopped(known, partitions);
    void this.untilDone('campaigns of gained partitions are looked at', () => this.campaigns.sweep());
    void this.untilDone('pending inboxes of gained partitions are read', () => this.sweepInboxes(partitions));
  }

  private async loadRuns(): Promise<void> {
    for (const run of await this.campaignStore.openRuns()) this.runs.update(run);
  }

  private async sweepInboxes(partitions: readonly number[]): Promise<void> {
    if (partitions.length === 0) return;
    await sweep((after) => this.conversations.withInbox(partitions, after, pageSize), this.hints, this.abort.signal);
  }

  /** After a gap in the stream: everything it may hide. */
  private async sweepAll(): Promise<void> {
    await this.loadRuns();
    this.dispatch.expire();
    this.schedule.lookAtAll();
    await this.campaigns.sweep();
    await this.sweepInboxes(this.ownership.active);
  }

  /** An outage: nothing of this member is dropped, its beats prove ownership once the database answers again. */
  private async afterUnknownCommit(): Promise<void> {
    const { signal } = this.abort;
    await this.untilDone('an unknown commit is cleared up', async () => {
      await this.ledger.beat();
      await this.ownership.adoptPending([...this.membership.owned], 'held', signal);
    });
  }

  // ---------------------------------------------------------------- runs

  private runChanged(known: KnownRun): void {
    this.schedule.setRun(known);
    this.sweepStopped(known, this.ownership.active);
  }

  /** A run changes for many reasons; only inserted conversations are worth a look at its opening lane. */
  private wakeFor({ key, run, state }: KnownRun): void {
    if (run.settled) this.wakes.delete(key);
    if (state !== 'running' || this.wakes.get(key) === run.wake) return;
    this.wakes.set(key, run.wake);
    this.schedule.wake(key);
  }

  /** A campaign that ended: its waiting conversations in these partitions end too. */
  private sweepStopped(known: KnownRun, partitions: readonly number[]): void {
    const { run, key } = known;
    if (known.state !== 'stopped' || run.settled || partitions.length === 0) return;
    const id = `${key}|${partitions.join()}`;
    if (this.sweeping.has(id)) return;
    const page = (after: string | undefined) => this.conversations.activeOf(run._id, partitions, after, pageSize);
    const done = this.untilDone('conversations of an ended campaign are ended', async () => {
      await sweep(page, this.hints, this.abort.signal);
    }).finally(() => this.sweeping.delete(id));
    this.sweeping.set(id, done);
  }

  // ---------------------------------------------------------------- changes

  private async handle(changes: readonly Change[]): Promise<void> {
    const campaigns = new Map<string, Id>();
    const runs = new Map<string, Id>();
    const conversations = new Set<string>();
    for (const change of changes) {
      if (change.kind === 'campaign' && isId(change.id)) campaigns.set(campaignKey(change.id), change.id);
      else if (change.kind === 'run' && isId(change.id)) runs.set(campaignKey(change.id), change.id);
      else if (change.kind === 'conversation') conversations.add(change.id);
      else if (change.kind === 'control') this.dispatch.expire();
    }
    await Promise.all([
      this.handleCampaigns([...campaigns.values()]),
      this.handleRuns([...runs.values()]),
      this.hints.offer([...conversations].filter((id) => this.isOurs(id))),
    ]);
  }

  private async handleCampaigns(ids: readonly Id[]): Promise<void> {
    if (ids.length === 0) return;
    const known = ids.filter((id) => this.runs.get(id) !== undefined);
    if (known.length > 0) {
      const statuses = await this.campaignStore.statuses(known);
      for (const id of known) this.runs.seen(id, statuses.get(campaignKey(id)));
    }
    await Promise.all(ids.map((id) => this.campaigns.look(id)));
  }

  private async handleRuns(ids: readonly Id[]): Promise<void> {
    if (ids.length === 0) return;
    for (const run of await this.campaignStore.runs(ids)) this.wakeFor(this.runs.update(run));
  }

  private isOurs(conversation: string): boolean {
    return this.ownership.isActive(partitionOfConversation(conversation, this.params.partitions));
  }

  private async collectionMissing(): Promise<boolean> {
    const found = await this.params.db.listCollections({ name: 'campaigns' }, { nameOnly: true }).toArray();
    return found.length === 0;
  }

  /** Background work that must not be lost: tried again until it is done, the member ends, or its fence is gone. */
  private async untilDone(what: string, work: () => Promise<void>): Promise<void> {
    const { clock, random, logger } = this.params;
    const { signal } = this.abort;
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (signal.aborted) return;
        if (isServiceError(error, 'fenced')) return this.fail(error);
        logger.warn(`not yet done: ${what}`, { attempt, error });
        await pause(clock, backoffMs(attempt, random, sweepRetry), signal);
      }
    }
  }
}
