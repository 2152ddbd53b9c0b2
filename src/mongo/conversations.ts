import type { Collection, Db } from 'mongodb';
import type { ConversationStore, RoundReceipt } from '../domain/conversationPorts.ts';
import { isServiceError } from '../domain/errors.ts';
import type { Conversation, Id, Lane, Message, Unit } from '../domain/model.ts';
import { inShape } from '../domain/shape.ts';
import type { Clock, Logger } from '../domain/systemPorts.ts';
import { isNoFaultOfDocuments } from './away.ts';
import { conversationQueries } from './conversationQueries.ts';
import { readAll } from './decoding.ts';
import type { MongoLedger } from './ledger.ts';
import { splitByBytes } from './roundParts.ts';
import { RoundWriter } from './roundWriter.ts';

/**
 * The server merges this many scans, one for each partition, by the order of ids (`internalQueryMaxScansToExplode`); of
 * more it reads everything and sorts.
 */
const mostScans = 200;

/** The first documents by id, of any number of partitions. */
async function inOrder<T extends { _id: string }>(
  partitions: readonly number[],
  limit: number,
  page: (part: readonly number[]) => Promise<T[]>,
): Promise<T[]> {
  const parts: (readonly number[])[] = [];
  for (let from = 0; from < partitions.length; from += mostScans) parts.push(partitions.slice(from, from + mostScans));
  const found = (await Promise.all(parts.map(page))).flat();
  return parts.length > 1 ? found.sort((a, b) => (a._id < b._id ? -1 : 1)).slice(0, limit) : found;
}

export class MongoConversations implements ConversationStore {
  private readonly conversations: Collection<Conversation>;
  private readonly rows: Collection<Message>;
  private readonly ledger: MongoLedger;
  private readonly writer: RoundWriter;
  private readonly logger: Logger;

  constructor(params: { db: Db; ledger: MongoLedger; clock: Clock; logger: Logger; memberId: string }) {
    const { db } = params;
    this.conversations = db.collection('conversation_states');
    this.rows = db.collection('messages');
    this.ledger = params.ledger;
    this.writer = new RoundWriter(params);
    this.logger = params.logger;
  }

  async byIds(ids: readonly string[]): Promise<Conversation[]> {
    const found = await readAll((how) => this.conversations.find({ _id: { $in: [...ids] } }, how));
    return found.map(inShape);
  }

  /**
   * The index gives the order by itself: one scan with a range for each partition. A sort by due time over all of them would
   * merge as many scans, whose planning alone costs more than the answer.
   */
  async due(
    lane: Lane,
    partitions: readonly number[],
    now: Date,
    limit: number,
    stages?: readonly string[],
  ): Promise<Conversation[]> {
    const found: Conversation[] = [];
    for (const part of ascendingRuns(partitions)) {
      const left = limit - found.length;
      if (left <= 0) break;
      const options = { hint: 'due', projection: { history: 0 }, limit: left, batchSize: left + 1 };
      const query = conversationQueries.due(lane, part, now, stages);
      const due = await readAll((how) => this.conversations.find(query, { ...options, ...how }));
      for (const conversation of due) found.push(inShape(conversation));
    }
    return found;
  }

  async nextDue(lane: Lane, partitions: readonly number[], after?: Date): Promise<Date | undefined> {
    const first = await this.conversations.findOne(conversationQueries.nextDue(lane, partitions, after), {
      sort: { nextActionAt: 1 },
      projection: { nextActionAt: 1 },
    });
    return first?.nextActionAt;
  }

  async withInbox(partitions: readonly number[], after: string | undefined, limit: number): Promise<string[]> {
    const found = await inOrder(partitions, limit, (part) =>
      this.conversations
        .find(conversationQueries.withInbox(part, after), {
          projection: { _id: 1 },
          sort: { _id: 1 },
          limit,
          hint: 'inbox',
        })
        .toArray(),
    );
    return found.map((conversation) => conversation._id);
  }

