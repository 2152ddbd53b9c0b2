/** Files of records in bytes, cut into records: each with its line, and none able to take its neighbours with it. */

export interface FileRecord {
  /** Of its first byte, from 1. */
  line: number;
  /** Without the line end; of one that is too long, its beginning. */
  bytes: Uint8Array;
  /** Why it cannot be read. */
  fault?: string;
}

/** Bytes in, records out. Keeps at most one record, of `longest` bytes, between two calls. */
export interface Framer {
  push(chunk: Uint8Array): FileRecord[];
  /** What is left when the file is over. */
  end(): FileRecord[];
}

export interface CsvFramer extends Framer {
  /** Of the header line; "," until it was seen. */
  readonly delimiter: string;
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const quote = 0x22;
/** How much of a record that is too long is kept, to recognise it by. */
const keptOfTooLong = 1000;
/** Of one CSV record: an address or a note has a few. */
const mostLines = 20;

/** What a framer found at one place: a record, or that the rest of it is yet to come. */
type Cut = { bytes: Uint8Array; next: number; lines: number; fault?: string } | undefined;
type CutAt = (buffer: Uint8Array, start: number, final: boolean) => Cut;

/** JSON lines: a record a line. Blank lines count, and are left out. */
export const lineFramer = (longest: number): Framer =>
  framer(longest, (buffer, start, final) => cutLine(buffer, start, final));

/**
 * RFC 4180: cells in quotes may hold delimiters, quotes (doubled) and line ends. LF ends a line as CRLF does. The first
 * record is the header: it says how many cells each record has, and whether ",", ";" or a tab stands between them.
 * A record that is malformed, that has the wrong number of cells, or that runs over more than 20 lines, costs its first line
 * only: reading goes on at the next one. A quote that was never closed takes lines with it only where another one closes it
 * within 20 lines and the cells are as many as they should be.
 */
export function csvFramer(longest: number): CsvFramer {
  let delimiter: number | undefined;
  let columns: number | undefined;
  const cut: CutAt = (buffer, start, final) => {
    if (delimiter === undefined) {
      const header = cutLine(buffer, start, final);
      if (header === undefined || header.bytes.length === 0) return header;
      delimiter = delimiterOf(header.bytes);
    }
    const found = cutCsv(buffer, start, final, delimiter, columns);
    if (found !== undefined) columns ??= found.cells;
    return found;
  };
  return {
    ...framer(longest, cut),
    get delimiter() {
      return String.fromCharCode(delimiter ?? 0x2c);
    },
  };
}

function framer(longest: number, cut: CutAt): Framer {
  let rest: Uint8Array = new Uint8Array();
  let line = 1;
  let begun = false;
  /** In a line that is too long: what comes up to its end is dropped. */
  let skipping = false;

  const drain = (final: boolean): FileRecord[] => {
    const records: FileRecord[] = [];
    let at = 0;
    while (at < rest.length) {
      if (skipping) {
        const end = rest.indexOf(lineFeed, at);
        at = end < 0 ? rest.length : end + 1;
        if (end >= 0) line += 1;
        skipping = end < 0;
        continue;
      }
      const isTooLong = rest.length - at > longest;
      const found = cut(rest, at, final || isTooLong);
      if (found === undefined) break;
      const { bytes, next, lines, fault } = found;
      const whole = next <= rest.length;
      if (bytes.length > longest || (!whole && isTooLong)) {
        records.push({ line, bytes: bytes.slice(0, keptOfTooLong), fault: tooLong(longest) });
        skipping = !whole;
      } else if (bytes.length > 0 || fault !== undefined) {
        records.push(fault === undefined ? { line, bytes } : { line, bytes, fault });
      }
      if (whole) line += lines;
      at = Math.min(next, rest.length);
    }
    rest = rest.subarray(at);
    return records;
  };
  return {
    push(chunk) {
      rest = rest.length === 0 ? chunk : joined(rest, chunk);
      if (!begun && rest.length < 3) return [];
      withoutMark();
      return drain(false);
    },
    end() {
      withoutMark();
      return drain(true);
    },
  };

  /** The byte order mark of UTF-8. */
  function withoutMark(): void {
    if (!begun && rest[0] === 0xef && rest[1] === 0xbb && rest[2] === 0xbf) rest = rest.subarray(3);
    begun = true;
  }
}

const tooLong = (longest: number): string => `is longer than ${Math.floor(longest / 1_000_000)} MB`;

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}

