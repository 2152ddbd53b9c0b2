/** The driver's values and errors for layers that do not know the driver. */
import { BSON, type Collection, type Db, type MongoClient, MongoError, MongoServerError, ObjectId } from 'mongodb';
import type { ObjectIdLike } from '../domain/model.ts';

export type { Collection, Db, MongoClient };

/** The ObjectId of 24 hex digits; undefined for any other text. */
export const objectIdOf = (text: string): ObjectIdLike | undefined =>
  /^[0-9a-f]{24}$/i.test(text) ? new ObjectId(text) : undefined;

/** Relaxed Extended JSON v2: `{"$oid": …}`, `{"$date": …}` and the like become BSON values. Throws like `JSON.parse`. */
export const parseExtendedJson = (text: string): unknown => BSON.EJSON.parse(text, { relaxed: true });

/** A document as one line of relaxed Extended JSON v2, which keeps every type. */
export const extendedJson = (document: Record<string, unknown>): string =>
  BSON.EJSON.stringify(document, { relaxed: true });

/** A document as plain values that can be compared: what MongoDB would give back, whatever the classes. */
export const comparable = (document: Record<string, unknown>): unknown =>
  JSON.parse(BSON.EJSON.stringify(BSON.deserialize(BSON.serialize(document)), { relaxed: true }));

/** What an error of the driver says; undefined for any other error. `code` is the server's, if the server sent it. */
export function mongoErrorOf(error: unknown): { name: string; message: string; code?: number | string } | undefined {
  if (!(error instanceof MongoError)) return undefined;
  const { name, message } = error;
  return error instanceof MongoServerError && error.code !== undefined
    ? { name, message, code: error.code }
    : { name, message };
}

export const isDuplicateKey = (error: unknown): boolean => mongoErrorOf(error)?.code === 11000;
