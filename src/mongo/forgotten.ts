import type { Db, Document } from 'mongodb';
import { MongoServerError } from 'mongodb';
import { type Forgotten, forgottenAfterMs } from '../domain/memberPorts.ts';
import type { Member } from '../domain/model.ts';
import type { Clock } from '../domain/systemPorts.ts';

/** A transaction that stands open, with the time in which it did something so far. */
interface Idle {
  session: unknown;
  transaction: string;
  since: number;
}

/**
 * Transactions that other members left open and do nothing in: who was killed or frozen in the middle of one keeps its rows
 * locked until somebody ends it, against the pushes of others too. A lease is long for that.
 */
export class ForgottenTransactions {
  private readonly db: Db;
  private readonly clock: Pick<Clock, 'monotonic'>;
  private readonly maxTimeMs: number;
  private seen: Idle[] = [];

  constructor(params: { db: Db; clock: Pick<Clock, 'monotonic'>; maxTimeMs: number }) {
    this.db = params.db;
    this.clock = params.clock;
    this.maxTimeMs = params.maxTimeMs;
  }

  /**
   * Ends those in which nothing happened since an earlier call, half a second ago or more. Whoever lives after all tries his
   * transaction again.
   */
  async end(members: readonly Pick<Member, 'sessionId'>[]): Promise<Forgotten> {
    const ids = members.flatMap(({ sessionId }) => (sessionId === undefined ? [] : [sessionId]));
    const now = this.clock.monotonic();
    const open = ids.length === 0 ? [] : await this.open(ids, now);
    this.seen = open.map(
      (one) =>
        this.seen.find((was) => String(was.session) === String(one.session) && was.transaction === one.transaction) ??
        one,
    );
    const forgotten = this.seen.filter(({ since }) => now - since >= forgottenAfterMs);
    if (forgotten.length === 0) return { ended: 0, open: this.seen.length };
    this.seen = this.seen.filter((one) => !forgotten.includes(one));
    await killSessions(
      this.db,
      forgotten.map(({ session }) => session),
    );
    return { ended: forgotten.length, open: this.seen.length };
  }

  private async open(ids: readonly unknown[], since: number): Promise<Idle[]> {
    const pipeline = [
      { $currentOp: { idleSessions: true } },
      { $match: { type: 'idleSession', 'lsid.id': { $in: ids }, 'transaction.parameters.autocommit': false } },
      { $project: { _id: 0, session: '$lsid.id', transaction: '$transaction' } },
    ];
    const { cursor } = await this.db
      .admin()
      .command({ aggregate: 1, pipeline, cursor: { batchSize: 1000 }, maxTimeMS: this.maxTimeMs })
      .catch((error: unknown) => {
        if (isUnauthorized(error)) return { cursor: { firstBatch: [] } };
        throw error;
      });
    return (cursor.firstBatch as Document[]).map((found) => ({
      session: found['session'],
      transaction: `${found['transaction'].parameters.txnNumber} ${found['transaction'].timeActiveMicros}`,
      since,
    }));
  }
}

const isUnauthorized = (error: unknown): boolean => error instanceof MongoServerError && error.code === 13;

/** Ends what is open in these sessions. Those of another user stay as they are: the fence holds, only their locks live on. */
export async function killSessions(db: Db, ids: readonly unknown[]): Promise<void> {
  try {
    await db.admin().command({ killSessions: ids.map((id) => ({ id })) });
  } catch (error) {
    if (!isUnauthorized(error)) throw error;
  }
}
