import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readContact } from '../../../src/domain/contact.ts';
import {
  isZone,
  judgeContact,
  leafPaths,
  readHeader,
  rowDocument,
  unusedColumns,
} from '../../../src/domain/contactFile.ts';

const row = (header: string, ...cells: string[]) => rowDocument(readHeader(header.split(',')).columns, cells);

describe('a header', () => {
  test('names fields, nested ones with dots, with types', () => {
    expect(readHeader([' id ', 'attributes.age:number', 'attributes.x.y'])).toEqual({
      faults: [],
      columns: [
        { name: 'id', path: ['id'], type: 'text' },
        { name: 'attributes.age', path: ['attributes', 'age'], type: 'number' },
        { name: 'attributes.x.y', path: ['attributes', 'x', 'y'], type: 'text' },
      ],
    });
  });

  test.each([
    [['id', ''], /column 2 has no name/],
    [['id', 'id'], /"id" is there twice/],
    [['id', 'a', 'a.b'], /"a" is a value, and "a.b" a field/],
    [['a..b'], /empty part/],
    [['.a'], /empty part/],
    [['$where'], /begins with \$/],
    [['a.$b'], /begins with \$/],
    [['__proto__.x'], /cannot be the name/],
    [['a\0b'], /NUL/],
    [['age:int'], /number, boolean, date/],
    [[':number'], /has no name/],
  ])('%j is refused', (cells, why) => {
    expect(readHeader(cells).faults.join('; ')).toMatch(why);
  });

  test('says what it sets, and what no message can say', () => {
    const { columns } = readHeader(['id', 'email', 'plan', 'attributes.age:number']);
    expect(leafPaths(columns)).toEqual(['email', 'plan', 'attributes.age']);
    expect(unusedColumns(columns)).toEqual(['plan']);
  });
});

describe('a row', () => {
  test('nests, and leaves out what is empty', () => {
    expect(row('id,attributes.a,attributes.b.c,email', '007', '1', 'x', '')).toEqual({
      raw: { id: '007', attributes: { a: '1', b: { c: 'x' } } },
    });
    expect(row('id,email', 'a')).toEqual({ raw: { id: 'a' } });
  });

  test.each<[string, string, unknown]>([
    ['number', '42', 42],
    ['number', ' -0.5e1 ', -5],
    ['boolean', 'TRUE', true],
    ['boolean', 'false', false],
    ['date', '2026-01-31', new Date('2026-01-31T00:00:00Z')],
    ['date', '2026-01-31T09:00:00+01:00', new Date('2026-01-31T08:00:00Z')],
  ])('%s of %j', (type, cell, value) => {
    expect(row(`x:${type}`, cell)).toEqual({ raw: { x: value } });
  });

  test.each([
    ['number', 'many'],
    ['number', '0x10'],
    ['number', '12345678901234567890'],
    ['number', '1e999'],
    ['boolean', 'yes'],
    ['date', '31.01.2026'],
    ['date', '2026-02-30'],
    ['date', '2026-13-01'],
    ['date', '2026-01-31T09:00:00'],
  ])('%s of %j is refused with what is allowed', (type, cell) => {
    expect(row(`x:${type}`, cell).invalid).toMatch(/^x has to be .*, was "/);
  });
});

describe('a contact of a file', () => {
  test('is what the expansion makes of the stored document: one verdict, one contact', () => {
    const value = fc.oneof(
      fc.string(),
      fc.constant(null),
      fc.integer(),
      fc.constant('a@b.c'),
      fc.dictionary(fc.string({ minLength: 1 }), fc.string()),
    );
    const raw = fc.dictionary(fc.constantFrom('id', '_id', 'email', 'phone', 'name', 'attributes', 'mobile'), value);
    const map = fc.constantFrom({}, { phone: '$mobile' }, { id: '$mobile' });
    fc.assert(
      fc.property(raw, map, (source, rules) => {
        const judged = judgeContact(source, rules);
        if (judged.invalid !== undefined) return;
        expect(readContact(judged.document, rules).contact?.id).toEqual(judged.id);
        expect(judged.document['_id']).toEqual(judged.id);
        const { invalid } = readContact(judged.document, rules);
        expect(invalid).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  test('is stored under its id, all else as it came', () => {
    expect(judgeContact({ id: 'ada', email: 'ADA@example.com', segment: 'x' })).toEqual({
      id: 'ada',
      document: { _id: 'ada', email: 'ADA@example.com', segment: 'x' },
    });
    expect(judgeContact({ _id: 'b', id: 'ada' }).document).toEqual({ _id: 'b', id: 'ada' });
    expect(judgeContact({ nr: 'n1', id: 'x' }, { id: '$nr' }).document).toEqual({ nr: 'n1', id: 'x', _id: 'n1' });
  });

  const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) });
  test.each<[unknown, RegExp]>([
    [7, /has to be an object/],
    [[1], /has to be an object/],
    [{}, /id is missing/],
    [{ id: '' }, /id is empty/],
    [{ id: 'x'.repeat(129) }, /longer than 128 bytes/],
    [{ id: true }, /id has to be/],
    [{ id: 1, email: 'x'.repeat(321) }, /email is longer/],
    [{ id: 1, phone: 7 }, /phone has to be a string/],
    [{ id: 1, attributes: 'x' }, /attributes has to be an object/],
    [{ id: 1, timezone: 'Europe/Berln' }, /timezone is none/],
    [{ id: 1, timezone: '+02:00' }, /timezone is none/],
    [{ id: 1, attributes: { a: [{ $set: 1 }] } }, /the key "attributes\.a\[0\]\[\\"\$set\\"\]" begins with \$/],
    [{ id: 1, 'attributes.plan': 'x' }, /"attributes\.plan" has a dot/],
    [{ id: 1, 'a\0': 1 }, /NUL/],
    [JSON.parse('{"id": 1, "attributes": {"__proto__": 1}}'), /cannot be the name/],
    [{ id: 1, attributes: deep(120) }, /nested more than/],
  ])('%# is refused: %s', (raw, why) => {
    expect(judgeContact(raw).invalid).toMatch(why);
  });

  test('a mapped time zone is looked at where the map finds it', () => {
    expect(judgeContact({ id: 1, zone: 'Mars' }, { timezone: '$zone' }).invalid).toMatch(/timezone is none/);
    expect(judgeContact({ id: 1, zone: 'Asia/Tokyo' }, { timezone: '$zone' }).id).toBe(1);
  });
});

test('zones are known by name, however many wrong names there are', () => {
  expect([isZone('Asia/Tokyo'), isZone('Asia/Tokyo')]).toEqual([true, true]);
  for (let n = 0; n < 2100; n += 1) expect(isZone(`Nowhere/${n}`)).toBe(false);
  expect(['Europe/Berlin', 'UTC', 'Europe/Berlin'].every(isZone)).toBe(true);
});
