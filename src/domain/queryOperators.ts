/** The operators of a condition on one field. The only file that knows re2js. */
import { RE2JS } from 're2js';
import type { Fault } from './errors.ts';
import { listed, suggestion } from './flowChecks.ts';
import { isObjectId } from './ids.ts';
import { isDate } from './normalise.ts';
import { isPlain, joinPath } from './plain.ts';
import { printable } from './printable.ts';
import { type FieldTest, isSame, kindOf, orderOf, passes, plainOf, type ValueTest } from './queryValues.ts';
import { regexOf } from './regex.ts';

export type Test = (subject: unknown) => boolean;

/** What one compilation gathers. */
export class QueryFaults {
  readonly list: Fault[] = [];
  conditions = 0;

  add(path: string, message: string): void {
    if (this.list.length < mostFaults) this.list.push({ code: 'query_invalid', path, message });
  }
}
/** As many as anyone reads. */
const mostFaults = 50;

export interface QueryPlace {
  faults: QueryFaults;
  /** What a path may begin with; absent inside `$elemMatch`: anything. */
  roots?: readonly string[];
  depth: number;
  /** Of a query inside a query. */
  compile: (source: unknown, path: string, place: QueryPlace) => Test;
}

type Compile = (operand: unknown, path: string, place: QueryPlace, beside: Record<string, unknown>) => FieldTest;

/** Of an operator or a field below a path. */
export const pathOf = (path: string, key: string): string =>
  /^\$\w+$/.test(key) ? `${path}.${key}` : joinPath(path, key);

/** In place of what has a fault: nothing is ever asked of it. */
const never: ValueTest = { matches: Boolean };

/** The tests of one field: of a value that it has to equal, or of each of its operators. */
export function compileTest(value: unknown, path: string, place: QueryPlace): FieldTest[] {
  const expression = regexOf(value);
  if (expression) return [regex(expression.source, expression.flags, path, place)];
  if (!isPlain(value) || !Object.keys(value).some((key) => key.startsWith('$'))) return [equals(value)];
  return Object.entries(value).flatMap(([key, operand]) => {
    if (key === '$options') {
      if (!Object.hasOwn(value, '$regex')) place.faults.add(pathOf(path, key), 'is of no use without $regex');
      return [];
    }
    place.faults.conditions += 1;
    const compile = Object.hasOwn(operators, key) ? operators[key] : undefined;
    if (compile !== undefined) return [compile(operand, pathOf(path, key), place, value)];
    const names = Object.keys(operators);
    place.faults.add(pathOf(path, key), `is none of ${listed(names)}.${suggestion(key, names)}`);
    return [];
  });
}

const operators: Readonly<Record<string, Compile>> = {
  $eq: (operand) => equals(operand),
  $ne: (operand) => ({ ...equals(operand), negated: true }),
  $gt: ordered((order) => order > 0),
  $gte: ordered((order) => order >= 0),
  $lt: ordered((order) => order < 0),
  $lte: ordered((order) => order <= 0),
  $in: (operand, path, place) => oneOf(operand, path, place),
  $nin: (operand, path, place) => ({ ...oneOf(operand, path, place), negated: true }),
  $exists: (operand, path, place) => {
    if (typeof operand !== 'boolean') return refused(place, path, 'true or false', operand);
    return { matches: (value) => value !== undefined, whole: true, negated: !operand };
  },
  $type: (operand, path, place) => {
    const names = Array.isArray(operand) ? operand : [operand];
    const unknown = names.find((name) => typeof name !== 'string' || !Object.hasOwn(types, name));
    if (unknown !== undefined || names.length === 0)
      return refused(place, path, `one or several of ${listed(Object.keys(types))}`, operand);
    return { matches: (value) => names.some((name: string) => types[name]?.(value)) };
  },
  $size: (operand, path, place) => {
    if (!Number.isInteger(operand) || (operand as number) < 0)
      return refused(place, path, 'a number of items', operand);
    return { matches: (value) => Array.isArray(value) && value.length === operand, whole: true };
  },
  $mod: (operand, path, place) => {
    const [divisor, rest] = Array.isArray(operand) && operand.length === 2 ? operand : [];
    if (!Number.isInteger(divisor) || divisor === 0 || !Number.isInteger(rest))
      return refused(place, path, '[divisor, remainder], two whole numbers, the first not 0', operand);
    return { matches: (value) => typeof value === 'number' && Math.trunc(value) % divisor === rest };
  },
  $all: (operand, path, place) => {
    if (!Array.isArray(operand) || operand.length === 0) return refused(place, path, 'a list, not empty', operand);
    return { every: operand.map((item: unknown) => equals(item)) };
  },
  $elemMatch: (operand, path, place) => {
    const inner: QueryPlace = { faults: place.faults, depth: place.depth + 1, compile: place.compile };
    if (isPlain(operand) && isOfOperators(operand)) {
      const tests = compileTest(operand, path, inner);
      return {
        matches: (value) => someItem(value, (item) => tests.every((test) => passes(item, test))),
        whole: true,
      };
    }
    const test = place.compile(operand, path, inner);
    return {
      matches: (value) => someItem(value, (item) => (isPlain(item) || Array.isArray(item)) && test({ ...item })),
      whole: true,
    };
  },
  $not: (operand, path, place) => {
    const isTest = regexOf(operand) !== undefined || (isPlain(operand) && isOfOperators(operand));
    if (!isTest) return refused(place, path, 'operators like { "$gt": 3 }', operand);
    return { every: compileTest(operand, path, place), negated: true };
  },
  $regex: (operand, path, place, beside) => {
    const expression = regexOf(operand);
    const flags = beside['$options'] ?? expression?.flags ?? '';
    const source = expression?.source ?? operand;
    if (typeof source !== 'string' || typeof flags !== 'string')
      return refused(place, path, 'a regular expression as text, with $options as text', operand);
    return regex(source, flags, path, place);
  },
};

