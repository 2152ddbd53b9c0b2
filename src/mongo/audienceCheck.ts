/** Whether an audience can be read, asked before the start. */
import type { Db, Document, FindCursor } from 'mongodb';
import { ServiceError } from '../domain/errors.ts';
import { contactSource } from '../domain/exit.ts';
import type { PinnedAudience } from '../domain/model.ts';
import { audienceQuery, excludedQuery } from './audience.ts';
import { refuse, refused } from './audienceRefusals.ts';
import { isDatabaseAway } from './away.ts';

/**
 * Whether an audience can be read. The server is asked for its plans, which it makes without a look at the documents: a filter
 * that fits nobody would take it minutes to find out.
 * @param exits Its contacts are read again by their ids.
 * @throws ServiceError `document_invalid`, by path, for what is refused by us or by the server, or needs an index that is not there.
 */
export async function checkAudience(db: Db, audience: PinnedAudience, exits: boolean): Promise<void> {
  if (audience.kind === 'collection') {
    refuse(audience, 'audience');
    await planned(audienceQuery(db, audience, undefined, 1), 'audience.filter');
    const source = exits ? contactSource(audience) : undefined;
    if (source) await refuseScan(db, source.collection, source.idPath, 'audience.map.id', 'exitWhen');
  }
  const { exclude } = audience;
  if (exclude === undefined) return;
  refuse(exclude, 'audience.exclude');
  await planned(excludedQuery(db, exclude, []), 'audience.exclude.filter');
  await refuseScan(db, exclude.collection, exclude.idPath, 'audience.exclude.map.id', 'audience.exclude');
}

async function planned(cursor: FindCursor<Document>, path: string): Promise<void> {
  try {
    await cursor.explain('queryPlanner');
  } catch (error) {
    throw refused(error, path);
  } finally {
    await cursor.close();
  }
}

/** Contacts are looked up by this field again and again: without an index each time would read the whole collection. */
async function refuseScan(db: Db, collection: string, field: string, path: string, why: string): Promise<void> {
  if (field === '_id') return;
  const indexes = await db
    .collection(collection)
    .indexes()
    .catch((error: unknown) => {
      if (isDatabaseAway(error)) throw error;
      return undefined;
    });
  // none: there is no such collection yet, or we may not ask
  if (indexes === undefined || indexes.some((index) => serves(index, field))) return;
  const message = `${why} looks contacts up by ${JSON.stringify(field)}, and no index of ${JSON.stringify(collection)} begins with it: create one`;
  throw new ServiceError('document_invalid', `${path}: ${message}`);
}

const serves = ({ key, partialFilterExpression, collation, hidden }: Document, field: string): boolean =>
  Object.keys(key)[0] === field &&
  key[field] !== 'text' &&
  partialFilterExpression === undefined &&
  collation === undefined &&
  hidden !== true;
