/** What a report counts, added up page by page in bounded space. */
import { Distribution, type LengthGroup } from './distribution.ts';
import type { Metrics } from './model.ts';
import { printable } from './printable.ts';
import type { Moments, Series } from './timeline.ts';

/** Rows that are the same in all of this. Values are as they are stored, whatever that is. */
export interface RowGroup {
  stage?: unknown;
  variant?: unknown;
  status?: unknown;
  reason?: unknown;
  /** `error.code`. */
  code?: unknown;
  followUp: boolean;
  /** It has `sentAt`. */
  sent: boolean;
  pending: boolean;
  count: number;
}

/** Conversations that are the same in all of this. */
export interface ConversationGroup {
  status?: unknown;
  outcome?: unknown;
  reason?: unknown;
  code?: unknown;
  replied: boolean;
  count: number;
}

/** Conversations that were drawn into a variant at a stage. */
export interface DrawGroup {
  stage: string;
  variant: unknown;
  conversations: number;
  replied: number;
}

/** Sent messages by the time from due to sent, without pauses. */
export interface LatencyGroup extends LengthGroup {
  /** It took more than one try. */
  retried: boolean;
}

/** Messages sent, or first replies, within one fine step (ms since the epoch). */
export interface MomentGroup {
  at: number;
  series: Series;
  count: number;
}

export interface RowPage {
  rows: readonly RowGroup[];
  latencies: readonly LatencyGroup[];
  moments: readonly MomentGroup[];
}

export interface ConversationPage {
  conversations: readonly ConversationGroup[];
  draws: readonly DrawGroup[];
  /** First replies by the time since the last message sent before them. */
  delays: readonly LengthGroup[];
  moments: readonly MomentGroup[];
}

/** A stored value as a word; undefined when it is not set. */
export const word = (value: unknown): string | undefined =>
  value === undefined || value === null ? undefined : typeof value === 'string' ? value : printable(value);

/** Any other stored value than a word that is expected. */
const wordOr = (value: unknown, absent: string): string => word(value) ?? absent;

export interface StageTally {
  sent: number;
  followUps: number;
  failed: number;
  uncertain: number;
  skipped: number;
  waiting: number;
}
export const emptyStage = (): StageTally => ({
  ...{ sent: 0, followUps: 0, failed: 0, uncertain: 0, skipped: 0, waiting: 0 },
});

export interface ErrorTally {
  /** Messages given up, or in doubt, with this error as their last. */
  gaveUp: number;
  /** Messages that wait for another try. */
  waiting: number;
  /** Messages that were sent after it. */
  overcome: number;
  /** Conversations that ended with it, without a message of theirs. */
  conversations: number;
}

const unsent = ['failed', 'uncertain', 'skipped'] as const;
export type Unsent = (typeof unsent)[number];
const isUnsent = (status: unknown): status is Unsent => unsent.some((name) => name === status);

export class ReportTally {
  readonly firstTry = new Distribution();
  readonly retried = new Distribution();
  readonly replyDelay = new Distribution();
  readonly statuses = new Map<string, number>();
  readonly rowStatuses = new Map<string, number>();
  /** By status and outcome, of ended conversations. */
  readonly outcomes = new Map<string, { status: string; outcome: string; count: number }>();
  readonly stages = new Map<string, StageTally & { variants: Map<string, StageTally> }>();
  readonly unsent = new Map<string, { status: Unsent; reason: string | undefined; count: number }>();
  readonly errors = new Map<string, ErrorTally>();
  readonly draws = new Map<string, DrawGroup & { variant: string }>();
  conversations = 0;
  replied = 0;
  rows = 0;
  private readonly times = new Map<number, Record<Series, number>>();
  /** As the counters of the campaign count it, by dotted path: see `Recount`. */
  private readonly paths = new Map<string, number>();

  get moments(): Moments {
    return this.times;
  }

  get figures(): ReadonlyMap<string, number> {
    return this.paths;
  }

  addRows({ rows, latencies, moments }: RowPage): void {
    for (const row of rows) this.row(row);
    for (const { retried, ...length } of latencies) (retried ? this.retried : this.firstTry).add(length);
    this.addMoments(moments);
  }

