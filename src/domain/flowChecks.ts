/** What is wrong with a flow: the list of faults, suggestions for misspelt names, and the checks on the graph as a whole. */
import type { Fault } from './errors.ts';
import type { CompiledRule, CompiledStage } from './flow.ts';
import { joinPath } from './plain.ts';

/** As many as anyone reads. A document of 16 MB can hold a million; the list must stay storable. */
const maxFaults = 200;
/** Names a message lists before it only counts. */
const maxNames = 20;

export class Faults {
  readonly list: Fault[] = [];

  /** `message` is only called when the fault is listed: suggestions take time. */
  add(code: string, path: string, message: () => string): void {
    if (this.list.length < maxFaults) this.list.push({ code, path, message: message() });
    else if (this.list.length === maxFaults) {
      this.list.push({ code: 'more_faults', path, message: `more than ${maxFaults} faults; the rest is not listed` });
    }
  }
}

/** What ids of stages, outcomes and variants have to be. */
export const nameWords = 'a name: a letter, then letters, digits, "_" or "-", 64 at most';

/** `"a", "b" and 7 more`. */
export function listed(names: readonly string[], separator = ', '): string {
  const shown = names.slice(0, maxNames).map((name) => JSON.stringify(name));
  return `${shown.join(separator)}${names.length > maxNames ? ` and ${names.length - maxNames} more` : ''}`;
}

/** ` Did you mean "x"?` when one of the names is a slip of the pen away, else nothing. */
export function suggestion(name: string, names: readonly string[]): string {
  const allowed = Math.min(2, Math.floor(name.length / 3));
  const wanted = name.toLowerCase();
  let best: { name: string; distance: number } | undefined;
  for (const candidate of names) {
    if (Math.abs(candidate.length - name.length) > allowed || candidate.length > 64) continue;
    const distance = slips(wanted, candidate.toLowerCase());
    if (distance <= allowed && distance < (best?.distance ?? allowed + 1)) best = { name: candidate, distance };
  }
  return best === undefined ? '' : ` Did you mean ${JSON.stringify(best.name)}?`;
}

/** Letters in another order are one slip. */
const slips = (a: string, b: string): number => (a !== b && sorted(a) === sorted(b) ? 1 : editDistance(a, b));
const sorted = (text: string): string => [...text].sort().join('');

/** Levenshtein's distance, row by row. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  let last = b.length;
  for (const [index, letter] of [...a].entries()) {
    let diagonal = index;
    last = index + 1;
    const first = last;
    const rest = row.slice(1).map((above, column) => {
      last = Math.min(above + 1, last + 1, diagonal + (b.charAt(column) === letter ? 0 : 1));
      diagonal = above;
      return last;
    });
    row = [first, ...rest];
  }
  return last;
}

interface Edge {
  to: string;
  /** Where the flow says so, below the stage; empty for the next stage in order. */
  at: string;
}

/** All that a stage names as places to go on, in the order of its fields. */
export function namedEdges(stage: CompiledStage): Edge[] {
  const edges: Edge[] = [];
  const add = (to: string | undefined, at: string): void => {
    if (to !== undefined) edges.push({ to, at });
  };
  if (stage.type === 'branch')
    for (const [n, branch] of stage.branches.entries()) add(branch.goto, `.branches[${n}].goto`);
  if (stage.type === 'split')
    for (const [n, variant] of stage.variants.entries()) add(variant.goto, `.variants[${n}].goto`);
  if (stage.type === 'wait') {
    if (stage.waitFor.kind === 'until') add(stage.waitFor.onMissing, '.onMissing');
    if (stage.waitFor.kind === 'event') add(stage.waitFor.onTimeout, '.onTimeout');
  }
  if (stage.type === 'escalate') add(stage.onTimeout, '.onTimeout');
  if ('on' in stage) for (const [event, target] of Object.entries(stage.on)) add(target, joinPath('.on', event));
  return edges;
}

