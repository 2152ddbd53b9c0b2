import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Document } from 'mongodb';
import { ObjectId } from 'mongodb';
import { compileQuery } from '../../src/domain/query.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());

const ids = ['65a000000000000000000001', '65a000000000000000000002'].map((hex) => new ObjectId(hex));
const scalar = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, 0, 1, 2, -1, 1.5, Number.NaN, '', 'a', 'A', 'ab', 'b', '\uffee', '😀'),
  fc.constantFrom<unknown>(...ids, new Date(0), new Date(86_400_000)),
);
const names = fc.constantFrom('a', 'b', '0', '1', 'constructor');
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(names, tie('value'), { maxKeys: 3 }),
  ),
}));
const field = fc.array(names, { minLength: 1, maxLength: 3 }).map((parts) => ['a', ...parts].join('.'));
const comparable = scalar.filter((one) => one !== null);
const operator: fc.Arbitrary<Document> = fc.oneof(
  fc.record({ name: fc.constantFrom('$eq', '$ne'), operand: fc.oneof(scalar, value) }),
  fc.record({ name: fc.constantFrom('$gt', '$gte', '$lt', '$lte'), operand: comparable }),
  fc.record({ name: fc.constantFrom('$in', '$nin'), operand: fc.array(fc.oneof(scalar, value), { maxLength: 3 }) }),
  fc.record({ name: fc.constant('$exists'), operand: fc.boolean() }),
  fc.record({
    name: fc.constant('$type'),
    operand: fc.constantFrom('string', 'number', 'bool', 'date', 'objectId', 'object', 'array', 'null', [
      'null',
      'date',
    ]),
  }),
  fc.record({ name: fc.constant('$size'), operand: fc.nat(3) }),
  fc.record({ name: fc.constant('$all'), operand: fc.array(fc.oneof(scalar, value), { minLength: 1, maxLength: 2 }) }),
  fc.record({ name: fc.constant('$mod'), operand: fc.constantFrom([2, 1], [2, 0], [-2, 1], [3, -1]) }),
  fc.record({ name: fc.constant('$regex'), operand: fc.constantFrom('^a', 'b$', 'A', '.') }),
);
const operators = fc
  .array(operator, { minLength: 1, maxLength: 2 })
  .map((list) => Object.fromEntries(list.map(({ name, operand }) => [name, operand])));
const fieldTest = fc.oneof(
  { weight: 6, arbitrary: operators },
  { weight: 2, arbitrary: value },
  { weight: 1, arbitrary: operators.map((test) => ({ $not: test })) },
  { weight: 1, arbitrary: operators.map((test) => ({ $elemMatch: test })) },
  { weight: 1, arbitrary: fc.tuple(names, operators).map(([name, test]) => ({ $elemMatch: { [name]: test } })) },
);
const simple = fc.dictionary(fc.oneof(fc.constant('a'), field), fieldTest, { minKeys: 1, maxKeys: 2 });
const query = fc.oneof(
  { weight: 3, arbitrary: simple },
  { weight: 1, arbitrary: fc.tuple(simple, simple).map((list) => ({ $or: list })) },
  { weight: 1, arbitrary: fc.tuple(simple, simple).map((list) => ({ $nor: list })) },
  { weight: 1, arbitrary: fc.tuple(simple, simple).map((list) => ({ $and: list })) },
);

test('a condition matches what the server matches', async () => {
  const documents = fc
    .sample(fc.dictionary(fc.constantFrom('a', 'b'), value, { maxKeys: 2 }), { seed: 7, numRuns: 400 })
    .map((fields, _id) => ({ ...fields, _id }));
  const collection = database.db.collection<{ _id: number }>('subjects');
  await collection.insertMany(documents);
  let compared = 0;
  for (const filter of fc.sample(query, { seed: 11, numRuns: 800 })) {
    const compiled = compileQuery(filter, 'when', ['a', 'b']);
    if (compiled.query === undefined) continue;
    const found = await collection.find(filter as Document, { projection: { _id: 1 }, sort: { _id: 1 } }).toArray();
    const matched = documents.filter((document) => compiled.query.matches(document)).map(({ _id }) => _id);
    const difference = { filter, server: found.map(({ _id }) => _id), ours: matched };
    const differs = JSON.stringify(difference.server) !== JSON.stringify(difference.ours);
    const some = documents.filter(({ _id }) => difference.server.includes(_id) !== matched.includes(_id)).slice(0, 3);
    expect(differs ? { ...difference, some } : undefined).toBeUndefined();
    compared += 1;
  }
  expect(compared).toBeGreaterThan(500);
});
