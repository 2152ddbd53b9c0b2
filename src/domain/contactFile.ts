/** Contacts that come in a file: from a row to the document that is stored, judged as the expansion will judge it. */
import { readContact } from './contact.ts';
import type { Id } from './model.ts';
import { isPlain, joinPath, own } from './plain.ts';
import { printable } from './printable.ts';

/** What a cell is read as. Without a type it stays text, so that `007` and `1e5` are what they look like. */
const columnTypes = ['number', 'boolean', 'date'] as const;
type ColumnType = (typeof columnTypes)[number] | 'text';

/** `attributes.plan` or `attributes.age:number` of a header. */
export interface Column {
  name: string;
  path: readonly string[];
  type: ColumnType;
}

/** Names that a document of MongoDB, or an object, cannot have as they are. */
function badKey(key: string): string | undefined {
  if (key.startsWith('$')) return 'begins with $';
  if (key.includes('\0')) return 'holds a NUL character';
  return key === '__proto__' || key === '_bsontype' ? 'cannot be the name of a field' : undefined;
}

/** The columns of a header, or everything that is wrong with it. */
export function readHeader(cells: readonly string[]): { columns: Column[]; faults: string[] } {
  const faults: string[] = [];
  const columns = cells.map((cell, at) => readColumn(cell.trim(), at, faults));
  const names = new Set<string>();
  for (const { path } of columns) {
    const name = path.join('.');
    if (names.has(name)) faults.push(`column ${printable(name)} is there twice`);
    names.add(name);
  }
  for (const { path } of columns)
    for (let length = 1; length < path.length; length += 1) {
      const outer = path.slice(0, length).join('.');
      if (names.has(outer))
        faults.push(`column ${printable(outer)} is a value, and ${printable(path.join('.'))} a field in it`);
    }
  return { columns, faults };
}

function readColumn(name: string, at: number, faults: string[]): Column {
  const colon = name.lastIndexOf(':');
  const plain = colon < 0 ? name : name.slice(0, colon);
  const suffix = colon < 0 ? undefined : name.slice(colon + 1);
  const type = columnTypes.find((known) => known === suffix);
  if (suffix !== undefined && type === undefined)
    faults.push(`column ${printable(name)}: after the colon comes a type, one of ${columnTypes.join(', ')}`);
  const path = plain.split('.');
  if (plain === '') faults.push(`column ${at + 1} has no name`);
  else if (path.includes('')) faults.push(`column ${printable(name)} has an empty part between dots`);
  for (const key of path) {
    const why = badKey(key);
    if (why !== undefined) faults.push(`column ${printable(name)}: ${printable(key)} ${why}`);
  }
  return { name: plain, path, type: type ?? 'text' };
}

/** A row as the document it means: dotted columns nest, empty cells are not set. */
export function rowDocument(
  columns: readonly Column[],
  cells: readonly string[],
): { raw: Record<string, unknown>; invalid?: never } | { invalid: string; raw?: never } {
  const raw: Record<string, unknown> = {};
  for (const [at, { name, path, type }] of columns.entries()) {
    const cell = cells[at] ?? '';
    if (cell === '') continue;
    const value = readCell(cell, type);
    if (value === undefined) return { invalid: `${name} has to be ${words[type]}, was ${printable(cell)}` };
    let inner = raw;
    for (const key of path.slice(0, -1)) {
      const next = own(inner, key) ?? {};
      inner[key] = next;
      inner = next as Record<string, unknown>;
    }
    inner[String(path.at(-1))] = value;
  }
  return { raw };
}

const words: Readonly<Record<ColumnType, string>> = {
  text: 'text',
  number: 'a number such as 3 or -0.5',
  boolean: 'true or false',
  date: 'a day (2026-01-31) or an instant with its zone (2026-01-31T09:00:00Z)',
};
const isoDate = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2}))?$/;

function readCell(cell: string, type: ColumnType): unknown {
  if (type === 'text') return cell;
  const text = cell.trim();
  if (type === 'boolean') return /^true$/i.test(text) ? true : /^false$/i.test(text) ? false : undefined;
  if (type === 'number') {
    const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
    return Number.isFinite(value) && !(Number.isInteger(value) && !Number.isSafeInteger(value)) ? value : undefined;
  }
  const time = isoDate.test(text) && isDay(text.slice(0, 10)) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? undefined : new Date(time);
}

