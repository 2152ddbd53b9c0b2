/** What `report` reads: page by page, one query at a time, at one point in time as long as that can be had. */
import type { AggregateOptions, ClientSession, Db, Document, MongoClient } from 'mongodb';
import type { LengthGroup } from '../domain/distribution.ts';
import { conversationRange } from '../domain/ids.ts';
import { foldCounters } from '../domain/metrics.ts';
import type { Id, Run } from '../domain/model.ts';
import { candidatesOf, delayOf, type Replied } from '../domain/replyDelay.ts';
import type { ReportHead } from '../domain/report.ts';
import type { ConversationPage, MomentGroup, RowPage } from '../domain/reportTally.ts';
import { isSnapshotGone } from './auditReader.ts';
import { serverTime } from './client.ts';
import { type Collections, collections } from './collections.ts';
import { conversationPipeline, rowPipeline } from './reportPipelines.ts';

/** Documents in one query: it takes about a second, and its groups stay far below what one document may hold. */
const pageSize = { rows: 50_000, conversations: 10_000 };
/** Ids in one query: `$in` over them costs a tenth of a `$lookup`. */
const idsAtOnce = 5_000;
/** A page that takes so long is given up: a server that slow has more important things to do. */
const pageTimeMs = 120_000;
const comment = 'communication-base report';

export interface PageOptions {
  fineMs: number;
  pauses: NonNullable<Run['pauses']>;
}

export class ReportReader {
  /** The moment that is seen, by the server's clock; of a secondary that is behind, an earlier one. Settled by `head`. */
  asOf: Date;
  private readonly of: Collections;
  private readonly campaignId: Id;
  private session: ClientSession | undefined;

  private constructor(db: Db, campaignId: Id, asOf: Date, session: ClientSession) {
    this.of = collections(db);
    this.campaignId = campaignId;
    this.asOf = asOf;
    this.session = session;
  }

  /** Sees one cluster time for about five minutes (`minSnapshotHistoryWindowInSeconds`); then what is there at each read. */
  static async open(client: MongoClient, db: Db, campaignId: Id): Promise<ReportReader> {
    const asOf = await serverTime(db);
    return new ReportReader(db, campaignId, asOf, client.startSession({ snapshot: true }));
  }

  /** Whether all that was read so far is of one moment. */
  get isSnapshot(): boolean {
    return this.session !== undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session?.endSession();
  }

  /** Without flow and audience of the campaign: they may be 16 MB. */
  async head(): Promise<ReportHead> {
    const { campaigns, runs, counters } = this.of;
    const _id = this.campaignId;
    return this.read(async (options) => {
      const fields = { name: 1, tenant: 1, status: 1, error: 1, schedule: 1, startedAt: 1, completedAt: 1 };
      const campaign = await campaigns.findOne({ _id }, { ...options, projection: fields });
      const pinned = {
        'audience.filter': 0,
        'audience.map': 0,
        'audience.exclude': 0,
        variables: 0,
        child: 0,
        campaign: 0,
        'flow.stages.content': 0,
        'flows.variables': 0,
        'flows.flow.stages.content': 0,
      };
      const run = await runs.findOne({ _id }, { ...options, projection: pinned });
      this.settleTime();
      const told = await counters.find({ campaignId: _id }, options).toArray();
      const metrics = told.length > 0 ? foldCounters(told, this.asOf).metrics : run?.metrics;
      return {
        id: _id,
        campaign: (campaign as Record<string, unknown> | null) ?? undefined,
        run: run ?? undefined,
        metrics,
      };
    });
  }

  private settleTime(): void {
    // whole seconds: the cluster time counts operations within them. The driver's types leave it out.
    const { snapshotTime } = (this.session ?? {}) as { snapshotTime?: { getHighBits(): number } };
    if (snapshotTime === undefined) return;
    this.asOf = new Date(Math.min(this.asOf.getTime(), snapshotTime.getHighBits() * 1000 + 999));
  }

  async *rows(options: PageOptions): AsyncGenerator<{ documents: number; page: RowPage }> {
    const pipeline = (range: Document): Document[] => rowPipeline(range, pageSize.rows, options);
    for await (const found of this.pages('messages', pageSize.rows, pipeline)) {
      const page = {
        rows: found.groups<RowPage['rows'][number]>('rows'),
        latencies: found.groups<RowPage['latencies'][number]>('latencies'),
        moments: momentsOf(found.groups('moments')),
      };
      yield { documents: found.documents, page };
    }
  }

