import { backoffMs } from '../src/domain/backoff.ts';
import { mayBeMigrated } from '../src/domain/campaignMigration.ts';
import type { CampaignStore } from '../src/domain/campaignPorts.ts';
import type { Change } from '../src/domain/changePorts.ts';
import type { ConversationStore } from '../src/domain/conversationPorts.ts';
import { isServiceError } from '../src/domain/errors.ts';
import { campaignKey, partitionOfConversation } from '../src/domain/ids.ts';
import type { Id, Partition, Run } from '../src/domain/model.ts';
import { isId } from '../src/domain/normalise.ts';
import type { RunHead } from '../src/domain/runHeads.ts';
import type { Clock, Logger } from '../src/domain/systemPorts.ts';
import type { Campaigns } from './campaigns.ts';
import type { Handled } from './changes.ts';
import { type HintQueue, sweep } from './conversations.ts';
import type { Dispatch } from './dispatch.ts';
import type { Enrollments } from './enrollments.ts';
import type { Inbound } from './inbound.ts';
import { Migrations } from './migrations.ts';
import type { Ownership } from './ownership.ts';
import type { Rates } from './rates.ts';
import type { KnownRun, Runs } from './runs.ts';
import type { Schedule } from './schedule.ts';
import { pause } from './waker.ts';

export interface AttentionParams {
  campaignStore: CampaignStore;
  conversations: Pick<ConversationStore, 'withInbox' | 'activeOf' | 'pendingMessages'>;
  campaigns: Campaigns;
  enrollments: Enrollments;
  runs: Runs;
  schedule: Schedule;
  dispatch: Dispatch;
  ownership: Ownership;
  hints: HintQueue;
  /** Absent: inbound events are left alone. */
  inbound?: Pick<Inbound, 'offer' | 'sweep'>;
  /** Absent: there are none. */
  rates?: Pick<Rates, 'load'>;
  partitions: number;
  clock: Clock;
  random: () => number;
  logger: Logger;
  signal: AbortSignal;
  /** A partition was freed or taken, or a member is gone. */
  ownershipChanged: () => void;
  /** The member is over. */
  fail: (error: unknown) => void;
}

const pageSize = 500;
const runsAtOnce = 50;
/** What failed in the background is tried again after about this. */
const retry = { baseMs: 200, capMs: 10_000 };

/** What a change, a gained partition or a gap in the stream asks to look at, and the looks themselves. */
export class Attention {
  private readonly params: AttentionParams;
  private readonly sweeping = new Set<string>();
  /** `wake` of each run as it was last answered. */
  private readonly wakes = new Map<string, number>();
  /** Runs that were seen open, by key: in each something may have been counted here. */
  private readonly open = new Set<string>();
  /** Background work under way. */
  private under = 0;

  private readonly migrations: Migrations;

  constructor(params: AttentionParams) {
    this.params = params;
    this.migrations = new Migrations({ ...params, active: () => params.ownership.active });
  }

  /** Something is being taken up or swept: what stands still may have its turn yet. */
  get isSweeping(): boolean {
    return this.under > 0;
  }

  // ---------------------------------------------------------------- changes

  /**
   * Resolves once replies, opt-outs, pauses and the like were taken in, with what takes longer: campaigns and enrollments, which
   * hold up nothing else. Rejects when something could not be done, and nothing is lost by asking again.
   */
  async handle(changes: readonly Change[]): Promise<Handled> {
    const campaigns = new Map<string, Id>();
    const runs = new Map<string, Id>();
    const conversations = new Set<string>();
    const enrollments: unknown[] = [];
    const inbound: Id[] = [];
    let rates = false;
    for (const change of changes) {
      if (change.kind === 'campaign' && isId(change.id)) campaigns.set(campaignKey(change.id), change.id);
      else if (change.kind === 'run' && isId(change.id)) runs.set(campaignKey(change.id), change.id);
      else if (change.kind === 'conversation') conversations.add(change.id);
      else if (change.kind === 'enrollment') enrollments.push(change.id);
      else if (change.kind === 'inbound') inbound.push(change.id);
      else if (change.kind === 'control') this.params.dispatch.expire();
      else if (change.kind === 'rate') rates = true;
      else if (change.kind === 'partition' || change.kind === 'member') this.params.ownershipChanged();
    }
    const ids = [...campaigns.values()];
    const seen = this.readHeads(ids.filter((id) => this.params.runs.get(id) !== undefined));
    const looks = seen.then(() => this.params.campaigns.lookAtAll(ids));
    const entering = [this.params.enrollments.offer(enrollments), this.params.enrollments.lookAtEnded(ids)];
    const rest = Promise.all([looks, ...entering]).then(() => {});
    // met by whoever waits for it; what fails first is thrown here
    rest.catch(() => {});
    await Promise.all([
      seen,
      this.handleRuns([...runs.values()]),
      this.params.hints.offer([...conversations].filter((id) => this.isOurs(id))),
      this.params.inbound?.offer(inbound),
      rates ? this.params.rates?.load() : undefined,
    ]);
    return { rest };
  }

