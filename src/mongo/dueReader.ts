/**
 * What is due of one campaign, all of it or a sample, quickly and in little memory: keys of index `due` are counted, and
 * only what is looked at is read. Partitions are hashes of contacts, so some of them are a fair sample of all.
 */
import type { Db, Document } from 'mongodb';
import type { Conversation, Id } from '../domain/model.ts';
import { type Collections, collections } from './collections.ts';

/** Conversations of one channel ("-" for none) that came due after an instant and until another. */
export interface DuePart {
  channel: string;
  after: Date | undefined;
  until: Date;
  /** Counted, or reckoned from some partitions. */
  count: number;
}

/** Read at a time. */
const pageSize = 1_000;
/** More keys are not counted. */
const mostCounted = 200_000;
const countMs = 30_000;

type Span = Pick<DuePart, 'channel' | 'after' | 'until'>;

export class DueReader {
  private readonly of: Collections;
  private readonly campaignId: Id;
  private readonly partitions: readonly number[];
  /** Those that are counted and sampled. */
  private chosen: readonly number[];

  constructor(db: Db, campaignId: Id, partitions: number) {
    this.of = collections(db);
    this.campaignId = campaignId;
    this.partitions = Array.from({ length: partitions }, (_, index) => index);
    this.chosen = this.partitions;
  }

  /** By channel, those that came due until `late` apart from the others. Parts without any are left out. */
  async parts(channels: readonly string[], now: Date, late: Date | undefined): Promise<DuePart[]> {
    const times = late === undefined ? [[undefined, now] as const] : [[undefined, late] as const, [late, now] as const];
    const spans = ['-', ...channels].flatMap((channel) => times.map(([after, until]) => ({ channel, after, until })));
    let counts = await Promise.all(spans.map((span) => this.count(span, undefined)));
    if (sum(counts) > mostCounted) counts = await this.reckon(spans);
    return spans.flatMap((span, index) => (counts[index] ? [{ ...span, count: counts[index] }] : []));
  }

  /** From as few partitions as have enough. */
  private async reckon(spans: readonly Span[]): Promise<number[]> {
    const counts = spans.map(() => 0);
    const chosen: number[] = [];
    for (const partition of this.partitions) {
      const found = await Promise.all(spans.map((span) => this.count(span, partition)));
      for (const [index, count] of found.entries()) counts[index] = (counts[index] ?? 0) + count;
      chosen.push(partition);
      if (sum(counts) > mostCounted) break;
    }
    this.chosen = chosen;
    return counts.map((count) => Math.round((count * this.partitions.length) / chosen.length));
  }

  private async count(span: Span, partition: number | undefined): Promise<number> {
    const [found] = await this.of.conversations
      .aggregate<{ count: number }>(
        [
          // `opening` is left out: no document is needed then
          { $match: { ...this.query(span), ...(partition === undefined ? {} : { partition }) } },
          { $limit: mostCounted + 1 },
          { $group: { _id: null, count: { $sum: 1 } } },
        ],
        { hint: 'due', maxTimeMS: countMs },
      )
      .toArray();
    return found?.count ?? 0;
  }

  /** Pages of a part: all of it, or about `most`: from each partition as many, half of them those due first and half those due last. */
  async *read(part: DuePart, most: number): AsyncIterable<Conversation[]> {
    if (most >= part.count) {
      yield* this.pages(this.query(part));
      return;
    }
    const limit = Math.max(1, Math.round(most / this.chosen.length / 2));
    for (const partition of this.chosen) {
      const seen = new Set<string>();
      const query = { ...this.query(part), opening: { $in: [true, null] }, partition };
      for (const sort of [1, -1] as const)
        for await (const page of this.pages(query, { sort, limit })) {
          const fresh = page.filter(({ _id }) => !seen.has(_id));
          for (const { _id } of fresh) seen.add(_id);
          yield fresh;
        }
    }
  }

  private query({ channel, after, until }: Span): Document {
    const { campaignId } = this;
    return { nextChannel: channel, campaignId, nextActionAt: { ...(after ? { $gt: after } : {}), $lte: until } };
  }

  private async *pages(query: Document, first?: { sort: 1 | -1; limit: number }): AsyncIterable<Conversation[]> {
    // nothing is decided by the history
    const options = { hint: 'due', batchSize: pageSize, projection: { history: 0 } };
    const cursor = this.of.conversations.find(query, options);
    if (first) cursor.sort({ nextActionAt: first.sort }).limit(first.limit);
    let page: Conversation[] = [];
    for await (const one of cursor) {
      page.push({ ...one, history: [] } as Conversation);
      if (page.length < pageSize) continue;
      yield page;
      page = [];
    }
    if (page.length > 0) yield page;
  }
}

const sum = (counts: readonly number[]): number => counts.reduce((all, one) => all + one, 0);
