/** The two formats of a file of contacts. The only file that knows csv-parse. */
import { isUtf8 } from 'node:buffer';
import { parse } from 'csv-parse/sync';
import { type Column, readHeader, rowDocument } from '../../domain/contactFile.ts';
import { ServiceError } from '../../domain/errors.ts';
import { csvFramer, type FileRecord, type Framer, lineFramer } from '../../domain/fileRecords.ts';
import { normalise } from '../../domain/normalise.ts';
import { printable } from '../../domain/printable.ts';
import { parseExtendedJson } from '../../mongo/values.ts';
import { readJson } from '../document/campaignJson.ts';
import type { TextFault } from '../document/campaignText.ts';
import { safe } from '../output.ts';

/** Bytes; MongoDB keeps documents of 16 MB at most. */
const longestRow = 16_000_000;

type OnColumns = ((columns: readonly Column[]) => void) | undefined;

/** Of one record: a document as the file has it, or why there is none; undefined for what counts as blank. */
export type Parsed = { raw: unknown; invalid?: never } | { invalid: string; raw?: never } | undefined;

export interface Reader {
  framer: Framer;
  /** In the order of the records. */
  parse(records: readonly FileRecord[]): Parsed[];
}

/**
 * By the file's extension, else by its first character.
 * @throws ServiceError `document_invalid`, also later, for a header that cannot be used.
 */
export function readerFor(file: string, first: Buffer, isIdMapped: boolean, onColumns: OnColumns): Reader {
  const [a, b] = first;
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff))
    throw new ServiceError('document_invalid', `${safe(file)} is UTF-16: save it as UTF-8`);
  const [start] = first.subarray(0, 1000).toString('utf8').trimStart();
  const isJson =
    /\.(jsonl|ndjson|json)$/i.test(file) || (!/\.(csv|tsv)$/i.test(file) && (start === '{' || start === '['));
  if (!isJson) return csvReader(file, isIdMapped, onColumns);
  if (start === '[')
    throw new ServiceError(
      'document_invalid',
      `${safe(file)} begins with "[": it is a JSON array; JSON lines has one object a line, and nothing around them`,
    );
  return jsonReader();
}

const notUtf8 = 'is not UTF-8';
const mostValues = 1_000_000;
const comma = 0x2c;

/** Millions of numbers fit into 16 MB of text, and grow into gigabytes when they are read. */
function hasTooManyValues(bytes: Uint8Array): boolean {
  if (bytes.length < mostValues) return false;
  let commas = 0;
  for (const byte of bytes) if (byte === comma) commas += 1;
  return commas > mostValues;
}

const jsonReader = (): Reader => ({
  framer: lineFramer(longestRow),
  parse: (records) =>
    records.map(({ bytes, fault }): Parsed => {
      if (fault !== undefined) return { invalid: fault };
      if (!isUtf8(bytes)) return { invalid: notUtf8 };
      if (hasTooManyValues(bytes)) return { invalid: 'holds more than a million values' };
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
      if (text.trim() === '') return undefined;
      const [wrong] = readJson(text).faults;
      if (wrong !== undefined) return { invalid: inWords(wrong, text) };
      try {
        return { raw: withoutTypes(parseExtendedJson(text)) };
      } catch (error) {
        return { invalid: `is no Extended JSON: ${safe((error as Error).message).slice(0, 200)}` };
      }
    }),
});

/** A row is one line, maybe a very long one: what stands at the fault says more than its column. */
const inWords = ({ message, at }: TextFault, text: string): string =>
  at < text.length ? `${message}, at ${printable(text.slice(at, at + 40))}` : `${message}, at its end`;

/** Fields that would make the driver refuse a batch are left out; numbers keep their BSON types. */
const withoutTypes = (value: unknown): unknown => normalise(value, { numbers: false });

function csvReader(file: string, isIdMapped: boolean, onColumns: OnColumns): Reader {
  const framer = csvFramer(longestRow);
  let columns: Column[] | undefined;
  return {
    framer,
    parse(records) {
      const isFirst = columns === undefined;
      const [header] = records;
      if (columns === undefined && header !== undefined) {
        columns = columnsOf(file, header, framer.delimiter);
        if (!isIdMapped && !columns.some(({ name }) => name === 'id' || name === '_id'))
          throw new ServiceError('document_invalid', `${safe(file)}:${header.line}: ${noId(columns)}`);
        onColumns?.(columns);
      }
      const rows = isFirst ? records.slice(1) : records;
      const parsed = parseRows(rows, columns ?? [], framer.delimiter);
      return isFirst ? [undefined, ...parsed] : parsed;
    },
  };
}

const noId = (columns: readonly Column[]): string =>
  `there is no column "id"; the header has ${columns.map(({ name }) => printable(name)).join(', ')}`;

function columnsOf(file: string, { line, bytes, fault }: FileRecord, delimiter: string): Column[] {
  const refuse = (why: string): ServiceError =>
    new ServiceError('document_invalid', `${safe(file)}:${line}: ${safe(why)}`);
  if (fault !== undefined) throw refuse(`the header ${fault}`);
  if (!isUtf8(bytes)) throw refuse('the header is not UTF-8: save the file in that encoding');
  if (bytes.includes(0x0d) || bytes.includes(0))
    throw refuse('this is no CSV text file with lines that end with LF or CRLF');
  const { columns, faults } = readHeader(cellsOf([bytes], delimiter)[0] ?? []);
  if (faults.length > 0) throw refuse(`the header is wrong: ${faults.join('; ')}`);
  return columns;
}

function parseRows(records: readonly FileRecord[], columns: readonly Column[], delimiter: string): Parsed[] {
  const faults = records.map(({ bytes, fault }) => fault ?? (isUtf8(bytes) ? undefined : notUtf8));
  const good = records.filter((_, at) => faults[at] === undefined);
  const cells = cellsOf(
    good.map(({ bytes }) => bytes),
    delimiter,
  );
  let next = 0;
  return faults.map((fault): Parsed => {
    if (fault !== undefined) return { invalid: fault };
    next += 1;
    return rowDocument(columns, cells[next - 1] ?? []);
  });
}

const lineEnd = Buffer.from('\n');

/** The framer vouches for it that each is one record. */
function cellsOf(records: readonly Uint8Array[], delimiter: string): string[][] {
  const text = Buffer.concat(records.flatMap((bytes) => [bytes, lineEnd]));
  const rows = parse(text, { delimiter, record_delimiter: '\n', relax_column_count: true }) as string[][];
  if (rows.length !== records.length)
    throw new ServiceError('internal', `${records.length} CSV records were parsed as ${rows.length}`);
  return rows;
}
