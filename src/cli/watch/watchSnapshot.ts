/** From what was read to what is shown. Pure: documents and times come in. Everything in them may be of any type. */
import { opensFor } from '../../domain/campaignTypes.ts';
import { channelsOf } from '../../domain/channelsOf.ts';
import { delaysOf, isOver } from '../../domain/delays.ts';
import { foldCounters } from '../../domain/metrics.ts';
import type { Flow, Id, Metrics, Run } from '../../domain/model.ts';
import { normalise } from '../../domain/normalise.ts';
import { ownerless, Pulse, positionSeconds, shareOf } from '../../domain/partitions.ts';
import { type Count, type DueCounts, drainMs, estimate, RateMeter } from '../../domain/progress.ts';
import type { ClusterRead, Head } from '../../mongo/progressReader.ts';
import { showId } from '../database.ts';
import { date, type Loose, list, number, record } from '../loose.ts';
import { safe } from '../output.ts';
import { safeTexts } from './safeTexts.ts';
import type { MemberView, Snapshot, StageView } from './watchModel.ts';
import { Troubles } from './watchTroubles.ts';

/** Over so many ms rates are told. */
const rateMs = 5_000;
/** Kept for the little columns. */
const ratesKept = 240;

/** A message in ten minutes is not nothing. */
const rounded = (rate: number): number => Math.round(rate * 10_000) / 10_000;

export class WatchState {
  readonly troubles = new Troubles();
  /** Of the audience, where it is known. */
  audienceSize: number | undefined;
  flow: Pick<Flow, 'stages'> | undefined;
  due: DueCounts | undefined;
  delayed: readonly (Count & { reason: string })[] = [];
  private head: Head | undefined;
  private cluster: ClusterRead | undefined;
  private skewMs = 0;
  private readonly campaign: Id;
  private readonly pulse: Pulse;
  private readonly meter = new RateMeter();
  private readonly meters = new Map<string, RateMeter>();

  constructor(campaign: Id, silentAfterMs: number) {
    this.campaign = campaign;
    this.pulse = new Pulse(silentAfterMs);
  }

  /** @param at ms of a monotonic clock. */
  seeHead(head: Head, at: number): void {
    this.head = head;
    const metrics = this.metrics();
    this.meter.see({
      at,
      sent: metrics.messages.sent,
      ended: metrics.total - metrics.active,
      entered: metrics.total,
    });
    for (const counters of head.counters) {
      const id = String(counters.memberId);
      const { messages } = foldCounters([counters], new Date(0)).metrics;
      const meter = this.meters.get(id) ?? new RateMeter();
      this.meters.set(id, meter);
      meter.see({ at, sent: messages.sent, ended: 0, entered: 0 });
    }
    this.troubles.count(metrics);
  }

  /** @param at ms of a monotonic clock. @param now ms since the epoch by this machine's clock. */
  seeCluster(cluster: ClusterRead, at: number, now: number): void {
    this.cluster = cluster;
    this.skewMs = cluster.serverNow - now;
    this.pulse.see(cluster.members, at);
  }

  /** Nothing could be read for a while: who is silent since, and how fast it goes, is to be seen anew. */
  forget(): void {
    this.pulse.forget();
    this.meter.forget();
    this.meters.clear();
  }

  /** ms since the epoch by the database's clock. */
  clock(now: number): number {
    return now + this.skewMs;
  }

  get channels(): string[] {
    return this.flow === undefined ? [] : channelsOf(this.flow);
  }

  private metrics(): Metrics {
    const { campaign, run, counters = [] } = this.head ?? {};
    const folded = foldCounters(counters, new Date(0)).metrics;
    if (folded.total > 0) return folded;
    // counters may be gone long after the end
    const stored = normalise(record(campaign?.['metrics'] ?? run?.['metrics'])) as Loose;
    return foldCounters([{ counts: stored }], new Date(0)).metrics;
  }

  /** What is shown; no text in it can do anything to a terminal. */
  snapshot(now: number): Snapshot {
    const head: Head = this.head ?? { campaign: undefined, run: undefined, counters: [] };
    const { campaign } = head;
    const run = head.run as Run | undefined;
    const metrics = this.metrics();
    const expansion = this.expansion(head);
    const facts = this.facts(head);
    const delays = delaysOf(facts);
    const over = isOver(facts);
    const due = over ? undefined : this.due;
    const sent = this.meter.rate('sent', rateMs);
    const drain = drainMs(due, sent);
    const name = campaign?.['name'];
    const members = this.members();
    return safeTexts<Snapshot>({
      at: new Date(this.clock(now)),
      campaign: showId(this.campaign),
      ...(name === undefined ? {} : { name: safe(name) }),
      status: campaign === undefined ? 'deleted' : safe(campaign['status']),
      started: run !== undefined,
      over,
      ...dates(campaign, run),
      endedByDate: run?.endReason === 'campaign_ended',
      ...errorOf(campaign?.['error']),
      metrics,
      pending: Math.max(0, foldCounters(head.counters, new Date(0)).pending),
      expansion,
      funnel: funnelOf(metrics, this.flow),
      rates: this.rates(),
      sentRates: this.meter.rates('sent', ratesKept),
      ...(due === undefined ? {} : { due }),
      ...(drain === undefined ? {} : { drainMs: drain }),
      estimate: estimate({
        running: run?.status === 'running' && campaign?.['status'] === 'running' && !delays.some(({ stops }) => stops),
        expansionDone: expansion.done,
        active: metrics.active,
        due,
        sentRate: sent,
        endedRate: this.meter.rate('ended', rateMs),
      }),
      delays,
      troubles: this.troubles.list(over),
      ...(members === undefined ? {} : { members, partitions: this.cluster?.partitions.length ?? 0 }),
    });
  }

