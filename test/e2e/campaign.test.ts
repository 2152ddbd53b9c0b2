/** The main job, seen from outside: the plain driver writes, real workers work, a real HTTP provider takes the messages. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Document } from 'mongodb';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { waitFor } from '../support/waitFor.ts';
import { shortLease, startWorker, type WorkerProcess } from '../support/workers.ts';

/** More for a soak: `CONTACTS=10000 npm test -- --selectProjects e2e`. */
const size = Number(process.env['CONTACTS'] ?? 1000);
const patience = { timeoutMs: 60_000 + size * 10, intervalMs: 100 };

let database: TestDatabase;
let sink: Sink;
let workers: WorkerProcess[];

const start = (env: Record<string, string> = {}): WorkerProcess => {
  const worker = startWorker(database, {
    CHANNEL_PHONE_DRIVER: 'http',
    CHANNEL_PHONE_URL: sink.url,
    ...env,
  });
  workers.push(worker);
  return worker;
};

beforeEach(async () => {
  database = await testDatabase('e2e');
  sink = await startSink({ keep: 10 });
  workers = [];
});
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.kill('SIGKILL')));
  await sink.close();
  await database.close();
});

const text = (value: string) => ({ text: value });
const twoStages = {
  stages: [
    {
      id: 'intro',
      type: 'message',
      channel: 'phone',
      content: text('Hello {{ contact.name }}, this is {{ variables.product }}'),
      followUps: [{ after: 'PT3S', content: text('Still there?') }],
      on: { reply: 'thanks', noReply: 'tips' },
    },
    { id: 'tips', type: 'message', channel: 'phone', content: text('Tips'), delay: 'PT1S', on: { noReply: 'done' } },
    { id: 'thanks', type: 'message', channel: 'phone', content: text('Thanks'), on: { noReply: 'done' } },
    { id: 'done', type: 'end', outcome: 'done' },
  ],
};

const waitsLong = {
  stages: [{ id: 'ask', type: 'message', channel: 'phone', content: text('Coming?'), waitForReply: 'P1D' }],
};

async function people(count: number): Promise<void> {
  const documents = Array.from({ length: count }, (_, n) => ({
    // ids of several types, as grown collections have them
    ...(n % 3 === 0 ? { _id: `p${n}` as never } : n % 3 === 1 ? { _id: n as never } : {}),
    name: `Person ${n}`,
    mobile: `+4915${n}`,
    country: 'DE',
  }));
  await database.db.collection('people').insertMany(documents);
}

const campaign = (id: string, more: Document = {}): Document => ({
  _id: id,
  status: 'pending',
  audience: { collection: 'people', filter: { country: 'DE' }, map: { phone: '$mobile' } },
  templateId: 'onboarding',
  variables: { product: 'Compass' },
  ...more,
});
const put = (document: Document) => database.db.collection('campaigns').insertOne(document);
const stored = (id: string) => database.db.collection<Document>('campaigns').findOne({ _id: id as never });
const completed = (id: string) =>
  waitFor(async () => (await stored(id))?.['status'] === 'completed', { ...patience, what: `${id} to be completed` });

async function template(): Promise<void> {
  await database.db
    .collection('templates')
    .insertOne({ _id: { id: 'onboarding', version: 1 } as never, flow: twoStages });
}

/** What `metrics` say, counted from the documents themselves. */
async function counted(id: string): Promise<Document> {
  const conversations = database.db.collection('conversation_states');
  const messages = database.db.collection('messages');
  const of = (status: string) => conversations.countDocuments({ campaignId: id as never, status });
  return {
    total: await conversations.countDocuments({ campaignId: id as never }),
    active: await of('active'),
    completed: await of('completed'),
    failed: await of('failed'),
    cancelled: await of('cancelled'),
    sent: await messages.countDocuments({ campaignId: id as never, sentAt: { $exists: true } }),
    skipped: await messages.countDocuments({ campaignId: id as never, status: 'skipped' }),
  };
}

