/** One person of an audience: from what is stored to what a conversation needs. */

import type { Contact } from './model.ts';
import { isDate, isId, normalise } from './normalise.ts';
import { isPlain, own } from './plain.ts';
import { printable } from './printable.ts';
import { childPath } from './validationView.ts';

export { addressIn as addressOf } from './stages.ts';

export type ReadContact = { contact: Contact; invalid?: never } | { invalid: string; contact?: never };

const longestIdBytes = 128;
/** Longest value of each field, in UTF-16 units (as in the schema of a contact). */
const textFields: Readonly<Record<string, number>> = {
  email: 320,
  phone: 64,
  whatsapp: 64,
  url: 2048,
  name: 512,
  locale: 64,
  timezone: 64,
  country: 64,
};
/** Fields of a contact beside its `id`. */
export const fieldNames: readonly string[] = [...Object.keys(textFields), 'attributes'];
const encoder = new TextEncoder();

/** The form addresses are compared in. Blanks around are never meant; the rest of a phone number's form is for reading. */
const normalForms: Readonly<Record<string, (text: string) => string>> = {
  email: (text) => text.trim().toLowerCase(),
  phone: phoneForm,
  whatsapp: phoneForm,
  url: (text) => text.trim(),
};

function phoneForm(text: string): string {
  return text.replace(/[\s().\u2010-\u2015-]/g, '');
}

/**
 * The contact in an inline list (no `map`), or in a document of an audience's collection (`map`, `{}` when there is none):
 * mapped fields win, fields of the same name are taken as they are, `id` is `_id` unless mapped, the rest is left out.
 * A rule is `$path.to.field`, a constant, or an object or list of rules. Null and empty text count as not set. Addresses
 * come in their normal form. `invalid` says what keeps it from being used (`contact_invalid`). Never throws.
 */
export function readContact(raw: unknown, map?: Record<string, unknown>): ReadContact {
  const source = normalise(raw);
  if (!isPlain(source)) return { invalid: `has to be an object, was ${printable(raw)}` };
  const fields = map === undefined ? source : mapped(source, map);
  const faults: string[] = [];
  const id = readId(own(fields, 'id'), faults);
  const extra = Object.keys(map ?? {}).filter((name) => name !== 'id' && !fieldNames.includes(name));
  const entries = [...fieldNames, ...extra].flatMap((name) => readField(name, own(fields, name), faults));
  if (id === undefined || faults.length > 0) return { invalid: faults.join('; ') };
  return { contact: { id, ...Object.fromEntries(entries) } };
}

function readId(value: unknown, faults: string[]): Contact['id'] | undefined {
  if (value === undefined) faults.push('id is missing');
  else if (!isId(value)) faults.push(`id has to be a string, a number or an ObjectId, was ${printable(value)}`);
  else if (Number.isInteger(value) && !Number.isSafeInteger(value))
    faults.push(`id is a number past 2^53, where neighbours become one: write it as text, was ${printable(value)}`);
  else if (value === '') faults.push('id is empty');
  else if (typeof value === 'string' && encoder.encode(value).length > longestIdBytes) {
    faults.push(`id is longer than ${longestIdBytes} bytes, was ${printable(value)}`);
  } else return Object.is(value, -0) ? 0 : value;
  return undefined;
}

function readField(name: string, value: unknown, faults: string[]): [string, unknown][] {
  if (value === undefined) return [];
  const longest = own(textFields, name);
  if (typeof longest !== 'number') {
    if (name === 'attributes' && !isPlain(value))
      faults.push(`attributes has to be an object, was ${printable(value)}`);
    const date = invalidDate(value, name);
    if (date !== undefined) faults.push(`${date} is outside the range of a Date`);
    return [[name, value]];
  }
  if (typeof value !== 'string') {
    faults.push(`${name} has to be a string, was ${printable(value)}`);
    return [];
  }
  const text = normalForms[name]?.(value) ?? value;
  if (text.length > longest) faults.push(`${name} is longer than ${longest} characters, was ${printable(text)}`);
  return text === '' ? [] : [[name, text]];
}

/** Written back it would become 1970. */
function invalidDate(value: unknown, path: string): string | undefined {
  if (isDate(value)) return Number.isNaN(value.getTime()) ? path : undefined;
  if (!isPlain(value) && !Array.isArray(value)) return undefined;
  for (const [key, field] of Object.entries(value)) {
    const found = invalidDate(field, childPath(path, key));
    if (found !== undefined) return found;
  }
  return undefined;
}

// ---------------------------------------------------------------- map

function mapped(source: Record<string, unknown>, map: Record<string, unknown>): Record<string, unknown> {
  const rules = Object.entries(map).map(([name, rule]) => [name, evaluate(rule, source)] as const);
  const taken = fieldNames.map((name) => [name, own(source, name)] as const);
  return Object.fromEntries([['id', own(source, '_id')], ...taken, ...rules]);
}

function evaluate(rule: unknown, source: Record<string, unknown>): unknown {
  if (typeof rule === 'string') return rule.startsWith('$') ? lookUp(source, rule.slice(1)) : rule;
  if (Array.isArray(rule)) return rule.map((item: unknown) => evaluate(item, source));
  if (!isPlain(rule)) return rule;
  const fields = Object.entries(rule).map(([name, inner]) => [name, evaluate(inner, source)] as const);
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
}

function lookUp(source: Record<string, unknown>, path: string): unknown {
  let at: unknown = source;
  for (const field of path.split('.')) {
    if (!isPlain(at) && !Array.isArray(at)) return undefined;
    at = own(at, field);
  }
  return at;
}
