import { DeficitRoundRobin } from '../src/domain/fairness.ts';
import type { Lane } from '../src/domain/model.ts';

/** What has to be known of a lane to give it its share. */
export interface Sharer {
  readonly key: string;
  readonly lane: Lane;
  /** Key of its campaign. */
  readonly campaign: string;
  weight: number;
}

export interface LaneSharesParams {
  /** See ScheduleParams. */
  room: (channel: string, planned?: ReadonlyMap<string, number>) => number;
  ofCampaign?: (campaign: string, channel: string) => number;
}

/** Shares a round out over the lanes that are due: by weight, within the room of channels and the rates of campaigns. */
export class LaneShares {
  private readonly params: LaneSharesParams;
  private readonly robin = new DeficitRoundRobin();

  constructor(params: LaneSharesParams) {
    this.params = params;
  }

  /** By key of the lane; no more on a channel than it has room for beside what is `planned`. */
  of(lanes: readonly Sharer[], capacity: number, planned: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
    const members = lanes.map(({ key, weight, lane }) => ({ key, weight, group: lane.channel }));
    const shares = this.robin.sharesInGroups(members, capacity, (channel) => this.params.room(channel, planned));
    const limited = this.limited(lanes);
    return limited.size === 0 ? shares : this.withinRates(limited, shares);
  }

  isLimited(lane: Sharer): boolean {
    return this.roomOf(lane) < Number.POSITIVE_INFINITY;
  }

  /** What its campaign may have on its channel, over all of its lanes. */
  roomOf({ campaign, lane }: Sharer): number {
    return this.params.ofCampaign?.(campaign, lane.channel) ?? Number.POSITIVE_INFINITY;
  }

  /** A lane that had nothing more keeps no credit. */
  ranEmpty(key: string): void {
    this.robin.forget(key);
  }

  /** A lane is no more. */
  forget(key: string): void {
    for (const one of [key, slots(key), `group ${slots(key)}`]) this.robin.forget(one);
  }

  private limited(lanes: readonly Sharer[]): Map<string, Sharer[]> {
    const limited = new Map<string, Sharer[]>();
    for (const lane of lanes)
      if (this.isLimited(lane)) limited.set(lane.campaign, [...(limited.get(lane.campaign) ?? []), lane]);
    return limited;
  }

  /** No more of a campaign than its rate has slots for; what some may not use goes to others that have slots for more. */
  private withinRates(
    limited: ReadonlyMap<string, readonly Sharer[]>,
    shares: Map<string, number>,
  ): ReadonlyMap<string, number> {
    /** By channel. */
    const spare = new Map<string, number>();
    const content: (readonly Sharer[])[] = [];
    for (const own of limited.values()) {
      const room = Math.max(...own.map((lane) => this.roomOf(lane)));
      if (sum(own, shares) <= room) content.push(own);
      else this.cut(own, room, shares, spare);
    }
    for (const own of content) {
      let room = Math.max(...own.map((lane) => this.roomOf(lane))) - sum(own, shares);
      for (const { key, lane } of own) {
        const more = Math.max(0, Math.min(room, spare.get(lane.channel) ?? 0));
        room -= more;
        add(spare, lane.channel, -more);
        add(shares, key, more);
      }
    }
    return shares;
  }

  /** Each lane has its part, so that what opens conversations does not keep others from going on. */
  private cut(own: readonly Sharer[], room: number, shares: Map<string, number>, spare: Map<string, number>): void {
    const asked = new Map(own.map(({ key }) => [slots(key), shares.get(key) ?? 0]));
    const members = own.map(({ key, weight }) => ({ key: slots(key), weight, group: slots(key) }));
    const within = this.robin.sharesInGroups(members, room, (group) => asked.get(group) ?? 0);
    for (const { key, lane } of own) {
      const share = within.get(slots(key)) ?? 0;
      add(spare, lane.channel, (shares.get(key) ?? 0) - share);
      shares.set(key, share);
    }
  }
}

const slots = (key: string): string => `slots ${key}`;
const add = (counts: Map<string, number>, key: string, count: number): void =>
  void counts.set(key, (counts.get(key) ?? 0) + count);
const sum = (lanes: readonly Sharer[], shares: ReadonlyMap<string, number>): number =>
  lanes.reduce((all, { key }) => all + (shares.get(key) ?? 0), 0);
