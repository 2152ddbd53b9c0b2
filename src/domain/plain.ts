/** Reading documents whose shape nobody vouches for, without ever reaching a prototype. */

/** A plain object, of whatever realm: what has a class (Date, ObjectId) is a value of its own. */
export const isPlain = (value: unknown): value is Record<string, unknown> => {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
};

/** An own field that is set; null counts as not set. */
export const own = (from: object, field: string): unknown =>
  Object.hasOwn(from, field) ? ((from as Record<string, unknown>)[field] ?? undefined) : undefined;

/** `path.key`, in brackets where the key would be ambiguous. */
export const joinPath = (path: string, key: string): string =>
  /^[\w-]+$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
