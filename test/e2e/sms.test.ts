/** A campaign by SMS through Twilio's API: what it says of each number, and what it tells later by its status callback. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { fakeTwilio, messageIdIn, type TwilioAccount, twilioError } from '../support/fakeTwilio.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorker, type WorkerProcess } from '../support/workers.ts';

const account: TwilioAccount = {
  sid: `AC${'0123456789abcdef'.repeat(2)}`,
  authToken: 'hush-hush',
  senders: ['+15557654321'],
  optedOut: ['+15552000001'],
};
let database: TestDatabase;
let sink: Sink;
let worker: WorkerProcess;
beforeEach(async () => {
  database = await testDatabase('sms');
  sink = await startSink({ key: messageIdIn, answer: fakeTwilio(account) });
  worker = startWorker(database, {
    ...{ CHANNEL_SMS_DRIVER: 'twilio', CHANNEL_SMS_URL: sink.url, CHANNEL_SMS_ACCOUNT: account.sid },
    ...{ CHANNEL_SMS_TOKEN: account.authToken, CHANNEL_SMS_FROM: '+15557654321', CHANNEL_SMS_MAX_SEGMENTS: '2' },
    CHANNEL_SMS_STATUS_CALLBACK: 'https://us.example/status',
  });
});
afterEach(async () => {
  await worker.kill('SIGKILL');
  await sink.close();
  await database.close();
});

test('each contact is led by what comes of the number and the text', async () => {
  const { db } = database;
  const contacts = [
    { id: 'ada', name: 'Ada', phone: '+1 (555) 200-0000' },
    { id: 'left', name: 'Bob', phone: '+15552000001' },
    { id: 'none', name: 'Cy', phone: '+999123' },
    { id: 'long', name: 'D'.repeat(400), phone: '+15552000003' },
  ];
  const flow = {
    stages: [{ id: 'hi', type: 'message', channel: 'sms', content: { text: 'Hi {{ contact.name }} ✓' } }],
  };
  // the first one that comes is asked to wait
  sink.script({ ...twilioError(429, 20429, 'Too Many Requests'), retryAfter: 0 });
  await db.collection('campaigns').insertOne({ _id: 'sms', status: 'pending', audience: { contacts }, flow } as never);
  await waitFor(async () => (await db.collection('campaigns').findOne({ status: 'completed' })) !== null, {
    ...{ what: 'the campaign to be completed', timeoutMs: 60_000 },
  });

  const rows = await db.collection('messages').find().sort({ _id: 1 }).toArray();
  expect(rows.map(({ status, reason, error, segments }) => [status, reason, error?.code, segments])).toEqual([
    ['sent', undefined, undefined, 1],
    ['failed', 'provider_opted_out', 'opted_out', 1],
    ['failed', 'provider_rejected', 'too_many_segments', 7],
    ['failed', 'address_invalid', 'address_invalid', 1],
  ]);
  expect(await db.collection('suppressions').countDocuments({ reason: 'provider_opted_out' })).toBe(1);
  // nothing of what was refused here was ever asked of Twilio, and each message had one key
  expect([...sink.keys.keys()].toSorted()).toEqual(['sms:ada/1', 'sms:left/1']);
  expect([...sink.accepted]).toEqual([['sms:ada/1', 1]]);

  // what the receiver of the status callback writes down (docs/channels.md)
  const messageId = String(rows[0]?._id);
  await db.collection('inbound_events').insertOne({
    ...{ _id: `${rows[0]?.['providerMessageId']}-delivered`, type: 'delivered', channel: 'sms', at: new Date() },
    ...{ conversationId: messageId.slice(0, messageId.lastIndexOf('/')), data: { messageId } },
  } as never);
  await waitFor(async () => (await db.collection('messages').findOne({ status: 'delivered' })) !== null, {
    what: 'the receipt to be kept',
  });
});
