/** Blocks of a report on a terminal: a heading, rows, and a bar for each. In a pipe: a heading and plain columns. */
import { type Align, type Colors, fitTo, type Output, pad, visibleLength } from './output.ts';

type Paint = (text: string) => string;

export interface Block {
  title: string;
  note?: string;
  head: readonly string[];
  /** Columns of words; those of figures are set to the right. Only the first when absent. */
  words?: readonly number[];
  rows: readonly Row[];
}

export interface Row {
  cells: readonly string[];
  /** 0 to 1: how long its bar is. */
  bar?: number;
  paint?: keyof Pick<Colors, 'green' | 'red' | 'yellow' | 'cyan' | 'blue' | 'dim'>;
}

const widest = 110;
const longestBar = 40;
const shortestBar = 6;
const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A bar of up to `width` cells, in eighths of one; what there is at all is seen. */
export function bar(share: number, width: number): string {
  const units = Math.round(Math.min(1, Math.max(0, share)) * width * 8);
  const shown = share > 0 ? Math.max(1, units) : 0;
  return '█'.repeat(Math.floor(shown / 8)) + (eighths[shown % 8] ?? '');
}

/** Lines of whole words; a word that is longer than a line has one of its own. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

export function showBlock(block: Block, out: Output): void {
  const { title, note, head, rows } = block;
  if (rows.length === 0) return;
  const { color } = out;
  out.line();
  if (!out.tty) {
    out.line(note === undefined ? title : `${title} (${note})`);
    out.table(
      head,
      rows.map(({ cells }) => cells),
      alignOf(block),
    );
    return;
  }
  out.line(color.bold(title) + (note === undefined ? '' : color.dim(`  ${note}`)));
  for (const line of lines(block, Math.min(widest, out.width), color)) out.line(line);
}

/** The widest column of words gives way, as far as something is left to read. */
function narrow(widths: number[], align: readonly Align[], isTooWide: () => boolean): void {
  while (isTooWide()) {
    const words = widths.map((width, column) => (align[column] === 'left' ? width : 0));
    const most = Math.max(...words);
    if (most <= 8) return;
    widths[words.indexOf(most)] = most - 1;
  }
}

const alignOf = ({ head, words = [0] }: Block): Align[] =>
  head.map((_, column) => (words.includes(column) ? 'left' : 'right'));

function lines(block: Block, width: number, color: Colors): string[] {
  const { head, rows } = block;
  const align = alignOf(block);
  const widths = head.map((cell, column) =>
    Math.max(visibleLength(cell), ...rows.map(({ cells }) => visibleLength(cells[column] ?? ''))),
  );
  const barred = rows.some(({ bar }) => bar !== undefined);
  const gaps = 2 * (head.length - 1);
  const sum = (): number => widths.reduce((total, one) => total + one, 0) + gaps;
  const room = width - (barred ? shortestBar + 2 : 0);
  narrow(widths, align, () => sum() > room);
  const barWidth = Math.min(longestBar, width - sum() - 2);
  const line = (cells: readonly string[], drawn: string, paint: Paint): string => {
    const padded = cells.map((cell, column) =>
      pad(fitTo(cell, widths[column] ?? 0), widths[column] ?? 0, align[column]),
    );
    const [first = '', ...rest] = padded;
    const columns = barred ? [first, paint(pad(drawn, barWidth)), ...rest] : [first, ...rest];
    return columns.join('  ').trimEnd();
  };
  return [
    color.dim(line(head, '', String)),
    ...rows.map(({ cells, bar: share, paint = 'blue' }) =>
      line(cells, share === undefined || barWidth < 1 ? '' : bar(share, barWidth), color[paint]),
    ),
  ];
}
