/** The template engine, and with liquidPlain.ts the only file that knows liquidjs: what a template may do, what its values look like, how far it may go. */
import { Context, Liquid, type LiquidError, type Template as LiquidNode, type Tag, toValue } from 'liquidjs';
import { escapeHtml } from './html.ts';
import { type PlainTemplate, plainTemplate, renderPlain } from './liquidPlain.ts';

/** A parsed template. Text without Liquid in it stays the string it is. */
export type Template = string | { engine: Engine; nodes: LiquidNode[]; plain: PlainTemplate | undefined };

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
/** Nodes a message may render, loops counted each time: far over any newsletter, and done in some 20 ms. */
const maxRenders = 20_000;
/** Outputs and tags of one template. More could not be rendered anyway, and parsing time grows with their square. */
const maxParts = maxRenders / 2;
/** Characters and list items that filters, ranges and outputs of a message may produce. */
const maxMemory = 2_000_000;
/** Characters of one rendered string: a document holds 16 MB. */
const maxLength = 4_000_000;
/** Only asked of templates that did a fair amount of work, so that a process that was stopped for a while fails none. */
const maxRenderMs = 500;
const rendersBeforeClock = 200;

type Limiter = Context['renderLimit'];

/** Bounds the work of one message by what it does, so that the same message always ends the same way. */
class Budget {
  #renders = 0;
  #memory = 0;
  #startedAt: number | undefined;

  /** Called by liquidjs before each node, with its monotonic clock. */
  check(now: number): void {
    this.#startedAt ??= now;
    this.#renders += 1;
    if (this.#renders > maxRenders) throw new Error(`more than ${maxRenders} parts to render`);
    if (this.#renders > rendersBeforeClock && now - this.#startedAt > maxRenderMs) {
      throw new Error(`rendering takes longer than ${maxRenderMs} ms`);
    }
  }

  /** What was rendered without the engine. */
  spend(renders: number, characters: number): void {
    this.#renders += renders;
    if (this.#renders > maxRenders) throw new Error(`more than ${maxRenders} parts to render`);
    this.use(characters);
  }

  /** Called by filters, ranges and outputs with what they are about to produce. */
  use(count: number): void {
    if (count > 0) this.#memory += count;
    if (this.#memory > maxMemory) throw new Error(`more than ${maxMemory} characters or items to produce`);
  }
}

/**
 * How templates see a value of the documents. A null is as missing as an absent field. Dates are ISO 8601 text and BSON
 * values (ObjectId, Decimal128, Long) the text they stand for: so they compare, print and filter as what they mean.
 */
function readable(value: unknown): unknown {
  if (value === null) return undefined;
  if (value instanceof Date) return value.toISOString();
  return typeof (value as { _bsontype?: unknown })._bsontype === 'string' ? String(value) : value;
}

class SafeContext extends Context {
  override readProperty(...args: Parameters<Context['readProperty']>): unknown {
    const value: unknown = super.readProperty(...args);
    return typeof value === 'object' ? readable(value) : value;
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
    const text = encode(show(value));
    this.context.memoryLimit.use(text.length);
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
  liquid.registerFilter('raw', { raw: true, handler: printed((text) => text) });
  liquid.unregisterFilter('sample');
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
  const parts = source.split(/\{[{%]/).length - 1;
  if (parts === 0) return source.toWellFormed();
  if (parts > maxParts) throw new Error(`${parts} outputs and tags are more than a template may have (${maxParts})`);
  const engine = html ? htmlEngine : plainEngine;
  const nodes = engine.liquid.parse(source);
  return { engine, nodes, plain: plainTemplate(nodes, engine.liquid.options.outputEscape) };
}

/** Renders the templates of one message over one scope, within one budget. */
export function createRenderer(scope: Readonly<Record<string, unknown>>): (template: Template) => string {
  const budget = new Budget();
  const limits = { memoryLimit: budget as unknown as Limiter, renderLimit: budget as unknown as Limiter };
  return (template) => {
    if (typeof template === 'string') return template;
    const { engine, nodes, plain } = template;
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
