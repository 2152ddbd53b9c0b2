/** Audits one campaign, page by page, inside one snapshot as long as that lives. */
import {
  type AuditedConversation,
  type AuditedRow,
  type Claim,
  type FindingKind,
  instant,
  isExpired,
  isSequence,
  proveConversation,
  time,
} from '../../domain/audit.ts';
import { runMark, runSuspicions, watchedMs } from '../../domain/auditRun.ts';
import { markOf, type Patience, suspicions } from '../../domain/auditStuck.ts';
import { messageId } from '../../domain/ids.ts';
import type { Id } from '../../domain/model.ts';
import { compare, figuresOf, Recount, storedFigures } from '../../domain/recount.ts';
import { AuditReader, type CampaignHead, isSnapshotGone } from '../../mongo/auditReader.ts';
import type { Db, MongoClient } from '../../mongo/values.ts';
import { showId } from '../database.ts';
import { plural } from '../output.ts';
import { orphans } from './auditOrphans.ts';
import { type AuditReport, findingOf } from './auditReport.ts';

export interface CampaignAuditParams {
  client: MongoClient;
  db: Db;
  campaignId: Id;
  partitions: number;
  patience: Patience;
  report: AuditReport;
  /** Called after each page. */
  onPage: () => void;
}

/** Conversations of a page, rows of a page. */
const pageSize = 1_000;

export class CampaignAudit {
  private readonly params: CampaignAuditParams;
  private readonly recount = new Recount();
  /** The last conversation that was looked at. */
  private after: string | undefined;
  /** A later part sees a later time: sums over all of them prove nothing. */
  private inParts = false;
  private expired = 0;
  private lateUnproved = 0;
  constructor(params: CampaignAuditParams) {
    this.params = params;
  }

  /** Goes on in another snapshot where one has grown too old. False when there is no run of that id any more. */
  async run(): Promise<boolean> {
    for (;;) {
      const { client, db } = this.params;
      const before = this.after;
      await using reader = await AuditReader.snapshot(client, db);
      try {
        return await this.part(reader);
      } catch (error) {
        if (!isSnapshotGone(error) || (this.inParts && this.after === before)) throw error;
        this.inParts = true;
      }
    }
  }

  private async part(reader: AuditReader): Promise<boolean> {
    const { campaignId, report } = this.params;
    const head = await reader.head(campaignId);
    if (head === undefined) return false;
    const { metrics, pending } = await reader.counters(campaignId);
    await this.conversations(reader, head);
    this.noteLate(head);
    if (this.inParts) {
      this.suspectRun(head, undefined);
      report.unproved(
        `${showId(campaignId)} was read in parts, for one snapshot lives 5 minutes: counts are not proved`,
      );
      return true;
    }
    await this.orphans(reader, head);
    this.totals(head, new Map([...figuresOf(metrics), ['pending', pending]]));
    return true;
  }

  /** The next page is read beside the rows of this one. */
  private async conversations(reader: AuditReader, head: CampaignHead): Promise<void> {
    const { campaignId, onPage } = this.params;
    let page = await reader.conversations(campaignId, this.after, pageSize);
    while (page.length > 0) {
      const last = page.at(-1)?._id;
      const more = page.length < pageSize ? [] : reader.conversations(campaignId, last, pageSize);
      const [rows, following] = await Promise.all([reader.rows(messagesOf(page)), more]);
      for (const conversation of page) this.look(conversation, rows, head);
      this.count(page, rows.values());
      this.after = last;
      onPage();
      page = following;
    }
  }

  private noteLate({ run: { schedule } }: CampaignHead): void {
    const { campaignId, report } = this.params;
    if (this.lateUnproved === 0) return;
    const many = plural(this.lateUnproved, 'message');
    report.unproved(
      `${showId(campaignId)}: ${many} left after its end, ${instant(schedule?.endAt)}, and not after that was taken in: whether their senders knew of it is not proved`,
    );
  }

