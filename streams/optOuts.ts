import { ignoreElements, type Observable } from 'rxjs';
import { inboundKey, maySuppress, type ReadInbound, readInbound, suppressionChanges } from '../src/domain/inbound.ts';
import type { InboundStore, SuppressionStore } from '../src/domain/inboundPorts.ts';
import type { Id, SuppressionChange } from '../src/domain/model.ts';
import { isId } from '../src/domain/normalise.ts';
import type { Logger } from '../src/domain/systemPorts.ts';
import { contextOf, type FindsParams, findNamed } from './inboundFinds.ts';
import { readLoop } from './operators/readLoop.ts';
import { pause } from './waker.ts';

export interface OptOutsParams extends FindsParams {
  store: FindsParams['store'] & Pick<InboundStore, 'optOuts' | 'events'>;
  suppressions: Pick<SuppressionStore, 'write'>;
  /** Told what was suppressed. */
  wrote: (changes: readonly SuppressionChange[]) => void;
  /** Whether an error tells nothing about what was worked on: the database is out of reach. */
  isNoFaultOfDocuments: (error: unknown) => boolean;
  random: () => number;
  logger: Logger;
  signal: AbortSignal;
}

/**
 * What may be an opt-out is looked for so often, ms. Who finds one in two looks writes its suppression: within a second and a
 * little, of the two that are promised.
 */
const lookMs = 500;
/** Looked at in one look, at most. */
const mostLookedAt = 5000;
const partSize = 500;

/**
 * Opt-outs wait for nobody: neither behind receipts and replies that came before them, nor for an owner that is gone, or busy.
 * Every member writes the suppressions of events that stand unhandled from one look to the next, whoever they belong to: a
 * suppression is there once, whoever writes it. What else becomes of them is their owner's.
 */
export class OptOuts {
  private readonly params: OptOutsParams;
  /** Found by the last look, by key; true for those that were heeded. */
  private seen: ReadonlyMap<string, boolean> = new Map();
  /** Written by this member's own hand, and not marked yet: what came after them may have been written since. */
  private readonly written = new Set<string>();
  private turn: Promise<unknown> = Promise.resolve();
  private isFailing = false;

  /** One look after the other. Errors never end it. */
  readonly stream$: Observable<never>;

  constructor(params: OptOutsParams) {
    this.params = params;
    this.stream$ = readLoop(
      () => pause(params.clock, lookMs * (0.8 + params.random() / 5), params.signal),
      () => this.look(),
    ).pipe(ignoreElements());
  }

  /** Writes what the events of these keys, in their order, change of suppressions: STOP before START. */
  write(changes: readonly SuppressionChange[], keys: readonly string[]): Promise<void> {
    return this.inTurn(async () => {
      await this.params.suppressions.write(changes);
      for (const key of keys) this.written.add(key);
      this.params.wrote(changes);
    });
  }

  /** These were marked: nobody finds them any more. */
  marked(keys: Iterable<string>): void {
    for (const key of keys) this.written.delete(key);
  }

  /** What fails is looked at again. */
  async look(): Promise<void> {
    const { store, logger, signal } = this.params;
    if (signal.aborted) return;
    try {
      const found = new Map((await store.optOuts(mostLookedAt)).map((id) => [inboundKey(id), id]));
      const before = this.seen;
      this.seen = new Map([...found.keys()].map((key) => [key, before.get(key) === true]));
      const due = [...found].filter(([key]) => before.get(key) === false).map(([, id]) => id);
      for (let at = 0; at < due.length; at += partSize) await this.take(due.slice(at, at + partSize));
      this.isFailing = false;
    } catch (error) {
      if (!this.isFailing) logger.warn('opt-outs that wait cannot be looked for; it is tried again', { error });
      this.isFailing = true;
    }
  }

  private async take(ids: readonly Id[]): Promise<void> {
    const { logger, signal, isNoFaultOfDocuments } = this.params;
    if (signal.aborted) return;
    try {
      await this.inTurn(() => this.heed(ids));
      this.seen = new Map([...this.seen, ...ids.map((id) => [inboundKey(id), true] as const)]);
    } catch (error) {
      if (isNoFaultOfDocuments(error)) throw error;
      // one of them may be at fault: it must not hold up the others, and its owner says what is wrong with it
      if (ids.length > 1) for (const id of ids) await this.take([id]);
      else logger.debug('an opt-out that waits could not be heeded', { error });
    }
  }

  /** Reads and writes in one turn: an opt-out that is unhandled here was not taken back. */
  private async heed(ids: readonly Id[]): Promise<void> {
    const { store } = this.params;
    const { events: stored, rest } = await store.events(ids);
    await this.suppress(
      stored.flatMap((raw): ReadInbound[] => {
        const { event } = isId(raw._id) ? readInbound(raw) : {};
        return event !== undefined && maySuppress(event) && !this.written.has(inboundKey(event._id)) ? [event] : [];
      }),
    );
    if (rest.length > 0) await this.heed(rest);
  }

  private async suppress(events: readonly ReadInbound[]): Promise<void> {
    const { suppressions, wrote, logger } = this.params;
    if (events.length === 0) return;
    const finds = await findNamed(events, this.params);
    const context = contextOf(finds, this.params);
    const changes = events
      .flatMap((event) => suppressionChanges(event, finds.of(event), context).suppressions)
      .filter(({ kind }) => kind === 'add');
    if (changes.length === 0) return;
    await suppressions.write(changes);
    wrote(changes);
    logger.info('opt-outs were suppressed ahead of what else becomes of them', { count: changes.length });
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.turn.then(work);
    this.turn = turn.catch(() => {});
    return turn;
  }
}
