/** What an audit has looked at and found so far. */
import type { Claim, Finding, FindingKind, Proof } from '../../domain/audit.ts';
import type { Id } from '../../domain/model.ts';
import { count, plural } from '../output.ts';

/** The lane of a conversation, beside its campaign, and its partition. */
export interface Place {
  channel: string;
  opening: boolean;
  partition: number;
}

/** Looked at again before it counts. Only what is needed for that is kept: there may be very many. */
export interface Suspect {
  campaign: Id;
  /** Absent when the campaign as a whole is suspected. */
  conversation?: string;
  /** What it is suspected of. */
  kind: FindingKind;
  /** Equal as long as nothing of it moved. */
  mark: string;
  /** Where it is overdue. */
  place?: Place;
  /** ms for which it has to stand still, where that is longer than for others. */
  watchMs?: number;
}

/** A campaign that has to be decided and has no run. */
export interface Waiting {
  campaign: Id;
  status: unknown;
}

export class AuditReport {
  campaigns = 0;
  conversations = 0;
  messages = 0;
  unknown = 0;
  expired = 0;
  /** False: something could not be proved; `notes` say what. */
  complete = true;
  readonly notes: string[] = [];
  readonly findings: Finding[] = [];
  readonly byKind = new Map<FindingKind, number>();
  readonly suspects: Suspect[] = [];
  readonly waiting: Waiting[] = [];
  private clockGapMs = 0;
  private clockGaps = 0;
  private readonly kept = new Map<FindingKind, number>();
  private readonly keepOfKind: number;

  /** @param keepOfKind Findings of a kind that are kept; all are counted. */
  constructor(keepOfKind: number) {
    this.keepOfKind = keepOfKind;
  }

  get found(): number {
    return [...this.byKind.values()].reduce((sum, many) => sum + many, 0);
  }

  add(finding: Finding): void {
    const { kind } = finding;
    this.byKind.set(kind, (this.byKind.get(kind) ?? 0) + 1);
    const kept = this.kept.get(kind) ?? 0;
    if (kept >= this.keepOfKind) return;
    this.kept.set(kind, kept + 1);
    this.findings.push(finding);
  }

  /** All of a kind, some of which are told. */
  addMany(kind: FindingKind, many: number, some: readonly Finding[]): void {
    for (const finding of some) this.add(finding);
    if (many > some.length) this.byKind.set(kind, (this.byKind.get(kind) ?? 0) + many - some.length);
  }

  /** Whether another one would be kept beside so many of its kind. */
  hasRoom(beside: number): boolean {
    return beside < this.keepOfKind;
  }

  /** What stands in the way of a proof. */
  unproved(note: string): void {
    this.complete = false;
    this.notes.push(note);
  }

  proved(campaign: Id, conversation: string, { claims, unknown, expired, clockGapMs }: Proof): void {
    this.unknown += unknown;
    this.expired += expired;
    if (clockGapMs > 0) this.clockGaps += 1;
    this.clockGapMs = Math.max(this.clockGapMs, clockGapMs);
    for (const claim of claims) this.add(findingOf(campaign, conversation, claim));
  }

  /** Says once what is no fault of one campaign. */
  noteClocks(): void {
    if (this.clockGaps > 0)
      this.notes.push(
        `clocks of members are up to ${count(this.clockGapMs)} ms apart, or were set back by it, as the messages of ${plural(this.clockGaps, 'conversation')} show`,
      );
  }
}

export const findingOf = (campaign: Id, conversation: string | undefined, claim: Claim): Finding => ({
  campaign,
  ...(conversation === undefined ? {} : { conversation }),
  ...claim,
});
