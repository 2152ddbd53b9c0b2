#!/usr/bin/env node
// schemas/*.json -> src/domain/generated/{types,schemas}.ts and docs/reference.md; code in documents from its files. `--check` fails when they are out of step.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { compile } from 'json-schema-to-typescript';
import { withIncludes } from './includes.mjs';
import { reference, withoutNotes } from './reference.mjs';

const root = new URL('..', import.meta.url);
const textOf = (path) => readFileSync(new URL(path, root), 'utf8');
const folder = new URL('schemas/', root);
const schemas = readdirSync(folder)
  .filter((file) => file.endsWith('.json'))
  .sort()
  .map((file) => JSON.parse(readFileSync(new URL(file, folder), 'utf8')));
const capital = (name) => name[0].toUpperCase() + name.slice(1);
const titleOf = new Map(schemas.map((schema) => [schema.$id, schema.title]));

/** One bundle with every definition at the top, so that ajv and the type generator resolve the same references. */
function rewrite(node, own) {
  if (Array.isArray(node)) return node.map((item) => rewrite(item, own));
  if (node === null || typeof node !== 'object') return node;
  const out = {};
  for (const [key, value] of Object.entries(node)) {
    if (key === '$ref') {
      const [file, definition] = value.split('#/definitions/');
      const name = definition ? definitionName(file || own, definition) : titleOf.get(file);
      out[key] = `#/definitions/${name}`;
    } else if (!['$schema', '$id', 'definitions'].includes(key)) {
      out[key] = rewrite(value, own);
    }
  }
  return out;
}
function definitionName(file, definition) {
  const schema = schemas.find((candidate) => candidate.$id === file);
  return schema.definitions[definition].title ?? capital(definition);
}

const definitions = {};
for (const schema of schemas) {
  for (const [name, definition] of Object.entries(schema.definitions ?? {}))
    definitions[definitionName(schema.$id, name)] = rewrite(definition, schema.$id);
  definitions[schema.title] = rewrite(schema, schema.$id);
}
const collections = Object.fromEntries(
  schemas
    .filter((schema) => !['contact', 'flow', 'sendWindow'].includes(schema.$id))
    .map((schema) => [schema.$id, schema['x-mongoValidator'] ? `${schema.title}!` : schema.title]),
);

const typed = Object.fromEntries(
  Object.entries(withoutNotes({ definitions }, ['description']).definitions).map(
    ([name, { discriminator: _, 'x-mongoValidator': __, ...definition }]) => [name, { ...definition, title: name }],
  ),
);
const types = await compile(
  { title: 'Bundle', type: 'object', additionalProperties: false, definitions: typed },
  'Bundle',
  {
    bannerComment: '',
    unreachableDefinitions: true,
    additionalProperties: false,
    style: { singleQuote: true, printWidth: 120 },
    ignoreMinAndMaxItems: true,
    strictIndexSignatures: false,
  },
);
const banner = '// Generated from schemas/*.json by `npm run generate`. Do not edit.\n\n';
const imports =
  "import type { Audience, Expansion, Id, Metrics, PinnedAudience, RenderedContent } from '../model.ts';\n\n";
const clean = types
  .replace(/export interface Bundle \{[^}]*\}\n?/, '')
  .replace(
    /\n?\s*\*?\s*This interface was referenced by `Bundle`'s JSON-Schema\n\s*\* via the `definition` "[^"]*"\.\n/g,
    '\n',
  )
  .replace(/\/\*\*\s*\*\/\n/g, '');
const outputs = {
  'src/domain/generated/types.ts': `${banner}${imports}${clean}`,
  'src/domain/generated/schemas.ts': `${banner}/** Every JSON Schema in one bundle; \`collections\` names the definition of each collection ("!": also a MongoDB validator). */\nexport const bundle: { definitions: Record<string, unknown> } = ${JSON.stringify(withoutNotes({ definitions }), null, 2)};\nexport const collections = ${JSON.stringify(collections, null, 2)} as const;\n`,
  'docs/reference.md': reference(schemas),
  'docs/writing-campaigns.md': withIncludes(textOf('docs/writing-campaigns.md'), textOf),
};

let stale = false;
for (const [file, text] of Object.entries(outputs)) {
  const target = new URL(file, root);
  if (process.argv.includes('--check')) {
    let current = '';
    try {
      current = readFileSync(target, 'utf8');
    } catch {
      // a missing file is out of step too
    }
    if (current !== text) {
      stale = true;
      process.stderr.write(`${file} is out of step with what it is made from: run \`npm run generate\`\n`);
    }
  } else {
    writeFileSync(target, text);
  }
}
process.exitCode = stale ? 1 : 0;
