/** From which stages of one version of a flow a conversation may go over to another one. */
import type { CompiledFlow, CompiledStage } from './flow.ts';
import { namedEdges } from './flowChecks.ts';

/**
 * Why a conversation stays: its stage is not there, or is of another type; or the new version leads from there to a message that
 * it may have got (`repeats`), because the order of stages changed.
 */
export type Obstacle = { why: 'stage_missing' } | { why: 'stage_type' } | { why: 'would_repeat'; repeats: string };

/** By stage of the version it comes from; undefined: it goes over. */
export type Crossing = ReadonlyMap<string, Obstacle | undefined>;

type Graph = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * From each version that is given to what comes of it, to `to`.
 * @param past Every version that a conversation may have followed until now, the given ones among them.
 */
export function crossingsTo(to: CompiledFlow, past: readonly CompiledFlow[]): (from: CompiledFlow) => Crossing {
  const ways = { to: closureOf([to]), past: closureOf(past), around: waysAround(to) };
  return (from) => crossingOf(from, to, { ...ways, from: closureOf([from]) });
}

interface Ways extends Readonly<Record<'from' | 'to' | 'past', Graph>> {
  /** The stages of the new version that its entry leads to even if the given one is never taken. */
  readonly around: (stage: string) => ReadonlySet<string>;
}

function crossingOf(from: CompiledFlow, to: CompiledFlow, ways: Ways): Crossing {
  return new Map(
    [...from.stages.values()].map((stage): [string, Obstacle | undefined] => {
      const same = to.stages.get(stage.id);
      if (same === undefined) return [stage.id, { why: 'stage_missing' }];
      if (same.type !== stage.type) return [stage.id, { why: 'stage_type' }];
      const repeats = repeatedFrom(stage.id, to, ways);
      return [stage.id, repeats === undefined ? undefined : { why: 'would_repeat', repeats }];
    }),
  );
}

/**
 * A stage that sends, that lies ahead in the new version, and that the conversation may have behind it. It is meant to come again where
 * the version it comes from would have led there, too, or where nobody gets here in the new version but by that stage.
 */
function repeatedFrom(here: string, to: CompiledFlow, ways: Ways): string | undefined {
  for (const ahead of ways.to.get(here) as Set<string>) {
    if (ahead === here || !sends(to.stages.get(ahead))) continue;
    const isBehind = ways.past.get(ahead)?.has(here) === true;
    const isBefore = ways.to.get(to.entry)?.has(here) === true && !ways.around(ahead).has(here);
    const comesAgain = isBefore || ways.from.get(here)?.has(ahead) === true;
    if (isBehind && !comesAgain) return ahead;
  }
  return undefined;
}

const sends = (stage: CompiledStage | undefined): boolean =>
  stage?.type === 'message' || stage?.type === 'webhook' || stage?.type === 'escalate';

/** By stage: all that can come after it, in whatever way. */
function closureOf(flows: readonly CompiledFlow[]): Graph {
  const next = nextOf(flows);
  return new Map([...next.keys()].map((id) => [id, reached(id, next)]));
}

/** See Ways. */
function waysAround(flow: CompiledFlow): Ways['around'] {
  const next = nextOf([flow]);
  const known = new Map<string, ReadonlySet<string>>();
  return (stage) => {
    const found = known.get(stage) ?? reachedWithout(stage, flow.entry, next);
    known.set(stage, found);
    return found;
  };
}

function reachedWithout(stage: string, entry: string, next: Graph): ReadonlySet<string> {
  if (entry === stage) return new Set();
  return reached(entry, new Map(next).set(stage, new Set())).add(entry);
}

/** By stage: what can come right after it. */
function nextOf(flows: readonly CompiledFlow[]): Graph {
  const next = new Map<string, Set<string>>();
  for (const { stages, rules } of flows) {
    const led = rules.flatMap(({ action }) => action.goto ?? []);
    for (const stage of stages.values())
      next.set(stage.id, new Set([...(next.get(stage.id) ?? []), ...waysFrom(stage), ...led]));
  }
  return next;
}

function reached(from: string, next: Graph): Set<string> {
  const found = new Set<string>();
  const open = [from];
  for (let id = open.pop(); id !== undefined; id = open.pop())
    for (const to of next.get(id) as Set<string>)
      if (!found.has(to)) {
        found.add(to);
        open.push(to);
      }
  return found;
}

function waysFrom(stage: CompiledStage): string[] {
  const named = namedEdges(stage).map(({ to }) => to);
  return 'next' in stage && stage.next !== undefined && fallsThrough(stage) ? [...named, stage.next] : named;
}

/** Whether silence can lead to the next stage in order. */
function fallsThrough(stage: CompiledStage): boolean {
  if (stage.type === 'message') return stage.on['noReply'] === undefined;
  if (stage.type === 'branch') return stage.branches.at(-1)?.query !== undefined;
  return stage.type !== 'split';
}
