import { type AnyBulkWriteOperation, BSON, type Collection, type Db, MinKey, MongoBulkWriteError } from 'mongodb';
import { inboundKey } from '../domain/inbound.ts';
import type { ConversationHead, InboundMark, InboundStore, RowHead } from '../domain/inboundPorts.ts';
import type { Conversation, Id, InboundEvent, InboxEvent, Message } from '../domain/model.ts';
import { optOutTypes } from '../domain/suppression.ts';

const wtimeoutMS = 5_000;
const headFields = {
  ...{ campaignId: 1, contact: 1, status: 1, createdAt: 1, updatedAt: 1, sequence: 1, addresses: 1 },
} as const;
/** Of events that are read at a time; they may be of 16 MB each. */
const batchBytes = 8_000_000;
/** More conversations of one address than anybody has; an address that thousands share is no person's. */
const mostOpen = 1000;

/** Queries by name, so that their plans can be asserted on the very same objects. */
export const inboundQueries = {
  openAt: (addresses: readonly string[]) => ({ addresses: { $in: [...addresses] }, status: 'active' as const }),
  rowsOf: (ids: readonly string[]) => ({ providerMessageId: { $in: [...ids], $exists: true } }),
  unhandled: () => ({ handledAt: null as never }),
  optOuts: () => ({ handledAt: null as never, type: { $in: [...optOutTypes] } }),
};

export class MongoInbound implements InboundStore {
  private readonly inbound: Collection<InboundEvent>;
  private readonly states: Collection<Conversation>;
  private readonly rows: Collection<Message>;

  constructor({ db }: { db: Db }) {
    this.inbound = db.collection('inbound_events');
    this.states = db.collection('conversation_states');
    this.rows = db.collection('messages');
  }

  async events(ids: readonly Id[]) {
    const filter = { _id: { $in: [...ids] as never[] }, handledAt: null as never };
    const events: (Record<string, unknown> & { _id: Id })[] = [];
    let bytes = 0;
    for await (const event of this.inbound.find<Record<string, unknown> & { _id: Id }>(filter)) {
      events.push(event);
      bytes += BSON.calculateObjectSize(event);
      if (bytes < batchBytes) continue;
      const read = new Set(events.map(({ _id }) => inboundKey(_id)));
      return { events, rest: ids.filter((id) => !read.has(inboundKey(id))) };
    }
    return { events, rest: [] };
  }

  /** By bounds of the index, in the order of all types: a range of `_id` alone would end with the type it began in. */
  async unhandled(after: Id | undefined, limit: number): Promise<Id[]> {
    const found = await this.inbound
      .find(inboundQueries.unhandled(), { projection: { _id: 1 }, hint: 'unhandled' })
      .min({ handledAt: null, _id: after ?? new MinKey() })
      .max({ handledAt: 0, _id: new MinKey() })
      // a lower bound is part of its range
      .limit(limit + 1)
      .toArray();
    const ids = found.map(({ _id }) => _id as Id);
    return (after !== undefined && sameId(ids[0], after) ? ids.slice(1) : ids).slice(0, limit);
  }

  async optOuts(limit: number): Promise<Id[]> {
    const options = { projection: { _id: 1 }, hint: 'opt_outs', limit, maxTimeMS: wtimeoutMS } as const;
    const found = await this.inbound.find(inboundQueries.optOuts(), options).toArray();
    if (found.length < limit) return found.map(({ _id }) => _id as Id);
    // what was heeded keeps its place until its owner marks it: of each type the newest, so that none stands behind those of another
    const newest = optOutTypes.map((type) =>
      this.inbound
        .find({ ...inboundQueries.optOuts(), type }, options)
        .sort({ _id: -1 })
        .toArray(),
    );
    return (await Promise.all(newest)).flat().map(({ _id }) => _id as Id);
  }

  async openAt(addresses: readonly string[]): Promise<ConversationHead[]> {
    if (addresses.length === 0) return [];
    const found = await this.states
      .find<ConversationHead>(inboundQueries.openAt(addresses), { projection: headFields, limit: mostOpen })
      .toArray();
    if (found.length < mostOpen || addresses.length === 1) return found;
    return inHalves(addresses, (half) => this.openAt(half));
  }

