/** The database fails over under load, for real: primaries are killed, voted out and frozen. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type Db, type Document, MongoClient, ReadConcern } from 'mongodb';
import { isServiceError } from '../../src/domain/errors.ts';
import type { Member } from '../../src/domain/model.ts';
import { connect } from '../../src/mongo/client.ts';
import { MongoLedger } from '../../src/mongo/ledger.ts';
import { systemClock } from '../../src/worker/systemClock.ts';
import { recordingInstruments, silentLogger } from '../support/fakes.ts';
import { replicaSet, type TestReplicaSet } from '../support/replicaSet.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { waitFor } from '../support/waitFor.ts';
import { shortLease, startWorker, type WorkerProcess } from '../support/workers.ts';

let set: TestReplicaSet;
let client: MongoClient;
let db: Db;
beforeEach(async () => {
  set = await replicaSet({ nodes: 3 });
  client = await new MongoClient(set.uri, { serverSelectionTimeoutMS: 60_000 }).connect();
  db = client.db('failover', { readConcern: new ReadConcern('majority') });
});
afterEach(async () => {
  await client.close();
  await set.stop();
});

type Fault = (progress: () => Promise<void>) => Promise<void>;

/** Each waits until work goes on before it is over. */
const faults: Record<string, Fault> = {
  'the primary is killed and comes back': async (progress) => {
    const node = await set.primary();
    await node.kill();
    await progress();
    await node.start();
    await progress();
  },
  'the primary steps down': async (progress) => {
    await set.stepDown();
    await progress();
  },
  'the primary freezes and wakes up': async (progress) => {
    const node = await set.primary();
    node.freeze();
    await waitFor(async () => (await set.primary()) !== node, { what: 'another primary', timeoutMs: 60_000 });
    await progress();
    node.thaw();
    await progress();
  },
};

describe('the ledger', () => {
  test.each(Object.entries(faults))('%s: each transaction is what it said of itself', async (_, fault) => {
    const members = client.db('failover').collection<Member>('members');
    await members.insertOne({ _id: 'm1', beat: 0 } as Member, { writeConcern: { w: 'majority' } });
    await client
      .db('failover')
      .collection<Document>('count')
      .insertOne({ n: 0 }, { writeConcern: { w: 'majority' } });
    const own = await connect(set.uri, { appName: 'fault' });
    const ledger = new MongoLedger({
      ...{ client: own, db: own.db('failover'), memberId: 'm1', leaseTtlMs: 15_000, clock: systemClock },
      ...{ random: Math.random, logger: silentLogger, instruments: recordingInstruments(), position: () => undefined },
    });
    const done = new Set<number>();
    const failed = new Set<number>();
    const unknown = new Set<number>();
    let over = false;
    const work = (async () => {
      for (let n = 0; !over; n++) {
        try {
          await ledger.transact('test', async (session) => {
            const at = own.db('failover');
            await at.collection<Document>('count').updateOne({}, { $inc: { n: 1 } }, { session });
            await at.collection<{ _id: number }>('rows').insertOne({ _id: n }, { session });
          });
          done.add(n);
        } catch (error) {
          (isServiceError(error, 'commit_unknown') ? unknown : failed).add(n);
        }
      }
    })();
    const progress = async (): Promise<void> => {
      const goal = done.size + 10;
      await waitFor(() => done.size >= goal, { what: 'ten more transactions', timeoutMs: 60_000 });
    };
    await progress();
    await fault(progress);
    over = true;
    await work;
    const rows = new Set((await db.collection<{ _id: number }>('rows').find().toArray()).map(({ _id }) => _id));
    expect([...done].filter((n) => !rows.has(n))).toEqual([]);
    expect([...failed].filter((n) => rows.has(n))).toEqual([]);
    expect([...rows].filter((n) => !done.has(n) && !unknown.has(n))).toEqual([]);
    expect((await db.collection('count').findOne())?.['n']).toBe(rows.size);
    await ledger.close();
    await own.close();
  });
});

describe('a worker', () => {
  const contacts = 600;
  const stages = 25;
  let sink: Sink;
  let worker: WorkerProcess;
  const start = (): WorkerProcess =>
    startWorker(
      { uri: set.uri, name: 'failover' },
      { ...shortLease, CHANNEL_PHONE_DRIVER: 'http', CHANNEL_PHONE_URL: sink.url },
    );
  beforeEach(async () => {
    sink = await startSink({ keep: 10 });
  });
  afterEach(async () => {
    await worker.kill('SIGKILL');
    await sink.close();
  });

  test('every fault in turn, then kill -9: all complete, nothing is lost, repeated only what was in doubt at the kill', async () => {
    worker = start();
    const people = Array.from({ length: contacts }, (_, n) => ({ _id: n, phone: `+1555${n}`, name: `C ${n}` }));
    await db.collection<{ _id: number }>('people').insertMany(people, { writeConcern: { w: 'majority' } });
    const stage = (_: unknown, n: number) => {
      const content = { text: `${n} {{ contact.name }}` };
      return { id: `s${n}`, type: 'message', channel: 'phone', delay: 'PT1S', content };
    };
    const flow = { stages: Array.from({ length: stages }, stage) };
    const campaign = { _id: 'k' as string, status: 'pending', audience: { collection: 'people' }, flow };
    await db.collection<{ _id: string }>('campaigns').insertOne(campaign, { writeConcern: { w: 'majority' } });
    const total = contacts * stages;
    const progress = async (): Promise<void> => {
      const goal = Math.min(total, sink.keys.size + contacts);
      await waitFor(() => sink.keys.size >= goal, { what: 'more messages', timeoutMs: 90_000 });
    };
    await progress();
    for (const fault of Object.values(faults)) await fault(progress);
    const repeatedBefore = sink.repeated.length;
    await worker.kill('SIGKILL');
    const inDoubt = await db.collection('messages').countDocuments({ status: 'sending' });
    const first = worker;
    worker = start();
    const ended = await waitFor(
      async () => {
        const found = await db.collection<Document>('campaigns').findOne({ status: 'completed' });
        return found ?? undefined;
      },
      { what: 'the campaign to complete', timeoutMs: 120_000 },
    );
    expect(ended['metrics']).toMatchObject({
      ...{ total: contacts, completed: contacts, active: 0, failed: 0 },
      messages: { sent: total, failed: 0, uncertain: 0, skipped: 0 },
    });
    expect(await db.collection('messages').countDocuments({ status: 'sent' })).toBe(total);
    expect(sink.keys.size).toBe(total);
    expect(repeatedBefore).toBe(0);
    // on a machine that hardly gets on it may lose its lease once more, and then all it had in doubt
    const losses = worker.log.filter((line) => /the lease ran out|it rejoins/.test(line));
    expect(sink.repeated.length).toBeLessThanOrEqual(inDoubt + 512 * losses.length);
    expect([...first.log, ...worker.log].filter((line) => /bisect|quarantin|"level":"error"/.test(line))).toEqual([]);
  });
});
