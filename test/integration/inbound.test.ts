/** Inbound events, seen from outside: the plain driver writes, a real member works, a real HTTP provider takes the messages. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Document } from 'mongodb';
import { loadConfig } from '../../src/config.ts';
import { normalAddress } from '../../src/domain/addresses.ts';
import { initDatabase } from '../../src/mongo/collections.ts';
import { checkHashKey } from '../../src/mongo/hashKey.ts';
import { addressBook } from '../../src/worker/addressBook.ts';
import { startMember } from '../../src/worker/member.ts';
import type { RunningMember } from '../../src/worker/protocol.ts';
import { systemClock } from '../../src/worker/systemClock.ts';
import { recordingInstruments, recordingLogger } from '../support/fakes.ts';
import { lateness } from '../support/lateness.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { waitFor } from '../support/waitFor.ts';

const hashKey = 'the key of this test';
const hash = (address: string): string => addressBook(hashKey).hash(normalAddress(address));
/** As many as the acceptance asks for: `RACES=1000`. */
const races = Number(process.env['RACES'] ?? 300);
/** What is promised of a machine that goes on; how long it stood still is added. */
const boundMs = 2_000;

let database: TestDatabase;
let sink: Sink;
let member: RunningMember;
const logger = { ...recordingLogger(), child: () => logger };

const start = (): Promise<RunningMember> =>
  startMember({
    ...{ thread: 0, logger, instruments: recordingInstruments(), clock: systemClock, random: Math.random },
    signal: new AbortController().signal,
    config: loadConfig({
      ...{ MONGODB_URI: database.uri, MONGODB_DATABASE: database.name, HASH_KEY: hashKey, PARTITIONS: '8' },
      ...{ CHANNEL_SMS_DRIVER: 'http', CHANNEL_SMS_URL: sink.url, CHANNEL_SMS_ADDRESS: 'phone' },
    }),
  });
beforeEach(async () => {
  database = await testDatabase('inbound', { readConcernLevel: 'majority', writeConcern: { w: 'majority' } });
  sink = await startSink();
  member = await start();
});
afterEach(async () => {
  await member.stop();
  await sink.close();
  await database.close();
});

const ping = () => database.db.command({ ping: 1 });
const of = (name: string) => database.db.collection<Document & { _id: string }>(name);
const document = (name: string, _id: string) => of(name).findOne({ _id });
const phone = (n: number): string => `+4915${String(n).padStart(6, '0')}`;
const ask = { id: 'ask', type: 'message', channel: 'sms', content: { text: 'Coming?' }, waitForReply: 'P1D' };
const campaign = (_id: string, contacts: number, stages: object[] = [ask]): Promise<unknown> =>
  of('campaigns').insertOne({
    ...{ _id, status: 'pending', flow: { stages } },
    audience: { contacts: Array.from({ length: contacts }, (_, n) => ({ id: `k${n}`, phone: phone(n) })) },
  });
const event = (_id: string, more: object): Promise<unknown> =>
  of('inbound_events').insertOne({ _id, type: 'reply', at: new Date(), ...more });
const handled = (_id: string): Promise<Document> =>
  waitFor(
    async () => {
      const found = await document('inbound_events', _id);
      return found?.['handledAt'] ? found : undefined;
    },
    { what: `${_id} to be handled` },
  );
const sent = (count: number): Promise<unknown> =>
  waitFor(async () => (await of('messages').countDocuments({ step: 0, sentAt: { $exists: true } })) === count, {
    ...{ timeoutMs: 90_000, what: `${count} messages to be recorded as sent` },
  });
const becomes = (conversation: string, more: object): Promise<unknown> =>
  waitFor(async () => (await of('conversation_states').countDocuments({ _id: conversation, ...more })) === 1, {
    what: `${conversation} to become ${JSON.stringify(more)}`,
  });

