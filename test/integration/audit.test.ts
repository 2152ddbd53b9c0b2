import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Document, MongoClient, type UpdateFilter } from 'mongodb';
import { CampaignAudit } from '../../src/cli/auditCampaign.ts';
import { AuditReport } from '../../src/cli/auditReport.ts';
import type { Finding, FindingKind } from '../../src/domain/audit.ts';
import { failCommand, type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorker, type WorkerProcess } from '../support/workers.ts';
import { type Ran, run } from '../unit/cli/host.ts';

type Loose = { _id: string; [field: string]: unknown };
interface Report {
  ok: boolean;
  campaigns: number;
  conversations: number;
  messages: number;
  unknown: number;
  expired: number;
  findings: Finding[];
  notes: string[];
}

const flow = {
  stages: [
    {
      id: 'intro',
      type: 'message',
      channel: 'phone',
      content: { text: 'Hello {{ contact.name }}' },
      followUps: [{ after: 'PT1S', content: { text: 'Still there?' } }],
      on: { reply: 'thanks', noReply: 'done' },
    },
    { id: 'thanks', type: 'message', channel: 'phone', content: { text: 'Thanks' }, on: { noReply: 'done' } },
    { id: 'done', type: 'end', outcome: 'done' },
  ],
};
const waitsLong = {
  stages: [
    { id: 'ask', type: 'message', channel: 'phone', content: { text: 'Coming?' }, waitForReply: 'P1D' },
    { id: 'bye', type: 'end', outcome: 'bye' },
  ],
};
const contacts = (many: number) =>
  Array.from({ length: many }, (_, n) => ({
    id: `c${n}`,
    name: `Person ${n}`,
    // one of them has no address
    ...(n === 1 ? {} : { phone: `+49151${n}` }),
  }));

class Stage {
  readonly workers: WorkerProcess[] = [];
  readonly database: TestDatabase;
  readonly sink: Sink;
  private constructor(database: TestDatabase, sink: Sink) {
    this.database = database;
    this.sink = sink;
  }
  static async open(name: string): Promise<Stage> {
    return new Stage(await testDatabase(name), await startSink({ keep: 10 }));
  }
  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.kill('SIGKILL')));
    await this.sink.close();
    await this.database.close();
  }
  start(): void {
    this.workers.push(
      startWorker(this.database, { CHANNEL_PHONE_DRIVER: 'http', CHANNEL_PHONE_URL: this.sink.url, PARTITIONS: '16' }),
    );
  }
  of(name: string) {
    return this.database.db.collection<Loose>(name);
  }
  async put(_id: string, more: Document): Promise<void> {
    await this.of('campaigns').insertOne({ _id, status: 'pending', ...more });
  }
  cli(...argv: string[]): Promise<Ran> {
    return run(argv, { MONGODB_URI: this.database.uri, MONGODB_DATABASE: this.database.name, LEASE_TTL_MS: '2000' });
  }
  async audit(...argv: string[]): Promise<Report & { code: number }> {
    const ran = await this.cli('--json', 'audit', ...argv);
    return { ...(ran.json() as unknown as Report), code: ran.code };
  }
  async until(_id: string, what: string, condition: (run: Loose) => unknown): Promise<void> {
    const runs = this.of('campaign_runs');
    await waitFor(async () => condition((await runs.findOne({ _id })) ?? { _id: '' }), {
      what: `${_id} to be ${what}`,
      timeoutMs: 90_000,
      intervalMs: 100,
    });
  }
}

/** The document as it was, put back when the test is over. */
async function altered(stage: Stage, name: string, _id: string, change: UpdateFilter<Loose> | 'delete') {
  const collection = stage.of(name);
  const before = await collection.findOne({ _id });
  if (before === null) throw new Error(`there is no ${_id} in ${name}`);
  const options = { bypassDocumentValidation: true };
  if (change === 'delete') await collection.deleteOne({ _id });
  else await collection.updateOne({ _id }, change, options);
  return {
    [Symbol.asyncDispose]: async (): Promise<void> => {
      await collection.replaceOne({ _id }, before, { ...options, upsert: true });
    },
  };
}

const anHourAgo = () => new Date(Date.now() - 3_600_000);
const kindsOf = ({ findings }: Report): FindingKind[] => [...new Set(findings.map(({ kind }) => kind))];

