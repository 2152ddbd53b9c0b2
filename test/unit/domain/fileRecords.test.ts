import { describe, expect, test } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';
import fc from 'fast-check';
import { csvFramer, type Framer, lineFramer } from '../../../src/domain/fileRecords.ts';

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
type Seen = { line: number; text: string; fault?: string };

/** The same bytes in chunks of any length. */
function read(framer: Framer, text: string | Uint8Array, chunk = Number.POSITIVE_INFINITY): Seen[] {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  const records = [];
  for (let at = 0; at < bytes.length; at += chunk) records.push(...framer.push(bytes.subarray(at, at + chunk)));
  records.push(...framer.end());
  return records.map(({ line, bytes: own, fault }) => ({ line, text: decode(own), ...(fault ? { fault } : {}) }));
}
const csv = (text: string | Uint8Array, chunk?: number, longest = 1000): Seen[] =>
  read(csvFramer(longest), text, chunk);

const cell = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r\n', ' ', 'é', '😀', ';'), maxLength: 6 });
const table = fc
  .integer({ min: 1, max: 4 })
  .chain((columns) =>
    fc
      .array(fc.array(cell, { minLength: columns, maxLength: columns }), { maxLength: 8 })
      .map((rows) => ({ columns, rows })),
  );

describe('CSV', () => {
  test('what a writer of RFC 4180 wrote is read back, each record at its line, whatever the chunks', () => {
    fc.assert(
      fc.property(
        table,
        fc.constantFrom('\n', '\r\n'),
        fc.integer({ min: 1, max: 40 }),
        fc.boolean(),
        ({ columns, rows }, end, chunk, mark) => {
          const header = Array.from({ length: columns }, (_, n) => `c${n}`);
          const lines = [header, ...rows].map((row) =>
            stringify([row], { record_delimiter: end, quoted: true, quoted_empty: true }),
          );
          const records = csv(`${mark ? '\uFEFF' : ''}${lines.join('')}`, chunk);
          expect(records.map(({ fault }) => fault)).toEqual(records.map(() => undefined));
          expect(records.map(({ text }) => parse(text, { relax_column_count: true })[0])).toEqual([header, ...rows]);
          const before = lines.map((_, at) => lines.slice(0, at).join('').split('\n').length);
          expect(records.map(({ line }) => line)).toEqual(before);
        },
      ),
    );
  });

  test('chunks change nothing, whatever the bytes', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', 'b', '"', ',', '\n', '\r'), maxLength: 60 }),
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 5, max: 30 }),
        (text, chunk, longest) => {
          expect(csv(`x,y\n${text}`, chunk, 1000)).toEqual(csv(`x,y\n${text}`, undefined, 1000));
          // Where records are too long, it is told of the same lines.
          const lines = (seen: Seen[]) => seen.filter(({ fault }) => fault === undefined);
          expect(lines(csv(`x,y\n${text}`, chunk, longest)).every(({ text: own }) => own.length <= longest)).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });

  test.each([
    [
      'a,b\n1\n2,2\n',
      [
        { line: 2, text: '1', fault: 'has 1 cell, the header has 2' },
        { line: 3, text: '2,2' },
      ],
    ],
    ['a,b\n1,2,3\n', [{ line: 2, text: '1,2,3', fault: 'has 3 cells, the header has 2' }]],
    [
      'a,b\n1,5" pipe\n2,2',
      [
        { line: 2, text: '1,5" pipe', fault: 'has a quote in a cell that is not quoted' },
        { line: 3, text: '2,2' },
      ],
    ],
    [
      'a,b\n1,"x" y\n2,2',
      [
        { line: 2, text: '1,"x" y', fault: 'has text after a closing quote' },
        { line: 3, text: '2,2' },
      ],
    ],
    [
      'a,b\r\n1,"x\r\n2,2\r\n',
      [
        { line: 2, text: '1,"x', fault: 'has a quote that is never closed' },
        { line: 3, text: '2,2' },
      ],
    ],
    // closed by accident, rows later
    [
      'a,b\n1,"x\n2,2\n3,"y"\n',
      [
        { line: 2, text: '1,"x', fault: 'has text after a closing quote' },
        { line: 3, text: '2,2' },
        { line: 4, text: '3,"y"' },
      ],
    ],
    [
      'a,b\n"x\n2,2\n",1,1\n',
      [
        { line: 2, text: '"x', fault: 'has 3 cells, the header has 2' },
        { line: 3, text: '2,2' },
        { line: 4, text: '",1,1', fault: 'has a quote that is never closed' },
      ],
    ],
    ['a,b\n\n\r\n1,2', [{ line: 4, text: '1,2' }]],
    [
      'a\n""\n"x"\r\n',
      [
        { line: 2, text: '""' },
        { line: 3, text: '"x"' },
      ],
    ],
  ])('%j', (text, expected) => {
    expect(csv(text).slice(1)).toEqual(expected);
    expect(csv(text, 1).slice(1)).toEqual(expected);
  });

  test.each([
    ['a;b;c\n1;2,5;3', ';'],
    ['a\tb\n1\t2', '\t'],
    ['a,b;c\n1,2', ','],
    ['a\n1', ','],
  ])('the header of %j tells the delimiter', (text, delimiter) => {
    const framer = csvFramer(1000);
    expect(framer.delimiter).toBe(',');
    const records = read(framer, text);
    expect(framer.delimiter).toBe(delimiter);
    expect(records.filter(({ fault }) => fault)).toEqual([]);
  });

  test.each([1, 5000])('a quote that is closed many lines later takes none of them with it (chunks of %i)', (chunk) => {
    const rows = (count: number): string => `a,b\n"x,2\n${'y,2\n'.repeat(count)}z",2\n`;
    expect(csv(rows(18), chunk)).toMatchObject([{ line: 1 }, { line: 2, text: rows(18).slice(4, -1) }]);
    const records = csv(rows(19), chunk);
    expect(records[1]).toEqual({
      line: 2,
      text: '"x,2',
      fault: 'runs over more than 20 lines: a quote seems not to be closed',
    });
    expect(records.slice(2, -1)).toEqual(Array.from({ length: 19 }, (_, n) => ({ line: n + 3, text: 'y,2' })));
    expect(records.at(-1)).toMatchObject({ line: 22, fault: expect.stringContaining('quote') });
  });

  test('blank lines before the header are no header', () => {
    expect(csv('\n\na,b\n1,2')).toEqual([
      { line: 3, text: 'a,b' },
      { line: 4, text: '1,2' },
    ]);
  });

  test.each([1, 7, 5000])('a record that is too long costs itself only (chunks of %i)', (chunk) => {
    const long = 'x'.repeat(3000);
    const records = csv(`a,b\n1,${long}\n2,2\n3,"${long}\n4,4\n5,5\n`, chunk, 2000);
    expect(records.map(({ line }) => line)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(records.filter(({ fault }) => fault).map(({ line }) => line)).toEqual([2, 4]);
    expect(records.every(({ text }) => text.length <= 1000)).toBe(true);
  });

  test.each([1, 5000])('a file without any line end is one record that is too long (chunks of %i)', (chunk) => {
    expect(csv('x'.repeat(4000), chunk, 1000)).toMatchObject([{ line: 1, fault: expect.stringContaining('longer') }]);
  });

  test('an empty file has no records', () => {
    expect(csv('')).toEqual([]);
    expect(csv('\uFEFF')).toEqual([]);
    expect(csv('a')).toEqual([{ line: 1, text: 'a' }]);
  });
});

describe('JSON lines', () => {
  test('a record a line, whatever ends them; blank lines count', () => {
    expect(read(lineFramer(100), '\uFEFF{"a":1}\r\n\n{"b":"\\n"}\n', 3)).toEqual([
      { line: 1, text: '{"a":1}' },
      { line: 3, text: '{"b":"\\n"}' },
    ]);
  });

  test('the last line may have no end, and one that is too long costs itself only', () => {
    expect(read(lineFramer(10), `1\n${'x'.repeat(50)}\n3`, 4)).toEqual([
      { line: 1, text: '1' },
      { line: 2, text: expect.stringMatching(/^x+$/), fault: 'is longer than 0 MB' },
      { line: 3, text: '3' },
    ]);
  });
});
