import { type Config, loadConfig } from '../config.ts';
import { maskUri } from '../configValues.ts';
import { type ErrorCode, isServiceError, ServiceError } from '../domain/errors.ts';
import type { Id } from '../domain/model.ts';
import { connect } from '../mongo/client.ts';
import { type Collections, collections } from '../mongo/collections.ts';
import { type Db, type MongoClient, mongoErrorOf, objectIdOf } from '../mongo/values.ts';
import type { Context } from './context.ts';
import { safe } from './output.ts';

export interface Database {
  config: Config;
  client: MongoClient;
  db: Db;
  in: Collections;
}

/** Unauthorized, AuthenticationFailed. */
const refusals: unknown[] = [13, 18];
/** Names of driver errors that mean: nobody there, or not for long enough. */
const unreachable = /Network|ServerSelection|Topology|NotConnected|PoolCleared|WaitQueue/;
const check = 'Check MONGODB_URI, the network, and that the servers are up.';

/**
 * Runs `use` with the database of the environment and closes the connection, whatever happens.
 * Throws ServiceError `config_invalid`; `database_unreachable` that says where it looked, without credentials.
 */
export async function withDatabase<T>(context: Context, use: (database: Database) => Promise<T>): Promise<T> {
  const config = loadConfig({ ...context.env });
  try {
    const client = await connect(config.mongodbUri, { appName: 'communication-base cli', maxPoolSize: 4 });
    try {
      const db = client.db(config.mongodbDatabase);
      return await use({ config, client, db, in: collections(db) });
    } finally {
      await client.close();
    }
  } catch (error) {
    throw located(error, config.mongodbUri);
  }
}

/** The same error with the place it is about, as far as it is one of MongoDB's. */
export function located(error: unknown, uri: string): unknown {
  const own = isServiceError(error) ? error.code : undefined;
  const cause = own !== undefined && (error as Error).cause !== undefined ? (error as Error).cause : error;
  const mongo = mongoErrorOf(cause);
  if (own !== undefined && own !== 'database_unreachable' && own !== 'not_a_replica_set') return error;
  if (own === undefined && mongo === undefined) return error;
  const message = safe((error as Error).message.replaceAll(uri, maskUri(uri)));
  const where = `(${maskUri(uri)})`;
  const become = (code: ErrorCode, text: string): ServiceError => new ServiceError(code, text, { cause });
  if (own === 'not_a_replica_set') return become(own, `${message} ${where}`);
  if (refusals.includes(mongo?.code))
    return become(
      'database_unreachable',
      `MongoDB refused: ${message} ${where}. Check user, password and authSource; the role readWrite on the database is enough.`,
    );
  if (own === 'database_unreachable' || unreachable.test(mongo?.name ?? ''))
    return become('database_unreachable', `${message} ${where}. ${check}`);
  return become('internal', `MongoDB: ${message} ${where}`);
}

/** A campaign or run under what was typed: the string first, then the ObjectId of these 24 hex digits. */
export function candidates(typed: string): Id[] {
  const objectId = objectIdOf(typed);
  return objectId === undefined ? [typed] : [typed, objectId];
}

/** An id as it is typed. */
export const showId = (id: unknown): string =>
  safe(typeof id === 'object' && id !== null && 'toHexString' in id ? String(id) : id);
