/** An error of ajv in the words of the document's author: where it is, what it was, what is allowed. */
import type { ErrorObject } from 'ajv';
import type { Fault } from './errors.ts';
import { listed, nameWords, suggestion } from './flowChecks.ts';
import { bundle } from './generated/schemas.ts';
import { bsonType } from './normalise.ts';
import { printable } from './printable.ts';
import { childPath, longestList, pathOf, seen } from './validationView.ts';

interface Schema {
  title?: string;
  type?: string;
  bson?: string;
  format?: string;
  pattern?: string;
  $ref?: string;
  const?: unknown;
  enum?: unknown[];
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  properties?: Record<string, Schema>;
  required?: string[];
  oneOf?: Schema[];
  discriminator?: { propertyName: string };
}

/** The fault an error means. Several may mean the same one, at the same path. `root` is what was validated. */
export function explain(error: ErrorObject, root: unknown): Fault {
  const path = pathOf(error.instancePath, root);
  const schema = error.parentSchema as Schema;
  switch (error.keyword) {
    case 'required':
      return missing(error, schema, path);
    case 'additionalProperties':
      return unknownField(error, schema, path);
    case 'discriminator':
      return wrongKind(error.params['tag'], seen(error.params['tagValue']), schema, path);
    case 'oneOf':
      return {
        code: 'not_allowed',
        path,
        message: `has to have exactly one of ${alternatives(schema)}, and no field of the others`,
      };
    default:
      return wrongValue(error, schema, path);
  }
}

// ---------------------------------------------------------------- fields

function missing(error: ErrorObject, schema: Schema, path: string): Fault {
  const field: string = error.params['missingProperty'];
  if (schema.discriminator?.propertyName === field) return wrongKind(field, undefined, schema, path);
  const wanted = expected(schema.properties?.[field] ?? {});
  return { code: 'required', path: childPath(path, field), message: `is missing; it has to be ${wanted}` };
}

function unknownField(error: ErrorObject, schema: Schema, path: string): Fault {
  const field: string = error.params['additionalProperty'];
  const at = childPath(path, field);
  const known = Object.keys(schema.properties ?? {});
  const message = `there is no field ${printable(field)} here.${suggestion(field, known)} Allowed: ${listed(known)}`;
  return { code: 'unknown_field', path: at, message };
}

// ---------------------------------------------------------------- values

/** A stage of an unknown type, or of none. */
function wrongKind(tag: string, value: unknown, schema: Schema, path: string): Fault {
  const kinds = (schema.oneOf ?? []).map((branch) => resolve(branch).properties?.[tag]?.const);
  const at = childPath(path, tag);
  const wanted = `it has to be ${oneOf(kinds)}`;
  if (value === undefined) return { code: 'required', path: at, message: `is missing; ${wanted}` };
  return { code: typeof value === 'string' ? 'not_allowed' : 'type', path: at, message: was(value, wanted) };
}

function wrongValue(error: ErrorObject, schema: Schema, path: string): Fault {
  const value = seen(error.data);
  if (error.keyword === 'minProperties' || error.keyword === 'maxProperties') {
    const fields = Object.keys(value as object);
    const has = fields.length === 0 ? 'none' : listed(fields);
    const message = `has to have exactly one of ${listed(Object.keys(schema.properties ?? {}))}, has ${has}`;
    return { code: 'not_allowed', path, message };
  }
  const wanted = `it has to be ${expected(schema)}`;
  return { code: codeOf(error.keyword, schema), path, message: was(value, wanted) };
}

const was = (value: unknown, wanted: string): string => {
  const shown = Array.isArray(value) && value.length === longestList ? 'a longer list' : printable(value);
  return `was ${shown}${inexact(value)}; ${wanted}`;
};

/** Why a BSON number was not taken for one. */
function inexact(value: unknown): string {
  const type = bsonType(value);
  return type === 'Long' || type === 'Decimal128' ? ', more than a number can hold exactly' : '';
}

function codeOf(keyword: string, schema: Schema): string {
  if (schema.format === 'duration' && keyword !== 'type') return 'duration_invalid';
  return keyword === 'type' || keyword === 'bson' ? 'type' : 'not_allowed';
}

// ---------------------------------------------------------------- what is allowed

function resolve(schema: Schema): Schema {
  const name = schema.$ref?.replace('#/definitions/', '');
  return name === undefined ? schema : (bundle.definitions[name] as Schema);
}

const oneOf = (values: readonly unknown[]): string =>
  `one of ${values.map((value) => JSON.stringify(value)).join(', ')}`;

const alternatives = (schema: Schema): string => listed((schema.oneOf ?? []).flatMap(({ required = [] }) => required));

function expected(unresolved: Schema): string {
  const schema = resolve(unresolved);
  if (schema.bson === 'date') return 'a date';
  if (schema.bson === 'id') return 'a string, a number or an ObjectId';
  if (schema.enum) return oneOf(schema.enum);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.format === 'duration') return 'an ISO 8601 duration such as "P3D" or "PT90M"';
  if (schema.pattern !== undefined) return patterns.get(schema.pattern) ?? `text that matches ${schema.pattern}`;
  switch (schema.type) {
    case 'integer':
      return `a whole number${range(', ', schema.minimum, schema.maximum)}`;
    case 'number':
      return `a number${range(', ', schema.minimum, schema.maximum)}${above(schema.exclusiveMinimum)}`;
    case 'string':
      return `a string${range(' of ', schema.minLength, schema.maxLength, ' characters')}`;
    case 'array':
      return `a list${range(' of ', schema.minItems, schema.maxItems, ' items')}`;
    case 'boolean':
      return 'true or false';
    default:
      return schema.type === 'object' ? 'an object' : 'set';
  }
}

const patterns: ReadonlyMap<string, string> = new Map([['^[A-Za-z][A-Za-z0-9_-]{0,63}$', nameWords]]);

const above = (bound: number | undefined): string => (bound === undefined ? '' : `, more than ${bound}`);

function range(before: string, least: number | undefined, most: number | undefined, after = ''): string {
  if (least === undefined) return most === undefined ? '' : `${before}at most ${most}${after}`;
  return `${before}${most === undefined ? `at least ${least}` : `${least} to ${most}`}${after}`;
}
