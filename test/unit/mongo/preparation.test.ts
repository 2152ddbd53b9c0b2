import { describe, expect, test } from '@jest/globals';
import { collections as definitions } from '../../../src/domain/generated/schemas.ts';
import { indexes } from '../../../src/mongo/indexes.ts';
import { conflictWords, type FoundIndex, type Prepared, planOf, stepWords } from '../../../src/mongo/preparation.ts';
import { validatorOf } from '../../../src/mongo/validators.ts';

const wanted = { partitions: 3, schemaVersion: 5 };
const named = (collection: string): FoundIndex[] =>
  indexes
    .filter((index) => index.collection === collection)
    .map(({ collection: _, reason: __, ...index }) => index as unknown as FoundIndex);

/** All that is wanted is there. */
const whole = (given: Partial<Prepared> = {}): Prepared => ({
  cluster: { _id: 'cluster', partitions: 3, schemaVersion: 5 },
  collections: new Map(Object.keys(definitions).map((name) => [name, validatorOf(name)])),
  indexes: new Map([...new Set(indexes.map(({ collection }) => collection))].map((name) => [name, named(name)])),
  partitions: [0, 1, 2],
  strangers: undefined,
  ...given,
});
const words = (found: Prepared): string[] => planOf(found, wanted).steps.map(stepWords);
const withIndexes = (collection: string, found: FoundIndex[]): Prepared =>
  whole({ indexes: new Map([...whole().indexes, [collection, found]]) });

describe('the plan of a preparation', () => {
  test('is empty where all is there, whatever kind of number the server stored', () => {
    expect(planOf(whole(), wanted)).toEqual({ steps: [], conflicts: [] });
    const [due, ...rest] = named('contact_pressure').map((index) => ({
      ...index,
      key: Object.fromEntries(Object.keys(index.key).map((field) => [field, { valueOf: () => 1 }])),
      expireAfterSeconds: { valueOf: () => 0 },
    }));
    expect(words(withIndexes('contact_pressure', [due as FoundIndex, ...rest]))).toEqual([]);
  });

  test('of an empty database has everything, in the order in which it is made', () => {
    const nothing = { cluster: null, collections: new Map(), indexes: new Map(), partitions: [] };
    const made = words(whole(nothing));
    expect(made).toEqual([
      ...Object.keys(definitions).map((name) => `collection ${name}`),
      ...indexes.map(({ collection, name }) => `index ${collection}.${name}`),
      'the cluster setting',
      '3 partitions',
    ]);
  });

  test('has what is missing and what is old, and nothing else', () => {
    const { collections } = whole();
    const some = new Map(collections);
    some.delete('campaigns');
    some.set('members', { $jsonSchema: {} });
    const found = whole({
      collections: some,
      partitions: [0, 2],
      cluster: { _id: 'cluster', partitions: 3, schemaVersion: 4 },
      strangers: { uuid: 'u', runs: ['a', 'b'] },
    });
    expect(words(found).toSorted()).toEqual(
      [
        '1 partitions',
        '2 runs: where their campaigns are',
        'collection campaigns',
        'the cluster setting',
        'validator of members',
      ].toSorted(),
    );
  });

  test('leaves what stands in the way, and says what it is', () => {
    const [status] = named('campaigns') as [FoundIndex];
    const cases: [FoundIndex, string][] = [
      [{ ...status, key: { name: 1 } }, 'in another form'],
      [{ ...status, unique: true }, 'in another form'],
      [{ ...status, expireAfterSeconds: 60 }, 'in another form'],
      [{ ...status, partialFilterExpression: { status: 'x' } }, 'in another form'],
      [{ ...status, name: 'by_hand' }, 'under the name by_hand'],
    ];
    for (const [index, how] of cases) {
      const { steps, conflicts } = planOf(withIndexes('campaigns', [index]), wanted);
      expect(steps).toEqual([]);
      expect(conflicts.map(conflictWords)).toEqual([
        `index campaigns.status is there ${how}; drop it and run init again`,
      ]);
    }
  });

  test('the same key over other documents is another index, and in the way of nothing', () => {
    const partial = { name: 'theirs', key: { status: 1 }, partialFilterExpression: { name: 'x' } };
    expect(words(withIndexes('campaigns', [partial]))).toEqual(['index campaigns.status']);
  });

  test('does nothing for another count of partitions, and leaves the shapes of a newer release', () => {
    expect(planOf(whole({ partitions: [] }), { ...wanted, partitions: 4 })).toEqual({
      steps: [],
      conflicts: [],
      otherPartitions: 3,
    });
    const newer = { _id: 'cluster', partitions: 3, schemaVersion: 6 } as const;
    const plan = planOf(whole({ cluster: newer, collections: new Map(), partitions: [0] }), wanted);
    expect(plan).toMatchObject({ newer: 6, conflicts: [] });
    expect(plan.steps.map(stepWords)).toEqual(['2 partitions']);
  });
});
