import { isPlain } from './plain.ts';

/** A copy with a value under a path; what stands in the way of it is replaced. What is not on the path is shared. */
export function withValue<T extends object>(from: T, path: readonly (string | number)[], value: unknown): T {
  return put(from, path, value) as T;
}

function put(from: unknown, [first, ...rest]: readonly (string | number)[], value: unknown): unknown {
  if (first === undefined) return value;
  if (typeof first === 'number') {
    const list: unknown[] = Array.isArray(from) ? [...(from as unknown[])] : [];
    const at = first < 0 ? Math.max(0, list.length + first) : first;
    list[at] = put(list[at], rest, value);
    return list;
  }
  const fields = isPlain(from) ? from : {};
  const inner = Object.hasOwn(fields, first) ? fields[first] : undefined;
  return { ...fields, [first]: put(inner, rest, value) };
}