  pendingMessages(partitions: readonly number[], after: string | undefined, limit: number, headsOnly = false) {
    const projection = headsOnly ? { projection: { content: 0 } } : {};
    return inOrder(partitions, limit, (part) =>
      this.rows
        .find(conversationQueries.pendingMessages(part, after), {
          ...{ sort: { _id: 1 }, limit, hint: 'pending' },
          ...projection,
        })
        .toArray(),
    );
  }

  messages(ids: readonly string[], headsOnly = false): Promise<Message[]> {
    return this.rows.find({ _id: { $in: [...ids] } }, headsOnly ? { projection: { content: 0 } } : {}).toArray();
  }

  async activeOf(
    campaignId: Id,
    partitions: readonly number[],
    after: string | undefined,
    limit: number,
    notAsked?: number,
  ): Promise<string[]> {
    const found = await this.conversations
      .find(conversationQueries.activeOf(campaignId, partitions, after, notAsked), {
        projection: { _id: 1 },
        sort: { _id: 1 },
        limit,
      })
      .toArray();
    return found.map((conversation) => conversation._id);
  }

  async commitInOrder(units: readonly Unit[]): Promise<Set<string>> {
    const parts = splitByBytes(units);
    for (const [index, part] of parts.entries()) {
      try {
        await this.ledger.transact('round', (session) => this.writer.write(part, session));
      } catch (error) {
        const isAway = isNoFaultOfDocuments(error);
        if (isAway ? index === 0 : isServiceError(error)) throw error;
        this.logger.debug('a round cannot be written as it is', { units: part.length, error });
        return new Set(parts.slice(index).flatMap((left) => left.map(({ conversationId }) => conversationId)));
      }
    }
    return new Set();
  }

  /**
   * Splits by bytes, then commits each part; a part that the server refuses for what is in it (not because it is away) is
   * bisected until the poisonous unit is alone and the rest is written. When the server goes away after a part was
   * written, the parts that were not count as missed: they are decided again.
   */
  async commit(units: readonly Unit[]): Promise<RoundReceipt> {
    const receipt: RoundReceipt = { missed: new Set(), poisoned: new Map() };
    let written = false;
    const parts = splitByBytes(units);
    while (parts.length > 0) {
      const part = parts.shift() ?? [];
      try {
        for (const id of await this.writePart(part)) receipt.missed.add(id);
        written = true;
      } catch (error) {
        if (isNoFaultOfDocuments(error)) {
          if (!written) throw error;
          for (const unit of [part, ...parts].flat()) receipt.missed.add(unit.conversationId);
          return receipt;
        }
        if (isServiceError(error)) throw error;
        parts.unshift(...this.bisect(part, error as Error, receipt));
      }
    }
    return receipt;
  }

  /** Without the units whose guard missed. */
  private writePart(part: readonly Unit[]): Promise<Set<string>> {
    return this.ledger.transact('round', async (session) => {
      const missed = await this.writer.missing(part, session);
      const units = part.filter(({ conversationId }) => !missed.has(conversationId));
      if (units.length > 0) await this.writer.write(units, session, true);
      return missed;
    });
  }

  private bisect(part: Unit[], error: Error, receipt: RoundReceipt): Unit[][] {
    const [first, ...others] = part;
    if (first === undefined) throw error;
    if (others.length === 0) {
      receipt.poisoned.set(first.conversationId, error);
      return [];
    }
    this.logger.warn('a round is bisected to find the unit that cannot be written', { units: part.length, error });
    const middle = part.length >> 1;
    return [part.slice(0, middle), part.slice(middle)];
  }
}

function ascendingRuns(numbers: readonly number[]): number[][] {
  const runs: number[][] = [];
  let previous = Number.POSITIVE_INFINITY;
  for (const number of numbers) {
    if (number <= previous) runs.push([]);
    runs.at(-1)?.push(number);
    previous = number;
  }
  return runs;
}