/** Whatever a stage or a rule names has to be a stage. */
export function checkTargets(
  stages: readonly CompiledStage[],
  rules: readonly CompiledRule[],
  path: string,
  faults: Faults,
): void {
  const ids = new Set(stages.map((stage) => stage.id));
  const check = (target: string, at: string): void => {
    // an empty one has its fault already
    if (target === '' || ids.has(target)) return;
    faults.add('stage_missing', at, () => {
      const names = [...ids];
      return `there is no stage ${JSON.stringify(target.slice(0, 80))}.${suggestion(target, names)} Stages: ${listed(names)}`;
    });
  };
  for (const stage of stages)
    for (const { to, at } of namedEdges(stage)) check(to, `${path}.stages[${stage.index}]${at}`);
  for (const [index, { action }] of rules.entries())
    if (action.goto !== undefined) check(action.goto, `${path}.rules[${index}].then.goto`);
}

/**
 * The ways out of a stage that are taken at once and need nothing from outside: silence where nothing is waited for, a date
 * that may have passed, and the failure of its message. Replies, receipts and events of the author come from outside, so they
 * cannot spin by themselves.
 */
function edgesOf(stage: CompiledStage): Edge[] {
  switch (stage.type) {
    case 'end':
    case 'escalate':
      return [];
    case 'branch':
      return [...namedEdges(stage), ...(stage.branches.at(-1)?.query ? onwards(stage) : [])];
    case 'split':
      return namedEdges(stage);
    case 'wait':
      if (stage.waitFor.kind !== 'until') return [];
      return [...namedEdges(stage).filter(({ at }) => at === '.onMissing'), ...onwards(stage)];
    case 'webhook':
      return [...namedEdges(stage).filter(({ at }) => at === '.on.failed'), ...onwards(stage)];
    case 'message': {
      if (stage.delay !== undefined) return [];
      const waits = stage.followUps.length > 0 || stage.waitForReply !== undefined;
      const atOnce = waits ? ['.on.failed'] : ['.on.failed', '.on.noReply'];
      const named = namedEdges(stage);
      const edges = atOnce.flatMap((at) => named.filter((edge) => edge.at === at));
      return waits || stage.on['noReply'] !== undefined ? edges : [...edges, ...onwards(stage)];
    }
  }
}

const onwards = ({ next }: { next?: string }): Edge[] => (next === undefined ? [] : [{ to: next, at: '' }]);

interface Frame {
  stage: CompiledStage;
  edges: Edge[];
  /** Of the edge that is being followed. */
  at: string;
}

/** A cycle in which nothing waits would send without end. Each is reported once, at the edge that leads back. */
export function checkCycles(stages: ReadonlyMap<string, CompiledStage>, path: string, faults: Faults): void {
  const done = new Set<string>();
  for (const root of stages.values()) {
    const depths = new Map<string, number>();
    const frames: Frame[] = [];
    const enter = (stage: CompiledStage): void => {
      depths.set(stage.id, frames.length);
      frames.push({ stage, edges: edgesOf(stage), at: '' });
    };
    if (!done.has(root.id)) enter(root);
    for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
      const edge = frame.edges.shift();
      if (edge === undefined) {
        frames.pop();
        depths.delete(frame.stage.id);
        done.add(frame.stage.id);
        continue;
      }
      frame.at = edge.at;
      const depth = depths.get(edge.to);
      const target = stages.get(edge.to);
      if (depth !== undefined) reportCycle(frames.slice(depth), path, faults);
      else if (target !== undefined && !done.has(edge.to)) enter(target);
    }
  }
}

function reportCycle(cycle: readonly Frame[], path: string, faults: Faults): void {
  // The last of them in order can only lead back.
  const back = cycle.reduce((last, frame) => (frame.stage.index > last.stage.index ? frame : last));
  const ids = [...cycle, ...cycle.slice(0, 1)].map(({ stage }) => stage.id);
  faults.add(
    'cycle_without_wait',
    `${path}.stages[${back.stage.index}]${back.at}`,
    () => `${listed(ids, ' -> ')} goes round without a pause; put a wait, a delay, a follow-up or waitForReply into it`,
  );
}
