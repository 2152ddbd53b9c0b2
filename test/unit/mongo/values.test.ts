import { describe, expect, test } from '@jest/globals';
import { Double, Long, ObjectId } from 'mongodb';
import { comparable, extendedJson, parseExtendedJson } from '../../../src/mongo/values.ts';

const large = '9007199254740993';

describe('Extended JSON', () => {
  test('a Long that no number can hold stays what it is, read and written', () => {
    const text = `{"a":{"b":[{"$numberLong":"${large}"},5]}}`;
    const read = parseExtendedJson(text) as { a: { b: unknown[] } };
    expect(String(read.a.b[0])).toBe(large);
    expect(read.a.b[0]).toBeInstanceOf(Long);
    expect(extendedJson(read)).toBe(text);
  });

  test('other numbers are plain; dates and ids are read and written', () => {
    const text = '{"n":{"$numberLong":"5"},"at":{"$date":{"$numberLong":"0"}},"__proto__":{"$numberLong":"7"}}';
    expect(JSON.stringify(parseExtendedJson(text))).toBe('{"n":5,"at":"1970-01-01T00:00:00.000Z","__proto__":7}');
    const id = new ObjectId();
    expect(extendedJson({ id, n: Long.fromNumber(5), d: new Double(5), at: new Date(0) })).toBe(
      `{"id":{"$oid":"${id}"},"n":5,"d":5,"at":{"$date":"1970-01-01T00:00:00Z"}}`,
    );
    expect(parseExtendedJson(`{"$numberLong":"-${large}"}`)).toEqual(Long.fromString(`-${large}`));
  });

  test('documents that differ in such a Long are not the same', () => {
    expect(comparable({ n: Long.fromString(large) })).not.toEqual(
      comparable({ n: Long.fromString('9007199254740992') }),
    );
  });
});
