import type { CampaignHead, CampaignStore } from '../src/domain/campaignPorts.ts';
import type { ChannelFacts } from '../src/domain/channelPorts.ts';
import { limitsOf } from '../src/domain/compileLimits.ts';
import { countriesIn, wantsHolidays } from '../src/domain/compileSchedule.ts';
import type { FlowContext } from '../src/domain/decision.ts';
import type { CompiledFlow } from '../src/domain/flow.ts';
import { pinnedAt, versionOf, versionsOf } from '../src/domain/flowVersions.ts';
import { loadedHolidays, loadHolidays, noHolidays, warmHolidays } from '../src/domain/holidays.ts';
import { campaignKey } from '../src/domain/ids.ts';
import type { Conversation, Id, Run } from '../src/domain/model.ts';
import { contextFor, contextsNow, isAhead, type RunContexts, runContextsOf } from '../src/domain/runContexts.ts';
import type { Clock, Logger } from '../src/domain/systemPorts.ts';

/** A run as one member knows it. */
export interface KnownRun {
  readonly key: string;
  run: Run;
  /** Of the version that whoever enters follows. Absent when its flow does not compile here: nothing of it is taken up by this member. */
  context: FlowContext | undefined;
  /** Of all versions that conversations follow. */
  contexts: RunContexts;
  /** May messages leave? What the member saw last in `campaigns` and in the run: the stricter wins. */
  state: 'running' | 'paused' | 'stopped';
  /** `campaigns` showed `paused`, `cancelled` or nothing at all, and the run may not know yet. */
  held: boolean;
  /** `campaigns` showed `cancelled`, or nothing at all. */
  isCutShort?: boolean;
  /** The `endAt` that `campaigns` showed, ms: it holds at once when it is the earlier one. */
  seenEnd: number | undefined;
  /** Messages of it that gave up may wait for another try although their conversations, or all of it, have ended. */
  replays: boolean;
  /** Monotonic ms of the question whose answers these are: an older one that comes later counts for nothing. */
  askedAt: number;
}

export interface RunsParams {
  campaigns: CampaignStore;
  channels: ReadonlyMap<string, ChannelFacts>;
  memberId: string;
  /** See FlowContext. Absent: no HASH_KEY is set. */
  unsubscribeToken?: FlowContext['unsubscribeToken'];
  addressBook?: FlowContext['addressBook'];
  clock: Pick<Clock, 'now' | 'after'>;
  logger: Logger;
  /** Called with a run whose state or priority is news. */
  onChanged: (known: KnownRun) => void;
}

/** Settled runs that are kept for late events, at most. */
const settledLimit = 200;

/** The runs this member knows: every open one, and settled ones as late events ask for them. */
export class Runs {
  private readonly params: RunsParams;
  private readonly known = new Map<string, KnownRun>();
  /** By key: what waits for the end of a run. */
  private readonly ends = new Map<string, () => void>();
  /** Keys of runs in which messages that gave up are tried again: those are not forgotten. */
  private readonly replaying = new Set<string>();
  private stopped = false;

  constructor(params: RunsParams) {
    this.params = params;
  }

  get(campaignId: Id): KnownRun | undefined {
    return this.known.get(campaignKey(campaignId));
  }

  /** What decides about a conversation, as far as its run is known. */
  contextOf(conversation: Pick<Conversation, 'campaignId' | 'flowVersion'>): FlowContext | undefined {
    const known = this.get(conversation.campaignId);
    return known && contextFor(known.contexts, conversation);
  }

  /** Of every version that conversations of a campaign follow, and the number of its last migration; undefined where one is not known here. */
  flowsOf(campaignId: Id): { flows: readonly CompiledFlow[]; migration: number } | undefined {
    const known = this.get(campaignId);
    if (known === undefined || known.contexts.size < versionsOf(known.run).length) return undefined;
    const flows = [...known.contexts.values()].map(({ flow }) => flow);
    return { flows, migration: known.run.migration?.number ?? 0 };
  }

  all(): IterableIterator<KnownRun> {
    return this.known.values();
  }

