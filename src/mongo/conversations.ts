import type { AnyBulkWriteOperation, ClientSession, Collection, Db, Filter } from 'mongodb';
import { isServiceError } from '../domain/errors.ts';
import { campaignKey, conversationRange } from '../domain/ids.ts';
import type {
  Conversation,
  ConversationChange,
  CounterDelta,
  Counters,
  DeadLetter,
  Id,
  Lane,
  Message,
  Unit,
} from '../domain/model.ts';
import type { Clock, ConversationStore, Logger, RoundReceipt } from '../domain/ports.ts';
import { counterUpdates } from './counters.ts';
import { isDatabaseAway, type MongoLedger } from './ledger.ts';

/** Queries by name, so that their plans can be asserted on the very same objects. */
export const conversationQueries = {
  due: (lane: Lane, partitions: readonly number[], now: Date): Filter<Conversation> => ({
    nextChannel: lane.channel,
    campaignId: lane.campaignId,
    opening: lane.opening ? true : { $exists: false },
    partition: { $in: [...partitions] },
    nextActionAt: { $exists: true, $lte: now },
  }),
  nextDue: (lane: Lane, partitions: readonly number[], after?: Date): Filter<Conversation> => ({
    nextChannel: lane.channel,
    campaignId: lane.campaignId,
    opening: lane.opening ? true : { $exists: false },
    partition: { $in: [...partitions] },
    nextActionAt: { $exists: true, ...(after ? { $gt: after } : {}) },
  }),
  withInbox: (partitions: readonly number[], after: string | undefined): Filter<Conversation> => ({
    'inbox.0': { $exists: true },
    partition: { $in: [...partitions] },
    ...(after === undefined ? {} : { _id: { $gt: after } }),
  }),
  pendingMessages: (partitions: readonly number[], after: string | undefined): Filter<Message> => ({
    pending: { $exists: true },
    partition: { $in: [...partitions] },
    ...(after === undefined ? {} : { _id: { $gt: after } }),
  }),
  activeOf: (campaignId: Id, partitions: readonly number[], after: string | undefined): Filter<Conversation> => {
    const { from, to } = conversationRange(campaignId);
    return {
      _id: after === undefined ? { $gte: from, $lt: to } : { $gt: after, $lt: to },
      status: 'active',
      partition: { $in: [...partitions] },
    };
  },
};

const historyLimit = 100;
/** Transactions are bounded by bytes too: a cache smaller than them refuses whole batches. */
const transactionBytes = 8_000_000;

export class MongoConversations implements ConversationStore {
  private readonly conversations: Collection<Conversation>;
  private readonly rows: Collection<Message>;
  private readonly counters: Collection<Counters>;
  private readonly deadLetters: Collection<DeadLetter>;
  private readonly ledger: MongoLedger;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly memberId: string;

  constructor(params: { db: Db; ledger: MongoLedger; clock: Clock; logger: Logger; memberId: string }) {
    const { db } = params;
    this.conversations = db.collection('conversation_states');
    this.rows = db.collection('messages');
    this.counters = db.collection('campaign_counters');
    this.deadLetters = db.collection('dead_letters');
    this.ledger = params.ledger;
    this.clock = params.clock;
    this.logger = params.logger;
    this.memberId = params.memberId;
  }

  byIds(ids: readonly string[]): Promise<Conversation[]> {
    return this.conversations.find({ _id: { $in: [...ids] } }).toArray();
  }

