/** What a server is found to be and to do, for those who judge it. Nothing is stored. */
import type { Db, Document } from 'mongodb';
import { type Long, MongoServerError } from 'mongodb';
import { collections } from './collections.ts';
import { watchPipeline } from './watch.ts';

export async function serverVersion(db: Db): Promise<string> {
  const { version } = await db.admin().command({ buildInfo: 1 });
  return String(version);
}

/** The server's clock less ours, ms, and by how much that may be wrong: half the way there and back. */
export interface ClockOffset {
  offsetMs: number;
  errorMs: number;
}

/** The best of some tries: the shortest way there and back says most. `now` is the wall clock, ms. */
export async function clockOffset(db: Db, now: () => number, tries = 5): Promise<ClockOffset> {
  let best: ClockOffset | undefined;
  for (let n = 0; n < tries; n += 1) {
    const sent = now();
    const start = performance.now();
    const { localTime } = await db.admin().command({ hello: 1 });
    const tripMs = performance.now() - start;
    const errorMs = tripMs / 2;
    if (best === undefined || errorMs < best.errorMs)
      best = { offsetMs: (localTime as Date).getTime() - (sent + errorMs), errorMs };
  }
  return best ?? { offsetMs: 0, errorMs: Number.POSITIVE_INFINITY };
}

/**
 * Whether a majority confirms within `ms`: an update that fits no document waits for everything before it all the same
 * (MongoDB manual, "Write Concern": a no-op write waits for the last write that it saw), and stores nothing.
 */
export async function confirmsMajority(db: Db, ms: number): Promise<boolean> {
  const nothing = { q: { _id: { $in: [] } }, u: { $set: { none: true } } };
  try {
    const reply = await db.command({
      update: 'settings',
      updates: [nothing],
      writeConcern: { w: 'majority', wtimeout: ms },
    });
    return reply['writeConcernError'] === undefined;
  } catch (error) {
    if (isUnconfirmed(error)) return false;
    throw error;
  }
}

/** WriteConcernFailed, UnsatisfiableWriteConcern. */
const isUnconfirmed = (error: unknown): boolean =>
  error instanceof MongoServerError && (error.code === 64 || error.code === 100);

/** Opens a change stream as a worker does, and closes it. Throws what the server says. */
export async function openStream(db: Db): Promise<void> {
  const { cursor } = await db.command(
    {
      aggregate: 1,
      pipeline: [{ $changeStream: {} }, ...watchPipeline(db.databaseName)],
      cursor: { batchSize: 0 },
      readConcern: { level: 'majority' },
      maxTimeMS: 5_000,
      comment: 'communication-base doctor',
    },
    { promoteLongs: false },
  );
  const id = (cursor as { id: Long }).id;
  await db.command({ killCursors: '$cmd.aggregate', cursors: [id] }).catch(() => {});
}

/** One campaign that asks for a look. */
export interface Trouble {
  _id: unknown;
  name?: unknown;
  error?: Document;
  startAt?: unknown;
}

export interface Troubles {
  failed: Trouble[];
  /** By the service, not by a person. */
  paused: Trouble[];
  /** That have to start and do not. */
  waiting: Trouble[];
}

/** More of a kind than these are only counted as more. */
export const shownTroubles = 20;

/** Campaigns that failed, were paused by the service, or had to start by `now` and did not; newest ids first. */
export async function readTroubles(db: Db, now: Date): Promise<Troubles> {
  const { campaigns } = collections(db);
  const find = (filter: Document): Promise<Trouble[]> =>
    campaigns
      .find(filter, {
        projection: { name: 1, error: 1, startAt: '$schedule.startAt' },
        sort: { _id: -1 },
        limit: shownTroubles + 1,
        maxTimeMS: 5_000,
      })
      .toArray() as unknown as Promise<Trouble[]>;
  const [failed, paused, waiting] = await Promise.all([
    find({ status: 'failed' }),
    find({ status: 'paused', 'error.code': { $exists: true } }),
    find({ $or: [{ status: 'pending' }, { status: 'scheduled', 'schedule.startAt': { $lt: now } }] }),
  ]);
  return { failed, paused, waiting };
}
