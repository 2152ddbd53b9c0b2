/** Values as drivers deliver them, made plain: numbers are numbers, and no key can reach a prototype. */
import { isObjectId } from './ids.ts';
import type { Id } from './model.ts';
import { isPlain } from './plain.ts';

/**
 * Name of a BSON type (`Long`, `ObjectId`, ...). Only what a class says of itself counts: a field `_bsontype` that came
 * with a document is data, and would make the driver refuse to write it back.
 */
export function bsonType(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Object.hasOwn(value, '_bsontype')) return undefined;
  const type: unknown = (value as { _bsontype?: unknown })._bsontype;
  return typeof type === 'string' ? type : undefined;
}

/** Of any realm. */
export const isDate = (value: unknown): value is Date => Object.prototype.toString.call(value) === '[object Date]';

/** What may be an id: a string, a finite number or an ObjectId. */
export const isId = (value: unknown): value is Id =>
  typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value)) || isObjectId(value);

const decimal = /^\+?(-?)(\d+)\.?(\d*)(?:E\+?(-?\d+))?$/i;

/** Sign, digits and exponent of a decimal text, so that two ways to write one value are the same text. */
function canonical(text: string): string | undefined {
  const match = decimal.exec(text);
  if (match === null) return undefined;
  const digits = `${match[2]}${match[3]}`.replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  const power = Number(match[4] ?? 0) - String(match[3]).length + digits.length - significant.length;
  return `${match[1]}${significant}e${power}`;
}

/** The number a BSON number means; undefined when a JavaScript number cannot hold it exactly. */
function exactNumber(type: string, value: unknown): number | undefined {
  const text = String(value);
  const number = Number(text);
  if (!Number.isFinite(number)) return undefined;
  if (type === 'Double' || type === 'Int32') return number;
  if (Number.isInteger(number) && !Number.isSafeInteger(number)) return undefined;
  return canonical(text) === canonical(String(number)) ? number : undefined;
}

const numbers: ReadonlySet<string> = new Set(['Int32', 'Double', 'Long', 'Decimal128']);

/** Of a class of its own; a plain number is none. */
export const isBsonNumber = (value: unknown): boolean => numbers.has(bsonType(value) ?? '');

export interface NormaliseOptions {
  /** False: BSON numbers stay as they are (a filter that goes back to the database). Default true. */
  numbers?: boolean;
}

/**
 * A copy in which BSON numbers are plain numbers where that is exact (what is not stays, for validation to refuse), fields
 * named `__proto__` are data like any other, and fields named `_bsontype` are left out. Dates, ids and other values with a
 * class stay as they are. Never throws; what is no document at all comes back as it is.
 */
export function normalise(value: unknown, options: NormaliseOptions = {}): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => normalise(item, options));
  if (isPlain(value)) {
    // defines properties, so that `__proto__` is never assigned
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => key !== '_bsontype')
        .map(([key, field]) => [key, normalise(field, options)]),
    );
  }
  const type = bsonType(value);
  if (type === undefined || options.numbers === false || !numbers.has(type)) return value;
  return exactNumber(type, value) ?? value;
}
