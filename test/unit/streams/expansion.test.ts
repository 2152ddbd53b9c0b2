import { describe, expect, test } from '@jest/globals';
import type { CampaignStore } from '../../../src/domain/campaignPorts.ts';
import { waitFor } from '../../support/waitFor.ts';
import { contacts, world } from './campaignWorld.ts';

type Fits = (id: unknown) => boolean;

/** A database that refuses slices with certain contacts. */
function given(refuses: Fits = () => false) {
  const all = world();
  const first = all.member('m1');
  const { expand } = first.store;
  let slices = 0;
  first.store.expand = async (slice) => {
    slices += 1;
    if (slice.conversations.some(({ contact }) => refuses(contact.id)))
      throw Object.assign(new Error('nested too deep'), { fault: true });
    return expand.call(first.store, slice);
  };
  return { ...all, ...first, slices: () => slices };
}

describe('contacts that the database refuses', () => {
  test('given one among thousands, then it alone is left out, with its reason', async () => {
    const { campaigns, database, submit, people, expandAll, logger, slices } = given((id) => id === 777);
    people('people', 2_500);
    submit('spring', { audience: { collection: 'people' } });
    await campaigns.look('spring');
    await expandAll();
    expect(database.runs.get('spring')?.expansion).toEqual({
      ...{ expanded: 2_499, skipped: { contact_invalid: 1 }, after: 2_499, done: true },
    });
    expect(database.conversations.find()).toHaveLength(2_499);
    expect(logger.of('warn').map(({ fields }) => fields?.['first'])).toContain('MongoDB refuses it: nested too deep');
    expect(slices()).toBeLessThan(40);
  });

  test('given an inline list with several, then all others enter', async () => {
    const { campaigns, database, submit, expandAll } = given((id) => id === 'c0' || id === 'c1' || id === 'c99');
    submit('spring', { audience: { contacts: contacts(100) } });
    await campaigns.look('spring');
    await expandAll();
    expect(database.runs.get('spring')?.expansion).toMatchObject({
      ...{ expanded: 97, skipped: { contact_invalid: 3 }, done: true },
    });
  });

  test('given all of them, then it is no fault of theirs: the campaign is paused and says so', async () => {
    const { campaigns, database, submit, people, expandAll } = given(() => true);
    people('people', 300);
    submit('spring', { audience: { collection: 'people' } });
    await campaigns.look('spring');
    await expandAll();
    await waitFor(() => database.campaigns.get('spring')?.status === 'paused', { what: 'the pause' });
    expect(database.campaigns.get('spring')).toMatchObject({
      error: { path: 'audience', message: expect.stringContaining('nested too deep') },
    });
    expect(database.runs.get('spring')?.expansion.skipped['contact_invalid']).toBeLessThan(20);
  });

  test('given a live audience, then its passes leave them out, and write nothing of it', async () => {
    const { campaigns, clock, database, submit, people, expandAll } = given((id) => id === 3);
    people('people', 8);
    submit('spring', { audience: { collection: 'people', mode: 'live' } });
    await campaigns.look('spring');
    await expandAll();
    for (let n = 0; n < 30; n++) {
      await clock.advanceAsync(30_000);
      await expandAll();
    }
    expect(database.runs.get('spring')?.expansion).toMatchObject({ expanded: 7, skipped: { contact_invalid: 1 } });
  });
});

describe('an audience of which little fits', () => {
  /** Looks at a hundred documents at a time. */
  const sparse = (store: CampaignStore): void => {
    const { audiencePage } = store;
    store.audiencePage = (source, after, limit) => audiencePage.call(store, source, after, limit, 100);
  };

  test('given nobody fits for long, then where it has come to is stored, and whoever takes over goes on there', async () => {
    const { campaigns, store, database, submit, people, expandAll } = given();
    sparse(store);
    people('people', 1_000, (n) => (n === 950 ? { country: 'LI' } : {}));
    submit('spring', { audience: { collection: 'people', filter: { country: 'LI' } } });
    await campaigns.look('spring');
    await campaigns.expandTick();
    expect(database.runs.get('spring')?.expansion).toEqual({ expanded: 0, skipped: {}, after: 99, done: false });
    await expandAll();
    expect(database.runs.get('spring')?.expansion).toMatchObject({ expanded: 1, done: true });
  });

  test('given a page that takes long, then other campaigns are expanded meanwhile', async () => {
    const { campaigns, database, submit, people, write } = given();
    people('sparse', 10);
    people('people', 10);
    submit('slow', { audience: { collection: 'sparse' } });
    submit('quick', { audience: { collection: 'people' } });
    await campaigns.lookAtAll(['slow', 'quick']);
    let answer = (): void => {};
    const asked = new Promise<void>((resolve) => {
      answer = resolve;
    });
    let isFirst = true;
    database.hooks.before = async (operation) => {
      if (operation !== 'audiencePage' || !isFirst) return;
      isFirst = false;
      await asked;
    };
    const slow = campaigns.expandTick();
    await campaigns.expandTick();
    expect(database.runs.get('quick')?.expansion).toMatchObject({ expanded: 10, done: true });
    // its own turn is not over: nobody takes it twice
    expect(await campaigns.expandTick()).toBe(false);
    write('slow', {});
    answer();
    await slow;
    expect(database.runs.get('slow')?.expansion).toMatchObject({ expanded: 10, done: true });
  });
});

test('given many large lists at once, then some are read, and the others when these are through', async () => {
  const { database, submit, member } = world();
  const { campaigns, expandAll } = member('m1', { mostInlineBytes: 100_000 });
  const names = ['a', 'b', 'c', 'd'];
  // two slices, some 58 kB each list
  for (const name of names) submit(name, { audience: { contacts: contacts(1_200) } });
  await campaigns.lookAtAll(names);
  for (const _ of names) await campaigns.expandTick();
  const expanded = () => names.map((name) => database.runs.get(name)?.expansion.expanded ?? 0);
  expect(expanded().filter((count) => count > 0)).toHaveLength(2);
  await expandAll();
  expect(expanded()).toEqual([1_200, 1_200, 1_200, 1_200]);
});
