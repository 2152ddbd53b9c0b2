/** Faults of a campaign file, as people and programs read them. */

import { type Output, plural, safe } from '../output.ts';
import type { PlacedFault } from './document.ts';

/** `campaign.yaml:12:9 flow.stages[1].channel: …`, which editors and terminals make a link of. */
export function showFaults(file: string, faults: readonly PlacedFault[], out: Output): void {
  const { bold, cyan, dim, red } = out.color;
  const name = file === '-' ? 'stdin' : file;
  for (const { path, message, code, line, column, excerpt } of faults) {
    const what = path === '' ? '' : ` ${bold(safe(path))}`;
    out.line(`${cyan(`${safe(name)}:${line}:${column}`)}${what}: ${safe(message)} ${dim(`[${code}]`)}`);
    if (excerpt === undefined) continue;
    const number = String(line);
    out.line(`  ${dim(`${number} |`)} ${safe(excerpt.line)}`);
    out.line(`  ${' '.repeat(number.length)} ${dim('|')} ${red(excerpt.caret)}`);
  }
}

/** Without what is only for the eye. */
export const faultValues = (faults: readonly PlacedFault[]): Omit<PlacedFault, 'excerpt'>[] =>
  faults.map(({ excerpt: _, ...fault }) => fault);

export const faultCount = (file: string, faults: readonly PlacedFault[]): string =>
  `${plural(faults.length, 'fault')} in ${safe(file === '-' ? 'stdin' : file)}`;
