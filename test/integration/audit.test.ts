import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Document, MongoClient, ObjectId, type UpdateFilter } from 'mongodb';
import { CampaignAudit } from '../../src/cli/audit/auditCampaign.ts';
import { AuditReport } from '../../src/cli/audit/auditReport.ts';
import type { Finding, FindingKind } from '../../src/domain/audit.ts';
import { partitionOfConversation } from '../../src/domain/ids.ts';
import { initDatabase } from '../../src/mongo/collections.ts';
import { failCommand, type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { waitFor } from '../support/waitFor.ts';
import { shortLease, startWorker, type WorkerProcess } from '../support/workers.ts';
import { type Ran, run } from '../unit/cli/host.ts';

type Loose = { _id: string; [field: string]: unknown };
interface Report {
  ok: boolean;
  complete: boolean;
  kinds: Partial<Record<FindingKind, number>>;
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
      startWorker(this.database, {
        ...shortLease,
        CHANNEL_PHONE_DRIVER: 'http',
        CHANNEL_PHONE_URL: this.sink.url,
        PARTITIONS: '16',
      }),
    );
  }
  of(name: string) {
    return this.database.db.collection<Loose>(name);
  }
  async put(_id: string, more: Document): Promise<void> {
    await this.of('campaigns').insertOne({ _id, status: 'pending', ...more });
  }
  cli(...argv: string[]): Promise<Ran> {
    return this.cliIn({}, ...argv);
  }
  cliIn(env: object, ...argv: string[]): Promise<Ran> {
    const database = { MONGODB_URI: this.database.uri, MONGODB_DATABASE: this.database.name };
    return run(argv, { ...database, LEASE_TTL_MS: '2000', ...env });
  }
  audit(...argv: string[]): Promise<Report & { code: number }> {
    return this.auditIn({}, ...argv);
  }
  async auditIn(env: object, ...argv: string[]): Promise<Report & { code: number }> {
    const ran = await this.cliIn(env, '--json', 'audit', ...argv);
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

const anHourAgo = () => new Date(Date.now() - 3_600_000);

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
      complete: true,
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
    ['handed_late', 'campaign_runs', 'spring', set({ 'schedule.endAt': anHourAgo() }), { message: first }],
    ['order_wrong', 'messages', second, { $unset: { handedAt: '' } }, { found: expect.stringMatching(/never handed/) }],
    [
      'order_wrong',
      'messages',
      second,
      set({ sentAt: new Date(0) }),
      { found: expect.stringMatching(/^sent at 1970/) },
    ],
    ['belongs_wrong', 'messages', second, set({ campaignId: 'summer' }), { found: 'campaignId summer' }],
    ['belongs_wrong', 'messages', second, set({ conversationId: 'spring:c6' }), { found: 'conversationId spring:c6' }],
    [
      'belongs_wrong',
      'conversation_states',
      'spring:c5',
      set({ campaignId: 'summer' }),
      { conversation: 'spring:c5', found: 'campaignId summer' },
    ],
    [
      'consumed_twice',
      'conversation_states',
      'spring:c5',
      set({ consumed: ['e1', 'e2', 'e1'] }),
      { conversation: 'spring:c5' },
    ],
    ['ended_untold', 'conversation_states', 'spring:c5', set({ history: [] }), { conversation: 'spring:c5' }],
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
    expect(report.findings.map(({ found }) => found)).toEqual(['a pending row, sending', 'counters: pending 0']);
  });

  test('what has expired is counted, and nothing is proved of it', async () => {
    await using _ = await altered(stage, 'conversation_states', 'spring:c5', set({ expireAt: new Date('2100-01-01') }));
    await using __ = await altered(stage, 'messages', first, 'delete');
    expect(await stage.audit('spring')).toMatchObject({
      ok: true,
      code: 0,
      complete: false,
      expired: 2,
      notes: [expect.stringContaining('spring')],
    });
    const { stdout } = await stage.cli('audit', 'spring');
    expect(stdout).toMatch(/not everything could be proved.*\nno findings/);
  });

  test('an end that was set to a time that had passed: what left before it was taken in is no finding, and not proved', async () => {
    const ends = { 'schedule.endAt': anHourAgo(), endTakenInAt: new Date() };
    await using _ = await altered(stage, 'campaign_runs', 'spring', set(ends));
    const sent = await stage.of('messages').countDocuments({ handedAt: { $exists: true } });
    const report = await stage.audit('spring');
    expect(report).toMatchObject({ code: 0, complete: false, findings: [] });
    expect(report.notes).toEqual([expect.stringMatching(new RegExp(`^spring: ${sent} messages left after its end, `))]);
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
      patience: { overdueMs: 60_000, answerMs: 60_000 },
    };
    expect(await new CampaignAudit({ ...params, report, onPage: () => {} }).run()).toBe(true);
    expect(report).toMatchObject({
      found: 0,
      complete: false,
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
    const ends = { schedule: { endAt: anHourAgo() }, endTakenInAt: new Date() };
    expect(await foundWith([old, ['campaign_runs', 'live', { $set: { ...aged, ...ends } }]])).toEqual(cancelled);
  });

  test('not_settled: nothing is left of it', async () => {
    await using _ = await altered(stage, 'campaigns', 'over', { $set: { status: 'running' } });
    await using __ = await altered(stage, 'campaign_runs', 'over', {
      $set: { status: 'running', settled: false, ...aged },
    });
    expect(kindsOf(await stage.audit('over'))).toContain('not_settled');
    expect(kindsOf(await stage.audit('over', '--overdue', '7200'))).not.toContain('not_settled');
  });

  const c5 = 'over:c5';
  test.each<[string, Change, object]>([
    ['an active conversation', [conversations, c5, { $set: { status: 'active' } }], { conversation: c5 }],
    ['a pending row', ['messages', `${c5}/1`, { $set: { pending: true } }], { message: `${c5}/1` }],
    ['an event', [conversations, c5, { $push: { inbox: { id: 'e1', type: 'reply' } } as never }], { conversation: c5 }],
    [
      'a status that is not its last',
      ['campaigns', 'over', { $set: { status: 'running' } }],
      { found: 'the campaign says running' },
    ],
  ])('settled_wrong: %s', async (_, [collection, id, change], finding) => {
    await using _change = await altered(stage, collection, id, change);
    const { findings } = await stage.audit('over');
    expect(findings).toContainEqual(expect.objectContaining({ kind: 'settled_wrong', campaign: 'over', ...finding }));
  });

  const paused: Change[] = [
    ['campaigns', 'live', { $set: { status: 'paused' } }],
    ['campaign_runs', 'live', { $set: { status: 'paused' } }],
  ];

  test('in a pause events are consumed and answers recorded all the same', async () => {
    const row = { status: 'sending', pending: true, queuedAt: anHourAgo() };
    const found = await foundWith([
      ...paused,
      ['messages', 'live:c5/1', { $set: row }],
      [conversations, 'live:c5', { $set: aged }],
      [conversations, 'live:c6', { $push: { inbox: { id: 'e1', type: 'reply' } } as never }],
    ]);
    expect(found.toSorted()).toEqual(['live:c5 sending_stuck', 'live:c6 inbox_stuck']);
  });

  test('without the collection of campaigns nothing has to move, whether the run says so already or not', async () => {
    const [old, schedule] = [{ updatedAt: anHourAgo() }, { endAt: anHourAgo() }];
    await using _ = await altered(stage, conversations, 'live:c5', { $set: { nextActionAt: anHourAgo(), ...old } });
    await using __ = await altered(stage, 'campaign_runs', 'live', { $set: { ...old, schedule } });
    await stage.of('campaigns').rename('put_away');
    const kinds = [kindsOf(await stage.audit('live'))];
    const paused = { status: 'paused', pausedReason: 'collection_missing' };
    {
      await using ___ = await altered(stage, 'campaign_runs', 'live', { $set: paused });
      kinds.push(kindsOf(await stage.audit('live')));
    }
    await stage.of('put_away').rename('campaigns');
    expect(kinds.map((all) => all.filter((kind) => kind !== 'handed_late'))).toEqual([
      ['partition_unowned'],
      ['partition_unowned'],
    ]);
  });

  test('undecided: a resume that was lost', async () => {
    await using _ = await altered(stage, 'campaign_runs', 'live', { $set: { status: 'paused' } });
    const { findings } = await stage.audit('live');
    expect(findings).toContainEqual(expect.objectContaining({ kind: 'undecided', campaign: 'live' }));
  });

  test('not_started: its start has passed; or it has no run at all', async () => {
    const schedule = { startAt: anHourAgo() };
    {
      await using _ = await altered(stage, 'campaigns', 'live', { $set: { status: 'scheduled', schedule } });
      await using __ = await altered(stage, 'campaign_runs', 'live', { $set: { status: 'scheduled' } });
      expect(kindsOf(await stage.audit('live'))).toContain('not_started');
    }
    await stage.put('waits', { audience: { contacts: contacts(1) }, flow });
    await stage.put('drafted', { status: 'draft', audience: { contacts: contacts(1) }, flow });
    const finding = expect.objectContaining({
      kind: 'not_started',
      campaign: 'waits',
      found: 'pending, without a run',
    });
    expect((await stage.audit('waits')).findings).toContainEqual(finding);
    const { findings, kinds } = await stage.audit();
    expect(findings).toContainEqual(finding);
    expect(kinds['not_started']).toBe(1);
    expect(kindsOf(await stage.audit('drafted'))).toEqual(['partition_unowned']);
    await stage.of('campaigns').deleteMany({ _id: { $in: ['waits', 'drafted'] } });
  });

  test('expansion_stuck: nothing was added to it for long', async () => {
    await using _ = await altered(stage, 'campaign_runs', 'live', { $set: { 'expansion.done': false, ...aged } });
    expect(kindsOf(await stage.audit('live'))).toContain('expansion_stuck');
    expect(kindsOf(await stage.audit('live', '--overdue', '7200'))).not.toContain('expansion_stuck');
  });

  test('expansion_stuck: a busy campaign is folded all the while, and its expansion stands still; one that goes on is none', async () => {
    await using _ = await altered(stage, 'campaign_runs', 'live', { $set: { 'expansion.done': false } });
    const runs = stage.of('campaign_runs');
    const fold = async (more: object) => {
      await setTimeout(20);
      await runs.updateOne({ _id: 'live' }, { $set: { updatedAt: new Date(), ...more } });
    };
    const stuck = await meanwhile('live', () => fold({}), {}, '--overdue', '8');
    expect(kindsOf(stuck)).toContain('expansion_stuck');
    let expanded = 10;
    const goes = () => {
      expanded += 1;
      return fold({ 'expansion.after': expanded });
    };
    expect(kindsOf(await meanwhile('live', goes, {}, '--overdue', '8'))).not.toContain('expansion_stuck');
    // for longer than anything is watched
    const notes = [expect.stringMatching(/^live: \d+ expanded, and no further/)];
    const open = await meanwhile('live', () => fold({}), {}, '--overdue', '61');
    expect(kindsOf(open)).not.toContain('expansion_stuck');
    expect(open).toMatchObject({ complete: false, notes });
    expect(await meanwhile('live', goes, {}, '--overdue', '61')).toMatchObject({ complete: true, notes: [] });
  });

  test('run_missing: conversations and messages without one, of that campaign and of all', async () => {
    const rows = stage.of('messages');
    const [id, lone] = [new ObjectId(), 'spring 2026/lone'];
    const part = `~${id.toHexString()}`;
    await stage.of(conversations).insertOne({ _id: `${part}:a`, campaignId: id });
    await rows.insertOne({ _id: `${encodeURIComponent(lone)}:a/1`, campaignId: lone });
    {
      await using _ = await altered(stage, 'campaign_runs', 'over', 'delete');
      const of = async (...argv: string[]) =>
        (await stage.audit(...argv)).findings
          .filter(({ kind }) => kind === 'run_missing')
          .map(({ campaign, conversation, message }) => [String(campaign), conversation ?? message]);
      const over = [
        ['over', 'over:c0'],
        ['over', 'over:c0/1'],
      ];
      const others = [
        [id.toHexString(), `${part}:a`],
        [lone, `${encodeURIComponent(lone)}:a/1`],
      ];
      expect((await of()).toSorted()).toEqual([...over, ...others].toSorted());
      expect(await of('over')).toEqual(over);
      expect(await of(id.toHexString())).toEqual(others.slice(0, 1));
      expect(await of(lone)).toEqual(others.slice(1));
    }
    await stage.of(conversations).deleteOne({ _id: `${part}:a` });
    await rows.deleteOne({ campaignId: lone });
  });

  /** What an audit says while this happens again and again. */
  async function meanwhile(
    campaign: string,
    happens: () => Promise<unknown>,
    env: object = {},
    ...argv: string[]
  ): Promise<Report> {
    let over = false;
    const audited = stage.auditIn(env, campaign, ...argv).finally(() => {
      over = true;
    });
    while (!over) await happens();
    return audited;
  }

  const states = () => stage.of(conversations);
  const overdueOf = ({ findings }: Report) =>
    findings.flatMap(({ kind, conversation }) => (kind === 'overdue' ? [conversation] : [])).toSorted();
  /** Three who are in three partitions. */
  const [one = '', other = '', third = ''] = [
    ...new Map([2, 3, 4, 5, 6, 7, 8, 9].map((n) => [partitionOfConversation(`live:c${n}`, 16), `live:c${n}`])).values(),
  ];
  /** What is due at this conversation is taken up and due again, over and over. */
  function taken(_id: string): () => Promise<unknown> {
    let at = Date.now() - 7_200_000;
    return () => {
      at += 1;
      return states().updateOne({ _id }, { $set: { nextActionAt: new Date(at) }, $inc: { version: 1 } as never });
    };
  }

  test('what is served in its partition is behind, and not overdue', async () => {
    const late = { $set: { nextActionAt: anHourAgo() } };
    await using _ = await altered(stage, conversations, one, late);
    await using __ = await altered(stage, conversations, other, late);
    const partition = partitionOfConversation(other, 16);
    await using ___ = await altered(stage, conversations, third, { $set: { partition } });
    const report = await meanwhile('live', taken(third));
    expect(overdueOf(report)).toEqual([one]);
    expect(report.notes).toEqual([
      expect.stringMatching(/^live is behind on channel \S+: 1 conversation, since .*; it moves$/),
    ]);
  });

  test('where others of the same lane move, a partition that is passed over is found all the same', async () => {
    const late = { $set: { nextActionAt: anHourAgo() } };
    await using _ = await altered(stage, conversations, one, late);
    await using __ = await altered(stage, conversations, other, late);
    await using ___ = await altered(stage, conversations, third, late);
    // something is on its way besides: that its turn has not come is ruled out
    const sending = { status: 'sending', pending: true, queuedAt: new Date(), channel: '-' };
    await using ____ = await altered(stage, 'messages', 'live:c0/1', { $set: sending });
    const report = await meanwhile('live', taken(third));
    expect(overdueOf(report)).toEqual([one, other].toSorted());
    expect(report).toMatchObject({ complete: true, notes: [] });
  });

  /** Does this when the audit has begun to watch, and then that, over and over. */
  function onceThen(what: () => Promise<unknown>, then: () => Promise<unknown>): () => Promise<unknown> {
    const began = Date.now();
    let isDone = false;
    return async () => {
      await setTimeout(50);
      if (isDone) return then();
      if (Date.now() - began < 1_500) return undefined;
      isDone = true;
      return what();
    };
  }
  const early = () => new Date(Date.now() - 7_200_000);

  test('a partition that was served and is then passed over is found', async () => {
    await using _ = await altered(stage, conversations, one, { $set: { nextActionAt: anHourAgo() } });
    await using __ = await altered(stage, conversations, other, { $set: { nextActionAt: early() } });
    const partition = partitionOfConversation(one, 16);
    await using ___ = await altered(stage, conversations, third, { $set: { partition, nextActionAt: early() } });
    const itsTurn = { $inc: { sequence: 1, version: 1 } as never, $unset: { nextActionAt: '' as const } };
    const happens = onceThen(() => states().updateOne({ _id: third }, itsTurn), taken(other));
    const report = await meanwhile('live', happens, { LEASE_TTL_MS: '6000' });
    expect(overdueOf(report)).toEqual([one]);
    expect(report).toMatchObject({ complete: true, notes: [] });
  });

  test('a reply that ends the next one due is no turn of its partition', async () => {
    await using _ = await altered(stage, conversations, one, { $set: { nextActionAt: anHourAgo() } });
    const partition = partitionOfConversation(one, 16);
    await using __ = await altered(stage, conversations, third, { $set: { partition, nextActionAt: early() } });
    const reply = (detail: object) => ({
      $set: { status: 'completed', outcome: 'replied' },
      $unset: { nextActionAt: '' as const },
      $inc: { version: 1 } as never,
      $push: {
        history: {
          $each: [
            { at: new Date(), event: 'message', detail },
            { at: new Date(), event: 'ended', detail: { status: 'completed' } },
          ],
        },
      } as never,
    });
    const nothing = () => Promise.resolve();
    // an author may call an event as we call what we did
    const replied = onceThen(() => states().updateOne({ _id: third }, reply({ id: 'e1' })), nothing);
    const report = await meanwhile('live', replied, { LEASE_TTL_MS: '6000' });
    expect(overdueOf(report)).toEqual([one]);
    expect(report).toMatchObject({ complete: true, notes: [] });
  });

  test('where its turn has not come and its owner waits for answers, nothing is proved; what is stuck itself is no excuse', async () => {
    const overdue = { nextActionAt: anHourAgo(), nextChannel: 'phone' };
    await using _ = await altered(stage, conversations, 'live:c3', { $set: overdue });
    const found = async (queuedAt: Date, updatedAt: Date): Promise<Report> => {
      const sending = { status: 'sending', pending: true, queuedAt };
      await using _row = await altered(stage, 'messages', 'live:c4/1', { $set: sending });
      await using _conversation = await altered(stage, conversations, 'live:c4', { $set: { updatedAt } });
      // awaited here: both are put back with this function
      return await stage.audit('live');
    };
    const notes = [expect.stringMatching(/^live is behind on channel phone: 1 .*its turn has not come/)];
    // decided just now; or long ago, and it is another try
    for (const report of [await found(new Date(), anHourAgo()), await found(anHourAgo(), new Date())]) {
      expect(overdueOf(report)).toEqual([]);
      expect(report).toMatchObject({ complete: false, notes });
    }
    const stuck = await found(anHourAgo(), anHourAgo());
    expect(overdueOf(stuck)).toEqual(['live:c3']);
    expect(stuck).toMatchObject({ complete: true, kinds: { sending_stuck: 1 } });
  });

  test('who was lost has as long as a take-over takes: what it takes up then is no finding', async () => {
    await using _ = await altered(stage, 'campaign_runs', 'live', { $set: { status: 'paused' } });
    const began = Date.now();
    let resumed = false;
    const resume = async () => {
      await setTimeout(50);
      if (resumed || Date.now() - began < 8_000) return;
      resumed = true;
      await stage.of('campaign_runs').updateOne({ _id: 'live' }, { $set: { status: 'running' } });
    };
    const env = { LEASE_TTL_MS: '10000' };
    const report = await meanwhile('live', resume, env);
    expect(resumed).toBe(true);
    expect(kindsOf(report)).toEqual(['partition_unowned']);
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

describe('of more suspects than are told', () => {
  const many = 10_100;
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open('audit_many');
    await initDatabase(stage.database.db, { partitions: 16 });
    const [now, flow] = [new Date(), waitsLong];
    const run = { status: 'running', settled: false, flow, expansion: { expanded: many, skipped: {}, done: true } };
    const options = { bypassDocumentValidation: true };
    await stage.of('campaign_runs').insertOne({ _id: 'bulk', ...run, updatedAt: now }, options);
    await stage.of('campaigns').insertOne({ _id: 'bulk', status: 'running' }, options);
    await stage.of('conversation_states').insertMany(
      Array.from({ length: many }, (_, n) => ({
        _id: `bulk:c${n}`,
        ...{ campaignId: 'bulk', partition: partitionOfConversation(`bulk:c${n}`, 16), version: 1, status: 'active' },
        ...{ stage: 'ask', step: 0, sequence: 0, nextActionAt: anHourAgo(), nextChannel: 'phone', updatedAt: now },
        ...{ inbox: [], consumed: [], history: [] },
      })),
    );
  });
  afterAll(() => stage.close());

  test('none is a finding that moved; all that stood still are counted, and so many of them are kept', async () => {
    const still = await stage.audit('bulk');
    expect(still.kinds.overdue).toBe(many);
    expect(still.findings.filter(({ kind }) => kind === 'overdue')).toHaveLength(10_000);

    const states = stage.of('conversation_states');
    let over = false;
    const audited = stage.audit('bulk').finally(() => {
      over = true;
    });
    let moved = 0;
    while (!over) {
      await states.updateMany({}, { $inc: { version: 1 } as never });
      moved += 1;
    }
    expect((await audited).kinds.overdue).toBeUndefined();
    expect(moved).toBeGreaterThan(0);
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