describe('of a campaign that has ended', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open('audit_ended');
    stage.start();
    await stage.put('spring', { audience: { contacts: contacts(30) }, flow });
    await stage.until('spring', 'settled', ({ settled }) => settled);
  });
  afterAll(() => stage.close());

  test('all is well: no finding, and everything was looked at', async () => {
    const report = await stage.audit('spring');
    expect(report).toMatchObject({
      ok: true,
      code: 0,
      findings: [],
      notes: [],
      campaigns: 1,
      conversations: 30,
      messages: await stage.of('messages').countDocuments(),
      unknown: 0,
      expired: 0,
    });
    const plain = await stage.cli('audit');
    expect(plain).toMatchObject({ code: 0, stdout: expect.stringMatching(/^no findings$/m) });
  });

  const first = 'spring:c5/1';
  const second = 'spring:c5/2';
  const set = (fields: Document) => ({ $set: fields });
  test.each<[FindingKind, string, string, UpdateFilter<Loose> | 'delete', Document]>([
    ['row_missing', 'messages', first, 'delete', { conversation: 'spring:c5', message: first }],
    ['row_orphaned', 'conversation_states', 'spring:c5', set({ sequence: 1 }), { message: second }],
    ['row_orphaned', 'conversation_states', 'spring:c5', 'delete', { message: second, found: 'no conversation' }],
    ['sequence_invalid', 'conversation_states', 'spring:c5', set({ sequence: -1 }), { found: 'sequence -1' }],
    ['order_wrong', 'messages', second, set({ queuedAt: new Date(0) }), { message: second }],
    ['pending_wrong', 'messages', second, set({ pending: true }), { message: second, found: 'sent, pending' }],
    ['pending_wrong', 'messages', second, set({ status: 'sending' }), { message: second }],
    ['pending_old', 'messages', first, set({ status: 'queued', pending: true }), { message: first }],
    ['queued_wrong', 'messages', second, set({ status: 'queued', pending: true }), { message: second }],
    [
      'awaiting_wrong',
      'conversation_states',
      'spring:c5',
      set({ awaiting: second }),
      { message: second, found: 'sent' },
    ],
    [
      'ended_wrong',
      'conversation_states',
      'spring:c5',
      set({ nextActionAt: new Date() }),
      { conversation: 'spring:c5' },
    ],
    ['handed_late', 'messages', second, set({ handedAt: new Date(Date.now() + 3_600_000) }), { message: second }],
    ['partition_wrong', 'messages', second, set({ partition: 99 }), { message: second, found: '99' }],
    ['partition_wrong', 'conversation_states', 'spring:c5', set({ partition: 99 }), { conversation: 'spring:c5' }],
    [
      'count_wrong',
      'conversation_states',
      'spring:c5',
      set({ outcome: 'other' }),
      { found: 'counters: outcomes.done 30' },
    ],
    [
      'count_wrong',
      'campaign_runs',
      'spring',
      set({ 'expansion.expanded': 31 }),
      { expected: expect.stringMatching(/^30/) },
    ],
    ['metrics_wrong', 'campaign_runs', 'spring', set({ 'metrics.completed': 31 }), { found: 'run: completed 31' }],
    [
      'metrics_wrong',
      'campaigns',
      'spring',
      set({ 'metrics.messages.skipped': 0 }),
      { found: 'campaign: messages.skipped 0' },
    ],
  ])('%s: a change of %s %s is found', async (kind, collection, id, change, finding) => {
    await using _ = await altered(stage, collection, id, change);
    const report = await stage.audit('spring');
    expect(report.code).toBe(1);
    expect(report.findings).toContainEqual(expect.objectContaining({ kind, campaign: 'spring', ...finding }));
  });

  test('what was counted once too often', async () => {
    const counters = await stage.of('campaign_counters').findOne({ campaignId: 'spring' });
    await using _ = await altered(stage, 'campaign_counters', String(counters?._id), {
      $inc: { 'counts.replied': 1 } as never,
    });
    expect((await stage.audit('spring')).findings).toEqual([
      {
        kind: 'count_wrong',
        campaign: 'spring',
        found: 'counters: replied 1',
        expected: '0, counted from the documents',
      },
    ]);
  });

  test('what is with a channel when its conversation has ended is unknown, no finding of its own', async () => {
    await using _ = await altered(stage, 'messages', second, set({ status: 'sending', pending: true }));
    const report = await stage.audit('spring');
    expect(report.unknown).toBe(1);
    expect(report.findings.map(({ found }) => found)).toEqual(['counters: pending 0']);
  });

  test('what has expired is counted, and nothing is proved of it', async () => {
    await using _ = await altered(stage, 'conversation_states', 'spring:c5', set({ expireAt: new Date('2100-01-01') }));
    await using __ = await altered(stage, 'messages', first, 'delete');
    expect(await stage.audit('spring')).toMatchObject({
      ok: true,
      expired: 2,
      notes: [expect.stringContaining('spring')],
    });
  });

  test('neither content nor addresses are printed; of a kind the first 20 and how many more', async () => {
    const rows = stage.of('messages');
    const before = await rows.find().toArray();
    await rows.updateMany({}, { $set: { partition: 99 } });
    const { stdout, code } = await stage.cli('audit', 'spring');
    for (const row of before) await rows.replaceOne({ _id: row._id }, row);
    expect(code).toBe(1);
    expect(stdout).toContain(`and ${before.length - 20} more; --json has all`);
    expect(stdout).not.toMatch(/\+49|Hello|Person/);
  });

  test('a snapshot that has grown too old: it goes on in another one, and says what is not proved', async () => {
    const { db, client, uri } = stage.database;
    await using own = await new MongoClient(uri, { appName: 'audit in parts' }).connect();
    const old = { failCommands: ['aggregate'], appName: 'audit in parts', errorCode: 239 };
    await using _ = await failCommand(client, old);
    const report = new AuditReport(20);
    const params = {
      client: own,
      db: own.db(db.databaseName),
      campaignId: 'spring',
      partitions: 16,
      overdueMs: 60_000,
    };
    expect(await new CampaignAudit({ ...params, report, onPage: () => {} }).run()).toBe(true);
    expect(report).toMatchObject({
      found: 0,
      conversations: 30,
      notes: [expect.stringMatching(/^spring .* in parts/)],
    });
  });

  test('one that is not there: 1', async () => {
    expect(await stage.cli('audit', 'nowhere')).toMatchObject({ code: 1, stderr: expect.stringContaining('nowhere') });
  });
});

