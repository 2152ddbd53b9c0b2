import type { ClientSession, Db, Document } from 'mongodb';
import { MongoServerError } from 'mongodb';

/** One statement of an `update` command. */
export interface UpdateStatement {
  q: Document;
  u: Document | Document[];
  multi?: boolean;
  upsert?: boolean;
}

/** What is absent in memory may be there as undefined; it must never reach the server as null. */
const serialised = { ignoreUndefined: true };

/**
 * One `insert` command inside a transaction. Documents are serialised once, where the driver's `insertMany` measures each
 * one before; the caller keeps them within the 16 MB that a command holds (see roundParts.ts, expansionSlice.ts).
 * @throws MongoServerError of the first document that was refused, RangeError for more than a command holds: the
 * transaction is over then.
 */
export async function insertDocuments(
  db: Db,
  collection: string,
  documents: readonly object[],
  session: ClientSession,
): Promise<void> {
  await run(db, { insert: collection, documents, ordered: false }, session);
}

/**
 * One `update` command inside a transaction, as `insertDocuments`.
 * @returns how many documents matched, upserted ones among them.
 */
export function updateDocuments(
  db: Db,
  collection: string,
  updates: readonly UpdateStatement[],
  session: ClientSession,
): Promise<number> {
  return run(db, { update: collection, updates, ordered: false }, session);
}

async function run(db: Db, command: Document, session: ClientSession): Promise<number> {
  let reply: Document;
  try {
    reply = await db.command(command, { session, ...serialised });
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_OUT_OF_RANGE') throw error;
    // what the driver says of its buffer would tell an operator nothing
    throw new RangeError('larger than the 16 MB that a document can hold', { cause: error });
  }
  const [refused] = (reply['writeErrors'] ?? []) as Document[];
  if (refused !== undefined) throw new MongoServerError({ ...refused, message: refused['errmsg'] });
  return Number(reply['n']);
}
