import { from, ignoreElements, type Observable, type SchedulerLike, Subject } from 'rxjs';
import { backoffMs } from '../src/domain/backoff.ts';
import { type Fault, isServiceError } from '../src/domain/errors.ts';
import type { CompiledFlow } from '../src/domain/flow.ts';
import { campaignPartition } from '../src/domain/ids.ts';
import {
  inboxEventOf,
  inboundKey as keyOf,
  type ReadInbound,
  readInbound,
  route,
  saidAt,
} from '../src/domain/inbound.ts';
import type { DirectReceipt, InboundMark, InboundStore, ReceiptStore } from '../src/domain/inboundPorts.ts';
import type { Id } from '../src/domain/model.ts';
import { isId } from '../src/domain/normalise.ts';
import { isOnlyStamp, timeOf } from '../src/domain/receipts.ts';
import type { Instruments, Logger } from '../src/domain/systemPorts.ts';
import { EarlyEvents } from './earlyEvents.ts';
import { contextOf, type Finds, type FindsParams, findFor } from './inboundFinds.ts';
import { batchWhileBusy } from './operators/batchWhileBusy.ts';
import type { OptOuts } from './optOuts.ts';
import { pause } from './waker.ts';

export interface InboundParams extends FindsParams {
  store: InboundStore;
  optOuts: Pick<OptOuts, 'write' | 'marked'>;
  receipts: ReceiptStore;
  /** Of a campaign whose run was read, of every version its conversations follow, as of a migration; undefined where one is not known here. */
  flowsOf: (campaignId: Id) => { flows: readonly CompiledFlow[]; migration: number } | undefined;
  /** Told of what was counted past the rounds: it may be of a campaign that is over. */
  counted?: (campaignId: Id) => void;
  partitions: number;
  owns: (partition: number) => boolean;
  isNoFaultOfDocuments: (error: unknown) => boolean;
  random: () => number;
  logger: Logger;
  instruments: Pick<Instruments, 'event' | 'messages'>;
  signal: AbortSignal;
  scheduler: SchedulerLike;
}

const batchSize = 500;
const pageSize = 1000;
interface Hint {
  ids: readonly Id[];
  done: () => void;
}

/** Takes inbound events to the conversations they are for, in batches, each event by the owner of the partition its id hashes to. */
export class Inbound {
  private readonly params: InboundParams;
  private readonly hints = new Subject<Hint>();
  /** On their way; by key. */
  private readonly underway = new Map<string, number>();
  private readonly early: EarlyEvents;
  /** Not even that they cannot be used could be written: they are left alone until the member restarts. By key. */
  private readonly untouchable = new Set<string>();

  readonly stream$: Observable<never>;

  constructor(params: InboundParams) {
    this.params = params;
    const { clock, signal } = params;
    this.early = new EarlyEvents({
      ...{ clock, signal, isOurs: (id) => this.isOurs(id) },
      again: (ids) => void this.offer(ids),
    });
    this.stream$ = this.hints.pipe(
      batchWhileBusy((hints) => from(this.run(hints)), {
        windowMs: 0,
        maxSize: batchSize,
        scheduler: params.scheduler,
      }),
      ignoreElements(),
    );
  }

  /** Resolves once those that are ours were handled, or wait for their message: they are stored, and whoever owns them next finds them. */
  offer(ids: readonly Id[]): Promise<void> {
    const own = ids.filter((id) => this.isOurs(id));
    if (own.length === 0) return Promise.resolve();
    for (const id of own) this.enter(id, 1);
    return new Promise((resolve) => {
      const done = (): void => {
        for (const id of own) this.enter(id, -1);
        resolve();
      };
      this.hints.next({ ids: own, done });
    });
  }

  /** Everything that nobody handled yet: of gained partitions, and what a gap in the stream may hide. */
  async sweep(): Promise<void> {
    const { store, signal } = this.params;
    for (let after: Id | undefined; !signal.aborted; ) {
      const ids = await store.unhandled(after, pageSize);
      await this.offer(ids);
      if (ids.length < pageSize) return;
      after = ids.at(-1);
    }
  }

