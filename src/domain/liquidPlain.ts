/** Most templates only print fields. They need no engine: here is the short way for those, and who has to take the long one. */
import { type Template as LiquidNode, Output, TypeGuards } from 'liquidjs';
import { isPlain } from './plain.ts';

/** Literal text, or the path of a printed field. */
export type PlainTemplate = readonly (string | readonly string[])[];

/** liquidjs computes these where the data has none of that name. */
const computed: ReadonlySet<string> = new Set(['size', 'first', 'last']);

/** The parts of a template that consists of text and of outputs without filters but the engine's own, `printer`; undefined for any other. */
export function plainTemplate(nodes: readonly LiquidNode[], printer: unknown): PlainTemplate | undefined {
  const parts: (string | string[])[] = [];
  for (const node of nodes) {
    const part = TypeGuards.isHTMLToken(node.token) ? node.token.getContent() : pathOf(node, printer);
    if (part === undefined) return undefined;
    parts.push(part);
  }
  return parts;
}

function pathOf(node: LiquidNode, printer: unknown): string[] | undefined {
  if (!(node instanceof Output)) return undefined;
  const { filters, initial } = node.value;
  const [token, ...others] = initial.postfix;
  if (filters.length !== 1 || filters[0]?.['handler'] !== printer || others.length > 0) return undefined;
  if (token === undefined || !TypeGuards.isPropertyAccessToken(token) || token.variable !== undefined) return undefined;
  const path: string[] = [];
  for (const prop of token.props) {
    const name = TypeGuards.isWordToken(prop) ? prop.content : undefined;
    if (name === undefined || computed.has(name)) return undefined;
    path.push(name);
  }
  return path;
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
    let value: unknown = scope;
    for (const name of part) {
      if (!isPlainData(value) || !Object.hasOwn(value, name)) return undefined;
      value = value[name];
    }
    if (typeof value !== 'string') return undefined;
    text += encode(value);
  }
  return text;
}

/** A BSON value (DBRef, Code, ...) is the text it stands for, and has no fields. */
const isPlainData = (value: unknown): value is Record<string, unknown> =>
  isPlain(value) && typeof value['_bsontype'] !== 'string';
