/** What a message says: checked and parsed once when a campaign starts, rendered for each contact. */
import type { Fault } from './errors.ts';
import { createRenderer, parseTemplate, type Template, TemplateFailure } from './liquid.ts';
import type { Contact, Content, ContentVariant, RenderedContent } from './model.ts';
import { isPlain, joinPath, own } from './plain.ts';

/** What templates can read. */
export interface Scope {
  contact: Contact;
  variables: Record<string, unknown>;
  campaign: Record<string, unknown>;
  conversation?: Record<string, unknown>;
  event?: Record<string, unknown>;
  /** How to leave, of this conversation. */
  unsubscribe?: { url?: string; mailto?: string };
}

type Render = (template: Template) => string;
/** A JSON value with templates in it; `constant` when there are none, so that it is never copied. */
type CompiledValue = { constant: unknown } | ((render: Render) => unknown);

export interface CompiledVariant {
  subject?: Template;
  text?: Template;
  html?: Template;
  body?: CompiledValue;
  attachments?: CompiledValue;
}

/** Parsed templates; the variants are complete, so that one of them is all a message needs. */
export type CompiledContent = Localised<CompiledVariant>;

export type RenderResult =
  | { kind: 'rendered'; content: RenderedContent }
  | { kind: 'failed'; reason: 'template_variable_missing' | 'template_error' | 'content_empty'; message: string };

const textFields = ['subject', 'text', 'html'] as const;
const valueFields = ['body', 'attachments'] as const;
/** As deep as the server lets documents nest. */
const maxDepth = 100;

type Report = (path: string, message: string) => void;

function compileTemplate(source: unknown, path: string, html: boolean, report: Report): Template {
  if (typeof source !== 'string') {
    report(path, 'is not a string');
    return '';
  }
  try {
    return parseTemplate(source, html);
  } catch (error) {
    report(path, (error as Error).message);
    return '';
  }
}

function compileValue(value: unknown, path: string, depth: number, report: Report): CompiledValue {
  if (typeof value === 'string') {
    const template = compileTemplate(value, path, false, report);
    return typeof template === 'string' ? { constant: template } : (render) => render(template);
  }
  if (!Array.isArray(value) && !isPlain(value)) return { constant: value };
  if (depth > maxDepth) {
    report(path, `nests deeper than ${maxDepth} levels`);
    return { constant: null };
  }
  if (Array.isArray(value)) {
    const items = value.map((item: unknown, index) => compileValue(item, `${path}[${index}]`, depth + 1, report));
    if (items.every(isConstant)) return { constant: items.map((item) => item.constant) };
    return (render) => items.map((item) => fill(item, render));
  }
  const fields = Object.entries(value).map(
    ([key, field]) => [key, compileValue(field, joinPath(path, key), depth + 1, report)] as const,
  );
  // Object.fromEntries defines own properties, whatever their names: no key reaches a prototype.
  const build = (render: Render) => Object.fromEntries(fields.map(([key, field]) => [key, fill(field, render)]));
  return fields.every(([, field]) => isConstant(field)) ? { constant: build(String) } : build;
}

const isConstant = (value: CompiledValue): value is { constant: unknown } => typeof value !== 'function';

const fill = (value: CompiledValue, render: Render): unknown => (isConstant(value) ? value.constant : value(render));

function compileVariant(content: Record<string, unknown>, path: string, report: Report): CompiledVariant {
  const variant: CompiledVariant = {};
  for (const field of textFields) {
    const source = own(content, field);
    if (source !== undefined) variant[field] = compileTemplate(source, `${path}.${field}`, field === 'html', report);
  }
  for (const field of valueFields) {
    const value = own(content, field);
    if (value !== undefined) variant[field] = compileValue(value, `${path}.${field}`, 0, report);
  }
  return variant;
}

/**
 * A variant over what it varies: what it does not say is taken from there. Only `text` and `html` go together, for they are
 * two forms of one text: a variant that says one of them never comes with the other in the wrong language.
 */
function overlay<V extends { text?: unknown; html?: unknown }>(base: V, variant: V): V {
  if (variant.text === undefined && variant.html === undefined) return { ...base, ...variant };
  const { text: _text, html: _html, ...rest } = base;
  return { ...(rest as V), ...variant };
}

/**
 * Parses every template of a content. Faults have the code `template_invalid`, the path of the very string
 * (`<path>.locales.de.text`), and line and column in the message. Never throws, whatever the content is.
 */
export function compileContent(content: Content, path: string): { content?: CompiledContent; faults: Fault[] } {
  const faults: Fault[] = [];
  const report: Report = (at, message) => faults.push({ code: 'template_invalid', path: at, message });
  if (!isPlain(content)) return { faults: [{ code: 'template_invalid', path, message: 'is not an object' }] };
  const base = compileVariant(content, path, report);
  const locales = new Map<string, CompiledVariant>();
  for (const [tag, variant] of variantsOf(content)) {
    const at = joinPath(`${path}.locales`, tag);
    if (isPlain(variant)) locales.set(normalTag(tag), overlay(base, compileVariant(variant, at, report)));
    else report(at, 'is not an object');
  }
  return faults.length > 0 ? { faults } : { content: { base, locales }, faults };
}

