import { type AddressBook, addressesOf } from '../src/domain/addresses.ts';
import { addressKey } from '../src/domain/audience.ts';
import { compilePinned } from '../src/domain/campaign.ts';
import type { CampaignStore } from '../src/domain/campaignPorts.ts';
import { isExpanding, opensFor } from '../src/domain/campaignTypes.ts';
import type { ChannelFacts } from '../src/domain/channelPorts.ts';
import { wantsHolidays } from '../src/domain/compileSchedule.ts';
import { isServiceError, ServiceError } from '../src/domain/errors.ts';
import type { CompiledFlow } from '../src/domain/flow.ts';
import { currentOf } from '../src/domain/flowVersions.ts';
import { loadedHolidays, loadHolidays } from '../src/domain/holidays.ts';
import { campaignKey } from '../src/domain/ids.ts';
import type { Contact, Id, Run } from '../src/domain/model.ts';
import type { Clock, Instruments, Logger } from '../src/domain/systemPorts.ts';
import type { NewTraceparent } from '../src/domain/trace.ts';
import type { Tracer } from '../src/domain/tracePorts.ts';
import type { AdmissionRules } from './admission.ts';
import { AudiencePages } from './audiencePages.ts';
import { type Slice, type SliceContext, type SourceItem, sliceOf } from './expansionSlice.ts';
import { LiveAudience } from './liveAudience.ts';
import { PageSizes } from './pageSizes.ts';
import { traceBeginnings } from './spans.ts';

/** Of an error in a log. */
const longestMessage = 500;
/** Slices in a row that met another `from` than they had read. */
const mostMisses = 3;

export interface AudienceSlicesParams {
  campaigns: CampaignStore;
  channels: ReadonlyMap<string, ChannelFacts>;
  partitions: number;
  owns: (partition: number) => boolean;
  clock: Clock;
  traceparent: NewTraceparent;
  /** Absent: nobody asked for traces. */
  tracer?: Tracer | undefined;
  /** Hash of an address, for `dedupeBy`. */
  addressHash: (text: string) => string;
  /** Hashes what conversations can be found by. Absent: they keep no addresses. */
  addressBook?: AddressBook | undefined;
  logger: Logger;
  instruments: Instruments;
  signal: AbortSignal;
  onRunChanged: (run: Run) => void;
  /** The database is away, or an operator has something to mend: no contact is to blame. */
  isNoFaultOfDocuments: (error: unknown) => boolean;
  /** See `AudiencePagesParams`. */
  mostInlineBytes?: number | undefined;
}

/** A run whose audience is being expanded. */
export interface Expanding {
  readonly id: Id;
  readonly live: LiveAudience;
  flow?: CompiledFlow;
  /** Number of the migration whose version that flow is. */
  flowOf?: number | undefined;
  readonly sizes: PageSizes;
  /** There was no room for its contacts. */
  isWaiting?: boolean;
  misses: number;
}

export const toExpand = (id: Id): Expanding => ({ id, live: new LiveAudience(), sizes: new PageSizes(), misses: 0 });

/** One slice of an audience after the other, each from the run as it is stored. */
export class AudienceSlices {
  private readonly params: AudienceSlicesParams;
  private readonly pages: AudiencePages;

  constructor(params: AudienceSlicesParams) {
    this.params = params;
    this.pages = new AudiencePages(params);
  }

  /** There is no room for the contacts of another campaign. */
  get isFull(): boolean {
    return this.pages.isFull;
  }

  forget(key: string): void {
    this.pages.forget(key);
  }

