/** A date that a wait stage waits for: fixed, or worked out of what is known of the contact. */
import { isDate } from './normalise.ts';
import { isPlain, own } from './plain.ts';
import { printable } from './printable.ts';
import { addDuration, type Duration, isPositive, parseDuration, subtractDuration } from './timing.ts';

export type CompiledUntil = { at: number } | { path: readonly string[]; sign: 1 | -1; duration?: Duration };

/** What a path may begin with. */
export type UntilScope = { readonly [root in 'contact' | 'variables' | 'event']?: unknown };

const roots = 'contact, variables or event';
const expression = /^(contact|variables|event)((?:\.[^.\s+]+)+)(?:\s*([+-])\s*(P\S+))?$/;
const isoDate = /^(\d{4}-\d{2}-\d{2})(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

/** Reads a date, an ISO 8601 date or date and time with its offset, or `<path>`, `<path> + P1D`, `<path> - P7D`; a text says what is wrong. */
export function parseUntil(source: unknown): CompiledUntil | string {
  const fixed = instantOf(source);
  if (fixed !== undefined) return { at: fixed };
  const match = typeof source === 'string' ? expression.exec(source.trim()) : null;
  if (match === null)
    return `was ${printable(source)}; it has to be a date like "2026-05-01T09:00:00Z", or a path below ${roots} as in "contact.attributes.renewal - P7D"`;
  const path = `${match[1]}${match[2]}`.split('.');
  if (match[4] === undefined) return { path, sign: 1 };
  const duration = parseDuration(match[4]);
  if (duration === undefined || !isPositive(duration))
    return `${printable(match[4])} is no ISO 8601 duration longer than zero`;
  return { path, sign: match[3] === '-' ? -1 : 1, duration };
}

/** ms since the epoch; undefined when the path leads to no date. */
export function untilAt(until: CompiledUntil, scope: UntilScope): number | undefined {
  if ('at' in until) return until.at;
  const { path, sign, duration } = until;
  const value = path.reduce<unknown>((from, field) => (isPlain(from) ? own(from, field) : undefined), scope);
  const at = instantOf(value);
  if (at === undefined || duration === undefined) return at;
  return sign > 0 ? addDuration(at, duration) : subtractDuration(at, duration);
}

/** A date alone is its midnight in UTC. */
function instantOf(value: unknown): number | undefined {
  const at = isDate(value) ? value.getTime() : typeof value === 'string' ? parseInstant(value.trim()) : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}

function parseInstant(text: string): number {
  const match = isoDate.exec(text);
  if (match === null) return Number.NaN;
  // a day that the month does not have would become one of the next
  const day = new Date(`${match[1]}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(String(match[1])) ? Date.parse(text) : Number.NaN;
}
