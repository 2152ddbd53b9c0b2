/**
 * What gave up, by campaign and code: groups are found by seeks in an index, each counted by keys up to a bound. Nothing is
 * read of what is not shown, however many there are.
 */
import { type Collection, type Db, type Document, MaxKey, MinKey } from 'mongodb';
import type { Id, Message } from '../domain/model.ts';
import { type Collections, collections } from './collections.ts';

/** Kinds of what can give up, with the collection and the index that has them, in it by `at`; when they gave up is told by `last`. */
const sources = {
  message_failed: {
    in: 'messages',
    index: 'failed',
    is: { status: 'failed', error: { $exists: true } },
    by: ['campaignId', 'error.code'],
    at: 'queuedAt',
    last: 'queuedAt',
  },
  message_uncertain: {
    in: 'messages',
    index: 'failed',
    is: { status: 'uncertain', error: { $exists: true } },
    by: ['campaignId', 'error.code'],
    at: 'queuedAt',
    last: 'queuedAt',
  },
  conversation_failed: {
    in: 'conversations',
    index: 'failed',
    is: { status: 'failed', error: { $exists: true } },
    by: ['campaignId', 'error.code'],
    at: 'createdAt',
    last: 'updatedAt',
  },
  dead_letter: { in: 'deadLetters', index: 'groups', is: {}, by: ['campaignId', 'reason'], at: 'at', last: 'at' },
  inbound_unmatched: {
    in: 'inbound',
    index: 'unmatched',
    is: { unmatched: true },
    by: ['channel', 'type'],
    at: 'handledAt',
    last: 'handledAt',
  },
  inbound_failed: {
    in: 'inbound',
    index: 'failed',
    is: { status: 'failed' },
    by: ['channel', 'error.code'],
    at: 'handledAt',
    last: 'handledAt',
  },
} as const;
export type FailedKind = keyof typeof sources;
export const failedKinds = Object.keys(sources) as FailedKind[];

export interface FailedFilter {
  campaignId?: Id;
  code?: string;
  since?: Date;
}

export interface FailedGroup {
  kind: FailedKind;
  /** Of inbound events: none. */
  campaignId?: unknown;
  /** Of inbound events. */
  channel?: unknown;
  /** Code of the error; the reason of a dead letter; the type of an event that is nobody's. */
  code?: unknown;
  count: number;
  /** There are more than were counted. */
  isCut: boolean;
  newest?: Date;
  example: unknown;
}

export interface FailedBounds {
  /** Of a kind. */
  groups: number;
  /** Keys that are counted in a group, at most. */
  counted: number;
}
export const usualBounds: FailedBounds = { groups: 100, counted: 100_000 };
/** Keys that are counted of a kind, about; after that no group is counted further than `leastCounted`. */
const mostCounted = 500_000;
const leastCounted = 1_000;

export type FailedRow = Pick<Message, '_id' | 'conversationId' | 'campaignId' | 'status' | 'queuedAt'> &
  Partial<Pick<Message, 'replay' | 'replayedAs' | 'reason' | 'error' | 'channel'>>;
const rowFields = {
  ...{ conversationId: 1, campaignId: 1, status: 1, queuedAt: 1, replay: 1, replayedAs: 1, reason: 1, channel: 1 },
  'error.code': 1,
};

/** Groups that are passed over for those that are asked for. */
const mostLooks = 5_000;
const comment = 'communication-base failed';
const maxTimeMS = 30_000;
const [least, most] = [new MinKey(), new MaxKey()];

export class FailedReader {
  private readonly of: Collections;

  constructor(db: Db) {
    this.of = collections(db);
  }

