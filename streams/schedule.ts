import { Observable } from 'rxjs';
import type { ConversationStore } from '../src/domain/conversationPorts.ts';
import { DueTimes } from '../src/domain/dueTimes.ts';
import { weightOf } from '../src/domain/fairness.ts';
import type { Conversation, Lane } from '../src/domain/model.ts';
import type { RateWait } from '../src/domain/ratePorts.ts';
import type { Clock } from '../src/domain/systemPorts.ts';
import { Detours, type WayOut } from './detours.ts';
import { type Hold, LaneHolds } from './laneHolds.ts';
import { LaneReader, type LaneState, lanesPerLook } from './laneReader.ts';
import { LaneShares } from './laneShares.ts';
import { laneKey, lanesOf } from './lanes.ts';
import type { KnownRun } from './runs.ts';
import type { Turns } from './turns.ts';

export interface ScheduleParams {
  store: Pick<ConversationStore, 'due' | 'nextDue'>;
  clock: Clock;
  /** Partitions owned and not being released. */
  partitions: () => readonly number[];
  /** Conversations that may be taken up for a channel ("-": for none) now, beside those `planned` by channel; 0 passes its lanes over. */
  room: (channel: string, planned?: ReadonlyMap<string, number>) => number;
  /** What of a lane goes another way when it is late: its channel is left alone. Absent: nothing. */
  waysOut?: (lane: Lane) => readonly WayOut[];
  /** Something of a campaign (by its key) is due on a channel, whether there is room or not. */
  wanted?: (channel: string, campaign: string) => void;
  /** Conversations of a campaign (by its key) that may be taken up now for a channel, over all of its lanes. Absent: any number. */
  ofCampaign?: (campaign: string, channel: string) => number;
  /** Why nothing of a campaign (by its key) may be taken up for a channel now, where that is for no lack of members. Absent: nothing holds it. */
  heldBy?: (channel: string, campaign: string) => Hold | undefined;
}

/** Of a round, for those that go another way: the others go on beside them. */
const lateShare = 0.25;
/** `setTimeout` takes 31 bits of milliseconds. */
const longestTimerMs = 2 ** 31 - 1;

/**
 * Knows for each lane when something is next due: from our own writes, and from one indexed look where it does not know.
 * Nothing is polled: a lane without a due time costs nothing.
 */
export class Schedule {
  private readonly params: ScheduleParams;
  private readonly lanes = new Map<string, LaneState>();
  private readonly shares: LaneShares;
  private readonly detours: Detours;
  private readonly holds: LaneHolds;
  private readonly reader: LaneReader;
  private readonly listeners = new Set<() => void>();
  private cancelTimer: (() => void) | undefined;
  private timerAt = Number.POSITIVE_INFINITY;
  private turn = 0;

  /** Emits when something is due or has to be looked up. Cold; asks for a round, says nothing more. */
  readonly due$: Observable<void> = new Observable((subscriber) => {
    const tell = (): void => subscriber.next();
    this.listeners.add(tell);
    this.arm();
    return () => {
      this.listeners.delete(tell);
      this.cancelTimer?.();
      this.cancelTimer = undefined;
      this.timerAt = Number.POSITIVE_INFINITY;
    };
  });

  constructor(params: ScheduleParams) {
    this.params = params;
    this.detours = new Detours(params);
    this.shares = new LaneShares(params);
    this.holds = new LaneHolds(params.clock);
    this.reader = new LaneReader({
      ...params,
      took: ({ key }, conversations) => this.holds.took(key, conversations),
      ranEmpty: ({ key }) => this.shares.ranEmpty(key),
    });
  }

