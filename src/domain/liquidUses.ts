/** What a parsed template reads, without rendering it. */
import { analyzeSync, type Template as LiquidNode, Output, type Variable } from 'liquidjs';
import type { Template } from './liquid.ts';

/** A field that a template names, and where. */
export interface Use {
  /** `contact.attributes.city` in its parts. */
  path: readonly (string | number)[];
  /** From 1, in the template. */
  row: number;
  column: number;
}

export interface Uses {
  /** Printed whatever happens, without a default: where one is missing, the template fails. */
  required: readonly Use[];
  /** Everything that is named, also in conditions and with a default. */
  all: readonly Use[];
}

/** liquidjs computes these where the data has none of that name. */
const computed: ReadonlySet<unknown> = new Set(['size', 'first', 'last']);

/** Names that the template itself gives are left out, as are paths that are only known when it is rendered. */
export function usesOf(template: Template): Uses {
  if (typeof template === 'string') return { required: [], all: [] };
  const { nodes } = template;
  const { globals, locals } = analyzeSync(nodes, { partials: false });
  const isOurs = ({ path: [root] }: Use): boolean => !Object.hasOwn(locals, String(root));
  const read = (variables: readonly Variable[]): Use[] => variables.flatMap(useOf).filter(isOurs);
  return {
    required: unique(read(nodes.filter(isPlainOutput).flatMap((node) => namedIn([node])))),
    all: unique(read(Object.values(globals).flat())),
  };
}

const namedIn = (nodes: LiquidNode[]): Variable[] =>
  Object.values(analyzeSync(nodes, { partials: false }).globals).flat();

/** `default` counts only where it comes first, as in the engine. */
const isPlainOutput = (node: LiquidNode): boolean =>
  node instanceof Output && node.value.filters[0]?.name !== 'default';

function useOf({ segments, location }: Variable): Use[] {
  const path = segments.filter((part) => typeof part === 'string' || typeof part === 'number');
  const isStatic = path.length === segments.length && !path.some((part) => computed.has(part));
  return isStatic ? [{ path, row: location.row, column: location.col }] : [];
}

function unique(uses: readonly Use[]): Use[] {
  const byPath = new Map<string, Use>();
  for (const use of uses) {
    const key = JSON.stringify(use.path);
    if (!byPath.has(key)) byPath.set(key, use);
  }
  return [...byPath.values()];
}

/** `contact.attributes["a b"][0]`, as templates write it. */
export const writtenAs = (path: Use['path']): string =>
  path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`;
      if (!/^[A-Za-z_][\w-]*$/.test(part)) return `[${JSON.stringify(part)}]`;
      return index === 0 ? part : `.${part}`;
    })
    .join('');
