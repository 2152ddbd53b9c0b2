import type { ClientSession, Db, Document } from 'mongodb';
import { MongoServerError } from 'mongodb';

/** One statement of an `update` command. */
export interface UpdateStatement {
  q: Document;
  u: Document;
  multi?: boolean;
  upsert?: boolean;
}

/** What is absent in memory may be there as undefined; it must never reach the server as null. */
const serialised = { ignoreUndefined: true };

/**
 * Inserts inside a transaction by plain `insert` commands: documents are serialised once, where the driver's `insertMany`
 * measures each one before.
 * @throws MongoServerError of the first document that was refused: the transaction is over then; RangeError for a document
 * that fits into no message.
 */
export async function insertDocuments(
  db: Db,
  collection: string,
  documents: readonly object[],
  session: ClientSession,
): Promise<void> {
  await inMessages(documents, (part) => run(db, { insert: collection, documents: part, ordered: false }, session));
}

/**
 * Updates inside a transaction by plain `update` commands, as `insertDocuments`.
 * @returns how many documents matched, upserted ones among them.
 */
export async function updateDocuments(
  db: Db,
  collection: string,
  updates: readonly UpdateStatement[],
  session: ClientSession,
): Promise<number> {
  let matched = 0;
  await inMessages(updates, async (part) => {
    matched += await run(db, { update: collection, updates: part, ordered: false }, session);
  });
  return matched;
}

/** The driver serialises a command into a buffer of 17 MB. What is too much for one command goes in two. */
async function inMessages<T>(items: readonly T[], send: (part: readonly T[]) => Promise<unknown>): Promise<void> {
  try {
    await send(items);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_OUT_OF_RANGE') throw error;
    if (items.length < 2) throw new RangeError('larger than the 16 MB that a document can hold', { cause: error });
    const middle = items.length >> 1;
    await inMessages(items.slice(0, middle), send);
    await inMessages(items.slice(middle), send);
  }
}

async function run(db: Db, command: Document, session: ClientSession): Promise<number> {
  const reply = await db.command(command, { session, ...serialised });
  const [refused] = (reply['writeErrors'] ?? []) as Document[];
  if (refused !== undefined) throw new MongoServerError({ ...refused, message: refused['errmsg'] });
  return Number(reply['n']);
}
