import type { CampaignStore } from '../src/domain/campaignPorts.ts';
import { type DecideInput, decide } from '../src/domain/conversation.ts';
import type { Decision, FlowContext } from '../src/domain/decision.ts';
import { campaignKey } from '../src/domain/ids.ts';
import type { LimitStore } from '../src/domain/limitPorts.ts';
import type { ChannelState, Message } from '../src/domain/model.ts';
import { contextFor } from '../src/domain/runContexts.ts';
import type { Clock, Logger } from '../src/domain/systemPorts.ts';
import type { Dispatch } from './dispatch.ts';
import { readFresh } from './freshContacts.ts';
import { readLimits } from './limits.ts';
import type { Candidate, Candidates, Loader } from './load.ts';
import type { Rates } from './rates.ts';
import type { KnownRun, Runs } from './runs.ts';
import type { Schedule } from './schedule.ts';
import type { Suppressions } from './suppressions.ts';

export interface DecidingParams {
  loader: Loader;
  campaigns: Pick<CampaignStore, 'sources'>;
  runs: Runs;
  schedule: Schedule;
  dispatch: Dispatch;
  clock: Clock;
  random: () => number;
  logger: Logger;
  /** Who must not be written to. Absent: everybody may be. */
  suppressions?: Pick<Suppressions, 'refusals'>;
  /** Rates of campaigns. Absent: there are none. */
  rates?: Pick<Rates, 'room'>;
  /** What campaigns with limits have used. */
  limits: LimitStore;
}

/** By conversation id. */
export type Decisions = Map<string, Decision>;

/** Reads what the decisions of a pass need beside the conversations, and decides about each of them. */
export class Deciding {
  private readonly params: DecidingParams;

  constructor(params: DecidingParams) {
    this.params = params;
  }

  /** `failed`: documents that nobody can decide about, `homeless`: those without a run to decide by; they must not take the others down with them. */
  async all(candidates: Candidates, inOrder: boolean) {
    const { clock, dispatch, rates, runs } = this.params;
    const awaited = await this.params.loader.awaitedRows(candidates);
    const known = await runs.loadFor([...candidates.values()]);
    const named = await this.params.loader.namedRows(candidates);
    const refusals = await this.refusals(candidates);
    await readFresh(candidates, known, this.params);
    const limits = await readLimits(candidates, known, this.params.limits);
    const now = clock.now();
    const decisions: Decisions = new Map();
    const failed = new Map<string, Error>();
    const homeless: { candidate: Candidate; run: KnownRun | undefined }[] = [];
    const planned = new Map<string, number>();
    const plan = (channel: string, count: 1 | -1): void =>
      void planned.set(channel, (planned.get(channel) ?? 0) + count);
    const ofCampaigns = new Map<string, number>();
    const hasRoom = (key: string, channel: string): boolean =>
      dispatch.room.left(channel, planned) > 0 &&
      (rates?.room(key, channel) ?? Number.POSITIVE_INFINITY) > (ofCampaigns.get(key) ?? 0);
    for (const [id, candidate] of candidates) {
      const run = known.get(campaignKey(candidate.conversation.campaignId));
      const context = run && contextFor(run.contexts, candidate.conversation);
      if (run === undefined || context === undefined) {
        homeless.push({ candidate, run });
        continue;
      }
      try {
        const isRunning = run.state === 'running' || (run.replays && run.state === 'stopped');
        const counted = limits?.factsOf(candidate.conversation, context, run, now);
        const stopsReplays = runs.stopsReplays(run);
        const facts = {
          stopsReplays,
          rows: named.get(id),
          refusals: refusals?.refused.get(id),
          hasRoom: (channel: string) => hasRoom(run.key, channel),
          restingSince: (channel: string) => openSince(dispatch.channelStates[channel]),
          limits: counted,
        };
        const decision = this.decide(candidate, context, isRunning, facts, awaited, now);
        decisions.set(id, decision);
        if (decision.unit?.limits) limits?.decided(decision.unit);
        if (decision.send) {
          plan(decision.send.channel, 1);
          ofCampaigns.set(run.key, (ofCampaigns.get(run.key) ?? 0) + 1);
        }
        const { row } = dispatch.entry(id) ?? {};
        if (inOrder && row && ends(row, decision)) plan(row.channel, -1);
      } catch (error) {
        failed.set(id, error instanceof Error ? error : new Error(String(error)));
      }
    }
    const clear = (id: string) => (refusals?.clear.has(id) ? refusals.askedAt : undefined);
    return { decisions, failed, homeless, clear, now };
  }

  /** Of those of which a message may leave. */
  private async refusals(candidates: Candidates) {
    const sending = [...candidates.values()].filter(({ slot }) => slot).map(({ conversation }) => conversation);
    return sending.length === 0 ? undefined : await this.params.suppressions?.refusals(sending);
  }

  private decide(
    { conversation, results, slot, fresh }: Candidate,
    context: FlowContext,
    running: boolean,
    facts: Pick<DecideInput, 'rows' | 'refusals' | 'hasRoom' | 'restingSince' | 'limits' | 'stopsReplays'>,
    awaited: ReadonlyMap<string, Message>,
    now: number,
  ): Decision {
    const inFlight = this.params.dispatch.entry(conversation._id) !== undefined && results.length === 0;
    const row = awaited.get(conversation.awaiting ?? '');
    const input = { conversation, results, slot: slot && running, inFlight, fresh, awaited: row, ...facts };
    return decide(context, input, now, this.params.random);
  }
}

/** While one message is tried all the others wait for what comes of it. */
const openSince = (state: ChannelState | undefined): number | undefined =>
  state?.state === 'open' ? state.since.getTime() : undefined;

/** Whether the row is `sending` no longer once the decision is committed. */
const ends = ({ _id }: Message, { unit }: Decision): boolean =>
  unit?.rows.some(
    ({ id, from, set }) => id === _id && from === 'sending' && set.status !== undefined && set.status !== 'sending',
  ) === true;