  /** By campaign and code, in the order of the index. `more`: of this kind there are groups beyond the bound. */
  async groups(
    kind: FailedKind,
    filter: FailedFilter,
    bounds = usualBounds,
  ): Promise<{ groups: FailedGroup[]; more: boolean }> {
    const groups: FailedGroup[] = [];
    if (filter.campaignId !== undefined && !isOfCampaigns(kind)) return { groups, more: false };
    let after: Keys | undefined;
    let left = mostCounted;
    for (let looks = 0; looks < mostLooks; looks++) {
      const keys = await this.nextKeys(kind, filter.campaignId, after);
      if (keys === undefined) return { groups, more: false };
      after = keys;
      if (filter.code !== undefined && keys[1] !== filter.code) continue;
      if (groups.length >= bounds.groups) return { groups, more: true };
      const group = await this.group(kind, keys, filter.since, Math.min(bounds.counted, Math.max(leastCounted, left)));
      if (group === undefined) continue;
      groups.push(group);
      left -= group.count;
    }
    return { groups, more: true };
  }

  /** Messages of a group from the oldest on, behind `after`. */
  async page(group: FailedGroup, since: Date | undefined, after: FailedRow | undefined, limit: number) {
    const { kind, campaignId, code } = group;
    const keys: Keys = [campaignId ?? null, code ?? null];
    const [from, id] = after === undefined ? [since ?? least, least] : [after.queuedAt, after._id];
    const found = await this.from(kind)
      .find(sources[kind].is, {
        ...{ hint: sources[kind].index, min: bound(kind, keys, from, id), max: bound(kind, keys, most, most) },
        ...{ projection: rowFields, limit: limit + 1, comment, maxTimeMS },
      })
      .toArray();
    return (found as unknown as FailedRow[]).filter(({ _id }) => _id !== after?._id).slice(0, limit);
  }

  private from(kind: FailedKind): Collection<Document> {
    return this.of[sources[kind].in] as unknown as Collection<Document>;
  }

  /** The first keys of a group behind these. */
  private async nextKeys(
    kind: FailedKind,
    campaignId: Id | undefined,
    after: Keys | undefined,
  ): Promise<Keys | undefined> {
    const { is, index, by } = sources[kind];
    const start = after === undefined ? [campaignId ?? least, least] : after;
    const edge = after === undefined ? least : most;
    const [found] = await this.from(kind)
      .find(is, {
        ...{ hint: index, min: bound(kind, start as Keys, edge, edge), limit: 1, comment, maxTimeMS },
        ...(campaignId === undefined ? {} : { max: bound(kind, [campaignId, most], most, most) }),
        projection: { [by[0]]: 1, [by[1]]: 1 },
      })
      .toArray();
    return found && [valueAt(found, by[0]), valueAt(found, by[1])];
  }

  private async group(
    kind: FailedKind,
    keys: Keys,
    since: Date | undefined,
    counted: number,
  ): Promise<FailedGroup | undefined> {
    const { is, index, by, at, last } = sources[kind];
    const query = {
      ...is,
      [by[0]]: keys[0],
      [by[1]]: keys[1],
      ...(since === undefined ? {} : { [last]: { $gte: since } }),
    };
    const options = { hint: index, comment, maxTimeMS };
    const [newest] = await this.from(kind)
      .find(query, { ...options, sort: { [at]: -1, _id: -1 }, limit: 1, projection: { [last]: 1 } })
      .toArray();
    if (newest === undefined) return undefined;
    const count = await this.from(kind).countDocuments(query, { ...options, limit: counted + 1 });
    const time = newest[last] as unknown;
    const first = isOfCampaigns(kind) ? { campaignId: keys[0] ?? undefined } : { channel: keys[0] ?? undefined };
    return {
      ...{ kind, ...first, code: keys[1] ?? undefined, count: Math.min(count, counted), isCut: count > counted },
      ...(time instanceof Date ? { newest: time } : {}),
      example: newest['_id'],
    };
  }
}

/** The first two fields of the index; null where a document has none. */
type Keys = [unknown, unknown];

const isOfCampaigns = (kind: FailedKind): boolean => sources[kind].by[0] === 'campaignId';

const bound = (kind: FailedKind, [first, second]: Keys, at: unknown, id: unknown): Document => {
  const { by, at: time } = sources[kind];
  return { [by[0]]: first, [by[1]]: second, [time]: at, _id: id };
};

const valueAt = (document: Document, path: string): unknown =>
  path.split('.').reduce<unknown>((value, name) => (value as Document | null | undefined)?.[name], document) ?? null;
