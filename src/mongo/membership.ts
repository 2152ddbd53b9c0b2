import type { ClientSession, Db } from 'mongodb';
import { MongoServerError } from 'mongodb';
import { isServiceError } from '../domain/errors.ts';
import type { Forgotten, MembershipStore } from '../domain/memberPorts.ts';
import type { Member, Partition, StreamPosition } from '../domain/model.ts';
import { earlier } from '../domain/positions.ts';
import type { Clock } from '../domain/systemPorts.ts';
import { type Collections, collections } from './collections.ts';
import { ForgottenTransactions, killSessions } from './forgotten.ts';

/** What of the ledger is needed here. */
export interface Transactor {
  readonly memberId: string;
  transact<T>(name: string, work: (session: ClientSession) => Promise<T>): Promise<T>;
}

export interface MongoMembershipParams {
  db: Db;
  ledger: Transactor;
  clock: Pick<Clock, 'monotonic'>;
  /** Ms until a read counts as failed. */
  maxTimeMs: number;
  /**
   * Called inside a claim, before it commits, maybe more than once, with the position from which the stream has to be read
   * again (undefined: a sweep is needed). From here on the ledger must not store a later one until that was done, or a
   * crash in between would lose hints.
   */
  onClaim?: (from: StreamPosition | undefined) => void;
}

const duplicateKey = 11000;

/** Membership as documents: `members` and `partitions`, every change of ownership under the fence of who makes it. */
export class MongoMembership implements MembershipStore {
  readonly #db: Db;
  readonly #ledger: Transactor;
  readonly #maxTimeMs: number;
  readonly #forgotten: ForgottenTransactions;
  readonly #onClaim: (from: StreamPosition | undefined) => void;
  readonly #members: Collections['members'];
  readonly #partitions: Collections['partitions'];

  constructor(params: MongoMembershipParams) {
    this.#db = params.db;
    this.#ledger = params.ledger;
    this.#maxTimeMs = params.maxTimeMs;
    this.#forgotten = new ForgottenTransactions(params);
    this.#onClaim = params.onClaim ?? (() => {});
    this.#members = collections(params.db).members;
    this.#partitions = collections(params.db).partitions;
  }

  async join(member: Member): Promise<void> {
    try {
      await this.#members.insertOne({ ...member, beat: 0 });
    } catch (error) {
      // An earlier try of the same member may have arrived although its answer was lost: ids are never used twice.
      if (!(error instanceof MongoServerError) || error.code !== duplicateKey) throw error;
    }
  }

  members(): Promise<Member[]> {
    return this.#members.find({}, { maxTimeMS: this.#maxTimeMs, sort: { _id: 1 } }).toArray();
  }

  partitions(): Promise<Partition[]> {
    return this.#partitions.find({}, { maxTimeMS: this.#maxTimeMs, sort: { _id: 1 } }).toArray();
  }

  endForgotten(members: readonly Member[]): Promise<Forgotten> {
    return this.#forgotten.end(members.filter(({ _id }) => _id !== this.#ledger.memberId));
  }

  async takeOver({ _id, beat, sessionId }: Member): Promise<boolean> {
    if ((await this.#members.findOne({ _id, beat }, { maxTimeMS: this.#maxTimeMs })) === null) return false;
    // An open transaction of a dead owner would lock its rows for a minute and more, against others' pushes too.
    if (sessionId !== undefined) await killSessions(this.#db, [sessionId]);
    return this.#ledger.transact('take_over', async (session) => {
      const dead = await this.#members.findOneAndDelete({ _id, beat }, { session });
      if (dead === null) return false;
      await this.#free({ owner: _id }, dead.position, session);
      return true;
    });
  }

  claim(partitions: readonly number[]): Promise<Partition[]> {
    if (partitions.length === 0) return Promise.resolve([]);
    return this.#ledger.transact('claim', async (session) => {
      const members = await this.#members.find({}, { session, projection: { position: 1 } }).toArray();
      // An owner without a document is fenced for good, however it came to that.
      const free = { _id: { $in: [...partitions] }, owner: { $nin: members.map(({ _id }) => _id) } };
      const found = await this.#partitions.find(free, { session, sort: { _id: 1 } }).toArray();
      if (found.length === 0) return [];
      const owner = this.#ledger.memberId;
      const owned = await this.#partitions.countDocuments({ owner }, { session });
      await this.#partitions.updateMany(
        { _id: { $in: found.map(({ _id }) => _id) } },
        { $set: { owner } },
        { session },
      );
      const own = members.find(({ _id }) => _id === owner)?.position;
      const from = readFrom(found, own, owned > 0);
      await this.#members.updateOne(
        { _id: owner },
        from === undefined ? { $unset: { position: '' } } : { $set: { position: from } },
        { session },
      );
      this.#onClaim(from);
      return found.map((partition) => ({ ...partition, owner }));
    });
  }

  async release(partitions: readonly number[], position: StreamPosition | undefined): Promise<void> {
    if (partitions.length === 0) return;
    const mine = { _id: { $in: [...partitions] }, owner: this.#ledger.memberId };
    await this.#ledger.transact('release', (session) => this.#free(mine, position, session));
  }

  async leave(position: StreamPosition | undefined): Promise<void> {
    const { memberId } = this.#ledger;
    try {
      await this.#ledger.transact('leave', async (session) => {
        await this.#free({ owner: memberId }, position, session);
        await this.#members.deleteOne({ _id: memberId }, { session });
      });
    } catch (error) {
      // Gone is gone: an earlier try of ours, or a take-over, freed everything.
      if (!isServiceError(error, 'fenced')) throw error;
    }
  }

  /** Without a position the partitions keep theirs, which is earlier and so only repeats hints. */
  async #free(
    filter: { _id?: { $in: number[] }; owner: string },
    position: StreamPosition | undefined,
    session: ClientSession,
  ): Promise<void> {
    const update = { $unset: { owner: '' as const }, ...(position ? { $set: { position } } : {}) };
    await this.#partitions.updateMany(filter, update, { session });
  }
}

/** Where the stream has to be read from once these partitions are owned too: the earliest of all; undefined when one has no usable position. */
function readFrom(
  claimed: readonly Partition[],
  own: StreamPosition | undefined,
  ownsSome: boolean,
): StreamPosition | undefined {
  const positions = claimed.map(({ position }) => position);
  if (own !== undefined || ownsSome) positions.push(own);
  return positions.reduce((a, b) => (isSameHistory(a, b) ? earlier(a, b) : undefined));
}

const isSameHistory = (a: StreamPosition | undefined, b: StreamPosition | undefined): boolean =>
  a?.replicaSet === b?.replicaSet && a?.filterVersion === b?.filterVersion;
