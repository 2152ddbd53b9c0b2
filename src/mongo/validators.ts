import type { Document } from 'mongodb';
import { bundle, collections } from '../domain/generated/schemas.ts';

type Schema = Record<string, unknown>;

/** Numbers arrive in any BSON form and are read as what they mean. */
const integerTypes = ['int', 'long', 'double'];
const bsonTypes: Record<string, string[]> = {
  id: ['string', 'objectId', 'int', 'long', 'double'],
  date: ['date'],
};
/** Keywords that MongoDB's draft 4 dialect takes as they are; any other one makes it refuse the whole schema. */
const copied = new Set([
  'enum',
  'pattern',
  'required',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
]);

/** The MongoDB validator of a collection; undefined where its schema asks for none (hot collections, and those others write). */
export function validatorOf(collection: string): Document | undefined {
  const name = (collections as Record<string, string>)[collection];
  if (!name?.endsWith('!')) return undefined;
  return { $jsonSchema: translate({ $ref: `#/definitions/${name.slice(0, -1)}` }) };
}

/** JSON Schema (draft 7, as our bundle uses it) to $jsonSchema: references resolved, `bson` and `integer` as bsonType, the rest of the keywords left out. */
function translate(schema: Schema): Schema {
  const out: Schema = {};
  for (const [keyword, value] of Object.entries(resolve(schema))) {
    if (copied.has(keyword)) out[keyword] = value;
    else if (keyword === 'const') out['enum'] = [value];
    else if (keyword === 'bson') out['bsonType'] = bsonTypes[String(value)];
    else if (keyword === 'type') Object.assign(out, typeOf(value));
    else if (keyword === 'items') out[keyword] = translate(value as Schema);
    else if (keyword === 'properties') out[keyword] = translateEach(value as Record<string, Schema>);
    else if (keyword === 'additionalProperties' && typeof value === 'object')
      // fields that are not named may be those of a newer release at work beside this one
      out[keyword] = translate(value as Schema);
    else if (keyword === 'oneOf' || keyword === 'anyOf' || keyword === 'allOf')
      out[keyword] = (value as Schema[]).map(translate);
  }
  return out;
}

const translateEach = (properties: Record<string, Schema>): Schema =>
  Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, translate(property)]));

function resolve(schema: Schema): Schema {
  const reference = schema['$ref'];
  if (typeof reference !== 'string') return schema;
  const name = reference.replace('#/definitions/', '');
  const target = bundle.definitions[name];
  if (target === undefined) throw new TypeError(`no definition ${name}`);
  return resolve(target as Schema);
}

function typeOf(type: unknown): Schema {
  if (type === 'integer') return { bsonType: integerTypes, multipleOf: 1 };
  if (type === 'number') return { bsonType: [...integerTypes, 'decimal'] };
  if (type === 'boolean') return { bsonType: 'bool' };
  return { bsonType: type };
}