  /**
   * What has to be there before a run is taken in by `update`: the public holidays, where its windows ask for them. Undefined when
   * nothing is missing, as nearly always. Never rejects: a run whose holidays cannot be loaded does not compile, which is logged.
   */
  ready(run: Run): Promise<void> | undefined {
    if (loadedHolidays() !== noHolidays || this.isPinned(run) || !wantsHolidays(...pinnedIn(run))) return undefined;
    return loadHolidays().then(
      () => {},
      (error: unknown) =>
        this.params.logger.error('the public holidays cannot be loaded', { campaignId: run._id, error }),
    );
  }

  /** It is known by what is pinned. One that was only scheduled is pinned anew when it starts: its document may have changed. A migration may pin another version. */
  private isPinned({ _id, startedAt, flows }: Run): boolean {
    const known = this.get(_id);
    if (known === undefined || (known.run.startedAt === undefined && startedAt !== undefined)) return false;
    return known.run.flows?.length === flows?.length;
  }

  /** Takes in what was read from the database, and is `ready`. */
  update(run: Run): KnownRun {
    const key = campaignKey(run._id);
    const before = this.known.get(key);
    // read before a migration that is known by now
    if (before !== undefined && isAhead({ migration: before.run.migration?.number }, run)) return before;
    const known: KnownRun = before ?? {
      ...{ key, run, context: undefined, contexts: this.contextsOf(run), state: 'paused' },
      ...{ held: false, replays: this.replaying.has(key), seenEnd: undefined, askedAt: Number.NEGATIVE_INFINITY },
    };
    if (known.run !== run && !this.isPinned(run)) known.contexts = this.contextsOf(run);
    else known.contexts = withLimits(known.contexts, known.run, run);
    known.run = run;
    known.state = this.stateOf(known);
    this.watchEnd(known);
    known.contexts = contextsNow(known.contexts, run);
    known.context = known.contexts.get(versionOf(run));
    this.known.set(key, known);
    if (run.settled) this.forgetSettled();
    this.params.onChanged(known);
    return known;
  }

  /** What `campaigns` shows right now (undefined: the document is gone): every member holds a lane the moment it sees `paused`, `cancelled` or an end that has come. `askedAt`: monotonic ms when it was asked for. */
  seen(campaignId: Id, head: CampaignHead | undefined, askedAt: number): void {
    const known = this.get(campaignId);
    if (known === undefined || askedAt < known.askedAt) return;
    known.askedAt = askedAt;
    const status = head?.status;
    known.isCutShort = status === undefined || status === 'cancelled';
    known.held = known.isCutShort || status === 'paused';
    const seenEnd = head?.endAt?.getTime();
    if (seenEnd !== known.seenEnd) {
      known.seenEnd = seenEnd;
      this.watchEnd(known);
    }
    this.refresh(known);
  }

  /** May a message of this campaign leave, right now? */
  maySend(campaignId: Id): boolean {
    const known = this.get(campaignId);
    if (known?.replays && known.run.settled) return this.stopsReplays(known) === undefined;
    return known?.state === 'running' && !this.isPastEnd(known);
  }

  /** Conversations of it that have ended wait for another try of a message: it has lanes although it may be over. False: it is not known here. */
  replays(campaignId: Id): boolean {
    const key = campaignKey(campaignId);
    const known = this.known.get(key);
    const isNews = !this.replaying.has(key);
    this.replaying.add(key);
    if (known !== undefined && isNews) {
      known.replays = true;
      this.params.onChanged(known);
    }
    return known !== undefined;
  }

  /** Why no message of a campaign that gave up is tried again: it was cut short, or its document is gone. Undefined: nothing speaks against it. */
  stopsReplays(known: KnownRun): 'campaign_cancelled' | 'campaign_ended' | undefined {
    const { run, isCutShort } = known;
    if (run.status === 'cancelled') return run.endReason ?? 'campaign_cancelled';
    if (run.endReason !== undefined) return run.endReason;
    if (run.settled && isCutShort) return 'campaign_cancelled';
    return this.isPastEnd(known) ? 'campaign_ended' : undefined;
  }

  /** No end of a run is waited for any more. */
  stop(): void {
    this.stopped = true;
    for (const cancel of this.ends.values()) cancel();
    this.ends.clear();
  }

  private refresh(known: KnownRun): void {
    const state = this.stateOf(known);
    if (state === known.state) return;
    known.state = state;
    this.params.onChanged(known);
  }

