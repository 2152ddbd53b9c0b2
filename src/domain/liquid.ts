/** The template engine: what a template may do, and what its values look like. Only the files named liquid*.ts know liquidjs. */
import {
  Context,
  Liquid,
  type LiquidError,
  type Template as LiquidNode,
  type Tag,
  Tokenizer,
  TypeGuards,
  toValue,
} from 'liquidjs';
import { escapeHtml } from './html.ts';
import { Budget, maxParts, maxWritten } from './liquidBudget.ts';
import { boundBrackets, boundLevels } from './liquidDepth.ts';
import { type PlainTemplate, plainTemplate, renderPlain } from './liquidPlain.ts';
import { budgetOf, pricedOperators, putPrices } from './liquidPrices.ts';

/** A parsed template. Text without Liquid in it stays the string it is. */
export type Template =
  | string
  | {
      engine: Engine;
      nodes: LiquidNode[];
      plain: PlainTemplate | undefined;
      /** Characters of its outputs and tags. */
      written: number;
    };

interface Engine {
  liquid: Liquid;
  encode: (text: string) => string;
  /** Options a template is rendered with; not quite those it is parsed with. */
  options: Liquid['options'];
}

/** Why a template could not be rendered; `missing` when a variable it prints is not there and has no default. */
export class TemplateFailure extends Error {
  readonly missing: boolean;
  constructor(message: string, missing: boolean) {
    super(message);
    this.name = 'TemplateFailure';
    this.missing = missing;
  }
}

const maxTemplateLength = 2_000_000;
/** Characters of one rendered string: a document holds 16 MB. */
const maxLength = 4_000_000;

type Limiter = Context['renderLimit'];

/**
 * How templates see a value of the documents. A null is as missing as an absent field. Dates are ISO 8601 text and BSON
 * values (ObjectId, Decimal128, Long) the text they stand for: so they compare, print and filter as what they mean.
 */
function readable(value: unknown): unknown {
  if (value === null) return undefined;
  if (value instanceof Date) return value.toISOString();
  return typeof (value as { _bsontype?: unknown })._bsontype === 'string' ? String(value) : value;
}

/** `a[b]`: to make a name of a list takes as long as its text is. */
function nameOf<K>(key: K): K {
  if (typeof key === 'object' && key !== null) throw new Error('a list or an object is no name of a field');
  return key;
}

class SafeContext extends Context {
  override readProperty(...args: Parameters<Context['readProperty']>): unknown {
    const [from, key] = args;
    const value: unknown = super.readProperty(from, nameOf(key));
    return typeof value === 'object' ? readable(value) : value;
  }

  override _get(...args: Parameters<Context['_get']>): ReturnType<Context['_get']> {
    nameOf(args[0][0]);
    return super._get(...args);
  }

  /** Filters such as `where` ask list items for a field, which not all of them need to have. */
  override spawn(scope?: object): Context {
    return new SafeContext(scope, this.opts, { sync: true, strictVariables: false }, this);
  }
}

/** What a value looks like in a text. Throws where the text would have a hole. */
function show(output: unknown): string {
  if (typeof output === 'string') return output;
  const value: unknown = toValue(output);
  if (value === undefined || value === null) throw new TemplateFailure('a value is missing', true);
  if (Array.isArray(value))
    return value.map((item: unknown) => (item === undefined || item === null ? '' : show(item))).join('');
  const seen = typeof value === 'object' ? readable(value) : value;
  return typeof seen === 'object' ? JSON.stringify(seen) : String(seen);
}

/** `this` of a liquidjs filter, as far as it is used here. */
interface FilterThis {
  context: Context;
}
type Output = (this: FilterThis, value: unknown) => string;

const printed = (encode: (text: string) => string): Output =>
  function print(value) {
    const budget = budgetOf(this.context);
    if (typeof value === 'object') budget.look(value, 1);
    const text = encode(show(value));
    budget.use(text.length);
    return text;
  };

/** Stands in for the tags that would read other templates from a file system. */
function refuseFiles(this: Tag): never {
  throw new Error(`tag "${this.name}" is not available: a template cannot load other files`);
}

