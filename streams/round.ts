import { backoffMs } from '../src/domain/backoff.ts';
import type { CampaignStore } from '../src/domain/campaignPorts.ts';
import type { ConversationStore, RoundReceipt } from '../src/domain/conversationPorts.ts';
import type { Decision } from '../src/domain/decision.ts';
import { isServiceError } from '../src/domain/errors.ts';
import type { LimitStore } from '../src/domain/limitPorts.ts';
import type { Id, Message, Unit } from '../src/domain/model.ts';
import type { RowResult } from '../src/domain/outbox.ts';
import type { RateWait } from '../src/domain/ratePorts.ts';
import type { Clock, Instruments, Logger } from '../src/domain/systemPorts.ts';
import { isSampled, traceFields } from '../src/domain/trace.ts';
import type { Tracer } from '../src/domain/tracePorts.ts';
import { Deciding, type Decisions } from './deciding.ts';
import type { Dispatch } from './dispatch.ts';
import type { InDoubt } from './inDoubt.ts';
import { laneOf } from './lanes.ts';
import { type Candidate, type Candidates, Loader } from './load.ts';
import { Quarantine } from './quarantine.ts';
import type { Rates } from './rates.ts';
import { RoundTrace } from './roundTrace.ts';
import type { KnownRun, Runs } from './runs.ts';
import type { Schedule } from './schedule.ts';
import type { Suppressions } from './suppressions.ts';
import { pause } from './waker.ts';

/** What wakes a round. */
export type RoundInput =
  | { kind: 'result'; result: RowResult }
  /** Ids worth a look; `done` is called once each was handled or need not be. */
  | { kind: 'hints'; ids: readonly string[]; done: () => void }
  | { kind: 'due' };

/** What a round did, for the log and the tests. */
export interface RoundReport {
  units: number;
  sent: number;
  results: number;
  poisoned: number;
}

export interface RoundParams {
  store: ConversationStore;
  campaigns: Pick<CampaignStore, 'sources'>;
  runs: Runs;
  schedule: Schedule;
  dispatch: Dispatch;
  /** Conversations taken up in one round, at most. */
  batchSize: number;
  owns: (conversationId: string, partition: number) => boolean;
  clock: Clock;
  random: () => number;
  logger: Logger;
  instruments: Instruments;
  /** Ends the retries of a round whose database is away. */
  signal: AbortSignal;
  /** Who must not be written to. Absent: everybody may be. */
  suppressions?: Pick<Suppressions, 'refusals' | 'wrote'>;
  /** Rates of campaigns. Absent: there are none. */
  rates?: Pick<Rates, 'room'>;
  /** What campaigns with limits have used. */
  limits: LimitStore;
  /** Asks for another look at these conversations in a later round. */
  hint: (ids: readonly string[]) => void;
  isNoFaultOfDocuments: (error: unknown) => boolean;
  /** Something was counted in a campaign whose run is settled. */
  countedLate?: (campaignId: Id) => void;
  /** The outcome of a commit is unknown: resolves when a later fence proves that the member still owns its partitions, which settles it. */
  proveOwnership: () => Promise<void>;
  /** Absent: nobody asked for traces. */
  tracer?: Tracer | undefined;
}

/** A guard that misses this often in one round is left for the next. */
const missesPerRound = 10;

/** Load, decide, commit: one turn of the conversation pipeline. Nothing else changes conversations. */
export class Round {
  private readonly params: RoundParams;
  private readonly quarantine: Quarantine;
  private readonly loader: Loader;
  private readonly deciding: Deciding;
  /** What would have left after a commit of unknown outcome: if it was committed, it never left. */
  private unproven: Message[] = [];
  /** What the running round is about, from its being read to its being handed over. */
  private inHand: Candidates | undefined;

  constructor(params: RoundParams) {
    this.params = params;
    this.quarantine = new Quarantine(params);
    this.loader = new Loader({ ...params, quarantine: this.quarantine });
    this.deciding = new Deciding({ ...params, loader: this.loader });
  }

  /** The round that is running decides about it. */
  isInHand(conversationId: string): boolean {
    return this.inHand?.has(conversationId) === true;
  }

  /** It could not even be quarantined: it is left alone until the member restarts. */
  isUntouchable(conversationId: string): boolean {
    return this.quarantine.isUntouchable(conversationId);
  }

