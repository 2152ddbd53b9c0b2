/** Traces as a collector gets them over the wire, while workers send, are answered, and one of them is killed. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Document } from 'mongodb';
import { traceContext } from '../../src/domain/trace.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Collector, startCollector, type TakenSpan } from '../support/otlp.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorker, type WorkerProcess } from '../support/workers.ts';

const size = 24;
const patience = { timeoutMs: 60_000, intervalMs: 50 };

let database: TestDatabase;
let sink: Sink;
let collector: Collector;
let workers: WorkerProcess[];
beforeEach(async () => {
  database = await testDatabase('tracing');
  sink = await startSink();
  collector = await startCollector();
  workers = [];
});
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.kill('SIGKILL')));
  await sink.close();
  await collector.close();
  await database.close();
});

const start = (): WorkerProcess => {
  const worker = startWorker(database, {
    ...{ CHANNEL_PHONE_DRIVER: 'http', CHANNEL_PHONE_URL: sink.url, LEASE_TTL_MS: '1500' },
    ...{
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '100',
    },
  });
  workers.push(worker);
  return worker;
};

const say = (id: string, more: object) => ({
  ...{ id, type: 'message', channel: 'phone', content: { text: `Secret words for {{ contact.name }}` } },
  ...more,
});
const flow = {
  stages: [
    say('hello', { waitForReply: 'PT1S', followUps: [{ after: 'PT1S' }], on: { reply: 'thanks', noReply: 'desk' } }),
    say('thanks', { on: { noReply: 'done' } }),
    { id: 'done', type: 'end', outcome: 'done' },
    { id: 'desk', type: 'escalate', to: 'boss@example.org' },
  ],
};
const contacts = Array.from({ length: size }, (_, n) => ({ id: `c${n}`, name: `Nobody ${n}`, phone: `+1555000${n}` }));
const campaign = (_id: string, more: object) => ({ _id, status: 'pending', audience: { contacts }, flow, ...more });
const id = ({ traceId, spanId }: { traceId: string; spanId: string }): string => `${traceId}/${spanId}`;

test('each conversation is one tree in the trace its document names, across a kill -9 and a take-over', async () => {
  const { db } = database;
  const conversations = db.collection<Document & { _id: string }>('conversation_states');
  const push = (conversationId: string, event: object) =>
    conversations.updateOne({ _id: conversationId }, { $push: { inbox: event } as never });
  // of what leaves first some is never answered: its worker is killed while it is in doubt
  let hanging = true;
  sink.answer(({ json }, n) => {
    const { conversationId, stage, step } = json as { conversationId: string; stage: string; step: number };
    const isEven = Number(/\d+$/.exec(conversationId)?.[0]) % 2 === 0;
    if (hanging && n % 3 === 0) return { hang: true };
    if (stage === 'hello' && step === 0 && isEven)
      void push(conversationId, { id: `r-${conversationId}`, type: 'reply', text: 'Secret words back' });
    return undefined;
  });
  start();
  const other = start();
  const owners = () => db.collection('partitions').distinct('owner');
  await waitFor(async () => (await owners()).length === 2, { ...patience, what: 'both workers to own something' });
  const writers = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
  await db
    .collection<Document & { _id: string }>('campaigns')
    .insertMany([
      campaign('spring', { trace: { traceparent: `00-${id(writers).replace('/', '-')}-01` } }),
      campaign('quiet', { trace: { traceparent: '00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00' } }),
    ]);
  const isTold = ({ name, pid }: TakenSpan): boolean => name === 'send phone' && pid === other.child.pid;
  await waitFor(() => sink.keys.size >= size && collector.spans.some(isTold), {
    ...{ ...patience, what: 'the first messages, and spans of the one to be killed' },
  });
  await other.kill('SIGKILL');
  hanging = false;
  sink.release();
  await waitFor(async () => (await conversations.countDocuments({ status: 'active' })) === 0 && sink.taken > 0, {
    ...patience,
    what: 'every conversation to have ended',
  });
  const all = await conversations.find({ campaignId: 'spring' }).toArray();
  expect(all).toHaveLength(size);
  // what is left to be told is told now
  await Promise.all(workers.map((worker) => worker.kill('SIGTERM')));

  const { spans } = collector;
  const known = new Set(spans.map(id));
  const orphans = spans.filter(
    (span) => span.parentSpanId !== '' && !known.has(`${span.traceId}/${span.parentSpanId}`),
  );
  expect(orphans.map(({ name, traceId, parentSpanId }) => ({ name, traceId, parentSpanId }))).toEqual([
    { name: 'campaign', traceId: writers.traceId, parentSpanId: writers.spanId },
  ]);
  expect(known.size).toBe(spans.length);

  const run = await db.collection<Document & { _id: string }>('campaign_runs').findOne({ _id: 'spring' });
  const ofRun = traceContext(run?.['trace'].traceparent);
  expect(ofRun).toMatchObject({ traceId: writers.traceId, sampled: true });
  const survivors = new Set(workers.filter((worker) => worker !== other).map(({ child }) => child.pid));
  const rounds = new Set(spans.filter(({ name }) => name === 'round').map(id));
  let handedOn = 0;
  let whole = 0;
  for (const { _id, trace, outcome } of all) {
    const root = traceContext(trace.traceparent);
    const tree = spans.filter(({ traceId }) => traceId === root?.traceId);
    const [first, ...below] = tree.sort(
      (a, b) => a.startMs - b.startMs || a.parentSpanId.length - b.parentSpanId.length,
    );
    expect(first).toMatchObject({ name: 'conversation', spanId: root?.spanId, parentSpanId: '' });
    expect(first?.links).toMatchObject([{ traceId: ofRun?.traceId, spanId: ofRun?.spanId }]);
    expect(new Set(below.map(({ parentSpanId }) => parentSpanId))).toEqual(new Set([root?.spanId]));
    expect(first?.attributes['messaging.message.conversation_id']).toBe(_id);
    for (const { name, links, pid } of below)
      if (name === 'decide' && survivors.has(pid as number))
        expect(links.map(id).filter((one) => !rounds.has(one))).toEqual([]);
    const names = below.map(({ name }) => name);
    // the last spans of the one that was killed went with it
    if (names.includes('completion')) expect(names.at(-1)).toBe('completion');
    if (names.includes(outcome === 'escalated' ? 'escalation' : 'event')) whole += 1;
    if (new Set(tree.map(({ pid }) => pid)).size > 1) handedOn += 1;
  }
  expect(handedOn).toBeGreaterThan(0);
  expect(whole).toBeGreaterThan(size / 2);

  const sends = spans.filter(({ name }) => name === 'send phone');
  const rows = await db.collection('messages').find({ campaignId: 'spring' }).toArray();
  const told = new Set(sends.map(({ attributes }) => attributes['messaging.message.id']));
  // those of the one that was killed may have gone with it
  const untold = rows.filter(({ _id }) => !told.has(_id));
  expect(untold.length).toBeLessThan(rows.length / 2);
  expect(sends.every(({ kind, attributes }) => kind === 3 && attributes['messaging.operation.type'] === 'send')).toBe(
    true,
  );
  // the campaign whose writer records nothing is not recorded
  expect(collector.raw).not.toMatch(/quiet|Secret words|\+1555|Nobody|boss@example/);
  for (const { trace } of await conversations.find({ campaignId: 'quiet' }).toArray())
    expect(traceContext(trace.traceparent)).toMatchObject({ sampled: false });
  // a provider is given the conversation's context
  const { headers, json } = sink.deliveries.at(-1) ?? {};
  const { conversationId } = json as { conversationId: string };
  expect(headers?.['traceparent']).toBe((await conversations.findOne({ _id: conversationId }))?.['trace'].traceparent);
});
