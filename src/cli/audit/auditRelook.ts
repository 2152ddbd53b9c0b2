/** The second look: what moved since it was suspected is no finding. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Claim, time } from '../../domain/audit.ts';
import { keyOfAny } from '../../domain/auditPlace.ts';
import { notBegun, runMark, runSuspicions } from '../../domain/auditRun.ts';
import { markOf, type Patience, suspicions } from '../../domain/auditStuck.ts';
import { campaignKey, messageId } from '../../domain/ids.ts';
import type { Id } from '../../domain/model.ts';
import { AuditReader, type CampaignHead } from '../../mongo/auditReader.ts';
import type { Db } from '../../mongo/values.ts';
import { showId } from '../database.ts';
import { Lanes } from './auditLanes.ts';
import { type AuditReport, findingOf, type Suspect, type Waiting } from './auditReport.ts';

/** What stands still is watched for at least so long, ms. */
const leastMs = 5_000;
/** A take-over takes this long beside the lease of who was lost, ms. */
const takeOverMs = 2_000;
const everyMs = 500;
/** Nothing is watched for longer, ms: what would have to be is not proved. */
const mostMs = 60_000;
const pageSize = 1_000;

interface Group {
  campaign: Id;
  own: Suspect[];
}

/** What a suspect is still suspected of. */
interface Standing {
  suspect: Suspect;
  claim: Claim;
  /** ms since the epoch, when it was due. */
  dueAt: number | undefined;
}

/**
 * Looks at all suspects again, all the while; ends early when all of them moved. Who should move them may have been lost just
 * before: they have as long as a take-over takes.
 */
export class Relook {
  private readonly db: Db;
  private readonly report: AuditReport;
  private readonly patience: Patience;
  private readonly watchMs: number;
  private readonly lanes: Lanes;
  private groups: Group[];
  private waiting: readonly Waiting[];

  constructor(params: { db: Db; report: AuditReport; patience: Patience; leaseTtlMs: number }) {
    const { db, report, patience, leaseTtlMs } = params;
    this.db = db;
    this.report = report;
    this.patience = patience;
    this.watchMs = Math.max(leastMs, leaseTtlMs + takeOverMs);
    this.lanes = new Lanes(db, report, patience);
    this.groups = grouped(report.suspects);
    this.waiting = report.waiting;
  }

  /** Reports what stood still. The last look at each begins when its time is over, however many there are. */
  async run(): Promise<void> {
    const began = performance.now();
    while (this.isOpen()) {
      const looked = performance.now();
      await this.look(looked - began);
      if (this.isOpen()) await pause(Math.max(0, looked + everyMs - performance.now()));
    }
    await this.lanes.tell();
  }

  private isOpen(): boolean {
    return this.groups.length > 0 || this.waiting.length > 0;
  }

  private async look(watchedMs: number): Promise<void> {
    const left: Group[] = [];
    for (const { campaign, own } of this.groups) {
      await using reader = await AuditReader.latest(this.db);
      const head = await reader.head(campaign);
      if (head === undefined) continue;
      const standing: Suspect[] = [];
      const over: Suspect[] = [];
      for await (const one of this.standing(reader, head, own)) {
        const isOver = watchedMs >= Math.max(this.watchMs, isProvable(one.suspect) ? (one.suspect.watchMs ?? 0) : 0);
        (isOver ? over : standing).push(one.suspect);
        if (isOver) this.tell(one);
      }
      // after them, so that what was served in between is known to be
      await this.lanes.see(reader.now, campaign, [...standing, ...over]);
      if (standing.length > 0) left.push({ campaign, own: standing });
    }
    this.groups = left;
    this.waiting = await stillWaiting(this.db, this.waiting);
    if (watchedMs < this.watchMs) return;
    for (const { campaign, status } of this.waiting) this.report.add({ campaign, ...notBegun(status) });
    this.waiting = [];
  }

  private tell({ suspect, claim, dueAt }: Standing): void {
    const { campaign, conversation, place } = suspect;
    const finding = findingOf(campaign, conversation, claim);
    if (!isProvable(suspect))
      this.report.unproved(
        `${showId(campaign)}: ${claim.found} while it was watched; whether for as long as --overdue says is not proved`,
      );
    else if (place === undefined) this.report.add(finding);
    else this.lanes.late(campaign, place, finding, dueAt);
  }

  private async *standing(reader: AuditReader, head: CampaignHead, own: readonly Suspect[]): AsyncGenerator<Standing> {
    // the marks of both looks are equal, so what was counted then still holds
    const ofRun = runSuspicions(head, { active: 0, pending: 0 }, this.patience.overdueMs);
    for (const suspect of own) {
      if (suspect.conversation !== undefined || suspect.mark !== runMark(suspect, head)) continue;
      const claim = ofRun.find(({ kind }) => kind === suspect.kind);
      if (claim) yield { suspect, claim, dueAt: undefined };
    }
    const conversations = own.filter(({ conversation }) => conversation !== undefined);
    for (let at = 0; at < conversations.length; at += pageSize)
      yield* await this.still(reader, head, conversations.slice(at, at + pageSize));
  }

  /** The same conversation, suspected of the same, as nobody wrote it since. */
  private async still(reader: AuditReader, head: CampaignHead, suspects: readonly Suspect[]): Promise<Standing[]> {
    const ids = new Set(suspects.flatMap(({ conversation }) => conversation ?? []));
    const found = await reader.byIds([...ids]);
    const rows = await reader.rows(found.map(({ _id, sequence }) => messageId(_id, sequence)));
    const byId = new Map(found.map((conversation) => [conversation._id, conversation]));
    return suspects.flatMap((suspect): Standing[] => {
      const { kind, mark } = suspect;
      const conversation = byId.get(suspect.conversation ?? '');
      if (conversation === undefined || mark !== markOf(conversation)) return [];
      const newest = rows.get(messageId(conversation._id, conversation.sequence));
      const claim = suspicions(conversation, newest, head, this.patience).find((one) => one.kind === kind);
      return claim ? [{ suspect, claim, dueAt: time(conversation.nextActionAt) }] : [];
    });
  }
}

const isProvable = ({ watchMs = 0 }: Suspect): boolean => watchMs <= mostMs;

function grouped(suspects: readonly Suspect[]): Group[] {
  const groups = new Map<string, Group>();
  for (const suspect of suspects) {
    const key = campaignKey(suspect.campaign);
    const known = groups.get(key);
    if (known) known.own.push(suspect);
    else groups.set(key, { campaign: suspect.campaign, own: [suspect] });
  }
  return [...groups.values()];
}

/** Those of which nothing changed: the same status, and still no run. */
async function stillWaiting(db: Db, waiting: readonly Waiting[]): Promise<readonly Waiting[]> {
  const left: Waiting[] = [];
  await using reader = await AuditReader.latest(db);
  for (let at = 0; at < waiting.length; at += pageSize) {
    const page = waiting.slice(at, at + pageSize);
    const found = await reader.withoutRun(page.map(({ campaign }) => campaign));
    const statuses = new Map(found.map(({ _id, status }) => [keyOfAny(_id), status]));
    left.push(...page.filter(({ campaign, status }) => statuses.get(keyOfAny(campaign)) === status));
  }
  return left;
}
