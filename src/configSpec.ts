/** How one variable is read: from the environment or a file, parsed, with a fault that says what it was and what is allowed. */

import { parseDuration } from './domain/timing.ts';

export type ConfigSource = 'default' | 'environment' | 'file';

/** How a variable's text becomes its value. */
export interface Spec<T> {
  /** What is allowed, as a fault tells it. */
  allowed: string;
  /** Undefined: the text is not allowed. */
  parse(text: string): T | undefined;
  /** How a wrong value is shown; the text in quotes when absent. */
  show?: (text: string) => string;
  /** True when an empty value must not pass for "not set", because that would widen what may happen. */
  refuseEmpty?: boolean;
}

export interface Reader {
  /** The value, or undefined when it is not set or wrong (then a fault was noted). */
  read<T>(name: string, spec: Spec<T>): T | undefined;
  isSet(name: string): boolean;
  fault(text: string): void;
  readonly faults: string[];
  readonly sources: Record<string, ConfigSource>;
}

export const fileSuffix = '_FILE';
const quoted = (text: string): string => JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
export const hidden = (text: string): string => `*** (${text.length} characters)`;

/** Reads `NAME` or the file that `NAME_FILE` names. Empty variables count as not set: compose files and charts pass them on like that. */
export function createReader(env: NodeJS.ProcessEnv, readFile: (path: string) => string): Reader {
  const faults: string[] = [];
  const sources: Record<string, ConfigSource> = {};
  const fault = (text: string): void => void faults.push(text);
  const isSet = (name: string): boolean => (env[name] ?? '') !== '' || (env[name + fileSuffix] ?? '') !== '';

  function fromFile(name: string, path: string): string | undefined {
    try {
      const text = readFile(path).replace(/\r?\n$/, '');
      if (text !== '') return text;
      fault(
        `${name}${fileSuffix} is ${quoted(path)}: the file is empty; allowed: a file that holds the value of ${name}`,
      );
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
      fault(
        `${name}${fileSuffix} is ${quoted(path)}: the file cannot be read (${why}); allowed: a readable file that holds the value of ${name}`,
      );
    }
    return undefined;
  }

  function text(name: string): { text: string; source: ConfigSource } | undefined {
    const plain = env[name] ?? '';
    const path = env[name + fileSuffix] ?? '';
    if (plain !== '' && path !== '') {
      fault(`${name} and ${name}${fileSuffix} are both set; allowed: one of them`);
      return undefined;
    }
    if (plain !== '') return { text: plain, source: 'environment' };
    if (path === '') return undefined;
    const content = fromFile(name, path);
    return content === undefined ? undefined : { text: content, source: 'file' };
  }

  function read<T>(name: string, spec: Spec<T>): T | undefined {
    if (spec.refuseEmpty === true && env[name] === '') {
      fault(`${name} is empty; allowed: ${spec.allowed}, or not set at all`);
      return undefined;
    }
    const found = text(name);
    if (found === undefined) return undefined;
    sources[name] = found.source;
    const value = spec.parse(found.text);
    if (value === undefined) fault(`${name} is ${(spec.show ?? quoted)(found.text)}; allowed: ${spec.allowed}`);
    return value;
  }
  return { read, isSet, fault, faults, sources };
}

export const wholeNumber = (min: number, max: number): Spec<number> => ({
  allowed: `a whole number from ${min} to ${max}`,
  parse: (text) => {
    const value = /^\d{1,15}$/.test(text.trim()) ? Number(text.trim()) : Number.NaN;
    return value >= min && value <= max ? value : undefined;
  },
});

export const oneOf = <T extends string>(...words: readonly T[]): Spec<T> => ({
  allowed: words.join(', '),
  parse: (text) => words.find((word) => word === text.trim()),
});

export const textMatching = (allowed: string, pattern: RegExp): Spec<string> => ({
  allowed,
  parse: (text) => (pattern.test(text) ? text : undefined),
});

export const secretMatching = (allowed: string, pattern: RegExp): Spec<string> => ({
  ...textMatching(allowed, pattern),
  show: hidden,
});

/** An ISO 8601 duration of fixed length (no months or years), in ms; above zero and at most `maxMs`. */
export const duration = (allowed: string, maxMs: number): Spec<number> => ({
  allowed,
  parse: (text) => {
    const { months, ms } = parseDuration(text.trim()) ?? { months: 0, ms: 0 };
    return months === 0 && ms > 0 && ms <= maxMs ? ms : undefined;
  },
});

/** Levenshtein distance. */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The word that was most likely meant, if one is near enough. */
export function closest(word: string, words: readonly string[], limit: number): string | undefined {
  const ranked = words.map((known) => ({ known, distance: editDistance(word, known) }));
  const best = ranked.toSorted((a, b) => a.distance - b.distance)[0];
  return best !== undefined && best.distance <= limit ? best.known : undefined;
}
