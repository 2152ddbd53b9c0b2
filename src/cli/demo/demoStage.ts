/** Everything the demo needs to be there before the campaign starts. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServiceError } from '../../domain/errors.ts';
import { connect } from '../../mongo/client.ts';
import { type Collections, collections, initDatabase } from '../../mongo/collections.ts';
import type { Db } from '../../mongo/values.ts';
import type { Context } from '../context.ts';
import { pause, unlessAborted } from '../interrupt.ts';
import { type Cleanup, startDatabase, startWorker, type WorkerProcess, workerEnvironment } from './demoProcesses.ts';
import { type Provider, startProvider } from './demoProvider.ts';
import { type Replies, startReplies } from './demoReplies.ts';
import { answerTo, isUnknownAddress, type Person, people, template } from './demoScenario.ts';

export interface Stage {
  uri: string;
  /** The replica set was started by the demo. */
  own: boolean;
  db: Db;
  stored: Collections;
  provider: Provider;
  replies: Replies;
  workers: WorkerProcess[];
}

const members = 2;
const partitions = 64;
const readyWithinMs = 40_000;
const graceMs = 5000;
const slice = 1000;

/** `uri` empty: a replica set is started. What was started is stopped, what was made removed, by `cleanup`. */
export async function setStage(contacts: number, uri: string, context: Context, cleanup: Cleanup): Promise<Stage> {
  const { out, signal } = context;
  const own = uri === '';
  if (own) out.line(out.color.dim('starting a MongoDB replica set …'));
  const target = own ? await startDatabase(cleanup, signal) : uri;
  const client = await unlessAborted(connect(target, { appName: 'communication-base demo' }), signal);
  cleanup.defer(() => client.close());
  const db = client.db(own ? 'demo' : `communication_base_demo_${randomBytes(4).toString('hex')}`);
  if (!own) cleanup.defer(async () => void (await db.dropDatabase()));
  await unlessAborted(initDatabase(db, { partitions }), signal);
  const stored = collections(db);
  await writeAudience(db, stored, contacts, signal);
  const replies = startReplies(stored.conversations);
  cleanup.defer(() => replies.stop());
  const provider = await startProvider({
    refuses: isUnknownAddress,
    onAccepted: ({ conversationId, channel, stage, step }) => {
      const answer = answerTo(conversationId, stage, step);
      if (answer) replies.plan(conversationId, channel, answer);
    },
    outage: { after: Math.max(3, Math.floor(contacts * 0.8)), ms: 1200 },
    latencyMs: 15,
  });
  cleanup.defer(() => provider.close());
  out.line(out.color.dim(`starting ${members} workers …`));
  const workers = await startWorkers({ uri: target, database: db.databaseName, provider }, context, cleanup);
  await untilReady(stored, workers, signal);
  return { uri: target, own, db, stored, provider, replies, workers };
}

async function writeAudience(db: Db, stored: Collections, contacts: number, signal: AbortSignal): Promise<void> {
  await stored.templates.insertOne(template);
  let batch: Person[] = [];
  const write = async (): Promise<void> => {
    if (batch.length > 0) await unlessAborted(db.collection<Person>('contacts').insertMany(batch), signal);
    batch = [];
  };
  for (const person of people(contacts)) {
    batch.push(person);
    if (batch.length === slice) await write();
  }
  await write();
}

interface WorkerTarget {
  uri: string;
  database: string;
  provider: Provider;
}

async function startWorkers(target: WorkerTarget, context: Context, cleanup: Cleanup): Promise<WorkerProcess[]> {
  const { env, signal } = context;
  const folder = await mkdtemp(join(tmpdir(), 'communication-base-demo-'));
  cleanup.defer(() => rm(folder, { recursive: true, force: true }));
  const settings = {
    MONGODB_URI: target.uri,
    MONGODB_DATABASE: target.database,
    PARTITIONS: String(partitions),
    HEALTH_PORT: '0',
    HASH_KEY: 'of the demo alone, for its unsubscribe links',
    LOG_LEVEL: env['LOG_LEVEL'] === 'debug' ? 'debug' : 'info',
    SHUTDOWN_GRACE_MS: String(graceMs - 1000),
    CHANNEL_EMAIL_DRIVER: 'http',
    CHANNEL_EMAIL_URL: `${target.provider.url}/email`,
    CHANNEL_SMS_DRIVER: 'http',
    CHANNEL_SMS_URL: `${target.provider.url}/sms`,
  };
  const workers = Array.from({ length: members }, (_, index) =>
    startWorker(workerEnvironment(env, settings), join(folder, `worker-${index + 1}.log`)),
  );
  cleanup.defer(async () => {
    // After Ctrl-C nobody waits for an orderly hand-over: the database goes away with them.
    await Promise.all(workers.map((worker) => worker.stop(signal.aborted ? 0 : graceMs)));
  });
  return workers;
}

/** Throws ServiceError `internal` with the end of its log when a worker is gone. */
export async function refuseEnded(workers: readonly WorkerProcess[]): Promise<void> {
  for (const worker of workers)
    if (worker.ended !== undefined)
      throw new ServiceError('internal', `a worker ${worker.ended}; the end of its log:\n${await worker.tail()}`);
}

async function untilReady(stored: Collections, workers: readonly WorkerProcess[], signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + readyWithinMs;
  for (;;) {
    await refuseEnded(workers);
    const owners = await unlessAborted(stored.partitions.distinct('owner'), signal);
    const free = await stored.partitions.countDocuments({ owner: { $exists: false } });
    if (owners.length === members && free === 0) return;
    if (performance.now() > deadline)
      throw new ServiceError(
        'internal',
        `the workers are not ready after ${readyWithinMs / 1000} s: ${owners.length} of ${members} members own partitions, ${free} partitions are free; the end of a log:\n${await workers[0]?.tail()}`,
      );
    await pause(100, signal);
  }
}
