import { compilePinned } from '../src/domain/campaign.ts';
import type { FlowContext } from '../src/domain/draft.ts';
import { campaignKey } from '../src/domain/ids.ts';
import type { Id, Run } from '../src/domain/model.ts';
import type { CampaignHead, CampaignStore, ChannelFacts, Clock, Logger } from '../src/domain/ports.ts';
import { compileUnsubscribe } from '../src/domain/unsubscribe.ts';

/** A run as one member knows it. */
export interface KnownRun {
  readonly key: string;
  run: Run;
  /** Absent when the pinned flow does not compile here: nothing of it is taken up by this member. */
  context: FlowContext | undefined;
  /** May messages leave? What the member saw last in `campaigns` and in the run: the stricter wins. */
  state: 'running' | 'paused' | 'stopped';
  /** `campaigns` showed `paused`, `cancelled` or nothing at all, and the run may not know yet. */
  held: boolean;
  /** The `endAt` that `campaigns` showed, ms: it holds at once when it is the earlier one. */
  seenEnd: number | undefined;
  /** Monotonic ms of the question whose answers these are: an older one that comes later counts for nothing. */
  askedAt: number;
}

export interface RunsParams {
  campaigns: CampaignStore;
  channels: ReadonlyMap<string, ChannelFacts>;
  memberId: string;
  /** See FlowContext. Absent: no HASH_KEY is set. */
  unsubscribeToken?: FlowContext['unsubscribeToken'];
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
  private stopped = false;

  constructor(params: RunsParams) {
    this.params = params;
  }

  get(campaignId: Id): KnownRun | undefined {
    return this.known.get(campaignKey(campaignId));
  }

  all(): IterableIterator<KnownRun> {
    return this.known.values();
  }

  /** Takes in what was read from the database. */
  update(run: Run): KnownRun {
    const key = campaignKey(run._id);
    const known: KnownRun = this.known.get(key) ?? {
      ...{ key, run, context: this.contextOf(run), state: 'paused' },
      ...{ held: false, seenEnd: undefined, askedAt: Number.NEGATIVE_INFINITY },
    };
    known.run = run;
    known.state = this.stateOf(known);
    this.watchEnd(known);
    if (known.context) known.context = withStop(known.context, run);
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
    known.held = status === undefined || status === 'paused' || status === 'cancelled';
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
    return known?.state === 'running' && !this.isPastEnd(known);
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
      const known = this.update(run);
      found.set(known.key, known);
    }
    return found;
  }

  async reload(id: Id): Promise<void> {
    const run = await this.params.campaigns.run(id);
    if (run) this.update(run);
  }

  private contextOf(run: Run): FlowContext | undefined {
    const { channels, memberId, logger, unsubscribeToken } = this.params;
    const compiled = compilePinned(run, channels);
    if (compiled.flow === undefined) {
      logger.error('the pinned flow of a run does not compile here', { campaignId: run._id, faults: compiled.faults });
      return undefined;
    }
    return {
      campaignId: run._id,
      flow: compiled.flow,
      variables: run.variables,
      campaign: run.campaign,
      channels,
      unsubscribe: run.unsubscribe && compileUnsubscribe(run.unsubscribe).compiled,
      unsubscribeToken,
      worker: memberId,
    };
  }

  private forgetSettled(): void {
    const settled = [...this.known.values()].filter(({ run }) => run.settled);
    for (const { key } of settled.slice(0, Math.max(0, settled.length - settledLimit))) this.known.delete(key);
  }
}

/** The earlier of the end that was taken in and the one that was seen, ms. */
const endOf = ({ run, seenEnd }: KnownRun): number =>
  Math.min(run.schedule?.endAt?.getTime() ?? Number.POSITIVE_INFINITY, seenEnd ?? Number.POSITIVE_INFINITY);

function withStop(context: FlowContext, run: Run): FlowContext {
  const stopped = run.status === 'cancelled' ? (run.endReason ?? 'campaign_cancelled') : undefined;
  if (context.stopped === stopped) return context;
  const { stopped: _, ...rest } = context;
  return stopped === undefined ? rest : { ...rest, stopped };
}