const logicNames: ReadonlySet<string> = new Set(['$and', '$or', '$nor']);
const isOfOperators = (value: object): boolean => {
  const [first] = Object.keys(value);
  return first?.startsWith('$') === true && !logicNames.has(first);
};

const someItem = (value: unknown, test: (item: unknown) => boolean): boolean =>
  Array.isArray(value) && value.some((item) => test(item));

function refused(place: QueryPlace, path: string, allowed: string, was: unknown): ValueTest {
  place.faults.add(path, `has to be ${allowed}, was ${printable(was)}`);
  return never;
}

// ---------------------------------------------------------------- values

/** null also means a field that is not there. */
function equals(operand: unknown): ValueTest {
  if (operand === null || operand === undefined) return { matches: (value) => value === null || value === undefined };
  return { matches: (value) => isSame(value, operand) };
}

function oneOf(operand: unknown, path: string, place: QueryPlace): ValueTest {
  if (!Array.isArray(operand)) return refused(place, path, 'a list', operand);
  const wrong = operand.findIndex((item) => regexOf(item) !== undefined || (isPlain(item) && isOfOperators(item)));
  if (wrong >= 0) return refused(place, `${path}[${wrong}]`, 'a value', operand[wrong]);
  const tests = operand.map((item: unknown) => equals(item));
  return { matches: (value) => tests.some((test) => test.matches(value)) };
}

/** Order within one type alone, as the server's. */
function ordered(holdsFor: (order: number) => boolean): Compile {
  return (operand, path, place) => {
    const kind = kindOf(operand);
    if (kind === undefined)
      return refused(place, path, 'a number, a text, a date, true, false or an ObjectId', operand);
    return { matches: (value) => kindOf(value) === kind && holdsFor(orderOf(plainOf(value), plainOf(operand))) };
  };
}

const types: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  bool: (value) => typeof value === 'boolean',
  date: isDate,
  objectId: isObjectId,
  object: isPlain,
  array: Array.isArray,
  null: (value) => value === null,
};

/** RE2 takes time in proportion to the text, whatever the expression is. */
function regex(source: string, flags: string, path: string, place: QueryPlace): ValueTest {
  const unknown = [...flags].find((flag) => !'imsu'.includes(flag));
  if (unknown !== undefined) return refused(place, path, 'without options other than "i", "m" and "s"', flags);
  const bits =
    (flags.includes('i') ? RE2JS.CASE_INSENSITIVE : 0) |
    (flags.includes('m') ? RE2JS.MULTILINE : 0) |
    (flags.includes('s') ? RE2JS.DOTALL : 0);
  try {
    const compiled = RE2JS.compile(source, bits);
    return { matches: (value) => typeof value === 'string' && compiled.test(value) };
  } catch (error) {
    place.faults.add(path, `is no regular expression of RE2: ${(error as Error).message}`);
    return never;
  }
}
