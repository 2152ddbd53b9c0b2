import { describe, expect, test } from '@jest/globals';
import { BSON, BSONRegExp, type Document } from 'mongodb';
import { decodeLeniently, decoding, isUndecodable } from '../../../src/mongo/decoding.ts';
import { brokenBinary } from '../../support/brokenBinary.ts';

const decode = (bytes: Uint8Array): Document =>
  BSON.deserialize(bytes, { bsonRegExp: decoding.bsonRegExp, validation: { utf8: decoding.enableUtf8Validation } });

describe('documents that other drivers wrote', () => {
  test('an expression that only PCRE knows stays what it is, options included', () => {
    const stored = BSON.serialize({ a: new BSONRegExp('(?i)a++', 'x') });
    expect(() => BSON.deserialize(stored)).toThrow(SyntaxError);
    expect(decode(stored)).toEqual({ a: new BSONRegExp('(?i)a++', 'x') });
  });

  test('bytes that are no UTF-8 become U+FFFD', () => {
    const stored = Buffer.from(BSON.serialize({ name: 'Jos?' }));
    stored[stored.indexOf('Jos?') + 3] = 0xe9;
    expect(() => BSON.deserialize(stored)).toThrow();
    expect(decode(stored)).toEqual({ name: 'Jos\uFFFD' });
  });

  test('a value that cannot be decoded reads as null, at any depth; the rest is as it is stored', () => {
    const bytes = BSON.serialize({
      ...{ _id: 'a', bad: brokenBinary(), list: [1, brokenBinary(), { deep: brokenBinary(), on: true }] },
      inner: { when: new Date(5), bad: brokenBinary(), text: 'ü' },
      last: new BSONRegExp('a', 'x'),
    });
    expect(() => decode(bytes)).toThrow();
    expect(decodeLeniently(bytes)).toEqual({
      ...{ _id: 'a', bad: null, list: [1, null, { deep: null, on: true }] },
      inner: { when: new Date(5), bad: null, text: 'ü' },
      last: new BSONRegExp('a', 'x'),
    });
  });

  test('only what decoding throws counts as undecodable', () => {
    let thrown: unknown;
    try {
      decode(BSON.serialize({ broken: brokenBinary() }));
    } catch (error) {
      thrown = error;
    }
    expect([thrown, new SyntaxError(), new Error('away')].map(isUndecodable)).toEqual([true, true, false]);
  });
});
