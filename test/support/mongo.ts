import { randomBytes } from 'node:crypto';
import { type Db, type Document, MongoClient, type MongoClientOptions } from 'mongodb';
import { decoding } from '../../src/mongo/decoding.ts';
import { waitFor } from './waitFor.ts';

export interface TestDatabase {
  client: MongoClient;
  db: Db;
  /** URI of the replica set without a database: what MONGODB_URI of a worker is. */
  uri: string;
  /** What MONGODB_DATABASE is. */
  name: string;
  /** Drops the database and closes the client. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** URI of the run's replica set (single node, fail points on). */
export function testUri(): string {
  const uri = process.env['TEST_MONGODB_URI'];
  if (uri === undefined) throw new Error('TEST_MONGODB_URI is not set: this jest project has no globalSetup');
  return uri;
}

/** A database of its own on the run's replica set; `name` only helps to recognise it. */
export async function testDatabase(name = 'test', options: MongoClientOptions = {}): Promise<TestDatabase> {
  const uri = testUri();
  const unique = `${name.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 30)}_${randomBytes(6).toString('hex')}`;
  const client = await new MongoClient(uri, { ...decoding, ...options }).connect();
  const db = client.db(unique);
  const close = async (): Promise<void> => {
    await db.dropDatabase();
    await client.close();
  };
  return { client, db, uri, name: unique, close, [Symbol.asyncDispose]: close };
}

export interface FailCommand {
  failCommands: string[];
  /** Aims at the clients that call themselves so (`appName` of MongoClient); always give one, the server is shared. */
  appName: string;
  /** And at this collection, `<database>.<name>`; where others who run meanwhile call themselves so too. */
  namespace?: string;
  /** How many commands fail; default 1. */
  times?: number | 'alwaysOn';
  errorCode?: number;
  errorLabels?: string[];
  closeConnection?: boolean;
  writeConcernError?: { code: number; errmsg: string };
  /** Answers only after so many ms. */
  blockTimeMS?: number;
}

/** A test that died with it holds the fail point no longer, ms. */
const longestHeldMs = 60_000;

/** The server has one such point, and test files run side by side: whoever wants it waits until it is free. */
async function holdFailPoint(client: MongoClient): Promise<() => Promise<void>> {
  const locks = client.db('test_locks').collection<{ _id: string; until: Date }>('locks');
  await waitFor(
    // refused as a duplicate while somebody holds it
    () =>
      locks.updateOne(
        { _id: 'failCommand', until: { $lt: new Date() } },
        { $set: { until: new Date(Date.now() + longestHeldMs) } },
        { upsert: true },
      ),
    { timeoutMs: 2 * longestHeldMs, intervalMs: 50, what: 'the fail point of the server to be free' },
  );
  return async () => void (await locks.deleteOne({ _id: 'failCommand' }));
}

/** Makes the server fail commands (fail point `failCommand`). Switch it off with what is returned. */
export async function failCommand(
  client: MongoClient,
  { times = 1, blockTimeMS, ...data }: FailCommand,
): Promise<{ off(): Promise<void>; [Symbol.asyncDispose](): Promise<void> }> {
  const admin = client.db('admin');
  let release: (() => Promise<void>) | undefined = await holdFailPoint(client);
  const block: Document = blockTimeMS === undefined ? {} : { blockConnection: true, blockTimeMS };
  await admin.command({
    configureFailPoint: 'failCommand',
    mode: times === 'alwaysOn' ? 'alwaysOn' : { times },
    data: { ...data, ...block },
  });
  const off = async (): Promise<void> => {
    if (release === undefined) return;
    const free = release;
    release = undefined;
    await admin.command({ configureFailPoint: 'failCommand', mode: 'off' });
    await free();
  };
  return { off, [Symbol.asyncDispose]: off };
}
