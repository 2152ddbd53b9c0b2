import { ignoreElements, type Observable } from 'rxjs';
import { backoffMs } from '../src/domain/backoff.ts';
import { compilePinned } from '../src/domain/campaign.ts';
import { isServiceError } from '../src/domain/errors.ts';
import type { CompiledFlow } from '../src/domain/flow.ts';
import { campaignKey } from '../src/domain/ids.ts';
import type { Id, Run } from '../src/domain/model.ts';
import type { CampaignStore, ChannelFacts, Clock, Instruments, Logger } from '../src/domain/ports.ts';
import { type SourceItem, sliceOf } from './expansionSlice.ts';
import type { OneByOne } from './oneByOne.ts';
import { readLoop } from './operators/readLoop.ts';
import { pause, Waker } from './waker.ts';

/** Most contacts of one slice: one transaction. */
const sliceSize = 1000;
/** Slices in a row that met another `from` than they had read. */
const mostMisses = 3;

export interface ExpansionParams {
  campaigns: CampaignStore;
  channels: ReadonlyMap<string, ChannelFacts>;
  partitions: number;
  owns: (partition: number) => boolean;
  clock: Clock;
  random: () => number;
  traceparent: () => string;
  logger: Logger;
  instruments: Instruments;
  signal: AbortSignal;
  /** What else is decided about a campaign waits for its slice. */
  queue: OneByOne;
  /** The database will not give the rest of an audience, now or later. */
  onRefused: (id: Id, error: Error) => void;
  onRunChanged: (run: Run) => void;
}

/** A run whose audience is being expanded. */
interface Expanding {
  readonly id: Id;
  flow?: CompiledFlow;
  /** Inline contacts, read once. */
  contacts?: readonly unknown[];
  misses: number;
  failures: number;
}

interface Page {
  items: SourceItem[];
  /** Of a collection's audience. */
  map?: Record<string, unknown>;
  done: boolean;
}

/**
 * Turns audiences into conversations, slice by slice and in turn among the campaigns that are at it, so that a large one
 * holds up no small one. Every slice starts from the stored run: it stops by itself when the run is paused, over, or
 * somebody else's, and goes on where it was when it is added again.
 */
export class Expansion {
  private readonly params: ExpansionParams;
  /** Not at it for a reason that is known: another try is armed, or the flow is of no use here. */
  private readonly resting = new Set<string>();
  /** In order of their turns. */
  private readonly turns = new Map<string, Expanding>();
  private readonly waker = new Waker();

  readonly stream$: Observable<never>;

  constructor(params: ExpansionParams) {
    this.params = params;
    this.stream$ = readLoop(
      () => this.waker.until(() => this.turns.size > 0, params.signal),
      () => this.tick(),
    ).pipe(ignoreElements());
  }

  /** Campaigns that have a turn ahead. */
  get size(): number {
    return this.turns.size;
  }

  add(id: Id): void {
    const key = campaignKey(id);
    if (!this.turns.has(key)) this.turns.set(key, { id, misses: 0, failures: 0 });
    this.waker.wake();
  }

  has(id: Id): boolean {
    const key = campaignKey(id);
    return this.turns.has(key) || this.resting.has(key);
  }

  remove(id: Id): void {
    this.resting.delete(campaignKey(id));
    this.turns.delete(campaignKey(id));
  }

  /** One slice of the campaign whose turn it is; false when there was none. Never rejects: a campaign that fails has its next turn after a while. */
  async tick(): Promise<boolean> {
    const { queue, signal, logger, clock, random } = this.params;
    const [turn] = this.turns;
    if (turn === undefined || signal.aborted) return false;
    const [key, expanding] = turn;
    this.turns.delete(key);
    this.turns.set(key, expanding);
    try {
      const more = await queue.run(key, () => this.slice(expanding));
      expanding.failures = 0;
      if (!more && this.turns.get(key) === expanding) this.turns.delete(key);
    } catch (error) {
      if (this.turns.get(key) === expanding) this.turns.delete(key);
      if (signal.aborted) return false;
      if (isServiceError(error, 'document_invalid')) {
        this.params.onRefused(expanding.id, error);
        return true;
      }
      expanding.failures += 1;
      const delayMs = backoffMs(expanding.failures, random, { baseMs: 200, capMs: 30_000 });
      logger.warn('an audience could not be expanded further; it is tried again', {
        campaignId: expanding.id,
        delayMs,
        error,
      });
      this.resting.add(key);
      void pause(clock, delayMs, signal).then(() => this.again(key, expanding));
    }
    return true;
  }

