import { addressesOf } from '../src/domain/addresses.ts';
import type { CampaignHead, CampaignStore } from '../src/domain/campaignPorts.ts';
import type { EnrollmentStore } from '../src/domain/enrollmentPorts.ts';
import {
  campaignIdInvalid,
  campaignMissing,
  campaignNotTriggered,
  campaignOf,
  endedReason,
  enrollmentPartition,
  type RawEnrollment,
} from '../src/domain/enrollments.ts';
import { ServiceError } from '../src/domain/errors.ts';
import { campaignKey } from '../src/domain/ids.ts';
import type { EnrollmentSlice, Id } from '../src/domain/model.ts';
import { isId } from '../src/domain/normalise.ts';
import type { Clock, Instruments, Logger } from '../src/domain/systemPorts.ts';
import type { NewTraceparent } from '../src/domain/trace.ts';
import type { Tracer } from '../src/domain/tracePorts.ts';
import { enrollmentSlice, partsOf } from './enrollmentSlice.ts';
import { OneByOne } from './oneByOne.ts';
import type { KnownRun, Runs } from './runs.ts';
import { traceBeginnings } from './spans.ts';
import { isOver, isTold, WaitingEnrollments } from './waitingEnrollments.ts';

export interface EnrollmentsParams {
  store: EnrollmentStore;
  campaigns: Pick<CampaignStore, 'heads' | 'lastEntries'>;
  runs: Pick<Runs, 'get' | 'load' | 'reload'>;
  partitions: number;
  /** Is this partition ours right now? */
  owns: (partition: number) => boolean;
  /** Conversations were inserted: the lane of the campaign with this key is worth a look. */
  onEntered: (campaignKey: string) => void;
  traceparent: NewTraceparent;
  /** Absent: nobody asked for traces. */
  tracer?: Tracer | undefined;
  clock: Clock;
  logger: Logger;
  instruments: Instruments;
  signal: AbortSignal;
  /** The database is away, or an operator has something to mend: no document is to blame. */
  isNoFaultOfDocuments: (error: unknown) => boolean;
}

/** Read and decided at once, at most. */
const atOnce = 500;
/** Told by the stream and not decided yet, at most: of more, everything that waits is looked at instead. */
const mostOffered = 20_000;
/** Of what waits, at most, in one comparison. */
const pagesCompared = 10;
/** Of an error in a document. */
const longestMessage = 500;
/** Left alone one after the other: it is not they who are to blame then. */
const mostLeftAlone = 20;
/** Times what is decided may change under our hands. */
const mostTries = 5;

type Group = { id: Id; of: RawEnrollment[] };

/**
 * Enrollments of the partitions this member works on: each becomes a conversation, or is told why not, or waits for its
 * campaign to run. Everything is decided from documents that were just read, one look at a time, so any look may be repeated.
 */
export class Enrollments {
  private readonly params: EnrollmentsParams;
  private readonly walk: WaitingEnrollments;
  /** What the stream tells beside the looks, which take turns page by page: both may meet at the same enrollment. */
  private readonly queue = new OneByOne();
  private offered = 0;
  /** One that has not begun. */
  private wholeLook: Promise<void> | undefined;
  /** Not even that they cannot be used could be written: they are left alone until the member restarts. By key. */
  private readonly untouchable = new Set<string>();
  private leftAlone = 0;
  /** Where the comparisons have come to. */
  private compared: { from: unknown; next: unknown } = { from: undefined, next: undefined };
  /** What was last seen of each run. */
  private readonly states = new Map<string, KnownRun['state']>();

  constructor(params: EnrollmentsParams) {
    this.params = params;
    this.walk = new WaitingEnrollments({ ...params, atOnce, isOurs: (raw) => this.isOurs(raw) });
  }

  /** Decides those of these that wait. Rejects when it could not; nothing is lost by asking again. */
  offer(ids: readonly unknown[]): Promise<void> {
    if (ids.length === 0) return Promise.resolve();
    if (this.offered + ids.length > mostOffered) return this.lookAtAll();
    this.offered += ids.length;
    const decided = this.queue.run('offered', async () => this.decideAll(await this.ours(ids)));
    return decided.finally(() => {
      this.offered -= ids.length;
    });
  }

  /** Everything that waits for this campaign, or, without one, everything that waits. */
  async look(campaignId?: Id): Promise<void> {
    const pages = this.walk.pages(campaignId);
    const onePage = async (): Promise<boolean> => {
      const { value, done } = await pages.next();
      if (!done) await this.decideAll(value.heads.map(({ _id }) => _id));
      return done === true;
    };
    let done = false;
    while (!done) done = await this.queue.run('looks', onePage);
  }

