import { ignoreElements, type Observable } from 'rxjs';
import type { ConversationStore } from '../src/domain/conversationPorts.ts';
import type { Lane } from '../src/domain/model.ts';
import type { Clock, Instruments, Logger } from '../src/domain/systemPorts.ts';
import type { VitalsStore } from '../src/domain/vitalPorts.ts';
import { readLoop } from './operators/readLoop.ts';
import { pause } from './waker.ts';

interface OverdueLane {
  lane: Lane;
  /** ms since the epoch. */
  since: number;
  isHeld: boolean;
}

export interface VitalsParams {
  /** Absent: only what is known without the database. */
  store: VitalsStore | undefined;
  conversations: Pick<ConversationStore, 'nextDue'>;
  /** Lanes that have something due, each with since when it may have, and whether it stands where more members do not help; the oldest first. */
  overdue: () => readonly OverdueLane[];
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
/** Of those, kept for lanes that are not held: behind those that are they would never be asked of. */
const freeAsked = 8;
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
      instruments.vitals({ partitions, ...(await this.dueLag()) });
      if (store === undefined) return;
      if (turn % stopEveryTicks === 0) instruments.vitals({ sendingStopped: await store.sendingStopped() });
      if (turn % oplogEveryTicks === 0 && !this.isBlind) await this.oplog(store);
    } catch (error) {
      logger.debug('what metrics are told could not be looked at', { error });
    }
  }

  /** What a lane knows is when it was last known to be empty: under a lasting backlog the database knows better. */
  private async dueLag(): Promise<{ dueLagMs: number; dueLagWithRoomMs: number }> {
    const { clock, overdue, conversations, active } = this.params;
    const now = clock.now();
    const lanes = overdue();
    const free = lanes.filter(({ isHeld }) => !isHeld);
    const oldest = lanes[0]?.since ?? now;
    if (now - oldest < askedFromMs || active().length === 0)
      return { dueLagMs: now - oldest, dueLagWithRoomMs: now - (free[0]?.since ?? now) };
    const held = lanes.filter(({ isHeld }) => isHeld);
    const asked = [...held.slice(0, lanesAsked - Math.min(free.length, freeAsked)), ...free].slice(0, lanesAsked);
    const ages = await Promise.all(
      asked.map(async ({ lane, isHeld }) => {
        const at = await conversations.nextDue(lane, active());
        return { isHeld, ageMs: Math.max(0, now - (at?.getTime() ?? now)) };
      }),
    );
    const oldestOf = (some: typeof ages): number => Math.max(0, ...some.map(({ ageMs }) => ageMs));
    return { dueLagMs: oldestOf(ages), dueLagWithRoomMs: oldestOf(ages.filter(({ isHeld }) => !isHeld)) };
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
