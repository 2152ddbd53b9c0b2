import type { Db, Document, Filter, FindCursor } from 'mongodb';
import { MinKey, MongoServerError } from 'mongodb';
import { idsAt } from '../domain/audience.ts';
import type { AudiencePage } from '../domain/campaignPorts.ts';
import { ServiceError } from '../domain/errors.ts';
import type { ContactSource } from '../domain/exit.ts';
import { campaignKey } from '../domain/ids.ts';
import type { Exclusion, Id } from '../domain/model.ts';
import { isId } from '../domain/normalise.ts';
import { type AudienceSource, refuse, refused } from './audienceRefusals.ts';
import { orLeniently, readAll } from './decoding.ts';

export type { AudienceSource };

/**
 * The query for one page, ordered by `_id` across types. `min` is a bound of the index and so crosses types, which a
 * `$gt` does not; it is inclusive, so the document the last page ended with is filtered out.
 */
export function audienceQuery(
  db: Db,
  source: AudienceSource,
  after: unknown,
  limit: number,
  { before, ...how }: { raw?: true; maxTimeMS?: number; before?: unknown } = {},
): FindCursor<Document> {
  const { collection, filter } = source;
  const conditions = after === undefined ? filter : { $and: [filter, { _id: { $ne: after } }] };
  const cursor = db.collection(collection).find(conditions as Filter<Document>, {
    sort: { _id: 1 },
    hint: { _id: 1 },
    limit,
    batchSize: limit + 1,
    ...how,
  });
  if (before !== undefined) cursor.max({ _id: before });
  // Also on the first page: what cannot be paged (a view) is refused before anything is expanded.
  return cursor.min({ _id: after === undefined ? new MinKey() : after });
}

/** A page may take so long, ms; of fewer than `fewest` documents as long as it takes. */
const patienceMs = 1_000;
const fewest = 100;
/** Looked at once a page without such a bound took too long. */
const firstSpan = 20_000;

/**
 * Each page is a query of its own, so an expansion may rest between two for days. A page is one answer of the server, so
 * it has at most 16 MB, and maybe fewer documents than `limit` although there are more. Where few fit, a page is all that fit
 * of the next `most` documents: none takes the server long.
 * @throws ServiceError `document_invalid` for a collection or filter that is refused, by us or by the server.
 */
export async function readAudiencePage(
  db: Db,
  source: AudienceSource,
  after: unknown,
  limit: number,
  most?: number,
): Promise<AudiencePage> {
  refuse(source, 'audience');
  try {
    if (most !== undefined) return await boundedPage(db, source, after, limit, most);
    const page = await inTime(() => pageOf(db, source, after, limit, { maxTimeMS: patienceMs }));
    return page ?? (await boundedPage(db, source, after, limit, firstSpan));
  } catch (error) {
    throw refused(error, 'audience.filter');
  }
}

type Bounds = { maxTimeMS?: number; before?: unknown };

async function pageOf(
  db: Db,
  source: AudienceSource,
  after: unknown,
  limit: number,
  bounds: Bounds,
): Promise<AudiencePage> {
  let exhausted = false;
  const found = await orLeniently(
    (how) => audienceQuery(db, source, after, limit, { ...bounds, ...how }),
    async (cursor) => {
      await cursor.hasNext();
      exhausted = cursor.id === undefined || cursor.id.isZero();
      return cursor.readBufferedDocuments();
    },
  );
  return {
    documents: found.map((raw) => ({ raw, after: resumable(raw['_id']) })),
    done: exhausted && found.length < limit,
  };
}

