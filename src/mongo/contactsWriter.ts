/** Contacts of a file into a collection: written under their `_id`, so that the same again changes nothing. */
import type { AnyBulkWriteOperation, BulkWriteResult, Collection, Db, Document } from 'mongodb';
import { MongoBulkWriteError, MongoServerError } from 'mongodb';
import { isNoFaultOfDocuments } from './away.ts';
import { patiently } from './patience.ts';

export interface Written {
  inserted: number;
  updated: number;
  unchanged: number;
  /** What the server would not take: index in the batch and why. */
  refused: { index: number; message: string }[];
}

export interface ContactsWriter {
  /** Waits out elections. Safe to repeat; a batch that is repeated counts as unchanged what the first try wrote. */
  write(documents: readonly Document[]): Promise<Written>;
}

export interface WriterOptions {
  /**
   * `replace`: the collection is the file's, a document becomes what the row says. `merge`: it is shared, and only what
   * the row has is set, field by field at any depth.
   */
  mode: 'replace' | 'merge';
  /** Paths that are removed where a row does not have them (`merge`). */
  unset?: readonly string[];
  /** The collection was empty: documents are inserted, which is faster, and those that are there after all updated. */
  fresh?: boolean;
  signal?: AbortSignal;
}

export function contactsWriter(db: Db, name: string, options: WriterOptions): ContactsWriter {
  const collection = db.collection<Document>(name);
  const operationOf = options.mode === 'replace' ? replacement : merge(options.unset ?? []);
  return {
    write(documents) {
      const updates = documents.map(operationOf);
      const inserts = options.fresh && documents.map(insertion);
      let operations = inserts || updates;
      return patiently(() => {
        const attempt = writeOnce(collection, operations, updates);
        operations = updates;
        return attempt;
      }, options.signal);
    },
  };
}

const insertion = (document: Document): AnyBulkWriteOperation => ({ insertOne: { document } });

/** A pipeline, as the server does not notice that a plain replacement changes nothing. */
const replacement = (document: Document): AnyBulkWriteOperation => ({
  updateOne: {
    filter: { _id: document['_id'] },
    update: [{ $replaceWith: { $literal: document } }],
    upsert: true,
  },
});

const merge =
  (unset: readonly string[]) =>
  ({ _id, ...rest }: Document): AnyBulkWriteOperation => {
    const set = leaves(rest);
    const missing = unset.filter((path) => !(path in set));
    const update = {
      ...(Object.keys(set).length > 0 ? { $set: set } : {}),
      ...(missing.length > 0 ? { $unset: Object.fromEntries(missing.map((path) => [path, ''])) } : {}),
    };
    // an update without any operator is refused
    const any = Object.keys(update).length > 0 ? update : { $setOnInsert: {} };
    return { updateOne: { filter: { _id }, update: any, upsert: true } };
  };

/** `{ attributes: { plan } }` as `{ 'attributes.plan' }`: what others keep beside it stays. */
function leaves(document: Document, path = ''): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(document).flatMap(([key, value]): [string, unknown][] => {
      const at = path === '' ? key : `${path}.${key}`;
      return isNamed(value) ? Object.entries(leaves(value, at)) : [[at, value]];
    }),
  );
}

/** A plain object all of whose keys can be a part of a path. */
const isNamed = (value: unknown): value is Document =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Date) &&
  !('_bsontype' in value) &&
  Object.keys(value).every((key) => key !== '' && !key.includes('.'));

/** `updates`: what is tried where a document is there already; without them that is a refusal. */
async function writeOnce(
  collection: Collection<Document>,
  operations: AnyBulkWriteOperation[],
  updates?: AnyBulkWriteOperation[],
): Promise<Written> {
  if (operations.length === 0) return { inserted: 0, updated: 0, unchanged: 0, refused: [] };
  try {
    return counted(await collection.bulkWrite(operations, { ordered: false }), []);
  } catch (error) {
    if (isNoFaultOfDocuments(error)) throw error;
    if (!(error instanceof MongoBulkWriteError)) return oneByOne(collection, operations, error);
    const errors = [error.writeErrors].flat();
    const isBlocked = errors.some(({ code }) => isNoFaultOfDocuments(new MongoServerError({ code })));
    if (isBlocked || errors.length === 0) throw error;
    const isThere = (code: number): boolean => updates !== undefined && code === duplicateKey;
    const refused = errors.filter(({ code }) => !isThere(code));
    const first = counted(
      error.result,
      refused.map(({ index, errmsg = '' }) => ({ index, message: errmsg })),
    );
    const there = errors.filter(({ code }) => isThere(code)).map(({ index }) => index);
    return add(first, await again(collection, updates ?? [], there));
  }
}