/** A day of the calendar, `2026-01-31`: not the 30th of February, which some engines take for a day of March. */
export function isDay(day: string): boolean {
  const time = Date.parse(day);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(day);
}

export type Judged =
  | { id: Id; document: Record<string, unknown>; invalid?: never }
  | { invalid: string; id?: never; document?: never };

/**
 * What is stored for a contact of a file, under its contact id as `_id`: `id` of the row, or what the audience's `map`
 * makes of it. The verdict is that of `readContact`; besides, what MongoDB cannot store and a time zone that nobody knows
 * are refused here, while somebody is there to mend it.
 */
export function judgeContact(raw: unknown, map: Record<string, unknown> = {}): Judged {
  if (!isPlain(raw)) return { invalid: `has to be an object, was ${printable(raw)}` };
  const key = unstorable(raw);
  if (key !== undefined) return { invalid: key };
  const dotted = Object.keys(raw).find((name) => name.includes('.'));
  if (dotted !== undefined)
    return { invalid: `the key ${printable(dotted)} has a dot: write it as an object in an object` };
  const { contact, invalid } = readContact(storedForm(raw, map), map);
  if (contact === undefined) return { invalid };
  const { id, timezone } = contact;
  if (timezone !== undefined && !isZone(timezone))
    return { invalid: `timezone is none that the IANA database has, was ${printable(timezone)}` };
  return { id, document: { ...storedForm(raw, map), _id: id } };
}

/** `id` becomes `_id`, where the audience looks for it, unless its map says where else. */
function storedForm(raw: Record<string, unknown>, map: Record<string, unknown>): Record<string, unknown> {
  if (Object.hasOwn(map, 'id') || Object.hasOwn(raw, '_id') || !Object.hasOwn(raw, 'id')) return raw;
  const { id, ...rest } = raw;
  return { _id: id, ...rest };
}

/** The server's own limit on nesting, with room for the command around a document. */
const maxDepth = 90;

/** What MongoDB could not store, with its path. */
function unstorable(raw: Record<string, unknown>): string | undefined {
  const found = findUnstorable(raw, 0);
  return found && `the key ${printable(found.path.replace(/^\./, ''))} ${found.why}`;
}

/** The path is put together on the way back: nearly all rows have none. */
function findUnstorable(value: unknown, depth: number): { path: string; why: string } | undefined {
  const isList = Array.isArray(value);
  if (!isList && !isPlain(value)) return undefined;
  if (depth > maxDepth) return { path: '', why: `is nested more than ${maxDepth} levels deep` };
  for (const [key, inner] of Object.entries(value)) {
    const why = isList ? undefined : badKey(key);
    const found = why === undefined ? findUnstorable(inner, depth + 1) : { path: '', why };
    if (found !== undefined) return { ...found, path: `${isList ? `[${key}]` : joinPath('', key)}${found.path}` };
  }
  return undefined;
}

const zones = new Map<string, boolean>();
/** More names than there are zones: a file with nonsense in this column does not fill the memory. */
const mostZones = 2000;

/** A name of the IANA time zone database, aliases included. */
export function isZone(name: string): boolean {
  const known = zones.get(name);
  if (known !== undefined) return known;
  const answer = /^[A-Za-z]/.test(name) && hasZone(name);
  if (zones.size >= mostZones) zones.clear();
  zones.set(name, answer);
  return answer;
}

function hasZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return true;
  } catch {
    return false;
  }
}

/** What a row may set, but the id: where a cell is empty, the field is not set. */
export const leafPaths = (columns: readonly Column[]): string[] =>
  columns.map(({ path }) => path.join('.')).filter((path) => path !== 'id' && path !== '_id');

/** What a contact has, and so a message can say. */
const contactFields = new Set('_id id email phone whatsapp url name locale timezone country attributes'.split(' '));

/** Columns that are stored, and that no message can say: their author may have meant `attributes.<name>`. */
export const unusedColumns = (columns: readonly Column[]): string[] =>
  columns.filter(({ path }) => !contactFields.has(String(path[0]))).map(({ name }) => name);
