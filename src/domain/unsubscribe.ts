/** How to leave: the campaign's `unsubscribe`, as links for the text and as headers (RFC 2369, RFC 8058) of one message. */
import type { Scope } from './content.ts';
import type { Fault } from './errors.ts';
import { createRenderer, parseTemplate, type Template, TemplateFailure } from './liquid.ts';
import { parseAddress } from './mailAddress.ts';
import type { CampaignDocument } from './model.ts';
import { isPlain, joinPath, own } from './plain.ts';

export type Unsubscribe = NonNullable<CampaignDocument['unsubscribe']>;

export interface CompiledUnsubscribe {
  url?: Template;
  mailto?: Template;
  /** Of those without anything to fill in. */
  constant: UnsubscribeLinks;
}

/** URIs that a mail program may follow, as headers and templates of content have them. */
export type UnsubscribeLinks = { [field in LinkField]?: string };

export type LinksResult =
  | { kind: 'rendered'; links: UnsubscribeLinks }
  | { kind: 'failed'; reason: 'template_variable_missing' | 'template_error'; message: string };

const fields = ['url', 'mailto'] as const;
export type LinkField = (typeof fields)[number];
const tokenUse = /\{[{%][^}]*(?<![.\w])token\b/;
/** Deeper, a content is refused. */
const maxDepth = 100;
const hasTemplate = (text: string): boolean => /\{[{%]/.test(text);

/** Parses both; faults have the path `unsubscribe.url` or `unsubscribe.mailto`. `tokens` false: no `{{ token }}` can be made. */
export function compileUnsubscribe(
  given: Record<string, unknown>,
  tokens = true,
): { compiled: CompiledUnsubscribe; faults: Fault[] } {
  const compiled: CompiledUnsubscribe = { constant: {} };
  const faults: Fault[] = [];
  for (const field of fields) {
    const source = own(given, field);
    if (typeof source !== 'string') continue;
    const add = (code: string, message: string): void => {
      faults.push({ code, path: `unsubscribe.${field}`, message });
    };
    try {
      compiled[field] = parseTemplate(source, false);
    } catch (error) {
      add('template_invalid', (error as Error).message);
      continue;
    }
    if (tokenUse.test(source) && !tokens)
      add('hash_key_missing', 'uses {{ token }}, which is made with HASH_KEY: set it');
    else if (!hasTemplate(source)) {
      const uri = link(field, source);
      if (uri === undefined) add('not_allowed', needed[field]);
      else compiled.constant[field] = uri;
    }
  }
  return { compiled, faults };
}

const needed = {
  url: 'has to be an https:// address (RFC 8058)',
  mailto: 'has to be a mail address, with ?subject=… or not (RFC 6068)',
} as const;

/** The URI between angle brackets; undefined when it is none that a mail program may follow. */
function link(field: 'url' | 'mailto', text: string): string | undefined {
  const trimmed = text.trim();
  // Most mail programs refuse longer ones, and a line of mail ends at 998 characters.
  const uri = field === 'url' ? httpsUri(trimmed) : mailtoUri(trimmed);
  return uri !== undefined && uri.length <= 900 ? uri : undefined;
}

function httpsUri(text: string): string | undefined {
  if (!/^https:\/\//i.test(text) || !URL.canParse(text)) return undefined;
  return escapeUri(new URL(text).href);
}

function mailtoUri(text: string): string | undefined {
  const bare = text.replace(/^mailto:/i, '');
  const address = parseAddress(bare.replace(/\?.*/s, ''));
  if (address === undefined) return undefined;
  return escapeUri(`mailto:${address}${/\?.*/s.exec(bare)?.[0] ?? ''}`.toWellFormed());
}

/** Nothing that ends the brackets, the list or the line; what is percent-encoded already stays. */
const escapeUri = (uri: string): string =>
  uri.replace(/[^!#$%&'()*+./:;=?@_~\w-]+/g, (characters) => encodeURIComponent(characters));

/** The links of one message. Nothing half-filled comes out. */
export function unsubscribeLinks(compiled: CompiledUnsubscribe, scope: Scope, token: string | undefined): LinksResult {
  const render = createRenderer({ ...scope, ...(token === undefined ? {} : { token }) });
  const links: UnsubscribeLinks = {};
  try {
    for (const field of fields) {
      const template = compiled[field];
      if (template === undefined) continue;
      const uri = compiled.constant[field] ?? link(field, render(template));
      if (uri === undefined) return failed('template_error', `unsubscribe.${field} ${needed[field]}`);
      links[field] = uri;
    }
  } catch (error) {
    const missing = error instanceof TemplateFailure && error.missing;
    return failed(missing ? 'template_variable_missing' : 'template_error', `unsubscribe: ${(error as Error).message}`);
  }
  return { kind: 'rendered', links };
}

/** Mail first: programs without one-click take the first they know. */
export function unsubscribeHeaders({ url, mailto }: UnsubscribeLinks): Record<string, string> {
  const links = [mailto, url].filter((uri) => uri !== undefined);
  return {
    ...(links.length === 0 ? {} : { 'List-Unsubscribe': links.map((uri) => `<${uri}>`).join(', ') }),
    ...(url === undefined ? {} : { 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' }),
  };
}

/** The fields of `unsubscribe` that a campaign does not give. */
export const lackingLinks = (given: unknown): LinkField[] =>
  fields.filter((field) => !isPlain(given) || own(given, field) === undefined);

/** An output that has no default. */
const linkUse = {
  url: /\{\{-?\s*unsubscribe\.url\s*(?:-?\}\}|\|(?!\s*default\b))/,
  mailto: /\{\{-?\s*unsubscribe\.mailto\s*(?:-?\}\}|\|(?!\s*default\b))/,
};

/** The strings of a content that print a link whatever happens; behind a tag they may do so only where there is one. */
export function linkUses(content: unknown, path: string, depth = 0): { path: string; field: LinkField }[] {
  if (typeof content === 'string') {
    const isConditional = content.includes('{%');
    return fields.filter((field) => !isConditional && linkUse[field].test(content)).map((field) => ({ path, field }));
  }
  if (depth > maxDepth) return [];
  if (Array.isArray(content)) return content.flatMap((item, index) => linkUses(item, `${path}[${index}]`, depth + 1));
  if (!isPlain(content)) return [];
  return Object.entries(content).flatMap(([key, value]) => linkUses(value, joinPath(path, key), depth + 1));
}

const failed = (reason: 'template_variable_missing' | 'template_error', message: string): LinksResult => ({
  kind: 'failed',
  reason,
  message,
});
