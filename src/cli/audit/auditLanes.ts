/** Lanes with something overdue: where they are served during the second look they are behind, and that is no finding. */
import { LaneWatch } from '../../domain/auditLanes.ts';
import type { Patience } from '../../domain/auditStuck.ts';
import type { Finding } from '../../domain/findings.ts';
import { campaignKey } from '../../domain/ids.ts';
import type { ChannelState, Id } from '../../domain/model.ts';
import { rateOfCampaign } from '../../domain/ratePorts.ts';
import { circuitWords } from '../../domain/storyWhy.ts';
import { LaneReader } from '../../mongo/laneReader.ts';
import type { Db } from '../../mongo/values.ts';
import { showId } from '../database.ts';
import { plural, safe } from '../output.ts';
import type { AuditReport, Place, Suspect } from './auditReport.ts';

/** What is overdue in one partition of a lane. */
interface Late {
  many: number;
  /** Some of them. */
  findings: Finding[];
  /** ms since the epoch: the earliest of their due times. */
  since: number;
}

interface WatchedLane {
  campaign: Id;
  channel: string;
  watch: LaneWatch;
  /** By partition. */
  late: Map<number, Late>;
}

/** What is told of a campaign on a channel, all partitions taken together. */
interface Told {
  campaign: Id;
  channel: string;
  many: number;
  since: number;
  /** Why nothing leaves on the channel. */
  circuit?: ChannelState;
}

export class Lanes {
  private readonly lanes = new Map<string, WatchedLane>();
  private readonly reader: LaneReader;
  private readonly report: AuditReport;
  private readonly patience: Patience;
  /** By owner and channel: that it was left alone while this was watched. */
  private readonly resting = new Map<string, ChannelState>();
  /** By channel, or id of the limit of a campaign: messages a second, where its rate was used up while this was watched. */
  private readonly rates = new Map<string, number>();
  /** ms since the epoch, the last look. */
  private now = 0;

  constructor(db: Db, report: AuditReport, patience: Patience) {
    this.reader = new LaneReader(db);
    this.report = report;
    this.patience = patience;
  }

  /** Looks at what is next due in the lanes of these suspects. @param now ms since the epoch. */
  async see(now: number, campaignId: Id, suspects: readonly Suspect[]): Promise<void> {
    const { reader } = this;
    this.now = now;
    const places = new Map(suspects.flatMap(({ place }) => (place ? [[laneKey(campaignId, place), place]] : [])));
    if (places.size === 0) return;
    const owners = await reader.owners();
    for (const [owner, states] of await reader.channelStates())
      for (const [channel, state] of Object.entries(states)) this.resting.set(`${owner} ${channel}`, state);
    for (const [channel, perSecond] of await reader.usedUp(now)) this.rates.set(channel, perSecond);
    for (const place of places.values()) {
      const { channel, opening } = place;
      const heads = await reader.heads({ campaignId, channel, opening }, [...owners.keys()]);
      const { watch } = this.lane(campaignId, place);
      watch.see(heads, await reader.standings(watch.ids), owners, now);
    }
  }

  /** A conversation that stood still. */
  late(campaign: Id, place: Place, finding: Finding, dueAt = 0): void {
    const { late } = this.lane(campaign, place);
    const own = late.get(place.partition) ?? { many: 0, findings: [], since: Number.POSITIVE_INFINITY };
    late.set(place.partition, own);
    own.many += 1;
    own.since = Math.min(own.since, dueAt);
    // whether they are findings is not known yet: what is behind elsewhere must take no room from them
    if (this.report.hasRoom(own.findings.length)) own.findings.push(finding);
  }

  /** Once all have been looked at. */
  async tell(): Promise<void> {
    const [behind, open, resting] = [new Map<string, Told>(), new Map<string, Told>(), new Map<string, Told>()];
    const busy = new Map<string, Promise<boolean>>();
    for (const { campaign, channel, watch, late } of this.lanes.values())
      for (const [partition, { many, findings, since }] of late) {
        const service = watch.of(partition);
        const circuit = this.resting.get(`${watch.ownerOf(partition)?.owner} ${channel}`);
        if (service !== 'served' && circuit) add(resting, { campaign, channel, many, since, circuit });
        else if (service === 'served' || (service === 'still' && this.rateOf(campaign, channel)))
          add(behind, { campaign, channel, many, since });
        else if (service === 'still' && (await this.isBusy(watch, channel, partition, busy)))
          add(open, { campaign, channel, many, since });
        else this.report.addMany('overdue', many, findings);
      }
    for (const told of behind.values())
      this.report.notes.push(`${words(told)}; ${this.rateOf(told.campaign, told.channel) ?? 'it moves'}`);
    for (const told of resting.values())
      if (told.circuit)
        this.report.notes.push(`${words(told)}; it is left alone: ${safe(circuitWords(told.channel, told.circuit))}`);
    for (const told of open.values())
      this.report.unproved(`${words(told)}; its turn has not come while it was watched, and messages are on their way`);
  }

  private rateOf(campaign: Id, channel: string): string | undefined {
    const words = (whose: string, perSecond: number): string =>
      `the rate of its ${whose} is used up (${Number(perSecond.toPrecision(6))} a second)`;
    const [own, ofChannel] = [this.rates.get(rateOfCampaign(campaign)), this.rates.get(channel)];
    if (own !== undefined) return words('campaign', own);
    return ofChannel === undefined ? undefined : words('channel', ofChannel);
  }

  /** Whether the owner waits for answers on the channel: it may have no room for more. */
  private isBusy(
    watch: LaneWatch,
    channel: string,
    partition: number,
    known: Map<string, Promise<boolean>>,
  ): Promise<boolean> {
    const owned = watch.ownerOf(partition);
    if (owned === undefined) return Promise.resolve(false);
    const key = `${owned.owner} ${channel}`;
    const since = new Date(this.now - this.patience.answerMs);
    const answer = known.get(key) ?? this.reader.isOnItsWay(channel, owned.partitions, since);
    known.set(key, answer);
    return answer;
  }

  private lane(campaign: Id, place: Place): WatchedLane {
    const key = laneKey(campaign, place);
    const known = this.lanes.get(key);
    if (known) return known;
    const lane: WatchedLane = { campaign, channel: place.channel, watch: new LaneWatch(), late: new Map() };
    this.lanes.set(key, lane);
    return lane;
  }
}

const laneKey = (campaign: Id, { channel, opening }: Place): string => `${campaignKey(campaign)} ${opening} ${channel}`;

function add(all: Map<string, Told>, { many, since, ...told }: Told): void {
  const { campaign, channel } = told;
  const key = `${campaignKey(campaign)} ${channel}`;
  const before = all.get(key) ?? { many: 0, since: Number.POSITIVE_INFINITY };
  all.set(key, { ...told, many: before.many + many, since: Math.min(before.since, since) });
}

const words = ({ campaign, channel, many, since }: Told): string =>
  `${showId(campaign)} is behind on channel ${safe(channel)}: ${plural(many, 'conversation')}, since ${new Date(since).toISOString()}`;
