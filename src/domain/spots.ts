/** Where in a text the value under a path of a fault stands, whatever the notation (JSON, YAML). */

/** A value in a text: offsets are in UTF-16 units from the start of the text. */
export interface Spot {
  readonly at: number;
  /** Fields of an object; `at` is the key's. Empty for anything else. */
  fields(): readonly { key: string; at: number; value: Spot }[];
  /** Elements of a list. Empty for anything else. */
  items(): readonly Spot[];
}

/**
 * Offset of what a path names (`flow.stages[2].on["a key"]`): a field's key, or the start of a list's element. Where the
 * path leads nowhere (a field that is missing), the nearest thing around it that is there.
 */
export function locate(root: Spot, path: string): number {
  let at = root.at;
  let here = root;
  let rest = path;
  for (;;) {
    const step = take(here, rest);
    if (step === undefined) return at;
    at = step.at;
    here = step.value;
    rest = step.rest;
  }
}

interface Step {
  at: number;
  value: Spot;
  rest: string;
}

const index = /^\[(\d+)\]/;
const quotedKey = /^\["(?:[^"\\]|\\.)*"\]/;

function take(here: Spot, path: string): Step | undefined {
  const item = index.exec(path);
  if (item !== null) {
    const value = here.items()[Number(item[1])];
    return value && { at: value.at, value, rest: path.slice(item[0].length) };
  }
  const quoted = quotedKey.exec(path)?.[0];
  if (quoted !== undefined) {
    const key = JSON.parse(quoted.slice(1, -1)) as string;
    return field(here, (name) => name === key, path.slice(quoted.length));
  }
  const bare = path.startsWith('.') ? path.slice(1) : path;
  // Some paths have keys with dots as they are (`filter.address.city`): the longest key that fits is meant.
  const longest = here
    .fields()
    .filter(({ key }) => key !== '' && bare.startsWith(key) && /^($|[.[])/.test(bare.slice(key.length)))
    .reduce((best, { key }) => (key.length > best.length ? key : best), '');
  return longest === '' ? undefined : field(here, (name) => name === longest, bare.slice(longest.length));
}

function field(here: Spot, fits: (key: string) => boolean, rest: string): Step | undefined {
  const found = here.fields().find(({ key }) => fits(key));
  return found && { at: found.at, value: found.value, rest };
}
