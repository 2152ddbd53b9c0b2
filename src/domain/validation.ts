/** Documents against their schemas: one readable fault per problem, each with its path. */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { Fault } from './errors.ts';
import { bundle } from './generated/schemas.ts';
import { isDate, isId } from './normalise.ts';
import { isPlain } from './plain.ts';
import { parseDuration } from './timing.ts';
import { explain } from './validationFaults.ts';
import { notSupported, unsupportedFields } from './validationLater.ts';
import { seen, type View, viewOf } from './validationView.ts';

/** More values than a document that is meant seriously has; past it only the first fault is looked for. */
const largestView = 100_000;
/** As many as anyone reads. */
const mostFaults = 200;

function bson(kind: string, value: unknown): boolean {
  const real = seen(value);
  return kind === 'date' ? isDate(real) : isId(real);
}

function newAjv(allErrors: boolean): Ajv {
  const ajv = new Ajv({
    strict: true,
    // the branches of a `oneOf` require what their parent defines
    strictRequired: false,
    allErrors,
    verbose: true,
    discriminator: true,
    keywords: ['tsType', 'x-mongoValidator'],
    formats: { duration: (text: string) => parseDuration(text) !== undefined },
  });
  ajv.addKeyword({ keyword: 'bson', schemaType: 'string', errors: false, validate: bson });
  return ajv.addSchema({ $id: 'bundle', ...bundle });
}

const instances = new Map<boolean, Ajv>();

/** Compiled when first asked for; ajv keeps what it compiled. */
function validatorOf(definition: string, allErrors: boolean): ValidateFunction {
  const ajv = instances.get(allErrors) ?? newAjv(allErrors);
  instances.set(allErrors, ajv);
  const validate = ajv.getSchema(`bundle#/definitions/${definition}`);
  if (validate === undefined) throw new Error(`there is no schema definition ${definition}`);
  return validate;
}

/**
 * Everything wrong with a document, by the definition of that name (`CampaignDocument`, `Template`, `Contact`, ...); empty
 * when nothing is. Numbers are expected plain (see `normalise`). Codes: `required`, `type`, `not_allowed`, `unknown_field`,
 * `date_invalid`, `duration_invalid`, and `not_supported` for what the contract knows and this release does not run.
 * A list of 200 at most; of a document with more than 100,000 values only the first fault. Throws only for an unknown
 * definition, whatever the value is.
 */
export function faultsOf(definition: string, value: unknown): Fault[] {
  const view = viewOf(value);
  const validate = validatorOf(definition, view.size <= largestView);
  validate(view.value);
  const faults = [
    ...view.invalidDates.map(
      (path): Fault => ({ code: 'date_invalid', path, message: 'is outside the range of a Date' }),
    ),
    ...unsupportedOf(definition, view),
    ...explainAll(validate.errors ?? [], view),
  ];
  return onePerPath(faults).slice(0, mostFaults);
}

/** Errors of a `oneOf`'s branches say nothing that the `oneOf` does not say; after a wrong type it says nothing either. */
function explainAll(errors: readonly ErrorObject[], view: View): Fault[] {
  const mistyped = new Set(errors.filter(({ keyword }) => keyword === 'type').map(({ instancePath }) => instancePath));
  return errors
    .filter(({ schemaPath }) => !schemaPath.includes('/oneOf/'))
    .filter(({ keyword, instancePath }) => keyword !== 'oneOf' || !mistyped.has(instancePath))
    .map((error) => explain(error, view.value));
}

/** Top-level fields of a document that others may extend: they pass the schema, and must not be ignored. */
function unsupportedOf(definition: string, view: View): Fault[] {
  const fields = unsupportedFields.get(definition) ?? [];
  const document = isPlain(view.value) ? view.value : {};
  return fields.filter((field) => Object.hasOwn(document, field)).map((field) => notSupported(field, field));
}

function onePerPath(faults: readonly Fault[]): Fault[] {
  const first = new Map<string, Fault>();
  for (const fault of faults) if (!first.has(fault.path)) first.set(fault.path, fault);
  return [...first.values()];
}
