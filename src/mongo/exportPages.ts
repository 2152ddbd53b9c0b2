import type { Collection, Document } from 'mongodb';
import { patiently } from './patience.ts';

export interface PageOptions {
  signal?: AbortSignal;
  /** Documents in a page, at most; default 1000. */
  limit?: number;
  /** The only fields to read; all when absent. */
  fields?: readonly string[];
}

/**
 * All documents whose `_id` lies in `[from, to)`, in order of `_id`, by its index. Each page is a query of its own, so a
 * reader may rest for days between two and no cursor runs out; it is one answer of the server, so 16 MB at most. No
 * snapshot: what is written meanwhile is there or not. Read from a secondary where there is one.
 */
export async function* pagesOf(
  collection: Collection<Document>,
  { from, to }: { from: string; to: string },
  { signal, limit = 1000, fields = [] }: PageOptions = {},
): AsyncGenerator<Document[]> {
  const projection = Object.fromEntries(fields.map((field) => [field, 1]));
  let lower: Document = { $gte: from };
  for (;;) {
    const page = await patiently(() => readPage(collection, { ...lower, $lt: to }, { limit, projection }), signal);
    if (page.length === 0 || signal?.aborted) return;
    yield page;
    lower = { $gt: page.at(-1)?.['_id'] };
  }
}

async function readPage(
  collection: Collection<Document>,
  _id: Document,
  { limit, projection }: { limit: number; projection: Document },
): Promise<Document[]> {
  const cursor = collection.find({ _id } as never, {
    sort: { _id: 1 },
    hint: { _id: 1 },
    limit,
    projection,
    batchSize: limit + 1,
    readPreference: 'secondaryPreferred',
  });
  try {
    await cursor.hasNext();
    return cursor.readBufferedDocuments();
  } finally {
    await cursor.close();
  }
}
