import { expect, test } from '@jest/globals';
import { ObjectId } from 'mongodb';
import type { Conversation } from '../../../src/domain/model.ts';
import { manualClock } from '../../support/clock.ts';
import { compare, matches } from '../../support/memory/bson.ts';
import { MemoryConversations } from '../../support/memory/conversations.ts';
import { MemoryDatabase, type Write } from '../../support/memory/database.ts';
import { MemoryLedger } from '../../support/memory/ledger.ts';

const member = {
  _id: 'm1',
  host: 'h',
  thread: 0,
  beat: 0,
  filterVersion: 1,
  channels: [],
  version: '0',
  startedAt: new Date(0),
};
const conversation = (_id: string) =>
  ({ _id, campaignId: 'c', version: 1, inbox: [], history: [] }) as unknown as Conversation;

function given() {
  const clock = manualClock();
  const database = new MemoryDatabase({ clock });
  database.members.insert(member);
  const ledger = new MemoryLedger({ database, memberId: 'm1', clock });
  return { clock, database, ledger, conversations: new MemoryConversations({ database, ledger, clock }) };
}
const unit = (id: string) => ({
  conversationId: id,
  campaignId: 'c',
  change: { id, version: 1, inboxSize: 0, set: { stage: 'next' }, unset: [], history: [] },
  inserts: [],
  rows: [],
  counters: { pending: 1 },
  deadLetters: [],
});

test('documents are copies, in and out, and keep the types of their values', () => {
  const { database } = given();
  const id = new ObjectId();
  const document = { _id: id, at: new Date(5), list: [{ a: 1 }] };
  database.audience('contacts').insert(document);
  document.list.push({ a: 2 });
  const found = database.audience('contacts').get(new ObjectId(id.toHexString()));
  expect(found).toEqual({ _id: id, at: new Date(5), list: [{ a: 1 }] });
  expect(found?._id).toBeInstanceOf(ObjectId);
  expect(() => database.audience('contacts').insert(document)).toThrow(/duplicate/);
});

test('a transaction that throws leaves nothing and tells nobody', async () => {
  const { database, ledger } = given();
  const writes: Write[] = [];
  database.watch((write) => writes.push(write));
  const work = ledger.transact('test', () => {
    database.conversations.insert(conversation('a'));
    database.members.delete('m1');
    throw new Error('no');
  });
  await expect(work).rejects.toThrow('no');
  expect(database.conversations.find()).toEqual([]);
  expect(database.members.get('m1')).toEqual(member);
  expect(writes).toEqual([]);
  expect(ledger.leaseRemaining()).toBe(0);
});

test('a hook before the commit lets others in between; one after it loses the answer of what was written', async () => {
  const { database, ledger, conversations } = given();
  for (const id of ['a', 'b']) database.conversations.insert(conversation(id));
  database.hooks = { before: (operation) => void (operation === 'round' && database.push('a', { type: 'reply' })) };
  expect((await conversations.commit([unit('a'), unit('b')])).missed).toEqual(new Set(['a']));
  const lease = ledger.fencedAt;
  database.conversations.put(conversation('b'));
  database.hooks = {
    after: () => {
      throw new Error('lost');
    },
  };
  await expect(conversations.commit([unit('b')])).rejects.toThrow('lost');
  expect(database.conversations.get('b')).toMatchObject({ version: 2, stage: 'next' });
  expect(ledger.fencedAt).toBe(lease);
});

test('who is fenced while an operation waits writes nothing, whoever hears of changes hears who made them', async () => {
  const { database, conversations } = given();
  const writes: Write[] = [];
  database.watch((write) => writes.push(write));
  database.conversations.insert(conversation('a'));
  database.hooks = { before: () => database.fence('m1') };
  await expect(conversations.commit([unit('a')])).rejects.toMatchObject({ code: 'fenced' });
  expect(database.conversations.get('a')).toEqual(conversation('a'));
  expect(writes.map(({ collection, kind, fenced }) => [collection, kind, fenced])).toEqual([
    ['conversation_states', 'insert', false],
    ['members', 'delete', false],
  ]);
});

test('the lease runs from when the fence was sent, by the larger of both clocks', async () => {
  const { clock, ledger } = given();
  await ledger.beat();
  const full = ledger.leaseRemaining();
  clock.advance(1_000);
  expect(ledger.leaseRemaining()).toBe(full - 1_000);
  clock.stepWall(500);
  expect(ledger.leaseRemaining()).toBe(full - 1_500);
  clock.stepWall(-9_000);
  expect(ledger.leaseRemaining()).toBe(full - 1_000);
  await ledger.close();
  await expect(ledger.beat()).rejects.toMatchObject({ code: 'internal' });
});

test('order and filters over types are those of the server', () => {
  const id = new ObjectId();
  const ordered = [null, -1, 2.5, 'B', 'a', { a: 1 }, { a: 1, b: 1 }, { a: 'x' }, id, false, true, new Date(0)];
  expect([...ordered].reverse().sort(compare)).toEqual(ordered);
  const document = { _id: 1, country: 'DE', work: { size: 5 } };
  expect(matches(document, { country: 'DE', 'work.size': { $gt: 4, $lte: 5 } })).toBe(true);
  expect(matches(document, { 'work.size': { $gt: 'a' } })).toBe(false);
  expect(matches(document, { country: { $in: ['FR', 'DE'] }, none: { $exists: false } })).toBe(true);
  expect(() => matches(document, { a: { $regex: 'x' } })).toThrow(/\$regex/);
});