describe('of a campaign that runs, and nobody works on it', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open('audit_stuck');
    stage.start();
    await stage.put('live', { audience: { contacts: contacts(10) }, flow: waitsLong });
    await stage.put('over', { audience: { contacts: contacts(10) }, flow });
    await stage.until('over', 'settled', ({ settled }) => settled);
    await stage.until('live', 'expanded', ({ expansion }) => (expansion as Document | undefined)?.['done']);
    await waitFor(
      async () => (await stage.of('messages').countDocuments({ campaignId: 'live', status: 'sent' })) === 9,
      {
        what: 'everybody to be asked',
        timeoutMs: 60_000,
      },
    );
    await stage.workers[0]?.kill('SIGKILL');
  });
  afterAll(() => stage.close());

  test('its partitions have no live owner, and that is all', async () => {
    const report = await stage.audit();
    expect(report.findings).toEqual([
      { kind: 'partition_unowned', found: 'the owner is silent: 0-15', expected: expect.any(String) },
    ]);
    expect((await stage.audit('over')).findings).toEqual([]);
  });

  type Change = [collection: string, _id: string, change: UpdateFilter<Loose>];
  const aged = { updatedAt: anHourAgo() };
  const conversations = 'conversation_states';

  /** What is found of each conversation while these changes stand. */
  async function foundWith(changes: readonly Change[]): Promise<string[]> {
    const back: AsyncDisposable[] = [];
    for (const [collection, _id, change] of changes) back.unshift(await altered(stage, collection, _id, change));
    const { findings } = await stage.audit('live');
    for (const one of back) await one[Symbol.asyncDispose]();
    return findings.flatMap(({ conversation, kind }) => (conversation ? [`${conversation} ${kind}`] : []));
  }

  test('what should move and does not: overdue, stranded, sending_stuck, inbox_stuck', async () => {
    const row = { status: 'sending', pending: true, queuedAt: anHourAgo() };
    const found = await foundWith([
      [conversations, 'live:c2', { $set: { nextActionAt: anHourAgo() } }],
      [conversations, 'live:c3', { $unset: { nextActionAt: '', nextChannel: '' } }],
      [conversations, 'live:c4', { $unset: { nextChannel: '' } }],
      ['messages', 'live:c5/1', { $set: row }],
      [conversations, 'live:c5', { $set: aged }],
      [conversations, 'live:c6', { $push: { inbox: { id: 'e1', type: 'reply' } } as never }],
    ]);
    expect(found.toSorted()).toEqual([
      'live:c2 overdue',
      'live:c3 stranded',
      'live:c4 stranded',
      'live:c5 sending_stuck',
      'live:c6 inbox_stuck',
    ]);
  });

  test('not_ended: it was cancelled, or its end has come', async () => {
    const old: Change = [conversations, 'live:c5', { $set: aged }];
    const cancelled = await foundWith([
      old,
      ['campaigns', 'live', { $set: { status: 'cancelled' } }],
      ['campaign_runs', 'live', { $set: aged }],
    ]);
    expect(cancelled).toEqual(['live:c5 not_ended']);
    const schedule = { endAt: anHourAgo() };
    expect(await foundWith([old, ['campaign_runs', 'live', { $set: { ...aged, schedule } }]])).toEqual(cancelled);
  });

  test('not_settled: nothing is left of it', async () => {
    await using _ = await altered(stage, 'campaigns', 'over', { $set: { status: 'running' } });
    await using __ = await altered(stage, 'campaign_runs', 'over', {
      $set: { status: 'running', settled: false, ...aged },
    });
    expect(kindsOf(await stage.audit('over'))).toContain('not_settled');
    expect(kindsOf(await stage.audit('over', '--overdue', '7200'))).not.toContain('not_settled');
  });

  test('what rests has not to move: a pause, the stop switch', async () => {
    await using _ = await altered(stage, conversations, 'live:c5', { $set: { nextActionAt: anHourAgo() } });
    {
      await using __ = await altered(stage, 'campaigns', 'live', { $set: { status: 'paused' } });
      expect(kindsOf(await stage.audit('live'))).toEqual(['partition_unowned']);
    }
    const settings = stage.of('settings');
    await settings.insertOne({ _id: 'control', sending: 'stopped' });
    expect(kindsOf(await stage.audit('live'))).toEqual(['partition_unowned']);
    await settings.deleteOne({ _id: 'control' });
  });
});