async function boundedPage(
  db: Db,
  source: AudienceSource,
  after: unknown,
  limit: number,
  most: number,
): Promise<AudiencePage> {
  for (let count = most; ; count = Math.max(fewest, Math.ceil(count / 10))) {
    const [last, next] = await keysAt(db, source.collection, after, count);
    const bounds = {
      ...(count > fewest ? { maxTimeMS: patienceMs } : {}),
      ...(next === undefined ? {} : { before: next }),
    };
    const page = await inTime(() => pageOf(db, source, after, limit, bounds));
    if (page === undefined) continue;
    // what is left of the span comes behind the last document
    if (next === undefined || !page.done) return page;
    return { ...page, done: false, looked: { after: resumable(last), count } };
  }
}

/** The `count`-th `_id` behind `after` and the one behind it, from the index alone; undefined past the end. */
async function keysAt(db: Db, collection: string, after: unknown, count: number): Promise<unknown[]> {
  const source = { collection, filter: {} };
  const found = await readAll((how) =>
    audienceQuery(db, source, after, 2, how)
      .skip(count - 1)
      .project({ _id: 1 }),
  );
  return found.map(({ _id }) => _id);
}

/** Undefined when it took the server too long. */
async function inTime<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof MongoServerError && error.code === tookTooLong) return undefined;
    throw error;
  }
}

/** MaxTimeMSExpired. */
const tookTooLong = 50;

/** The last `_id`, from the index alone; undefined too where nothing can begin behind it. */
export async function readLastKey(db: Db, collection: string): Promise<unknown> {
  const options = { sort: { _id: -1 }, projection: { _id: 1 }, limit: 1 } as const;
  const [last] = await readAll((how) => db.collection(collection).find({}, { ...options, ...how }));
  return isInvalidDate(last?.['_id']) ? undefined : last?.['_id'];
}

/**
 * Which of the ids are those of documents that match, by `campaignKey`: by `_id`, or by a field, which needs an index.
 * @throws ServiceError `document_invalid` for a collection or filter that is refused, by us or by the server.
 */
export async function readExcluded(db: Db, exclusion: Exclusion, ids: readonly Id[]): Promise<Set<string>> {
  refuse(exclusion, 'audience.exclude');
  try {
    const excluded = new Set<string>();
    for (const document of await readAll((how) => excludedQuery(db, exclusion, ids, how)))
      for (const id of idsAt(document, exclusion.idPath)) if (isId(id)) excluded.add(campaignKey(id));
    return excluded;
  } catch (error) {
    throw refused(error, 'audience.exclude.filter');
  }
}

export function excludedQuery(
  db: Db,
  { collection, filter, idPath }: Exclusion,
  ids: readonly Id[],
  how: { raw?: true } = {},
): FindCursor<Document> {
  const conditions = { $and: [filter, { [idPath]: { $in: [...ids] } }] } as Filter<Document>;
  return db.collection(collection).find(conditions, { projection: { _id: 0, [idPath]: 1 }, ...how });
}

/**
 * Documents of contacts by their ids: by `_id`, or by a field, which needs an index. Undefined when it took too long: a round waits for it.
 * @throws ServiceError `document_invalid` for a collection that is refused, by us or by the server.
 */
export async function readSources(
  db: Db,
  { collection, idPath, fields }: ContactSource,
  ids: readonly Id[],
): Promise<Document[] | undefined> {
  refuse({ collection, filter: {} }, 'audience');
  const projection = Object.fromEntries(fields.map((field) => [field, 1]));
  try {
    const conditions = { [idPath]: { $in: [...ids] } } as Filter<Document>;
    const options = { projection, sort: { _id: 1 }, maxTimeMS: 2 * patienceMs } as const;
    return await inTime(() => readAll((how) => db.collection(collection).find(conditions, { ...options, ...how })));
  } catch (error) {
    throw refused(error, 'audience');
  }
}

const isInvalidDate = (id: unknown): boolean => id instanceof Date && Number.isNaN(id.getTime());

/** A date that JavaScript cannot hold would be sent back as 1970 and the same page read for ever. */
function resumable(id: unknown): unknown {
  if (isInvalidDate(id))
    throw new ServiceError('document_invalid', 'audience: an _id is a date outside the range of a JavaScript Date');
  return id;
}
