import { describe, expect, test } from '@jest/globals';
import { world } from './campaignWorld.ts';

/** 3,000 people, two of each address; every fifth is a customer. */
function given(audience: object) {
  const all = world();
  all.people('people', 3_000, (n) => ({ phone: `+49${n % 1_500}` }));
  all.people('customers', 600, (n) => ({ _id: `x${n}`, of: { person: n * 5 }, open: true }));
  all.submit('spring', { audience: { collection: 'people', ...audience } });
  return all;
}
const exclude = { collection: 'customers', filter: { open: true }, map: { id: '$of.person' } };

describe('who enters', () => {
  test.each<[object, number, object]>([
    [{}, 3_000, {}],
    [{ dedupeBy: 'id' }, 3_000, {}],
    [{ exclude }, 2_400, { excluded: 600 }],
    [{ exclude: { ...exclude, filter: { open: false } } }, 3_000, {}],
    [{ dedupeBy: 'address' }, 1_500, { duplicate_address: 1_500 }],
    [{ dedupeBy: 'address', exclude }, 1_200, { excluded: 600, duplicate_address: 1_200 }],
  ])('given %j, then %i of 3,000 and %j', async (audience, expanded, skipped) => {
    const { database, member } = given(audience);
    const { campaigns, expandAll } = member('m1');
    await campaigns.look('spring');
    await expandAll();
    const { expansion } = database.runs.get('spring') ?? {};
    expect(expansion).toMatchObject({ expanded, skipped, done: true });
    const found = database.conversations.find();
    expect(found).toHaveLength(expanded);
    if ('dedupeBy' in audience && audience.dedupeBy === 'address')
      expect(new Set(found.map(({ contact }) => contact.phone)).size).toBe(expanded);
  });

  test('given slices that fail, are repeated or are taken over, then the same enter and the figures are the same', async () => {
    const { database, member } = given({ dedupeBy: 'address', exclude });
    const first = member('m1');
    await first.campaigns.look('spring');
    let calls = 0;
    database.hooks.after = (operation) => {
      if (operation === 'expand' && ++calls % 2 === 1) throw new Error('the answer got lost');
    };
    await first.campaigns.expandTick();
    database.fence('m1');
    const second = member('m2');
    await second.campaigns.sweep();
    for (let turns = 0; turns < 20 && database.runs.get('spring')?.expansion.done !== true; turns++) {
      await second.campaigns.expandTick();
      await second.campaigns.sweep();
    }
    expect(database.runs.get('spring')?.expansion).toMatchObject({
      expanded: 1_200,
      skipped: { excluded: 600, duplicate_address: 1_200 },
    });
    expect(database.conversations.find()).toHaveLength(1_200);
  });

  test('given that the campaign ended, then the addresses it took are gone, and those of others are not', async () => {
    const { database, member, count } = given({ dedupeBy: 'address' });
    const { campaigns, expandAll } = member('m1');
    database.addresses.insert({ _id: 'spring2|x' });
    await campaigns.look('spring');
    await expandAll();
    expect(database.addresses.find()).toHaveLength(1_501);
    count('spring', { active: -1_500, completed: 1_500 });
    await campaigns.foldTick();
    expect(database.runs.get('spring')?.settled).toBe(true);
    expect(database.addresses.find()).toEqual([{ _id: 'spring2|x' }]);
  });
});

test('given a filter of those left out that the database refuses, then the campaign fails with its path', async () => {
  const { database, member, submit } = world();
  const { campaigns } = member('m1');
  submit('spring', { audience: { contacts: [], exclude: { collection: 'customers', filter: { $where: '1' } } } });
  await campaigns.look('spring');
  expect(database.campaigns.get('spring')).toMatchObject({
    status: 'failed',
    error: { path: 'audience.exclude.filter.$where', code: 'not_allowed' },
  });
});

test('given a run whose exclusion is refused later, then it is held with that fault', async () => {
  const { database, member } = given({ exclude });
  const { campaigns } = member('m1');
  await campaigns.look('spring');
  const run = database.runs.get('spring');
  const broken = { ...run?.audience, exclude: { collection: 'customers', filter: { $where: '1' }, idPath: '_id' } };
  database.runs.update('spring', { audience: broken as never });
  await campaigns.expandTick();
  await campaigns.look('spring');
  expect(database.campaigns.get('spring')).toMatchObject({
    status: 'paused',
    error: { path: 'audience.exclude.filter.$where' },
  });
});