function createEngine(encode: (text: string) => string): Engine {
  const liquid = new Liquid({
    strictFilters: true,
    strictVariables: true,
    ownPropertyOnly: true,
    outputEscape: printed(encode),
    operators: pricedOperators,
    parseLimit: maxTemplateLength,
    // The host's zone and language must not show: the same contact gets the same text from every member.
    timezoneOffset: 0,
    locale: 'en-US',
    // An empty mapping in place of the file system, should anything ever get past refuseFiles.
    templates: {},
  });
  for (const name of ['include', 'render', 'layout', 'block']) {
    liquid.registerTag(name, { parse: refuseFiles, render: refuseFiles });
  }
  putPrices(liquid);
  liquid.registerFilter('raw', { raw: true, handler: printed((text) => text) });
  liquid.unregisterFilter('sample');
  boundLevels(liquid);
  // Given to the engine itself, `assign` would take a missing variable as empty.
  return { liquid, encode, options: { ...liquid.options, lenientIf: true } };
}

const plainEngine = createEngine((text) => text);
const htmlEngine = createEngine(escapeHtml);
// Authors escape by habit; twice would show entities to the reader.
const escapeOnce = (text: string): string => escapeHtml(text).replace(/&amp;(\w+|#\d+);/g, '&$1;');
htmlEngine.liquid.registerFilter('escape', { raw: true, handler: printed(escapeHtml) });
htmlEngine.liquid.registerFilter('xml_escape', { raw: true, handler: printed(escapeHtml) });
htmlEngine.liquid.registerFilter('escape_once', { raw: true, handler: printed(escapeOnce) });

/** Parses a template; outputs of `html` ones are escaped unless the author says `| raw`. Throws an Error whose message names line and column. */
export function parseTemplate(source: string, html: boolean): Template {
  const [, ...parts] = source.split(/\{[{%]/);
  if (parts.length === 0) return source.toWellFormed();
  if (parts.length > maxParts)
    throw new Error(`${parts.length} outputs and tags are more than a template may have (${maxParts})`);
  const tokens = new Tokenizer(source).readTopLevelTokens().filter((token) => !TypeGuards.isHTMLToken(token));
  const written = tokens.reduce((sum, { begin, end }) => sum + end - begin, 0);
  if (written > maxWritten)
    throw new Error(`${written} characters in outputs and tags are more than a template may have (${maxWritten})`);
  tokens.forEach(boundBrackets);
  const engine = html ? htmlEngine : plainEngine;
  const nodes = engine.liquid.parse(source);
  return { engine, nodes, plain: plainTemplate(nodes, engine.liquid.options.outputEscape), written };
}

/** Renders the templates of one message over one scope, within one budget. */
export function createRenderer(scope: Readonly<Record<string, unknown>>): (template: Template) => string {
  const budget = new Budget();
  const limits = { memoryLimit: budget as unknown as Limiter, renderLimit: budget as unknown as Limiter };
  return (template) => {
    if (typeof template === 'string') return template;
    const { engine, nodes, plain, written } = template;
    budget.begin(written);
    try {
      const text = (plain && printPlain(plain, scope, engine, budget)) ?? print(nodes, scope, engine);
      if (text.length > maxLength) throw new Error(`longer than ${maxLength} characters`);
      return text.toWellFormed();
    } catch (error) {
      throw asFailure(error);
    }
  };

  function print(nodes: LiquidNode[], values: object, { liquid, options }: Engine): string {
    // `increment` writes to the scope, so each template has its own.
    return liquid.renderSync(nodes, new SafeContext({ ...values }, options, { sync: true }, { ...limits, liquid }));
  }
}

/** Counts what it did only when it comes to an end. */
function printPlain(
  plain: PlainTemplate,
  scope: Readonly<Record<string, unknown>>,
  { encode }: Engine,
  budget: Budget,
): string | undefined {
  let printedLength = 0;
  const text = renderPlain(plain, scope, (value) => {
    const encoded = encode(value);
    printedLength += encoded.length;
    return encoded;
  });
  if (text !== undefined) budget.spend(plain.length, printedLength);
  return text;
}

/** liquidjs wraps whatever went wrong; only the innermost error tells a missing variable from the rest. */
function asFailure(error: unknown): TemplateFailure {
  const { message, token, originalError: inner } = error as LiquidError;
  if (inner instanceof TemplateFailure) return new TemplateFailure(message, inner.missing);
  if (inner?.name !== 'InternalUndefinedVariableError') return new TemplateFailure(message, false);
  // The whole path as the author wrote it, not only up to where it broke off.
  return new TemplateFailure(
    message.replace(inner.message, () => `undefined variable: ${token.getText()}`),
    true,
  );
}
