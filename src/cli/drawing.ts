/** Bars, little columns and shares. Pure. */
import type { Colors } from './output.ts';

/** Statuses of conversations in the order they are drawn. */
export const segments = ['completed', 'escalated', 'failed', 'suppressed', 'cancelled', 'active'] as const;
export type Segment = (typeof segments)[number];

export const paint = (color: Colors, segment: Segment, text: string): string => {
  if (segment === 'completed') return color.green(text);
  if (segment === 'failed') return color.red(text);
  return segment === 'active' ? color.cyan(text) : color.yellow(text);
};

/** Shares of a whole in `width` cells that add up to `width`; what there is at all gets a cell. */
export function cells(values: readonly number[], total: number, width: number): number[] {
  if (total <= 0) return values.map(() => 0);
  const shares = values.map((value) => (value > 0 ? Math.max(1, Math.round((value / total) * width)) : 0));
  const largest = shares.indexOf(Math.max(...shares));
  const filled = Math.round((values.reduce((sum, value) => sum + value, 0) / total) * width);
  const excess = shares.reduce((sum, share) => sum + share, 0) - filled;
  return shares.map((share, index) => (index === largest ? Math.max(0, share - excess) : share));
}

/** Conversations by status as a bar of `width` cells; what is none of them yet is dots. */
export function bar(
  statuses: Readonly<Partial<Record<Segment, number>>>,
  total: number,
  width: number,
  color: Colors,
): string {
  const values = segments.map((segment) => statuses[segment] ?? 0);
  // figures of others may say anything: a part is never more than the whole
  const whole = Math.max(
    total,
    values.reduce((sum, value) => sum + value, 0),
  );
  const widths = cells(values, whole, width);
  const drawn = segments.map((segment, index) =>
    paint(color, segment, (segment === 'active' ? '▒' : '█').repeat(widths[index] ?? 0)),
  );
  const rest = width - widths.reduce((sum, cell) => sum + cell, 0);
  return drawn.join('') + color.dim('·'.repeat(Math.max(0, rest)));
}

const sparks = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/** The last `width` rates as little columns. */
export function sparkline(rates: readonly number[], width: number): string {
  const shown = width > 0 ? rates.slice(-width) : [];
  const most = Math.max(1, ...shown);
  return shown
    .map((rate) => sparks[Math.min(sparks.length - 1, Math.round((rate / most) * (sparks.length - 1)))])
    .join('');
}

/** 00:12, 01:02:03. */
export const clock = (ms: number): string => {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (value: number): string => String(value).padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${two(minutes)}:${two(seconds % 60)}`
    : `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}:${two(seconds % 60)}`;
};

/** 0.123 as 12.3 %. A part of something never reads as none of it, or as all; of nothing there is a dash. */
export function percent(part: number, whole = 1): string {
  if (whole <= 0) return '-';
  const share = Math.max(0, part / whole);
  if (share > 0 && share < 0.0005) return '< 0.1 %';
  if (share < 1 && share >= 0.9995) return '> 99.9 %';
  return `${(100 * share).toFixed(1)} %`;
}
