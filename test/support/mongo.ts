import { randomBytes } from 'node:crypto';
import { type Db, type Document, MongoClient, type MongoClientOptions } from 'mongodb';

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
  const client = await new MongoClient(uri, options).connect();
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
  /** How many commands fail; default 1. */
  times?: number | 'alwaysOn';
  errorCode?: number;
  errorLabels?: string[];
  closeConnection?: boolean;
  writeConcernError?: { code: number; errmsg: string };
  /** Answers only after so many ms. */
  blockTimeMS?: number;
}

/**
 * Makes the server fail commands (fail point `failCommand`). The server has one such point: a second call replaces the
 * first, so tests that use it do not overlap in one run of the server. Switch it off with what is returned.
 */
export async function failCommand(
  client: MongoClient,
  { times = 1, blockTimeMS, ...data }: FailCommand,
): Promise<{ off(): Promise<void>; [Symbol.asyncDispose](): Promise<void> }> {
  const admin = client.db('admin');
  const block: Document = blockTimeMS === undefined ? {} : { blockConnection: true, blockTimeMS };
  await admin.command({
    configureFailPoint: 'failCommand',
    mode: times === 'alwaysOn' ? 'alwaysOn' : { times },
    data: { ...data, ...block },
  });
  const off = async (): Promise<void> => {
    await admin.command({ configureFailPoint: 'failCommand', mode: 'off' });
  };
  return { off, [Symbol.asyncDispose]: off };
}
