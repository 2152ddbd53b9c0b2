import { backoffMs } from '../src/domain/backoff.ts';
import { decide } from '../src/domain/conversation.ts';
import type { Decision } from '../src/domain/draft.ts';
import { isServiceError } from '../src/domain/errors.ts';
import { campaignKey } from '../src/domain/ids.ts';
import type { Conversation, Id, Unit } from '../src/domain/model.ts';
import type { RowResult } from '../src/domain/outbox.ts';
import type { Clock, ConversationStore, Instruments, Logger, RoundReceipt } from '../src/domain/ports.ts';
import type { Dispatch, InDoubt } from './dispatch.ts';
import { orphanUnit, quarantineUnit } from './quarantine.ts';
import type { Runs } from './runs.ts';
import { countByLane, laneOf, type Schedule } from './schedule.ts';
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
  /** Asks for another look at these conversations in a later round. */
  hint: (ids: readonly string[]) => void;
  isDatabaseAway: (error: unknown) => boolean;
  /** The outcome of a commit is unknown: waits for proof of ownership, then takes up rows that were committed and never handed over. */
  afterUnknownCommit: () => Promise<void>;
}

interface Candidate {
  conversation: Conversation;
  results: RowResult[];
  slot: boolean;
}

/** A guard that misses this often in one round is left for the next. */
const missesPerRound = 10;

/** Load, decide, commit: one turn of the conversation pipeline. Nothing else changes conversations. */
export class Round {
  private readonly params: RoundParams;
  /** Conversations that could not even be quarantined; they are left alone until the member restarts. */
  private readonly untouchable = new Set<string>();

  constructor(params: RoundParams) {
    this.params = params;
  }

  /** Runs until it is committed; while the database is away it waits and decides anew from fresh documents. */
  async run(inputs: readonly RoundInput[]): Promise<RoundReport> {
    const { clock, logger, random, signal, isDatabaseAway, schedule } = this.params;
    let results = inputs.flatMap((input) => (input.kind === 'result' ? [input.result] : []));
    const hints = new Set(inputs.flatMap((input) => (input.kind === 'hints' ? input.ids : [])));
    for (let attempt = 1; ; attempt++) {
      try {
        // an earlier try may have committed before it failed
        if (attempt > 1) results = await this.stillPending(results);
        const report = await this.attempt(results, hints, attempt > 1);
        for (const input of inputs) if (input.kind === 'hints') input.done();
        return report;
      } catch (error) {
        if (signal.aborted || isServiceError(error, 'fenced')) throw error;
        schedule.lookAtAll();
        if (isServiceError(error, 'commit_unknown')) {
          await this.params.afterUnknownCommit();
        } else if (isDatabaseAway(error)) {
          logger.warn('a round waits for the database', { attempt, error });
          await pause(clock, backoffMs(attempt, random, { baseMs: 50, capMs: 2000 }), signal);
        } else {
          throw error;
        }
      }
    }
  }

  private async attempt(
    results: readonly RowResult[],
    hints: ReadonlySet<string>,
    fresh: boolean,
  ): Promise<RoundReport> {
    const { clock, instruments, schedule } = this.params;
    const began = clock.monotonic();
    const candidates = await this.load(results, hints, fresh);
    await this.takeDue(candidates);
    const report: RoundReport = { units: 0, sent: 0, results: results.length, poisoned: 0 };
    let pending = candidates;
    for (let pass = 0; pending.size > 0 && pass < missesPerRound; pass++) pending = await this.pass(pending, report);
    if (pending.size > 0) this.postpone(pending);
    if (report.units > 0) instruments.round(clock.monotonic() - began, report.units);
    schedule.arm();
    return report;
  }

