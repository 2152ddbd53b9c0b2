/** Messages that gave up are seen, and tried again: with real workers, a real provider and the command line. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Document } from 'mongodb';
import { initDatabase } from '../../src/mongo/collections.ts';
import { FailedReader } from '../../src/mongo/failedReader.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Answer, type Sink, startSink } from '../support/sink.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorker, type WorkerProcess } from '../support/workers.ts';
import { type Ran, run } from '../unit/cli/host.ts';

type Loose = Document & { _id: string };
const many = 200;
const inDoubt = 16;

describe('messages of a campaign that is over', () => {
  let database: TestDatabase;
  let sink: Sink;
  const workers: WorkerProcess[] = [];
  /** What the provider got by key: the bodies, and how often it said yes. */
  const bodies = new Map<string, Set<string>>();
  const taken = new Map<string, number>();

  beforeAll(async () => {
    database = await testDatabase('failed');
    sink = await startSink({ keep: 10 });
  });
  afterAll(async () => {
    await Promise.all(workers.map((worker) => worker.kill('SIGKILL')));
    await sink.close();
    await database.close();
  });

  const of = (name: string) => database.db.collection<Loose>(name);
  const cli = (...argv: string[]): Promise<Ran> =>
    run(argv, { MONGODB_URI: database.uri, MONGODB_DATABASE: database.name, LEASE_TTL_MS: '1000' });
  const until = (what: string, condition: () => Promise<unknown>) =>
    waitFor(condition, { what, timeoutMs: 60_000, intervalMs: 50 });
  function start(): WorkerProcess {
    const worker = startWorker(database, {
      ...{ CHANNEL_PHONE_DRIVER: 'http', CHANNEL_PHONE_URL: sink.url, CHANNEL_PHONE_CONCURRENCY: '8' },
      ...{ PARTITIONS: '8', LEASE_TTL_MS: '1000', SEND_CONCURRENCY: String(inDoubt) },
    });
    workers.push(worker);
    return worker;
  }
  function answers(answer: (n: number) => Answer): void {
    let n = 0;
    sink.answer(({ key, raw }) => {
      n += 1;
      bodies.set(key, (bodies.get(key) ?? new Set()).add(raw.toString()));
      const given = answer(n);
      if ((given.status ?? 200) < 300) taken.set(key, (taken.get(key) ?? 0) + 1);
      return given;
    });
  }

  test('go out with their old key and bytes, through a provider that is busy and a worker that is killed', async () => {
    answers(() => ({ status: 400, body: '{"error":"no"}' }));
    const first = start();
    const contacts = Array.from({ length: many }, (_, n) => ({ id: `k${n}`, phone: `+49151000${n + 1000}` }));
    const stages = [{ id: 'intro', type: 'message', channel: 'phone', content: { text: 'Hello {{ contact.id }}' } }];
    await of('campaigns').insertOne({ _id: 'spring', status: 'pending', audience: { contacts }, flow: { stages } });
    const campaign = () => of('campaigns').findOne({ _id: 'spring' });
    await until('the campaign to end', async () => (await campaign())?.['status'] === 'completed');
    const before = await campaign();
    expect(before?.['metrics']).toMatchObject({ failed: many, messages: { failed: many, sent: 0 } });

    const list = (await cli('--json', 'failed', 'list')).json() as { groups: Document[] };
    expect(list.groups).toMatchObject([
      { kind: 'message_failed', campaignId: 'spring', code: 'http_400', count: many, isCut: false },
      { kind: 'conversation_failed', campaignId: 'spring', code: 'http_400', count: many },
    ]);
    const shown = await cli('failed', 'show', String(list.groups[0]?.['example']));
    expect(shown).toMatchObject({ code: 0, stdout: expect.stringMatching(/status: failed[\s\S]*http_400[\s\S]*why/) });
    expect(await cli('failed', 'replay', 'spring')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--yes'),
    });
    expect((await cli('--json', 'failed', 'replay', 'spring', '--dry-run')).json()).toMatchObject({ found: many });

    answers((n) => (n % 5 === 0 ? { status: 429, retryAfter: 0 } : { delayMs: 5 }));
    const asked = cli('--json', 'failed', 'replay', 'spring', '--code', 'http_400', '--yes');
    await until('a part to arrive', async () => taken.size > many / 4);
    await first.kill('SIGKILL');
    start();
    expect((await asked).json()).toEqual({ asked: many, queued: many, refused: {}, waiting: 0, isCut: false });
    await until('all to arrive', async () => (await of('messages').countDocuments({ status: 'sent' })) === many);

    const rows = await of('messages').find().toArray();
    expect(new Set(taken.keys())).toEqual(new Set(rows.map(({ _id }) => _id)));
    expect([...bodies.values()].filter((all) => all.size !== 1)).toEqual([]);
    // only what was in doubt when the worker died may have been handed over once more
    expect([...taken.values()].filter((times) => times > 1).length).toBeLessThanOrEqual(inDoubt);
    expect(rows.every(({ pending, replay }) => pending === undefined && replay.count === 1 && replay.alone)).toBe(true);
    expect(await of('conversation_states').countDocuments({ status: 'failed', sequence: 1 })).toBe(many);
    const metrics = { failed: many, messages: { failed: 0, sent: many }, reasons: {} };
    await until('the metrics to be told', async () => (await campaign())?.['metrics'].messages.sent === many);
    const after = await campaign();
    expect(after).toMatchObject({ status: 'completed', metrics, results: before?.['results'] });
    expect(await cli('audit', 'spring')).toMatchObject({ code: 0 });
    expect((await cli('--json', 'failed', 'replay', 'spring', '--yes')).json()).toMatchObject({ asked: 0, found: 0 });
  }, 120_000);
});

