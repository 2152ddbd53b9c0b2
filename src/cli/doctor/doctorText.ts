/** What `doctor` found, as a person reads it: the worst first, each with what to do. */
import { wrap } from '../blocks.ts';
import { type Output, pad, plural, safe } from '../output.ts';
import { countOf, type Result, type Status, statuses, worstFirst } from './verdict.ts';

const words: Readonly<Record<Status, string>> = {
  failure: 'FAILURE',
  warning: 'WARNING',
  not_checked: 'not checked',
  ok: 'ok',
};
const shownDetails = 12;
const narrowest = 40;
const widest = 120;

const nameOf = ({ group, check }: Result): string => (check === 'all' ? group : `${group}, ${safe(check)}`);

/** What needs somebody: what was found, and what to do, one thing a line. */
function showTrouble(result: Result, out: Output): void {
  const { color } = out;
  const paint = result.status === 'failure' ? color.red : color.yellow;
  const width = Math.min(widest, Math.max(narrowest, out.width - 4));
  out.line();
  out.line(`${color.bold(paint(words[result.status]))}  ${color.bold(nameOf(result))}`);
  for (const line of wrap(safe(result.found), width)) out.line(`  ${line}`);
  const details = result.detail ?? [];
  if (details.length > shownDetails) out.line(color.dim(`    (${details.length} in all: --json has each)`));
  else for (const detail of details) out.line(color.dim(`    ${safe(detail)}`));
  // a command is never broken: it is to be copied
  for (const mend of result.mend ?? []) out.line(`  ${color.cyan('→')} ${safe(mend)}`);
}

function showRest(status: Status, results: readonly Result[], out: Output): void {
  if (results.length === 0) return;
  const { color } = out;
  const paint = status === 'ok' ? color.green : color.dim;
  const width = Math.max(...results.map((result) => nameOf(result).length));
  out.line();
  out.line(paint(words[status]));
  for (const result of results) {
    const left = result.detail?.length === 1 ? `; ${safe(result.detail[0])}` : '';
    out.line(`  ${pad(nameOf(result), width)}  ${color.dim(`${safe(result.found)}${left}`)}`);
  }
}

/** In one line, then the worst first. */
export function showResults(results: readonly Result[], out: Output): void {
  const { color } = out;
  const counts = countOf(results);
  const said = [
    counts.failure > 0 ? color.red(plural(counts.failure, 'failure')) : undefined,
    counts.warning > 0 ? color.yellow(plural(counts.warning, 'warning')) : undefined,
    counts.not_checked > 0 ? `${counts.not_checked} not checked` : undefined,
    color.green(`${counts.ok} ok`),
  ];
  out.line(color.bold(said.filter((part) => part !== undefined).join(', ')));
  const sorted = worstFirst(results);
  for (const status of statuses) {
    const these = sorted.filter((result) => result.status === status);
    if (status === 'ok' || status === 'not_checked') showRest(status, these, out);
    else for (const result of these) showTrouble(result, out);
  }
  if (counts.failure > 1) {
    out.line();
    out.line('Mend the first failure, then look again: others may come of it.');
  }
}
