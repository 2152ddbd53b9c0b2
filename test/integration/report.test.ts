import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Document, Long, ObjectId } from 'mongodb';
import { report } from '../../src/cli/report/report.ts';
import { quantise } from '../../src/domain/distribution.ts';
import type { ReportHead } from '../../src/domain/report.ts';
import { report as reportOf } from '../../src/domain/report.ts';
import { ReportTally } from '../../src/domain/reportTally.ts';
import { initDatabase } from '../../src/mongo/collections.ts';
import { ReportReader } from '../../src/mongo/reportReader.ts';
import { failCommand, type TestDatabase, testDatabase } from '../support/mongo.ts';
import { context, type Ran, run } from '../unit/cli/host.ts';

type Loose = { _id: string; [field: string]: unknown };

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase('report');
  await initDatabase(database.db, { partitions: 16 });
});
afterAll(() => database.close());

const of = (name: string) => database.db.collection<Loose>(name);
const unchecked = { bypassDocumentValidation: true };
const cli = (...argv: string[]): Promise<Ran> =>
  run(argv, { MONGODB_URI: database.uri, MONGODB_DATABASE: database.name });
const told = async (id: string): Promise<Document> => {
  const ran = await cli('--json', 'report', id);
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  return ran.json();
};

const start = Date.parse('2026-01-05T09:00:00.000Z');
const at = (seconds: number): Date => new Date(start + seconds * 1000);
const flow = { stages: [{ id: 'intro', type: 'message' }] };
const runOf = (_id: string | ObjectId, more: Document = {}): Loose => ({
  ...{
    _id: _id as string,
    partition: 0,
    status: 'running',
    settled: false,
    priority: 5,
    flow,
    variables: {},
    campaign: {},
  },
  ...{ audience: { kind: 'inline' }, expansion: { expanded: 3, skipped: {}, done: true }, wake: 0 },
  ...{ createdAt: at(0), startedAt: at(0), updatedAt: at(0), ...more },
});
const conversation = (_id: string, more: Document = {}): Loose => ({
  ...{ _id, campaignId: 'x', status: 'completed', outcome: 'finished', sequence: 1, ...more },
});
const row = (_id: string, more: Document = {}): Loose => ({
  ...{
    _id,
    campaignId: 'x',
    stage: 'intro',
    step: 0,
    status: 'sent',
    attempts: 1,
    dueAt: at(0),
    sentAt: at(1),
    ...more,
  },
});
const unsent = (_id: string, { dueAt = at(0), ...more }: Document): Loose => {
  const { sentAt: _, ...rest } = row(_id, more);
  return { ...rest, dueAt };
};