  private again(key: string, expanding: Expanding): void {
    this.resting.delete(key);
    if (this.params.signal.aborted || this.turns.has(key)) return;
    this.turns.set(key, expanding);
    this.waker.wake();
  }

  /** True while there is more to expand. */
  private async slice(expanding: Expanding): Promise<boolean> {
    const { campaigns, owns, signal, partitions, traceparent, clock } = this.params;
    const run = await campaigns.run(expanding.id);
    if (run === undefined || run.status !== 'running' || run.expansion.done || !owns(run.partition)) return false;
    const flow = this.flowOf(expanding, run);
    if (flow === undefined) return false;
    const page = await this.page(expanding, run);
    const slice = await sliceOf(page.items, {
      run,
      flow,
      done: page.done,
      map: page.map,
      partitions,
      now: clock.now(),
      traceparent,
      existing: (ids) => campaigns.existing(ids),
    });
    if (signal.aborted) return false;
    if (!(await campaigns.expand(slice))) return this.missed(expanding);
    expanding.misses = 0;
    this.expanded(run, slice);
    return !slice.expansion.done;
  }

  /** Somebody expanded from the same place: what is stored now is read again. */
  private missed(expanding: Expanding): true {
    expanding.misses += 1;
    if (expanding.misses >= mostMisses) throw new Error('the expansion was not where it had been read');
    return true;
  }

  private expanded(run: Run, slice: Awaited<ReturnType<typeof sliceOf>>): void {
    const { instruments, logger, onRunChanged } = this.params;
    const count = slice.conversations.length;
    const { expansion } = slice;
    if (count > 0) instruments.conversations('active', count);
    if (slice.firstInvalid !== undefined) {
      logger.warn('contacts cannot be used and are skipped', {
        campaignId: run._id,
        skipped: expansion.skipped,
        first: slice.firstInvalid,
      });
    }
    if (expansion.done) logger.info('the audience is expanded', { campaignId: run._id, ...expansion });
    onRunChanged({ ...run, expansion, wake: run.wake + (count > 0 ? 1 : 0) });
  }

  private flowOf(expanding: Expanding, run: Run): CompiledFlow | undefined {
    if (expanding.flow !== undefined) return expanding.flow;
    const { flow, faults } = compilePinned(run, this.params.channels);
    if (flow === undefined) {
      this.params.logger.error('the pinned flow of a run does not compile here; its audience is not expanded', {
        campaignId: run._id,
        faults,
      });
      this.params.instruments.event('flow_unusable');
      this.resting.add(campaignKey(run._id));
      return undefined;
    }
    expanding.flow = flow;
    return flow;
  }

  private async page(expanding: Expanding, { _id, audience, expansion }: Run): Promise<Page> {
    if (audience.kind === 'collection') {
      const page = await this.params.campaigns.audiencePage(audience, expansion.after, sliceSize);
      return { items: page.documents, map: audience.map, done: page.done };
    }
    expanding.contacts ??= await this.inlineContacts(_id);
    const from = typeof expansion.after === 'number' ? expansion.after : 0;
    const items = expanding.contacts
      .slice(from, from + sliceSize)
      .map((raw, index): SourceItem => ({ raw, after: from + index + 1 }));
    return { items, done: from + items.length >= expanding.contacts.length };
  }

  private async inlineContacts(id: Id): Promise<readonly unknown[]> {
    const raw = await this.params.campaigns.campaign(id);
    // deleted, or gone with its collection for a while: that is decided elsewhere, and says nothing of the audience
    if (raw === undefined) throw new Error('the document of the campaign, which holds its contacts, is missing');
    const contacts = (raw['audience'] as { contacts?: unknown } | null | undefined)?.contacts;
    if (Array.isArray(contacts)) return contacts;
    this.params.logger.warn('the contacts of a campaign are gone from its document; none follow', {
      campaignId: id,
    });
    return [];
  }
}