const duplicateKey = 11000;

/** What another writer was faster with is there now. A unique index of others refuses it again, for good. */
async function again(
  collection: Collection<Document>,
  updates: readonly AnyBulkWriteOperation[],
  indexes: readonly number[],
): Promise<Written> {
  const written = await writeOnce(
    collection,
    indexes.flatMap((index) => updates[index] ?? []),
  );
  return {
    ...written,
    refused: written.refused.map(({ index, message }) => ({ index: indexes[index] ?? 0, message })),
  };
}

/** The driver refused the batch as a whole because of one document: found by trying each. */
async function oneByOne(
  collection: Collection<Document>,
  operations: AnyBulkWriteOperation[],
  cause: unknown,
): Promise<Written> {
  if (operations.length === 1) return refusal(0, cause);
  let sum: Written = { inserted: 0, updated: 0, unchanged: 0, refused: [] };
  for (const [index, operation] of operations.entries()) sum = add(sum, await alone(collection, operation, index));
  return sum;
}

async function alone(
  collection: Collection<Document>,
  operation: AnyBulkWriteOperation,
  index: number,
): Promise<Written> {
  try {
    return counted(await collection.bulkWrite([operation]), []);
  } catch (error) {
    if (isNoFaultOfDocuments(error)) throw error;
    return refusal(index, error);
  }
}

const refusal = (index: number, error: unknown): Written => ({
  inserted: 0,
  updated: 0,
  unchanged: 0,
  refused: [{ index, message: error instanceof Error ? error.message : String(error) }],
});

const counted = (result: BulkWriteResult, refused: Written['refused']): Written => ({
  inserted: result.upsertedCount + result.insertedCount,
  updated: result.modifiedCount,
  unchanged: result.matchedCount - result.modifiedCount,
  refused,
});

const add = (a: Written, b: Written): Written => ({
  inserted: a.inserted + b.inserted,
  updated: a.updated + b.updated,
  unchanged: a.unchanged + b.unchanged,
  refused: [...a.refused, ...b.refused],
});

export interface Strangers {
  count: number;
  /** The first one's `_id`. */
  example?: unknown;
}

/** Whether there is nothing in it, or no such collection. */
export const isEmpty = async (db: Db, name: string): Promise<boolean> =>
  (await db.collection(name).findOne({}, { projection: { _id: 1 } })) === null;

/** How many documents there are, counted in the index of `_id`. */
export const countContacts = (db: Db, name: string): Promise<number> =>
  db.collection(name).countDocuments({}, { hint: { _id: 1 } });

/** Documents whose `_id` is not `known`, which reads the index of `_id` only; with `remove` they are deleted. */
export async function strangers(
  db: Db,
  name: string,
  known: (id: unknown) => boolean,
  remove = false,
): Promise<Strangers> {
  const collection = db.collection<Document>(name);
  const cursor = collection.find({}, { projection: { _id: 1 }, hint: { _id: 1 }, batchSize: 10_000 });
  const found: Strangers = { count: 0 };
  let doomed: unknown[] = [];
  const flush = async (): Promise<void> => {
    if (doomed.length > 0) await collection.deleteMany({ _id: { $in: doomed } as never });
    doomed = [];
  };
  for await (const { _id } of cursor) {
    if (known(_id)) continue;
    if (found.count === 0) found.example = _id;
    found.count += 1;
    if (remove && doomed.push(_id) >= 1000) await flush();
  }
  await flush();
  return found;
}