describe('inbound events', () => {
  test('a reply by address, a receipt by the id of the provider, STOP, START: each is heeded once', async () => {
    sink.answer((_, n) => ({ id: `p-${n}` }));
    await campaign('spring', 4);
    await sent(4);
    const row = await document('messages', 'spring:k1/1');
    await event('r0', { channel: 'sms', address: phone(0).replace('+', '00'), text: 'Yes' });
    await event('d1', { type: 'delivered', providerMessageId: row?.['providerMessageId'] });
    await event('d1 again', { type: 'delivered', providerMessageId: row?.['providerMessageId'] });
    await event('s2', { channel: 'sms', address: phone(2), text: 'Stop, please!' });
    await event('x', { channel: 'sms', address: '+1 555 0100', text: 'Who is this?' });
    expect(await handled('r0')).toMatchObject({ conversations: ['spring:k0'] });
    expect(await handled('x')).toMatchObject({ unmatched: true });
    await becomes('spring:k0', { status: 'completed', outcome: 'replied' });
    await becomes('spring:k2', { status: 'suppressed', outcome: 'unsubscribed' });
    await handled('d1 again');
    await waitFor(async () => (await document('messages', 'spring:k1/1'))?.['status'] === 'delivered', {
      what: 'the receipt',
    });
    const id = `sms:*:${hash(phone(2))}`;
    expect(await of('suppressions').find().toArray()).toMatchObject([{ _id: id, reason: 'opt_out' }]);

    await campaign('summer', 4);
    await sent(7);
    await becomes('summer:k2', { status: 'suppressed' });
    expect(await document('messages', 'summer:k2/1')).toMatchObject({ status: 'skipped', reason: 'suppressed' });
    await waitFor(async () => (await document('campaigns', 'spring'))?.['metrics']?.messages?.delivered === 1, {
      what: 'the receipt to be counted once',
    });

    await event('s2 back', { channel: 'sms', address: phone(2), text: 'START' });
    await handled('s2 back');
    expect(await document('suppressions', id)).toBeNull();
    await campaign('autumn', 4);
    await sent(11);
    expect(sink.repeated).toEqual([]);
  });

  test('STOP of somebody nobody knows is kept, within two seconds, and holds for what comes later', async () => {
    const late = lateness(ping);
    const began = performance.now();
    await event('e', { channel: 'sms', address: '0049 (15) 000-001', text: 'STOP' });
    await waitFor(() => document('suppressions', `sms:*:${hash(phone(1))}`), { what: 'the suppression' });
    const tookMs = performance.now() - began;
    expect(tookMs - late.most()).toBeLessThan(boundMs);
    await campaign('spring', 2);
    await sent(1);
    await becomes('spring:k1', { status: 'suppressed', reason: 'suppressed' });
  });

  test('what came while nobody was there is handled by who comes next', async () => {
    await member.stop();
    await event('e', { channel: 'sms', address: phone(1), text: 'STOP' });
    await event('bad', { address: phone(1) });
    member = await start();
    await handled('e');
    expect(await handled('bad')).toMatchObject({ status: 'failed', error: { code: 'required', path: 'channel' } });
    expect(await of('suppressions').countDocuments()).toBe(1);
  });

  test('STOP amid a campaign at full speed: nothing leaves later than two seconds after it was stored', async () => {
    const contacts = 1_000;
    sink.answer(() => ({ delayMs: 100 }));
    await campaign('spring', contacts, [
      { ...ask, followUps: [{ after: 'PT1S' }, { after: 'PT1S' }, { after: 'PT1S' }] },
    ]);
    await sink.took(100);
    const stood = lateness(ping);
    /** By the clock of the server; from before the first, however long the stream takes to open. */
    const stored = new Map<string, number>();
    const { operationTime } = await database.db.command({ ping: 1 });
    const watch = of('suppressions').watch([], { startAtOperationTime: operationTime });
    watch.on('change', (change) => {
      if (change.operationType === 'insert') stored.set(String(change.documentKey._id), Number(change.wallTime));
    });
    for (let n = 0; n < contacts; n += 10) {
      await event(`e${n}`, { channel: 'sms', address: phone(n), text: 'STOP' });
      await sink.took(100 + n);
    }
    await waitFor(() => stored.size === contacts / 10, { timeoutMs: 30_000, what: 'every opt-out to be stored' });
    await waitFor(
      async () => (await of('conversation_states').countDocuments({ status: 'suppressed' })) === contacts / 10,
      {
        ...{ timeoutMs: 30_000, what: 'their conversations to end' },
      },
    );
    const slackMs = stood.most();
    const late = sink.deliveries.flatMap(({ json, at }) => {
      const { to } = json as { to: string };
      const since = at - (stored.get(`sms:*:${hash(to)}`) ?? Number.POSITIVE_INFINITY);
      return since > boundMs + slackMs ? [`${to} got a message after ${since} ms`] : [];
    });
    await watch.close();
    expect(late).toEqual([]);
  });

  test('a reply that is stored before a follow-up is committed: no follow-up, however close', async () => {
    /** In the order of the cluster: what was pushed, and which follow-ups were written. */
    const order = new Map<string, number>();
    const watch = database.db.watch([
      {
        $match: {
          'ns.coll': { $in: ['messages', 'conversation_states'] },
          operationType: { $in: ['insert', 'update'] },
        },
      },
      { $match: { 'updateDescription.updatedFields.version': { $exists: false } } },
      { $project: { operationType: 1, 'ns.coll': 1, 'documentKey._id': 1 } },
    ]);
    watch.on('change', ({ operationType, ns, documentKey }: Document & { documentKey?: Document }) => {
      const isPush = ns.coll === 'conversation_states' && operationType === 'update';
      if (isPush || (ns.coll === 'messages' && operationType === 'insert'))
        order.set(String(documentKey?.['_id']), order.size);
    });
    await campaign('spring', races, [{ ...ask, followUps: [{ after: `PT${Math.max(8, Math.ceil(races / 30))}S` }] }]);
    await sent(races);
    // on a slow machine some are past it by now
    const due = await of('conversation_states')
      .find({ step: 1 }, { projection: { nextActionAt: 1 } })
      .toArray();
    // a slow machine commits some seconds late
    const aims = due.map(({ _id, nextActionAt }) => ({
      _id,
      at: nextActionAt.getTime() + (Math.random() - 0.2) * 6000,
    }));
    await Promise.all(
      aims.map(async ({ _id, at }) => {
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, at - Date.now())));
        await of('conversation_states').updateOne({ _id }, { $push: { inbox: { id: 'r', type: 'reply' } as never } });
      }),
    );
    await waitFor(
      async () => (await of('conversation_states').countDocuments({ status: 'completed' })) === aims.length,
      {
        ...{ timeoutMs: 60_000, intervalMs: 200, what: 'every reply to be consumed' },
      },
    );
    await waitFor(() => aims.every(({ _id }) => order.has(_id)), { what: 'every push to be told' });
    await watch.close();
    const raced = new Set(aims.map(({ _id }) => _id));
    const written = await of('messages')
      .find({ step: 1 }, { projection: { conversationId: 1 } })
      .toArray();
    const followUps = written.filter(({ conversationId }) => raced.has(conversationId));
    const outrun = followUps.filter(
      ({ _id, conversationId }) => Number(order.get(conversationId)) < Number(order.get(_id)),
    );
    expect(outrun).toEqual([]);
    // both happened, or it was no race
    expect([followUps.length > 0, followUps.length < aims.length]).toEqual([true, true]);
  }, 240_000);
});

describe('HASH_KEY', () => {
  test('another one, or none, is refused where one was used; where none ever was, the first is noted', async () => {
    const fresh = await testDatabase('hash_key');
    await initDatabase(fresh.db, { partitions: 4 });
    await checkHashKey(fresh.db, undefined);
    await checkHashKey(fresh.db, hashKey);
    await checkHashKey(fresh.db, hashKey);
    const refusal = { code: 'config_invalid' };
    await expect(checkHashKey(fresh.db, 'one of sixteen characters')).rejects.toMatchObject(refusal);
    await expect(checkHashKey(fresh.db, undefined)).rejects.toThrow(/HASH_KEY is not set/);
    await fresh.close();
  });
});