async function expectExact(id: string): Promise<void> {
  const metrics = (await stored(id))?.['metrics'];
  const { messages } = metrics;
  expect({
    total: metrics.total,
    active: metrics.active,
    completed: metrics.completed,
    failed: metrics.failed,
    cancelled: metrics.cancelled,
    sent: messages.sent,
    skipped: messages.skipped,
  }).toEqual(await counted(id));
  expect(await database.db.collection('messages').countDocuments({ pending: { $exists: true } })).toBe(0);
}

/** Each sent row is at the provider, and nothing else is. */
async function expectDelivered(): Promise<{ repeated: number }> {
  const rows = await database.db
    .collection('messages')
    .find({ sentAt: { $exists: true } })
    .toArray();
  const ids = new Set(rows.map(({ _id }) => String(_id)));
  expect([...ids].filter((id) => !sink.keys.has(id))).toEqual([]);
  expect([...sink.keys.keys()].filter((key) => !ids.has(key))).toEqual([]);
  return { repeated: sink.repeated.length };
}

describe('a campaign written by another program', () => {
  test('runs to completed with exact metrics; replies stop the follow-ups', async () => {
    await people(size);
    await template();
    start();
    const replied = new Set<string>();
    sink.answer((delivery) => {
      const { conversationId, stage, step } = delivery.json as { conversationId: string; stage: string; step: number };
      if (stage === 'intro' && step === 0 && Number(/\d/.exec(conversationId)?.[0]) % 2 === 0) {
        replied.add(conversationId);
        void database.db
          .collection('conversation_states')
          .updateOne(
            { _id: conversationId as never },
            { $push: { inbox: { id: `r-${conversationId}`, type: 'reply' } } as never },
          );
      }
      return undefined;
    });
    await put(campaign('spring'));
    await completed('spring');
    await expectExact('spring');
    expect(await expectDelivered()).toEqual({ repeated: 0 });
    const document = await stored('spring');
    const metrics = document?.['metrics'];
    expect(metrics.replied).toBe(replied.size);
    expect(metrics.stages.thanks.sent).toBe(replied.size);
    expect(metrics.stages.tips.sent).toBe(size - replied.size);
    expect(metrics.messages.followUps).toBe(size - replied.size);
    expect(metrics.outcomes).toEqual({ done: size });
    expect(document?.['results']).toBeDefined();
    const followUps = await database.db.collection('messages').find({ step: 1 }).toArray();
    expect(followUps.filter(({ conversationId }) => replied.has(conversationId))).toEqual([]);
  });
});

describe('SIGKILL', () => {
  test('of the only worker, three times: started again, it loses nothing and repeats only what was in doubt', async () => {
    await people(size);
    await template();
    let worker = start(shortLease);
    await put(campaign('spring'));
    const limit = 3 * 512;
    for (const part of [0.3, 1, 1.7]) {
      await waitFor(() => sink.keys.size > size * part, { ...patience, what: `${part} messages a contact` });
      await worker.kill('SIGKILL');
      worker = start(shortLease);
    }
    await completed('spring');
    await expectExact('spring');
    expect((await expectDelivered()).repeated).toBeLessThanOrEqual(limit);
  });

  test('of one of two workers, for good: the other one takes over', async () => {
    await people(size);
    await template();
    const first = start(shortLease);
    start(shortLease);
    await waitFor(async () => (await database.db.collection('partitions').distinct('owner')).length === 2, {
      what: 'both to own partitions',
      timeoutMs: 30_000,
    });
    await put(campaign('spring'));
    await waitFor(() => sink.keys.size > size / 2, { ...patience, what: 'half a message a contact' });
    await first.kill('SIGKILL');
    await completed('spring');
    await expectExact('spring');
    expect((await expectDelivered()).repeated).toBeLessThanOrEqual(512);
    expect(await database.db.collection('members').countDocuments()).toBe(1);
  });
});

