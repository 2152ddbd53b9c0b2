/** The report of one campaign: every figure of it, from what was counted in its documents. */
import type { Figures } from './distribution.ts';
import { stagesOf } from './flowVersions.ts';
import type { Id, Metrics, Run } from './model.ts';
import { figuresOf } from './recount.ts';
import { audienceOf, byWords, campaignOf, durationOf, most, optional } from './reportCampaign.ts';
import { emptyStage, happenings, type ReportTally, type StageTally, type Unsent } from './reportTally.ts';
import { type Timeline, timeline } from './timeline.ts';
import { reasonWord } from './words.ts';

/** The campaign and its run as they are stored; the document of a deleted campaign is gone. */
export interface ReportHead {
  id: Id;
  campaign: Record<string, unknown> | undefined;
  run: Partial<Run> | undefined;
  /** Of the counters. */
  metrics: Metrics | undefined;
}

/** How it was read. `snapshot`: all of one moment. `ended`: nothing moves any more. `parts`: over a time in which it ran. */
export type Consistency = 'snapshot' | 'ended' | 'parts';

export interface ReportReading {
  tally: ReportTally;
  /** In which the moments were counted. */
  fineMs: number;
  asOf: Date;
  generatedAt: Date;
  version: string;
  consistency: Consistency;
}

export interface Difference {
  figure: string;
  counted: number;
  told: number;
}

export interface StageLine extends StageTally {
  stage: string;
  type?: string;
  entered: number;
  replied: number;
  /** Of those who entered, 0 to 1. */
  replyRate: number;
  variants: (StageTally & { variant: string })[];
}

export interface Report {
  campaign: {
    id: Id;
    name?: string;
    tenant?: string;
    /** `deleted` when its document is gone. */
    status: string;
    runStatus?: string;
    endReason?: string;
    pausedReason?: string;
    error?: { code: string; message: string; path?: string };
    startAt?: Date;
    endAt?: Date;
    startedAt?: Date;
    completedAt?: Date;
  };
  asOf: Date;
  generatedAt: Date;
  version: string;
  consistency: Consistency;
  /** The counters of the campaign against its documents. Absent without counters, and where it was read in parts. */
  checked?: { figures: number; differences: Difference[] };
  /** From the start to the end, or to now; pauses included, and of these so many ms. Absent before the start. */
  duration?: {
    totalMs: number;
    pausedMs: number;
    pauses: number;
    /** As many pauses as are kept: there may have been older ones, which nothing here knows of. */
    olderPauses?: true;
  };
  audience: { entered: number; leftOut: { reason: string; words: string; count: number }[]; done: boolean };
  conversations: {
    total: number;
    replied: number;
    statuses: { status: string; count: number; share: number }[];
    outcomes: { status: string; outcome: string; count: number; share: number }[];
  };
  messages: StageTally & { total: number; delivered: number; bounced: number };
  /** 0 to 1, not rounded as those in `results` are; of nothing 0. */
  rates: Record<'completed' | 'failed' | 'replied' | 'sent' | 'delivered' | 'bounced', number>;
  funnel: StageLine[];
  splits: { stage: string; variant: string; conversations: number; replied: number; replyRate: number }[];
  timeline?: Timeline;
  /** The same in fewer steps. */
  shortTimeline?: Timeline;
  /** From due to sent, less what lay in a pause. A message that took more than one try is under `retried`. */
  latency: { firstTry?: Figures; retried?: Figures; unknown: number };
  notSent: { status: Unsent; reason?: string; words: string; count: number }[];
  errors: { code: string; gaveUp: number; waiting: number; overcome: number; conversations: number }[];
  /** From the last message that was sent before the first reply, to that reply. */
  replies: { count: number; delay?: Figures; unknown: number };
}

const mostBuckets = 60;
const fewBuckets = 20;

/** 0 to 1, not rounded: only what is nothing is 0, only what is all is 1. Of nothing 0. */
const share = (part: number, whole: number): number => (whole > 0 ? part / whole : 0);

export function report(head: ReportHead, reading: ReportReading): Report {
  const { tally, asOf, generatedAt, version, consistency, fineMs } = reading;
  const { metrics, run } = head;
  const checked = consistency === 'parts' ? undefined : check(metrics, tally);
  const messages = messagesOf(tally);
  return {
    campaign: campaignOf(head),
    ...{ asOf, generatedAt, version, consistency },
    ...optional({ checked, duration: durationOf(run, asOf) }),
    audience: audienceOf(run),
    conversations: conversationsOf(tally),
    messages,
    rates: ratesOf(tally, messages),
    funnel: funnelOf(run, metrics, tally),
    splits: splitsOf(tally),
    ...optional({
      timeline: timeline(tally.moments, fineMs, mostBuckets),
      shortTimeline: timeline(tally.moments, fineMs, fewBuckets),
    }),
    latency: latencyOf(tally, messages.sent),
    notSent: [...tally.unsent.values()].toSorted(most).map(({ status, reason, count }) => ({
      status,
      ...optional({ reason }),
      words: reason === undefined ? 'no reason was recorded' : reasonWord(reason),
      count,
    })),
    errors: [...tally.errors].map(([code, counts]) => ({ code, ...counts })).toSorted(worst),
    replies: repliesOf(tally),
  };
}

