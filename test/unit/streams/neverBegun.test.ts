/** Enrollments that wait for a campaign which ends before it begins: it never has a run that could tell anybody of its end. */
import { expect, test } from '@jest/globals';
import type { CampaignDocument } from '../../../src/domain/model.ts';
import { Cluster } from './cluster/cluster.ts';

const id = 'later';
const draft = { _id: id, type: 'triggered', status: 'draft', templateId: 'one' } as CampaignDocument;
const contacts = Array.from({ length: 12 }, (_, n) => n);

/** Members that share the partitions, and a draft that contacts of all partitions wait for. */
async function given() {
  const cluster = new Cluster(() => 0.5);
  for (let n = 0; n < 3; n++) cluster.join();
  await cluster.clock.advanceAsync(30_000);
  const { campaigns, enrollments } = cluster.database;
  campaigns.insert(draft);
  cluster.enroll(0, contacts);
  await cluster.clock.advanceAsync(2_000);
  const answers = () =>
    new Set(enrollments.find().map(({ reason, error }) => reason ?? (error as { code?: string } | undefined)?.code));
  expect(answers()).toEqual(new Set([undefined]));
  return { cluster, campaigns, answers };
}

test.each<[string, (cluster: Awaited<ReturnType<typeof given>>) => unknown, string]>([
  ['is cancelled', ({ campaigns }) => campaigns.update(id, { status: 'cancelled' }), 'campaign_cancelled'],
  [
    'fails as it is to start',
    ({ campaigns }) => campaigns.update(id, { status: 'pending', templateId: 'no such' }),
    'campaign_ended',
  ],
  ['is deleted', ({ campaigns }) => campaigns.delete(id), 'campaign_missing'],
])('given a campaign that %s before it began, then whoever waits for it is told at once', async (_, end, told) => {
  const { cluster, campaigns, answers } = await given();
  end({ cluster, campaigns, answers });
  await cluster.clock.advanceAsync(2_000);
  expect(answers()).toEqual(new Set([told]));
  expect(cluster.errors()).toEqual([]);
});

test('given a campaign that was held back, then it takes whoever waits once it begins', async () => {
  const { cluster, campaigns, answers } = await given();
  campaigns.update(id, { status: 'paused' });
  await cluster.clock.advanceAsync(2_000);
  expect(answers()).toEqual(new Set([undefined]));
  campaigns.update(id, { status: 'pending' });
  await cluster.clock.advanceAsync(2_000);
  expect(cluster.database.conversations.find()).toHaveLength(contacts.length);
});
