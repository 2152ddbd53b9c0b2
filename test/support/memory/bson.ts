import { BSON } from 'mongodb';
import { isObjectId } from '../../../src/domain/ids.ts';

/** What the server takes for one document. */
const maxDocumentBytes = 16 * 1024 * 1024;

/** A deep copy as the database would give it back; throws for what it would refuse. */
export function copy<T>(document: T): T {
  const bytes = BSON.serialize(document as BSON.Document);
  if (bytes.length > maxDocumentBytes)
    throw Object.assign(new Error(`the document has ${bytes.length} bytes`), { code: 17_419 });
  return BSON.deserialize(bytes, { bsonRegExp: true }) as T;
}

/** A key for maps: ids of different types never meet, numbers of all types do. */
export function idKey(id: unknown): string {
  if (typeof id === 'string') return `s${id}`;
  if (typeof id === 'number') return `n${id}`;
  if (isObjectId(id)) return `o${id.toHexString()}`;
  return `b${Buffer.from(BSON.serialize({ id })).toString('base64')}`;
}

const rank = (value: unknown): number => {
  if (value === null || value === undefined) return 1;
  if (typeof value === 'number') return 2;
  if (typeof value === 'string') return 3;
  if (Array.isArray(value)) return 5;
  if (value instanceof Date) return 9;
  if (typeof value === 'boolean') return 8;
  return isObjectId(value) ? 7 : 4;
};

/** The server's order over types (the common ones): null, numbers, strings, objects, arrays, ObjectIds, booleans, dates. */
export function compare(a: unknown, b: unknown): number {
  const byType = rank(a) - rank(b);
  if (byType !== 0) return byType;
  if (typeof a === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b as string));
  if (isObjectId(a)) return compare(a.toHexString(), (b as typeof a).toHexString());
  if (rank(a) === 4 || rank(a) === 5) return compareObjects(a as object, b as object);
  return rank(a) === 1 ? 0 : Number(a) - Number(b);
}

function compareObjects(a: object, b: object): number {
  const others = Object.entries(b);
  for (const [index, [name, value]] of Object.entries(a).entries()) {
    const other = others[index];
    if (other === undefined) return 1;
    const order = rank(value) - rank(other[1]) || compare(name, other[0]) || compare(value, other[1]);
    if (order !== 0) return order;
  }
  return Object.keys(a).length - others.length;
}

const operators: Record<string, (value: unknown, operand: unknown) => boolean> = {
  $eq: (value, operand) => compare(value, operand) === 0,
  $ne: (value, operand) => compare(value, operand) !== 0,
  $in: (value, operand) => (operand as unknown[]).some((one) => compare(value, one) === 0),
  $gt: (value, operand) => rank(value) === rank(operand) && compare(value, operand) > 0,
  $gte: (value, operand) => rank(value) === rank(operand) && compare(value, operand) >= 0,
  $lt: (value, operand) => rank(value) === rank(operand) && compare(value, operand) < 0,
  $lte: (value, operand) => rank(value) === rank(operand) && compare(value, operand) <= 0,
  $exists: (value, operand) => (value !== undefined) === operand,
};

/** The part of the query language that tests use: dotted paths, equality and comparisons, all of which must hold. */
export function matches(document: unknown, filter: Record<string, unknown>): boolean {
  return Object.entries(filter).every(([path, condition]) => {
    const value = path
      .split('.')
      .reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], document);
    if (!isOperators(condition)) return compare(value, condition) === 0;
    return Object.entries(condition).every(([name, operand]) => {
      const operator = operators[name];
      if (operator === undefined) throw new Error(`the fake does not know ${name}`);
      return operator(value, operand);
    });
  });
}

const isOperators = (condition: unknown): condition is Record<string, unknown> =>
  rank(condition) === 4 && Object.keys(condition as object).some((name) => name.startsWith('$'));