  async conversations(ids: readonly string[]): Promise<ConversationHead[]> {
    if (ids.length === 0) return [];
    return this.states.find<ConversationHead>({ _id: { $in: [...ids] } }, { projection: headFields }).toArray();
  }

  async rowsOf(providerMessageIds: readonly string[]): Promise<RowHead[]> {
    if (providerMessageIds.length === 0) return [];
    const projection = { conversationId: 1, campaignId: 1, channel: 1, to: 1, providerMessageId: 1 };
    const options = { projection, limit: mostOpen };
    const found = await this.rows.find<RowHead>(inboundQueries.rowsOf(providerMessageIds), options).toArray();
    if (found.length < mostOpen || providerMessageIds.length === 1) return found;
    return inHalves(providerMessageIds, (half) => this.rowsOf(half));
  }

  async aim(aims: readonly { id: Id; conversations: readonly string[] }[]): Promise<number> {
    if (aims.length === 0) return 0;
    const operations = aims.map(
      ({ id, conversations }): AnyBulkWriteOperation<InboundEvent> => ({
        updateOne: {
          filter: { _id: id as never, handledAt: null as never, conversations: null as never },
          update: { $set: { conversations: [...conversations] } },
        },
      }),
    );
    const options = { ordered: false, writeConcern: { w: 'majority', wtimeoutMS } } as const;
    return (await this.inbound.bulkWrite(operations, options)).modifiedCount;
  }

  async push(
    pushes: readonly { conversation: string; event: InboxEvent & { id: string } }[],
  ): Promise<Map<number, Error>> {
    const refused = new Map<number, Error>();
    if (pushes.length === 0) return refused;
    const operations = pushes.map(
      ({ conversation: _id, event }): AnyBulkWriteOperation<Conversation> => ({
        updateOne: {
          filter: { _id, 'inbox.id': { $ne: event.id }, consumed: { $ne: event.id } },
          update: { $push: { inbox: event } },
        },
      }),
    );
    try {
      await this.states.bulkWrite(operations, { ordered: false, writeConcern: { w: 'majority', wtimeoutMS } });
    } catch (error) {
      if (!(error instanceof MongoBulkWriteError)) throw error;
      const errors = [error.writeErrors].flat();
      // what is to be tried again is no fault of a document
      if (errors.length === 0 || errors.some(({ code }) => !refusals.has(Number(code)))) throw error;
      for (const { index, errmsg } of errors) refused.set(index, new Error(errmsg ?? 'the push was refused'));
    }
    return refused;
  }

  async mark(marks: readonly { id: Id; mark: InboundMark }[], at: Date): Promise<void> {
    if (marks.length === 0) return;
    const operations = marks.map(
      ({ id, mark }): AnyBulkWriteOperation<InboundEvent> => ({
        updateOne: {
          filter: { _id: id as never, handledAt: null as never },
          update: { $set: { handledAt: at, ...fieldsOf(mark) } },
        },
      }),
    );
    await this.inbound.bulkWrite(operations, { ordered: false, writeConcern: { w: 'majority', wtimeoutMS } });
  }
}

async function inHalves<T>(keys: readonly string[], ask: (half: readonly string[]) => Promise<T[]>): Promise<T[]> {
  const middle = keys.length >> 1;
  return (await Promise.all([ask(keys.slice(0, middle)), ask(keys.slice(middle))])).flat();
}

const sameId = (a: unknown, b: unknown): boolean =>
  Buffer.compare(BSON.serialize({ a }), BSON.serialize({ a: b })) === 0;

/** BadValue (`inbox` is no array), BSONObjectTooLarge and its kin: the conversation cannot take it, now or later. */
const refusals: ReadonlySet<number> = new Set([2, 10334, 17280, 17419, 17420]);

function fieldsOf(mark: InboundMark): Partial<InboundEvent> {
  switch (mark.kind) {
    case 'moved':
      return { conversations: [...mark.conversations], ...(mark.error ? { error: { ...mark.error } } : {}) };
    case 'unmatched':
      return { unmatched: true, ...(mark.error ? { error: { ...mark.error } } : {}) };
    case 'failed':
      return { status: 'failed', error: { ...mark.error } };
  }
}
