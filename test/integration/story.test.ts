import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { StoryEvent } from '../../src/domain/story.ts';
import type { Next } from '../../src/domain/storyNext.ts';
import type { Why } from '../../src/domain/storyWhy.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { waitFor } from '../support/waitFor.ts';
import { shortLease, startWorker, type WorkerProcess } from '../support/workers.ts';
import { type Ran, run } from '../unit/cli/host.ts';

type Loose = { _id: string; [field: string]: unknown };
interface Explained {
  conversation: Record<string, unknown>;
  events: StoryEvent[];
  next: Next;
  why: Why[];
}

let database: TestDatabase;
let sink: Sink;
let worker: WorkerProcess | undefined;

const flow = {
  stages: [
    {
      id: 'ask',
      type: 'message',
      channel: 'phone',
      content: { text: 'Dear {{ contact.name }}' },
      followUps: [{ after: 'P1D', content: { text: 'Still there?' } }],
      on: { reply: 'thanks' },
    },
    { id: 'bye', type: 'end', outcome: 'bye' },
    { id: 'thanks', type: 'message', channel: 'phone', content: { text: 'Thanks' } },
  ],
};
const contacts = [
  { id: 'ada', name: 'Ada', phone: '+491511' },
  { id: 'bob smith', name: 'Bob', phone: '+491512' },
  { id: 'bob smith', name: 'Bob again', phone: '+491513' },
  { id: 42, name: 'Forty-two', phone: '+491514' },
  { id: 'busy', name: 'Busy', phone: '+491515' },
];

const of = (name: string) => database.db.collection<Loose>(name);
const cli = (...argv: string[]): Promise<Ran> =>
  run(argv, { MONGODB_URI: database.uri, MONGODB_DATABASE: database.name, LEASE_TTL_MS: '2000' });
const explain = async (id: string): Promise<Explained> =>
  (await cli('--json', 'explain', id)).json() as unknown as Explained;
const codes = ({ why }: Explained) => why.map(({ code }) => code);
const until = (what: string, condition: () => Promise<unknown>) =>
  waitFor(condition, { what, timeoutMs: 60_000, intervalMs: 100 });

beforeAll(async () => {
  database = await testDatabase('explain');
  sink = await startSink({ keep: 10 });
  sink.answer(({ key }) => (key === 'spring:busy/1' ? { status: 503, retryAfter: 3600, body: 'not now' } : undefined));
  worker = startWorker(database, {
    ...shortLease,
    CHANNEL_PHONE_DRIVER: 'http',
    CHANNEL_PHONE_URL: sink.url,
    PARTITIONS: '16',
  });
  await of('campaigns').insertOne({ _id: 'spring', status: 'pending', audience: { contacts }, flow });
  await until('three to be asked, one to wait', async () => {
    const sent = await of('messages').countDocuments({ status: 'sent' });
    return sent === 3 && (await of('messages').countDocuments({ status: 'queued' })) === 1;
  });
});
afterAll(async () => {
  await worker?.kill('SIGKILL');
  await sink.close();
  await database.close();
});

