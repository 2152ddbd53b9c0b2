import type { Db, Document, Filter, FindCursor } from 'mongodb';
import { MinKey, MongoServerError } from 'mongodb';
import type { Fault } from '../domain/errors.ts';
import { ServiceError } from '../domain/errors.ts';
import type { AudiencePage } from '../domain/ports.ts';
import { isNoFaultOfDocuments } from './away.ts';
import { ownCollections } from './collections.ts';

export interface AudienceSource {
  collection: string;
  filter: Record<string, unknown>;
}

/** Operators an author's filter may not use: they run code on the server, or ask for an order or an index of their own. */
const refusedOperators = new Map([
  ['$where', 'JavaScript on the server is not allowed'],
  ['$function', 'JavaScript on the server is not allowed'],
  ['$accumulator', 'JavaScript on the server is not allowed'],
  ['$text', 'an audience is read in order of _id, which a text search does not allow'],
  ['$near', 'an audience is read in order of _id, which a search by distance does not allow'],
  ['$nearSphere', 'an audience is read in order of _id, which a search by distance does not allow'],
]);
/** The server's own limit on nesting. */
const maxDepth = 100;

/** The first operator of a filter that is refused, at any depth; `path` is relative to the filter. */
export function checkFilter(filter: unknown, path = '', depth = 0): Fault | undefined {
  if (typeof filter !== 'object' || filter === null || '_bsontype' in filter) return undefined;
  if (depth > maxDepth) return fault(path, `is nested more than ${maxDepth} levels deep`);
  for (const [name, value] of Object.entries(filter)) {
    const at = Array.isArray(filter) ? `${path}[${name}]` : path === '' ? name : `${path}.${name}`;
    const reason = Array.isArray(filter) ? undefined : refusedOperators.get(name);
    if (reason !== undefined) return fault(at, `${name} is refused: ${reason}`);
    const inner = checkFilter(value, at, depth + 1);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

const fault = (path: string, message: string): Fault => ({ code: 'filter_refused', path, message });

/** Why a collection cannot be an audience; undefined when it can. */
export function checkAudienceCollection(name: string): string | undefined {
  if (name === '' || name.startsWith('system.') || name.includes('$') || name.includes('\0'))
    return `"${name}" is no collection of contacts`;
  return ownCollections.includes(name) ? `"${name}" is a collection of this service` : undefined;
}

/**
 * The query for one page, ordered by `_id` across types. `min` is a bound of the index and so crosses types, which a
 * `$gt` does not; it is inclusive, so the document the last page ended with is filtered out.
 */
export function audienceQuery(db: Db, source: AudienceSource, after: unknown, limit: number): FindCursor<Document> {
  const { collection, filter } = source;
  const conditions = after === undefined ? filter : { $and: [filter, { _id: { $ne: after } }] };
  const cursor = db.collection(collection).find(conditions as Filter<Document>, {
    sort: { _id: 1 },
    hint: { _id: 1 },
    limit,
    batchSize: limit + 1,
  });
  // Also on the first page: what cannot be paged (a view) is refused before anything is expanded.
  return cursor.min({ _id: after === undefined ? new MinKey() : after });
}

/**
 * Each page is a query of its own, so an expansion may rest between two for days. A page is one answer of the server, so
 * it has at most 16 MB, and maybe fewer documents than `limit` although there are more.
 * @throws ServiceError `document_invalid` for a collection or filter that is refused, by us or by the server.
 */
export async function readAudiencePage(
  db: Db,
  source: AudienceSource,
  after: unknown,
  limit: number,
): Promise<AudiencePage> {
  const refusal = checkAudienceCollection(source.collection);
  if (refusal !== undefined) throw new ServiceError('document_invalid', `audience.collection: ${refusal}`);
  const refused = checkFilter(source.filter);
  if (refused !== undefined)
    throw new ServiceError('document_invalid', `audience.filter.${refused.path}: ${refused.message}`);
  const cursor = audienceQuery(db, source, after, limit);
  try {
    await cursor.hasNext();
    const found = cursor.readBufferedDocuments();
    const exhausted = cursor.id === undefined || cursor.id.isZero();
    return {
      documents: found.map((raw) => ({ raw, after: resumable(raw['_id']) })),
      done: exhausted && found.length < limit,
    };
  } catch (error) {
    throw isRefusal(error)
      ? new ServiceError('document_invalid', `audience.filter: ${(error as Error).message}`, { cause: error })
      : error;
  } finally {
    await cursor.close();
  }
}

/** The server will say the same of this filter (or of this collection, which may be a view) for ever. */
const isRefusal = (error: unknown): boolean => error instanceof MongoServerError && !isNoFaultOfDocuments(error);

/** A date that JavaScript cannot hold would be sent back as 1970 and the same page read for ever. */
function resumable(id: unknown): unknown {
  if (id instanceof Date && Number.isNaN(id.getTime()))
    throw new ServiceError('document_invalid', 'audience: an _id is a date outside the range of a JavaScript Date');
  return id;
}