  async *conversations(options: PageOptions): AsyncGenerator<{ documents: number; page: ConversationPage }> {
    const pipeline = (range: Document): Document[] => conversationPipeline(range, pageSize.conversations, options);
    for await (const found of this.pages('conversations', pageSize.conversations, pipeline)) {
      const page = {
        conversations: found.groups<ConversationPage['conversations'][number]>('conversations'),
        draws: found.groups<ConversationPage['draws'][number]>('draws'),
        delays: await this.delays(found.groups<Replied>('replies')),
        moments: found
          .groups<Omit<MomentGroup, 'series'>>('moments')
          .map((moment) => ({ ...moment, series: 'replied' as const })),
      };
      yield { documents: found.documents, page };
    }
  }

  private async delays(replies: readonly Replied[]): Promise<LengthGroup[]> {
    const delays: LengthGroup[] = [];
    for (let at = 0; at < replies.length; ) {
      const some: Replied[] = [];
      const ids: string[] = [];
      for (; at < replies.length && ids.length < idsAtOnce; at++) {
        const replied = replies[at] as Replied;
        some.push(replied);
        ids.push(...candidatesOf(replied));
      }
      const sentAt = await this.sentTimes(ids);
      delays.push(...some.map((replied) => delayOf(replied, sentAt)).filter((delay) => delay !== undefined));
    }
    return delays;
  }

  private async sentTimes(ids: readonly string[]): Promise<Map<string, Date>> {
    const rows = await this.read((options) =>
      this.of.messages
        .find({ _id: { $in: [...ids] }, sentAt: { $type: 'date' } }, { ...options, projection: { sentAt: 1 } })
        .toArray(),
    );
    return new Map(rows.map(({ _id, sentAt }) => [_id, sentAt as Date]));
  }

  private async *pages(
    of: 'messages' | 'conversations',
    limit: number,
    pipeline: (range: Document) => Document[],
  ): AsyncGenerator<Page> {
    const { from, to } = conversationRange(this.campaignId);
    let range: Document = { $gte: from, $lt: to };
    for (;;) {
      const stages = pipeline(range);
      const found = await this.read(async (options) => {
        const cursor = of === 'messages' ? this.of.messages : this.of.conversations;
        const [facets] = await cursor.aggregate<Facets>(stages, { ...options, hint: { _id: 1 } }).toArray();
        return pageOf(facets);
      });
      if (found === undefined) return;
      yield found;
      if (found.documents < limit) return;
      range = { $gt: found.last, $lt: to };
    }
  }

  /** Reads on without the snapshot once the server no longer has it. */
  private async read<T>(query: (options: AggregateOptions) => Promise<T>): Promise<T> {
    const { session } = this;
    const options = {
      readPreference: 'secondaryPreferred',
      maxTimeMS: pageTimeMs,
      comment,
      allowDiskUse: true,
    } as const;
    if (session === undefined) return query({ ...options, readConcern: { level: 'majority' } });
    try {
      return await query({ ...options, session, readConcern: { level: 'snapshot' } });
    } catch (error) {
      if (!isSnapshotGone(error)) throw error;
      this.session = undefined;
      await session.endSession();
      return this.read(query);
    }
  }
}

type Group = Record<string, unknown>;
type Facets = Record<string, (Group & { _id: Group })[]>;

interface Page {
  last: unknown;
  documents: number;
  /** With the fields of `_id` beside the sums. */
  groups<T>(name: string): T[];
}

/** Undefined when there was nothing in the range. */
function pageOf(facets: Facets | undefined): Page | undefined {
  const { last, documents }: Group = facets?.['last']?.[0] ?? {};
  if (facets === undefined || last === undefined) return undefined;
  return {
    last,
    documents: Number(documents),
    groups: <T>(name: string) => (facets[name] ?? []).map(({ _id, ...sums }) => ({ ..._id, ...sums }) as T),
  };
}

/** `sent` counts them all, `followUps` those among them. */
const momentsOf = (groups: readonly { at: number; followUp: boolean; count: number }[]): MomentGroup[] =>
  groups.flatMap(({ at, followUp, count }): MomentGroup[] => {
    const sent = { at, count, series: 'sent' } as const;
    return followUp ? [sent, { at, count, series: 'followUps' }] : [sent];
  });
