/** A round too large for one transaction, and a database that goes away between its parts. */
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { MongoNetworkError } from 'mongodb';
import { ServiceError } from '../../src/domain/errors.ts';
import type { Conversation, Message, Unit } from '../../src/domain/model.ts';
import type { MongoLedger } from '../../src/mongo/ledger.ts';
import { conversation, type Harness, mongoHarnesses, row, unit } from '../contract/harness.ts';

const { make, close } = mongoHarnesses();
let harness: Harness;
const people = ['a', 'b', 'c'].map((id) => conversation('c', id));
const large = (one: Conversation): Unit =>
  unit(one, { inserts: [row(one, 1, { content: { text: 'x'.repeat(3_000_000) } })] });

beforeEach(async () => {
  harness = await make();
  await harness.insert('conversation_states', people);
});
afterEach(() => harness.close());
afterAll(close);

/** The n-th transaction is not made, and fails. */
function failAt(n: number, error: Error): void {
  const ledger = harness.ledger as MongoLedger;
  const real = ledger.transact.bind(ledger);
  let calls = 0;
  ledger.transact = (name, work) => {
    calls += 1;
    return calls === n ? Promise.reject(error) : real(name, work);
  };
}
const written = async (): Promise<string[]> => (await harness.find<Message>('messages')).map(({ _id }) => _id);

test.each<[string, Error]>([
  ['a cut connection', new MongoNetworkError('closed')],
  ['a fence that cannot be written', new ServiceError('database_unreachable', 'away')],
])('%s: what was not written counts as missed, so that what was is handed over', async (_, error) => {
  failAt(2, error);
  const receipt = await harness.conversations.commit(people.map(large));
  expect(receipt).toEqual({ missed: new Set(['c:b', 'c:c']), poisoned: new Map() });
  expect(await written()).toEqual(['c:a/1']);
});

test('in order: too much for one transaction takes several', async () => {
  expect(await harness.conversations.commitInOrder(people.map(large))).toEqual(new Set());
  expect(await written()).toEqual(['c:a/1', 'c:b/1', 'c:c/1']);
});

test.each<[string, Error]>([
  ['a cut connection', new MongoNetworkError('closed')],
  ['a fence that cannot be written', new ServiceError('database_unreachable', 'away')],
  ['a refusal', new Error('no')],
])('in order, %s: nothing is written behind what is left', async (_, error) => {
  failAt(2, error);
  expect(await harness.conversations.commitInOrder(people.map(large))).toEqual(new Set(['c:b', 'c:c']));
  expect(await written()).toEqual(['c:a/1']);
});

test('nothing was written yet: the round fails as a whole', async () => {
  failAt(1, new MongoNetworkError('closed'));
  await expect(harness.conversations.commit(people.map(large))).rejects.toThrow('closed');
  failAt(1, new MongoNetworkError('closed'));
  await expect(harness.conversations.commitInOrder(people.map(large))).rejects.toThrow('closed');
  expect(await written()).toEqual([]);
});

test.each(['commit_unknown', 'fenced'] as const)('%s ends the round, whatever was written', async (code) => {
  failAt(2, new ServiceError(code, 'no'));
  await expect(harness.conversations.commit(people.map(large))).rejects.toMatchObject({ code });
});

test.each(['commit_unknown', 'fenced'] as const)('in order, %s ends the round as well', async (code) => {
  failAt(2, new ServiceError(code, 'no'));
  await expect(harness.conversations.commitInOrder(people.map(large))).rejects.toMatchObject({ code });
});
