/** What the demo reads from the database: a look every half second, and the reckoning at the end. */
import { conversationRange } from '../../domain/ids.ts';
import type { Message } from '../../domain/model.ts';
import type { Collections } from '../../mongo/collections.ts';
import type { Delivery, Provider } from './demoProvider.ts';
import type { Replies } from './demoReplies.ts';
import { campaignId } from './demoScenario.ts';

export interface Snapshot {
  elapsedMs: number;
  /** Of the campaign document. */
  status: string;
  errorText?: string;
  contacts: number;
  statuses: Record<string, number>;
  /** Active conversations by stage. */
  stages: Record<string, number>;
  /** Messages waiting for another try. */
  retrying: number;
  accepted: number;
  /** Messages a second that the provider accepted since the last look. */
  rate: number;
  unavailable: number;
  refused: number;
  down: boolean;
  replies: number;
  /** Partitions of each member. */
  partitions: number[];
}

const range = (): { $gte: string; $lt: string } => {
  const { from, to } = conversationRange(campaignId);
  return { $gte: from, $lt: to };
};

export async function look(
  stored: Collections,
  parts: { provider: Provider; replies: Replies; contacts: number; startedAt: number },
  last: Snapshot | undefined,
): Promise<Snapshot> {
  const [campaign, groups, owners] = await Promise.all([
    stored.campaigns.findOne({ _id: campaignId }, { projection: { status: 1, error: 1 } }),
    stored.conversations
      .aggregate<{ _id: { status: string; stage: string }; count: number; retrying: number }>([
        { $match: { _id: range() } },
        {
          $group: {
            _id: { status: '$status', stage: '$stage' },
            count: { $sum: 1 },
            retrying: { $sum: { $cond: [{ $eq: ['$delayed', 'retry'] }, 1, 0] } },
          },
        },
      ])
      .toArray(),
    stored.partitions
      .aggregate<{ count: number }>([
        { $match: { owner: { $exists: true } } },
        { $group: { _id: '$owner', count: { $sum: 1 } } },
        { $sort: { _id: 1 } },
      ])
      .toArray(),
  ]);
  const statuses: Record<string, number> = {};
  const stages: Record<string, number> = {};
  for (const { _id, count } of groups) {
    statuses[_id.status] = (statuses[_id.status] ?? 0) + count;
    if (_id.status === 'active') stages[_id.stage] = (stages[_id.stage] ?? 0) + count;
  }
  const { provider, replies } = parts;
  const elapsedMs = performance.now() - parts.startedAt;
  const { accepted, unavailable, refused } = provider.totals;
  const seconds = (elapsedMs - (last?.elapsedMs ?? 0)) / 1000;
  const error = campaign?.error;
  return {
    elapsedMs,
    status: String(campaign?.status ?? 'missing'),
    ...(error ? { errorText: `${error.path ? `${error.path}: ` : ''}${error.message}` } : {}),
    contacts: parts.contacts,
    statuses,
    stages,
    retrying: groups.reduce((sum, { retrying }) => sum + retrying, 0),
    accepted,
    rate: seconds > 0 ? (accepted - (last?.accepted ?? 0)) / seconds : 0,
    unavailable,
    refused,
    down: provider.down,
    replies: replies.pushed.size,
    partitions: owners.map(({ count }) => count),
  };
}

// ---------------------------------------------------------------- the reckoning

/** One kind of message: the welcome mail, its first follow-up, … */
export interface Line {
  stage: string;
  step: number;
  channel: string;
  sent: number;
  failed: number;
  skipped: number;
  /** Tries beyond the first. */
  retries: number;
  /** ms from due to sent of those that left at the first try, ascending. */
  latencies: number[];
}

export interface Tally {
  lines: Line[];
  rows: number;
  sent: number;
  /** ms from due to sent of those that needed more than one try, ascending. */
  retriedLatencies: number[];
  retries: number;
  /** Most messages sent within one second. */
  peakPerSecond: number;
  /** Sent by our record, unknown to the provider. */
  lost: number;
  /** Accepted by the provider, not sent by our record. */
  unrecorded: number;
  /** Accepted more than once. */
  repeated: number;
  /** Keys whose tries differed in their bytes. */
  changed: number;
}

