import type { ClientSession, Db, MongoClient } from 'mongodb';
import { MongoNetworkError, MongoServerError } from 'mongodb';
import { ServiceError } from '../domain/errors.ts';
import type { Ledger } from '../domain/memberPorts.ts';
import type { ChannelState, Member, StreamPosition } from '../domain/model.ts';
import type { Clock, Instruments, Logger } from '../domain/systemPorts.ts';
import { isNoFaultOfDocuments, isSocketError } from './away.ts';
import { LedgerQueue } from './ledgerQueue.ts';

export interface LedgerParams {
  client: MongoClient;
  db: Db;
  memberId: string;
  leaseTtlMs: number;
  clock: Clock;
  logger: Logger;
  instruments: Instruments;
  /** Position up to which everything is done; stored with every fence write. */
  position: () => StreamPosition | undefined;
  /** Channels that are left alone, by name: stored with the fence where it is another object than what was stored last. */
  channelStates?: () => Readonly<Record<string, ChannelState>>;
  /** Random in [0, 1): jitter between tries. */
  random: () => number;
}

/**
 * The one writer of a member: one queue, one session, one transaction at a time. Each transaction begins with the fence,
 * an update of the member's own document, so it fails for good once somebody took the member over.
 */
export class MongoLedger implements Ledger {
  readonly memberId: string;
  readonly session: ClientSession;
  private readonly params: LedgerParams;
  /** The local lease ends this much before an observer may call the member expired. */
  private readonly marginMs: number;
  private readonly queue = new LedgerQueue();
  private closed = false;
  private storedStates: Readonly<Record<string, ChannelState>> | undefined;
  private lastFence: { monotonic: number; wall: number } | undefined;

  constructor(params: LedgerParams) {
    this.params = params;
    this.memberId = params.memberId;
    this.marginMs = Math.max(200, params.leaseTtlMs * 0.1);
    this.session = params.client.startSession({ causalConsistency: false });
  }

  /** lsid of the session, as stored in `members.sessionId`: whoever takes over kills it first. */
  get sessionId(): unknown {
    return this.session.id?.id;
  }

  get fencedAt(): number | undefined {
    return this.lastFence?.monotonic;
  }

  leaseRemaining(): number {
    if (this.lastFence === undefined) return 0;
    const { clock, leaseTtlMs } = this.params;
    const elapsed = Math.max(clock.monotonic() - this.lastFence.monotonic, clock.now() - this.lastFence.wall);
    return leaseTtlMs - this.marginMs - elapsed;
  }

  beat(): Promise<void> {
    return this.transact('beat', async () => {});
  }

  /**
   * One fenced transaction. `work` may run several times: it must read and write only through `session`.
   * @throws ServiceError `fenced` when the member's document is gone, `commit_unknown` when nobody can say whether the
   * commit took place, `database_unreachable` when not even the fence could be written; any other error means that
   * nothing was written for a reason of the work.
   */
  transact<T>(name: string, work: (session: ClientSession) => Promise<T>): Promise<T> {
    if (this.closed) return Promise.reject(new ServiceError('internal', `the ledger is closed (${name})`));
    return this.queue.run(name, () => this.attempts(name, work));
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.queue.idle();
    await this.session.endSession();
  }

  private async attempts<T>(name: string, work: (session: ClientSession) => Promise<T>): Promise<T> {
    const { instruments, logger } = this.params;
    for (let attempt = 1; ; attempt++) {
      try {
        const result = await this.once(work);
        instruments.transaction('committed');
        return result;
      } catch (error) {
        const again = isTransient(error) && this.mayTryAgain(attempt);
        instruments.transaction(again ? 'retried' : 'failed');
        if (!again) throw error;
        logger.debug('transaction is tried again', { transaction: name, attempt, error });
        await this.pause(attempt);
      }
    }
  }

  /** No transaction is retried past the lease; before the first fence there is none to pass. */
  private mayTryAgain(attempt: number): boolean {
    return this.lastFence === undefined ? attempt < 10 : this.leaseRemaining() > 0;
  }

