import { describe, expect, test } from '@jest/globals';
import { LiveAudience } from '../../../streams/liveAudience.ts';
import { world } from './campaignWorld.ts';

const second = 1_000;

const page = (reached: unknown, isLast: boolean, isEmpty = false) => ({ reached, isLast, isEmpty });

describe('where a live audience is read', () => {
  test('given its end was reached, then past the last key, and all of it every five minutes', () => {
    const live = new LiveAudience();
    expect([live.from(7), live.isPassing]).toEqual([7, false]);
    expect(live.done(page(8, false), 0)).toBe(true);
    expect(live.from(8)).toBe(8);
    expect(live.done(page(9, true), 1 * second)).toBe(false);
    expect(live.done(page(9, true), 300 * second)).toBe(false);
    expect(live.done(page(9, true), 301 * second)).toBe(true);
    expect([live.from(9), live.isPassing]).toEqual([undefined, true]);
    expect(live.done(page(4, false), 302 * second)).toBe(true);
    expect(live.from(9)).toBe(4);
    expect(live.done(page(9, true), 303 * second)).toBe(false);
    expect([live.from(9), live.isPassing]).toEqual([9, false]);
  });

  test('given a pass that took long, then the next one comes after ten times as long', () => {
    const live = new LiveAudience();
    live.done(page(9, true), 0);
    live.done(page(9, true), 300 * second);
    live.done(page(9, true), 400 * second);
    expect(live.done(page(9, true), 1_399 * second)).toBe(false);
    expect(live.done(page(9, true), 1_400 * second)).toBe(true);
  });

  test('given nobody fitted, then the next look begins behind the last key there was, and rests as long as it took', () => {
    const live = new LiveAudience();
    expect(live.begins).toBe(true);
    live.begin(50, 0);
    expect([live.begins, live.from(undefined)]).toEqual([false, undefined]);
    expect(live.done(page(undefined, true, true), 20 * second)).toBe(false);
    expect([live.begins, live.from(undefined), live.restMs]).toEqual([true, 50, 200 * second]);
    live.begin(50, 30 * second);
    expect(live.done(page(undefined, true, true), 31 * second)).toBe(false);
    expect(live.restMs).toBe(30 * second);
    live.lost();
    expect(live.from(3)).toBe(3);
  });

  test('given many who came in, then their coming in is no reason to rest', () => {
    const live = new LiveAudience();
    live.begin(50, 0);
    live.done(page(40, false), 900 * second);
    live.done(page(undefined, true, true), 1_000 * second);
    expect(live.restMs).toBe(30 * second);
  });

  test('given an empty collection, then the next look begins where the last one did', () => {
    const live = new LiveAudience();
    live.begin(undefined, 0);
    live.done(page(undefined, true, true), 0);
    expect(live.from(undefined)).toBeUndefined();
  });
});

/** A campaign with a live audience of two people, `_id` 0 and 1, and one who cannot be used, that was expanded. */
async function given() {
  const { clock, database, operations, member, submit, write, count } = world();
  const join = (_id: number, more: object = {}) =>
    database.audience('people').put({ _id, phone: `+49${_id}`, ...more } as { _id: number });
  for (const n of [0, 1]) join(n);
  join(2, { phone: 7 });
  submit('spring', { audience: { collection: 'people', mode: 'live' } });
  const first = member('m1');
  /** The expansion's own time, in which nothing but its timers wakes it. */
  const pass = async (ms: number, of = first): Promise<void> => {
    for (let left = ms; left > 0; left -= 15 * second) {
      await clock.advanceAsync(Math.min(left, 15 * second));
      await of.expandAll();
    }
  };
  await first.campaigns.look('spring');
  await first.expandAll();
  const entered = () => database.conversations.find().map(({ contact }) => contact.id);
  const expansion = () => database.runs.get('spring')?.expansion;
  return { clock, database, operations, member, write, count, first, join, pass, entered, expansion };
}

test('given people who join, then those behind enter within half a minute, the others with the next pass; none twice', async () => {
  const { join, pass, entered, expansion, first } = await given();
  expect(entered()).toEqual([0, 1]);
  expect(expansion()).toEqual({ expanded: 2, skipped: { contact_invalid: 1 }, after: 2, done: false });
  join(10);
  join(-5);
  await pass(30 * second);
  expect(entered()).toEqual([0, 1, 10]);
  await pass(240 * second);
  expect(entered()).toHaveLength(3);
  await pass(60 * second);
  expect([...entered()].sort()).toEqual([-5, 0, 1, 10]);
  await pass(900 * second);
  expect(expansion()).toEqual({ expanded: 4, skipped: { contact_invalid: 1 }, after: 10, done: false });
  expect(first.instruments.of('conversations')).toEqual([
    ['active', 2],
    ['active', 1],
    ['active', 1],
  ]);
  expect(first.logger.of('warn')).toHaveLength(1);
});

