/** How documents are decoded that others wrote, whatever their drivers let them write. */
import { BSON, type Document, type FindCursor } from 'mongodb';

/**
 * Options of every client. A regular expression stays one of BSON, for PCRE knows more than JavaScript does, and bytes that are
 * no UTF-8 become U+FFFD: MongoDB stores both without a word.
 */
export const decoding = { bsonRegExp: true, enableUtf8Validation: false } as const;

const { parseToElements } = BSON.onDemand;
const types = { object: 3, array: 4 } as const;

/** The driver cannot decode what the server sent: says nothing of the server. */
export const isUndecodable = (error: unknown): boolean =>
  BSON.BSONError.isBSONError(error) || error instanceof SyntaxError || error instanceof RangeError;

/** A document in which what cannot be decoded reads as null, which counts as not set; the rest is as it is stored. */
export function decodeLeniently(bytes: Uint8Array): Document {
  try {
    return BSON.deserialize(bytes, { bsonRegExp: true, validation: { utf8: false } });
  } catch {
    return Object.fromEntries(fieldsOf(bytes));
  }
}

function fieldsOf(bytes: Uint8Array): [name: string, value: unknown][] {
  return [...parseToElements(bytes)].map(([type, nameAt, nameLength, at, length]) => {
    const name = Buffer.from(bytes.subarray(nameAt, nameAt + nameLength)).toString('utf8');
    const value = bytes.subarray(at, at + length);
    if (type === types.object) return [name, decodeLeniently(value)];
    if (type === types.array) return [name, fieldsOf(value).map(([, item]) => item)];
    return [name, decodedValue(type, value)];
  });
}

/** Decoded as the one field of a document. */
function decodedValue(type: number, value: Uint8Array): unknown {
  const size = 4 + 3 + value.length + 1;
  const document = Buffer.alloc(size);
  document.writeInt32LE(size, 0);
  document.writeUInt8(type, 4);
  document.write('v', 5);
  document.set(value, 7);
  try {
    return BSON.deserialize(document, { bsonRegExp: true, validation: { utf8: false } })['v'];
  } catch {
    return null;
  }
}

type Find<T extends Document> = (how: { raw?: true }) => FindCursor<T>;

/** All that a query finds: as the driver decodes it, and leniently where it cannot. */
export const readAll = <T extends Document>(find: Find<T>): Promise<T[]> =>
  orLeniently(find, (found) => found.toArray());

/** What `read` takes from the cursor, likewise; the cursor is closed. */
export async function orLeniently<T extends Document>(
  find: Find<T>,
  read: (cursor: FindCursor<T>) => Promise<T[]>,
): Promise<T[]> {
  try {
    return await closed(find({}), read);
  } catch (error) {
    if (!isUndecodable(error)) throw error;
    const found = await closed(find({ raw: true }), read);
    return found.map((bytes) => decodeLeniently(bytes as unknown as Uint8Array) as T);
  }
}

async function closed<T extends Document>(
  cursor: FindCursor<T>,
  read: (cursor: FindCursor<T>) => Promise<T[]>,
): Promise<T[]> {
  try {
    return await read(cursor);
  } finally {
    await cursor.close();
  }
}