describe('beside workers at work', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open('audit_live');
  });
  afterAll(() => stage.close());

  test('retries, replies, pause and cancel: no false alarm, however often it is asked', async () => {
    let n = 0;
    stage.sink.answer((delivery) => {
      n += 1;
      if (n % 7 === 0) return { status: 503, retryAfter: 1 };
      const { conversationId, stage: id } = delivery.json as { conversationId: string; stage: string };
      if (id === 'intro' && n % 3 === 0)
        void stage
          .of('conversation_states')
          .updateOne({ _id: conversationId }, { $push: { inbox: { id: `r${n}`, type: 'reply' } } as never });
      return undefined;
    });
    stage.start();
    stage.start();
    const owners = () => stage.of('partitions').distinct('owner');
    await waitFor(async () => (await owners()).length === 2, { what: 'both to own partitions', timeoutMs: 60_000 });
    const audience = { contacts: contacts(400) };
    await stage.put('spring', { audience, flow });
    await stage.put('asks', { audience, flow: waitsLong });
    const alarms: Finding[] = [];
    let audits = 0;
    const auditUntil = async (what: string, condition: () => Promise<unknown>): Promise<void> => {
      let over = false;
      const condition$ = waitFor(condition, { what, timeoutMs: 90_000, intervalMs: 100 }).finally(() => {
        over = true;
      });
      while (!over) {
        const report = await stage.audit('--overdue', '20');
        audits += 1;
        alarms.push(...report.findings);
      }
      await condition$;
    };
    const runOf = (_id: string) => stage.of('campaign_runs').findOne({ _id });
    const set = (_id: string, status: string) => stage.of('campaigns').updateOne({ _id }, { $set: { status } });
    await auditUntil('the first messages', async () => stage.sink.keys.size > 100);
    await set('spring', 'paused');
    await auditUntil('the pause', async () => (await runOf('spring'))?.['status'] === 'paused');
    await set('spring', 'running');
    await set('asks', 'cancelled');
    await auditUntil('both to be settled', async () => {
      const both = [await runOf('spring'), await runOf('asks')];
      return both.every((run) => run?.['settled']);
    });
    const last = await stage.audit();
    expect({ alarms, last: last.findings }).toEqual({ alarms: [], last: [] });
    expect(audits).toBeGreaterThanOrEqual(3);
    expect(last).toMatchObject({ campaigns: 2, conversations: 800, unknown: 0 });
    expect(last.messages).toBe(await stage.of('messages').countDocuments());
  });
});
