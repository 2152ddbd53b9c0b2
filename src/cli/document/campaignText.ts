/** What the readers of JSON and YAML have in common. */
import type { Spot } from '../../domain/spots.ts';

/** A fault of the text itself, before it is a campaign. */
export interface TextFault {
  code: string;
  message: string;
  /** Offset in UTF-16 units. */
  at: number;
  /** The line is worth showing. */
  excerpt?: boolean;
}

export interface ParsedText {
  /** The same value as JSON; absent when there is none. */
  json?: string;
  faults: TextFault[];
  /** The place of the whole value; made when asked for. */
  spot(): Spot;
}

export type TextFormat = 'json' | 'yaml';

/** By the file's extension; else by its first character, as all JSON campaigns begin with a brace. */
export function formatOf(file: string, text: string): TextFormat {
  if (/\.json$/i.test(file)) return 'json';
  if (/\.ya?ml$/i.test(file)) return 'yaml';
  return /^\s*[{[]/.test(text) ? 'json' : 'yaml';
}
