import { setMaxListeners } from 'node:events';
import { hostname } from 'node:os';
import { Attention } from '../../streams/attention.ts';
import { Campaigns } from '../../streams/campaigns.ts';
import { Changes } from '../../streams/changes.ts';
import { HintQueue } from '../../streams/conversations.ts';
import { waysOut } from '../../streams/detours.ts';
import { Dispatch } from '../../streams/dispatch.ts';
import { Enrollments } from '../../streams/enrollments.ts';
import { Inbound } from '../../streams/inbound.ts';
import { Membership } from '../../streams/membership.ts';
import { clockScheduler } from '../../streams/operators/clockScheduler.ts';
import { OptOuts } from '../../streams/optOuts.ts';
import { Ownership } from '../../streams/ownership.ts';
import { Rates } from '../../streams/rates.ts';
import { Reconcile } from '../../streams/reconcile.ts';
import { reconcileChecks } from '../../streams/reconcileChecks.ts';
import { Round } from '../../streams/round.ts';
import { Runs } from '../../streams/runs.ts';
import { Schedule } from '../../streams/schedule.ts';
import { Suppressions } from '../../streams/suppressions.ts';
import { Vitals } from '../../streams/vitals.ts';
import type { Config } from '../config.ts';
import type { Channel } from '../domain/channelPorts.ts';
import { campaignKey } from '../domain/ids.ts';
import type { Id, Partition } from '../domain/model.ts';
import { PositionTracker } from '../domain/positions.ts';
import type { Clock, Instruments, Logger } from '../domain/systemPorts.ts';
import { type NewTraceparent, newTraceparent } from '../domain/trace.ts';
import type { Tracer } from '../domain/tracePorts.ts';
import { isNoFaultOfDocuments } from '../mongo/away.ts';
import { filterVersion } from '../mongo/changeSource.ts';
import { ownCollections } from '../mongo/collections.ts';
import { traceRandom } from '../telemetry/tracing.ts';
import { addressBook } from './addressBook.ts';
import type { OpenStores, Stores } from './stores.ts';
import { unsubscribeTokens } from './unsubscribeToken.ts';
import { version } from './version.ts';

/** How long the change stream may wait for news while messages are on their way, ms: a quarter of what may be old. */
const busyAwaitMs = 250;

export interface GenerationParams {
  openStores: OpenStores;
  config: Config;
  channels: ReadonlyMap<string, Channel>;
  partitions: number;
  memberId: string;
  thread: number;
  clock: Clock;
  random: () => number;
  logger: Logger;
  instruments: Instruments;
  /** Absent: nobody asked for traces. */
  tracer?: Tracer | undefined;
}

/** What of a member's life its parts tell. */
export interface Life {
  fail: (error: unknown) => void;
  gained: (partitions: readonly Partition[]) => void;
  lost: (partitions: readonly number[]) => void;
}

/** Ids all the same, marked as not recorded: what comes from us in a provider's traces can be told by them. */
function untraced(): NewTraceparent {
  const random = traceRandom();
  return () => newTraceparent(random, () => false);
}

/** The parts of a member, each told of the others what it has to know. They know nothing of its life. */
export class Wiring {
  readonly tracker = new PositionTracker();
  readonly stores: Stores;
  readonly membership: Membership;
  readonly ownership: Ownership;
  readonly runs: Runs;
  readonly schedule: Schedule;
  readonly rates: Rates;
  readonly dispatch: Dispatch;
  readonly campaigns: Campaigns;
  readonly enrollments: Enrollments;
  readonly changes: Changes;
  readonly hints = new HintQueue();
  readonly suppressions: Suppressions;
  readonly optOuts: OptOuts;
  readonly inbound: Inbound;
  readonly round: Round;
  readonly attention: Attention;
  readonly reconcile: Reconcile;
  readonly vitals: Vitals;