  /** Events of ours that nobody is at, by key. For the reconcile check. */
  async forgotten(): Promise<Map<string, Id>> {
    const ids = await this.params.store.unhandled(undefined, pageSize);
    return new Map(ids.flatMap((id) => (this.isOurs(id) && !this.isUnderway(id) ? [[keyOf(id), id] as const] : [])));
  }

  private isOurs(id: Id): boolean {
    const { partitions, owns } = this.params;
    // an id of no usable type is refused, by one of us
    return owns(isId(id) ? campaignPartition(id, partitions) : 0);
  }

  private isUnderway(id: Id): boolean {
    const key = keyOf(id);
    return this.underway.has(key) || this.early.has(key) || this.untouchable.has(key);
  }

  private enter(id: Id, by: 1 | -1): void {
    const key = keyOf(id);
    const count = (this.underway.get(key) ?? 0) + by;
    if (count > 0) this.underway.set(key, count);
    else this.underway.delete(key);
  }

  // ---------------------------------------------------------------- a batch

  /** Until it is done: nothing is lost or doubled by doing it again. */
  private async run(hints: readonly Hint[]): Promise<void> {
    const ids = new Map(hints.flatMap((hint) => hint.ids).map((id) => [keyOf(id), id]));
    for (const part of inParts([...ids.values()], batchSize)) await this.take(part);
    if (this.params.signal.aborted) return;
    for (const { done } of hints) done();
  }