  /** A run became known or changed: its lanes are those of its flow while it runs or something of it is tried again, none otherwise. */
  setRun({ key, run, contexts, state, replays }: KnownRun): void {
    const wanted =
      (replays ? state !== 'paused' : state === 'running' && !run.settled) && contexts.size > 0
        ? lanesOf(
            run._id,
            [...contexts.values()].map(({ flow }) => flow),
          )
        : new Map<string, Lane>();
    for (const lane of this.lanes.values())
      if (lane.campaign === key && !wanted.has(lane.key)) {
        this.lanes.delete(lane.key);
        this.shares.forget(lane.key);
        this.detours.forget(lane.key);
        this.holds.forget(lane.key);
      }
    for (const [laneId, lane] of wanted) {
      const known = this.lanes.get(laneId);
      if (known) known.weight = weightOf(run.priority);
      else
        this.lanes.set(laneId, {
          key: laneId,
          lane,
          campaign: key,
          weight: weightOf(run.priority),
          due: new DueTimes(),
          // a run that has inserted nothing yet has nothing to look for
          unknown: run.expansion.expanded > 0,
          woken: false,
          from: 0,
          restUntil: 0,
          short: false,
        });
    }
    this.arm();
  }

  /** Conversations were inserted by somebody: the opening lane is due. */
  wake(key: string): void {
    for (const lane of this.lanes.values()) {
      if (!lane.lane.opening || lane.campaign !== key) continue;
      lane.woken = true;
      lane.due.note(this.params.clock.now());
    }
    this.arm();
  }

  /** Partitions were gained, or the schedule may have missed something: every lane is looked at. */
  lookAtAll(): void {
    for (const lane of this.lanes.values()) lane.unknown = true;
    this.arm();
  }

  /** What is due of this campaign waits so long, ms. */
  rest(key: string, ms: number): void {
    const until = this.params.clock.now() + ms;
    for (const lane of this.lanes.values()) if (lane.campaign === key) lane.restUntil = until;
  }

  /** A conversation of ours is due at `at`. */
  notice(lane: Lane, at: number): void {
    this.lanes.get(laneKey(lane))?.due.note(at);
  }

  /** Wakes the pipeline when a lane is due, now or by a timer. Called after each round. */
  arm(): void {
    if (this.listeners.size === 0) return;
    let earliest = Number.POSITIVE_INFINITY;
    const now = this.params.clock.now();
    const mayDecide = this.params.room('-') > 0;
    for (const lane of this.lanes.values()) {
      const next = Math.max(lane.due.next ?? earliest, lane.restUntil);
      if (next <= now) this.params.wanted?.(lane.lane.channel, lane.campaign);
      this.lookAtHold(lane);
      if (next <= now && mayDecide) earliest = Math.min(earliest, this.detours.nextLook(lane));
      if (lane.unknown) earliest = 0;
      // room may be asked for only then
      else if (next < earliest && (next > now || this.room(lane) > 0)) earliest = next;
    }
    if (earliest === this.timerAt && this.cancelTimer !== undefined) return;
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    this.timerAt = earliest;
    if (earliest === Number.POSITIVE_INFINITY) return;
    const ms = Math.min(longestTimerMs, Math.max(0, earliest - now));
    this.cancelTimer = this.params.clock.after(ms, () => {
      this.cancelTimer = undefined;
      this.timerAt = Number.POSITIVE_INFINITY;
      for (const tell of this.listeners) tell();
    });
  }

  /**
   * Conversations that are due, shared out over the lanes by weight, at most `capacity`. `hidden` counts by lane key those
   * that would be found and are not wanted (a row of theirs is in flight); `skip` says which. `planned` counts by channel
   * what else will come in doubt; less than none where answers are recorded with it.
   */
  async take(
    capacity: number,
    hidden: ReadonlyMap<string, number>,
    skip: (id: string) => boolean,
    planned: ReadonlyMap<string, number>,
  ): Promise<Conversation[]> {
    await this.reader.look(this.lanes.values());
    const due = [...this.lanes.values()].filter((lane) => this.isDue(lane));
    const late = await this.detours.takeFrom(due, Math.ceil(capacity * lateShare), skip);
    return [...late, ...(await this.takeDue(capacity - late.length, hidden, skip, planned))];
  }