const worst = (a: Report['errors'][number], b: Report['errors'][number]): number =>
  b.gaveUp - a.gaveUp || b.conversations - a.conversations || b.overcome - a.overcome || byWords(a, b);

const statusOrder = ['completed', 'escalated', 'suppressed', 'failed', 'cancelled', 'active'];

function conversationsOf({ conversations: total, replied, statuses, outcomes }: ReportTally): Report['conversations'] {
  const place = (status: string): number => statusOrder.indexOf(status);
  return {
    total,
    replied,
    statuses: [...statuses]
      .map(([status, count]) => ({ status, count, share: share(count, total) }))
      .toSorted((a, b) => place(a.status) - place(b.status) || most(a, b)),
    outcomes: [...outcomes.values()]
      .map((outcome) => ({ ...outcome, share: share(outcome.count, total) }))
      .toSorted((a, b) => place(a.status) - place(b.status) || most(a, b)),
  };
}

function messagesOf({ rows: total, rowStatuses, stages }: ReportTally): Report['messages'] {
  const sum = emptyStage();
  for (const stage of stages.values())
    for (const name of Object.keys(sum) as (keyof StageTally)[]) sum[name] += stage[name];
  return { total, ...sum, delivered: rowStatuses.get('delivered') ?? 0, bounced: rowStatuses.get('bounced') ?? 0 };
}

function ratesOf(tally: ReportTally, messages: Report['messages']): Report['rates'] {
  const of = (status: string): number => share(tally.statuses.get(status) ?? 0, tally.conversations);
  const { sent, failed, uncertain, delivered, bounced } = messages;
  return {
    completed: of('completed'),
    failed: of('failed'),
    replied: share(tally.replied, tally.conversations),
    sent: share(sent, sent + failed + uncertain),
    delivered: share(delivered, sent),
    bounced: share(bounced, sent),
  };
}

/** In the order of the flow; then stages that the documents name and the flow does not. */
function funnelOf(run: ReportHead['run'], metrics: Metrics | undefined, { stages }: ReportTally): StageLine[] {
  const planned: { id: string; type?: string }[] = run?.flow ? stagesOf({ ...run, flow: run.flow }) : [];
  const known = new Set(planned.map(({ id }) => id));
  const others = [...new Set([...stages.keys(), ...Object.keys(metrics?.stages ?? {})])].filter((id) => !known.has(id));
  return [...planned, ...others.map((id): (typeof planned)[number] => ({ id }))].map(({ id, type }) => {
    const { variants = new Map<string, StageTally>(), ...counts } = stages.get(id) ?? emptyStageLine();
    const { entered, replied } = happenings(metrics, id);
    return {
      stage: id,
      ...optional({ type }),
      ...counts,
      ...{ entered, replied, replyRate: share(replied, entered) },
      variants: [...variants].map(([variant, tally]) => ({ variant, ...tally })).toSorted(byWords),
    };
  });
}

const emptyStageLine = (): StageTally & { variants?: Map<string, StageTally> } => emptyStage();

const splitsOf = ({ draws }: ReportTally): Report['splits'] =>
  [...draws.values()]
    .map(({ stage, variant, conversations, replied }) => ({
      ...{ stage, variant, conversations, replied },
      replyRate: share(replied, conversations),
    }))
    .toSorted(byWords);

function latencyOf({ firstTry, retried }: ReportTally, sent: number): Report['latency'] {
  const first = firstTry.figures();
  const later = retried.figures();
  const known = (first?.count ?? 0) + (later?.count ?? 0);
  return { ...optional({ firstTry: first, retried: later }), unknown: Math.max(0, sent - known) };
}

function repliesOf({ replied, replyDelay }: ReportTally): Report['replies'] {
  const delay = replyDelay.figures();
  return { count: replied, ...optional({ delay }), unknown: Math.max(0, replied - (delay?.count ?? 0)) };
}

/** The counters were read at the same moment as the documents: they say the same, or something was written behind the service's back. */
function check(metrics: Metrics | undefined, { figures }: ReportTally): Report['checked'] {
  if (metrics === undefined) return undefined;
  const told = figuresOf(metrics);
  const names = new Set([...told.keys(), ...figures.keys()]);
  names.delete('pending');
  const differences = [...names].flatMap((figure): Difference[] => {
    const difference = { figure, counted: figures.get(figure) ?? 0, told: told.get(figure) ?? 0 };
    return difference.counted === difference.told ? [] : [difference];
  });
  return { figures: names.size, differences };
}