  /** What cannot be handled for a reason of its own is found one by one, and told so; the others go on. */
  private async take(ids: readonly Id[]): Promise<void> {
    const { clock, random, logger, signal, isNoFaultOfDocuments } = this.params;
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await this.handle(ids);
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (isServiceError(error, 'fenced')) throw error;
        if (!(error instanceof AimedMeanwhile) && !isServiceError(error) && !isNoFaultOfDocuments(error)) {
          if (ids.length > 1) for (const id of ids) await this.take([id]);
          else for (const id of ids) await this.giveUp(id, error);
          return;
        }
        logger.warn('inbound events wait for the database', { count: ids.length, attempt, error });
        await pause(clock, backoffMs(attempt, random, { baseMs: 50, capMs: 2000 }), signal);
      }
    }
  }

  private async giveUp(id: Id, error: unknown): Promise<void> {
    const { store, clock, isNoFaultOfDocuments, logger } = this.params;
    const message = `cannot be handled: ${error instanceof Error ? error.message : String(error)}`;
    const mark = this.refuse(id, { code: 'internal', path: '', message });
    try {
      await store.mark([{ id, mark }], new Date(clock.now()));
    } catch (refusal) {
      // stored as it is, it is found again by whoever owns it next
      if (isNoFaultOfDocuments(refusal)) return;
      this.untouchable.add(keyOf(id));
      logger.error('an inbound event cannot even be marked', { inboundEvent: String(id), error: refusal });
    }
    this.over([id]);
  }

  /** Nothing of these is to be done any more. */
  private over(ids: readonly Id[]): void {
    const keys = ids.map(keyOf);
    for (const key of keys) this.early.forget(key);
    this.params.optOuts.marked(keys);
  }

  private async handle(ids: readonly Id[]): Promise<void> {
    for (let left = ids; left.length > 0; ) {
      const { events, rest } = await this.params.store.events(left);
      const later = new Set(rest.map(keyOf));
      this.forget(
        left.filter((id) => !later.has(keyOf(id))),
        events,
      );
      await this.handleRead(events);
      left = rest;
    }
  }

  private async handleRead(stored: readonly (Record<string, unknown> & { _id: Id })[]): Promise<void> {
    const { store, clock } = this.params;
    const events: ReadInbound[] = [];
    const marks: { id: Id; mark: InboundMark }[] = [];
    for (const raw of stored) {
      const { event, fault } = isId(raw._id) ? readInbound(raw) : { fault: idFault, event: undefined };
      if (event !== undefined) events.push(event);
      else marks.push({ id: raw._id, mark: this.refuse(raw._id, fault) });
    }
    if (events.length > 0) marks.push(...(await this.move(events)));
    await store.mark(marks, new Date(clock.now()));
    this.over(marks.map(({ id }) => id));
  }

  /** Suppressions first: they have to be there within two seconds. What is early is not marked, and comes again. */
  private async move(events: readonly ReadInbound[]): Promise<{ id: Id; mark: InboundMark }[]> {
    const { store, optOuts } = this.params;
    const finds = await findFor(events, this.params);
    const context = contextOf(finds, this.params);
    const stamped = await this.stamp(events, finds);
    const routed = events.flatMap((event) => {
      if (stamped.has(event)) return [];
      const own = finds.of(event);
      return [{ event, own, routing: route(event, own, context) }];
    });
    const heeded = routed.filter(({ routing }) => routing.suppressions.length > 0);
    if (heeded.length > 0)
      await optOuts.write(
        heeded.flatMap(({ routing }) => routing.suppressions),
        heeded.map(({ event }) => keyOf(event._id)),
      );
    const ready = routed.filter(({ event, routing }) => !routing.isEarly || this.early.isOverdue(event._id));
    const aims = ready.filter(
      ({ event, routing }) => event.conversations === undefined && routing.conversations.length > 0,
    );
    const noted = await store.aim(
      aims.map(({ event, routing }) => ({ id: event._id, conversations: routing.conversations })),
    );
    if (noted < aims.length) throw new AimedMeanwhile();
    const pushes = ready.flatMap(({ event, own, routing }) =>
      routing.conversations.map((conversation) => ({
        conversation,
        event: inboxEventOf(event, own.row, routing.topic),
        id: event._id,
      })),
    );
    const refused = await store.push(pushes);
    const errors = new Map([...refused].map(([index, error]) => [keyOf(pushes[index]?.id ?? ''), error]));
    return ready.map(({ event: { _id }, routing: { conversations, fault } }) => {
      const beside = fault === undefined ? {} : { error: fault };
      const error = errors.get(keyOf(_id));
      if (error !== undefined)
        return { id: _id, mark: this.refuse(_id, { code: 'inbox_refused', path: 'inbox', message: error.message }) };
      return {
        id: _id,
        mark: conversations.length > 0 ? { kind: 'moved', conversations, ...beside } : { kind: 'unmatched', ...beside },
      };
    });
  }

  /** Receipts that nobody listens to go to their rows, past the conversations: they are most of what providers tell. Returns those that went. */
  private async stamp(events: readonly ReadInbound[], finds: Finds): Promise<Set<ReadInbound>> {
    const { receipts, flowsOf, counted, clock, instruments } = this.params;
    const now = clock.now();
    const direct = new Map<ReadInbound, DirectReceipt>();
    for (const event of events) {
      const { row } = finds.of(event);
      const known = row && event.conversations === undefined ? flowsOf(row.campaignId) : undefined;
      if (row && known?.flows.every((flow) => isOnlyStamp(flow, event.type))) {
        const { migration } = known;
        direct.set(event, { id: event._id, event, at: timeOf({ at: saidAt(event) }, now), row, migration });
      }
    }
    const { left, moved } = await receipts.stamp([...direct.values()], new Date(now));
    for (const { channel, status } of moved) instruments.messages(channel, status, 1);
    const done = [...direct.keys()].filter(({ _id }) => !left.has(_id));
    for (const event of done) {
      const { row } = finds.of(event);
      if (row) counted?.(row.campaignId);
    }
    this.over(done.map(({ _id }) => _id));
    return new Set(done);
  }

  /** Those that are gone, or were handled by somebody else, wait for nothing. */
  private forget(ids: readonly Id[], stored: readonly { _id: Id }[]): void {
    const there = new Set(stored.map(({ _id }) => keyOf(_id)));
    this.over(ids.filter((id) => !there.has(keyOf(id))));
  }

  private refuse(id: Id, fault: Fault): InboundMark {
    this.params.instruments.event('inbound_failed');
    this.params.logger.warn('an inbound event cannot be used', { code: fault.code, inboundEvent: String(id), fault });
    return { kind: 'failed', error: fault };
  }
}

/** Another member noted where an event goes, or it is gone: it is read again. */
class AimedMeanwhile extends Error {}

const idFault = { code: 'type', path: '_id', message: 'has to be a string, a number or an ObjectId' };

function inParts<T>(items: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let at = 0; at < items.length; at += size) parts.push(items.slice(at, at + size));
  return parts;
}
