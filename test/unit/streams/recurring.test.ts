import { expect, test } from '@jest/globals';
import { ServiceError } from '../../../src/domain/errors.ts';
import { world } from './campaignWorld.ts';

const hour = 3_600_000;
/** Every full hour. */
const schedule = { recurrence: 'DTSTART:20250101T000000Z\nRRULE:FREQ=HOURLY' };
const audience = { collection: 'people' };

/** A recurring campaign that was taken in half an hour before an occurrence. */
async function given(more: object = {}) {
  const { clock, database, member, submit, write, people, count } = world();
  clock.stepWall(Date.UTC(2026, 0, 5, 7, 30) - clock.now());
  people('people', 2);
  submit('news', { type: 'recurring', schedule: { ...schedule, ...more }, audience });
  const first = member('m1');
  await first.campaigns.look('news');
  const ids = () => database.campaigns.find().map(({ _id }) => _id);
  const occurrences = () => database.runs.get('news')?.occurrences;
  return { clock, database, member, write, people, count, first, ids, occurrences };
}

test('given its time has come, then the occurrence is begun by itself, and runs as any other campaign', async () => {
  const { clock, database, first, ids, occurrences, people } = await given();
  expect(ids()).toEqual(['news']);
  expect(first.campaigns.expansion.size).toBe(0);
  await clock.advanceAsync(hour / 2);
  await first.campaigns.look('news');
  expect(ids()).toEqual(['news', 'news@20260105T080000Z']);
  people('people', 3);
  await first.campaigns.look('news@20260105T080000Z');
  await first.expandAll();
  expect(database.runs.get('news@20260105T080000Z')).toMatchObject({ parentId: 'news', expansion: { expanded: 3 } });
  expect(database.conversations.find().map(({ campaignId }) => campaignId)).toEqual(
    Array.from({ length: 3 }, () => 'news@20260105T080000Z'),
  );
  expect(occurrences()).toMatchObject({ begun: 1, missed: 0 });
});

test('given others look as well, or its owner changes, then each occurrence begins once', async () => {
  const { clock, database, member, first, ids, occurrences } = await given();
  const others = [first, member('m2'), member('m3')];
  for (let n = 0; n < 6; n++) {
    await clock.advanceAsync(hour);
    await Promise.all(others.map(({ campaigns }) => campaigns.look('news')));
  }
  expect(ids()).toHaveLength(7);
  expect(occurrences()).toMatchObject({ begun: 6, missed: 0 });
  database.campaigns.delete('news@20260105T130000Z');
  await Promise.all(others.map(({ campaigns }) => campaigns.look('news')));
  expect(ids()).toHaveLength(6);
});

test('given nobody was there for a day, then the sweep of whoever comes begins the latest', async () => {
  const { clock, member, first, ids, occurrences } = await given();
  first.abort.abort();
  await clock.advanceAsync(24 * hour);
  const { campaigns } = member('m2');
  expect([...(await campaigns.forgotten()).values()]).toContain('undecided, running');
  await campaigns.sweep();
  expect(ids()).toEqual(['news', 'news@20260106T070000Z']);
  expect(occurrences()).toMatchObject({ begun: 1, missed: 23 });
  expect([...(await campaigns.forgotten()).keys()]).toEqual(['news%4020260106T070000Z']);
});

test('given its last occurrence, then it is completed at once, while that goes on', async () => {
  const { clock, database, first } = await given({ recurrence: `${schedule.recurrence};UNTIL=20260105T080000Z` });
  await clock.advanceAsync(hour / 2);
  await first.campaigns.look('news');
  await first.campaigns.foldTick();
  expect(database.campaigns.get('news')).toMatchObject({ status: 'completed', occurrences: { begun: 1 } });
  expect(database.campaigns.get('news@20260105T080000Z')?.status).toBe('pending');
});

test('given it is cancelled, then occurrences that run go on', async () => {
  const { clock, database, first, write } = await given();
  await clock.advanceAsync(hour / 2);
  await first.campaigns.look('news');
  await first.campaigns.look('news@20260105T080000Z');
  write('news', { status: 'cancelled' });
  await first.campaigns.look('news');
  await first.campaigns.foldTick();
  await clock.advanceAsync(24 * hour);
  await first.campaigns.look('news');
  expect(database.runs.get('news')).toMatchObject({ settled: true, status: 'cancelled', occurrences: { begun: 1 } });
  expect(database.runs.get('news@20260105T080000Z')).toMatchObject({ settled: false, status: 'running' });
});

test('given a query the database refuses, then the series fails before it begins', async () => {
  const { database, member, submit } = world();
  const { campaigns } = member('m1');
  submit('news', { type: 'recurring', schedule, audience: { ...audience, filter: { $where: '1' } } });
  await campaigns.look('news');
  expect(database.campaigns.get('news')).toMatchObject({
    ...{ status: 'failed', error: { path: 'audience.filter.$where' } },
  });
});

test('given an occurrence that the database will never take, then the series is paused and says why', async () => {
  const { clock, database, first, ids } = await given();
  let isRefused = true;
  database.hooks.before = (operation) => {
    if (operation !== 'campaign' || !isRefused) return;
    isRefused = false;
    throw new ServiceError('document_invalid', 'audience.contacts: no room');
  };
  await clock.advanceAsync(hour / 2);
  await first.campaigns.look('news');
  expect(database.campaigns.get('news')).toMatchObject({
    status: 'paused',
    error: { code: 'not_allowed', path: 'audience.contacts', message: 'no room' },
  });
  await clock.advanceAsync(hour / 2);
  expect(ids()).toEqual(['news']);
});
