import type { Db, Document, MongoClientOptions, MongoServerSelectionError } from 'mongodb';
import { MongoClient, MongoError } from 'mongodb';
import { ServiceError } from '../domain/errors.ts';
import { readClusterId } from './collections.ts';
import { decoding } from './decoding.ts';

export interface ConnectOptions {
  /** Name in the server's logs and `$currentOp`; fault tests aim by it. */
  appName: string;
  /** Connections of this client to each server, at most; default 8. */
  maxPoolSize?: number;
  /** Ms until a write that a majority does not confirm fails; default 10,000. Keep it at or under the lease. */
  writeTimeoutMs?: number;
  /** Ms to wait for a suitable server; default 5000. */
  serverSelectionTimeoutMs?: number;
  /** Where the user is kept, instead of what the URI says. */
  authSource?: string;
}

/**
 * A member uses one connection for its ledger, one for its stream and a few for reads, so a process opens at most
 * `maxPoolSize` per member, plus two per server for monitoring, whatever the numbers of campaigns and partitions.
 */
const defaultMaxPoolSize = 8;

/**
 * Settings under which a frozen primary is noticed in some ten seconds instead of forty (connectTimeoutMS is also the
 * time-out of the monitor's heartbeats) and no write waits for a stalled majority without end. `timeoutMS` is never set:
 * it takes the place of `wtimeoutMS` and gives a connection back with an answer still on its way.
 */
const clientOptions = (options: ConnectOptions): MongoClientOptions => ({
  appName: options.appName,
  ...decoding,
  maxPoolSize: options.maxPoolSize ?? defaultMaxPoolSize,
  minPoolSize: 0,
  maxIdleTimeMS: 120_000,
  waitQueueTimeoutMS: 10_000,
  retryReads: true,
  retryWrites: true,
  readPreference: 'primary',
  readConcern: { level: 'majority' },
  writeConcern: { w: 'majority', wtimeoutMS: options.writeTimeoutMs ?? 10_000 },
  connectTimeoutMS: 3_000,
  heartbeatFrequencyMS: 2_000,
  serverSelectionTimeoutMS: options.serverSelectionTimeoutMs ?? 5_000,
  ...(options.authSource === undefined ? {} : { authSource: options.authSource }),
});

/**
 * A client that is not connected yet. What concerns safety (write concern, read concern, retries, time-outs) is set here and
 * wins over the URI.
 * @throws ServiceError `config_invalid` for a URI that cannot be read.
 */
export function clientOf(uri: string, options: ConnectOptions): MongoClient {
  try {
    return new MongoClient(withoutTimeoutMs(uri), clientOptions(options));
  } catch (error) {
    // Without its cause: some of these errors carry the URI, and so the password.
    throw new ServiceError('config_invalid', `MONGODB_URI cannot be used: ${(error as Error).message}`);
  }
}

/**
 * A connected client of a replica set or a sharded cluster.
 * @throws ServiceError `database_unreachable`, `not_a_replica_set`, or `config_invalid` for a URI that cannot be read.
 */
export async function connect(uri: string, options: ConnectOptions): Promise<MongoClient> {
  const client = clientOf(uri, options);
  try {
    await client.connect();
    refuseStandalone(await client.db('admin').command({ hello: 1 }));
    return client;
  } catch (error) {
    await client.close().catch(() => {});
    throw asServiceError(error);
  }
}

/**
 * Identity of what a resume token belongs to: the name of the replica set and the prepared database in it.
 * @throws ServiceError `not_initialised`.
 */
export async function replicaSetId(db: Db): Promise<string> {
  const [hello, clusterId] = await Promise.all([db.admin().command({ hello: 1 }), readClusterId(db)]);
  return `${hello['setName'] ?? 'sharded'}/${clusterId}`;
}

/** What the clock of the primary says. */
export async function serverTime(db: Db): Promise<Date> {
  const { localTime } = await db.admin().command({ hello: 1 });
  return localTime instanceof Date ? localTime : new Date();
}

function refuseStandalone(hello: Document): void {
  if (hello['setName'] !== undefined || hello['msg'] === 'isdbgrid') return;
  throw new ServiceError(
    'not_a_replica_set',
    'MongoDB runs as a standalone server, which has no change streams: start mongod with --replSet and run rs.initiate()',
  );
}

function asServiceError(error: unknown): unknown {
  if (!(error instanceof MongoError)) return error;
  const servers = (error as Partial<MongoServerSelectionError>).reason?.servers?.values() ?? [];
  for (const { type } of servers) {
    if (type === 'RSGhost')
      return new ServiceError('not_a_replica_set', 'the replica set is not initiated: run rs.initiate()', {
        cause: error,
      });
  }
  return new ServiceError('database_unreachable', `MongoDB cannot be used: ${error.message}`, { cause: error });
}

const withoutTimeoutMs = (uri: string): string =>
  uri.replace(/([?&])timeoutMS=[^&]*(&|$)/gi, (_, before: string, after: string) => (after === '' ? '' : before));
