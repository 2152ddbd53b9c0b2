/** The tables of the live view: the funnel, the members, what went wrong. Pure. */
import { type Align, type Colors, count, fitTo, pad, visibleLength } from '../output.ts';
import type { MemberView, Snapshot } from './watchModel.ts';
import { many, rateWords } from './watchSections.ts';

/** Padded columns under a dim heading. */
export function columns(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  align: readonly Align[],
  color: Colors,
): string[] {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => visibleLength(row[column] ?? ''))));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => pad(cell, widths[column] ?? 0, align[column]))
      .join('  ')
      .trimEnd();
  return [color.dim(line(head)), ...rows.map(line)];
}

export function stages({ funnel }: Snapshot, width: number, color: Colors): string[] {
  if (funnel.length === 0) return [];
  const most = Math.max(1, ...funnel.map(({ entered }) => entered));
  const room = Math.max(0, Math.min(30, width - 62));
  const names = Math.max(8, Math.min(30, width - 34 - room));
  return columns(
    ['stage', 'entered', 'sent', 'replied', ''],
    funnel.map(({ stage, entered, sent, replied }) => [
      fitTo(stage, names),
      ...[entered, sent, replied].map((value) => (value === 0 ? color.dim('-') : count(value))),
      color.cyan('▬'.repeat(entered === 0 ? 0 : Math.ceil((entered / most) * room))),
    ]),
    ['left', 'right', 'right', 'right', 'left'],
    color,
  );
}

const lifeWords = ({ life }: MemberView, color: Colors): string => {
  if (life === 'alive') return color.green(life);
  return life === 'silent' ? color.red(life) : color.dim('…');
};

export function members({ members: found }: Snapshot, width: number, color: Colors): string[] {
  if (found === undefined || found.length === 0) return [];
  const wide = width >= 70;
  return columns(
    ['member', 'state', ...(wide ? ['host', 'thread'] : []), 'share', 'beat', 'lag', 'sends'],
    found.map((member) => [
      member.id.slice(0, 8),
      lifeWords(member, color),
      ...(wide ? [fitTo(member.host, 16), String(member.thread)] : []),
      `${member.partitions}/${member.share}`,
      count(member.beat),
      member.lagSeconds === undefined ? '-' : `${count(member.lagSeconds)} s`,
      member.rate === undefined ? '-' : rateWords(member.rate),
    ]),
    ['left', 'left', ...(wide ? (['left', 'right'] as const) : []), 'right', 'right', 'right', 'right'],
    color,
  );
}

export function troubles({ troubles: found }: Snapshot, width: number, color: Colors): string[] {
  if (found.length === 0) return [];
  return columns(
    ['what went wrong', 'count', 'newest message'],
    found.map(({ kind, code, count: value, more, message, messageId }) => [
      fitTo(kind === 'retry' ? color.yellow(`tried again: ${code}`) : code, 34),
      many({ count: value, more }),
      width >= 120 && messageId !== undefined ? `${message}  ${color.dim(messageId)}` : message,
    ]),
    ['left', 'right', 'left'],
    color,
  );
}