describe('figures counted by hand', () => {
  test('of a running campaign with a pause, retries, replies, variants, and neighbours of nearly its name', async () => {
    const pauses = [{ from: at(100), until: at(160) }, { from: at(500) }];
    await of('campaign_runs').insertOne(runOf('hand', { pauses }), unchecked);
    await of('campaigns').insertOne({ _id: 'hand', status: 'paused', audience: { contacts: [] } }, unchecked);
    await of('conversation_states').insertMany(
      [
        conversation('hand:a', {
          sequence: 2,
          outcome: 'replied',
          repliedAt: at(31),
          variant: { draw: 'x', other: 1 },
        }),
        conversation('hand:b', {
          status: 'failed',
          outcome: 'failed',
          reason: 'provider_rejected',
          error: { code: 'http_550' },
        }),
        conversation('hand:c', { status: 'active', outcome: undefined, sequence: 0, variant: { draw: 'x' } }),
        // replied before anything was sent, with a sequence that is a Long
        conversation('hand:d', {
          repliedAt: at(0),
          sequence: Long.fromNumber(1),
          status: 'suppressed',
          outcome: 'unsubscribed',
        }),
        // of others
        conversation('hand2:a'),
        conversation('han:a'),
        conversation('hand%3Aa:a'),
      ],
      unchecked,
    );
    await of('messages').insertMany(
      [
        row('hand:a/1'),
        row('hand:a/2', { step: 1, dueAt: at(10), sentAt: at(11), variant: 'x' }),
        unsent('hand:b/1', {
          status: 'failed',
          reason: 'provider_rejected',
          error: { code: 'http_550', message: 'no' },
        }),
        unsent('hand:c/1', { status: 'queued', pending: true, error: { code: 'http_503', message: 'busy' } }),
        // due in the pause, and before it: what lay in it does not count
        row('hand:d/1', { dueAt: at(120), sentAt: at(161) }),
        row('hand:d/2', { dueAt: at(90), sentAt: at(163), attempts: 2 }),
        // answered late by 429: tried again without another attempt; not over before the pause that still lasts
        row('hand:d/3', { dueAt: at(498), sentAt: at(600), error: { code: 'http_429', message: 'slow' } }),
        // no time to be had
        row('hand:d/4', { dueAt: 'soon', stage: 'gone' }),
        unsent('hand:d/5', { status: 'skipped', reason: 'replied' }),
        row('hand2:a/1'),
        row('han:a/1'),
      ],
      unchecked,
    );
    const found = await told('hand');
    expect(found).toMatchObject({
      consistency: 'snapshot',
      campaign: { id: 'hand', status: 'paused', startedAt: at(0).toISOString() },
      conversations: {
        ...{ total: 4, replied: 2 },
        statuses: [
          { status: 'completed', count: 1, share: 0.25 },
          { status: 'suppressed', count: 1, share: 0.25 },
          { status: 'failed', count: 1, share: 0.25 },
          { status: 'active', count: 1, share: 0.25 },
        ],
        outcomes: [
          { status: 'completed', outcome: 'replied', count: 1, share: 0.25 },
          { status: 'suppressed', outcome: 'unsubscribed', count: 1, share: 0.25 },
          { status: 'failed', outcome: 'failed', count: 1, share: 0.25 },
        ],
      },
      messages: { total: 9, sent: 6, followUps: 1, failed: 1, uncertain: 0, skipped: 1, waiting: 1 },
      funnel: [
        {
          stage: 'intro',
          sent: 5,
          followUps: 1,
          failed: 1,
          skipped: 1,
          waiting: 1,
          variants: [{ variant: 'x', sent: 1 }],
        },
        { stage: 'gone', sent: 1 },
      ],
      splits: expect.arrayContaining([
        { stage: 'draw', variant: 'x', conversations: 2, replied: 1, replyRate: 0.5 },
        { stage: 'other', variant: '1', conversations: 1, replied: 1, replyRate: 1 },
      ]),
      latency: {
        // 1 s, 1 s, and 41 s less 40 s of pause
        firstTry: { count: 3, p50Ms: 1000, maxMs: 1000, histogram: [{ fromMs: 1000, toMs: 2000, count: 3 }] },
        // 73 s less 60 s; 102 s less the 100 s from 500 on
        retried: { count: 2, p50Ms: 2000, maxMs: 13_000 },
        unknown: 1,
      },
      // asked at 11 s
      replies: { count: 2, delay: { count: 1, p50Ms: 20_000 }, unknown: 1 },
      errors: [
        { code: 'http_550', gaveUp: 1, waiting: 0, overcome: 0, conversations: 0 },
        { code: 'http_429', gaveUp: 0, waiting: 0, overcome: 1, conversations: 0 },
        { code: 'http_503', gaveUp: 0, waiting: 1, overcome: 0, conversations: 0 },
      ],
      notSent: [
        { status: 'failed', reason: 'provider_rejected', count: 1 },
        { status: 'skipped', reason: 'replied', count: 1 },
      ],
    });
    const sent = found['timeline'].buckets.reduce((sum: number, bucket: { sent: number }) => sum + bucket.sent, 0);
    expect(sent).toBe(6);
  });

  test('an ObjectId and a number as id, and a name full of markup', async () => {
    const id = new ObjectId();
    const name = '<script>alert("x")</script>';
    await of('campaigns').insertOne({ _id: id as never, name, status: 'running', audience: {} }, unchecked);
    await of('campaign_runs').insertOne(runOf(id), unchecked);
    await of('conversation_states').insertOne(conversation(`~${id.toHexString()}:a`), unchecked);
    expect(await told(id.toHexString())).toMatchObject({
      campaign: { id: id.toHexString(), name },
      conversations: { total: 1 },
    });
    const page = await cli('report', id.toHexString(), '--html', '-');
    expect(page.code).toBe(0);
    expect(page.stdout).toMatch(/^<!doctype html>[\s\S]*&lt;script&gt;alert[\s\S]*<\/html>\n$/);
    expect(page.stdout).not.toContain('<script');
  });
});

