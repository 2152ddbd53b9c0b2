/**
 * What `watch` reads of one campaign. Every read has a bound, whatever the campaign's size: documents by their `_id`, the
 * small collections of the cluster, at most `countLimit` keys of index `due`, at most `sampleLimit` rows of `messages`.
 */
import type { Db, Document, FindOptions } from 'mongodb';
import { stagesOf } from '../domain/flowVersions.ts';
import { conversationRange } from '../domain/ids.ts';
import type { StoredCounters } from '../domain/metrics.ts';
import type { Id, Member, Partition } from '../domain/model.ts';
import type { DueCounts } from '../domain/progress.ts';
import { type StopSwitch, stopSwitchOf } from '../domain/stopSwitch.ts';
import { serverTime } from './client.ts';
import { type Collections, collections } from './collections.ts';

const comment = 'communication-base watch';
/** Keys that are counted in one span of due times. */
const countLimit = 10_000;
/** Rows that are looked at for what went wrong. */
const sampleLimit = 1_000;

/** What is read at every look, from the primary: it is small, and must not be stale. */
export interface Head {
  campaign: Document | undefined;
  run: Document | undefined;
  counters: (StoredCounters & { memberId?: unknown })[];
  /** The stop switch; absent while it was not read. */
  stop?: StopSwitch;
}

export interface ClusterRead {
  members: Omit<Member, 'sessionId'>[];
  partitions: Pick<Partition, '_id' | 'owner'>[];
  /** Clock of the primary, ms since the epoch. */
  serverNow: number;
}

/** A row that failed, or waits for another try. */
export interface TroubleRow {
  _id: string;
  status: string;
  reason?: unknown;
  error?: unknown;
  /** When it was last written, as far as the row tells. */
  at?: unknown;
}

/** Ends of the spans in which due times are counted, ms from now. */
const spansMs = [60_000, 3_600_000, 86_400_000] as const;

const fields: Document = {
  ...{ name: 1, status: 1, error: 1, schedule: 1, startedAt: 1, completedAt: 1, metrics: 1, expansion: 1 },
};
const runFields: Document = {
  ...{ status: 1, settled: 1, endReason: 1, pausedReason: 1, startedAt: 1, completedAt: 1, schedule: 1, metrics: 1 },
  ...{ 'expansion.expanded': 1, 'expansion.skipped': 1, 'expansion.done': 1, 'audience.kind': 1 },
  ...{ 'audience.collection': 1, 'audience.filter': 1, 'audience.live': 1, occurrences: 1 },
};
const flowFields: Document = {
  ...{ 'flow.stages.id': 1, 'flow.stages.type': 1, 'flow.stages.channel': 1, 'flow.stages.followUps.channel': 1 },
  ...{ 'flows.version': 1, 'flows.flow.stages.id': 1, 'flows.flow.stages.type': 1, 'flows.flow.stages.channel': 1 },
  ...{ 'flows.flow.stages.followUps.channel': 1, template: 1, 'migration.number': 1, 'migration.to': 1 },
};
const troubleFields: Document = {
  ...{ status: 1, reason: 1, 'error.code': 1, 'error.message': 1 },
  at: { $ifNull: ['$handedAt', '$queuedAt'] },
};

export class ProgressReader {
  private readonly db: Db;
  private readonly of: Collections;
  private readonly _id: Id;
  private readonly exact: FindOptions;
  /** Bounded, but not small: a secondary may answer, and a little staleness is no lie. */
  private readonly aside: { comment: string; maxTimeMS: number; readPreference: 'secondaryPreferred' };

  constructor(db: Db, campaign: Id, maxTimeMS: number) {
    this.db = db;
    this.of = collections(db);
    this._id = campaign;
    this.exact = { comment, maxTimeMS };
    this.aside = { comment, maxTimeMS, readPreference: 'secondaryPreferred' };
  }

  async head(): Promise<Head> {
    const { _id } = this;
    const [campaign, run, counters, control] = await Promise.all([
      this.of.campaigns.findOne({ _id }, { ...this.exact, projection: fields }),
      this.of.runs.findOne({ _id }, { ...this.exact, projection: runFields }),
      // Counters of one conversation may move between members' documents, so they are read at one point in time.
      this.of.counters
        .find({ campaignId: _id }, { ...this.exact, readConcern: { level: 'snapshot' }, projection: { _id: 0 } })
        .toArray(),
      this.of.settings.findOne({ _id: 'control' }, this.exact),
    ]);
    return {
      campaign: campaign ?? undefined,
      run: run ?? undefined,
      counters,
      stop: stopSwitchOf(control),
    };
  }

  /** The pinned stages, of all versions; undefined while there is no run. Ids, types and channels only. */
  async flow(): Promise<Document | undefined> {
    const run = await this.of.runs.findOne({ _id: this._id }, { ...this.exact, projection: flowFields });
    return run?.flow ? { stages: stagesOf(run) } : undefined;
  }

  async cluster(): Promise<ClusterRead> {
    const [members, partitions, now] = await Promise.all([
      this.of.members.find({}, { ...this.exact, projection: { sessionId: 0 }, sort: { _id: 1 } }).toArray(),
      this.of.partitions.find({}, { ...this.exact, projection: { owner: 1 }, sort: { _id: 1 } }).toArray(),
      serverTime(this.db),
    ]);
    return { members, partitions, serverNow: now.getTime() };
  }

