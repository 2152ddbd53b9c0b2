import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { conversation, type Harness, mongoHarnesses, run, unit } from '../contract/harness.ts';

const { make, close } = mongoHarnesses();
let harness: Harness;
beforeEach(async () => {
  harness = await make();
});
afterEach(() => harness.close());
afterAll(close);

test('the copy of the expansion is renewed at most once a second, and at the end', async () => {
  await harness.insert('campaigns', [{ _id: 'c', status: 'running' }]);
  await harness.insert('campaign_runs', [run('c')]);
  const expand = async (from: number, done = false): Promise<unknown> => {
    const expansion = { expanded: from + 1, skipped: {}, after: from + 1, done };
    const slice = { campaignId: 'c', from: from === 0 ? undefined : from, expansion, conversations: [], counters: {} };
    expect(await harness.campaigns.expand(slice)).toBe(true);
    return (await harness.campaigns.campaign('c'))?.['expansion'];
  };
  expect(await expand(0)).toMatchObject({ expanded: 1 });
  expect(await expand(1)).toMatchObject({ expanded: 1 });
  harness.clock.advance(1_000);
  expect(await expand(2)).toMatchObject({ expanded: 3 });
  expect(await expand(3)).toMatchObject({ expanded: 3 });
  expect(await expand(4, true)).toEqual({ expanded: 5, skipped: {}, done: true });
});

test('a campaign that fills its 16 MB completes, with its figures in the run', async () => {
  const room = 16 * 1024 * 1024 - 400;
  await harness.insert('campaigns', [{ _id: 'c', status: 'running', audience: { contacts: ['x'.repeat(room)] } }]);
  await harness.insert('campaign_runs', [run('c', { expansion: { expanded: 1, skipped: {}, after: 1, done: true } })]);
  const { change: _, ...rest } = unit(conversation('c', 'a'), { inserts: [], counters: { total: 1, completed: 1 } });
  await harness.conversations.commit([rest]);
  const { metrics } = await harness.campaigns.counters('c');
  await harness.campaigns.fold('c', metrics);
  expect(await harness.campaigns.run('c')).toMatchObject({ metrics: { completed: 1 } });
  expect(await harness.campaigns.settle('c')).toBe(true);
  expect(await harness.campaigns.run('c')).toMatchObject({ settled: true, metrics: { completed: 1 } });
  const stored = await harness.campaigns.campaign('c');
  expect(stored).toMatchObject({ status: 'completed' });
  expect(stored).not.toHaveProperty('metrics');
});