  private async once<T>(work: (session: ClientSession) => Promise<T>): Promise<T> {
    const { clock, leaseTtlMs } = this.params;
    this.session.startTransaction({
      readConcern: { level: 'snapshot' },
      writeConcern: { w: 'majority', wtimeoutMS: leaseTtlMs },
      maxCommitTimeMS: leaseTtlMs,
    });
    let result: T;
    const fence = { monotonic: clock.monotonic(), wall: clock.now() };
    const states = this.params.channelStates?.();
    try {
      await this.fence(states === this.storedStates ? undefined : states);
      result = await work(this.session);
    } catch (error) {
      await this.session.abortTransaction().catch(() => {});
      throw error;
    }
    await this.commit();
    this.lastFence = fence;
    this.storedStates = states;
    return result;
  }

  private async fence(channelStates: Readonly<Record<string, ChannelState>> | undefined): Promise<void> {
    const { db, leaseTtlMs } = this.params;
    const position = this.params.position();
    const isOver = channelStates !== undefined && Object.keys(channelStates).length === 0;
    const set = { ...(position ? { position } : {}), ...(channelStates && !isOver ? { channelStates } : {}) };
    const update = {
      $inc: { beat: 1 },
      ...(Object.keys(set).length > 0 ? { $set: set } : {}),
      ...(isOver ? { $unset: { channelStates: '' as const } } : {}),
    };
    const { matchedCount } = await db
      .collection<Member>('members')
      .updateOne({ _id: this.memberId }, update, { session: this.session, maxTimeMS: leaseTtlMs })
      .catch((error: unknown) => {
        if (isTransient(error)) throw error;
        // nothing of the work was asked for yet: whatever this is, the work is not to blame
        throw new ServiceError('database_unreachable', 'the member cannot write its fence', { cause: error });
      });
    if (matchedCount === 0) throw new ServiceError('fenced', `member ${this.memberId} was taken over`);
  }

  /**
   * Repeats the commit alone until the server says what became of the transaction. Labels are not waited for: the driver
   * sets none on a connection whose pool was cleared meanwhile, which is what an election does to all of them.
   */
  private async commit(): Promise<void> {
    const { clock, leaseTtlMs } = this.params;
    const deadline = clock.monotonic() + Math.max(this.leaseRemaining(), leaseTtlMs / 4);
    let refusal: unknown;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.session.commitTransaction();
        return;
      } catch (error) {
        // a refused commit is over as well, and was so for the reason that was given first
        if (isNotCommitted(error)) throw refusal ?? error;
        if (isRefusal(error)) refusal ??= error;
        if (clock.monotonic() > deadline)
          throw new ServiceError('commit_unknown', 'the outcome of a commit stayed unknown', { cause: error });
        await this.pause(attempt);
      }
    }
  }

  private pause(attempt: number): Promise<void> {
    const ms = this.params.random() * Math.min(200, 5 * 2 ** Math.min(attempt, 8));
    return new Promise((resolve) => {
      this.params.clock.after(ms, resolve);
    });
  }
}

/** Nothing was written, and another try may do better. What was cut off in the middle has no label on a connection whose pool was cleared. */
const isTransient = (error: unknown): boolean =>
  error instanceof MongoNetworkError ||
  isSocketError(error) ||
  (error instanceof MongoServerError && error.hasErrorLabel('TransientTransactionError'));

/**
 * The one final refusal of a commit: nothing of it persists. Mostly that the server knows no such transaction, and a majority
 * confirmed that it never will; without that confirmation (a write concern error beside it) the server leaves the label out.
 */
const isNotCommitted = (error: unknown): boolean =>
  error instanceof MongoServerError && error.hasErrorLabel('TransientTransactionError');

/** The server took a dislike to what is written; only a second answer says whether that ended the transaction. */
const isRefusal = (error: unknown): boolean => error instanceof MongoServerError && !isNoFaultOfDocuments(error);