  /**
   * The index gives the order by itself: one scan with a range for each partition. A sort by due time over all of them would
   * merge as many scans, whose planning alone costs more than the answer.
   */
  async due(lane: Lane, partitions: readonly number[], now: Date, limit: number): Promise<Conversation[]> {
    const found: Conversation[] = [];
    for (const part of ascendingRuns(partitions)) {
      const left = limit - found.length;
      if (left <= 0) break;
      const cursor = this.conversations.find(conversationQueries.due(lane, part, now), {
        hint: 'due',
        limit: left,
        batchSize: left + 1,
      });
      for (const conversation of await cursor.toArray()) found.push(conversation);
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
    const found = await this.conversations
      .find(conversationQueries.withInbox(partitions, after), {
        projection: { _id: 1 },
        sort: { _id: 1 },
        limit,
        hint: 'inbox',
      })
      .toArray();
    return found.map((conversation) => conversation._id);
  }

  pendingMessages(partitions: readonly number[], after: string | undefined, limit: number): Promise<Message[]> {
    return this.rows
      .find(conversationQueries.pendingMessages(partitions, after), { sort: { _id: 1 }, limit, hint: 'pending' })
      .toArray();
  }

  messages(ids: readonly string[]): Promise<Message[]> {
    return this.rows.find({ _id: { $in: [...ids] } }).toArray();
  }

  async activeOf(campaignId: Id, partitions: readonly number[], after: string | undefined, limit: number) {
    const found = await this.conversations
      .find(conversationQueries.activeOf(campaignId, partitions, after), {
        projection: { _id: 1 },
        sort: { _id: 1 },
        limit,
      })
      .toArray();
    return found.map((conversation) => conversation._id);
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
        if (isServiceError(error)) throw error;
        if (isDatabaseAway(error)) {
          if (!written) throw error;
          for (const unit of [part, ...parts].flat()) receipt.missed.add(unit.conversationId);
          return receipt;
        }
        parts.unshift(...this.bisect(part, error as Error, receipt));
      }
    }
    return receipt;
  }

  /** Written as if every guard held, which is nearly always so; else once more, without those whose guard misses. */
  private async writePart(part: readonly Unit[]): Promise<Set<string>> {
    try {
      await this.ledger.transact('round', (session) => this.write(part, session));
      return new Set();
    } catch (error) {
      if (!(error instanceof GuardMissed)) throw error;
    }
    return this.ledger.transact('round', async (session) => {
      const missed = await this.missing(part, session);
      const units = part.filter(({ conversationId }) => !missed.has(conversationId));
      if (units.length > 0) await this.write(units, session);
      return missed;
    });
  }

  /** Conversations that are no longer as their unit read them, in the snapshot of the transaction. */
  private async missing(part: readonly Unit[], session: ClientSession): Promise<Set<string>> {
    const changes = new Map(part.flatMap(({ change }) => (change ? [[change.id, change] as const] : [])));
    const found = await this.conversations
      .find({ _id: { $in: [...changes.keys()] } }, { session, projection: { version: 1, inbox: 1 } })
      .toArray();
    const missed = new Set(changes.keys());
    for (const { _id, version, inbox } of found) {
      const change = changes.get(_id);
      if (change?.version === version && Array.isArray(inbox) && inbox.length === change.inboxSize) missed.delete(_id);
    }
    return missed;
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

  private async write(units: readonly Unit[], session: ClientSession): Promise<void> {
    const now = new Date(this.clock.now());
    await this.writeConversations(units, now, session);
    const inserts: Message[] = [];
    const deadLetters: DeadLetter[] = [];
    const rowChanges = new Map<string, { ids: string[]; update: Record<string, unknown> }>();
    const deltas = new Map<string, { campaignId: Id; delta: CounterDelta }>();
    for (const unit of units) {
      for (const row of unit.inserts) inserts.push(row);
      for (const row of unit.rows) group(rowChanges, row.id, row.set, { $set: row.set, ...unsetOf(row.unset) });
      for (const letter of unit.deadLetters)
        deadLetters.push({
          collection: 'conversation_states',
          conversationId: unit.conversationId,
          campaignId: unit.campaignId,
          at: now,
          ...letter,
        });
      addDelta(deltas, unit.campaignId, unit.counters);
    }
    if (inserts.length > 0) await this.rows.insertMany(inserts, { session, ordered: false });
    if (rowChanges.size > 0) {
      const ops = [...rowChanges.values()].map(({ ids, update }) => ({
        updateMany: { filter: { _id: ids.length === 1 ? ids[0] : { $in: ids }, pending: true }, update },
      }));
      await this.rows.bulkWrite(ops as AnyBulkWriteOperation<Message>[], { session, ordered: false });
    }
    const counters = counterUpdates(this.memberId, deltas);
    if (counters.length > 0) await this.counters.bulkWrite(counters, { session, ordered: false });
    if (deadLetters.length > 0) await this.deadLetters.insertMany(deadLetters, { session, ordered: false });
  }

  /** Conversations that take the same step go as one `updateMany`; the guard is part of its filter. */
  private async writeConversations(units: readonly Unit[], now: Date, session: ClientSession): Promise<void> {
    const groups = new Map<string, { ids: string[]; update: Record<string, unknown>; change: ConversationChange }>();
    let expected = 0;
    for (const { change } of units) {
      if (change === undefined) continue;
      expected += 1;
      const update = {
        $set: { ...change.set, version: change.version + 1, updatedAt: now },
        ...unsetOf(change.unset),
        ...(change.history.length > 0 ? { $push: { history: { $each: change.history, $slice: -historyLimit } } } : {}),
      };
      group(groups, change.id, change.set, update, { change }, `${change.inboxSize}|`);
    }
    if (groups.size === 0) return;
    const ops = [...groups.values()].map(({ ids, update, change }) => ({
      updateMany: {
        filter: {
          _id: ids.length === 1 ? ids[0] : { $in: ids },
          version: change.version,
          inbox: { $size: change.inboxSize },
        },
        update,
      },
    }));
    const { matchedCount } = await this.conversations.bulkWrite(ops as AnyBulkWriteOperation<Conversation>[], {
      session,
      ordered: false,
    });
    if (matchedCount !== expected) throw new GuardMissed();
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

class GuardMissed extends Error {}

/** Fields whose values have one type each, so that equal JSON means equal values. Changes of any other field go alone. */
const comparable: ReadonlySet<string> = new Set([
  ...['status', 'stage', 'step', 'nextActionAt', 'nextChannel', 'opening', 'delayed', 'sequence', 'awaiting'],
  ...['outcome', 'reason', 'repliedAt', 'attempts', 'worker', 'sentAt', 'handedAt', 'providerMessageId'],
]);

const unsetOf = (fields: readonly string[]): { $unset?: Record<string, ''> } =>
  fields.length > 0 ? { $unset: Object.fromEntries(fields.map((field) => [field, ''])) } : {};

/** Equal for updates that do the same; undefined for one that has to go alone. By hand: it is asked for every unit. */
function groupKey(set: object, update: Record<string, unknown>): string | undefined {
  let key = '';
  for (const [field, value] of Object.entries(set)) {
    if (!comparable.has(field)) return undefined;
    key += `${field}=${value instanceof Date ? value.getTime() : value};`;
  }
  const { $unset, $push, $set } = update as {
    $unset?: object;
    $push?: { history: { $each: unknown[] } };
    $set: { version?: number };
  };
  if ($unset) key += `-${Object.keys($unset).join()}`;
  if ($push) key += JSON.stringify($push.history.$each);
  return `${$set.version ?? ''}|${key}`;
}

function group<T extends object>(
  groups: Map<string, { ids: string[]; update: Record<string, unknown> } & T>,
  id: string,
  set: object,
  update: Record<string, unknown>,
  extra: T = {} as T,
  guard = '',
): void {
  const same = groupKey(set, update);
  const key = same === undefined ? `#${id}` : guard + same;
  const existing = groups.get(key);
  if (existing) existing.ids.push(id);
  else groups.set(key, { ids: [id], update, ...extra });
}

function addDelta(
  deltas: Map<string, { campaignId: Id; delta: CounterDelta }>,
  campaignId: Id,
  counters: CounterDelta,
): void {
  const key = campaignKey(campaignId);
  let entry = deltas.get(key);
  if (entry === undefined) {
    entry = { campaignId, delta: {} };
    deltas.set(key, entry);
  }
  for (const path of Object.keys(counters)) entry.delta[path] = (entry.delta[path] ?? 0) + (counters[path] ?? 0);
}

/** A rough size is enough: what is large in a row is its content. */
function sizeOf(unit: Unit): number {
  let size = 600;
  for (const row of unit.inserts) {
    const { content } = row;
    size += 600 + (content?.text?.length ?? 0) + (content?.html?.length ?? 0) + (content?.subject?.length ?? 0);
    if (content?.body !== undefined || content?.attachments !== undefined) size += JSON.stringify(content).length;
  }
  if (unit.change?.set.inbox !== undefined) size += 500 * unit.change.set.inbox.length;
  return size;
}

function splitByBytes(units: readonly Unit[]): Unit[][] {
  const parts: Unit[][] = [];
  let part: Unit[] = [];
  let bytes = 0;
  for (const unit of units) {
    const size = sizeOf(unit);
    if (part.length > 0 && bytes + size > transactionBytes) {
      parts.push(part);
      part = [];
      bytes = 0;
    }
    part.push(unit);
    bytes += size;
  }
  if (part.length > 0) parts.push(part);
  return parts;
}