describe('what gave up', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await testDatabase('failed-list');
    await initDatabase(database.db, { partitions: 8 });
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    for (const name of ['messages', 'dead_letters', 'inbound_events'])
      await database.db.collection(name).deleteMany({});
  });

  const at = (minute: number) => new Date(Date.UTC(2026, 0, 5, 9, minute));
  const row = (n: number, more: object = {}) => ({
    ...{ _id: `c:${n}/1`, campaignId: 'c', conversationId: `c:${n}`, status: 'failed', queuedAt: at(n) },
    ...{ error: { code: 'http_400', message: 'no' } },
    ...more,
  });
  const cli = (...argv: string[]): Promise<Ran> =>
    run(argv, { MONGODB_URI: database.uri, MONGODB_DATABASE: database.name });

  test('is grouped by campaign and code, whatever the type of an id, and cut where there is too much', async () => {
    const rows = [
      ...[row(1), row(2), row(3, { error: { code: 'timeout', message: 'slow' } }), row(4, { campaignId: 7 })],
      ...[row(5, { error: { message: 'no code' } }), row(6, { status: 'uncertain' }), row(7, { status: 'sent' })],
    ];
    await database.db.collection<Loose>('messages').insertMany(rows as never[], { ignoreUndefined: true });
    const reader = new FailedReader(database.db);
    const told = async (filter: object, bounds?: { groups: number; counted: number }) => {
      const { groups, more } = await reader.groups('message_failed', filter, bounds);
      return [groups.map(({ campaignId, code, count, isCut }) => [campaignId, code, count, isCut]), more];
    };
    const ofSeven = [7, 'http_400', 1, false];
    const all = [ofSeven, ['c', undefined, 1, false], ['c', 'http_400', 2, false], ['c', 'timeout', 1, false]];
    expect(await told({})).toEqual([all, false]);
    expect(await told({}, { groups: 1, counted: 9 })).toEqual([[ofSeven], true]);
    expect(await told({ campaignId: 'c', code: 'http_400' }, { groups: 9, counted: 1 })).toEqual([
      [['c', 'http_400', 1, true]],
      false,
    ]);
    expect(await told({ campaignId: 7 })).toEqual([[ofSeven], false]);
    expect(await told({ since: at(3) })).toEqual([
      [ofSeven, ['c', undefined, 1, false], ['c', 'timeout', 1, false]],
      false,
    ]);
    const [group] = (await reader.groups('message_failed', { campaignId: 'c', code: 'http_400' })).groups;
    if (group === undefined) throw new Error('no group');
    const [one, ...others] = await reader.page(group, undefined, undefined, 1);
    expect([one?._id, others]).toEqual(['c:1/1', []]);
    expect((await reader.page(group, undefined, one, 9)).map(({ _id }) => _id)).toEqual(['c:2/1']);
    expect((await reader.page(group, at(2), undefined, 9)).map(({ _id }) => _id)).toEqual(['c:2/1']);
  });

  test('has documents and events of others, too', async () => {
    const error = { code: 'required', message: 'no address' };
    await database.db
      .collection('dead_letters')
      .insertOne({ collection: 'enrollments', reason: 'poisoned', at: at(1) });
    await database.db.collection<Loose>('inbound_events').insertMany([
      { _id: 'i1', type: 'reply', channel: 'sms', unmatched: true, handledAt: at(1) },
      { _id: 'i2', type: 'reply', status: 'failed', error, handledAt: at(2) },
    ]);
    const { groups } = (await cli('--json', 'failed', 'list')).json() as { groups: Document[] };
    expect(groups).toMatchObject([
      { kind: 'dead_letter', code: 'poisoned', count: 1 },
      { kind: 'inbound_unmatched', channel: 'sms', code: 'reply', count: 1, example: 'i1' },
      { kind: 'inbound_failed', code: 'required', count: 1, example: 'i2' },
    ]);
    const text = (await cli('failed', 'list')).stdout;
    expect(text).toMatch(/events of nobody +channel sms +reply +1/);
    expect(await cli('failed', 'show', String(groups[0]?.['example']))).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('collection: enrollments'),
    });
    expect((await cli('failed', 'show', 'i2')).stdout).toContain('no address');
    expect(await cli('failed', 'show', 'nothing')).toMatchObject({ code: 1 });
    expect(await cli('failed', 'list', '--campaign', 'nothing')).toMatchObject({ code: 1 });
    expect(await cli('failed', 'list', '--since', 'yesterday')).toMatchObject({ code: 2 });
    expect((await cli('failed', 'list', '--since', 'PT1S')).stdout).toContain('nothing gave up');
  });
});
