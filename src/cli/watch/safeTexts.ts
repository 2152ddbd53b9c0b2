/** What others wrote, wherever it stands in what is shown. */
import { safe } from '../output.ts';

/** A copy in which every text, names of fields included, is as `safe` leaves it; other values stay. */
export function safeTexts<T>(value: T): T {
  return safed(value) as T;
}

function safed(value: unknown): unknown {
  if (typeof value === 'string') return safe(value);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (Array.isArray(value)) return value.map(safed);
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [safe(name), safed(field)]));
}