test('SIGTERM hands over: nothing is repeated', async () => {
  await people(size);
  await template();
  const first = start();
  await put(campaign('spring'));
  await waitFor(() => sink.keys.size > size / 2, { ...patience, what: 'half a message a contact' });
  start();
  expect(await first.kill('SIGTERM')).toBe(0);
  await completed('spring');
  await expectExact('spring');
  expect(await expectDelivered()).toEqual({ repeated: 0 });
});

describe('what its author does while it runs', () => {
  test('pause holds it, resume loses nobody', async () => {
    await people(300);
    await template();
    start();
    await put(campaign('spring'));
    await waitFor(() => sink.keys.size > 50, { ...patience, what: 'the first messages' });
    const campaigns = database.db.collection('campaigns');
    await campaigns.updateOne({ _id: 'spring' as never }, { $set: { status: 'paused' } });
    const run = () => database.db.collection('campaign_runs').findOne({ _id: 'spring' as never });
    await waitFor(async () => (await run())?.['status'] === 'paused', {
      ...patience,
      what: 'the pause to be recorded',
    });
    await waitFor(async () => (await database.db.collection('messages').countDocuments({ status: 'sending' })) === 0, {
      ...patience,
      what: 'nothing to be on its way',
    });
    const taken = sink.taken;
    await campaigns.updateOne({ _id: 'spring' as never }, { $set: { status: 'running' } });
    await completed('spring');
    expect(sink.taken).toBeGreaterThan(taken);
    await expectExact('spring');
    expect(await expectDelivered()).toEqual({ repeated: 0 });
  });

  test('cancel ends everybody; deleting the document counts as cancel', async () => {
    await people(300);
    await template();
    start();
    for (const id of ['spring', 'gone']) {
      await put(campaign(id));
      const runs = database.db.collection('campaign_runs');
      await waitFor(async () => (await runs.findOne({ _id: id as never }))?.['expansion']?.done, {
        ...patience,
        what: `${id} to be expanded`,
      });
      const campaigns = database.db.collection('campaigns');
      if (id === 'gone') await campaigns.deleteOne({ _id: id as never });
      else await campaigns.updateOne({ _id: id as never }, { $set: { status: 'cancelled' } });
      await waitFor(async () => (await runs.findOne({ _id: id as never }))?.['settled'], {
        ...patience,
        what: `${id} to be settled`,
      });
      expect((await counted(id))['active']).toBe(0);
    }
    await expectExact('spring');
    expect((await stored('spring'))?.['status']).toBe('cancelled');
  });
});

test('a collection that is dropped gets its indexes again; its runs wait for their author, and others run', async () => {
  await people(300);
  await template();
  const worker = start();
  const { templateId: _, ...spring } = campaign('spring', { flow: waitsLong });
  await put(spring);
  const run = () => database.db.collection('campaign_runs').findOne({ _id: 'spring' as never });
  await waitFor(async () => (await run())?.['expansion']?.done, { ...patience, what: 'spring to be expanded' });
  await database.db.collection('campaigns').drop();
  const indexed = async (): Promise<boolean> =>
    (
      await database.db
        .collection('campaigns')
        .indexes()
        .catch(() => [])
    ).some(({ name }) => name === 'status');
  await waitFor(indexed, { ...patience, what: 'the index to be there again' });
  await waitFor(async () => (await run())?.['status'] === 'paused', { ...patience, what: 'the run to be paused' });
  expect((await run())?.['pausedReason']).toBe('collection_missing');
  // put back by its author it goes on; one document that is deleted afterwards is a cancel again
  await put({ ...spring, status: 'running' });
  await waitFor(async () => (await run())?.['status'] === 'running', { ...patience, what: 'spring to go on' });
  await database.db.collection('campaigns').deleteOne({ _id: 'spring' as never });
  await waitFor(async () => (await run())?.['settled'], { ...patience, what: 'spring to be cancelled' });
  expect((await run())?.['status']).toBe('cancelled');
  await put(campaign('summer'));
  await completed('summer');
  expect(worker.log.filter((line) => line.includes('"level":"error"'))).toEqual([]);
});