test('the database counts as the domain does, whatever the documents say', async () => {
  const lengths = fc.oneof(fc.nat(20_000), fc.nat(5_000_000), fc.nat(4_000_000_000));
  const code = fc.constantFrom(undefined, 'http_503', 'timeout');
  const message = fc.record({
    ...{ stage: fc.constantFrom('a', 'b'), step: fc.nat(2), dueAt: fc.nat(9_000_000), length: lengths, code },
    ...{ status: fc.constantFrom('sent', 'failed', 'skipped', 'queued', 'delivered'), attempts: fc.nat(3) },
    ...{ dated: fc.boolean(), pending: fc.boolean(), reason: fc.constantFrom(undefined, 'stopped', 'uncertain') },
  });
  const state = fc.record({
    ...{ status: fc.constantFrom('active', 'completed'), outcome: fc.constantFrom(undefined, 'done') },
    ...{ repliedAt: fc.option(fc.nat(9_000_000), { nil: undefined }), messages: fc.array(message, { maxLength: 4 }) },
  });
  const pause = fc.tuple(fc.nat(9_000_000), fc.nat(3_000_000));
  let round = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(state, { minLength: 1, maxLength: 8 }),
      fc.array(pause, { maxLength: 2 }),
      async (states, spans) => {
        const id = `property-${++round}`;
        const pauses = spans.map(([from, length]) => ({
          from: new Date(start + from),
          until: new Date(start + from + length),
        }));
        const naive = new ReportTally();
        for (const [n, { status, outcome, repliedAt, messages }] of states.entries()) {
          const replied = repliedAt !== undefined;
          const _id = `${id}:c${n}`;
          await of('conversation_states').insertOne(
            {
              ...{ _id, status, sequence: messages.length, ...(outcome ? { outcome } : {}) },
              ...(replied ? { repliedAt: new Date(start + repliedAt) } : {}),
            },
            unchecked,
          );
          const rows = messages.map(({ length, dated, code, pending, reason, dueAt, ...rest }, index): Loose => {
            const more = {
              ...(code ? { error: { code } } : {}),
              ...(pending ? { pending } : {}),
              ...(reason ? { reason } : {}),
            };
            const sent = dated ? { sentAt: new Date(start + dueAt + length) } : {};
            return { _id: `${_id}/${index + 1}`, ...rest, dueAt: new Date(start + dueAt), ...sent, ...more };
          });
          if (rows.length > 0) await of('messages').insertMany(rows, unchecked);
          naive.addConversations(naiveConversation({ status, outcome, repliedAt, messages }));
          for (const one of messages) naive.addRows(naiveRow(one, pauses));
        }
        const head = { id, campaign: undefined, run: undefined, metrics: undefined };
        const counted = await read(head, pauses);
        const expected = reportOf(head, { ...reading, tally: naive });
        expect(sorted(reportOf(head, { ...reading, tally: counted }))).toEqual(sorted(expected));
      },
    ),
    { numRuns: 25 },
  );

  function naiveConversation({
    status,
    outcome,
    repliedAt,
    messages,
  }: Document): Parameters<ReportTally['addConversations']>[0] {
    const replied = repliedAt !== undefined;
    const sentAt = (messages as Document[]).filter(({ dated }) => dated).map(({ dueAt, length }) => dueAt + length);
    const asked = Math.max(...sentAt.filter((one) => one <= repliedAt));
    const delay = repliedAt - asked;
    return {
      conversations: [{ status, outcome, replied, count: 1 }],
      draws: [],
      delays: replied && Number.isFinite(asked) ? [{ bucketMs: quantise(delay), count: 1, maxMs: delay }] : [],
      moments: replied ? [{ at: second(repliedAt), series: 'replied', count: 1 }] : [],
    };
  }

  function naiveRow(one: Document, pauses: { from: Date; until: Date }[]): Parameters<ReportTally['addRows']>[0] {
    const { stage, step, status, reason, code, dated, pending, attempts, dueAt, length } = one;
    const sent = { followUp: step > 0, sent: dated, pending, count: 1 };
    const paused = pauses.map(({ from, until }) =>
      Math.max(0, Math.min(start + dueAt + length, +until) - Math.max(start + dueAt, +from)),
    );
    const ms = Math.max(0, length - paused.reduce((sum, part) => sum + part, 0));
    const latency = { retried: attempts > 1 || code !== undefined, bucketMs: quantise(ms), count: 1, maxMs: ms };
    const moment = { at: second(dueAt + length), count: 1 };
    const followUp = step > 0 ? [{ ...moment, series: 'followUps' as const }] : [];
    return {
      rows: [{ stage, status, reason, code, ...sent }],
      latencies: dated ? [latency] : [],
      moments: dated ? [{ ...moment, series: 'sent' }, ...followUp] : [],
    };
  }
});

const second = (ms: number): number => start + ms - (ms % 1000);
const reading = {
  ...{ fineMs: 1000, asOf: at(0), generatedAt: at(0), version: '0', consistency: 'snapshot' as const },
};

async function read(head: ReportHead, pauses: { from: Date; until?: Date }[]): Promise<ReportTally> {
  await using reader = await ReportReader.open(database.client, database.db, head.id);
  await reader.head();
  const tally = new ReportTally();
  for await (const { page } of reader.conversations({ fineMs: 1000, pauses })) tally.addConversations(page);
  for await (const { page } of reader.rows({ fineMs: 1000, pauses })) tally.addRows(page);
  expect(reader.isSnapshot).toBe(true);
  return tally;
}

/** What is equally many comes in any order. */
const sorted = (value: unknown): unknown => {
  if (Array.isArray(value))
    return value.map(sorted).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, sorted(one)]));
};

