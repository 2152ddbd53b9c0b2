import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ObjectId } from 'mongodb';
import type { PinnedAudience } from '../../src/domain/model.ts';
import { type Harness, type Make, memoryHarness, mongoHarnesses, run } from './harness.ts';

function describePages(name: string, make: Make): void {
  let harness: Harness;
  beforeEach(async () => {
    harness = await make();
  });
  afterEach(() => harness.close());

  describe(`${name}: an audience of which little fits`, () => {
    const ids = [1, 2, 3, 4, 5, 6, 'a', 'b', 'c', new ObjectId(), new ObjectId(), new Date(1), new Date(2), true];
    const fits = [2, 6, 'c', ids[10], true];
    const given = () =>
      harness.insert(
        'contacts',
        ids.map((_id) => ({ _id, country: fits.includes(_id) ? 'LI' : 'DE' })),
      );

    test.each([1, 2, 3, 5, 14, 100])(
      'looked at %i at a time: who fits comes once, and every page ends',
      async (most) => {
        await given();
        const seen: unknown[] = [];
        let pages = 0;
        for (let after: unknown, done = false; !done; pages++) {
          const source = { collection: 'contacts', filter: { country: 'LI' } };
          const page = await harness.campaigns.audiencePage(source, after, 2, most);
          expect(page.documents.length).toBeLessThanOrEqual(Math.min(2, most));
          seen.push(...page.documents.map(({ raw }) => raw['_id']));
          after = page.looked?.after ?? page.documents.at(-1)?.after ?? after;
          done = page.done;
        }
        expect(seen).toHaveLength(fits.length);
        expect(seen).toEqual(expect.arrayContaining(fits));
        expect(pages).toBeLessThanOrEqual(Math.ceil(ids.length / most) + fits.length + 1);
      },
    );

    test('a page says where it ended and what it looked at', async () => {
      await given();
      const source = { collection: 'contacts', filter: { country: 'LI' } };
      const first = await harness.campaigns.audiencePage(source, undefined, 10, 4);
      expect(first).toMatchObject({ documents: [{ after: 2 }], done: false, looked: { after: 4, count: 4 } });
      // full: what is left of the span comes next
      const full = await harness.campaigns.audiencePage(source, undefined, 1, 4);
      expect(full.looked).toBeUndefined();
      expect(full.done).toBe(false);
    });

    test('the last key', async () => {
      expect(await harness.campaigns.lastKey('contacts')).toBeUndefined();
      await harness.insert(
        'contacts',
        [7, 'b', 'a'].map((_id) => ({ _id })),
      );
      expect(await harness.campaigns.lastKey('contacts')).toBe('b');
    });
  });

  describe(`${name}: whether an audience can be read`, () => {
    const people = { kind: 'collection', collection: 'people', filter: {}, map: {} } as const;
    const exclude = { collection: 'customers', filter: {}, idPath: '_id' };
    test.each<[string, PinnedAudience, string | undefined]>([
      ['a collection that is not there', people, undefined],
      ['a list', { kind: 'inline' }, undefined],
      ['enrollments', { kind: 'enrollments' }, undefined],
      ['one with exceptions', { ...people, exclude }, undefined],
      ['JavaScript', { ...people, filter: { $where: 'true' } }, 'audience.filter.$where'],
      [
        'JavaScript in exceptions',
        { kind: 'inline', exclude: { ...exclude, filter: { $where: 'true' } } },
        'audience.exclude.filter.$where',
      ],
    ])('%s', async (_, audience, path) => {
      const asked = harness.campaigns.checkAudience(audience, true);
      if (path === undefined) await asked;
      else
        await expect(asked).rejects.toMatchObject({
          ...{ code: 'document_invalid', message: expect.stringContaining(`${path}: `) },
        });
    });
  });

  test(`${name}: heads of open runs have what is compared, and not what was pinned`, async () => {
    const child = { name: 'News' };
    await harness.insert('campaign_runs', [
      run('a', { occurrences: { begun: 1, missed: 0 }, child, wake: 3 }),
      run('b', { settled: true, status: 'completed' }),
      run('c', { schedule: { endAt: new Date(7) } }),
    ]);
    const heads = await harness.campaigns.openRunHeads();
    const { flow: _, variables: _v, campaign: _c, priority: _p, createdAt: _a, ...head } = run('a');
    expect(heads).toHaveLength(2);
    expect(heads[0]).toEqual({
      ...{ _id: 'a', partition: 0, status: 'running', settled: false, wake: 3, child: {} },
      ...{ audience: head.audience, expansion: head.expansion, updatedAt: head.updatedAt },
      occurrences: { begun: 1, missed: 0 },
    });
    expect(heads[1]).toMatchObject({ _id: 'c', schedule: { endAt: new Date(7) } });
    expect(heads[1]).not.toHaveProperty('child');
  });
}

describe('memory', () => describePages('MemoryCampaigns', memoryHarness));
describe('mongo', () => {
  const { make, close } = mongoHarnesses();
  afterAll(close);
  describePages('MongoCampaigns', make);
});