  constructor(params: GenerationParams, signal: AbortSignal, life: Life) {
    const { config, clock, random, logger, instruments, memberId, channels, partitions } = params;
    // one of each loop, as long as the member lives, and one of each pause
    setMaxListeners(200, signal);
    const position = () => this.tracker.done;
    const { tracer } = params;
    const common = { clock, random, logger, instruments, tracer };
    const traceparent = tracer?.newTraceparent ?? untraced();
    this.stores = params.openStores({
      memberId,
      position,
      onClaim: (from) => this.changes.rewind(from),
      channelStates: () => this.dispatch.channelStates,
      ...common,
    });
    const { ledger, conversations, campaigns, enrollments, membership, source } = this.stores;
    const book = addressBook(config.hashKey);
    this.runs = new Runs({
      ...{ campaigns, channels, memberId, clock, logger },
      unsubscribeToken: config.hashKey === undefined ? undefined : unsubscribeTokens(config.hashKey),
      addressBook: book,
      onChanged: (known) => {
        this.rates.runChanged(known);
        this.attention.runChanged(known);
      },
    });
    this.suppressions = new Suppressions({
      ...{ store: this.stores.suppressions, clock },
      contextOf: (conversation) => this.runs.contextOf(conversation),
    });
    this.rates = new Rates({
      ...{ store: this.stores.rates, channels, ...common },
      share: () => this.ownership.active.length / partitions,
    });
    this.dispatch = new Dispatch({
      ...{ channels, concurrency: config.sendConcurrency, ledger, campaigns },
      seen: (id, head, asked) => this.runs.seen(id, head, asked),
      maySend: (id) => this.runs.maySend(id),
      onFresh: () => this.schedule.arm(),
      ...{ suppressions: this.suppressions, rates: this.rates },
      ...common,
    });
    this.ownership = new Ownership({
      ...{ store: conversations, dispatch: this.dispatch, logger },
      onActive: (gained) => this.attention.activated(gained),
      onReplays: async (ids) => {
        await this.runs.load(ids);
        for (const id of ids) this.runs.replays(id);
      },
    });
    this.schedule = new Schedule({
      ...{ store: conversations, clock },
      partitions: () => this.ownership.active,
      room: (channel, planned) => this.dispatch.room.left(channel, planned),
      wanted: (channel, campaign) => {
        this.dispatch.room.wanted(channel);
        this.rates.wanted(campaign);
      },
      ofCampaign: (campaign, channel) => this.rates.room(campaign, channel),
      heldBy: (channel, campaign) =>
        this.dispatch.room.heldBy(channel) ?? (this.rates.isHeld(campaign, channel) ? 'campaign' : undefined),
      waysOut: (lane) => waysOut(lane, () => this.runs.get(lane.campaignId), this.dispatch.channelStates),
    });
    this.round = new Round({
      ...{ store: conversations, campaigns, runs: this.runs, schedule: this.schedule, dispatch: this.dispatch },
      ...{ batchSize: config.batchSize, signal, isNoFaultOfDocuments, ...common },
      owns: (_, partition) => this.ownership.isActive(partition),
      ...{ suppressions: this.suppressions, rates: this.rates },
      limits: this.stores.limits,
      hint: (ids) => void this.hints.offer(ids),
      countedLate: (id) => this.campaigns.folding.counted(id),
      proveOwnership: () => this.attention.untilDone('ownership is proved', () => ledger.beat()),
    });
    this.campaigns = new Campaigns({
      ...{ campaigns, channels, partitions, reservedCollections: ownCollections, signal, ...common },
      isNoFaultOfDocuments,
      owns: (partition) => this.ownership.isActive(partition),
      traceparent,
      addressHash: book.hash,
      unsubscribeTokens: config.hashKey !== undefined,
      addressBook: book,
      onRunChanged: (run) => this.attention.runRead(run),
      campaignsUuid: () => this.stores.campaignsUuid(),
    });
    this.enrollments = new Enrollments({
      ...{ store: enrollments, campaigns, runs: this.runs, partitions, signal, isNoFaultOfDocuments, ...common },
      owns: (partition) => this.ownership.isActive(partition),
      onEntered: (key) => this.schedule.wake(key),
      traceparent,
    });
    this.changes = new Changes({
      ...{ source, tracker: this.tracker, scheduler: clockScheduler(clock) },
      handle: (changes) => this.attention.handle(changes),
      sweep: async (dropped) => {
        if (dropped) await this.stores.prepare();
        const known = this.attention.untilDone('suppressions are read', () => this.suppressions.load());
        await Promise.all([known, this.attention.sweepAll()]);
      },
      heard: (changes, asked) => this.suppressions.heard(changes, asked),
      // while anything is on its way out, what is known of suppressions must not grow old
      awaitMs: () => (this.dispatch.inDoubt > 0 ? busyAwaitMs : undefined),
      ...common,
    });
    const ofInbound = {
      ...{ store: this.stores.inbound, book, signal, isNoFaultOfDocuments, ...common },
      topicsOf: async (ids: readonly Id[]) => {
        const known = await this.runs.load(ids);
        return (id: Id) => known.get(campaignKey(id))?.context?.topic ?? 'default';
      },
      flowsOf: (id: Id) => this.runs.flowsOf(id),
      counted: (id: Id) => {
        if (this.runs.get(id)?.run.settled) this.campaigns.folding.counted(id);
      },
      fieldOf: (name: string) => channels.get(name)?.address,
    };
    this.optOuts = new OptOuts({
      ...{ ...ofInbound, suppressions: this.stores.suppressions },
      wrote: (changes) => this.suppressions.wrote(changes),
    });
    this.inbound = new Inbound({
      ...{ ...ofInbound, optOuts: this.optOuts, receipts: this.stores.receipts, partitions },
      owns: (partition) => this.ownership.isActive(partition),
      scheduler: clockScheduler(clock),
    });
    this.attention = new Attention({
      ...{ campaignStore: campaigns, conversations, campaigns: this.campaigns, enrollments: this.enrollments },
      ...{ runs: this.runs, schedule: this.schedule, dispatch: this.dispatch, ownership: this.ownership },
      ...{ hints: this.hints, inbound: this.inbound, rates: this.rates, partitions, clock, random, logger, signal },
      ownershipChanged: () => this.membership.wake(),
      fail: life.fail,
    });
    this.reconcile = new Reconcile({
      checks: reconcileChecks({
        ...{ conversations, campaignStore: campaigns, campaigns: this.campaigns, enrollments: this.enrollments },
        ...{ attention: this.attention, runs: this.runs, schedule: this.schedule, dispatch: this.dispatch },
        ...{ ownership: this.ownership, round: this.round, hints: this.hints, inbound: this.inbound },
      }),
      caughtUpTo: () => this.changes.caughtUpTo,
      sound: () => ledger.leaseRemaining() > 0 && this.changes.isOpen && !this.attention.isSweeping,
      ...{ signal, ...common },
    });
    this.vitals = new Vitals({
      ...{ store: this.stores.vitals, conversations, partitions, clock, logger, instruments, signal },
      overdue: () => this.schedule.overdue(),
      active: () => this.ownership.active,
    });
    this.membership = new Membership({
      ...{ store: membership, ledger },
      member: {
        ...{ _id: memberId, host: hostname(), thread: params.thread, beat: 0 },
        ...(this.stores.sessionId === undefined ? {} : { sessionId: this.stores.sessionId }),
        ...{ filterVersion, channels: [...channels.keys()], version, startedAt: new Date(clock.now()) },
      },
      ...{ leaseTtlMs: config.leaseTtlMs, position, ...common },
      onLeaving: () => this.dispatch.stop(),
      drain: (leaving) => this.ownership.drain(leaving),
      onGained: life.gained,
      onLost: life.lost,
    });
  }
}
