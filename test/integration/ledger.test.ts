import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import * as mongodb from 'mongodb';
import type { Member } from '../../src/domain/model.ts';
import type { Clock } from '../../src/domain/systemPorts.ts';
import { MongoLedger } from '../../src/mongo/ledger.ts';
import { systemClock } from '../../src/worker/systemClock.ts';
import { type ManualClock, manualClock } from '../support/clock.ts';
import { recordingInstruments, silentLogger } from '../support/fakes.ts';
import { failCommand, type TestDatabase, testDatabase } from '../support/mongo.ts';

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

const appName = 'ledger-test';

describe('the ledger', () => {
  let at: TestDatabase;
  let ledger: MongoLedger;
  let works: number;
  const open = (leaseTtlMs: number, clock: Clock = systemClock): MongoLedger =>
    new MongoLedger({
      ...{ client: at.client, db: at.db, memberId: 'm1', leaseTtlMs, clock, random: () => 0.1 },
      ...{ logger: silentLogger, instruments: recordingInstruments(), position: () => undefined },
    });
  beforeAll(async () => {
    at = await testDatabase('ledger', { appName, readConcernLevel: 'majority', writeConcern: { w: 'majority' } });
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
  /** Stands in for the connection: `answer` is given the real commit, from the first on. */
  const commits = (answer: (commit: () => Promise<void>, n: number) => Promise<void>): void => {
    const real = ledger.session.commitTransaction.bind(ledger.session);
    let n = 0;
    ledger.session.commitTransaction = () => {
      n += 1;
      return answer(real, n);
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

  test.each([
    ['', undefined],
    [' after an interruption', 11601],
    [' and cannot confirm at first', 251],
  ])('a transaction the server no longer knows%s is made again, and counted once', async (_, code) => {
    commits(async (commit, n) => {
      if (n === 1) {
        await abortAtServer();
        if (code !== undefined) throw server(code);
      }
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

  test.each([
    ['a quota that is used up', 8000],
    ['a code nobody listed', 7777],
  ])('%s met by the fence: the database is away, the work was not asked for', async (_, errorCode) => {
    await using _fault = await failCommand(at.client, { failCommands: ['update'], appName, errorCode });
    await expect(count()).rejects.toMatchObject({ code: 'database_unreachable', cause: { code: errorCode } });
    expect([works, await counted()]).toEqual([0, 0]);
  });

  describe('the lease', () => {
    let clock: ManualClock;
    const ttlMs = 5_000;
    const marginMs = 500;
    beforeEach(async () => {
      await ledger.close();
      clock = manualClock();
      ledger = open(ttlMs, clock);
    });
    /** Lets the pauses of the ledger pass, and no other time. */
    const passing = async <T>(work: Promise<T>): Promise<T> => {
      let over = false;
      const end = (): void => {
        over = true;
      };
      work.then(end, end);
      while (!over) {
        await turn();
        if (clock.nextIn !== undefined) clock.advance(clock.nextIn);
      }
      return work;
    };

    test('counts from before the fence was sent, not from its answer', async () => {
      await ledger.transact('test', async () => clock.advance(1_000));
      expect(ledger.leaseRemaining()).toBe(ttlMs - marginMs - 1_000);
      await expect(ledger.transact('test', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
      expect(ledger.leaseRemaining()).toBe(ttlMs - marginMs - 1_000);
    });

    test('a transaction that fails on its way is tried again while it holds, and not a moment longer', async () => {
      await ledger.beat();
      const cut = ledger.transact('test', async () => {
        works += 1;
        clock.advance(1_000);
        throw new mongodb.MongoNetworkError('closed');
      });
      await expect(passing(cut)).rejects.toThrow('closed');
      expect(works).toBe(5);
    });

    test.each([
      ['as long as it holds', true, 5],
      ['for a quarter of one before the first fence', false, 2],
    ])('a commit without an answer is repeated %s', async (_, fenced, times) => {
      if (fenced) await ledger.beat();
      let sent = 0;
      commits(async () => {
        sent += 1;
        clock.advance(1_000);
        throw new mongodb.MongoNetworkError('closed');
      });
      await expect(passing(count())).rejects.toMatchObject({ code: 'commit_unknown' });
      expect(sent).toBe(times);
    });
  });
});
