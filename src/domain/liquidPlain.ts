/** Most templates only print fields. They need no engine: here is the short way for those, and who has to take the long one. */
import { type Template as LiquidNode, Output, TypeGuards } from 'liquidjs';
import { isPlain } from './plain.ts';

/** A printed field, and the words that stand where it is missing or empty. */
interface Field {
  path: readonly string[];
  fallback: string | undefined;
}
/** Literal text, or a printed field. */
export type PlainTemplate = readonly (string | Field)[];

/** liquidjs computes these where the data has none of that name. */
const computed: ReadonlySet<string> = new Set(['size', 'first', 'last']);

/**
 * The parts of a template that consists of text and of outputs without filters but the engine's own, `printer`, and `default`
 * with words; undefined for any other.
 */
export function plainTemplate(nodes: readonly LiquidNode[], printer: unknown): PlainTemplate | undefined {
  const parts: (string | Field)[] = [];
  for (const node of nodes) {
    const part = TypeGuards.isHTMLToken(node.token) ? node.token.getContent() : fieldOf(node, printer);
    if (part === undefined) return undefined;
    parts.push(part);
  }
  return parts;
}

type Filters = Output['value']['filters'];

/** The words of `default`, where it is the only filter there is. */
function wordsOf(filters: Filters): string | undefined {
  const [filter, ...others] = filters;
  const [words, ...more] = filter?.args ?? [];
  const isDefault = filter?.name === 'default' && others.length === 0 && more.length === 0;
  return isDefault && TypeGuards.isQuotedToken(words) ? words.content : undefined;
}

function fieldOf(node: LiquidNode, printer: unknown): Field | undefined {
  if (!(node instanceof Output)) return undefined;
  const { filters, initial } = node.value;
  const [token, ...others] = initial.postfix;
  if (filters.at(-1)?.['handler'] !== printer || others.length > 0) return undefined;
  const own = filters.slice(0, -1);
  const fallback = wordsOf(own);
  if (own.length > 0 && fallback === undefined) return undefined;
  if (token === undefined || !TypeGuards.isPropertyAccessToken(token) || token.variable !== undefined) return undefined;
  const path: string[] = [];
  for (const prop of token.props) {
    const name = TypeGuards.isWordToken(prop) ? prop.content : undefined;
    if (name === undefined || computed.has(name)) return undefined;
    path.push(name);
  }
  return { path, fallback };
}

/** The text; undefined when a printed field is anything but a string: what it looks like, or why there is none, the engine says. */
export function renderPlain(
  parts: PlainTemplate,
  scope: Readonly<Record<string, unknown>>,
  encode: (text: string) => string,
): string | undefined {
  let text = '';
  for (const part of parts) {
    if (typeof part === 'string') {
      text += part;
      continue;
    }
    const value = valueAt(scope, part.path);
    const shown = value === missing || (value === '' && part.fallback !== undefined) ? part.fallback : value;
    if (typeof shown !== 'string') return undefined;
    text += encode(shown);
  }
  return text;
}

const missing = Symbol('missing');

/** Undefined where it is not for us to say. */
function valueAt(scope: unknown, path: readonly string[]): unknown {
  let value = scope;
  for (const name of path) {
    if (!isPlainData(value)) return undefined;
    if (!Object.hasOwn(value, name)) return missing;
    value = value[name];
  }
  return value;
}

/** A BSON value (DBRef, Code, ...) is the text it stands for, and has no fields. */
const isPlainData = (value: unknown): value is Record<string, unknown> =>
  isPlain(value) && typeof value['_bsontype'] !== 'string';
