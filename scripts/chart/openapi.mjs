// Strict JSON schemas for kubeconform out of what Kubernetes publishes with its source: `api/openapi-spec/swagger.json` (OpenAPI 2).
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the API server reads in more than one form. */
const special = {
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': { type: ['string', 'integer'] },
  'io.k8s.apimachinery.pkg.api.resource.Quantity': { type: ['string', 'number'] },
  // of CRDs only: its own fields have a `$` that no struct shows
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps': { type: 'object' },
};

/** What has properties has no others; what may be left out may be null, which says the same. */
function strict(schema) {
  if (schema.$ref !== undefined) return { $ref: schema.$ref.replace('#/', '_definitions.json#/') };
  const { type, required = [], properties, additionalProperties, items } = schema;
  const optional = (name, part) =>
    typeof part.type === 'string' && !required.includes(name) ? { ...part, type: [part.type, 'null'] } : part;
  return {
    ...(type === undefined ? {} : { type }),
    ...(required.length === 0 ? {} : { required }),
    ...(properties === undefined ? {} : { additionalProperties: false }),
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(
            Object.entries(properties).map(([name, part]) => [name, optional(name, strict(part))]),
          ),
        }),
    ...(additionalProperties === undefined ? {} : { additionalProperties: strict(additionalProperties) }),
    ...(items === undefined ? {} : { items: strict(items) }),
  };
}

/** Files as kubeconform looks for them: one a kind and version, and `_definitions.json` for all. @returns how many kinds */
export function writeOwnSchemas({ definitions }, folder) {
  const all = Object.fromEntries(
    Object.entries(definitions).map(([name, schema]) => [name, special[name] ?? strict(schema)]),
  );
  writeFileSync(join(folder, '_definitions.json'), JSON.stringify({ definitions: all }));
  let kinds = 0;
  for (const [name, { 'x-kubernetes-group-version-kind': known = [], properties }] of Object.entries(definitions)) {
    // what any kind has, such as DeleteOptions, names them all
    if (known.length !== 1 || properties?.kind === undefined) continue;
    const [{ group, version, kind }] = known;
    const { required = [], ...own } = all[name];
    const fields = { ...own.properties, apiVersion: { enum: [group ? `${group}/${version}` : version] } };
    const whole = { ...own, properties: fields, required: [...new Set([...required, 'apiVersion', 'kind'])] };
    const file = [kind.toLowerCase(), ...(group ? [group.split('.')[0]] : []), version].join('-');
    writeFileSync(join(folder, `${file}.json`), JSON.stringify(whole));
    kinds++;
  }
  return kinds;
}
