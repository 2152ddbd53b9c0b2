/** Lanes with something overdue: one that moves during the second look is behind, and that is no finding. */
import { sentByChannel } from '../domain/auditLanes.ts';
import type { Finding } from '../domain/findings.ts';
import { campaignKey } from '../domain/ids.ts';
import type { Id } from '../domain/model.ts';
import type { AuditReader, CampaignHead } from '../mongo/auditReader.ts';
import type { AuditReport, Suspect } from './auditReport.ts';
import { showId } from './database.ts';
import { plural, safe } from './output.ts';

/** A campaign on one channel. */
interface Lane {
  campaign: Id;
  channel: string;
  /** One of its conversations was written since it was suspected, or a message left on its channel. */
  moves: boolean;
  /** Messages sent, when they were first counted. */
  sent?: number;
  /** Conversations that are overdue, and some of them. */
  many: number;
  findings: Finding[];
  /** ms since the epoch: the earliest of their due times. */
  since: number;
}

export class Lanes {
  private readonly lanes = new Map<string, Lane>();
  private readonly report: AuditReport;
  private kept = 0;

  constructor(report: AuditReport) {
    this.report = report;
  }

  moved(campaign: Id, channel: string): void {
    this.lane(campaign, channel).moves = true;
  }

  /** Compares what was sent on the channels of overdue conversations with what had been sent at the first call. */
  async sent(reader: AuditReader, { run }: CampaignHead, campaign: Id, suspects: readonly Suspect[]): Promise<void> {
    const channels = new Set(suspects.flatMap(({ channel }) => channel ?? []));
    if (channels.size === 0) return;
    const { metrics } = await reader.counters(campaign);
    const sent = sentByChannel(metrics, run.flow);
    for (const channel of channels) {
      const lane = this.lane(campaign, channel);
      const now = sent.get(channel) ?? 0;
      if (lane.sent !== undefined && now !== lane.sent) lane.moves = true;
      lane.sent ??= now;
    }
  }

  /** A conversation that stood still. */
  late(campaign: Id, channel: string, finding: Finding, dueAt = 0): void {
    const lane = this.lane(campaign, channel);
    lane.many += 1;
    lane.since = Math.min(lane.since, dueAt);
    if (!this.report.hasRoom(finding.kind, this.kept)) return;
    this.kept += 1;
    lane.findings.push(finding);
  }

  /** Once all have been looked at. */
  tell(): void {
    for (const { campaign, channel, moves, many, findings, since } of this.lanes.values()) {
      if (many === 0) continue;
      if (moves)
        this.report.notes.push(
          `${showId(campaign)} is behind on channel ${safe(channel)}: ${plural(many, 'conversation')}, since ${new Date(since).toISOString()}; it moves`,
        );
      else this.report.addMany('overdue', many, findings);
    }
  }

  private lane(campaign: Id, channel: string): Lane {
    const key = `${campaignKey(campaign)} ${channel}`;
    const known = this.lanes.get(key);
    if (known) return known;
    const lane: Lane = { campaign, channel, moves: false, many: 0, findings: [], since: Number.POSITIVE_INFINITY };
    this.lanes.set(key, lane);
    return lane;
  }
}