  /** Every member holds a run at its `endAt` by itself: whoever is to record the end may be gone at that moment. */
  private watchEnd(known: KnownRun): void {
    const { clock } = this.params;
    const { key, run } = known;
    this.ends.get(key)?.();
    this.ends.delete(key);
    const endAt = endOf(known);
    if (this.stopped || endAt === Number.POSITIVE_INFINITY) return;
    if (run.settled || run.status !== 'running' || this.isPastEnd(known)) return;
    const cancel = clock.after(endAt - clock.now(), () => {
      this.ends.delete(key);
      this.refresh(known);
      // a wall clock that was set back
      if (!this.isPastEnd(known)) this.watchEnd(known);
    });
    this.ends.set(key, cancel);
  }

  private isPastEnd(known: KnownRun): boolean {
    return endOf(known) <= this.params.clock.now();
  }

  /** Of what `campaigns` shows, what the run says, and its `endAt`, the stricter wins. */
  private stateOf(known: KnownRun): KnownRun['state'] {
    const { run, held } = known;
    if (run.status === 'running') return held || this.isPastEnd(known) ? 'paused' : 'running';
    return run.status === 'cancelled' || run.status === 'completed' ? 'stopped' : 'paused';
  }

  /** By key; what is not known is read; campaigns without a run are left out. Settled ones may be forgotten meanwhile, so it is this answer that counts. */
  async load(ids: readonly Id[]): Promise<ReadonlyMap<string, KnownRun>> {
    const found = new Map<string, KnownRun>();
    const missing: Id[] = [];
    for (const id of ids) {
      const known = this.get(id);
      if (known) found.set(known.key, known);
      else missing.push(id);
    }
    if (missing.length === 0) return found;
    for (const run of await this.params.campaigns.runs(missing)) {
      await this.ready(run);
      const known = this.update(run);
      found.set(known.key, known);
    }
    return found;
  }

  /** The runs of these conversations, none older than what a conversation tells of its migration. */
  async loadFor(of: Iterable<{ conversation: Conversation }>): Promise<ReadonlyMap<string, KnownRun>> {
    const ids = new Map<string, Id>();
    for (const { conversation } of of) ids.set(campaignKey(conversation.campaignId), conversation.campaignId);
    const known = await this.load([...ids.values()]);
    const old = new Map<string, Id>();
    for (const { conversation } of of) {
      const key = campaignKey(conversation.campaignId);
      if (conversation.migration !== undefined && isAhead(conversation, known.get(key)?.run))
        old.set(key, conversation.campaignId);
    }
    for (const id of old.values()) await this.reload(id);
    return known;
  }

  async reload(id: Id): Promise<void> {
    const run = await this.params.campaigns.run(id);
    if (run === undefined) return;
    await this.ready(run);
    this.update(run);
  }

  private contextsOf(run: Run): RunContexts {
    const { channels, memberId, logger, unsubscribeToken, addressBook, clock } = this.params;
    const holidays = loadedHolidays();
    warmHolidays(holidays, countriesIn(...pinnedIn(run)), clock.now());
    const options = { channels, worker: memberId, unsubscribeToken, addressBook, holidays };
    const { contexts, faults } = runContextsOf(run, options);
    if (faults.length > 0)
      logger.error('the pinned flow of a run does not compile here', { campaignId: run._id, faults });
    return contexts;
  }

  private forgetSettled(): void {
    const settled = [...this.known.values()].filter(({ run, replays }) => run.settled && !replays);
    for (const { key } of settled.slice(0, Math.max(0, settled.length - settledLimit))) this.known.delete(key);
  }
}

/** The earlier of the end that was taken in and the one that was seen, ms. */
const endOf = ({ run, seenEnd }: KnownRun): number =>
  Math.min(run.schedule?.endAt?.getTime() ?? Number.POSITIVE_INFINITY, seenEnd ?? Number.POSITIVE_INFINITY);

const pinnedIn = (run: Run): Run[] => versionsOf(run).map((version) => pinnedAt(run, version));

/** Limits may change while it runs. */
function withLimits(contexts: RunContexts, before: Run, after: Run): RunContexts {
  if (JSON.stringify(before.limits) === JSON.stringify(after.limits)) return contexts;
  const limits = limitsOf(after);
  // what conversations are asked leads to one of the others: it is told anew
  return new Map(
    [...contexts].map(([version, { cap: _cap, ramp: _ramp, asking: _asking, ...rest }]) => [
      version,
      { ...rest, ...limits },
    ]),
  );
}