export type Row = Pick<Message, '_id' | 'stage' | 'step' | 'channel' | 'status' | 'attempts' | 'dueAt' | 'sentAt'>;

const ascending = (a: number, b: number): number => a - b;

/** Our outbox against the provider's own record, key by key. */
export async function tally(
  rows: AsyncIterable<Row> | Iterable<Row>,
  deliveries: ReadonlyMap<string, Delivery>,
): Promise<Tally> {
  const lines = new Map<string, Line>();
  const perSecond = new Map<number, number>();
  const retriedLatencies: number[] = [];
  const sentKeys = new Set<string>();
  let total = 0;
  let lost = 0;
  for await (const row of rows) {
    total++;
    const line = lineOf(lines, row);
    const tries = Math.max(0, row.attempts - 1);
    line.retries += tries;
    if (row.status === 'failed') line.failed++;
    if (row.status === 'skipped') line.skipped++;
    if (!row.sentAt) continue;
    line.sent++;
    sentKeys.add(row._id);
    const latency = row.sentAt.getTime() - row.dueAt.getTime();
    if (tries > 0) retriedLatencies.push(latency);
    else line.latencies.push(latency);
    const second = Math.floor(row.sentAt.getTime() / 1000);
    perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
    if ((deliveries.get(row._id)?.accepted ?? 0) === 0) lost++;
  }
  for (const line of lines.values()) line.latencies.sort(ascending);
  const all = [...deliveries];
  return {
    lines: [...lines.values()],
    rows: total,
    sent: sentKeys.size,
    retriedLatencies: retriedLatencies.sort(ascending),
    retries: [...lines.values()].reduce((sum, { retries }) => sum + retries, 0),
    peakPerSecond: [...perSecond.values()].reduce((most, value) => Math.max(most, value), 0),
    lost,
    unrecorded: all.filter(([key, { accepted }]) => accepted > 0 && !sentKeys.has(key)).length,
    repeated: all.filter(([, { accepted }]) => accepted > 1).length,
    changed: all.filter(([, { changed }]) => changed).length,
  };
}

function lineOf(lines: Map<string, Line>, { stage, step, channel }: Row): Line {
  const key = `${stage}/${step}/${channel}`;
  const known = lines.get(key);
  if (known) return known;
  const fresh: Line = { stage, step, channel, sent: 0, failed: 0, skipped: 0, retries: 0, latencies: [] };
  lines.set(key, fresh);
  return fresh;
}

/** Nearest-rank percentile of ascending values; undefined of none. */
export const percentile = (values: readonly number[], share: number): number | undefined =>
  values[Math.max(0, Math.ceil(values.length * share) - 1)];

export const messageRows = ({ messages }: Collections): AsyncIterable<Row> =>
  messages.find(
    { _id: range() },
    { projection: { stage: 1, step: 1, channel: 1, status: 1, attempts: 1, dueAt: 1, sentAt: 1 } },
  ) as AsyncIterable<Row>;

export interface Endings {
  statuses: Record<string, number>;
  outcomes: Record<string, number>;
  /** Conversations that consumed the reply pushed to them. */
  heard: number;
}

export async function endings({ conversations }: Collections): Promise<Endings> {
  const groups = await conversations
    .aggregate<{ _id: { status: string; outcome?: string }; count: number; heard: number }>([
      { $match: { _id: range() } },
      {
        $group: {
          _id: { status: '$status', outcome: '$outcome' },
          count: { $sum: 1 },
          heard: { $sum: { $cond: [{ $in: [{ $concat: ['reply-', '$_id'] }, '$consumed'] }, 1, 0] } },
        },
      },
    ])
    .toArray();
  const statuses: Record<string, number> = {};
  const outcomes: Record<string, number> = {};
  let heard = 0;
  for (const { _id, count, heard: some } of groups) {
    statuses[_id.status] = (statuses[_id.status] ?? 0) + count;
    const outcome = _id.outcome ?? '-';
    outcomes[outcome] = (outcomes[outcome] ?? 0) + count;
    heard += some;
  }
  return { statuses, outcomes, heard };
}
