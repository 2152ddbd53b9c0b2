import type { Db, Document } from 'mongodb';
import type { CampaignStore } from '../../src/domain/campaignPorts.ts';
import type { ConversationStore } from '../../src/domain/conversationPorts.ts';
import type { EnrollmentStore } from '../../src/domain/enrollmentPorts.ts';
import { conversationId, messageId, partitionOf } from '../../src/domain/ids.ts';
import type { ReceiptStore } from '../../src/domain/inboundPorts.ts';
import type { LimitStore } from '../../src/domain/limitPorts.ts';
import type { Ledger } from '../../src/domain/memberPorts.ts';
import type { Conversation, Id, InboxEvent, Member, Message, Run, Unit } from '../../src/domain/model.ts';
import type { Clock } from '../../src/domain/systemPorts.ts';
import { MongoCampaigns } from '../../src/mongo/campaigns.ts';
import { initDatabase } from '../../src/mongo/collections.ts';
import { MongoConversations } from '../../src/mongo/conversations.ts';
import { MongoEnrollments } from '../../src/mongo/enrollments.ts';
import { MongoLedger } from '../../src/mongo/ledger.ts';
import { MongoLimits } from '../../src/mongo/limits.ts';
import { MongoReceipts } from '../../src/mongo/receipts.ts';
import { systemClock } from '../../src/worker/systemClock.ts';
import { type ManualClock, manualClock } from '../support/clock.ts';
import { recordingInstruments, silentLogger } from '../support/fakes.ts';
import { matches } from '../support/memory/bson.ts';
import { MemoryCampaigns } from '../support/memory/campaigns.ts';
import { MemoryConversations } from '../support/memory/conversations.ts';
import { MemoryDatabase } from '../support/memory/database.ts';
import { MemoryEnrollments } from '../support/memory/enrollments.ts';
import { MemoryLedger } from '../support/memory/ledger.ts';
import { MemoryLimits } from '../support/memory/limits.ts';
import { MemoryReceipts } from '../support/memory/receipts.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';

export const partitions = 16;
export const allPartitions = Array.from({ length: partitions }, (_, partition) => partition);

export interface Stores {
  campaigns: CampaignStore;
  enrollments: EnrollmentStore;
  conversations: ConversationStore;
  limits: LimitStore;
  receipts: ReceiptStore;
  ledger: Ledger;
  /** As a take-over does. */
  fence(): Promise<void>;
}

/** The stores of one member, and what other services and other members do beside it. */
export interface Harness extends Stores {
  clock: ManualClock;
  insert(collection: string, documents: readonly object[]): Promise<void>;
  update(collection: string, id: unknown, set: object): Promise<void>;
  remove(collection: string, id: unknown): Promise<void>;
  /** In order of `_id`; equality and comparisons only. */
  find<T = Document>(collection: string, filter?: Record<string, unknown>): Promise<T[]>;
  push(conversation: string, event: InboxEvent): Promise<void>;
  member(memberId: string): Promise<Stores>;
  close(): Promise<void>;
}
export type Make = () => Promise<Harness>;

const start = Date.UTC(2026, 0, 5, 9);
const memberDocument = (_id: string): Member => ({
  _id,
  host: 'test',
  thread: 0,
  beat: 0,
  filterVersion: 1,
  channels: [],
  version: '0.0.0',
  startedAt: new Date(start),
});

export async function memoryHarness(): Promise<Harness> {
  const clock = manualClock(start);
  const database = new MemoryDatabase({ clock });
  const own = new Map(
    Object.entries({
      campaigns: database.campaigns,
      templates: database.templates,
      campaign_runs: database.runs,
      conversation_states: database.conversations,
      messages: database.messages,
      campaign_counters: database.counters,
      campaign_addresses: database.addresses,
      enrollments: database.enrollments,
      dead_letters: database.deadLetters,
      escalations: database.escalations,
      members: database.members,
      settings: database.settings,
      inbound_events: database.inbound,
      suppressions: database.suppressions,
      contact_pressure: database.pressures,
      campaign_ramps: database.ramps,
    }),
  );
  // The collections differ in their types; a test writes what it likes, as other services do.
  const collection = (name: string) =>
    (own.get(name) ?? database.audience(name)) as ReturnType<typeof database.audience>;
  const member = async (memberId: string): Promise<Stores> => {
    database.members.insert(memberDocument(memberId));
    const ledger = new MemoryLedger({ database, memberId, clock });
    await ledger.beat();
    const params = { database, ledger, clock };
    return {
      ledger,
      campaigns: new MemoryCampaigns(params),
      enrollments: new MemoryEnrollments(params),
      conversations: new MemoryConversations(params),
      limits: new MemoryLimits({ database, memberId }),
      receipts: new MemoryReceipts(params),
      fence: async () => database.fence(memberId),
    };
  };
  return {
    ...(await member('m1')),
    clock,
    member,
    insert: async (name, documents) => {
      for (const document of documents) collection(name).insert(document as { _id: unknown });
    },
    update: async (name, id, set) => void collection(name).update(id, set),
    remove: async (name, id) => void collection(name).delete(id),
    find: async <T>(name: string, filter = {}) =>
      collection(name).find((document) => matches(document, filter)) as unknown as T[],
    push: async (id, event) => void database.push(id, event),
    close: async () => {},
  };
}