  /** Runs until it is committed; while the database is away it waits and decides anew. */
  async run(inputs: readonly RoundInput[]): Promise<RoundReport> {
    const { clock, logger, random, signal, isNoFaultOfDocuments, schedule, dispatch } = this.params;
    const results = inputs.flatMap((input) => (input.kind === 'result' ? [input.result] : []));
    const hints = new Set(inputs.flatMap((input) => (input.kind === 'hints' ? input.ids : [])));
    for (let attempt = 1; ; attempt++) {
      try {
        if (this.unproven.length > 0) await this.takeUpUnproven();
        // what an earlier try recorded is in doubt no longer, even if its row is `sending` again
        const open = results.filter(({ row }) => dispatch.entry(row.conversationId)?.row === row);
        const report = await this.attempt(open, hints);
        for (const input of inputs) if (input.kind === 'hints') input.done();
        return report;
      } catch (error) {
        if (signal.aborted || isServiceError(error, 'fenced')) throw error;
        schedule.lookAtAll();
        if (isServiceError(error, 'commit_unknown')) {
          logger.warn('nobody can say whether a round was committed; ownership is proved first', { attempt, error });
        } else if (isNoFaultOfDocuments(error)) {
          logger.warn('a round waits for the database', { attempt, error });
          await pause(clock, backoffMs(attempt, random, { baseMs: 50, capMs: 2000 }), signal);
        } else {
          throw error;
        }
      }
    }
  }

  private async attempt(results: readonly RowResult[], hints: ReadonlySet<string>): Promise<RoundReport> {
    const { clock, instruments, schedule, tracer } = this.params;
    const began = clock.monotonic();
    const trace = tracer && new RoundTrace(tracer, clock);
    const report: RoundReport = { units: 0, sent: 0, results: results.length, poisoned: 0 };
    let pending = await this.loader.load(results, hints);
    trace?.phase('load');
    this.inHand = pending;
    try {
      for (let pass = 0; pending.size > 0 && pass < missesPerRound; pass++)
        pending = await this.pass(pending, report, pass === 0, trace);
    } finally {
      this.inHand = undefined;
      trace?.end(report.units);
    }
    if (pending.size > 0) this.postpone(pending);
    if (report.units > 0) instruments.round(clock.monotonic() - began, report.units);
    schedule.arm();
    return report;
  }

  /**
   * Decides and commits; returns what has to be decided again. `inOrder`: answers are written first, so a row whose answer is
   * recorded makes room for another one; else what stays unrecorded must not be replaced by something new.
   */
  private async pass(
    candidates: Candidates,
    report: RoundReport,
    inOrder: boolean,
    trace: RoundTrace | undefined,
  ): Promise<Candidates> {
    const { dispatch, instruments } = this.params;
    const { decisions, failed, homeless, clear, now } = await this.deciding.all(candidates, inOrder);
    for (const { candidate, run } of homeless) await this.withoutRun(candidate, run);
    trace?.phase('decide');
    const { missed, poisoned } = await this.commit(decisions, inOrder);
    trace?.phase('commit');
    const sends: InDoubt[] = [];
    for (const [id, decision] of decisions) {
      const candidate = candidates.get(id);
      if (candidate === undefined || missed.has(id) || poisoned.has(id)) continue;
      for (const { row, outcome, answeredAt } of candidate.results) {
        dispatch.settled(row);
        if (outcome.kind === 'sent') instruments.dueToSent(row.channel, answeredAt - Number(row.dueAt));
      }
      const wasAside = candidate.conversation.delayed === 'rate';
      const rateWait = decision.send && rateWaitOf(candidate, decision.send, now);
      this.applied(decision, now, sends, { clearAt: clear(id), wasAside, rateWait });
      trace?.committed(candidate, decision);
      if (decision.unit === undefined) continue;
      report.units += 1;
      const { nextActionAt, trace: own } = candidate.conversation;
      if (candidate.slot && nextActionAt)
        instruments.lateness(
          Math.max(0, now - nextActionAt.getTime()),
          trace && isSampled(own) ? own?.traceparent : undefined,
        );
    }
    dispatch.enqueue(sends);
    report.sent += sends.length;
    for (const [id, error] of [...poisoned, ...failed]) {
      const candidate = candidates.get(id);
      if (candidate === undefined) continue;
      if (await this.quarantine.isolate(candidate, error)) report.poisoned += 1;
      else missed.add(id);
    }
    // what was only left is as it was read
    if (inOrder) return new Map([...candidates].filter(([id]) => missed.has(id)));
    return this.loader.again(candidates, missed);
  }

