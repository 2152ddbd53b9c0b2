/** Documents of others, read as what they are, whatever that is. */

export type Loose = Record<string, unknown>;

export const record = (value: unknown): Loose =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Loose) : {};
export const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
export const number = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value : 0);
export const date = (value: unknown): Date | undefined =>
  value instanceof Date && !Number.isNaN(value.getTime()) ? value : undefined;
/** To the second: 2026-01-05T09:00:00Z; "-" for what is no date. */
export const instant = (value: unknown): string =>
  date(value)
    ?.toISOString()
    .replace(/\.\d+Z$/, 'Z') ?? '-';
