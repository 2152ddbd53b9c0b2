/** Names that templates and conditions may say, and those that nothing ever has. */
import { fieldNames } from './contact.ts';
import type { CompiledFlow } from './flow.ts';
import { listed, suggestion } from './flowChecks.ts';
import { writtenAs } from './liquidUses.ts';
import { isPlain } from './plain.ts';

export type Path = readonly (string | number)[];

export interface NameContext {
  flow: CompiledFlow;
  variables: Readonly<Record<string, unknown>>;
  /** What templates see as `campaign`. */
  campaign: Readonly<Record<string, unknown>>;
  /** Fields that the audience's `map` adds to those of a contact. */
  mapped: readonly string[];
}

const contactFields = ['id', ...fieldNames];

/** Whether a contact can have a field of that name; `mapped`: see `NameContext`. */
export const isContactField = (name: string, mapped: readonly string[]): boolean =>
  contactFields.includes(name) || mapped.includes(name);

/** What a template may say. */
const roots = ['contact', 'variables', 'campaign', 'conversation', 'event', 'unsubscribe'];
/** Of those that are ours, the fields. */
const fieldsOf: Readonly<Record<string, readonly string[]>> = {
  conversation: ['id', 'stage', 'step', 'sequence', 'variant', 'repliedAt'],
  event: ['id', 'type', 'channel', 'text', 'at', 'data'],
  unsubscribe: ['url', 'mailto'],
};

/** Why nothing ever has that name. */
export function misnamed([root, field]: Path, { variables, mapped }: NameContext): string | undefined {
  const name = String(root);
  if (!roots.includes(name)) {
    const meant = contactFields.includes(name)
      ? ` Did you mean contact.${name}?`
      : Object.hasOwn(variables, name)
        ? ` Did you mean variables.${name}?`
        : suggestion(name, roots);
    return `there is no ${JSON.stringify(name)}.${meant} A message can say ${roots.join(', ')}`;
  }
  if (field === undefined) return undefined;
  const asked = String(field);
  if (name === 'contact') {
    if (isContactField(asked, mapped)) return undefined;
    const meant = suggestion(asked, [...contactFields, ...mapped]) || ` Did you mean contact.attributes.${asked}?`;
    return `a contact has no ${JSON.stringify(asked)}.${meant}`;
  }
  const fields = fieldsOf[name];
  if (fields === undefined || fields.includes(asked)) return undefined;
  return `${name} has no ${JSON.stringify(asked)}.${suggestion(asked, fields)} It has ${listed(fields)}`;
}

/** As templates see it: a null is as missing as an absent field. */
export function hasValue(scope: object, path: Path): boolean {
  return !told.has(path[0]) || brokenAt(scope, path) === undefined;
}
/** Of `unsubscribe` and what is no data the rendering tells. */
const told: ReadonlySet<unknown> = new Set(['contact', 'variables', 'campaign', 'conversation', 'event']);

/** The index of the first part of a path that leads to nothing, and the value before it; undefined when all of it is there. */
function brokenAt(scope: object, path: Path): { index: number; from: unknown } | undefined {
  let value: unknown = scope;
  for (const [index, part] of path.entries()) {
    const from = value;
    if (Array.isArray(value) && typeof part === 'number') value = value.at(part);
    else value = isPlain(value) && Object.hasOwn(value, part) ? value[String(part)] : undefined;
    if (value === undefined || value === null) return { index, from };
  }
  return undefined;
}

/** What the campaign has not, and what it has instead. */
export interface Lacked {
  what: string;
  instead: string;
}

/** Undefined when the campaign has it, and for contacts, conversations and events, of which it cannot know. */
export function lackedBy(path: Path, { flow, variables, campaign }: NameContext): Lacked | undefined {
  const [root, first] = path;
  if (root !== 'variables' && root !== 'campaign') return undefined;
  // a stage may keep an answer under its own name
  if (root === 'variables' && flow.stages.has(String(first))) return undefined;
  const broken = brokenAt({ variables, campaign }, path);
  if (broken === undefined) return undefined;
  const { index, from } = broken;
  const name = JSON.stringify(path[index]);
  const of = root === 'variables' ? 'among its variables' : 'to say of itself';
  const what = index > 1 ? `${writtenAs(path.slice(0, index))} has no ${name}` : `the campaign has no ${name} ${of}`;
  if (!isPlain(from)) return { what, instead: '' };
  const names = Object.keys(from);
  const known = names.length === 0 ? 'It has none.' : `It has ${listed(names)}.`;
  return { what, instead: `.${suggestion(String(path[index]), names)} ${known}` };
}