  private async commit(decisions: Decisions, inOrder: boolean): Promise<RoundReceipt> {
    const { store } = this.params;
    const units = [...decisions.values()].flatMap(({ unit }) => (unit ? [unit] : []));
    if (!inOrder) return this.watched(decisions, store.commit(units));
    const answersFirst = [...units.filter(isAnswer), ...units.filter((unit) => !isAnswer(unit))];
    return { missed: await this.watched(decisions, store.commitInOrder(answersFirst)), poisoned: new Map() };
  }

  /** Remembers what may have been committed without our learning of it. */
  private async watched<T>(decisions: Decisions, commit: Promise<T>): Promise<T> {
    try {
      return await commit;
    } catch (error) {
      if (isServiceError(error, 'commit_unknown'))
        for (const { send } of decisions.values()) if (send) this.unproven.push(send);
      throw error;
    }
  }

  private async takeUpUnproven(): Promise<void> {
    const { store, dispatch, proveOwnership } = this.params;
    await proveOwnership();
    const rows = await store.messages(this.unproven.map(({ _id }) => _id));
    dispatch.adopt(
      rows.filter(({ status }) => status === 'sending'),
      'held',
    );
    this.unproven = [];
  }

  /**
   * Rows of a run that does not compile here stay as they are for a member that can record their answers, and count no more as
   * in doubt here; those of a run that is gone end.
   */
  private async withoutRun({ conversation, results }: Candidate, run: KnownRun | undefined): Promise<void> {
    const { dispatch, logger } = this.params;
    const { _id: conversationId, campaignId } = conversation;
    logger.error('a conversation has no run that can be used here', {
      code: 'run_missing',
      campaignId,
      conversationId,
      ...traceFields(conversation.trace),
    });
    if (run) for (const { row } of results) dispatch.settled(row);
    else await this.quarantine.recordOrphans(conversationId, results);
  }

  /** Effects outside the database, once the unit is committed. */
  private applied(
    decision: Decision,
    now: number,
    sends: InDoubt[],
    known: Pick<InDoubt, 'clearAt' | 'wasAside' | 'rateWait'>,
  ): void {
    const { dispatch, schedule, instruments, suppressions, runs } = this.params;
    const { conversation, send, unit, until } = decision;
    if (send) sends.push({ row: send, decidedAt: now, until, conversation, ...known });
    else dispatch.rewritten(conversation);
    // an ended one waits for another try of a message: it may be all that is left of its campaign
    const isReplayed = conversation.status !== 'active' && conversation.awaiting !== undefined;
    if (isReplayed && !runs.replays(conversation.campaignId)) this.params.hint([conversation._id]);
    const waiting = laneOf(conversation);
    if (waiting) schedule.notice(waiting.lane, waiting.at);
    if (unit === undefined) return;
    if (unit.suppressions) suppressions?.wrote(unit.suppressions);
    // it may have ended while this was written
    const isSettled = runs.get(unit.campaignId)?.run.settled === true && Object.keys(unit.counters).length > 0;
    if (unit.late || isSettled) this.params.countedLate?.(unit.campaignId);
    dispatch.received(unit);
    if (unit.change?.set.status) instruments.conversations(unit.change.set.status, 1);
    for (const row of unit.inserts) if (row.status !== 'sending') instruments.messages(row.channel, row.status, 1);
    for (const { channel, set } of unit.rows)
      if (set.status && set.status !== 'sending') instruments.messages(channel, set.status, 1);
  }

  /** Guards that kept missing: their results and events wait for the next round, which is asked for at once. */
  private postpone(pending: Candidates): void {
    const { dispatch, logger, hint } = this.params;
    logger.warn('conversations changed under every try of a round', { count: pending.size });
    for (const { results } of pending.values()) for (const result of results) dispatch.repeat(result);
    hint([...pending.keys()]);
  }
}

const isAnswer = ({ rows }: Unit): boolean =>
  rows.some(({ from, set }) => from === 'sending' && set.status !== undefined);

/** For whose slot a message waited before it was decided. */
function rateWaitOf({ conversation, behind }: Candidate, row: Message, now: number): RateWait | undefined {
  const { delayed, nextActionAt } = conversation;
  // it was told its turn, and is late for it for other reasons; what became of a try before is no wait for a slot
  if (delayed === 'rate' && row.error === undefined)
    return { kind: 'domain', since: now - ((nextActionAt?.getTime() ?? now) - row.queuedAt.getTime()) };
  if (behind === undefined) return undefined;
  const dueAt = delayed === undefined ? row.dueAt : (nextActionAt ?? row.dueAt);
  return { kind: behind.kind, since: Math.max(behind.since, dueAt.getTime()) };
}