const variantsOf = (content: object): [string, unknown][] => {
  const locales = own(content, 'locales');
  return isPlain(locales) ? Object.entries(locales) : [];
};

const normalTag = (tag: string): string => tag.replaceAll('_', '-').toLowerCase();

/** A content's own form, and what its variants come to by lower-cased BCP 47 tag. */
export interface Localised<V> {
  base: V;
  locales: ReadonlyMap<string, V>;
}

/** Lookup of RFC 4647 section 3.4: the tag itself, then ever shorter ones. */
export function variantFor<V>(content: Localised<V>, locale: string | undefined): V {
  if (content.locales.size === 0 || typeof locale !== 'string') return content.base;
  for (let tag = normalTag(locale); tag !== ''; tag = tag.slice(0, Math.max(tag.lastIndexOf('-'), 0))) {
    const variant = content.locales.get(tag);
    if (variant !== undefined) return variant;
  }
  return content.base;
}

/** Every string of a content that is a template, with its path; of each variant those of the content that it takes over too. */
export function templatesOf(
  content: Content,
  path: string,
): Localised<{ path: string; source: string; html: boolean }[]> {
  const strings = (variant: object, at: string, fallback?: object) =>
    [...textFields, ...valueFields].flatMap((field) => {
      const isOwn = fallback === undefined || own(variant, field) !== undefined;
      const value = own(isOwn ? variant : fallback, field);
      return stringsIn(value, `${isOwn ? at : path}.${field}`, 0).map((found) => ({
        ...found,
        html: field === 'html',
      }));
    });
  const locales = variantsOf(content).flatMap(([tag, variant]) =>
    isPlain(variant)
      ? [[normalTag(tag), strings(variant, joinPath(`${path}.locales`, tag), overlay(content, variant))] as const]
      : [],
  );
  return { base: strings(content, path), locales: new Map(locales) };
}

function stringsIn(value: unknown, path: string, depth: number): { path: string; source: string }[] {
  if (typeof value === 'string') return [{ path, source: value }];
  if (depth > maxDepth) return [];
  if (Array.isArray(value)) return value.flatMap((item, index) => stringsIn(item, `${path}[${index}]`, depth + 1));
  if (!isPlain(value)) return [];
  return Object.entries(value).flatMap(([key, item]) => stringsIn(item, joinPath(path, key), depth + 1));
}

/**
 * Renders a content for one contact; `locale` is a BCP 47 tag, by default the contact's own. Nothing half-filled comes out:
 * a variable that is missing (or null) and has no default fails the message, as does a template that goes too far, and a
 * content of which nothing but whitespace is left.
 */
export function renderContent(compiled: CompiledContent, scope: Scope, locale = scope.contact.locale): RenderResult {
  const variant = variantFor(compiled, locale);
  const render = createRenderer({ ...scope });
  const content: RenderedContent = {};
  try {
    for (const field of textFields) {
      const template = variant[field];
      if (template !== undefined) content[field] = render(template);
    }
    if (variant.body !== undefined) content.body = fill(variant.body, render);
    if (variant.attachments !== undefined) {
      content.attachments = fill(variant.attachments, render) as Record<string, unknown>[];
    }
  } catch (error) {
    const missing = error instanceof TemplateFailure && error.missing;
    const reason = missing ? 'template_variable_missing' : 'template_error';
    return { kind: 'failed', reason, message: (error as Error).message };
  }
  const { attachments: _attachments, ...said } = content;
  if (isBlank(said)) return { kind: 'failed', reason: 'content_empty', message: 'nothing is left to send' };
  return { kind: 'rendered', content };
}

/** True when there is nothing in it but whitespace. What nests deeper than allowed is not looked into. */
function isBlank(value: unknown, depth = 0): boolean {
  if (typeof value === 'string') return value.trim() === '';
  if (value === undefined || value === null) return true;
  if (depth > maxDepth || !(Array.isArray(value) || isPlain(value))) return false;
  return Object.values(value).every((item) => isBlank(item, depth + 1));
}

/** The fields a content defines; what is blank whoever receives it defines nothing. */
export const contentFields = (content: Content): (keyof RenderedContent)[] =>
  [...textFields, ...valueFields].filter((field) => !isBlank(own(content, field)));

/** The content itself (at '') and what each of its locale variants comes to, by their path below it. */
export function completeVariants(content: Content): { at: string; content: Content }[] {
  const variants = variantsOf(content).filter((entry): entry is [string, ContentVariant] => isPlain(entry[1]));
  return [
    { at: '', content },
    ...variants.map(([tag, variant]) => ({
      at: joinPath('.locales', tag),
      content: overlay<Content>(content, variant),
    })),
  ];
}
