/** A frame of the live view: which parts there is room for, and where they stand. Pure: a snapshot and a size in, lines out. */
import { type Colors, count, fitTo, pad } from '../output.ts';
import type { Snapshot } from './watchModel.ts';
import * as section from './watchSections.ts';
import * as table from './watchTables.ts';

export interface FrameParams {
  snapshot: Snapshot;
  columns: number;
  rows: number;
  color: Colors;
  /** Said in the last line: that MongoDB is away, which keys there are. */
  footer: string;
  /** MongoDB is away: the figures are those of before. */
  stale: boolean;
}

/** In the order in which they are shown. */
const order = [
  'progress',
  'audience',
  'outcomes',
  'messages',
  'due',
  'delays',
  'stages',
  'members',
  'troubles',
] as const;
type Part = (typeof order)[number];
/** In the order in which they get room: what an operator cannot do without comes first. */
const importance: readonly Part[] = [
  ...(['progress', 'delays', 'messages', 'due', 'outcomes', 'troubles', 'audience', 'stages', 'members'] as const),
];
/** Set apart by an empty line where there is room for it. */
const apart: ReadonlySet<Part> = new Set(['stages', 'members', 'troubles', 'delays']);
/** Lines that a part needs to be of use; with fewer it is left out. */
const least = (part: Part, lines: number): number =>
  Math.min(lines, part === 'stages' || part === 'members' || part === 'troubles' ? 3 : 1);

const besideFrom = 150;

/** Lines of at most `columns` cells less one, at most `rows` of them. */
export function frame({ snapshot, columns, rows, color, footer, stale }: FrameParams): string[] {
  const width = Math.max(1, columns - 1);
  if (rows < 1) return [];
  const head = section.title(snapshot, width, color);
  if (rows === 1) return [fitTo(head, width)];
  const parts = partsOf(snapshot, width, color);
  const body = fill(parts, rows - 2);
  const dimmed = stale ? body.map((line) => color.dim(line)) : body;
  const blank = Array.from({ length: Math.max(0, rows - 2 - body.length) }, () => '');
  return [head, ...dimmed, ...blank, footer].map((line) => fitTo(line, width));
}

/** The same figures for the record, once it is over: as many lines as they take. */
export function finalLines(snapshot: Snapshot, columns: number, color: Colors): string[] {
  const width = Math.max(20, columns - 1);
  const { members: _, due: __, ...parts } = partsOf(snapshot, Math.min(width, besideFrom - 1), color);
  const body = order.flatMap((part) => {
    const lines = part === 'members' || part === 'due' ? [] : (parts[part] ?? []);
    return lines.length > 0 && apart.has(part) ? ['', ...lines] : lines;
  });
  return [section.title(snapshot, width, color), ...body].map((line) => fitTo(line, width));
}

type Parts = Readonly<Record<Part, string[]>>;

function partsOf(snapshot: Snapshot, width: number, color: Colors): Parts {
  const wide = width >= besideFrom;
  const half = Math.floor(width / 2) - 2;
  const tables = {
    stages: table.stages(snapshot, wide ? half : width, color),
    members: table.members(snapshot, wide ? half : width, color),
  };
  return {
    progress: section.progress(snapshot, width, color),
    audience: section.audience(snapshot, color),
    outcomes: section.outcomes(snapshot, color),
    messages: section.messages(snapshot, width, color),
    due: [...section.due(snapshot, color), ...section.end(snapshot, color)],
    delays: section.delays(snapshot, color),
    ...(wide ? { stages: beside(tables.stages, tables.members, half), members: [] } : tables),
    troubles: table.troubles(snapshot, width, color),
  };
}

function beside(left: readonly string[], right: readonly string[], half: number): string[] {
  if (left.length === 0) return [...right];
  return Array.from({ length: Math.max(left.length, right.length) }, (_, index) =>
    `${pad(fitTo(left[index] ?? '', half), half)}    ${right[index] ?? ''}`.trimEnd(),
  );
}

/** First what each part needs at least, then as much as each wants, then empty lines between them. */
function fill(parts: Parts, rows: number): string[] {
  const given = new Map<Part, number>();
  let left = rows;
  const give = (part: Part, lines: number): void => {
    given.set(part, (given.get(part) ?? 0) + lines);
    left -= lines;
  };
  for (const part of importance) {
    const needed = least(part, parts[part].length);
    if (needed > 0 && needed <= left) give(part, needed);
  }
  for (const part of importance) {
    const had = given.get(part) ?? 0;
    if (had > 0) give(part, Math.min(left, parts[part].length - had));
  }
  const lines: string[] = [];
  for (const part of order) {
    const many = given.get(part) ?? 0;
    if (many === 0) continue;
    if (apart.has(part) && left > 0 && lines.length > 0) {
      lines.push('');
      left -= 1;
    }
    lines.push(...shortened(parts[part], many));
  }
  return lines;
}

/** The last line that there is room for says how many there is none for. */
function shortened(lines: readonly string[], many: number): string[] {
  if (lines.length <= many) return [...lines];
  if (many < 2) return lines.slice(0, many);
  return [...lines.slice(0, many - 1), `… ${count(lines.length - many + 1)} more`];
}
