import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import * as mongodb from 'mongodb';
import type { Member } from '../../src/domain/model.ts';
import { MongoLedger } from '../../src/mongo/ledger.ts';
import { systemClock } from '../contract/harness.ts';
import { recordingInstruments, silentLogger } from '../support/fakes.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';

const server = (code: number, errorLabels: string[] = []): Error =>
  new mongodb.MongoServerError({ message: `code ${code}`, code, errorLabels });

/** What commits were seen to fail with in elections; the driver labels nothing on a connection whose pool was cleared. */
const unsure: [string, () => Error][] = [
  ['a cut connection without a label', () => new mongodb.MongoNetworkError('connection 5 closed')],
  ['a time-out of the socket', () => new mongodb.MongoNetworkTimeoutError('timed out')],
  ['no primary', () => new mongodb.MongoServerSelectionError('none', {} as mongodb.TopologyDescription)],
  ['an unknown outcome by label', () => server(91, ['UnknownTransactionCommitResult'])],
  ['an interruption', () => server(11601)],
  [
    'a write concern that cannot be met',
    () => new mongodb.MongoWriteConcernError({ ok: 1, writeConcernError: { code: 100, errmsg: 'no' } }),
  ],
];

describe('the ledger', () => {
  let at: TestDatabase;
  let ledger: MongoLedger;
  let works: number;
  const open = (leaseTtlMs: number): MongoLedger =>
    new MongoLedger({
      ...{ client: at.client, db: at.db, memberId: 'm1', leaseTtlMs, clock: systemClock, random: Math.random },
      ...{ logger: silentLogger, instruments: recordingInstruments(), position: () => undefined },
    });
  beforeAll(async () => {
    at = await testDatabase('ledger', { readConcernLevel: 'majority', writeConcern: { w: 'majority' } });
  });
  afterAll(() => at.close());
  beforeEach(async () => {
    works = 0;
    await at.db.collection<Member>('members').insertOne({ _id: 'm1', beat: 0 } as Member);
    await at.db.collection<{ _id: string }>('counts').insertOne({ _id: 'c' });
    ledger = open(5_000);
  });
  afterEach(async () => {
    await ledger.close();
    for (const name of ['members', 'counts']) await at.db.collection(name).deleteMany({});
  });

  const counted = async (): Promise<number> => (await at.db.collection('counts').findOne())?.['n'] ?? 0;
  const count = (): Promise<string> =>
    ledger.transact('test', async (session) => {
      works += 1;
      await at.db.collection('counts').updateOne({}, { $inc: { n: 1 } }, { session });
      return 'done';
    });
  /** Stands in for the connection: `turn` is given the real commit, from the first on. */
  const commits = (turn: (commit: () => Promise<void>, n: number) => Promise<void>): void => {
    const real = ledger.session.commitTransaction.bind(ledger.session);
    let n = 0;
    ledger.session.commitTransaction = () => {
      n += 1;
      return turn(real, n);
    };
  };

  describe.each(unsure)('%s', (_, error) => {
    test.each([1, 3])('after a commit that took place, %i times: done, and counted once', async (times) => {
      commits(async (commit, n) => {
        await commit();
        if (n <= times) throw error();
      });
      expect(await count()).toBe('done');
      expect([works, await counted()]).toEqual([1, 1]);
    });

    test('before a commit, which is then made: done, and counted once', async () => {
      commits(async (commit, n) => {
        if (n === 1) throw error();
        await commit();
      });
      expect(await count()).toBe('done');
      expect([works, await counted()]).toEqual([1, 1]);
    });

    test('and no answer until the lease is over: nobody can say, and nothing is written twice', async () => {
      await ledger.close();
      ledger = open(400);
      commits(async (commit) => {
        await commit();
        throw error();
      });
      await expect(count()).rejects.toMatchObject({ code: 'commit_unknown' });
      expect([works, await counted()]).toEqual([1, 1]);
    });
  });

  /** As a new primary finds it: the server itself says that there is no such transaction. */
  const abortAtServer = async (): Promise<void> => {
    const { id, serverSession } = ledger.session;
    const txnNumber = mongodb.Long.fromNumber(serverSession.txnNumber);
    const command = { abortTransaction: 1, lsid: id, txnNumber, autocommit: false };
    const other = await new mongodb.MongoClient(at.uri, { retryWrites: false }).connect();
    try {
      await other.db('admin').command({ killSessions: [{ id: id?.id }] });
      await other
        .db('admin')
        .command(command)
        .catch(() => {});
    } finally {
      await other.close();
    }
  };

  test('a transaction the server no longer knows is made again, and counted once', async () => {
    commits(async (commit, n) => {
      if (n === 1) await abortAtServer();
      await commit();
    });
    expect(await count()).toBe('done');
    expect([works, await counted()]).toEqual([2, 1]);
  });

  test('a commit the server refuses is over for the reason it gave first', async () => {
    commits(async (commit, n) => {
      if (n === 1) {
        await abortAtServer();
        throw server(10334);
      }
      await commit();
    });
    await expect(count()).rejects.toMatchObject({ code: 10334 });
    expect([works, await counted()]).toEqual([1, 0]);
    expect(await count()).toBe('done');
    expect(await counted()).toBe(1);
  });

  test('a connection that is cut in the middle of the work: made again, counted once', async () => {
    const result = await ledger.transact('test', async (session) => {
      works += 1;
      await at.db.collection('counts').updateOne({}, { $inc: { n: 1 } }, { session });
      if (works === 1) throw new mongodb.MongoNetworkError('connection 5 closed');
      return 'done';
    });
    expect([result, works, await counted()]).toEqual(['done', 2, 1]);
  });
});