  /**
   * How many contacts the audience has, as far as that can be had without a scan: inline ones, and a whole collection
   * (from its metadata). Undefined: it has a filter, or is gone.
   */
  async audienceSize(run: Document): Promise<number | undefined> {
    const audience = run['audience'] ?? {};
    if (audience.kind === 'inline') {
      const size = { $cond: [{ $isArray: '$audience.contacts' }, { $size: '$audience.contacts' }, null] };
      const [found] = await this.of.campaigns
        .aggregate<{ size: number | null }>([{ $match: { _id: this._id } }, { $project: { size } }], this.aside)
        .toArray();
      return found?.size ?? undefined;
    }
    if (typeof audience.collection !== 'string' || Object.keys(audience.filter ?? {}).length > 0) return undefined;
    return this.db.collection(audience.collection).estimatedDocumentCount(this.aside);
  }

  /** What is due now and later, from keys of index `due` alone. */
  async due(channels: readonly string[], now: number): Promise<DueCounts> {
    const ends = [...spansMs.map((ms) => now + ms), undefined];
    const current = await this.span(channels, undefined, now);
    const later: DueCounts['later'][number][] = [];
    let next: Pick<DueCounts, 'next' | 'nextIsBound'> = {};
    for (const [index, end] of ends.entries()) {
      const found = await this.span(channels, index === 0 ? now : ends[index - 1], end);
      const withinMs = spansMs[index];
      later.push({ count: found.count, more: found.more, ...(withinMs === undefined ? {} : { withinMs }) });
      if (next.next === undefined && found.first !== undefined) next = { next: found.first, nextIsBound: found.more };
    }
    return { now: { count: current.count, more: current.more }, later, ...next };
  }

  private async span(channels: readonly string[], after: number | undefined, until: number | undefined) {
    const [found] = await this.of.conversations
      .aggregate<{ count: number; first: Date }>(
        [
          { $match: progressQueries.due(this._id, channels, after, until) },
          { $limit: countLimit },
          { $group: { _id: null, count: { $sum: 1 }, first: { $min: '$nextActionAt' } } },
        ],
        { ...this.aside, hint: 'due' },
      )
      .toArray();
    const count = found?.count ?? 0;
    return { count, more: count >= countLimit, first: found?.first };
  }

  /** Why conversations wait whose time is ahead, among the first `sampleLimit` in order of the index. */
  async delayed(
    channels: readonly string[],
    now: number,
  ): Promise<{ reason: unknown; count: number; more: boolean }[]> {
    const found = await this.of.conversations
      .aggregate<{ _id: unknown; count: number }>(
        [
          { $match: progressQueries.due(this._id, channels, now, undefined) },
          { $limit: sampleLimit },
          { $group: { _id: '$delayed', count: { $sum: 1 } } },
        ],
        { ...this.aside, hint: 'due' },
      )
      .toArray();
    const looked = found.reduce((sum, { count }) => sum + count, 0);
    return found
      .filter(({ _id }) => typeof _id === 'string')
      .map(({ _id, count }) => ({ reason: _id, count, more: looked >= sampleLimit }));
  }

  /** Rows of this campaign that are not settled: in flight, or waiting for another try. */
  async pending(): Promise<{ rows: TroubleRow[]; more: boolean }> {
    const rows = await this.of.messages
      .aggregate<TroubleRow>(
        [
          { $match: progressQueries.pending(this._id) },
          { $limit: sampleLimit },
          { $match: { status: 'queued' } },
          { $project: troubleFields },
        ],
        { ...this.aside, hint: 'pending' },
      )
      .toArray();
    return { rows, more: rows.length >= sampleLimit };
  }

  /** Rows that failed, among the newest of the collection and the first of the campaign: nothing indexes them. */
  async failed(): Promise<TroubleRow[]> {
    const { from, to } = conversationRange(this._id);
    const range = { _id: { $gte: from, $lt: to } };
    const failed = { status: { $in: ['failed', 'uncertain', 'bounced'] } };
    const rest = [{ $match: { ...range, ...failed } }, { $limit: 100 }, { $project: troubleFields }];
    const newest = [{ $limit: sampleLimit }, ...rest];
    const first = [{ $match: range }, { $limit: sampleLimit }, ...rest];
    const [a, b] = await Promise.all([
      this.of.messages.aggregate<TroubleRow>(newest, { ...this.aside, hint: { $natural: -1 } }).toArray(),
      this.of.messages.aggregate<TroubleRow>(first, { ...this.aside, hint: '_id_' }).toArray(),
    ]);
    return [...b, ...a];
  }
}

/** Queries by name, so that their plans can be asserted on the very same objects. */
export const progressQueries = {
  /** `opening` and `partition` are left out: the scan skips from one to the next, and needs no document for it. */
  due: (
    campaignId: Id,
    channels: readonly string[],
    after: number | undefined,
    until: number | undefined,
  ): Document => ({
    nextChannel: { $in: ['-', ...channels] },
    campaignId,
    nextActionAt: {
      ...(after === undefined ? {} : { $gt: new Date(after) }),
      ...(until === undefined ? {} : { $lte: new Date(until) }),
    },
  }),
  pending: (campaignId: Id): Document => {
    const { from, to } = conversationRange(campaignId);
    return { pending: { $exists: true }, _id: { $gte: from, $lt: to } };
  },
};
