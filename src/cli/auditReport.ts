/** What an audit has looked at and found so far. */
import type { Claim, Finding, FindingKind, Proof } from '../domain/audit.ts';
import type { Id } from '../domain/model.ts';

/** Looked at again before it counts. */
export interface Suspect {
  campaign: Id;
  /** Absent when the campaign as a whole is suspected. */
  conversation?: string;
  claim: Claim;
  /** Equal as long as nothing of it moved. */
  mark: string;
}

/** So many are looked at again; where more stand still, it is no accident. */
const mostSuspects = 10_000;

export class AuditReport {
  campaigns = 0;
  conversations = 0;
  messages = 0;
  unknown = 0;
  expired = 0;
  /** What could not be proved, and why. */
  readonly notes: string[] = [];
  readonly findings: Finding[] = [];
  readonly byKind = new Map<FindingKind, number>();
  suspects: Suspect[] = [];
  private readonly keepOfKind: number;

  /** @param keepOfKind Findings of a kind that are kept; all are counted. */
  constructor(keepOfKind: number) {
    this.keepOfKind = keepOfKind;
  }

  get found(): number {
    return [...this.byKind.values()].reduce((sum, many) => sum + many, 0);
  }

  add(finding: Finding): void {
    const many = (this.byKind.get(finding.kind) ?? 0) + 1;
    this.byKind.set(finding.kind, many);
    if (many <= this.keepOfKind) this.findings.push(finding);
  }

  proved(campaign: Id, conversation: string, { claims, unknown, expired }: Proof): void {
    this.unknown += unknown;
    this.expired += expired;
    for (const claim of claims) this.add({ campaign, conversation, ...claim });
  }

  suspect(suspect: Suspect): void {
    if (this.suspects.length < mostSuspects) this.suspects.push(suspect);
    else this.add(findingOf(suspect));
  }
}

export const findingOf = ({ campaign, conversation, claim }: Suspect): Finding => ({
  campaign,
  ...(conversation === undefined ? {} : { conversation }),
  ...claim,
});