  private rates(): Snapshot['rates'] {
    const known = (['sent', 'ended', 'entered'] as const).flatMap((name) => {
      const rate = this.meter.rate(name, rateMs);
      return rate === undefined ? [] : [[name, rounded(rate)] as const];
    });
    return Object.fromEntries(known);
  }

  private facts({ campaign, run, stop }: Head): Parameters<typeof delaysOf>[0] {
    const members = this.members()?.map(({ id, life, lagSeconds }) => ({
      _id: id,
      life,
      channels: list(this.cluster?.members.find(({ _id }) => _id === id)?.channels).map(String),
      ...(lagSeconds === undefined ? {} : { lagSeconds }),
    }));
    const owning = members?.filter(({ life }) => life !== 'silent').map(({ _id }) => _id);
    return {
      campaign: campaign as { status?: 'running' } | undefined,
      run: run as Run | undefined,
      startAt: date(record(campaign?.['schedule'])['startAt']),
      sending: stop?.sending ?? 'on',
      stop,
      cluster: members && {
        members,
        ownerless: ownerless(this.cluster?.partitions ?? [], members, new Set(owning)),
      },
      channels: this.channels,
      due: this.due,
      delayed: this.delayed,
      stillMs: this.meter.stillMs(),
    };
  }

  private members(): MemberView[] | undefined {
    const { cluster } = this;
    if (cluster === undefined) return undefined;
    const ids = cluster.members.map(({ _id }) => _id);
    return cluster.members.map((member) => {
      const at = positionSeconds(member.position);
      const rate = this.meters.get(member._id)?.rate('sent', rateMs);
      return {
        id: safe(member._id),
        host: safe(member.host),
        thread: number(member.thread),
        life: this.pulse.of(member._id),
        partitions: cluster.partitions.filter(({ owner }) => owner === member._id).length,
        share: shareOf(member._id, ids, cluster.partitions.length),
        beat: number(member.beat),
        ...(at === undefined ? {} : { lagSeconds: Math.max(0, Math.floor(cluster.serverNow / 1000) - at) }),
        ...(rate === undefined ? {} : { rate: rounded(rate) }),
      };
    });
  }

  private expansion({ campaign, run }: Head): Snapshot['expansion'] {
    const found = record(run?.['expansion'] ?? campaign?.['expansion']);
    const skipped = Object.entries(record(found['skipped'])).map(([why, many]) => [safe(why), number(many)] as const);
    const of = this.audienceSize;
    const open = opensFor(run as Partial<Run> | undefined);
    return {
      expanded: number(found['expanded']),
      skipped: Object.fromEntries(skipped),
      done: found['done'] === true,
      ...(of === undefined ? {} : { of }),
      ...(open === undefined ? {} : { open }),
    };
  }
}

function dates(campaign: Loose | undefined, run: Loose | Run | undefined): Partial<Snapshot> {
  const of = (name: 'startedAt' | 'completedAt'): Date | undefined =>
    date(campaign?.[name]) ?? date((run as Loose | undefined)?.[name]);
  const startedAt = of('startedAt');
  const completedAt = of('completedAt');
  const endAt = date(record(campaign?.['schedule'])['endAt']);
  return {
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(completedAt === undefined ? {} : { completedAt }),
    ...(endAt === undefined ? {} : { endAt }),
  };
}

function errorOf(value: unknown): Pick<Snapshot, 'error'> {
  const error = record(value);
  if (error['code'] === undefined) return {};
  const path = error['path'] === undefined ? {} : { path: safe(error['path']) };
  return { error: { code: safe(error['code']), message: safe(error['message'] ?? ''), ...path } };
}

/** In the order of the flow, as far as it is known; stages that nobody entered too. */
function funnelOf({ stages }: Metrics, flow: Pick<Flow, 'stages'> | undefined): StageView[] {
  const known = list(flow?.stages).map((stage) => ({
    id: safe(record(stage)['id']),
    type: safe(record(stage)['type']),
  }));
  const others = Object.keys(stages).filter((id) => !known.some((stage) => stage.id === id));
  return [...known, ...others.map((id) => ({ id, type: '?' }))].map(({ id, type }) => {
    const { entered = 0, sent = 0, replied = 0 } = (Object.hasOwn(stages, id) ? stages[id] : undefined) ?? {};
    return { stage: safe(id), type, entered, sent, replied };
  });
}
