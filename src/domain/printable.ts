/** Values of unknown origin in messages: short, on one line, and never able to break the message. */
import { bsonType, isDate } from './normalise.ts';
import { regexOf } from './regex.ts';

const longestText = 60;

/** How a message shows a value: what it is, cut to a readable length. */
export function printable(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'bigint') return `${cut(String(value))}n`;
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}`;
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (isDate(value)) return Number.isNaN(value.getTime()) ? 'a date out of range' : `the date ${value.toISOString()}`;
  const expression = regexOf(value);
  if (expression) return `the regular expression ${cut(expression.source)}`;
  const type = bsonType(value);
  return type === undefined ? 'an object' : `${type} ${cut(String(value))}`;
}

const cut = (text: string): string => (text.length > longestText ? `${text.slice(0, longestText)}...` : text);

/** The end is cut between characters, not within a surrogate pair. */
function quoted(text: string): string {
  if (text.length <= longestText) return JSON.stringify(text);
  const head = text.slice(0, longestText).replace(/[\uD800-\uDBFF]$/, '');
  return `${JSON.stringify(head)}... (${text.length} characters)`;
}
