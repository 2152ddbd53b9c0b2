import { describe, expect, test } from '@jest/globals';
import { BSON, BSONRegExp, Decimal128, Double, Int32, Long, ObjectId } from 'bson';
import fc from 'fast-check';
import { bsonType, isBsonNumber, isDate, isId, normalise } from '../../../src/domain/normalise.ts';
import { printable } from '../../../src/domain/printable.ts';

const evil = JSON.parse('{"__proto__": {"polluted": true}, "constructor": {"prototype": 1}, "a": 1}');

describe('normalise', () => {
  test.each([
    ['Int32', new Int32(7), 7],
    ['Double', new Double(7.25), 7.25],
    ['a large Double', new Double(1e300), 1e300],
    ['Long', Long.fromNumber(-42), -42],
    ['Decimal128', Decimal128.fromString('7'), 7],
    ['Decimal128 with zeroes', Decimal128.fromString('7.00'), 7],
    ['Decimal128 with exponent', Decimal128.fromString('1.5E+3'), 1500],
    ['a decimal fraction', Decimal128.fromString('-0.1'), -0.1],
    ['zero', Decimal128.fromString('0E-10'), 0],
    ['negative zero', Decimal128.fromString('-0.0'), -0],
  ])('given %s, then it is the number it means', (_, value, expected) => {
    expect(normalise(value)).toBe(expected);
  });

  test.each([
    Long.fromString('9007199254740993'),
    Decimal128.fromString('9007199254740993'),
    Decimal128.fromString('1.00000000000000001'),
    Decimal128.fromString('NaN'),
    Decimal128.fromString('Infinity'),
    Decimal128.fromString('1E+6000'),
    new Double(Number.NaN),
    Object.create({ _bsontype: 'Long', toString: () => '0x10' }),
  ])('given %s, then it stays, for no number holds it', (value) => {
    expect(normalise(value)).toBe(value);
  });

  test('given numbers that go back to the database, then they keep their type', () => {
    const value = { price: { $gt: Decimal128.fromString('0.1') } };
    expect(normalise(value, { numbers: false })).toEqual(value);
  });

  test('given what has a class, then it stays; containers are copied at any depth', () => {
    const id = new ObjectId();
    const at = new Date(0);
    const input = { id, at, pattern: /x/, list: [{ n: new Int32(1) }, null, undefined, 'x', true] };
    const output = normalise(input) as typeof input;
    expect(output).toEqual({ id, at, pattern: /x/, list: [{ n: 1 }, null, undefined, 'x', true] });
    expect(output.id).toBe(id);
    expect(output.at).toBe(at);
  });

  test('given names that could reach a prototype, then they are fields like any other', () => {
    const output = normalise(evil) as Record<string, unknown>;
    expect(Object.keys(output)).toEqual(['__proto__', 'constructor', 'a']);
    expect(Object.getPrototypeOf(output)).toBe(Object.prototype);
    expect(output['polluted']).toBeUndefined();
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  test('given a field _bsontype of the document, then it is left out: the driver could not write it back', () => {
    const stored = { contact: { _bsontype: 'Long', toString: 'x', name: 'Anna' } };
    expect(normalise(stored)).toEqual({ contact: { toString: 'x', name: 'Anna' } });
    expect(bsonType(stored.contact)).toBeUndefined();
    expect(() => BSON.serialize(normalise(stored) as BSON.Document)).not.toThrow();
  });

  test('whatever comes, it never throws and is the same when done twice', () => {
    fc.assert(
      fc.property(fc.anything({ withDate: true, withNullPrototype: true, withBigInt: true }), (value) => {
        const once = normalise(value);
        expect(normalise(once)).toEqual(once);
      }),
      { numRuns: 200 },
    );
  });
});

describe('what a value is', () => {
  test('a number of a class, and nothing else, is a BSON number', () => {
    for (const value of [new Int32(1), new Double(1), Long.fromNumber(1), Decimal128.fromString('1')])
      expect(isBsonNumber(value)).toBe(true);
    for (const value of [1, '1', null, new ObjectId(), { _bsontype: 'Long' }]) expect(isBsonNumber(value)).toBe(false);
  });

  test('ids are strings, finite numbers and ObjectIds', () => {
    expect(['a', '', 1, 1.5, new ObjectId()].map(isId)).toEqual([true, true, true, true, true]);
    expect([Number.NaN, null, undefined, {}, [], new Date(), Long.MAX_VALUE].some(isId)).toBe(false);
  });

  test('dates are dates; a type that is no text is none', () => {
    expect([new Date(), new Date(Number.NaN)].every(isDate)).toBe(true);
    expect([0, '2026', null, {}].some(isDate)).toBe(false);
    expect(bsonType(Object.create({ _bsontype: 7 }))).toBeUndefined();
    expect(bsonType('x')).toBeUndefined();
  });
});

describe('printable', () => {
  test.each([
    ['x', '"x"'],
    ['a\nb', '"a\\nb"'],
    ['x'.repeat(100), `"${'x'.repeat(60)}"... (100 characters)`],
    [`${'x'.repeat(59)}\u{1F600}y`, `"${'x'.repeat(59)}"... (62 characters)`],
    [Number.NaN, 'NaN'],
    [7, '7'],
    [null, 'null'],
    [undefined, 'undefined'],
    [10n, '10n'],
    [Symbol('x'), 'a symbol'],
    [() => 1, 'a function'],
    [[1, 2], 'an array of 2'],
    [evil, 'an object'],
    [Object.create(null), 'an object'],
    [new Date(0), 'the date 1970-01-01T00:00:00.000Z'],
    [new Date(Number.NaN), 'a date out of range'],
    [Long.fromString('9007199254740993'), 'Long 9007199254740993'],
    [/a+/i, 'the regular expression a+'],
    [new BSONRegExp('a++', 'x'), 'the regular expression a++'],
    [10n ** 100n, `1${'0'.repeat(59)}...n`],
  ])('%#: says what it is', (value, text) => {
    expect(printable(value)).toBe(text);
  });
});
