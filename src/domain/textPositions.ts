/** Lines and columns of a text, as editors count them. */

/** Both from 1; a column is a character (code point), so that one emoji is one column. */
export interface Position {
  line: number;
  column: number;
}

/** Places in one text. Lines end with LF or CRLF. */
export interface TextMap {
  /** Of an offset in UTF-16 units; one outside the text counts as its nearest end. */
  positionOf(offset: number): Position;
  /** The line of a position, cut to `width` characters around it, and under it the caret. */
  excerptOf(position: Position, width?: number): { line: string; caret: string };
}

export function textMap(text: string): TextMap {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  const startOf = (line: number): number => starts[line - 1] ?? text.length;
  return {
    positionOf(offset) {
      const at = Math.min(Math.max(offset, 0), text.length);
      const line = lastAtMost(starts, at) + 1;
      return { line, column: [...text.slice(startOf(line), at)].length + 1 };
    },
    excerptOf({ line, column }, width = 80) {
      const whole = [...text.slice(startOf(line), startOf(line + 1)).replace(/\r?\n$/, '')];
      const from = Math.max(0, Math.min(column - Math.ceil(width / 2), whole.length - width + 1));
      const shown = whole.slice(from, from + width).map((character) => (character < ' ' ? ' ' : character));
      return {
        line: `${from > 0 ? '…' : ''}${shown.join('')}${from + width < whole.length ? '…' : ''}`,
        caret: `${' '.repeat(column - 1 - from + (from > 0 ? 1 : 0))}^`,
      };
    },
  };
}

/** Index of the last element that is `value` or less, in a sorted list that begins with 0. */
function lastAtMost(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((sorted[middle] as number) <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}
