/** How a member asks the conversations of its partitions, beside whatever else happens to them. */
import { expect, test } from '@jest/globals';
import { ServiceError } from '../../../src/domain/errors.ts';
import type { Run } from '../../../src/domain/model.ts';
import { HintQueue } from '../../../streams/conversations.ts';
import { Migrations, type MigrationsParams } from '../../../streams/migrations.ts';
import type { KnownRun } from '../../../streams/runs.ts';
import { manualClock } from '../../support/clock.ts';
import { recordingLogger } from '../../support/fakes.ts';

function world(left: number[], active: readonly number[], more: Partial<MigrationsParams> = {}) {
  const clock = manualClock();
  const logger = recordingLogger();
  const hints = new HintQueue();
  const abort = new AbortController();
  const migration = { number: 1, from: 3, to: 4, startedAt: new Date(0), left };
  const known = { key: 'spring', run: { _id: 'spring', settled: false, migration } as unknown as Run } as KnownRun;
  /** By partition: who was not asked. */
  const open = new Map<number, string[]>();
  const marked: number[][] = [];
  const failed: unknown[] = [];
  const rounds: (readonly string[])[] = [];
  const params: MigrationsParams = {
    campaignStore: {
      asked: async (_, number, partitions) => {
        expect(number).toBe(1);
        marked.push([...partitions]);
        migration.left = migration.left.filter((partition) => !partitions.includes(partition));
      },
    },
    conversations: {
      activeOf: async (_, partitions, after = '') =>
        partitions
          .flatMap((partition) => open.get(partition) ?? [])
          .filter((id) => id > after)
          .slice(0, 2),
    },
    runs: { get: () => known, reload: async () => {} },
    active: () => active,
    ...{ hints, clock, random: () => 0.5, logger, signal: abort.signal, fail: (error) => void failed.push(error) },
    ...more,
  };
  /** A round that asks all it is told of, but for those. */
  const answer = (...inFlight: string[]): void =>
    void hints.inputs$.subscribe((input) => {
      if (input.kind !== 'hints') return;
      rounds.push(input.ids);
      for (const [partition, ids] of open)
        open.set(
          partition,
          ids.filter((id) => !input.ids.includes(id) || inFlight.includes(id)),
        );
      input.done();
    });
  return { clock, logger, abort, known, open, marked, failed, rounds, answer, migrations: new Migrations(params) };
}

test('pages wait for one another, and the partitions are done when nobody is found any more', async () => {
  const { migrations, known, open, marked, rounds, answer, clock } = world([0, 1, 2], [1, 2, 5]);
  open.set(1, ['a', 'b', 'c']).set(2, ['d']).set(0, ['x']);
  answer();
  migrations.look(known);
  migrations.look(known);
  await clock.advanceAsync(60_000);
  expect(rounds).toEqual([
    ['a', 'b'],
    ['c', 'd'],
  ]);
  expect(marked).toEqual([[1, 2]]);
  expect(known.run.migration?.left).toEqual([0]);
  migrations.look(known);
  await clock.advanceAsync(60_000);
  expect(marked).toHaveLength(1);
});

test('who has a message on its way is looked at again, after a while', async () => {
  const { migrations, known, open, marked, answer, clock } = world([1], [1]);
  open.set(1, ['a']);
  answer('a');
  migrations.look(known);
  await clock.advanceAsync(5_000);
  expect(marked).toEqual([]);
  open.set(1, []);
  await clock.advanceAsync(30_000);
  expect(marked).toEqual([[1]]);
});

test('what fails is tried again; a member that was taken over stops, and so does one that ends', async () => {
  let tries = 0;
  const asked = async () => {
    tries += 1;
    if (tries === 1) throw new Error('away');
    throw new ServiceError('fenced', 'taken over');
  };
  const { migrations, known, failed, logger, clock } = world([1], [1], { campaignStore: { asked } });
  migrations.look(known);
  await clock.advanceAsync(60_000);
  expect(logger.of('warn')).toHaveLength(1);
  expect(failed).toMatchObject([{ code: 'fenced' }]);
  const ended = world([1], [1]);
  ended.abort.abort();
  ended.migrations.look(ended.known);
  await ended.clock.advanceAsync(1_000);
  expect(ended.marked).toEqual([]);
});

test('nothing is to be done for a run that was never migrated, is over, or whose partitions are others’', async () => {
  for (const more of [{ migration: undefined }, { settled: true }]) {
    const { migrations, known, marked, clock } = world([1], [1]);
    known.run = { ...known.run, ...more } as Run;
    migrations.look(known);
    await clock.advanceAsync(1_000);
    expect(marked).toEqual([]);
  }
  const { migrations, known, marked, clock } = world([1], [2]);
  migrations.look(known);
  await clock.advanceAsync(1_000);
  expect(marked).toEqual([]);
});
