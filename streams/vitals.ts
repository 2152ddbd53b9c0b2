import { ignoreElements, type Observable } from 'rxjs';
import type { ConversationStore } from '../src/domain/conversationPorts.ts';
import type { Lane } from '../src/domain/model.ts';
import type { Clock, Instruments, Logger } from '../src/domain/systemPorts.ts';
import type { VitalsStore } from '../src/domain/vitalPorts.ts';
import { readLoop } from './operators/readLoop.ts';
import { pause } from './waker.ts';

export interface VitalsParams {
  /** Absent: only what is known without the database. */
  store: VitalsStore | undefined;
  conversations: Pick<ConversationStore, 'nextDue'>;
  /** Lanes that have something due, each with since when it may have; the oldest first. */
  overdue: () => readonly { lane: Lane; since: number }[];
  /** Partitions that are worked on here. */
  active: () => readonly number[];
  /** Partitions of the cluster. */
  partitions: number;
  clock: Clock;
  logger: Logger;
  instruments: Instruments;
  signal: AbortSignal;
}

const everyMs = 5_000;
/** A lane behind for less says how much by itself; of one that never runs empty the database is asked. */
const askedFromMs = 5_000;
/** Those that were never seen empty for longest: the oldest work is in one of them, as a rule. */
const lanesAsked = 16;
const stopEveryTicks = 3;
const oplogEveryTicks = 12;

/** Looks rarely at what only metrics ask for. Nothing is decided by it, and an idle member reads three documents a minute or so. */
export class Vitals {
  private readonly params: VitalsParams;
  private ticks = 0;
  /** The oplog may not be read: it is not asked for again in this life. */
  private isBlind = false;

  /** One look after the other until the signal is aborted. Errors never end it. */
  readonly stream$: Observable<never>;

  constructor(params: VitalsParams) {
    this.params = params;
    this.stream$ = readLoop(
      () => pause(params.clock, everyMs, params.signal),
      () => this.tick(),
    ).pipe(ignoreElements());
  }

  async tick(): Promise<void> {
    const { instruments, partitions, logger, signal, store } = this.params;
    if (signal.aborted) return;
    const turn = this.ticks++;
    try {
      instruments.vitals({ partitions, dueLagMs: await this.dueLag() });
      if (store === undefined) return;
      if (turn % stopEveryTicks === 0) instruments.vitals({ sendingStopped: await store.sendingStopped() });
      if (turn % oplogEveryTicks === 0 && !this.isBlind) await this.oplog(store);
    } catch (error) {
      logger.debug('what metrics are told could not be looked at', { error });
    }
  }

  /** What a lane knows is when it was last known to be empty: under a lasting backlog the database knows better. */
  private async dueLag(): Promise<number> {
    const { clock, overdue, conversations, active } = this.params;
    const now = clock.now();
    const lanes = overdue();
    const oldest = lanes[0];
    if (oldest === undefined) return 0;
    if (now - oldest.since < askedFromMs || active().length === 0) return now - oldest.since;
    const due = await Promise.all(lanes.slice(0, lanesAsked).map(({ lane }) => conversations.nextDue(lane, active())));
    return Math.max(0, now - Math.min(now, ...due.map((at) => at?.getTime() ?? now)));
  }

  private async oplog(store: VitalsStore): Promise<void> {
    const { instruments, logger } = this.params;
    const oplog = await store.oplog();
    if (oplog) return instruments.vitals({ oplog });
    this.isBlind = true;
    logger.info('the window of the oplog is not measured: it needs find on local.oplog.rs (docs/security.md)', {
      code: 'oplog_unreadable',
    });
  }
}
