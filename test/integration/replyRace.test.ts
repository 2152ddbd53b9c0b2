/**
 * A reply that is stored before the commit of a follow-up: no follow-up. A real member, a real replica set, and replies pushed by
 * others at random around the very time; the order of commits is the server's own, as its change stream tells it.
 */
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { ChangeStreamDocument, Document } from 'mongodb';
import { loadConfig } from '../../src/config.ts';
import type { Conversation } from '../../src/domain/model.ts';
import { startMember } from '../../src/worker/member.ts';
import type { RunningMember } from '../../src/worker/protocol.ts';
import { systemClock } from '../../src/worker/systemClock.ts';
import { recordingInstruments, recordingLogger } from '../support/fakes.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { waitFor } from '../support/waitFor.ts';

/** RACES=1000 for the proof. */
const races = Number(process.env['RACES'] ?? 150);
const followUpMs = 3_000;
/** Half of the replies come from so long before the follow-up is due, by the time its message was sent, to so long after, ms. */
const [earliest, latest] = [-1_000, 1_500];
/** The others come within so long of the first follow-up of all, ms: however late a busy machine is, some lose and some win. */
const amongMs = 400;
const patience = { timeoutMs: 120_000, intervalMs: 100 };

let database: TestDatabase;
let sink: Sink;
let member: RunningMember | undefined;
beforeEach(async () => {
  database = await testDatabase('race');
  sink = await startSink({ keep: 10 });
});
afterEach(async () => {
  await member?.stop();
  await sink.close();
  await database.close();
});

async function startWorker(): Promise<ReturnType<typeof recordingLogger>> {
  const log = recordingLogger();
  const logger = Object.assign(log, { child: () => logger }) as never;
  const config = loadConfig({
    ...{ MONGODB_URI: database.uri, MONGODB_DATABASE: database.name, PARTITIONS: '8', HEALTH_PORT: '0' },
    ...{ CHANNEL_SMS_DRIVER: 'http', CHANNEL_SMS_URL: sink.url },
  });
  member = await startMember({
    ...{ config, thread: 0, logger, instruments: recordingInstruments(), clock: systemClock, random: Math.random },
    signal: new AbortController().signal,
  });
  return log;
}

/** In the order in which the server committed them. */
type Commit = { kind: 'reply' | 'message' | 'sent'; id: string };

function commitOf(change: ChangeStreamDocument): Commit | undefined {
  if (change.operationType === 'insert' && change.ns.coll === 'messages')
    return { kind: 'message', id: String(change.documentKey._id) };
  if (change.operationType !== 'update') return undefined;
  const id = String(change.documentKey._id);
  const fields = change.updateDescription.updatedFields ?? {};
  if (change.ns.coll === 'messages') return 'sentAt' in fields ? { kind: 'sent', id } : undefined;
  // what others push does not touch `version`
  return change.ns.coll === 'conversation_states' && !('version' in fields) ? { kind: 'reply', id } : undefined;
}

/** When a reply is to come, ms from now; `first` is there once the first follow-up was committed. */
async function aim(first: Promise<void>): Promise<number> {
  if (Math.random() < 0.5) return followUpMs + earliest + Math.random() * (latest - earliest);
  await first;
  return Math.random() * amongMs;
}

test(`${races} replies that race with follow-ups: none goes out after a reply was stored`, async () => {
  const log = await startWorker();
  const conversations = database.db.collection<Conversation>('conversation_states');
  const commits: Commit[] = [];
  const pushed: Promise<unknown>[] = [];
  let begin = (): void => undefined;
  const first = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const push = (id: string): Promise<unknown> =>
    conversations.updateOne({ _id: id }, { $push: { inbox: { id: 'r', type: 'reply', channel: 'sms' } as never } });
  const stream = database.db.watch([], { maxAwaitTimeMS: 100 });
  stream.on('change', (change) => {
    const commit = commitOf(change);
    if (commit === undefined) return;
    commits.push(commit);
    if (commit.kind === 'message' && commit.id.endsWith('/2')) begin();
    if (commit.kind !== 'sent' || !commit.id.endsWith('/1')) return;
    pushed.push(
      aim(first)
        .then((ms) => setTimeout(ms))
        .then(() => push(commit.id.slice(0, -2))),
    );
  });
  try {
    await database.db.collection<Document>('campaigns').insertOne({
      ...{ _id: 'race' as never, status: 'pending', variables: {} },
      audience: {
        contacts: Array.from({ length: races }, (_, n) => ({ id: `c${n}`, phone: `+4915${10_000_000 + n}` })),
      },
      flow: {
        stages: [
          {
            ...{ id: 'ask', type: 'message', channel: 'sms', content: { text: 'Well?' }, waitForReply: 'PT5S' },
            followUps: [{ after: `PT${followUpMs / 1000}S`, content: { text: 'Still there?' } }],
          },
        ],
      },
    });
    await waitFor(() => pushed.length === races, { what: 'every first message', ...patience });
    await Promise.all(pushed);
    await waitFor(async () => (await conversations.countDocuments({ status: 'active' })) === 0, {
      what: 'every conversation to end',
      ...patience,
    });
    await waitFor(() => commits.filter(({ kind }) => kind === 'reply').length === races, {
      what: 'the stream to tell of every reply',
      ...patience,
    });
  } finally {
    await stream.close();
  }
  const replied = new Set<string>();
  const followed = new Set<string>();
  for (const { kind, id } of commits) {
    if (kind === 'reply') replied.add(id);
    else if (kind === 'message' && id.endsWith('/2')) {
      expect([id, replied.has(id.slice(0, -2))]).toEqual([id, false]);
      followed.add(id.slice(0, -2));
    }
  }
  // whatever the provider got was committed, and every reply was heeded
  for (const key of sink.keys.keys())
    if (key.endsWith('/2')) expect([key, followed.has(key.slice(0, -2))]).toEqual([key, true]);
  expect(await conversations.countDocuments({ outcome: 'replied', consumed: ['r'] })).toBe(races);
  expect(log.of('error')).toEqual([]);
  const won = races - followed.size;
  process.stderr.write(`${races} races: ${won} replies came first, ${followed.size} follow-ups did\n`);
  // both happen, or nothing was shown
  expect(won).toBeGreaterThan(races / 50);
  expect(followed.size).toBeGreaterThan(races / 50);
}, 300_000);
