/** YAML 1.2 (core schema) with the places of things. The only file that knows the library. */
import {
  type Document,
  type DocumentOptions,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  type ParseOptions,
  parseDocument,
  type SchemaOptions,
} from 'yaml';
import type { Spot } from '../domain/spots.ts';
import { isRounded, repeatedKey, roundedNumber } from './campaignJson.ts';
import type { ParsedText, TextFault } from './campaignText.ts';

/** UTF-16 units; the parser takes seconds for a text of this size. */
const longest = 4_000_000;
/** Values after all aliases are followed. A campaign that is meant seriously has some hundreds. */
const mostValues = 1_000_000;
/** UTF-16 units of a text that weigh as much as one more value: 64 MB in all, as in JSON. */
const unitsPerValue = 64;

/** Without `resolveKnownTags` the tags of YAML 1.1 (`!!binary`, `!!set`) would be taken. */
const options: ParseOptions & DocumentOptions & SchemaOptions = {
  version: '1.2',
  schema: 'core',
  resolveKnownTags: false,
  prettyErrors: false,
  uniqueKeys: false,
};

/**
 * One document. Refused: keys that come twice, tags that core does not have, numbers that would be rounded, merge keys
 * (`<<`, of YAML 1.1), anchors that hold themselves or grow into more than a million values or 64 MB (the "billion laughs").
 */
export function readYaml(text: string): ParsedText {
  const nowhere = (): Spot => spotOf(undefined, undefined);
  const only = (message: string): ParsedText => ({ faults: [{ code: 'not_yaml', message, at: 0 }], spot: nowhere });
  if (text.length > longest)
    return only('is too long for YAML (4 MB): write it as JSON, or give the contacts with --contacts');
  try {
    const document = parseDocument(text, options);
    const [error] = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
    if (error !== undefined) {
      const message = `is no YAML: ${error.message}`;
      return { faults: [{ code: 'not_yaml', message, at: error.pos[0], excerpt: true }], spot: nowhere };
    }
    const faults: TextFault[] = [];
    const values = count(document.contents, { document, faults, known: new Map() });
    if (values > mostValues) return only('grows into more than a million values, or 64 MB of text');
    const blocking = faults.some(({ code }) => code === 'not_yaml');
    return {
      ...(blocking ? {} : { json: JSON.stringify(document.toJS({ maxAliasCount: -1 })) }),
      faults,
      spot: () => spotOf(document.contents, document),
    };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return only('is nested far deeper than any campaign');
  }
}

interface Count {
  document: Document;
  faults: TextFault[];
  /** What was counted of a node; 0 while it is being counted. */
  known: Map<Node, number>;
}

/** Values in a node, each alias followed, long texts as several; every node is looked at once. */
function count(node: unknown, state: Count): number {
  if (isAlias(node)) {
    const target = node.resolve(state.document);
    const values = target && (state.known.get(target) ?? count(target, state));
    if (values) return values;
    const what = target === undefined ? 'names no anchor above it' : 'is inside of what it names';
    state.faults.push({
      code: 'not_yaml',
      message: `the alias *${node.source} ${what}`,
      at: startOf(node),
      excerpt: true,
    });
    return 1;
  }
  if (isScalar(node) && isRounded(node.value)) state.faults.push(roundedNumber(startOf(node)));
  if (!isMap(node) && !isSeq(node)) return 1 + extra(isScalar(node) ? node.value : undefined);
  state.known.set(node, 0);
  const parts = isMap(node) ? node.items.map(({ value }) => value) : node.items;
  const keys = isMap(node) ? node.items.reduce((sum, { key }) => sum + extra(nameOf(key)), 0) : 0;
  if (isMap(node)) checkKeys(node.items, state.faults);
  const values = parts.reduce<number>((sum, part) => sum + count(part, state), 1 + keys);
  state.known.set(node, values);
  return values;
}

const extra = (value: unknown): number => (typeof value === 'string' ? Math.floor(value.length / unitsPerValue) : 0);

function checkKeys(pairs: readonly Pair[], faults: TextFault[]): void {
  const seen = new Set<string>();
  for (const { key } of pairs) {
    const at = startOf(key);
    if (!isScalar(key) && key !== null) {
      faults.push({ code: 'not_yaml', message: 'a key has to be a plain word', at, excerpt: true });
      continue;
    }
    const name = nameOf(key);
    if (seen.has(name)) faults.push(repeatedKey(name, at));
    seen.add(name);
    if (name === '<<') {
      const message = 'YAML 1.2 has no merge keys (<<): write the fields out, or use an alias for the whole value';
      faults.push({ code: 'not_yaml', message, at, excerpt: true });
    }
  }
}

/** As the library names it in an object. */
const nameOf = (key: unknown): string => {
  const value = isScalar(key) ? key.value : key;
  return value === null ? '' : String(value);
};

const startOf = (node: unknown): number => (node as Node | null | undefined)?.range?.[0] ?? 0;

function spotOf(node: unknown, document: Document | undefined): Spot {
  const real = isAlias(node) && document ? node.resolve(document) : node;
  return {
    at: startOf(node),
    fields: () =>
      isMap(real)
        ? real.items.map(({ key, value }) => ({ key: nameOf(key), at: startOf(key), value: spotOf(value, document) }))
        : [],
    items: () => (isSeq(real) ? real.items.map((item) => spotOf(item, document)) : []),
  };
}
