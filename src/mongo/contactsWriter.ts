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
  signal?: AbortSignal;
}

export function contactsWriter(db: Db, name: string, options: WriterOptions): ContactsWriter {
  const collection = db.collection<Document>(name);
  const operationOf = options.mode === 'replace' ? replacement : merge(options.unset ?? []);
  return {
    write: (documents) => patiently(() => writeOnce(collection, documents.map(operationOf)), options.signal),
  };
}

const replacement = ({ _id, ...rest }: Document): AnyBulkWriteOperation => ({
  replaceOne: { filter: { _id }, replacement: rest, upsert: true },
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

async function writeOnce(collection: Collection<Document>, operations: AnyBulkWriteOperation[]): Promise<Written> {
  if (operations.length === 0) return { inserted: 0, updated: 0, unchanged: 0, refused: [] };
  try {
    return counted(await collection.bulkWrite(operations, { ordered: false }), []);
  } catch (error) {
    if (isNoFaultOfDocuments(error)) throw error;
    if (error instanceof MongoBulkWriteError) {
      const errors = [error.writeErrors].flat();
      const blocking = errors.find(({ code }) => isNoFaultOfDocuments(new MongoServerError({ code })));
      // Two writers at once: both saw no document, one was faster.
      const raced = errors.some(({ code }) => code === duplicateKey);
      if (blocking || errors.length === 0) throw error;
      const refused = errors.filter(({ code }) => code !== duplicateKey);
      const first = counted(
        error.result,
        refused.map(({ index, errmsg = '' }) => ({ index, message: errmsg })),
      );
      return raced ? again(collection, operations, errors, first) : first;
    }
    return oneByOne(collection, operations, error);
  }
}

const duplicateKey = 11000;

/** What lost a race is there now: written once more by itself. A unique index of others refuses it again, for good. */
async function again(
  collection: Collection<Document>,
  operations: AnyBulkWriteOperation[],
  errors: readonly { index: number; code: number }[],
  first: Written,
): Promise<Written> {
  let sum = first;
  for (const { index } of errors.filter(({ code }) => code === duplicateKey)) {
    const operation = operations[index];
    if (operation) sum = add(sum, await alone(collection, operation, index));
  }
  return sum;
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
