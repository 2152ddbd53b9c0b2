/** Occurrences of a campaign whose list is nearly as large as a document can be. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { CampaignWrite } from '../../src/domain/campaignPorts.ts';
import { type Harness, mongoHarnesses, run } from '../contract/harness.ts';

const { make, close } = mongoHarnesses();
let harness: Harness;
beforeAll(async () => {
  harness = await make();
});
afterAll(async () => {
  await harness.close();
  await close();
});

const contacts = (megabytes: number) =>
  Array.from({ length: 16 }, (_, id) => ({ id, name: 'x'.repeat((megabytes * 1024 * 1024) / 16) }));
const begin = (megabytes: number): CampaignWrite => ({
  ...{ campaignId: 'c', expectStatus: 'running', run: { set: { occurrences: { begun: 1, missed: 0 } } } },
  child: { _id: `c@${megabytes}`, parentId: 'c', status: 'pending', audience: { contacts: contacts(megabytes) } },
});

test('one of 15.9 MB is inserted; one that has no room is told as such, and nothing is written', async () => {
  await harness.insert('campaigns', [{ _id: 'c', status: 'running' }]);
  await harness.insert('campaign_runs', [run('c', { child: {}, occurrences: { begun: 0, missed: 0 } })]);
  await expect(harness.campaigns.commit(begin(16.1))).rejects.toMatchObject({ code: 'document_invalid' });
  expect((await harness.campaigns.run('c'))?.occurrences?.begun).toBe(0);
  expect(await harness.campaigns.commit(begin(15.9))).toBe(true);
  expect((await harness.campaigns.campaign('c@15.9'))?.['parentId']).toBe('c');
});
