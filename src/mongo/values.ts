/** The driver's values and errors for layers that do not know the driver. */
import {
  BSON,
  type Collection,
  type Db,
  Long,
  type MongoClient,
  MongoError,
  MongoServerError,
  ObjectId,
} from 'mongodb';
import type { ObjectIdLike } from '../domain/model.ts';
import { bsonType } from '../domain/normalise.ts';
import { isPlain } from '../domain/plain.ts';

export type { Collection, Db, MongoClient };

/** The ObjectId of 24 hex digits; undefined for any other text. */
export const objectIdOf = (text: string): ObjectIdLike | undefined =>
  /^[0-9a-f]{24}$/i.test(text) ? new ObjectId(text) : undefined;

/**
 * Relaxed Extended JSON v2: `{"$oid": …}`, `{"$date": …}` and the like become BSON values; a `{"$numberLong": …}` stays a
 * Long where a number would round it. Throws like `JSON.parse`.
 */
export const parseExtendedJson = (text: string): unknown =>
  withoutBigInts(BSON.EJSON.parse(text, { relaxed: true, useBigInt64: true }));

/** The parser makes a bigint of a `$numberLong` only. Objects are changed in place: all were made by it. */
function withoutBigInts(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : Long.fromBigInt(value);
  if (Array.isArray(value)) return value.map(withoutBigInts);
  if (isPlain(value)) for (const [key, inner] of Object.entries(value)) value[key] = withoutBigInts(inner);
  return value;
}

/**
 * A document as one line of relaxed Extended JSON v2. Numbers are written plainly, but a Long that a reader would round: it
 * stays `{"$numberLong": …}`.
 */
export const extendedJson = (document: Record<string, unknown>): string =>
  BSON.EJSON.stringify(withLongs(document), { relaxed: true });

/** A copy, in which a Long past 2^53 is spelled out: the driver would write it as a number. */
function withLongs(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withLongs);
  if (isPlain(value)) return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withLongs(inner)]));
  return bsonType(value) === 'Long' && !Number.isSafeInteger(Number(value)) ? { $numberLong: String(value) } : value;
}

/** A document as plain values that can be compared: what MongoDB would give back, whatever the classes. */
export const comparable = (document: Record<string, unknown>): unknown =>
  JSON.parse(extendedJson(BSON.deserialize(BSON.serialize(document))));

/** What an error of the driver says; undefined for any other error. `code` is the server's, if the server sent it. */
export function mongoErrorOf(error: unknown): { name: string; message: string; code?: number | string } | undefined {
  if (!(error instanceof MongoError)) return undefined;
  const { name, message } = error;
  return error instanceof MongoServerError && error.code !== undefined
    ? { name, message, code: error.code }
    : { name, message };
}

export const isDuplicateKey = (error: unknown): boolean => mongoErrorOf(error)?.code === 11000;
