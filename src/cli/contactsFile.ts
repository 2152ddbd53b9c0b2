/** A file of contacts, CSV or JSON lines, as batches of rows that were judged. The only file that knows csv-parse. */
import { isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { addAbortSignal } from 'node:stream';
import { parse } from 'csv-parse/sync';
import { type Column, judgeContact, readHeader, rowDocument } from '../domain/contactFile.ts';
import { ServiceError } from '../domain/errors.ts';
import { csvFramer, type FileRecord, type Framer, lineFramer } from '../domain/fileRecords.ts';
import { createIdSet, type IdSet } from '../domain/idSet.ts';
import { encodePart } from '../domain/ids.ts';
import { normalise } from '../domain/normalise.ts';
import { printable } from '../domain/printable.ts';
import { parseExtendedJson } from '../mongo/values.ts';
import { unreadable } from './document.ts';
import { safe } from './output.ts';

export interface Row {
  line: number;
  bytes: Uint8Array;
  document: Record<string, unknown>;
}

export interface Reject {
  line: number;
  reason: string;
  bytes: Uint8Array;
}

export interface Batch {
  rows: Row[];
  rejects: Reject[];
  /** Of the file so far, as far as its records tell. */
  bytesRead: number;
}

export interface ContactsParams {
  /** Path, or "-" for stdin. */
  file: string;
  /** The audience's `map`. */
  map: Record<string, unknown>;
  /** Filled with the ids of all rows that were taken. */
  ids: IdSet;
  /** Called with the header of a CSV file, before any row. */
  onColumns?: (columns: readonly Column[]) => void;
  /** Ends the reading with an AbortError, also while it waits for a pipe. */
  signal: AbortSignal;
}

const longestRow = 16_000_000;
const batchRows = 1000;
const batchBytes = 4_000_000;
const chunkBytes = 256 * 1024;

/** Ids of one type never meet those of another, as in a campaign. */
export const idKey: (id: string | number | { toHexString(): string }) => string = encodePart;

export const newIdSet = (): IdSet => createIdSet((id) => hash('sha1', id, 'buffer'));

/**
 * Rows in the order of the file; at most a batch (1000 rows or some 4 MB) is held. Of two rows with one id the first is
 * taken.
 * @throws ServiceError `usage` when the file cannot be read, `document_invalid` when it has no header that can be used.
 */
export async function* readContacts({ file, map, ids, onColumns, signal }: ContactsParams): AsyncGenerator<Batch> {
  let reader: Reader | undefined;
  let bytesRead = 0;
  const take = function* (records: FileRecord[]): Generator<Batch> {
    for (const group of grouped(records)) {
      bytesRead += group.reduce((sum, { bytes }) => sum + bytes.length + 1, 0);
      yield { ...judgeAll(group, reader as Reader, map, ids), bytesRead };
    }
  };
  try {
    const source = file === '-' ? process.stdin : createReadStream(file, { highWaterMark: chunkBytes });
    for await (const chunk of addAbortSignal(signal, source) as AsyncIterable<Buffer>) {
      reader ??= readerFor(file, chunk, 'id' in map, onColumns);
      yield* take(reader.framer.push(chunk));
    }
  } catch (error) {
    throw unreadable(file, error);
  }
  if (reader !== undefined) yield* take(reader.framer.end());
}

function* grouped(records: readonly FileRecord[]): Generator<FileRecord[]> {
  let group: FileRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    group.push(record);
    bytes += record.bytes.length;
    if (group.length < batchRows && bytes < batchBytes) continue;
    yield group;
    group = [];
    bytes = 0;
  }
  if (group.length > 0) yield group;
}

/** Of one record: a document as the file has it, or why there is none; undefined for what counts as blank. */
type Parsed = { raw: unknown; invalid?: never } | { invalid: string; raw?: never } | undefined;

interface Reader {
  framer: Framer;
  /** In the order of the records. */
  parse(records: readonly FileRecord[]): Parsed[];
}

function judgeAll(
  records: readonly FileRecord[],
  reader: Reader,
  map: Record<string, unknown>,
  ids: IdSet,
): Pick<Batch, 'rows' | 'rejects'> {
  const rows: Row[] = [];
  const rejects: Reject[] = [];
  const parsed = reader.parse(records);
  for (const [at, { line, bytes }] of records.entries()) {
    const read = parsed[at];
    if (read === undefined) continue;
    const judged = read.invalid === undefined ? judgeContact(read.raw, map) : read;
    if (judged.invalid !== undefined) rejects.push({ line, bytes, reason: judged.invalid });
    else if (!ids.add(idKey(judged.id)))
      rejects.push({ line, bytes, reason: `id ${printable(judged.id)} was in the file before; its first row is kept` });
    else rows.push({ line, bytes, document: judged.document });
  }
  return { rows, rejects };
}

// ---------------------------------------------------------------- the two formats

function readerFor(file: string, first: Buffer, isIdMapped: boolean, onColumns: ContactsParams['onColumns']): Reader {
  const [a, b] = first;
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff))
    throw new ServiceError('document_invalid', `${safe(file)} is UTF-16: save it as UTF-8`);
  const isJson = /\.(jsonl|ndjson|json)$/i.test(file) || (!/\.(csv|tsv)$/i.test(file) && startsWithBrace(first));
  return isJson ? jsonReader() : csvReader(file, isIdMapped, onColumns);
}

const startsWithBrace = (chunk: Buffer): boolean => /^\uFEFF?\s*\{/.test(chunk.subarray(0, 1000).toString('utf8'));

const notUtf8 = 'is not UTF-8';

const jsonReader = (): Reader => ({
  framer: lineFramer(longestRow),
  parse: (records) =>
    records.map(({ bytes, fault }): Parsed => {
      if (fault !== undefined) return { invalid: fault };
      if (!isUtf8(bytes)) return { invalid: notUtf8 };
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
      if (text.trim() === '') return undefined;
      try {
        return { raw: withoutTypes(parseExtendedJson(text)) };
      } catch (error) {
        return { invalid: `is no JSON: ${safe((error as Error).message).slice(0, 200)}` };
      }
    }),
});

/** Fields that would make the driver refuse a batch are left out; numbers keep their BSON types. */
const withoutTypes = (value: unknown): unknown => normalise(value, { numbers: false });

function csvReader(file: string, isIdMapped: boolean, onColumns: ContactsParams['onColumns']): Reader {
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
