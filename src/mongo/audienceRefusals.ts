/** What no audience may ask for, whoever writes it: told by path, before and while it is read. */
import { MongoServerError } from 'mongodb';
import { type Fault, ServiceError } from '../domain/errors.ts';
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

/** @throws ServiceError `document_invalid` for what is refused whatever the server thinks of it; `path` is where it stands. */
export function refuse({ collection, filter }: AudienceSource, path: string): void {
  const refusal = checkAudienceCollection(collection);
  if (refusal !== undefined) throw new ServiceError('document_invalid', `${path}.collection: ${refusal}`);
  const refused = checkFilter(filter);
  if (refused !== undefined)
    throw new ServiceError('document_invalid', `${path}.filter.${refused.path}: ${refused.message}`);
}

/** What the server refuses whoever asks, and when, is the fault of the document. */
export const refused = (error: unknown, path: string): unknown =>
  isRefusal(error)
    ? new ServiceError('document_invalid', `${path}: ${(error as Error).message}`, { cause: error })
    : error;

/** The server will say the same of this filter (or of this collection, which may be a view) for ever. */
const isRefusal = (error: unknown): boolean => error instanceof MongoServerError && !isNoFaultOfDocuments(error);
