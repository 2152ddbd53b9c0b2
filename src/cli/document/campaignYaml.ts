/** YAML 1.2 (core schema) with the places of things. The only file that knows the library. */
import {
  type DocumentOptions,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  type ParseOptions,
  parseDocument,
  type SchemaOptions,
} from 'yaml';
import type { Spot } from '../../domain/spots.ts';
import { isRounded, repeatedKey, roundedNumber } from './campaignJson.ts';
import type { ParsedText, TextFault } from './campaignText.ts';

/** UTF-16 units; the parser takes seconds for a text of this size. */
const longest = 4_000_000;
/** The library looks for each among all of them. */
const mostAliases = 10_000;
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
  const nowhere = (): Spot => spotOf(undefined, new Map());
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
    const state: Count = { faults, known: new Map(), anchors: new Map(), targets: new Map(), aliases: 0 };
    const values = count(document.contents, state);
    if (state.aliases > mostAliases) return only(`has more than ${mostAliases.toLocaleString('en-US')} aliases`);
    if (values > mostValues) return only('grows into more than a million values, or 64 MB of text');
    const blocking = faults.some(({ code }) => code === 'not_yaml');
    return {
      ...(blocking ? {} : { json: JSON.stringify(document.toJS({ maxAliasCount: -1 })) }),
      faults,
      spot: () => spotOf(document.contents, state.targets),
    };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return only('is nested far deeper than any campaign');
  }
}

interface Count {
  faults: TextFault[];
  /** The last node above that has the name. */
  anchors: Map<string, Node>;
  /** What aliases name. */
  targets: Map<Node, Node>;
  aliases: number;
  /** What was counted of a node; 0 while it is being counted. */
  known: Map<Node, number>;
}

/** Values in a node, each alias followed, long texts as several; every node is looked at once. */
function count(node: unknown, state: Count): number {
  if (isAlias(node)) {
    state.aliases += 1;
    const target = state.anchors.get(node.source);
    if (target !== undefined) state.targets.set(node, target);
    const values = target && (state.known.get(target) ?? weight(target));
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
  noteAnchor(node, state);
  if (isScalar(node) && isRounded(node.value)) state.faults.push(roundedNumber(startOf(node)));
  if (!isMap(node) && !isSeq(node)) return weight(node);
  state.known.set(node, 0);
  if (isMap(node)) checkKeys(node.items, state.faults);
  const values = isMap(node)
    ? node.items.reduce((sum, { key, value }) => {
        noteAnchor(key, state);
        return sum + extra(nameOf(key)) + count(value, state);
      }, 1)
    : node.items.reduce<number>((sum, item) => sum + count(item, state), 1);
  state.known.set(node, values);
  return values;
}

const weight = (node: unknown): number => 1 + extra(isScalar(node) ? node.value : undefined);

function noteAnchor(node: unknown, { anchors }: Count): void {
  const named = node as Node & { anchor?: string };
  if (isNode(node) && named.anchor !== undefined) anchors.set(named.anchor, node);
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

function spotOf(node: unknown, targets: ReadonlyMap<Node, Node>): Spot {
  const real = isAlias(node) ? targets.get(node) : node;
  return {
    at: startOf(node),
    fields: () =>
      isMap(real)
        ? real.items.map(({ key, value }) => ({ key: nameOf(key), at: startOf(key), value: spotOf(value, targets) }))
        : [],
    items: () => (isSeq(real) ? real.items.map((item) => spotOf(item, targets)) : []),
  };
}