  /** True while there is more to expand; `later`: there may be; `unusable`: its flow does not compile here. */
  async next(expanding: Expanding): Promise<boolean | 'later' | 'unusable'> {
    const { campaigns, owns, signal, partitions, traceparent, clock, channels, addressBook } = this.params;
    const run = await campaigns.run(expanding.id);
    if (run === undefined || run.status !== 'running' || !isExpanding(run) || !owns(run.partition)) return false;
    const flow = await this.flowOf(expanding, run);
    if (flow === undefined) return 'unusable';
    const isLive = opensFor(run) === 'live';
    const { live } = expanding;
    if (isLive && live.begins) live.begin(await this.lastKey(run), clock.monotonic());
    const after = live.from(run.expansion.after);
    const page = await this.pages.next(run, after, expanding.sizes);
    expanding.isWaiting = page === 'full';
    if (page === 'full') return true;
    const items = page.items.slice(0, expanding.sizes.slice);
    const isAll = items.length === page.items.length;
    const context = {
      run,
      flow,
      done: page.done && isAll && !isLive,
      again: live.isPassing ? { after } : undefined,
      looked: isAll ? page.looked : undefined,
      map: page.map,
      partitions,
      now: clock.now(),
      traceparent,
      rules: this.rules(run),
      addressesOf: addressBook && ((contact: Contact) => addressesOf(contact, flow, channels, addressBook)),
    };
    const slice = await sliceOf(items, context);
    if (signal.aborted) return false;
    const isNews = !isLive || slice.conversations.length > 0 || (!live.isPassing && (items.length > 0 || page.looked));
    const written = isNews ? await this.write(expanding, slice, items, context) : slice;
    if (written === 'again') return true;
    if (written === undefined) return this.missed(expanding);
    expanding.misses = 0;
    if (isNews) this.expanded(run, written);
    // nothing was to be written: what could not be is out of it
    else expanding.sizes.written();
    if (!isLive) return !written.expansion.done;
    const isLast = page.done && isAll && written.isWhole;
    return live.done({ reached: written.reached, isLast, isEmpty: items.length === 0 }, clock.monotonic()) || 'later';
  }

  /**
   * What was written; undefined when it met another state than was read. What cannot be written for a reason of its own is halved
   * until one contact is alone, which is left out.
   */
  private async write(
    { id, sizes }: Expanding,
    slice: Slice,
    items: readonly SourceItem[],
    context: SliceContext,
  ): Promise<Slice | 'again' | undefined> {
    const { campaigns, logger, isNoFaultOfDocuments } = this.params;
    let left = slice;
    try {
      this.traceBegin(slice, context.run);
      if (!(await campaigns.expand(slice))) return undefined;
      sizes.written();
      return slice;
    } catch (error) {
      if (slice.conversations.length === 0 || isNoFaultOfDocuments(error) || isServiceError(error)) throw error;
      logger.warn('a slice of an audience cannot be written', { campaignId: id, contacts: items.length, error });
      if (sizes.halved(items.length)) return 'again';
      const refused = `MongoDB refuses it: ${(error as Error).message}`.slice(0, longestMessage);
      if (!sizes.leftOut()) throw new ServiceError('document_invalid', `audience: of each contact: ${refused}`);
      left = await sliceOf(items, { ...context, refused });
    }
    if (context.again) return left;
    this.traceBegin(left, context.run);
    return (await campaigns.expand(left)) ? left : undefined;
  }

  private traceBegin({ conversations }: Slice, run: Run): void {
    const { tracer } = this.params;
    if (tracer) traceBeginnings(tracer, conversations, run);
  }

  private async lastKey({ audience }: Run): Promise<unknown> {
    return audience.kind === 'collection' ? await this.params.campaigns.lastKey(audience.collection) : undefined;
  }

  private rules({ _id, audience }: Run): AdmissionRules {
    const { campaigns, addressHash } = this.params;
    const { exclude, dedupeBy } = audience;
    return {
      key: campaignKey,
      existing: (ids) => campaigns.existing(ids),
      ...(exclude === undefined ? {} : { excluded: (ids) => campaigns.excluded(exclude, ids) }),
      ...(dedupeBy === undefined ? {} : { addresses: this.addresses(_id, dedupeBy, addressHash) }),
    };
  }

  private addresses(id: Id, field: string, hash: (text: string) => string): NonNullable<AdmissionRules['addresses']> {
    return {
      field,
      keyOf: (address) => addressKey(id, field, address, hash),
      taken: (keys) => this.params.campaigns.takenAddresses(keys),
    };
  }

  /** Somebody expanded from the same place: what is stored now is read again. */
  private missed(expanding: Expanding): true {
    expanding.misses += 1;
    expanding.live.lost();
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

  private async flowOf(expanding: Expanding, run: Run): Promise<CompiledFlow | undefined> {
    const migration = run.migration?.number;
    if (expanding.flow !== undefined && expanding.flowOf === migration) return expanding.flow;
    const pinned = currentOf(run);
    if (wantsHolidays(pinned)) await loadHolidays();
    const { flow, faults } = compilePinned(pinned, this.params.channels, loadedHolidays());
    if (flow === undefined) {
      this.params.logger.error('the pinned flow of a run does not compile here; its audience is not expanded', {
        campaignId: run._id,
        faults,
      });
      this.params.instruments.event('flow_unusable');
      return undefined;
    }
    expanding.flow = flow;
    expanding.flowOf = migration;
    return flow;
  }
}