  /** Of campaigns that were written: one that ended, or is gone, before it began has no run that would tell who waits for it. */
  async lookAtEnded(campaignIds: readonly Id[]): Promise<void> {
    for (const { id } of (await this.walk.over(campaignIds)).values()) await this.look(id);
  }

  /** Whoever asks before it begins shares it. */
  private lookAtAll(): Promise<void> {
    this.wholeLook ??= this.queue.run('whole', () => {
      this.wholeLook = undefined;
      return this.look();
    });
    return this.wholeLook;
  }

  /** Whole documents are read of ours alone. */
  private async ours(ids: readonly unknown[]): Promise<unknown[]> {
    const found: unknown[] = [];
    for (let left = ids; left.length > 0; ) {
      const { documents, rest } = await this.params.store.waiting(left, true);
      for (const head of documents) if (this.isOurs(head)) found.push(head['_id']);
      left = rest;
    }
    return found;
  }

  /**
   * A run began, went on or ended: what waits for it is to be looked at. Of one that takes no enrollments only that it is there:
   * who named it before is told then.
   */
  isNews({ key, state, run }: KnownRun): boolean {
    const before = this.states.get(key);
    if (run.audience.kind !== 'enrollments' && (before !== undefined || state === 'paused')) {
      if (run.settled) this.states.delete(key);
      return false;
    }
    if (run.settled) this.states.delete(key);
    else this.states.set(key, state);
    return state !== 'paused' && before !== state;
  }

  /** Enrollments of ours that nothing keeps waiting, by their `_id`. */
  async forgotten(): Promise<Map<string, string>> {
    const { runs } = this.params;
    const found = new Map<string, string>();
    this.compared.next = undefined;
    let left = pagesCompared;
    for await (const { heads, after } of this.walk.pages(undefined, this.compared.from)) {
      const over = await this.walk.over(heads.flatMap((head) => campaignOf(head) ?? []));
      for (const head of heads) {
        const id = campaignOf(head) ?? '';
        const known = runs.get(id);
        if (known?.context !== undefined) found.set(String(head['_id']), known.state);
        else if (over.get(campaignKey(id))?.isThere) found.set(String(head['_id']), 'ended');
      }
      if (found.size < atOnce && --left > 0) continue;
      this.compared.next = after;
      break;
    }
    return found;
  }

  /** The next comparison goes on where the last one ended. */
  nextForgotten(): void {
    this.compared.from = this.compared.next;
  }

  private isOurs(raw: RawEnrollment): boolean {
    const { owns, partitions } = this.params;
    return owns(enrollmentPartition(raw, partitions)) && !this.untouchable.has(keyOf(raw['_id']));
  }

  private async decideAll(ids: readonly unknown[], tries = 1): Promise<void> {
    const { store, signal } = this.params;
    for (let from = 0; from < ids.length; from += atOnce) {
      let left: readonly unknown[] = ids.slice(from, from + atOnce);
      while (left.length > 0 && !signal.aborted) {
        const { documents, rest } = await store.waiting(left);
        for (const part of partsOf(documents.filter((raw) => this.isOurs(raw)))) await this.decide(part, tries);
        left = rest;
      }
    }
  }

  private async decide(documents: readonly RawEnrollment[], tries: number): Promise<void> {
    const { runs, campaigns } = this.params;
    const groups = new Map<string, Group>();
    const told: EnrollmentSlice = { answers: [], faults: [] };
    for (const raw of documents) {
      const id = campaignOf(raw);
      if (id === undefined) told.answers.push({ id: raw['_id'], set: campaignIdInvalid(raw) });
      else {
        const group = groups.get(campaignKey(id)) ?? { id, of: [] };
        group.of.push(raw);
        groups.set(campaignKey(id), group);
      }
    }
    const known = await runs.load([...groups.values()].map(({ id }) => id));
    const strange = [...groups].filter(([key]) => !known.has(key)).map(([, group]) => group);
    const heads = strange.length > 0 ? await campaigns.heads(strange.map(({ id }) => id)) : new Map();
    for (const group of strange) withoutRun(group, heads.get(campaignKey(group.id)), told);
    for (const [key, one] of known) withRun(groups.get(key)?.of ?? [], one, told);
    if (!(await this.write(told, documents, tries))) return;
    for (const [key, one] of known) {
      const { run, state } = one;
      if (state === 'running' && run.audience.kind === 'enrollments')
        await this.enter(groups.get(key)?.of ?? [], one, tries);
    }
  }

