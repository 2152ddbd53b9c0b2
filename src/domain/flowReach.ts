/** Which stages a conversation can come to, and before which of them something can have happened. */
import type { CompiledFlow, CompiledStage } from './flow.ts';
import { namedEdges } from './flowChecks.ts';

/** Where a stage leads, whatever happens. */
function exitsOf(stage: CompiledStage): string[] {
  const named = namedEdges(stage).map(({ to }) => to);
  return goesOn(stage) && stage.next !== undefined ? [...named, stage.next] : named;
}

/** Whether it may lead to the next one in order. */
function goesOn(stage: CompiledStage): stage is Exclude<CompiledStage, { type: 'end' }> {
  switch (stage.type) {
    case 'end':
    case 'split':
      return false;
    case 'branch':
      return stage.branches.at(-1)?.query !== undefined;
    case 'message':
      return stage.on['noReply'] === undefined;
    case 'wait':
    case 'escalate':
    case 'webhook':
      return true;
  }
}

/** The stages of a list, and all that they lead to. */
function reachedFrom({ stages }: CompiledFlow, starts: readonly string[]): Set<string> {
  const reached = new Set<string>();
  const open = [...starts];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const stage = stages.get(id);
    if (stage === undefined || reached.has(id)) continue;
    reached.add(id);
    open.push(...exitsOf(stage));
  }
  return reached;
}

/** Whoever takes a conversation over may give it back to any stage. */
const isHandedOver = ({ stages, rules }: CompiledFlow): boolean =>
  [...stages.values()].some(({ type }) => type === 'escalate') ||
  rules.some(({ action }) => action.escalate !== undefined);

const ruleTargets = ({ rules }: CompiledFlow): string[] => rules.flatMap(({ action }) => action.goto ?? []);

/** Stages that nobody ever comes to. */
export function unreachable(flow: CompiledFlow): CompiledStage[] {
  if (isHandedOver(flow)) return [];
  const reached = reachedFrom(flow, [flow.entry, ...ruleTargets(flow)]);
  return [...flow.stages.values()].filter(({ id }) => !reached.has(id));
}

/** Stages that an event may have led to, at once or some stages before: their templates can read it. */
export function heardStages(flow: CompiledFlow): ReadonlySet<string> {
  if (isHandedOver(flow)) return new Set(flow.stages.keys());
  const led = [...flow.stages.values()].flatMap((stage) => {
    const named = 'on' in stage ? Object.entries(stage.on).filter(([event]) => event !== 'noReply') : [];
    const awaited = stage.type === 'wait' && stage.waitFor.kind === 'event' ? [stage.next ?? ''] : [];
    return [...named.map(([, target]) => target), ...awaited];
  });
  return reachedFrom(flow, [...led, ...ruleTargets(flow)]);
}
