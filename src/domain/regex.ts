import { bsonType } from './normalise.ts';

/** A regular expression in a document: the driver's (PCRE, with the options of BSON), or one of JavaScript. */
export function regexOf(value: unknown): { source: string; flags: string } | undefined {
  if (value instanceof RegExp) return { source: value.source, flags: value.flags };
  if (bsonType(value) !== 'BSONRegExp') return undefined;
  const { pattern, options } = value as { pattern: string; options: string };
  return { source: pattern, flags: options };
}
