/** WhatsApp and webhooks in a flow: a closed window leads to a template, opt-outs are heeded, nothing goes inside. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { type CloudApi, phoneNumberId, startCloudApi, token } from '../support/cloudApi.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorker, type WorkerProcess } from '../support/workers.ts';

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
let database: TestDatabase;
let api: CloudApi;
let hooks: Sink;
let worker: WorkerProcess;
beforeEach(async () => {
  database = await testDatabase('chat');
  api = await startCloudApi();
  hooks = await startSink();
  worker = startWorker(database, {
    ...{ CHANNEL_WHATSAPP_DRIVER: 'whatsapp', CHANNEL_WHATSAPP_URL: api.url, CHANNEL_WHATSAPP_FROM: phoneNumberId },
    ...{ CHANNEL_WHATSAPP_TOKEN: token, CHANNEL_HOOK_DRIVER: 'webhook', CHANNEL_HOOK_TOKEN: secret },
    WEBHOOK_ALLOWED_HOSTS: `127.0.0.1:${hooks.port}`,
  });
});
afterEach(async () => {
  await worker.kill('SIGKILL');
  await Promise.all([api.close(), hooks.close()]);
  await database.close();
});

const template = {
  name: 'reopen',
  language: 'en_US',
  components: [{ type: 'body', parameters: [{ type: 'text', text: '{{ contact.name }}' }] }],
};
const flow = {
  stages: [
    {
      ...{ id: 'chat', type: 'message', channel: 'whatsapp', content: { text: 'Hello {{ contact.name }}' } },
      on: { failed: 'reopen', noReply: 'tell' },
    },
    { id: 'reopen', type: 'message', channel: 'whatsapp', content: { body: { template } } },
    {
      id: 'tell',
      type: 'webhook',
      channel: 'hook',
      body: { who: '{{ contact.name }}' },
      keep: true,
      on: { failed: 'lost' },
    },
    { id: 'done', type: 'end', outcome: 'told' },
    { id: 'lost', type: 'end', outcome: 'lost' },
  ],
};

test('each contact is led by what WhatsApp and the receiver of the webhook say', async () => {
  const { db } = database;
  const person = (n: number, more: object = {}) => ({
    id: `c${n}`,
    name: `C ${n}`,
    whatsapp: `+4915112345${n}`,
    ...more,
  });
  const contacts = [
    person(100, { url: `${hooks.url}/open` }),
    person(101, { url: `${hooks.url}/closed` }),
    person(102, { url: 'http://169.254.169.254/latest/meta-data' }),
    person(103, { url: `${hooks.url}/left` }),
  ];
  for (const n of [100, 102, 103]) api.wrote(`+4915112345${n}`);
  api.approve('reopen', 'en_US', 1);
  api.answersWith('+4915112345103', 131050);
  hooks.answer(() => ({ body: '{"id":"hook-1","points":3}' }));
  await db.collection('campaigns').insertOne({ _id: 'chat', status: 'pending', audience: { contacts }, flow } as never);
  await waitFor(async () => (await db.collection('campaigns').findOne({ status: 'completed' })) !== null, {
    ...{ what: 'the campaign to be completed', timeoutMs: 60_000 },
  });

  const rows = await db.collection('messages').find().toArray();
  const told = rows.map(({ conversationId, stage, status, reason }) =>
    [conversationId, stage, reason ?? status].join(' '),
  );
  expect(told.toSorted()).toEqual([
    'chat:c100 chat sent',
    'chat:c100 tell sent',
    'chat:c101 chat session_closed',
    'chat:c101 reopen sent',
    'chat:c101 tell sent',
    'chat:c102 chat sent',
    'chat:c102 tell not_allowed',
    'chat:c103 chat provider_opted_out',
  ]);
  const ends = await db.collection('conversation_states').find().sort({ _id: 1 }).toArray();
  expect(ends.map(({ status, outcome }) => `${status} ${outcome}`)).toEqual([
    ...['completed told', 'completed told', 'completed lost', 'suppressed unsubscribed'],
  ]);
  const kept = { tell: { id: 'hook-1', points: 3 } };
  expect(ends.map(({ variables }) => variables)).toEqual([kept, kept, undefined, undefined]);
  expect(await db.collection('suppressions').countDocuments({ reason: 'provider_opted_out' })).toBe(1);

  const taken = new Map(api.accepted.map(({ wamid, body }) => [body['biz_opaque_callback_data'], wamid]));
  const sent = rows.filter(({ channel, status }) => channel === 'whatsapp' && status === 'sent');
  expect(sent.map(({ _id, providerMessageId }) => [_id, providerMessageId])).toEqual(
    sent.map(({ _id }) => [_id, taken.get(_id)]),
  );
  expect(api.accepted.find(({ to }) => to.endsWith('101'))?.body).toMatchObject({
    template: { language: { code: 'en_US' }, components: [{ parameters: [{ text: 'C 101' }] }] },
  });
  expect(hooks.deliveries.map(({ path }) => path).toSorted()).toEqual(['/closed', '/open']);
  for (const { raw, headers } of hooks.deliveries) {
    const said = new Webhook(secret).verify(raw, headers as Record<string, string>);
    expect(said).toMatchObject({
      type: 'message',
      data: { stage: 'tell', content: { body: { who: expect.any(String) } } },
    });
  }
});
