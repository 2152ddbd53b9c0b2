import type { ConversationStore } from '../src/domain/conversationPorts.ts';
import type { DueTimes } from '../src/domain/dueTimes.ts';
import type { Conversation } from '../src/domain/model.ts';
import type { Clock } from '../src/domain/systemPorts.ts';
import type { Sharer } from './laneShares.ts';
import { Turns } from './turns.ts';

/** What is known of a lane. */
export interface LaneState extends Sharer {
  readonly due: DueTimes;
  /** The database is to be asked. */
  unknown: boolean;
  /** Others inserted conversations since it was last taken from. */
  woken: boolean;
  /** Partition to begin with: under a backlog each has its turn. */
  from: number;
  /** It has no turn before, ms since the epoch. */
  restUntil: number;
  /** It had less than its share last time: what it leaves goes to the others. */
  short: boolean;
}

export interface LaneReaderParams {
  store: Pick<ConversationStore, 'due' | 'nextDue'>;
  clock: Clock;
  /** Partitions owned and not being released. */
  partitions: () => readonly number[];
  /** These were taken from a lane. */
  took: (lane: LaneState, conversations: readonly Conversation[]) => void;
  /** A lane has nothing more that is due. */
  ranEmpty: (lane: LaneState) => void;
}

/** Lanes looked at in one go, at most; the others come first in the next. */
export const lanesPerLook = 64;
const looksAtOnce = 8;
/** Due for longer than this in a lane that looks idle: nobody is about to take it. */
const forgottenMs = 5_000;
/** Read of a lane that looks idle: more than may be in hand there. */
const mostInHand = 5_000;

/** Reads lanes from the database, and notes what it learns of their due times. */
export class LaneReader {
  private readonly params: LaneReaderParams;
  /** Of `forgotten`. */
  readonly turns = new Turns();

  constructor(params: LaneReaderParams) {
    this.params = params;
  }

  /** When something is next due in those lanes of which that is not known. */
  async look(lanes: Iterable<LaneState>): Promise<void> {
    const unknown = [...lanes].filter((lane) => lane.unknown);
    const asker = async (): Promise<void> => {
      for (let lane = unknown.pop(); lane !== undefined; lane = unknown.pop()) {
        lane.unknown = false;
        // read anew for each lane: partitions may be gained while another one is asked about
        const partitions = this.params.partitions();
        if (partitions.length === 0) continue;
        try {
          lane.due.lookedUp((await this.params.store.nextDue(lane.lane, partitions))?.getTime());
        } catch (error) {
          lane.unknown = true;
          throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(looksAtOnce, unknown.length) }, asker));
  }

  /** At most `share` conversations that are due. `covered`: so many more may be found that `skip` says are not wanted. */
  async take(
    lane: LaneState,
    share: number,
    covered: number,
    skip: (id: string) => boolean,
  ): Promise<readonly Conversation[]> {
    const { store, clock, partitions, took, ranEmpty } = this.params;
    const now = clock.now();
    const all = await store.due(lane.lane, beginningAt(partitions(), lane.from), new Date(now), share + covered);
    const open = all.filter(({ _id }) => !skip(_id));
    const wanted = open.slice(0, share);
    took(lane, wanted);
    lane.short = wanted.length < share;
    lane.from = (wanted.at(-1)?.partition ?? lane.from) + 1;
    // what is in flight and due is noticed again when it is answered
    if (all.length < share + covered && open.length <= share) {
      ranEmpty(lane);
      lane.due.taken(now);
      const { woken } = lane;
      lane.woken = false;
      // what others inserted may be due later: the flow begins with a pause, or their clock is ahead
      if (lane.due.needsLook(now) || woken)
        lane.due.lookedUp((await store.nextDue(lane.lane, partitions(), new Date(now)))?.getTime());
    }
    return wanted;
  }

  /**
   * Conversations that are due for a while in lanes which look idle, with their versions: a sample of each lane, not all.
   * `skip` says which are in hand.
   */
  async forgotten(all: Iterable<LaneState>, skip: (id: string) => boolean): Promise<Map<string, string>> {
    const { store, clock, partitions } = this.params;
    const found = new Map<string, string>();
    const lanes = this.turns.order([...all], ({ key }) => key);
    for (const lane of lanes.filter((one) => this.looksIdle(one)).slice(0, lanesPerLook)) {
      this.turns.reached(lane.key);
      const before = new Date(clock.now() - forgottenMs);
      const overdue = await store.due(lane.lane, partitions(), before, mostInHand);
      if (!this.looksIdle(lane)) continue;
      for (const { _id, version } of overdue) if (!skip(_id)) found.set(_id, String(version));
    }
    return found;
  }

  private looksIdle({ unknown, due }: LaneState): boolean {
    return !unknown && (due.next === undefined || due.next > this.params.clock.now());
  }
}

/** The same partitions in ascending order from `first` on, then the others. */
function beginningAt(partitions: readonly number[], first: number): readonly number[] {
  const at = partitions.findIndex((partition) => partition >= first);
  return at <= 0 ? partitions : [...partitions.slice(at), ...partitions.slice(0, at)];
}