  private count(page: readonly AuditedConversation[], rows: Iterable<AuditedRow>): void {
    const { report } = this.params;
    const before = this.recount.rows;
    for (const conversation of page) this.recount.conversation(conversation);
    for (const row of rows) this.recount.row(row);
    report.conversations += page.length;
    report.messages += this.recount.rows - before;
  }

  private look(conversation: AuditedConversation, rows: ReadonlyMap<string, AuditedRow>, head: CampaignHead): void {
    const { campaignId: campaign, partitions, patience, report } = this.params;
    const { _id, sequence, nextChannel, opening, partition } = conversation;
    const proof = proveConversation(conversation, rows, this.proofContext(head, partitions));
    report.proved(campaign, _id, proof);
    this.expired += proof.expired;
    this.lateUnproved += proof.lateUnproved;
    const newest = isSequence(sequence) ? rows.get(messageId(_id, sequence)) : undefined;
    const mark = markOf(conversation);
    for (const { kind } of suspicions(conversation, newest, head, patience)) {
      const place = { channel: nextChannel ?? '-', opening: opening === true, partition };
      report.suspects.push({ campaign, conversation: _id, kind, mark, ...(kind === 'overdue' ? { place } : {}) });
    }
  }

  /** Listed only when there are more rows than conversations have messages. */
  private async orphans(reader: AuditReader, head: CampaignHead): Promise<void> {
    const { campaignId, partitions, report } = this.params;
    if ((await reader.countRows(campaignId)) <= this.recount.rows) return;
    for await (const { row, conversation, claim } of orphans(reader, campaignId)) {
      this.recount.row(row);
      report.messages += 1;
      if (isExpired(row, this.proofContext(head, partitions))) {
        report.expired += 1;
        this.expired += 1;
      } else report.add(findingOf(campaignId, conversation, claim));
    }
  }

  private suspectRun(head: CampaignHead, left: Recount | undefined): void {
    const { campaignId: campaign, patience, report } = this.params;
    const watch = (kind: FindingKind) => ({ watchMs: watchedMs(kind, head, patience.overdueMs) });
    for (const { kind } of runSuspicions(head, left, patience.overdueMs))
      report.suspects.push({ campaign, kind, mark: runMark({ kind }, head), ...watch(kind) });
  }

  private totals(head: CampaignHead, counters: ReadonlyMap<string, number>): void {
    const { campaignId, report } = this.params;
    this.suspectRun(head, this.recount);
    if (this.expired > 0) {
      report.unproved(`${showId(campaignId)} has expired documents: its counts cannot be proved any more`);
      return;
    }
    for (const claim of this.countClaims(head, counters)) report.add(findingOf(campaignId, undefined, claim));
  }

  private countClaims({ run, campaign }: CampaignHead, counters: ReadonlyMap<string, number>): Claim[] {
    const { figures, conversations } = this.recount;
    const { expanded } = run.expansion;
    const expansion: Claim[] =
      expanded === conversations
        ? []
        : [
            {
              kind: 'count_wrong',
              found: `run: expansion.expanded ${expanded}`,
              expected: `${conversations}, counted from the documents`,
            },
          ];
    return [
      ...expansion,
      ...compare('count_wrong', 'counters', counters, figures),
      ...(run.settled ? compare('metrics_wrong', 'run', storedFigures(run.metrics), figures) : []),
      ...(run.settled && campaign?.hasResults && campaign.metrics !== undefined
        ? compare('metrics_wrong', 'campaign', storedFigures(campaign.metrics), figures)
        : []),
    ];
  }

  private proofContext({ run, now }: CampaignHead, partitions: number) {
    const { settled, schedule, endTakenInAt } = run;
    return { partitions, settled, endAt: time(schedule?.endAt), endTakenInAt: time(endTakenInAt), now };
  }
}

const messagesOf = (page: readonly AuditedConversation[]): string[] =>
  page.flatMap(({ _id, sequence }) =>
    isSequence(sequence) ? Array.from({ length: sequence }, (_, n) => messageId(_id, n + 1)) : [],
  );
