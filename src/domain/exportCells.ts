/** Documents as rows of a table that people open in a spreadsheet. */
import { bundle } from './generated/schemas.ts';
import { isObjectId } from './ids.ts';
import { isBsonNumber, isDate, normalise } from './normalise.ts';
import { isPlain, own } from './plain.ts';

export type Exported = 'Conversation' | 'Message';

/** How the service works inside, and nobody's data. */
const machinery: ReadonlySet<string> = new Set(
  'partition version opening addresses consumed inbox history trace pending worker expireAt'.split(' '),
);

/** Fields of their own columns: a contact's by its schema, an error's by what every error has. */
const nested: Readonly<Record<string, readonly string[]>> = {
  contact: Object.keys(propertiesOf('Contact')),
  error: ['code', 'message', 'path'],
};

function propertiesOf(definition: string): object {
  return (bundle.definitions[definition] as { properties: object }).properties;
}

/** `contact.email`: the field, and what is looked for in it. */
export interface ExportColumn {
  name: string;
  field: string;
  inner?: string;
}

/** The header: the fields of the schema in its order, `contact.email` where there is something within. */
export const exportColumns = (kind: Exported): ExportColumn[] =>
  Object.keys(propertiesOf(kind))
    .filter((field) => !machinery.has(field))
    .flatMap(
      (field): ExportColumn[] =>
        nested[field]?.map((inner) => ({ name: `${field}.${inner}`, field, inner })) ?? [{ name: field, field }],
    );

export interface CellOptions {
  /** Leave texts as they are that a spreadsheet would run as formulas. */
  keepFormulas?: boolean;
}

/** One row: dates in ISO 8601 (UTC), what has no form of its own as JSON, what is not set empty. */
export function exportRow(
  columns: readonly ExportColumn[],
  document: Record<string, unknown>,
  { keepFormulas = false }: CellOptions = {},
): string[] {
  return columns.map(({ field, inner }) => {
    const outer = own(document, field);
    const value = inner === undefined ? outer : isPlain(outer) ? own(outer, inner) : undefined;
    const isOthers = typeof value === 'string' || isPlain(value) || Array.isArray(value);
    const text = value === undefined ? '' : textOf(normalise(value));
    return isOthers && !keepFormulas ? harmless(text) : text;
  });
}

function textOf(value: unknown): string {
  if (isDate(value)) return Number.isNaN(value.getTime()) ? '' : value.toISOString();
  if (isObjectId(value)) return value.toHexString();
  return isPlain(value) || Array.isArray(value) ? JSON.stringify(value, exact) : String(value);
}

/** What is no plain number is one that a plain number would round: its digits, as in a cell of its own. */
function exact(this: Record<string, unknown>, key: string, value: unknown): unknown {
  const raw = this[key];
  return isBsonNumber(raw) ? String(raw) : value;
}

/**
 * Where a formula begins: = + - @ or their wide forms, at the start or after what may begin a cell or a line for a
 * spreadsheet that expects ";" or tabs between cells; a cell that begins with a tab or a line end is one as a whole. Not a
 * number in E.164, which can do no harm and is worth nothing with something before it. Source: OWASP, CSV Injection.
 */
const formula = /^(?=[\t\r\n])|(?!\+\d{1,15}(?:[;\t\r\n]|$))(?=[=+\-@\uff1d\uff0b\uff0d\uff20])(?<=^|[;\t\r\n][\s"]*)/g;

/** A text that no spreadsheet runs: an apostrophe stands before what would be a formula. */
export const harmless = (cell: string): string => cell.replace(formula, "'");