  private async readHeads(ids: readonly Id[]): Promise<void> {
    if (ids.length === 0) return;
    const asked = this.params.clock.monotonic();
    const heads = await this.params.campaignStore.heads(ids);
    for (const id of ids) this.params.runs.seen(id, heads.get(campaignKey(id)), asked);
  }

  private async handleRuns(ids: readonly Id[]): Promise<void> {
    if (ids.length === 0) return;
    for (const run of await this.params.campaignStore.runs(ids)) await this.runRead(run);
  }

  private isOurs(conversation: string): boolean {
    const { ownership, partitions } = this.params;
    return ownership.isActive(partitionOfConversation(conversation, partitions));
  }

  // ---------------------------------------------------------------- runs

  /** Takes a run in, at once where nothing has to be loaded for it first. Never rejects. */
  runRead(run: Run): Promise<void> | undefined {
    const ready = this.params.runs.ready(run);
    if (ready !== undefined) return ready.then(() => this.takeIn(run));
    this.takeIn(run);
    return undefined;
  }

  /** A run changes for many reasons; only inserted conversations are worth a look at its opening lane. */
  private takeIn(run: Run): void {
    const { key, state } = this.params.runs.update(run);
    if (run.settled) this.wakes.delete(key);
    if (run.settled || this.wakes.get(key) === run.wake) return;
    this.wakes.set(key, run.wake);
    // one that does not run has no lanes; they are looked at when it gets them
    if (state === 'running') this.params.schedule.wake(key);
  }

  /** What of a stored run was not taken in yet; undefined when all was. */
  newsOf(run: Pick<Run, '_id' | 'status' | 'wake' | 'migration'>): string | undefined {
    const known = this.params.runs.get(run._id);
    const { migration } = run;
    const takenIn =
      known?.run.status === run.status &&
      this.wakes.get(known.key) === run.wake &&
      known.run.migration?.number === migration?.number;
    return takenIn ? undefined : `${run.status} ${run.wake} ${migration?.number}`;
  }

  runChanged(known: KnownRun): void {
    if (!known.run.settled) this.open.add(known.key);
    else if (this.open.delete(known.key)) this.params.campaigns.folding.hasEnded(known.run._id);
    this.params.schedule.setRun(known);
    this.sweepStopped(known, this.params.ownership.active);
    this.migrations.look(known);
    // everybody was asked: its owner says so
    if (mayBeMigrated(known.run)) void this.params.campaigns.look(known.run._id);
    const { enrollments } = this.params;
    if (enrollments.isNews(known))
      void this.untilDone('enrollments that waited are decided', () => enrollments.look(known.run._id));
  }

  /** Whole ones are read of those that were written since they were taken in, some at a time: each may be large. */
  async loadRuns(): Promise<void> {
    const { campaignStore, runs } = this.params;
    const isNews = (head: RunHead): boolean => {
      const known = runs.get(head._id)?.run;
      return known?.updatedAt.getTime() !== head.updatedAt.getTime() || this.newsOf(head) !== undefined;
    };
    const heads = await campaignStore.openRunHeads();
    const open = new Set(heads.map(({ _id }) => campaignKey(_id)));
    // who was open here and is not any more ended unseen
    const ended = [...runs.all()].filter(({ key, run }) => !run.settled && !open.has(key));
    const ids = [...heads.filter(isNews), ...ended.map(({ run }) => run)].map(({ _id }) => _id);
    for (let from = 0; from < ids.length; from += runsAtOnce)
      for (const run of await campaignStore.runs(ids.slice(from, from + runsAtOnce))) await this.runRead(run);
  }

