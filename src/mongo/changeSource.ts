import type { ClientSession, Db, Document } from 'mongodb';
import { Long, MongoServerError } from 'mongodb';
import type { Change, ChangeBatch, ChangeSource } from '../domain/changePorts.ts';
import { ServiceError } from '../domain/errors.ts';
import type { StreamPosition } from '../domain/model.ts';
import { positionSeconds } from '../domain/partitions.ts';
import type { Clock } from '../domain/systemPorts.ts';
import { changeOf, filterVersion, type WatchEvent, watchPipeline } from './watch.ts';

export { filterVersion } from './watch.ts';

/** `cause` of ServiceError `position_lost`. `filter_version`: another release wrote the position, which is planned and no alert. */
export interface PositionLost {
  why: 'filter_version' | 'replica_set' | 'history';
  error?: unknown;
}

export interface ChangeSourceParams {
  db: Db;
  /** Identity of the replica set (`replicaSetId`): part of each position. */
  replicaSet: string;
  clock: Clock;
  /** How long the server waits for news before it answers with an empty batch; default 1000. */
  maxAwaitTimeMs?: number;
  /** Events of one batch, at most; default 1000. */
  batchSize?: number;
  /** Silence after which the stream counts as broken; default 3 x maxAwaitTimeMs + 5 s. */
  silenceMs?: number;
}

interface Cursor {
  /** Zero: the server has none, or has not answered yet. */
  id: Long;
  session: ClientSession;
  /** The first batch came with the cursor. */
  first: ChangeBatch | undefined;
  /** Aborts what is on the wire. */
  abort: AbortController;
}

/** ChangeStreamFatalError, ChangeStreamHistoryLost, InvalidResumeToken; FailedToParse and Overflow: no token at all; 10334: an event that fits into no answer. */
const lostCodes = [280, 286, 260, 9, 15, 10334];
/** Assertions about a token carry numbers of their own. */
const isAssertion = (code: number): boolean => code >= 40_000;
const closeTimeoutMs = 2_000;
const longestPatienceMs = 600_000;
const cursorCollection = '$cmd.aggregate';

/**
 * One change stream over the database, pulled a server batch at a time by plain `getMore`s: the driver's own iterator
 * hides where a batch ends, and with it the position that belongs to it, and it reopens by itself at times.
 * Behind several mongos the URI must name one, since nothing pins the cursor's reads to the router that made it.
 */
export class MongoChangeSource implements ChangeSource {
  readonly #db: Db;
  readonly #replicaSet: string;
  readonly #clock: Clock;
  readonly #maxAwaitTimeMs: number;
  readonly #batchSize: number;
  readonly #silenceMs: number;
  #cursor: Cursor | undefined;
  /** A long way through the oplog without a match is silent too, so patience doubles until something was heard. */
  #silences = 0;

  constructor(params: ChangeSourceParams) {
    this.#db = params.db;
    this.#replicaSet = params.replicaSet;
    this.#clock = params.clock;
    this.#maxAwaitTimeMs = params.maxAwaitTimeMs ?? 1_000;
    this.#batchSize = params.batchSize ?? 1_000;
    this.#silenceMs = params.silenceMs ?? 3 * this.#maxAwaitTimeMs + 5_000;
  }

