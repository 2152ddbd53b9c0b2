// docs/reference.md from schemas/*.json: every collection, who writes it, and every field with type, bounds and meaning. Beside what
// JSON Schema knows it reads annotations that are left out of everything that runs: `x-writer` (of a collection), `x-ours` (a field
// that we write where others write the rest), `x-note` (the meaning of a reference), `x-values` (of an enum) and `x-fields` (of an
// object whose rules are in the code).

const annotations = ['description', 'examples', 'x-writer', 'x-ours', 'x-note', 'x-values', 'x-fields'];

/** A schema without what only people read; `kept` stays. Names of properties are no keywords. */
export function withoutNotes(node, kept = [], isNames = false) {
  if (Array.isArray(node)) return node.map((item) => withoutNotes(item, kept));
  if (node === null || typeof node !== 'object') return node;
  const own = Object.entries(node).filter(([key]) => isNames || !annotations.includes(key) || kept.includes(key));
  const namesBelow = (key) => !isNames && (key === 'properties' || key === 'definitions');
  return Object.fromEntries(own.map(([key, value]) => [key, withoutNotes(value, kept, namesBelow(key))]));
}

const code = (value) => `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
const cell = (text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const anchor = (title) => title.toLowerCase().replaceAll(/[^a-z0-9_-]/g, '');
const parts = ['contact', 'flow', 'sendWindow'];
const others = ['campaigns', 'templates', 'enrollments', 'inbound_events'];
const read = ['conversation_states', 'messages', 'escalations', 'suppressions', 'dead_letters', 'campaign_runs'];
const operators = ['settings', 'rate_limits'];

/** The page. Throws where a field says nothing: then its schema needs a `description` (of a reference: `x-note`). */
export function reference(schemas) {
  const byId = new Map(schemas.map((schema) => [schema.$id, schema]));
  const rest = schemas.map(({ $id }) => $id).filter((id) => ![...parts, ...others, ...read, ...operators].includes(id));
  const silent = [];

  /** What a reference leads to, as a heading of the page; undefined where it is spelt out in place. */
  function linkOf({ $ref }, own) {
    const [file, definition] = $ref.split('#/definitions/');
    if (definition === undefined) return { title: file, schema: byId.get(file) };
    const schema = byId.get(file || own).definitions[definition];
    return { title: schema.title ?? definition, schema };
  }

  function typeOf(field, own) {
    if (field.$ref) {
      const { title } = linkOf(field, own);
      return `[${title}](#${anchor(title)})`;
    }
    if (field['x-fields']) return 'object';
    if (field.bson) return { id: 'text, number or ObjectId', date: 'date' }[field.bson];
    if (field.const !== undefined) return code(field.const);
    if (field.enum) return field.enum.map(code).join(', ');
    if (field.anyOf) return field.anyOf.map((one) => typeOf(one, own)).join(' or ');
    if (field.type === 'array') return `list of ${typeOf(field.items ?? {}, own)}${countOf(field)}`;
    if (field.type === 'string') return `${field.format === 'duration' ? 'duration' : 'text'}${boundsOf(field)}`;
    if (field.type === 'integer' || field.type === 'number')
      return `${field.type === 'integer' ? 'whole number' : 'number'}${boundsOf(field)}`;
    if (field.type === 'boolean') return 'true, false';
    if (field.type === 'object' || field.properties) return 'object';
    return { number: 'number', 'string | number': 'text or number' }[field.tsType] ?? 'any value';
  }

  function boundsOf({ minimum, exclusiveMinimum, maximum, maxLength, pattern, format }) {
    if (format === 'duration') return '';
    const said = [];
    if (exclusiveMinimum !== undefined) said.push(`more than ${exclusiveMinimum}`);
    if (minimum !== undefined) said.push(`from ${minimum}`);
    if (maximum !== undefined) said.push(`to ${maximum}`);
    if (maxLength !== undefined) said.push(`up to ${maxLength} characters`);
    if (pattern !== undefined) said.push(`like ${code(pattern)}`);
    return said.length > 0 ? `, ${said.join(', ')}` : '';
  }
  const countOf = ({ minItems, maxItems }) =>
    maxItems === undefined ? '' : `, ${minItems === undefined ? '' : `${minItems} to `}${maxItems}`;

  function meaningOf(field, own) {
    const said = [field['x-note'] ?? field.description ?? (field.$ref && linkOf(field, own).schema.description)];
    if (field['x-values'])
      said.push(
        `${Object.entries(field['x-values'])
          .map(([value, meaning]) => `${code(value)}: ${meaning}`)
          .join('; ')}.`,
      );
    if (field.examples) said.push(`Such as ${field.examples.map(code).join(', ')}.`);
    return said.filter(Boolean).join(' ');
  }

  /** The rows of an object, with those of the objects in it. */
  function rows(schema, own, path = '') {
    const out = [];
    for (const [name, field] of Object.entries(schema.properties ?? {})) {
      if (field === false) continue;
      const at = path + name;
      const meaning = meaningOf(field, own);
      if (meaning === '') silent.push(`${own}: ${at}`);
      const values = Object.keys(field['x-values'] ?? {});
      if (values.length > 0 && values.join() !== field.enum?.join()) silent.push(`${own}: a value of ${at}`);
      const marks = [
        ...(schema.required?.includes(name) && name !== '_id' ? ['always'] : []),
        ...(field['x-ours'] ? ['ours'] : []),
      ];
      out.push([code(at), typeOf(field, own), marks.join(', '), meaning]);
      for (const [below, [type, what]] of Object.entries(field['x-fields'] ?? {}))
        out.push([code(`${at}.${below}`), type, '', what]);
      const inner = field.type === 'array' ? field.items : field;
      if (inner && !inner.$ref && !field['x-fields'])
        out.push(...rows(inner, own, `${at}${field.type === 'array' ? '[]' : ''}.`));
    }
    return out;
  }

  function table(schema, own) {
    const lines = rows(schema, own).map((row) => `| ${row.map(cell).join(' | ')} |`);
    return ['| field | type | | meaning |', '|---|---|---|---|', ...lines].join('\n');
  }

  function section(id) {
    const schema = byId.get(id);
    const text = [`## ${id}`, '', meaningOf(schema), ''];
    if (schema['x-writer']) text.push(`Written by ${schema['x-writer']}.`, '');
    if (schema.properties) text.push(table(schema, id), '');
    for (const branch of schema.oneOf ?? []) if (branch.properties) text.push(table(branch, id), '');
    for (const [name, definition] of Object.entries(schema.definitions ?? {})) {
      if (!definition.properties) {
        const choices = definition.oneOf.map((one) => typeOf(one, id));
        text.push(
          `### ${definition.title ?? name}`,
          '',
          `One of ${choices.join(', ')}, told apart by its \`type\`.`,
          '',
        );
        continue;
      }
      text.push(`### ${definition.title ?? name}`, '');
      if (definition.description) text.push(definition.description, '');
      text.push(table(definition, id), '');
    }
    return text.join('\n');
  }

  const list = (ids) => ids.map((id) => `[${id}](#${anchor(id)})`).join(', ');
  const text = [
    '<!-- Generated from schemas/*.json by `npm run generate`. Do not edit. -->',
    '# Every field of every collection',
    '',
    'Read [contract.md](contract.md) first: it says what holds for all of this. A field is absent where it is not set, never null.',
    '"always" stands beside fields that every document has, "ours" beside those that only we write in a document of others. A',
    'duration is one of ISO 8601 (`PT6H`, `P3D`) longer than zero, a date a BSON date.',
    '',
    `Others write: ${list(others)}. Others read: ${list(read)}. Operators write: ${list(operators)}. Parts of several: ${list(parts)}.`,
    `The machinery, of which nothing is promised: ${list(rest)}.`,
    '',
    ...[...others, ...parts, ...read, ...operators, ...rest].map(section),
  ].join('\n');
  if (silent.length > 0) throw new Error(`no description in schemas/ for ${silent.join(', ')}`);
  return `${text.trimEnd()}\n`;
}
