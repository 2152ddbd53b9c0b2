/** A database, a provider of the channel `phone`, and workers, as an author of campaigns meets them. */
import { afterAll, afterEach, beforeAll } from '@jest/globals';
import type { Collection, Document } from 'mongodb';
import { type TestDatabase, testDatabase } from './mongo.ts';
import { type Sink, startSink } from './sink.ts';
import { waitFor } from './waitFor.ts';
import { shortLease, startWorker, type WorkerProcess } from './workers.ts';

type Loose = Document & { _id: string };

export interface TestService {
  /** Another worker; it is killed after the test. */
  start(): WorkerProcess;
  of<T extends Document = Loose>(collection: string): Collection<T>;
  until(what: string, condition: () => Promise<unknown>): Promise<unknown>;
}

/** Of one test file; `name` is the database's. */
export function testService(name: string): TestService {
  let database: TestDatabase;
  let sink: Sink;
  const workers: WorkerProcess[] = [];
  beforeAll(async () => {
    database = await testDatabase(name);
    sink = await startSink({ keep: 10 });
  });
  afterEach(async () => {
    for (const worker of workers.splice(0)) await worker.kill('SIGKILL');
  });
  afterAll(async () => {
    await sink.close();
    await database.close();
  });
  return {
    start: () => {
      const env = { CHANNEL_PHONE_DRIVER: 'http', CHANNEL_PHONE_URL: sink.url, PARTITIONS: '16', ...shortLease };
      const worker = startWorker(database, env);
      workers.push(worker);
      return worker;
    },
    of: (collection) => database.db.collection(collection),
    until: (what, condition) => waitFor(condition, { what, timeoutMs: 90_000, intervalMs: 100 }),
  };
}