export async function mongoStores(
  db: Db,
  memberId: string,
  clock: Clock,
): Promise<Stores & { close(): Promise<void> }> {
  await db.collection<Member>('members').insertOne(memberDocument(memberId));
  const logger = silentLogger;
  const instruments = recordingInstruments();
  const { client } = db;
  const position = () => undefined;
  const timing = { leaseTtlMs: 15_000, clock: systemClock, random: Math.random };
  const ledger = new MongoLedger({ client, db, memberId, logger, instruments, position, ...timing });
  await ledger.beat();
  return {
    ledger,
    campaigns: new MongoCampaigns({ db, ledger, clock, memberId }),
    enrollments: new MongoEnrollments({ db, ledger, clock, memberId }),
    conversations: new MongoConversations({ db, ledger, clock, memberId, logger }),
    limits: new MongoLimits({ db }),
    receipts: new MongoReceipts({ db, ledger }),
    fence: async () => void (await db.collection<Member>('members').deleteOne({ _id: memberId })),
    close: () => ledger.close(),
  };
}

/** One database for a file's tests, emptied after each: making indexes takes longer than most of them. */
export function mongoHarnesses(): { make: Make; close(): Promise<void> } {
  let prepared: Promise<TestDatabase> | undefined;
  return {
    make: async () => {
      prepared ??= prepare();
      return mongoHarness((await prepared).db);
    },
    close: async () => (await prepared)?.close(),
  };
}

async function prepare(): Promise<TestDatabase> {
  const database = await testDatabase('contract', { readConcernLevel: 'majority', writeConcern: { w: 'majority' } });
  await initDatabase(database.db, { partitions });
  return database;
}

async function mongoHarness(db: Db): Promise<Harness> {
  const clock = manualClock(start);
  const opened: { close(): Promise<void> }[] = [];
  const member = async (memberId: string): Promise<Stores> => {
    const stores = await mongoStores(db, memberId, clock);
    opened.push(stores);
    return stores;
  };
  // Ids may be of any type: a test writes what it likes, as other services do.
  const collection = (name: string) => db.collection<{ _id: string }>(name);
  return {
    ...(await member('m1')),
    clock,
    member,
    insert: async (name, documents) => void (await collection(name).insertMany(documents as { _id: string }[])),
    update: async (name, _id, set) => void (await collection(name).updateOne({ _id: _id as string }, { $set: set })),
    remove: async (name, _id) => void (await collection(name).deleteOne({ _id: _id as string })),
    find: async <T>(name: string, filter = {}) =>
      (await collection(name).find(filter).sort({ _id: 1 }).toArray()) as T[],
    push: async (_id, event) =>
      void (await db.collection<Conversation>('conversation_states').updateOne({ _id }, { $push: { inbox: event } })),
    close: async () => {
      for (const stores of opened) await stores.close();
      for (const { collectionName } of await db.collections()) await db.collection(collectionName).deleteMany({});
    },
  };
}

// ---------------------------------------------------------------- documents

export function conversation(campaignId: Id, contactId: Id, over: Partial<Conversation> = {}): Conversation {
  return {
    _id: conversationId(campaignId, contactId),
    campaignId,
    contact: { id: contactId, email: 'ada@example.com' },
    partition: partitionOf(campaignId, contactId, partitions),
    version: 1,
    status: 'active',
    stage: 'intro',
    step: 0,
    sequence: 0,
    inbox: [],
    consumed: [],
    history: [],
    createdAt: new Date(start),
    updatedAt: new Date(start),
    ...over,
  };
}

export function row({ _id, campaignId, partition }: Conversation, sequence = 1, over: Partial<Message> = {}): Message {
  return {
    _id: messageId(_id, sequence),
    campaignId,
    conversationId: _id,
    partition,
    stage: 'intro',
    step: 0,
    channel: 'console',
    to: 'ada@example.com',
    content: { text: 'Hello' },
    status: 'sending',
    pending: true,
    attempts: 1,
    dueAt: new Date(start),
    queuedAt: new Date(start),
    ...over,
  };
}

/** The conversation takes a step, as read; one message goes out. */
export function unit(read: Conversation, over: Partial<Unit> = {}): Unit {
  return {
    conversationId: read._id,
    campaignId: read.campaignId,
    change: {
      id: read._id,
      version: read.version,
      inboxSize: read.inbox.length,
      set: { step: read.step + 1, sequence: read.sequence + 1 },
      unset: [],
      history: [{ at: new Date(start), stage: 'intro', event: 'message' }],
    },
    inserts: [row(read, read.sequence + 1)],
    rows: [],
    counters: { pending: 1, 'stages.intro.entered': 1 },
    deadLetters: [],
    ...over,
  };
}

export function run(campaignId: Id, over: Partial<Run> = {}): Run {
  return {
    _id: campaignId,
    partition: 0,
    status: 'running',
    settled: false,
    priority: 5,
    flow: { stages: [{ id: 'intro', type: 'message', channel: 'console', content: { text: 'Hello' } }] },
    variables: {},
    campaign: {},
    audience: { kind: 'inline' },
    expansion: { expanded: 0, skipped: {}, done: false },
    wake: 0,
    createdAt: new Date(start),
    updatedAt: new Date(start),
    ...over,
  };
}