  addConversations({ conversations, draws, delays, moments }: ConversationPage): void {
    for (const group of conversations) this.conversation(group);
    for (const draw of draws) this.draw(draw);
    for (const length of delays) this.replyDelay.add(length);
    this.addMoments(moments);
  }

  private addMoments(moments: readonly MomentGroup[]): void {
    for (const { at, series, count } of moments) {
      const known = this.times.get(at) ?? { sent: 0, followUps: 0, replied: 0 };
      known[series] += count;
      this.times.set(at, known);
    }
  }

  private conversation(group: ConversationGroup): void {
    const { replied, count } = group;
    const status = wordOr(group.status, 'unknown');
    this.conversations += count;
    if (replied) this.replied += count;
    add(this.statuses, status, count);
    this.path('total', count);
    this.path(status, count);
    if (replied) this.path('replied', count);
    const outcome = word(group.outcome);
    if (status === 'active' || outcome === undefined) return;
    const key = JSON.stringify([status, outcome]);
    this.outcomes.set(key, { status, outcome, count: (this.outcomes.get(key)?.count ?? 0) + count });
    this.path(`outcomes.${outcome}`, count);
    const code = word(group.code);
    // what failed by a message has that message's reason, and its error is counted there
    if (code !== undefined && word(group.reason) === undefined) this.error(code).conversations += count;
  }

  private row(group: RowGroup): void {
    const { followUp, sent, pending, count } = group;
    const stage = wordOr(group.stage, 'unknown');
    const status = wordOr(group.status, 'unknown');
    const reason = word(group.reason);
    this.rows += count;
    add(this.rowStatuses, status, count);
    for (const tally of this.places(stage, word(group.variant))) {
      if (sent) tally.sent += count;
      if (sent && followUp) tally.followUps += count;
      if (isUnsent(status)) tally[status] += count;
      if (pending) tally.waiting += count;
    }
    if (pending) this.path('pending', count);
    if (reason !== undefined) this.path(`reasons.${reason}`, count);
    if (isUnsent(status)) {
      this.path(`messages.${status}`, count);
      const key = JSON.stringify([status, reason]);
      this.unsent.set(key, { status, reason, count: (this.unsent.get(key)?.count ?? 0) + count });
    }
    if (sent) {
      this.path('messages.sent', count);
      this.path(`stages.${stage}.sent`, count);
      if (followUp) this.path('messages.followUps', count);
    }
    const code = word(group.code);
    if (code !== undefined) this.error(code)[pending ? 'waiting' : sent ? 'overcome' : 'gaveUp'] += count;
  }

  private places(id: string, variant: string | undefined): StageTally[] {
    const stage = this.stages.get(id) ?? { ...emptyStage(), variants: new Map<string, StageTally>() };
    this.stages.set(id, stage);
    if (variant === undefined) return [stage];
    const tally = stage.variants.get(variant) ?? emptyStage();
    stage.variants.set(variant, tally);
    return [stage, tally];
  }

  private draw({ stage, conversations, replied, ...group }: DrawGroup): void {
    const variant = wordOr(group.variant, 'none');
    const key = JSON.stringify([stage, variant]);
    const known = this.draws.get(key) ?? { stage, variant, conversations: 0, replied: 0 };
    known.conversations += conversations;
    known.replied += replied;
    this.draws.set(key, known);
  }

  private error(code: string): ErrorTally {
    const known = this.errors.get(code) ?? { gaveUp: 0, waiting: 0, overcome: 0, conversations: 0 };
    this.errors.set(code, known);
    return known;
  }

  private path(path: string, count: number): void {
    add(this.paths, path, count);
  }
}

const add = (counts: Map<string, number>, key: string, count: number): void => {
  counts.set(key, (counts.get(key) ?? 0) + count);
};

/** Happenings that no document keeps, from the counters: raised in the transaction of what happened. */
export const happenings = (metrics: Metrics | undefined, stage: string): { entered: number; replied: number } => {
  const counted = metrics && Object.hasOwn(metrics.stages, stage) ? metrics.stages[stage] : undefined;
  return { entered: counted?.entered ?? 0, replied: counted?.replied ?? 0 };
};