  async open(position: StreamPosition | undefined): Promise<void> {
    await this.close();
    if (position !== undefined) this.#refuseForeign(position);
    const session = this.#db.client.startSession({ causalConsistency: false });
    const abort = new AbortController();
    // Known before the server answers, so that `close` finds it.
    const cursor: Cursor = { id: Long.ZERO, session, first: undefined, abort };
    this.#cursor = cursor;
    try {
      // asked first: a stream that begins in the future may well say nothing until then
      if (position !== undefined) refuseFuture(position, await this.#heard(cursor, { ping: 1 }, false));
      const reply = await this.#heard(cursor, this.#openCommand(position));
      cursor.id = reply['cursor'].id;
      // it may be read long after it came
      cursor.first = { ...this.#batch(reply['cursor'].firstBatch, reply), complete: false };
    } catch (error) {
      await this.#drop(cursor);
      throw position === undefined ? error : asPositionLost(error, true);
    }
  }

  async read(awaitMs = this.#maxAwaitTimeMs): Promise<ChangeBatch> {
    const cursor = this.#cursor;
    if (cursor === undefined) throw new ServiceError('internal', 'the change source is not open');
    try {
      if (cursor.first !== undefined) {
        const { first } = cursor;
        cursor.first = undefined;
        return first;
      }
      if (cursor.id.isZero()) throw new Error('the server ended the change stream');
      const reply = await this.#heard(cursor, {
        getMore: cursor.id,
        collection: cursorCollection,
        batchSize: this.#batchSize,
        maxTimeMS: Math.min(awaitMs, this.#maxAwaitTimeMs),
      });
      cursor.id = reply['cursor'].id;
      return this.#batch(reply['cursor'].nextBatch, reply);
    } catch (error) {
      await this.#drop(cursor);
      throw asPositionLost(error, false);
    }
  }

  async close(): Promise<void> {
    if (this.#cursor !== undefined) await this.#drop(this.#cursor);
  }

  #openCommand(position: StreamPosition | undefined): Document {
    // `startAfter` takes what `resumeAfter` takes, and the token of an invalidate event too.
    const $changeStream = position === undefined ? {} : { startAfter: { _data: position.token } };
    return {
      aggregate: 1,
      pipeline: [{ $changeStream }, ...watchPipeline(this.#db.databaseName)],
      cursor: { batchSize: this.#batchSize },
      readConcern: { level: 'majority' },
      comment: 'communication-base changes',
    };
  }

  #refuseForeign(position: StreamPosition): void {
    if (position.replicaSet !== this.#replicaSet)
      throw positionLost('replica_set', `the position is of ${position.replicaSet}, this is ${this.#replicaSet}`);
    if (position.filterVersion !== filterVersion)
      throw positionLost('filter_version', `the position is of filter ${position.filterVersion}, not ${filterVersion}`);
  }

  #batch(events: WatchEvent[], reply: Document): ChangeBatch {
    const changes = events.map(changeOf).filter((change): change is Change => change !== undefined);
    const token: string = reply['cursor'].postBatchResumeToken._data;
    const position = { token, replicaSet: this.#replicaSet, filterVersion };
    return { changes, position, complete: events.length < this.#batchSize };
  }

  /** Runs a command of the cursor; fails when nothing is heard for too long. `ofStream`: whether its answer shows that the stream speaks. */
  #heard({ session, abort }: Cursor, command: Document, ofStream = true): Promise<Document> {
    const patienceMs = ofStream ? Math.min(this.#silenceMs * 2 ** this.#silences, longestPatienceMs) : this.#silenceMs;
    return new Promise((resolve, reject) => {
      let isLate = false;
      const cancel = this.#clock.after(patienceMs, () => {
        isLate = true;
        if (ofStream) this.#silences += 1;
        reject(new Error(`the change stream was silent for ${patienceMs} ms`));
      });
      // A cursor id must go back as the int64 it came as. As a bigint (`useBigInt64`) it would do too, but so would the counter
      // in an error of a server that is no primary any more, at which the driver's monitor throws outside all promises.
      this.#db
        .command(command, { session, signal: abort.signal, promoteLongs: false })
        .finally(cancel)
        .then((reply) => {
          // one that comes while its cursor is dropped is of no use, and no reason to wait for the next less long
          if (ofStream && !isLate) this.#silences = 0;
          resolve(reply);
        }, reject);
    });
  }

  /** Leaves no cursor on the server: kills it by id, or, where the id never arrived, with its session. */
  async #drop(cursor: Cursor): Promise<void> {
    if (this.#cursor === cursor) this.#cursor = undefined;
    const { id, session, abort } = cursor;
    if (session.hasEnded) return;
    const lsid = session.id;
    const command = id.isZero() ? { killSessions: [lsid] } : { killCursors: cursorCollection, cursors: [id] };
    const db = id.isZero() ? this.#db.admin() : this.#db;
    const tooLong = new AbortController();
    const cancel = this.#clock.after(closeTimeoutMs, () => tooLong.abort());
    // Without an answer the server drops the cursor itself, when it finds its connection gone or after ten idle minutes.
    await db.command(command, { signal: tooLong.signal }).catch(() => {});
    cancel();
    abort.abort();
    await session.endSession();
  }
}

const positionLost = (why: PositionLost['why'], message: string, error?: unknown): ServiceError =>
  new ServiceError('position_lost', message, { cause: { why, error } satisfies PositionLost });

function asPositionLost(error: unknown, opening: boolean): unknown {
  if (!(error instanceof MongoServerError)) return error;
  const code = Number(error.code);
  if (!lostCodes.includes(code) && !(opening && isAssertion(code))) return error;
  return positionLost('history', `the position cannot be resumed: ${error.message}`, error);
}

/** A token ahead of the server is of another history: the server would take it and say nothing until its time has come. */
function refuseFuture(position: StreamPosition, reply: Document): void {
  const seconds = positionSeconds(position);
  const now: { t?: number; getHighBits?(): number } | undefined = reply['operationTime'];
  if (seconds === undefined || now?.getHighBits === undefined) return;
  if (seconds > now.getHighBits() >>> 0)
    throw positionLost('replica_set', 'the position is ahead of the server: it is of another history');
}