  /** A campaign that ended: its waiting conversations in these partitions end too. */
  private sweepStopped({ run, key, state, replays }: KnownRun, partitions: readonly number[]): void {
    const { conversations, hints, signal } = this.params;
    if (state !== 'stopped' || run.settled || partitions.length === 0) return;
    const id = `${key}|${partitions.join()}`;
    if (this.sweeping.has(id)) return;
    this.sweeping.add(id);
    const page = (after: string | undefined) => conversations.activeOf(run._id, partitions, after, pageSize);
    void this.untilDone('conversations of an ended campaign are ended', async () => {
      await sweep(page, hints, signal);
      if (replays) await this.sweepReplays(key, partitions);
    }).finally(() => this.sweeping.delete(id));
  }

  /** What waits for another try in conversations that had ended before their campaign did: it is not sent any more. */
  private async sweepReplays(key: string, partitions: readonly number[]): Promise<void> {
    const { conversations, hints, signal } = this.params;
    for (let after: string | undefined; !signal.aborted; ) {
      const rows = await conversations.pendingMessages(partitions, after, pageSize, true);
      after = rows.at(-1)?._id;
      if (after === undefined) return;
      const waiting = rows.filter(
        ({ replay, campaignId }) => replay?.alone === true && campaignKey(campaignId) === key,
      );
      await hints.offer(waiting.map(({ conversationId }) => conversationId));
    }
  }

  // ---------------------------------------------------------------- gains and gaps

  /** Partitions are ours now: what their last owner left is taken up before anything else of them. */
  gained(partitions: readonly Partition[]): Promise<void> {
    const { ownership, signal } = this.params;
    ownership.gained(partitions);
    return this.untilDone('gained partitions are taken up', async () => {
      await this.loadRuns();
      await ownership.takeUp(partitions, signal);
    });
  }

  activated(partitions: readonly number[]): void {
    const { schedule, runs, campaigns, enrollments, inbound } = this.params;
    schedule.lookAtAll();
    for (const known of runs.all()) {
      this.sweepStopped(known, partitions);
      this.migrations.look(known);
    }
    void this.untilDone('campaigns of gained partitions are looked at', () => campaigns.sweep());
    void this.untilDone('enrollments of gained partitions are looked at', () => enrollments.look());
    void this.untilDone('pending inboxes of gained partitions are read', () => this.sweepInboxes(partitions));
    if (inbound) void this.untilDone('inbound events of gained partitions are handled', () => inbound.sweep());
  }

  /** After a gap in the stream: everything it may hide, each by itself. Opt-outs and replies wait for nothing else. */
  sweepAll(): Promise<void> {
    this.under += 1;
    return this.sweepEverything().finally(() => {
      this.under -= 1;
    });
  }

  private async sweepEverything(): Promise<void> {
    const { campaigns, ownership, enrollments, inbound } = this.params;
    await Promise.all([
      inbound && this.untilDone('inbound events are swept', () => inbound.sweep()),
      this.untilDone('pending inboxes are swept', () => this.sweepInboxes(ownership.active)),
      this.params.rates && this.untilDone('rate limits are read', () => this.readRates()),
      this.untilDone('runs are read', () => this.readRuns()),
      this.untilDone('campaigns are swept', () => campaigns.sweep()),
      this.untilDone('enrollments are swept', () => enrollments.look()),
    ]);
  }

  private async readRates(): Promise<void> {
    await this.params.rates?.load();
  }

  private async readRuns(): Promise<void> {
    const { runs, dispatch, schedule } = this.params;
    await this.loadRuns();
    await this.readHeads([...runs.all()].filter(({ run }) => !run.settled).map(({ run }) => run._id));
    dispatch.expire();
    schedule.lookAtAll();
  }

  private async sweepInboxes(partitions: readonly number[]): Promise<void> {
    const { conversations, hints, signal } = this.params;
    if (partitions.length === 0) return;
    await sweep((after) => conversations.withInbox(partitions, after, pageSize), hints, signal);
  }

  /** Background work that must not be lost: tried again until it is done, the member ends, or its fence is gone. */
  async untilDone(what: string, work: () => Promise<void>): Promise<void> {
    this.under += 1;
    try {
      await this.tryUntilDone(what, work);
    } finally {
      this.under -= 1;
    }
  }

  private async tryUntilDone(what: string, work: () => Promise<void>): Promise<void> {
    const { clock, random, logger, signal, fail } = this.params;
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (signal.aborted) return;
        if (isServiceError(error, 'fenced')) return fail(error);
        logger.warn(`not yet done: ${what}`, { attempt, error });
        await pause(clock, backoffMs(attempt, random, retry), signal);
      }
    }
  }
}
