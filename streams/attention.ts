import { backoffMs } from '../src/domain/backoff.ts';
import { isServiceError } from '../src/domain/errors.ts';
import { campaignKey, partitionOfConversation } from '../src/domain/ids.ts';
import type { Id, Partition, Run } from '../src/domain/model.ts';
import { isId } from '../src/domain/normalise.ts';
import type { CampaignStore, Change, Clock, ConversationStore, Logger } from '../src/domain/ports.ts';
import type { Campaigns } from './campaigns.ts';
import { type HintQueue, sweep } from './conversations.ts';
import type { Dispatch } from './dispatch.ts';
import type { Ownership } from './ownership.ts';
import type { KnownRun, Runs } from './runs.ts';
import type { Schedule } from './schedule.ts';
import { pause } from './waker.ts';

export interface AttentionParams {
  campaignStore: CampaignStore;
  conversations: Pick<ConversationStore, 'withInbox' | 'activeOf'>;
  campaigns: Campaigns;
  runs: Runs;
  schedule: Schedule;
  dispatch: Dispatch;
  ownership: Ownership;
  hints: HintQueue;
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
/** What failed in the background is tried again after about this. */
const retry = { baseMs: 200, capMs: 10_000 };

/** What a change, a gained partition or a gap in the stream asks to look at, and the looks themselves. */
export class Attention {
  private readonly params: AttentionParams;
  private readonly sweeping = new Set<string>();
  /** `wake` of each run as it was last answered. */
  private readonly wakes = new Map<string, number>();
  /** Background work under way. */
  private under = 0;

  constructor(params: AttentionParams) {
    this.params = params;
  }

  /** Something is being taken up or swept: what stands still may have its turn yet. */
  get isSweeping(): boolean {
    return this.under > 0;
  }

  // ---------------------------------------------------------------- changes

  /** Resolves once everything these changes ask for is done; rejects when it could not be, and nothing is lost by asking again. */
  async handle(changes: readonly Change[]): Promise<void> {
    const campaigns = new Map<string, Id>();
    const runs = new Map<string, Id>();
    const conversations = new Set<string>();
    for (const change of changes) {
      if (change.kind === 'campaign' && isId(change.id)) campaigns.set(campaignKey(change.id), change.id);
      else if (change.kind === 'run' && isId(change.id)) runs.set(campaignKey(change.id), change.id);
      else if (change.kind === 'conversation') conversations.add(change.id);
      else if (change.kind === 'control') this.params.dispatch.expire();
      else if (change.kind === 'partition' || change.kind === 'member') this.params.ownershipChanged();
    }
    await Promise.all([
      this.handleCampaigns([...campaigns.values()]),
      this.handleRuns([...runs.values()]),
      this.params.hints.offer([...conversations].filter((id) => this.isOurs(id))),
    ]);
  }

  private async handleCampaigns(ids: readonly Id[]): Promise<void> {
    await this.readHeads(ids.filter((id) => this.params.runs.get(id) !== undefined));
    await Promise.all(ids.map((id) => this.params.campaigns.look(id)));
  }

  private async readHeads(ids: readonly Id[]): Promise<void> {
    if (ids.length === 0) return;
    const asked = this.params.clock.monotonic();
    const heads = await this.params.campaignStore.heads(ids);
    for (const id of ids) this.params.runs.seen(id, heads.get(campaignKey(id)), asked);
  }

  private async handleRuns(ids: readonly Id[]): Promise<void> {
    if (ids.length === 0) return;
    for (const run of await this.params.campaignStore.runs(ids)) this.runRead(run);
  }

  private isOurs(conversation: string): boolean {
    const { ownership, partitions } = this.params;
    return ownership.isActive(partitionOfConversation(conversation, partitions));
  }

  // ---------------------------------------------------------------- runs

  /** A run changes for many reasons; only inserted conversations are worth a look at its opening lane. */
  runRead(run: Run): void {
    const { key, state } = this.params.runs.update(run);
    if (run.settled) this.wakes.delete(key);
    if (run.settled || this.wakes.get(key) === run.wake) return;
    this.wakes.set(key, run.wake);
    // one that does not run has no lanes; they are looked at when it gets them
    if (state === 'running') this.params.schedule.wake(key);
  }

  /** What of a stored run was not taken in yet; undefined when all was. */
  newsOf(run: Run): string | undefined {
    const known = this.params.runs.get(run._id);
    const takenIn = known?.run.status === run.status && this.wakes.get(known.key) === run.wake;
    return takenIn ? undefined : `${run.status} ${run.wake}`;
  }

  runChanged(known: KnownRun): void {
    this.params.schedule.setRun(known);
    this.sweepStopped(known, this.params.ownership.active);
  }

  async loadRuns(): Promise<void> {
    for (const run of await this.params.campaignStore.openRuns()) this.runRead(run);
  }

  /** A campaign that ended: its waiting conversations in these partitions end too. */
  private sweepStopped({ run, key, state }: KnownRun, partitions: readonly number[]): void {
    const { conversations, hints, signal } = this.params;
    if (state !== 'stopped' || run.settled || partitions.length === 0) return;
    const id = `${key}|${partitions.join()}`;
    if (this.sweeping.has(id)) return;
    this.sweeping.add(id);
    const page = (after: string | undefined) => conversations.activeOf(run._id, partitions, after, pageSize);
    void this.untilDone('conversations of an ended campaign are ended', async () => {
      await sweep(page, hints, signal);
    }).finally(() => this.sweeping.delete(id));
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
    const { schedule, runs, campaigns } = this.params;
    schedule.lookAtAll();
    for (const known of runs.all()) this.sweepStopped(known, partitions);
    void this.untilDone('campaigns of gained partitions are looked at', () => campaigns.sweep());
    void this.untilDone('pending inboxes of gained partitions are read', () => this.sweepInboxes(partitions));
  }

  /** After a gap in the stream: everything it may hide. */
  sweepAll(): Promise<void> {
    this.under += 1;
    return this.sweepEverything().finally(() => {
      this.under -= 1;
    });
  }

  private async sweepEverything(): Promise<void> {
    const { runs, dispatch, schedule, campaigns, ownership } = this.params;
    await this.loadRuns();
    await this.readHeads([...runs.all()].filter(({ run }) => !run.settled).map(({ run }) => run._id));
    dispatch.expire();
    schedule.lookAtAll();
    await campaigns.sweep();
    await this.sweepInboxes(ownership.active);
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