/** `next` is past the end of the buffer when the line has no end in it. */
function cutLine(buffer: Uint8Array, start: number, final: boolean): Cut {
  const end = buffer.indexOf(lineFeed, start);
  if (end < 0)
    return final ? { bytes: trimmed(buffer, start, buffer.length), next: buffer.length + 1, lines: 1 } : undefined;
  return { bytes: trimmed(buffer, start, end), next: end + 1, lines: 1 };
}

const trimmed = (buffer: Uint8Array, start: number, end: number): Uint8Array =>
  buffer.subarray(start, end > start && buffer[end - 1] === carriageReturn ? end - 1 : end);

function delimiterOf(header: Uint8Array): number {
  const counts = [0x2c, 0x3b, 0x09].map((byte) => ({ byte, count: header.filter((other) => other === byte).length }));
  return counts.reduce((best, other) => (other.count > best.count ? other : best)).byte;
}

interface Scan {
  /** Offset of the line end, or of the end of the buffer. */
  end: number;
  cells: number;
  fault?: string;
}

function cutCsv(
  buffer: Uint8Array,
  start: number,
  final: boolean,
  delimiter: number,
  columns: number | undefined,
): (NonNullable<Cut> & { cells: number }) | undefined {
  const scan = scanCsv(buffer, start, final, delimiter);
  if (scan === undefined) return undefined;
  const { end, cells } = scan;
  const bytes = trimmed(buffer, start, end);
  // a line without anything is left out, like the last one
  const miscounted = columns !== undefined && cells !== columns && bytes.length > 0;
  const lines = linesIn(buffer, start, end);
  const fault =
    scan.fault ??
    (miscounted ? `has ${cells} ${cells === 1 ? 'cell' : 'cells'}, the header has ${columns}` : undefined) ??
    (lines > mostLines ? `runs over more than ${mostLines} lines: a quote seems not to be closed` : undefined);
  if (fault !== undefined) {
    const line = cutLine(buffer, start, final);
    return line && { ...line, cells, fault };
  }
  return { bytes, next: end + 1, lines, cells };
}

/** Counted no further than is asked for: a quote that is never closed must not make each of its lines a walk to the end. */
function linesIn(buffer: Uint8Array, start: number, end: number): number {
  let lines = 1;
  for (let at = buffer.indexOf(lineFeed, start); at >= 0 && at < end; at = buffer.indexOf(lineFeed, at + 1)) {
    lines += 1;
    if (lines > mostLines) break;
  }
  return lines;
}

/** Runs over one record; undefined when its end has not come yet. */
function scanCsv(buffer: Uint8Array, start: number, final: boolean, delimiter: number): Scan | undefined {
  let at = start;
  let cells = 1;
  for (;;) {
    if (buffer[at] === quote) {
      const closing = closingQuote(buffer, at + 1, final);
      if (closing === undefined) return final ? { end: buffer.length, cells, fault: unclosed } : undefined;
      at = closing + 1;
      const crlf = buffer[at] === carriageReturn && (buffer[at + 1] === lineFeed || at + 1 >= buffer.length);
      if (crlf) at += 1;
      else if (at < buffer.length && buffer[at] !== delimiter && buffer[at] !== lineFeed)
        return { end: at, cells, fault: 'has text after a closing quote' };
    }
    while (at < buffer.length && buffer[at] !== delimiter && buffer[at] !== lineFeed) {
      if (buffer[at] === quote) return { end: at, cells, fault: 'has a quote in a cell that is not quoted' };
      at += 1;
    }
    if (at >= buffer.length) return final ? { end: at, cells } : undefined;
    if (buffer[at] === lineFeed) return { end: at, cells };
    cells += 1;
    at += 1;
  }
}

const unclosed = 'has a quote that is never closed';

/** Offset of the quote that ends a cell; undefined when it is not there (yet). */
function closingQuote(buffer: Uint8Array, from: number, final: boolean): number | undefined {
  let at = buffer.indexOf(quote, from);
  while (at >= 0 && buffer[at + 1] === quote) at = buffer.indexOf(quote, at + 2);
  return at < 0 || (at + 1 >= buffer.length && !final) ? undefined : at;
}