  private async enter(of: readonly RawEnrollment[], { run, key, context }: KnownRun, tries: number): Promise<void> {
    const { campaigns, clock, partitions, traceparent, instruments, onEntered, logger } = this.params;
    // nobody here can decide about conversations of a flow that does not compile
    if (context === undefined) return;
    const slice = await enrollmentSlice(of, {
      ...{ run, flow: context.flow, now: clock.now(), partitions, traceparent },
      addressesOf: (contact) =>
        context.addressBook && addressesOf(contact, context.flow, context.channels, context.addressBook),
      lastEntries: (ids) => campaigns.lastEntries(ids),
    });
    if (this.params.tracer) traceBeginnings(this.params.tracer, slice.entering?.conversations ?? [], run);
    if (!(await this.write(slice, of, tries))) return;
    if (slice.firstInvalid !== undefined)
      logger.warn('enrollments cannot be used', { campaignId: run._id, first: slice.firstInvalid });
    const count = slice.entering?.conversations.length ?? 0;
    if (count === 0) return;
    instruments.conversations('active', count);
    onEntered(key);
  }

  /** True when it is written as it is; else what could be done instead is done. */
  private async write(slice: EnrollmentSlice, of: readonly RawEnrollment[], tries: number): Promise<boolean> {
    const { store, runs, isNoFaultOfDocuments } = this.params;
    if (slice.answers.length + slice.faults.length === 0) return true;
    try {
      if (await store.answer(slice)) {
        this.leftAlone = 0;
        return true;
      }
    } catch (error) {
      if (isNoFaultOfDocuments(error) || error instanceof ServiceError) throw error;
      await this.bisect(of, error as Error, tries);
      return false;
    }
    if (tries >= mostTries) throw new Error('enrollments changed again and again while they were decided');
    if (slice.entering) await runs.reload(slice.entering.campaignId);
    await this.decideAll(
      of.map(({ _id }) => _id),
      tries + 1,
    );
    return false;
  }

  /** The server refuses something of what they become: it is found, and told. */
  private async bisect(of: readonly RawEnrollment[], error: Error, tries: number): Promise<void> {
    const middle = of.length >> 1;
    if (middle > 0) {
      await this.decide(of.slice(0, middle), tries);
      await this.decide(of.slice(middle), tries);
      return;
    }
    const message = `MongoDB refuses it: ${error.message}`.slice(0, longestMessage);
    this.params.logger.warn('an enrollment cannot be written', { enrollment: of[0]?.['_id'], error });
    for (const { _id } of of) {
      const set = { reason: 'contact_invalid', error: { code: 'contact_invalid', path: 'contact', message } } as const;
      try {
        await this.params.store.answer({ answers: [{ id: _id, set }], faults: [] });
      } catch (refusal) {
        await this.leaveAlone(_id, refusal);
      }
    }
  }

  /** It leaves no room for an answer (a document holds 16 MB): where operators look is told what is wrong with it. */
  private async leaveAlone(id: unknown, refusal: unknown): Promise<void> {
    const { store, logger, instruments, isNoFaultOfDocuments } = this.params;
    if (isNoFaultOfDocuments(refusal) || refusal instanceof ServiceError) throw refusal;
    if (++this.leftAlone > mostLeftAlone) throw refusal;
    const message = `cannot even be answered: ${(refusal as Error).message}`.slice(0, longestMessage);
    const deadLetters = [{ documentId: id, reason: 'poisoned', error: { code: 'poisoned', message } }];
    try {
      await store.answer({ answers: [], faults: [], deadLetters });
    } catch (error) {
      if (isNoFaultOfDocuments(error) || error instanceof ServiceError) throw error;
      logger.error('what is wrong with an enrollment cannot be written anywhere', { error });
    }
    this.untouchable.add(keyOf(id));
    instruments.event('poisoned');
    logger.error('an enrollment cannot even be answered; it is left alone', { code: 'poisoned', enrollment: id });
  }
}

/** Their campaign has not begun, or never will. */
function withoutRun({ id, of }: Group, head: CampaignHead | undefined, { answers, faults }: EnrollmentSlice): void {
  const reason = head?.status === 'cancelled' ? 'campaign_cancelled' : 'campaign_ended';
  for (const raw of of) {
    if (head !== undefined && isOver(head)) answers.push({ id: raw['_id'], set: { reason } });
    else if (head === undefined && !isTold(raw)) faults.push({ id: raw['_id'], error: { ...campaignMissing(id) } });
  }
}

/** Ids are of any type here. */
const keyOf = (id: unknown): string => (isId(id) ? campaignKey(id) : `?${JSON.stringify(id)}`);

/** Their campaign takes nobody (any more). */
function withRun(of: readonly RawEnrollment[], { run, state }: KnownRun, { answers }: EnrollmentSlice): void {
  const isTriggered = run.audience.kind === 'enrollments';
  if (isTriggered && state !== 'stopped') return;
  const set = isTriggered ? { reason: endedReason(run) } : campaignNotTriggered(run.campaign['type']);
  for (const raw of of) answers.push({ id: raw['_id'], set });
}
