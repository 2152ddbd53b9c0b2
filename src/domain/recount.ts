/** What the counters of a campaign must say, counted from its documents. */
import type { AuditedConversation, AuditedRow, Claim } from './audit.ts';
import { foldCounters } from './metrics.ts';
import type { Metrics } from './model.ts';

/** By the dotted path of the counter. */
export type Figures = ReadonlyMap<string, number>;

/**
 * Counters that equal a count of documents by construction, for each is raised in the transaction that writes what is counted:
 * conversations by status, outcome and reply; rows by status, reason and stage. What counts happenings cannot be recounted:
 * `stages.<id>.entered` and `.replied` (a history is bounded, and a stage may be entered twice), `messages.delivered` and
 * `.bounced` (rows that ever were).
 */
export class Recount {
  conversations = 0;
  rows = 0;
  private readonly counts = new Map<string, number>();

  get figures(): Figures {
    return this.counts;
  }

  get active(): number {
    return this.counts.get('active') ?? 0;
  }

  get pending(): number {
    return this.counts.get('pending') ?? 0;
  }

  conversation({ status, outcome, repliedAt }: AuditedConversation): void {
    this.conversations += 1;
    this.count('total');
    this.count(status);
    if (status !== 'active' && outcome !== undefined) this.count(`outcomes.${outcome}`);
    if (repliedAt !== undefined) this.count('replied');
  }

  row({ status, reason, pending, sentAt, stage, step }: AuditedRow): void {
    this.rows += 1;
    if (pending === true) this.count('pending');
    if (reason !== undefined) this.count(`reasons.${reason}`);
    if (status === 'failed' || status === 'uncertain' || status === 'skipped') this.count(`messages.${status}`);
    if (sentAt === undefined) return;
    this.count('messages.sent');
    this.count(`stages.${stage}.sent`);
    if (step > 0) this.count('messages.followUps');
  }

  private count(path: string): void {
    this.counts.set(path, (this.counts.get(path) ?? 0) + 1);
  }
}

const statuses = ['total', 'active', 'completed', 'escalated', 'failed', 'suppressed', 'cancelled', 'replied'] as const;
const ofMessages = ['sent', 'failed', 'uncertain', 'skipped', 'followUps'] as const;

/** The figures of `metrics`, as far as they can be recounted. */
export function figuresOf(metrics: Metrics): Map<string, number> {
  return new Map([
    ...statuses.map((name) => [name, metrics[name]] as const),
    ...ofMessages.map((name) => [`messages.${name}`, metrics.messages[name]] as const),
    ...Object.entries(metrics.stages).map(([id, { sent }]) => [`stages.${id}.sent`, sent] as const),
    ...Object.entries(metrics.outcomes).map(([word, many]) => [`outcomes.${word}`, many] as const),
    ...Object.entries(metrics.reasons).map(([word, many]) => [`reasons.${word}`, many] as const),
  ]);
}

/** The figures of a stored `metrics`, whatever is stored there. */
export const storedFigures = (metrics: unknown): Map<string, number> =>
  figuresOf(foldCounters([{ counts: metrics }], new Date(0)).metrics);

/** One claim for each figure that differs; `pending` is compared only where it is told. */
export function compare(
  kind: 'count_wrong' | 'metrics_wrong',
  where: string,
  told: Figures,
  counted: Figures,
): Claim[] {
  const paths = new Set([...told.keys(), ...counted.keys()]);
  if (!told.has('pending')) paths.delete('pending');
  return [...paths].flatMap((path): Claim[] => {
    const found = told.get(path) ?? 0;
    const expected = counted.get(path) ?? 0;
    return found === expected
      ? []
      : [{ kind, found: `${where}: ${path} ${found}`, expected: `${expected}, counted from the documents` }];
  });
}
