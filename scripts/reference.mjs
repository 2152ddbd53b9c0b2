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

const lines = (...parts) =>
  parts
    .flat()
    .filter((part) => part !== undefined)
    .join('\n');

/** What a number or a text is bounded by, as words behind its type. */
function boundsOf({ minimum, exclusiveMinimum, maximum, maxLength, pattern, format }) {
  if (format === 'duration') return '';
  const said = [
    exclusiveMinimum !== undefined && `more than ${exclusiveMinimum}`,
    minimum !== undefined && `from ${minimum}`,
    maximum !== undefined && `to ${maximum}`,
    maxLength !== undefined && `up to ${maxLength} characters`,
    pattern !== undefined && `like ${code(pattern)}`,
  ];
  return said
    .filter(Boolean)
    .map((words) => `, ${words}`)
    .join('');
}
const countOf = ({ minItems, maxItems }) =>
  maxItems === undefined ? '' : `, ${minItems === undefined ? '' : `${minItems} to `}${maxItems}`;
const link = (title) => `[${title}](#${anchor(title)})`;

class Page {
  /** What has no meaning yet. */
  silent = [];
  #byId;

  constructor(schemas) {
    this.#byId = new Map(schemas.map((schema) => [schema.$id, schema]));
  }

  /** What a reference of the schema `own` leads to, by the heading it has. */
  #target({ $ref }, own) {
    const [file, definition] = $ref.split('#/definitions/');
    if (definition === undefined) return { title: file, schema: this.#byId.get(file) };
    const schema = this.#byId.get(file || own).definitions[definition];
    return { title: schema.title ?? definition, schema };
  }

  #type(field, own) {
    if (field.$ref) return link(this.#target(field, own).title);
    if (field['x-fields']) return 'object';
    if (field.bson) return { id: 'text, number or ObjectId', date: 'date' }[field.bson];
    if (field.const !== undefined) return code(field.const);
    if (field.enum) return field.enum.map(code).join(', ');
    if (field.anyOf) return field.anyOf.map((one) => this.#type(one, own)).join(' or ');
    if (field.type === 'array') return `list of ${this.#type(field.items ?? {}, own)}${countOf(field)}`;
    if (field.type === 'string') return `${field.format === 'duration' ? 'duration' : 'text'}${boundsOf(field)}`;
    if (field.type === 'integer' || field.type === 'number')
      return `${field.type === 'integer' ? 'whole number' : 'number'}${boundsOf(field)}`;
    if (field.type === 'boolean') return 'true, false';
    if (field.type === 'object' || field.properties) return 'object';
    return { number: 'number', 'string | number': 'text or number' }[field.tsType] ?? 'any value';
  }

  #meaning(field, own) {
    const values = Object.entries(field['x-values'] ?? {}).map(([value, meaning]) => `${code(value)}: ${meaning}`);
    const said = [
      field['x-note'] ?? field.description ?? (field.$ref && this.#target(field, own).schema.description),
      values.length > 0 && `${values.join('; ')}.`,
      field.examples && `Such as ${field.examples.map(code).join(', ')}.`,
    ];
    return said.filter(Boolean).join(' ');
  }

  /** One field of the schema `own`, at its path, and those below it. */
  #rows(name, field, { own, path, isRequired }) {
    const at = path + name;
    const meaning = this.#meaning(field, own);
    if (meaning === '') this.silent.push(`${own}: ${at}`);
    const values = Object.keys(field['x-values'] ?? {});
    if (values.length > 0 && values.join() !== field.enum?.join()) this.silent.push(`${own}: a value of ${at}`);
    const marks = [isRequired && name !== '_id' && 'always', field['x-ours'] && 'ours'].filter(Boolean).join(', ');
    const inCode = Object.entries(field['x-fields'] ?? {});
    const inner = inCode.length > 0 ? undefined : field.type === 'array' ? field.items : field;
    return [
      [code(at), this.#type(field, own), marks, meaning],
      ...inCode.map(([below, [type, what]]) => [code(`${at}.${below}`), type, '', what]),
      ...(inner && !inner.$ref ? this.#rowsOf(inner, own, `${at}${field.type === 'array' ? '[]' : ''}.`) : []),
    ];
  }

  #rowsOf({ properties = {}, required = [] }, own, path = '') {
    return Object.entries(properties)
      .filter(([, field]) => field !== false)
      .flatMap(([name, field]) => this.#rows(name, field, { own, path, isRequired: required.includes(name) }));
  }

  #table(schema, own) {
    const rows = this.#rowsOf(schema, own).map((row) => `| ${row.map(cell).join(' | ')} |`);
    return rows.length === 0 ? [] : ['| field | type | | meaning |', '|---|---|---|---|', ...rows, ''];
  }

  #definition(name, definition, own) {
    const choices = (definition.oneOf ?? []).map((one) => this.#type(one, own)).join(', ');
    return [
      ...[`### ${definition.title ?? name}`, ''],
      ...(definition.description ? [definition.description, ''] : []),
      ...(choices === '' ? this.#table(definition, own) : [`One of ${choices}, told apart by its \`type\`.`, '']),
    ];
  }

  section(id) {
    const schema = this.#byId.get(id);
    return lines(
      [`## ${id}`, '', this.#meaning(schema, id), ''],
      schema['x-writer'] ? [`Written by ${schema['x-writer']}.`, ''] : [],
      this.#table(schema, id),
      (schema.oneOf ?? []).flatMap((branch) => this.#table(branch, id)),
      Object.entries(schema.definitions ?? {}).flatMap(([name, one]) => this.#definition(name, one, id)),
    );
  }
}

/** The page. Throws where a field says nothing: then its schema needs a `description` (of a reference: `x-note`). */
export function reference(schemas) {
  const page = new Page(schemas);
  const rest = schemas.map(({ $id }) => $id).filter((id) => ![...parts, ...others, ...read, ...operators].includes(id));
  const list = (ids) => ids.map(link).join(', ');
  const text = lines(
    '<!-- Generated from schemas/*.json by `npm run generate`. Do not edit. -->',
    '# Every field of every collection',
    '',
    'Read [contract.md](contract.md) first: it says what holds for all of this. A field is absent where it is not set, never null.',
    '"always" stands beside fields that every document has, "ours" beside those that only we write in a document of others. A',
    'duration is one of ISO 8601 (`PT6H`, `P3D`) longer than zero, a date a BSON date.',
    '',
    `- Others write: ${list(others)}; parts of these: ${list(parts)}`,
    `- Others read: ${list(read)}`,
    `- Operators write: ${list(operators)}`,
    `- The machinery, of which nothing is promised: ${list(rest)}`,
    '',
    [...others, ...parts, ...read, ...operators, ...rest].map((id) => page.section(id)),
  );
  if (page.silent.length > 0) throw new Error(`no description in schemas/ for ${page.silent.join(', ')}`);
  return `${text.trimEnd()}\n`;
}
