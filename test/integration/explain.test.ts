import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Plan, plans, seed, seeks } from '../../scripts/plans.mjs';
import { audienceQuery } from '../../src/mongo/audience.ts';
import { campaignQueries } from '../../src/mongo/campaigns.ts';
import { initDatabase } from '../../src/mongo/collections.ts';
import { conversationQueries } from '../../src/mongo/conversationQueries.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';

describe('with 100,000 ended conversations', () => {
  let database: TestDatabase;
  let found: Plan[];
  beforeAll(async () => {
    database = await testDatabase('explain');
    await initDatabase(database.db, { partitions: 64 });
    const now = new Date();
    await seed(database.db, 100_000, now);
    found = await plans(database.db, { conversationQueries, campaignQueries, audienceQuery }, now);
  }, 120_000);
  afterAll(() => database.close());

  test.each([
    ['due', 100],
    ['due (opening)', 100],
    ['due (nothing)', 0],
    ['nextDue', 1],
    ['nextDue (after)', 1],
    ['withInbox', 100],
    ['withInbox (next page)', 100],
    ['pendingMessages', 300],
    ['pendingMessages (next page)', 100],
    ['needingAttention', 20],
    ['openRuns', 20],
    ['changedCounters', 20],
    ['changedCounters (since)', 20],
    ['audiencePage', 500],
    ['audiencePage (next)', 500],
  ])('%s is an index scan with keys about the rows returned', (name, returned) => {
    const plan = found.find((one) => one.name === name);
    expect(plan).toMatchObject({ returned });
    expect(plan?.stages).toContain('IXSCAN');
    // A sort in memory reads all of the range before it gives the first.
    expect(plan?.stages).not.toContain('SORT');
    expect(plan?.keysExamined).toBeLessThanOrEqual(2 * returned + seeks);
    expect(plan?.docsExamined).toBeLessThanOrEqual(2 * returned + 8);
  });

  test('every one that is explained is asserted', () => {
    expect(found).toHaveLength(15);
  });
});
