/** Conditions as authors write them: MongoDB queries over plain objects, with the server's own meaning. */

import type { Fault } from './errors.ts';
import { listed, suggestion } from './flowChecks.ts';
import { isPlain } from './plain.ts';
import { printable } from './printable.ts';
import { compileTest, pathOf, QueryFaults, type QueryPlace, type Test } from './queryOperators.ts';
import { holds } from './queryValues.ts';

/** What a condition is asked of. Own fields only: no name in a query reaches a prototype. */
export type Subject = Readonly<Record<string, unknown>>;
export interface CompiledQuery {
  matches(subject: Subject): boolean;
}

/** Words a path may begin with, unless the caller says others. */
const queryRoots = ['contact', 'variables', 'campaign', 'conversation', 'event'] as const;
/** As deep and as large as anyone writes by hand, and some more. */
const deepest = 20;
const mostConditions = 500;

/**
 * Compiles a query, or says all that is wrong with it, with paths (code `query_invalid`). `$and`, `$or`, `$nor`, and of a field `$eq`,
 * `$ne`, `$gt`, `$gte`, `$lt`, `$lte`, `$in`, `$nin`, `$exists`, `$type`, `$size`, `$all`, `$elemMatch`, `$mod`, `$not`, `$regex` (RE2 syntax, linear time).
 * Never throws, whatever the query is.
 * @param roots What a path may begin with.
 */
export function compileQuery(
  source: unknown,
  path: string,
  roots: readonly string[] = queryRoots,
): { query: CompiledQuery; faults: [] } | { query?: undefined; faults: Fault[] } {
  const faults = new QueryFaults();
  const test = compileObject(source, path, { faults, roots, depth: 0, compile: compileObject });
  if (faults.list.length > 0) return { faults: faults.list };
  return { query: { matches: test }, faults: [] };
}

/** In place of what has a fault: nothing is ever asked of it. */
const never: Test = Boolean;

/** All fields and `$and`, `$or`, `$nor` of one query object. */
function compileObject(source: unknown, path: string, place: QueryPlace): Test {
  const { faults } = place;
  if (!isPlain(source)) {
    faults.add(path, `has to be a query like { "contact.country": "DE" }, was ${printable(source)}`);
    return never;
  }
  if (place.depth > deepest) {
    faults.add(path, `nests deeper than ${deepest} levels`);
    return never;
  }
  const tests = Object.entries(source).map(([key, value]) => {
    faults.conditions += 1;
    const at = pathOf(path, key);
    return key.startsWith('$') ? compileLogic(key, value, at, place) : compileField(key, value, at, place);
  });
  if (faults.conditions > mostConditions) faults.add(path, `has more than ${mostConditions} conditions`);
  return (subject) => tests.every((test) => test(subject));
}

const logic: Readonly<Record<string, (tests: readonly Test[]) => Test>> = {
  $and: (tests) => (subject) => tests.every((test) => test(subject)),
  $or: (tests) => (subject) => tests.some((test) => test(subject)),
  $nor: (tests) => (subject) => !tests.some((test) => test(subject)),
};

function compileLogic(key: string, value: unknown, path: string, place: QueryPlace): Test {
  const combine = Object.hasOwn(logic, key) ? logic[key] : undefined;
  if (combine === undefined) {
    const names = Object.keys(logic);
    place.faults.add(path, `is none of ${listed(names)}; a field comes before its operators.${suggestion(key, names)}`);
    return never;
  }
  if (!Array.isArray(value) || value.length === 0) {
    place.faults.add(path, `has to be a list of queries, not empty, was ${printable(value)}`);
    return never;
  }
  const inner = { ...place, depth: place.depth + 1 };
  return combine(value.map((one: unknown, index) => compileObject(one, `${path}[${index}]`, inner)));
}

function compileField(key: string, value: unknown, path: string, place: QueryPlace): Test {
  const fields = key.split('.');
  const root = String(fields[0]);
  if (fields.some((field) => field === '')) place.faults.add(path, 'is no path of fields: a name is empty');
  else if (place.roots && !place.roots.includes(root)) {
    place.faults.add(path, `begins with none of ${listed(place.roots)}.${suggestion(root, place.roots)}`);
  }
  const tests = compileTest(value, path, place);
  return (subject) => tests.every((test) => holds(subject, fields, test));
}