test('given nobody joins, then nothing is written', async () => {
  const { operations, pass, first } = await given();
  operations.length = 0;
  await pass(700 * second);
  expect(new Set(operations)).toEqual(new Set(['run', 'audiencePage', 'existing', 'lastKey']));
  expect(operations.filter((name) => name === 'audiencePage').length).toBeLessThan(30);
  expect(await first.campaigns.forgotten()).toEqual(new Map());
});

test('given nobody fits, then a look reads nothing that an earlier one looked at', async () => {
  const { clock, database, member, submit, people } = world();
  people('people', 500);
  const asked: unknown[] = [];
  const first = member('m1');
  const { audiencePage } = first.store;
  first.store.audiencePage = (source, after, ...more) => {
    asked.push(after);
    return audiencePage.call(first.store, source, after, ...more);
  };
  submit('spring', { audience: { collection: 'people', filter: { country: 'LI' }, mode: 'live' } });
  await first.campaigns.look('spring');
  await first.expandAll();
  people('people', 600);
  for (const _ of [1, 2]) {
    await clock.advanceAsync(30 * second);
    await first.expandAll();
  }
  expect(asked).toEqual([undefined, 499, 599]);
  database.audience('people').put({ _id: 600, phone: '+49', country: 'LI' } as { _id: number });
  await clock.advanceAsync(30 * second);
  await first.expandAll();
  expect(database.runs.get('spring')?.expansion).toMatchObject({ expanded: 1, after: 600 });
});

test('given looks at the campaign meanwhile, then it is read no more often', async () => {
  const { operations, pass, first } = await given();
  operations.length = 0;
  for (let n = 0; n < 20; n++) {
    await first.campaigns.look('spring');
    await pass(3 * second);
  }
  expect(operations.filter((name) => name === 'audiencePage')).toHaveLength(2);
});

test('given a pause, then nobody enters; when it is over, who joined meanwhile does', async () => {
  const { join, pass, entered, write, first } = await given();
  write('spring', { status: 'paused' });
  await first.campaigns.look('spring');
  join(10);
  await pass(700 * second);
  expect(entered()).toHaveLength(2);
  write('spring', { status: 'running' });
  await first.campaigns.look('spring');
  await first.expandAll();
  expect(entered()).toEqual([0, 1, 10]);
});

test('given two members that are at it at once, then each joins once and is counted once', async () => {
  const { join, pass, expansion, member, entered, clock, first } = await given();
  const other = member('m2');
  await other.campaigns.look('spring');
  for (let n = 0; n < 6; n++) {
    join(10 + n);
    join(-10 - n);
    await clock.advanceAsync(150 * second);
    await Promise.all([first.expandAll(), other.expandAll()]);
  }
  await pass(700 * second);
  await pass(700 * second, other);
  expect(entered()).toHaveLength(14);
  expect(expansion()).toMatchObject({ expanded: 14, done: false });
});

test.each<[string, object, string]>([
  ['it is cancelled', { status: 'cancelled' }, 'cancelled'],
  ['its end comes', { schedule: { endAt: new Date(0) } }, 'completed'],
])('given %s, then it is over, and nobody enters any more', async (_, change, status) => {
  const { database, join, pass, write, count, entered, first, clock } = await given();
  await first.campaigns.foldTick();
  count('spring', { active: -2, completed: 2 });
  await first.campaigns.foldTick();
  expect(database.campaigns.get('spring')?.status).toBe('running');
  write('spring', change);
  await first.campaigns.look('spring');
  await first.campaigns.foldTick();
  expect(database.campaigns.get('spring')).toMatchObject({ status, expansion: { done: true } });
  join(10);
  await pass(700 * second);
  expect(entered()).toHaveLength(2);
  expect(clock.pending).toBe(0);
});

test('given the member leaves, then nothing of it waits', async () => {
  const { clock, first } = await given();
  expect(clock.pending).toBe(1);
  first.abort.abort();
  expect(clock.pending).toBe(0);
});
