/** What ajv gets to see of a document: only plain objects and arrays look like objects to it. */
import { isDate } from './normalise.ts';
import { isPlain, joinPath } from './plain.ts';

/** Stands for a value with a class (a Date, an ObjectId, a Long): to ajv it is of no JSON type; calling it gives the value. */
export type Opaque = () => unknown;

export interface View {
  value: unknown;
  /** Paths of dates outside the range of a Date. */
  invalidDates: string[];
  /** How many values there are, containers included. */
  size: number;
}

/** More elements than any list with a limit may have: what comes behind changes no verdict. */
export const longestList = 1001;

export function viewOf(value: unknown): View {
  const view: View = { value: undefined, invalidDates: [], size: 0 };
  view.value = look(value, '', view);
  return view;
}

/** The value behind a stand-in; anything else as it is. */
export const seen = (value: unknown): unknown => (typeof value === 'function' ? (value as Opaque)() : value);

function look(value: unknown, path: string, view: View): unknown {
  view.size += 1;
  if (typeof value === 'function') return () => value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    return value.slice(0, longestList).map((item, index) => look(item, `${path}[${index}]`, view));
  }
  if (isPlain(value)) {
    const copy: Record<string, unknown> = Object.create(null);
    for (const [key, field] of Object.entries(value)) copy[key] = look(field, childPath(path, key), view);
    return copy;
  }
  if (isDate(value) && Number.isNaN(value.getTime())) view.invalidDates.push(path);
  return () => value;
}

/** `path.key`, without a leading dot at the top. */
export const childPath = (path: string, key: string): string => joinPath(path, key).replace(/^\./, '');

/** A JSON pointer of ajv as a path: `/flow/stages/2/on` -> `flow.stages[2].on`. */
export function pathOf(pointer: string, root: unknown): string {
  let path = '';
  let at: unknown = root;
  for (const raw of pointer.split('/').slice(1)) {
    const key = raw.replaceAll('~1', '/').replaceAll('~0', '~');
    path = Array.isArray(at) ? `${path}[${key}]` : childPath(path, key);
    at = (at as Record<string, unknown> | undefined)?.[key];
  }
  return path;
}