  private async takeDue(
    capacity: number,
    hidden: ReadonlyMap<string, number>,
    skip: (id: string) => boolean,
    planned: ReadonlyMap<string, number>,
  ): Promise<Conversation[]> {
    const due = this.dueLanes(planned);
    if (capacity <= 0 || due.length === 0) return [];
    // what those leave that get less than their share goes to the others
    const first = due.filter((lane) => lane.short || this.shares.isLimited(lane));
    const second = due.filter((lane) => !first.includes(lane));
    const taken = await this.takeFrom(first, this.shares.of(due, capacity, planned), hidden, skip);
    const left = capacity - taken.length;
    if (second.length === 0 || left <= 0) return taken;
    const beside = new Map(planned);
    for (const { nextChannel = '-' } of taken) beside.set(nextChannel, (beside.get(nextChannel) ?? 0) + 1);
    return [...taken, ...(await this.takeFrom(second, this.shares.of(second, left, beside), hidden, skip))];
  }

  private dueLanes(planned: ReadonlyMap<string, number>): LaneState[] {
    const due = [...this.lanes.values()].filter((lane) => this.isDue(lane) && this.room(lane, planned) > 0);
    if (due.length <= lanesPerLook) return due;
    this.turn = (this.turn + lanesPerLook) % due.length;
    return [...due.slice(this.turn), ...due.slice(0, this.turn)].slice(0, lanesPerLook);
  }

  private async takeFrom(
    lanes: readonly LaneState[],
    shares: ReadonlyMap<string, number>,
    hidden: ReadonlyMap<string, number>,
    skip: (id: string) => boolean,
  ): Promise<Conversation[]> {
    const found = await Promise.all(
      lanes.map((lane) => {
        const share = shares.get(lane.key) ?? 0;
        return share <= 0 ? [] : this.reader.take(lane, share, hidden.get(lane.key) ?? 0, skip);
      }),
    );
    // mixed, so that a round with less room than it read for takes from every lane, not from the first
    return found
      .flatMap((own) => own.map((one, index) => ({ one, rank: (index + 0.5) / own.length })))
      .toSorted((a, b) => a.rank - b.rank)
      .map(({ one }) => one);
  }

  /** See LaneReader. */
  forgotten(skip: (id: string) => boolean): Promise<Map<string, string>> {
    return this.reader.forgotten(this.lanes.values(), skip);
  }

  /** Of `forgotten`. */
  get forgottenTurns(): Turns {
    return this.reader.turns;
  }

  /** The rate that the lane of a conversation stood behind when it was taken. */
  rateBefore(conversation: Conversation): RateWait | undefined {
    return this.holds.rateBefore(conversation);
  }

  /** Lanes with something due, each with since when at the longest, ms since the epoch, and whether more members would not help it; the oldest first. */
  overdue(): { lane: Lane; since: number; isHeld: boolean }[] {
    const due = [...this.lanes.values()].filter((one) => this.isDue(one));
    for (const one of due) this.lookAtHold(one);
    return due
      .map(({ key, lane, due: { next = 0 } }) => ({ lane, since: next, isHeld: this.holds.has(key) }))
      .sort((a, b) => a.since - b.since);
  }

  private lookAtHold(lane: LaneState): void {
    if (this.isDue(lane)) this.holds.look(lane.key, this.params.heldBy?.(lane.lane.channel, lane.campaign));
    else this.holds.forget(lane.key);
  }

  private isDue(lane: LaneState): boolean {
    const { next } = lane.due;
    const now = this.params.clock.now();
    return next !== undefined && next <= now && lane.restUntil <= now;
  }

  private room(lane: LaneState, planned?: ReadonlyMap<string, number>): number {
    return Math.min(this.params.room(lane.lane.channel, planned), this.shares.roomOf(lane));
  }
}