describe('explain', () => {
  test('one that waits for a reply: what happened, what comes next, and the ids for the logs', async () => {
    const { conversation, events, next, why } = await explain('spring:ada');
    expect(events.map(({ what }) => what)).toEqual([
      'created',
      'entered',
      'message_queued',
      'message_handed',
      'message_sent',
    ]);
    expect(next).toMatchObject({ what: 'message', stage: 'ask', step: 1, channel: 'phone', at: expect.any(String) });
    expect(why).toEqual([{ code: 'waits_for_reply', text: expect.stringMatching(/^it waits for a reply until 20/) }]);
    const stored = await of('conversation_states').findOne({ _id: 'spring:ada' });
    expect(conversation).toMatchObject({
      _id: 'spring:ada',
      campaign: 'running',
      partition: stored?.['partition'],
      owner: expect.stringMatching(/^[0-9a-f-]{36}$/),
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    const plain = await cli('explain', 'spring:ada');
    expect(plain.code).toBe(0);
    expect(plain.stdout).toMatch(/^20\S+Z +message 1 \(of stage ask\) decided, channel phone to \+491511$/m);
    expect(plain.stdout).toMatch(/^next {2}follow-up 1 of stage ask on channel phone, due in 23 h 59 min /m);
    expect(plain.stdout).not.toContain('Dear Ada');
  });

  test('one whose message is tried again: the last error of the provider', async () => {
    const explained = await explain('spring:busy');
    expect(explained.next).toMatchObject({ what: 'retry', channel: 'phone' });
    expect(explained.why).toEqual([{ code: 'retry', text: expect.stringMatching(/since \S+: .*503/) }]);
    expect(explained.events.at(-1)).toMatchObject({ what: 'retry', message: 'spring:busy/1' });
  });

  test('one that was answered: it goes on, and ends', async () => {
    await of('conversation_states').updateOne(
      { _id: 'spring:#42' },
      { $push: { inbox: { id: 'r1', type: 'reply', text: 'yes' } } as never },
    );
    await until('it to be over', async () => {
      const found = await of('conversation_states').findOne({ _id: 'spring:#42' });
      return found?.['status'] === 'completed';
    });
    const explained = await explain('spring:#42');
    expect(explained.events.map(({ what }) => what).slice(5)).toEqual([
      'event',
      'entered',
      'message_queued',
      'message_handed',
      'message_sent',
      'ended',
    ]);
    expect(explained.next.what).toBe('nothing');
    expect(explained.why[0]?.text).toBe('the conversation has ended: the last stage went by');
  });

  test('one that is not there: what may have been meant, and what became of its campaign', async () => {
    const ran = await cli('explain', 'spring:bob smith');
    expect(ran).toMatchObject({ code: 1, stdout: '' });
    expect(ran.stderr).toContain('there is a conversation spring:bob%20smith');
    expect(ran.stderr).toContain('it looks unencoded');
    expect(ran.stderr).toContain('contacts skipped at expansion: 1 duplicate_contact');
    const found = (await cli('--json', 'explain', 'spring:42/1')).json();
    expect(found).toMatchObject({
      error: { code: 'not_found' },
      hints: expect.arrayContaining(['there is a conversation spring:#42']),
    });
    await of('campaigns').insertOne({ _id: 'later', status: 'draft' });
    expect((await cli('explain', 'later:ada')).stderr).toContain('campaign later is draft and has not started');
    expect((await cli('explain', 'nowhere:%ada')).stderr).toContain('there is no campaign of that id');
  });

  test('due, and nobody alive: paused, then silent, then gone', async () => {
    await worker?.kill('SIGKILL');
    const past = new Date(Date.now() - 90_000);
    await of('conversation_states').updateOne({ _id: 'spring:ada' }, { $set: { nextActionAt: past } });
    await of('campaigns').updateOne({ _id: 'spring' }, { $set: { status: 'paused' } });
    const explained = await explain('spring:ada');
    expect(codes(explained)).toEqual(['campaign_paused', 'owner_silent']);
    expect(explained.next.lateMs).toBeGreaterThan(80_000);
    await of('campaigns').updateOne({ _id: 'spring' }, { $set: { status: 'running' } });
    expect(codes(await explain('spring:ada'))).toEqual(['owner_silent']);
    await of('members').deleteMany({});
    expect(codes(await explain('spring:ada'))).toEqual(['no_worker']);
    const plain = await cli('explain', 'spring:ada');
    expect(plain.stdout).toMatch(/^next {2}follow-up 1 .* due for 1 min \d+ s \(20/m);
    expect(plain.stdout).toMatch(/^why {3}no worker runs$/m);
    const event = { $push: { inbox: { id: 'late', type: 'reply' } } as never };
    await of('conversation_states').updateOne({ _id: 'spring:#42' }, event);
    expect(codes(await explain('spring:#42'))).toEqual(['ended', 'inbox_waits', 'no_worker']);
    await of('campaign_runs').updateOne({ _id: 'spring' }, { $set: { status: 'paused' } });
    expect(codes(await explain('spring:ada'))).toEqual(['campaign_resumed', 'no_worker']);
  });

  test('the collection of its campaign is gone: it waits, whether the run says so already or not; a deleted document is a cancel', async () => {
    const schedule = { endAt: new Date(Date.now() - 90_000) };
    await of('campaign_runs').updateOne({ _id: 'spring' }, { $set: { schedule } });
    await of('campaigns').rename('put_away');
    const explained = await explain('spring:ada');
    expect(explained.conversation).toMatchObject({ campaign: 'missing' });
    expect(codes(explained)).toEqual(['collection_missing', 'no_worker']);
    await of('campaign_runs').updateOne({ _id: 'spring' }, { $set: { pausedReason: 'collection_missing' } });
    expect((await cli('explain', 'spring:ada')).stdout).toMatch(
      /^why {3}the collection campaigns is gone, .*it waits/m,
    );
    await of('put_away').rename('campaigns');
    await of('campaigns').deleteOne({ _id: 'spring' });
    await of('campaign_runs').updateOne({ _id: 'spring' }, { $unset: { pausedReason: '' } });
    expect(codes(await explain('spring:ada'))).toEqual(['campaign_deleted', 'no_worker']);
  });
});