test('campaigns that are put back at once, as a restore does, stop for nothing and can be cancelled afterwards', async () => {
  await people(300);
  await template();
  start();
  const { templateId: _, ...spring } = campaign('spring', { flow: waitsLong });
  await put(spring);
  const run = () => database.db.collection('campaign_runs').findOne({ _id: 'spring' as never });
  await waitFor(async () => (await run())?.['expansion']?.done, { ...patience, what: 'spring to be expanded' });
  const first = (await run())?.['collectionUuid'];
  const campaigns = database.db.collection<Document>('campaigns');
  const kept = await campaigns.find().toArray();
  await campaigns.drop();
  await campaigns.insertMany(kept);
  const isSeen = async (): Promise<boolean> => {
    const found = await run();
    return found?.['status'] === 'running' && found['collectionUuid'] !== first;
  };
  await waitFor(isSeen, { ...patience, what: 'the other collection to be noticed' });
  await campaigns.deleteOne({ _id: 'spring' as never });
  await waitFor(async () => (await run())?.['settled'], { ...patience, what: 'spring to be cancelled' });
  expect((await run())?.['status']).toBe('cancelled');
});

test('at endAt nothing new goes out, the rest is cancelled, and the campaign is completed', async () => {
  await people(200);
  await template();
  start();
  const later = new Date(Date.now() + 3_600_000);
  const { templateId: _, ...short } = campaign('short', { schedule: { endAt: later }, flow: waitsLong });
  await put(short);
  const run = () => database.db.collection('campaign_runs').findOne({ _id: 'short' as never });
  await waitFor(async () => (await run())?.['expansion']?.done, { ...patience, what: 'short to be expanded' });
  // brought forward, so that how fast this machine is decides nothing
  const endAt = new Date(Date.now() + 2000);
  await database.db.collection('campaigns').updateOne({ _id: 'short' as never }, { $set: { 'schedule.endAt': endAt } });
  await completed('short');
  await expectExact('short');
  const document = await stored('short');
  expect(document?.['error']).toBeUndefined();
  expect(document?.['metrics'].cancelled).toBe(200);
  expect(Date.now()).toBeGreaterThan(endAt.getTime());
});

test('documents of any shape beside a good one: each fails with a path, the good one runs', async () => {
  await people(50);
  await template();
  start();
  const { Decimal128 } = await import('mongodb');
  const broken: Document[] = [
    { _id: 'b1', status: 7 },
    { _id: 'b2', status: 'pending', flow: 'hello', audience: { contacts: [] } },
    { _id: 'b3', status: 'pending', audience: null },
    campaign('b4', { priority: Number.NaN }),
    campaign('b5', { priority: Decimal128.fromString('2.5') }),
    campaign('b6', { templateId: 'nowhere' }),
    campaign('b7', { audience: { collection: 'messages' } }),
    campaign('b8', { schedule: { startAt: 'tomorrow' } }),
    campaign('b9', { limits: { perSecond: 0 } }),
    campaign('b10', {
      templateId: undefined,
      flow: { stages: [{ id: 'a', type: 'message', channel: 'fax', content: {} }] },
    }),
  ];
  for (const document of broken) await put(document);
  await put(campaign('good', { priority: Decimal128.fromString('3') }));
  await completed('good');
  for (const { _id } of broken) {
    const document = await waitFor(
      async () => {
        const found = await stored(String(_id));
        return found?.['status'] === 'failed' ? found : undefined;
      },
      { ...patience, what: `${_id} to be failed` },
    );
    expect({ id: _id, path: typeof document['error']?.path, code: typeof document['error']?.code }).toEqual({
      id: _id,
      path: 'string',
      code: 'string',
    });
  }
  await expectExact('good');
});