  /** Conversations of results and hints. What is in doubt is known as we wrote it; everything else is read. */
  private async load(
    results: readonly RowResult[],
    hints: ReadonlySet<string>,
    fresh: boolean,
  ): Promise<Map<string, Candidate>> {
    const { dispatch, store, owns } = this.params;
    const candidates = new Map<string, Candidate>();
    const byConversation = new Map<string, RowResult[]>();
    const wanted = new Set(hints);
    for (const result of results) {
      const id = result.row.conversationId;
      byConversation.set(id, [...(byConversation.get(id) ?? []), result]);
      const known = fresh ? undefined : dispatch.entry(id)?.conversation;
      if (known === undefined) wanted.add(id);
      else if (!wanted.has(id))
        candidates.set(id, { conversation: known, results: byConversation.get(id) ?? [], slot: false });
    }
    for (const id of this.untouchable) wanted.delete(id);
    if (wanted.size > 0) {
      for (const conversation of await store.byIds([...wanted])) {
        const own = byConversation.get(conversation._id) ?? [];
        if (own.length === 0 && !owns(conversation._id, conversation.partition)) continue;
        candidates.set(conversation._id, { conversation, results: own, slot: false });
      }
    }
    for (const [id, own] of byConversation) if (!candidates.has(id)) await this.recordOrphans(id, own);
    return candidates;
  }

  private async takeDue(candidates: Map<string, Candidate>): Promise<void> {
    const { dispatch, schedule, clock, batchSize, instruments } = this.params;
    const inDoubt = [...dispatch.entries()].flatMap(({ conversation }) => (conversation ? [conversation] : []));
    const taken = await schedule.take({
      capacity: Math.min(batchSize, dispatch.room('-')),
      room: (channel) => dispatch.room(channel),
      hidden: countByLane(inDoubt, clock.now()),
      skip: (id) => dispatch.entry(id) !== undefined || this.untouchable.has(id),
    });
    for (const conversation of taken) {
      const known = candidates.get(conversation._id);
      candidates.set(conversation._id, { conversation, results: known?.results ?? [], slot: true });
      if (conversation.nextActionAt)
        instruments.lateness(Math.max(0, clock.now() - conversation.nextActionAt.getTime()));
    }
  }

  /** Decides and commits; returns what has to be decided again because its guard missed. */
  private async pass(candidates: Map<string, Candidate>, report: RoundReport): Promise<Map<string, Candidate>> {
    const { store, clock, random, dispatch } = this.params;
    await this.params.runs.load(campaignsOf(candidates.values()));
    const awaited = await this.awaitedRows(candidates.values());
    const decisions = new Map<string, Decision>();
    const units: Unit[] = [];
    /** Documents that nobody can decide about: they must not take the others down with them. */
    const undecided = new Map<string, Error>();
    const now = clock.now();
    for (const [id, candidate] of candidates) {
      let decision: Decision | undefined;
      try {
        decision = this.decide(candidate, awaited.get(candidate.conversation.awaiting ?? ''), now, random);
      } catch (error) {
        undecided.set(id, error instanceof Error ? error : new Error(String(error)));
      }
      if (decision === undefined) continue;
      decisions.set(id, decision);
      if (decision.unit) units.push(decision.unit);
    }
    const receipt: RoundReceipt =
      units.length > 0 ? await store.commit(units) : { missed: new Set(), poisoned: new Map() };
    for (const [id, error] of undecided) receipt.poisoned.set(id, error);
    const sends: InDoubt[] = [];
    for (const [id, decision] of decisions) {
      if (receipt.missed.has(id) || receipt.poisoned.has(id)) continue;
      for (const { row } of candidates.get(id)?.results ?? []) dispatch.settled(row);
      this.applied(decision, now, sends);
      if (decision.unit) report.units += 1;
    }
    dispatch.enqueue(sends);
    report.sent += sends.length;
    await this.quarantine(candidates, receipt, report);
    return this.reloadMissed(candidates, receipt.missed);
  }

  private decide(candidate: Candidate, awaited: RowResult['row'] | undefined, now: number, random: () => number) {
    const { runs, dispatch, logger } = this.params;
    const { conversation, results, slot } = candidate;
    const known = runs.get(conversation.campaignId);
    const context = known?.context;
    if (known === undefined || context === undefined) {
      logger.error('a conversation has no run that can be used here', {
        code: 'run_missing',
        campaignId: conversation.campaignId,
        conversationId: conversation._id,
      });
      for (const { row } of results) dispatch.settled(row);
      return undefined;
    }
    const inFlight = dispatch.entry(conversation._id) !== undefined && results.length === 0;
    return decide(
      context,
      { conversation, results, slot: slot && known.state === 'running', inFlight, awaited },
      now,
      random,
    );
  }

