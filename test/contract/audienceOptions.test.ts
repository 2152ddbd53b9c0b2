import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Decimal128, Long, ObjectId } from 'mongodb';
import { campaignKey } from '../../src/domain/ids.ts';
import type { ExpansionSlice, Id } from '../../src/domain/model.ts';
import { conversation, type Harness, type Make, memoryHarness, mongoHarnesses, run } from './harness.ts';

function describeOptions(name: string, make: Make): void {
  let harness: Harness;
  beforeEach(async () => {
    harness = await make();
  });
  afterEach(() => harness.close());

  describe(`${name}: who is left out`, () => {
    const hex = new ObjectId();
    const excluded = async (ids: Id[], filter: Record<string, unknown> = {}, idPath = '_id') => {
      const found = await harness.campaigns.excluded({ collection: 'customers', filter, idPath }, ids);
      return [...found].sort();
    };

    test('by _id, of any type and of that type', async () => {
      await harness.insert(
        'customers',
        ['a', 7, hex, 'b', 9].map((_id) => ({ _id, open: _id !== 'b' })),
      );
      expect(await excluded(['a', 'x', 7, 8, hex])).toEqual(['a', 7, hex].map((id) => campaignKey(id as Id)).sort());
      expect(await excluded(['b', '7', String(hex)])).toEqual(['b']);
      expect(await excluded(['a', 'b'], { open: true })).toEqual(['a']);
      expect(await excluded([])).toEqual([]);
    });

    test('by a field, nested and in lists', async () => {
      await harness.insert('customers', [
        { _id: 1, of: { person: 'a' } },
        { _id: 2, of: { person: 'b' } },
        { _id: 3, of: null },
        { _id: 4 },
      ]);
      expect(await excluded(['a', 'c'], {}, 'of.person')).toEqual(['a']);
    });

    test('numbers of all types are one id; every id of a list is left out; what the server refuses is told', async () => {
      // the fake does not know lists and types as the server does
      if (make === memoryHarness) return;
      await harness.insert('orders', [
        { _id: 1, people: [Long.fromNumber(7), Decimal128.fromString('8.50'), 'a'] },
        { _id: 2, people: [{ id: 'c' }] },
      ]);
      const of = (ids: Id[], idPath: string, filter = {}) =>
        harness.campaigns.excluded({ collection: 'orders', filter, idPath }, ids);
      expect(await of([7, 8.5, 9], 'people')).toEqual(new Set(['#7', '#8.5', 'a']));
      expect(await of(['c'], 'people.id')).toEqual(new Set(['c']));
      for (const filter of [{ $foo: 1 }, { a: { $regex: '(' } }, { $or: [] }])
        await expect(of([], '_id', filter)).rejects.toMatchObject({ code: 'document_invalid' });
    });

    test('documents of contacts by id or by a field, in order of _id, with what was asked for', async () => {
      const hex2 = new ObjectId();
      await harness.insert('customers', [
        { _id: 'b', key: 7, name: 'Bob', secret: 1 },
        { _id: 'a', key: hex2, of: { id: 'x' }, name: 'Ada', secret: 2 },
        { _id: 7, name: 'Cyd' },
      ]);
      const of = (idPath: string, ids: Id[]) =>
        harness.campaigns.sources({ collection: 'customers', idPath, fields: ['_id', 'name', 'of'] }, ids);
      expect(await of('_id', ['b', 'a', 'nobody', '7'])).toEqual([
        { _id: 'a', name: 'Ada', of: { id: 'x' } },
        { _id: 'b', name: 'Bob' },
      ]);
      expect(await of('_id', [7])).toEqual([{ _id: 7, name: 'Cyd' }]);
      expect(await of('key', [7, hex2])).toHaveLength(2);
      expect(await of('of.id', ['x'])).toMatchObject([{ _id: 'a' }]);
      expect(await of('_id', [])).toEqual([]);
    });

    test('a collection that is not there leaves nobody out', async () => {
      expect(await excluded(['a'])).toEqual([]);
    });

    test('JavaScript on the server is refused, also when nobody is asked for', async () => {
      await expect(excluded([], { $where: 'true' })).rejects.toMatchObject({
        code: 'document_invalid',
        message: expect.stringContaining('audience.exclude.filter.$where: '),
      });
    });
  });

  describe(`${name}: addresses`, () => {
    const slice = (from: unknown, after: unknown, contact: string, addresses: string[]): ExpansionSlice => ({
      ...{ campaignId: 'c', from, conversations: [conversation('c', contact)], addresses },
      expansion: { expanded: 1, skipped: {}, after, done: false },
      counters: { total: 1, active: 1 },
    });

    test('are taken with the slice, or, where one is taken already, nothing is written', async () => {
      await harness.insert('campaign_runs', [run('c')]);
      const { campaigns } = harness;
      expect(await campaigns.expand(slice(undefined, 1, 'a', ['c|1', 'c|2']))).toBe(true);
      expect(await campaigns.takenAddresses(['c|1', 'c|3', 'c|2'])).toEqual(new Set(['c|1', 'c|2']));
      expect(await campaigns.expand(slice(1, 2, 'b', ['c|3', 'c|2']))).toBe(false);
      expect(await campaigns.takenAddresses(['c|3'])).toEqual(new Set());
      expect(await campaigns.existing(['c:b'])).toEqual(new Set());
      expect(await campaigns.run('c')).toMatchObject({ expansion: { after: 1 } });
    });

    test('of one campaign are forgotten, all of them, and again', async () => {
      const others = ['b|1', 'c2|1', 'd|1'].map((_id) => ({ _id }));
      const own = Array.from({ length: 12_000 }, (_, n) => ({ _id: `c|${n}` }));
      await harness.insert('campaign_addresses', [...others, ...own]);
      for (let times = 0; times < 2; times++) {
        await harness.campaigns.forgetAddresses('c');
        expect(await harness.find('campaign_addresses')).toEqual(others);
      }
    });
  });
}

describe('memory', () => describeOptions('MemoryCampaigns', memoryHarness));
describe('mongo', () => {
  const { make, close } = mongoHarnesses();
  afterAll(close);
  describeOptions('MongoCampaigns', make);
});