test('more documents than a page are read to the last one, by the index of ids', async () => {
  const many = 50_001;
  const documents = Array.from({ length: many }, (_, n) => ({
    _id: `paged:${n}/1`,
    status: 'sent',
    stage: 's',
    sentAt: at(0),
  }));
  await of('messages').insertMany(documents, unchecked);
  const states = Array.from({ length: 10_000 }, (_, n) => ({ _id: `paged:${n}`, status: 'active' }));
  await of('conversation_states').insertMany(states, unchecked);
  const tally = await read({ id: 'paged', campaign: undefined, run: undefined, metrics: undefined }, []);
  expect([tally.rows, tally.conversations]).toEqual([many, 10_000]);
  await of('messages').deleteMany({ _id: { $gte: 'paged:', $lt: 'paged;' } });
});

describe('when the snapshot is gone', () => {
  test.each([
    [true, 'ended'],
    [false, 'parts'],
  ])('settled %s: it reads on, and says so', async (settled, consistency) => {
    const id = `gone-${settled}`;
    await of('campaign_runs').insertOne(runOf(id, { settled, status: settled ? 'completed' : 'running' }), unchecked);
    await of('campaigns').insertOne({ _id: id, status: settled ? 'completed' : 'running', audience: {} }, unchecked);
    await of('conversation_states').insertMany([conversation(`${id}:a`), conversation(`${id}:b`)], unchecked);
    await using _ = await failCommand(database.client, {
      ...{ failCommands: ['aggregate'], appName: 'communication-base cli', errorCode: 239 },
      namespace: `${database.name}.conversation_states`,
    });
    const found = await told(id);
    expect(found).toMatchObject({ consistency, conversations: { total: 2 } });
    expect('checked' in found).toBe(false);
  });
});

describe('campaigns that never came to run, or are over', () => {
  const put = (_id: string, more: Document): Promise<unknown> =>
    of('campaigns').insertOne({ _id, audience: { contacts: [] }, ...more }, unchecked);

  test('one that is not valid says why', async () => {
    const error = { code: 'not_allowed', path: 'priority', message: 'was 12, allowed is 0 to 9' };
    await put('invalid', { status: 'failed', error });
    const ran = await cli('report', 'invalid');
    expect(ran.code).toBe(0);
    expect(ran.stdout).toContain('not_allowed at priority: was 12, allowed is 0 to 9\n');
    expect(ran.stdout).not.toContain('Conversations');
    expect((await told('invalid'))['campaign'].error).toEqual(error);
  });

  test('one that is only scheduled says when, one nobody entered says that', async () => {
    await put('ahead', { status: 'scheduled', schedule: { startAt: at(0) } });
    expect((await cli('report', 'ahead')).stdout).toContain('it starts at 2026-01-05 09:00:00 UTC.');
    await put('empty', { status: 'completed' });
    await of('campaign_runs').insertOne(
      runOf('empty', { status: 'completed', settled: true, completedAt: at(5) }),
      unchecked,
    );
    expect((await cli('report', 'empty')).stdout).toContain('Nobody was written to: no contact entered it.');
    expect((await cli('report', 'empty', '--html', '-')).code).toBe(0);
  });

  test('a deleted one is known by its run', async () => {
    await of('campaign_runs').insertOne(
      runOf('lost', { status: 'cancelled', settled: true, completedAt: at(5) }),
      unchecked,
    );
    expect((await told('lost'))['campaign']).toMatchObject({ status: 'deleted', runStatus: 'cancelled' });
  });

  test('interrupted it writes nothing, and says so with its exit code', async () => {
    await of('campaign_runs').insertOne(runOf('stopped'), unchecked);
    await of('conversation_states').insertOne(conversation('stopped:a', { campaignId: 'stopped' }), unchecked);
    const folder = await mkdtemp(join(tmpdir(), 'report-'));
    const env = { MONGODB_URI: database.uri, MONGODB_DATABASE: database.name };
    const aborted = { ...context(env, { json: true }), signal: AbortSignal.abort() };
    expect(await report({ campaign: 'stopped', html: join(folder, 'a.html') }, aborted)).toBe(130);
    expect(JSON.parse(aborted.stdout.text)).toMatchObject({ error: { code: 'interrupted' } });
    expect(await readdir(folder)).toEqual([]);
    await rm(folder, { recursive: true });
  });

  test('one that nobody knows is answered with 1, and no file is left', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'report-'));
    const ran = await cli('report', 'nobody', '--html', join(folder, 'a.html'));
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain('there is no campaign nobody');
    expect(await readdir(folder)).toEqual([]);
    await rm(folder, { recursive: true });
    expect((await cli('--json', 'report', 'nobody')).json()).toMatchObject({ error: { code: 'not_found' } });
  });
});