  /** Effects outside the database, once the unit is committed. */
  private applied(decision: Decision, now: number, sends: InDoubt[]): void {
    const { dispatch, schedule, instruments } = this.params;
    const { conversation, send, unit } = decision;
    if (send) sends.push({ row: send, decidedAt: now, conversation });
    else dispatch.rewritten(conversation);
    const waiting = laneOf(conversation);
    if (waiting) schedule.notice(waiting.lane, waiting.at);
    if (unit === undefined) return;
    if (unit.change?.set.status) instruments.conversations(unit.change.set.status, 1);
    for (const row of unit.inserts) if (row.status !== 'sending') instruments.messages(row.channel, row.status, 1);
    for (const { channel, set } of unit.rows)
      if (set.status && set.status !== 'sending') instruments.messages(channel, set.status, 1);
  }

  private async awaitedRows(candidates: Iterable<Candidate>): Promise<Map<string, RowResult['row']>> {
    const ids: string[] = [];
    for (const { conversation, slot } of candidates)
      if (slot && conversation.awaiting !== undefined) ids.push(conversation.awaiting);
    if (ids.length === 0) return new Map();
    return new Map((await this.params.store.messages(ids)).map((row) => [row._id, row]));
  }

  private async reloadMissed(
    candidates: Map<string, Candidate>,
    missed: ReadonlySet<string>,
  ): Promise<Map<string, Candidate>> {
    const again = new Map<string, Candidate>();
    if (missed.size === 0) return again;
    for (const conversation of await this.params.store.byIds([...missed])) {
      const candidate = candidates.get(conversation._id);
      if (candidate) again.set(conversation._id, { ...candidate, conversation });
    }
    for (const id of missed) if (!again.has(id)) await this.recordOrphans(id, candidates.get(id)?.results ?? []);
    return again;
  }

  /** Guards that kept missing: their results and events wait for the next round, which is asked for at once. */
  private postpone(pending: ReadonlyMap<string, Candidate>): void {
    const { dispatch, logger, hint } = this.params;
    logger.warn('conversations changed under every try of a round', { count: pending.size });
    for (const { results, conversation } of pending.values()) {
      dispatch.rewritten(conversation);
      for (const result of results) dispatch.repeat(result);
    }
    hint([...pending.keys()]);
  }

  private async quarantine(
    candidates: Map<string, Candidate>,
    receipt: RoundReceipt,
    report: RoundReport,
  ): Promise<void> {
    for (const [id, error] of receipt.poisoned) {
      const candidate = candidates.get(id);
      if (candidate === undefined) continue;
      const { conversation, results } = candidate;
      report.poisoned += 1;
      this.params.instruments.event('poisoned');
      this.params.logger.error('a conversation cannot be written and is quarantined', {
        code: 'poisoned',
        campaignId: conversation.campaignId,
        conversationId: id,
        error,
      });
      const again = await this.params.store.commit([quarantineUnit(conversation, results, error)]);
      if (again.poisoned.size > 0 || again.missed.size > 0) {
        this.untouchable.add(id);
        await this.recordOrphans(id, results);
      }
      for (const { row } of results) this.params.dispatch.settled(row);
    }
  }

  /** Answers whose conversation is gone: somebody deleted it. The rows end all the same, else the campaign never would. */
  private async recordOrphans(conversationId: string, results: readonly RowResult[]): Promise<void> {
    const [first, ...others] = results;
    if (first === undefined) return;
    this.params.logger.warn('the conversation of a result is gone', { conversationId, messageId: first.row._id });
    await this.params.store.commit([orphanUnit(conversationId, [first, ...others])]);
    for (const { row } of results) this.params.dispatch.settled(row);
  }

  /** After a commit of unknown outcome: results whose rows are no longer pending were recorded by it. */
  private async stillPending(results: readonly RowResult[]): Promise<RowResult[]> {
    const rows = await this.params.store.messages(results.map(({ row }) => row._id));
    const pending = new Set(rows.filter((row) => row.pending === true).map((row) => row._id));
    return results.filter(({ row }) => {
      if (pending.has(row._id)) return true;
      this.params.dispatch.settled(row);
      return false;
    });
  }
}

function campaignsOf(candidates: Iterable<Candidate>): Id[] {
  const ids = new Map<string, Id>();
  for (const { conversation } of candidates) ids.set(campaignKey(conversation.campaignId), conversation.campaignId);
  return [...ids.values()];
}
