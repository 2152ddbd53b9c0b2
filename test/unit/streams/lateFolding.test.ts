/** Receipts that come after a campaign has ended: its metrics move on, whoever counted them and whoever died. */
import { expect, test } from '@jest/globals';
import { world } from './campaignWorld.ts';

async function settled() {
  const of = world();
  const first = of.member('m1');
  of.submit('spring');
  await first.campaigns.look('spring');
  await first.expandAll();
  of.count('spring', { active: -3, completed: 3, 'messages.sent': 3 });
  await first.campaigns.foldTick();
  expect(of.database.runs.get('spring')?.settled).toBe(true);
  const delivered = () => of.database.campaigns.get('spring')?.metrics?.messages.delivered;
  return { ...of, first, delivered };
}

test('what a member counted late it folds in its next turn; results stay', async () => {
  const { first, count, database, delivered, operations } = await settled();
  const { results } = database.campaigns.get('spring') ?? {};
  count('spring', { 'messages.delivered': 2 });
  first.campaigns.folding.counted('spring');
  await first.campaigns.foldTick();
  expect(delivered()).toBe(2);
  expect(database.runs.get('spring')?.metrics?.messages.delivered).toBe(2);
  expect(database.campaigns.get('spring')?.results).toEqual(results);
  operations.length = 0;
  await first.campaigns.foldTick();
  expect(operations).toEqual([]);
});

test('what somebody counted who was lost is found by the owner of the campaign', async () => {
  const { count, delivered, member } = await settled();
  count('spring', { 'messages.delivered': 1 });
  const other = member('m2', { owns: () => false });
  await other.campaigns.folding.lookForLate();
  await other.campaigns.foldTick();
  expect(delivered()).toBe(0);
  const owner = member('m3');
  await owner.campaigns.folding.lookForLate();
  await owner.campaigns.foldTick();
  expect(delivered()).toBe(1);
  await owner.campaigns.folding.lookForLate();
  await owner.campaigns.foldTick();
  expect(delivered()).toBe(1);
});

test('who held a run for open may have counted in it as it ended: that is looked for once it is known to have', async () => {
  const { first, count, delivered, member, database, operations } = await settled();
  await first.campaigns.foldTick();
  const other = member('m2', { owns: () => false });
  count('spring', { 'messages.delivered': 1 });
  const { before } = database.hooks;
  database.hooks.before = () => {
    throw new Error('away');
  };
  other.campaigns.folding.hasEnded('spring');
  await other.campaigns.foldTick();
  Object.assign(database.hooks, { before });
  await other.campaigns.foldTick();
  expect(delivered()).toBe(1);
  operations.length = 0;
  await other.campaigns.foldTick();
  expect(operations).toEqual([]);
});

test('while the database is away nothing of it is forgotten; a member that was taken over leaves it to others', async () => {
  const { first, count, database, delivered } = await settled();
  count('spring', { 'messages.delivered': 1 });
  first.campaigns.folding.counted('spring');
  const { before } = database.hooks;
  database.hooks.before = () => {
    throw new Error('away');
  };
  await first.campaigns.foldTick();
  await first.campaigns.folding.lookForLate();
  expect(first.logger.of('warn')).toHaveLength(2);
  Object.assign(database.hooks, { before });
  await first.campaigns.foldTick();
  expect(delivered()).toBe(1);
  count('spring', { 'messages.delivered': 1 });
  first.campaigns.folding.counted('spring');
  database.fence('m1');
  await first.campaigns.foldTick();
  expect(delivered()).toBe(1);
  first.campaigns.folding.counted('spring');
  first.abort.abort();
  await first.campaigns.foldTick();
  await first.campaigns.folding.lookForLate();
  expect(delivered()).toBe(1);
});
