/** Documents as rows of a table that people open in a spreadsheet. */
import { bundle } from './generated/schemas.ts';
import { isObjectId } from './ids.ts';
import { isDate, normalise } from './normalise.ts';
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
    if (typeof value === 'string') return keepFormulas ? value : harmless(value);
    return value === undefined ? '' : textOf(normalise(value));
  });
}

function textOf(value: unknown): string {
  if (isDate(value)) return Number.isNaN(value.getTime()) ? '' : value.toISOString();
  if (isObjectId(value)) return value.toHexString();
  return typeof value === 'object' && (isPlain(value) || Array.isArray(value)) ? JSON.stringify(value) : String(value);
}

/** = + - @, tab and line ends, and the wide forms of the first four. Source: OWASP, CSV Injection. */
const formula = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;
/** A number in E.164 can do no harm, and is worth nothing with something before it. */
const phone = /^\+\d{1,15}$/;

/** A text that no spreadsheet runs: an apostrophe stands before what would be a formula. */
export const harmless = (cell: string): string => (formula.test(cell) && !phone.test(cell) ? `'${cell}` : cell);
