/** A file of contacts, CSV or JSON lines, as batches of rows that were judged. */
import { hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { addAbortSignal } from 'node:stream';
import { type Column, judgeContact } from '../../domain/contactFile.ts';
import type { FileRecord } from '../../domain/fileRecords.ts';
import { createIdSet, type IdSet } from '../../domain/idSet.ts';
import { encodePart } from '../../domain/ids.ts';
import { printable } from '../../domain/printable.ts';
import { unreadable } from '../document/document.ts';
import { type Reader, readerFor } from './contactsFormats.ts';

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
  /** Filled with the ids of all rows that can be used; MongoDB may refuse some yet. */
  ids: IdSet;
  /** Called with the header of a CSV file, before any row. */
  onColumns?: (columns: readonly Column[]) => void;
  /** Ends the reading with an AbortError, also while it waits for a pipe. */
  signal: AbortSignal;
}

const batchRows = 1000;
const batchBytes = 4_000_000;
const chunkBytes = 256 * 1024;

/** Ids of one type never meet those of another, as in a campaign. */
export const idKey: (id: string | number | { toHexString(): string }) => string = encodePart;

export const newIdSet = (): IdSet => createIdSet((id) => hash('sha1', id, 'buffer'));

/**
 * Rows in the order of the file; at most a batch (1000 rows or some 4 MB) is held. Of two rows with one id the first
 * counts, also when MongoDB refuses it later.
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
      rejects.push({ line, bytes, reason: `id ${printable(judged.id)} was in the file before; its first row counts` });
    else rows.push({ line, bytes, document: judged.document });
  }
  return { rows, rejects };
}
