/** Values of documents as a condition sees them: where a path leads, and what is equal or comes first. */
import { isObjectId } from './ids.ts';
import { isDate } from './normalise.ts';
import { isPlain } from './plain.ts';

/** What is asked of one field: of each value there, or of all that its own tests say together. */
export type FieldTest = ValueTest | { every: readonly FieldTest[]; negated?: boolean };

export interface ValueTest {
  /** Undefined stands for a field that is not there. */
  matches: (value: unknown) => boolean;
  /** A list counts as a whole only, and not for each of its items. */
  whole?: boolean;
  /** Holds where no value passes. */
  negated?: boolean;
}

/** Whether a test holds for what a path leads to. */
export function holds(subject: unknown, fields: readonly string[], test: FieldTest): boolean {
  const found =
    'every' in test ? test.every.every((one) => holds(subject, fields, one)) : leads(subject, fields, 0, test);
  return found !== (test.negated === true);
}

/** Whether a test holds for one value as it is. */
export function passes(value: unknown, test: FieldTest): boolean {
  const found = 'every' in test ? test.every.every((one) => passes(value, one)) : test.matches(value);
  return found !== (test.negated === true);
}

/**
 * Whether one of the values that a path leads to passes. Lists on the way are looked into, once each, by index and for every
 * document in them; a list at its end counts for each of its items and as a whole, unless an index led to it.
 */
function leads(value: unknown, fields: readonly string[], depth: number, test: ValueTest): boolean {
  const field = fields[depth];
  if (field === undefined) return atEnd(value, test);
  if (Array.isArray(value)) {
    if (isIndex(field) && Number(field) < value.length && leadsOn(value[Number(field)], fields, depth + 1, test))
      return true;
    return value.some((item) => isPlain(item) && leads(item, fields, depth, test));
  }
  if (isPlain(value) && Object.hasOwn(value, field)) return leads(value[field], fields, depth + 1, test);
  return test.matches(undefined);
}

const isIndex = (field: string): boolean => /^(?:0|[1-9]\d*)$/.test(field);

/** From an item of a list. */
function leadsOn(item: unknown, fields: readonly string[], depth: number, test: ValueTest): boolean {
  if (depth === fields.length) return test.matches(item);
  return (isPlain(item) || Array.isArray(item)) && leads(item, fields, depth, test);
}

function atEnd(value: unknown, test: ValueTest): boolean {
  if (Array.isArray(value) && test.whole !== true && value.some((item) => test.matches(item))) return true;
  return test.matches(value);
}

type Kind = 'number' | 'string' | 'boolean' | 'date' | 'objectId';

/** Undefined: nothing comes before or after it. */
export function kindOf(value: unknown): Kind | undefined {
  if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean') return typeof value as Kind;
  if (isDate(value)) return 'date';
  return isObjectId(value) ? 'objectId' : undefined;
}

export const plainOf = (value: unknown): unknown =>
  isDate(value) ? value.getTime() : isObjectId(value) ? value.toHexString() : value;

/** NaN is neither less nor more than anything; texts go by code points, as UTF-8 does. */
export function orderOf(a: unknown, b: unknown): number {
  if (typeof a === 'string' && typeof b === 'string') return a === b ? 0 : textOrder(a, b);
  return Object.is(a, b) || a === b ? 0 : Number(a) < Number(b) ? -1 : Number(a) > Number(b) ? 1 : Number.NaN;
}

/** UTF-16 units are in the order of code points but for the halves of a pair, which come before U+E000 to U+FFFF. */
function textOrder(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let at = 0; at < shorter; at += 1) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (left !== right) return isHalf(left) === isHalf(right) ? left - right : isHalf(left) ? 1 : -1;
  }
  return a.length - b.length;
}

const isHalf = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff;

/** Of documents the order of fields counts, as for the server. */
export function isSame(a: unknown, b: unknown): boolean {
  if (typeof a === 'string') return a === b;
  const kind = kindOf(a);
  if (kind !== undefined || kindOf(b) !== undefined) return kind === kindOf(b) && orderOf(plainOf(a), plainOf(b)) === 0;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, n) => isSame(item, b[n]));
  if (!isPlain(a) || !isPlain(b)) return a === b;
  const [left, right] = [Object.entries(a), Object.entries(b)];
  return (
    left.length === right.length &&
    left.every(([key, value], n) => key === right[n]?.[0] && isSame(value, right[n]?.[1]))
  );
}
