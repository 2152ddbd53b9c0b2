/** What decisions over a run need, for each version of its template that its conversations follow. */
import { crossingsTo } from './crossing.ts';
import type { FlowContext } from './decision.ts';
import type { Fault } from './errors.ts';
import { type FlowContextOptions, flowContextOf } from './flowContext.ts';
import { type FlowVersion, pinnedAt, versionOf, versionsOf } from './flowVersions.ts';
import { resumedAt as resumedAtOf } from './guard.ts';
import type { Conversation, Run } from './model.ts';

/** By version. One that does not compile here is missing. */
export type RunContexts = ReadonlyMap<FlowVersion, FlowContext>;

/** Faults mean that this release cannot run what another one pinned; each is told with its version. */
export function runContextsOf(
  run: Run,
  options: FlowContextOptions,
): { contexts: RunContexts; faults: (Fault & { version?: FlowVersion })[] } {
  const contexts = new Map<FlowVersion, FlowContext>();
  const faults: (Fault & { version?: FlowVersion })[] = [];
  for (const version of versionsOf(run)) {
    const compiled = flowContextOf(pinnedAt(run, version), options);
    if (compiled.context)
      contexts.set(version, version === undefined ? compiled.context : { ...compiled.context, version });
    else faults.push(...compiled.faults.map((fault) => (version === undefined ? fault : { ...fault, version })));
  }
  return { contexts, faults };
}

/** The contexts as the run stands now: whether it is over, when it was resumed, and what conversations are asked. The same ones when nothing of that is new. */
export function contextsNow(before: RunContexts, run: Run): RunContexts {
  const stopped = run.status === 'cancelled' ? (run.endReason ?? 'campaign_cancelled') : undefined;
  const resumedAt = resumedAtOf(run);
  const isNews = [...before.values()].some(
    (context) =>
      context.stopped !== stopped ||
      context.isOver !== run.settled ||
      context.resumedAt !== resumedAt ||
      context.asking?.number !== run.migration?.number,
  );
  if (!isNews) return before;
  const now = new Map(
    [...before].map(([version, { stopped: _, asking: __, ...rest }]) => {
      const context: FlowContext = { ...rest, ...(stopped === undefined ? {} : { stopped }), isOver: run.settled };
      if (resumedAt !== undefined) context.resumedAt = resumedAt;
      return [version, context] as const;
    }),
  );
  const to = now.get(versionOf(run));
  if (run.migration === undefined || to === undefined) return now;
  const { number } = run.migration;
  // one that was pinned before this migration may lie behind a conversation, too
  const isBack = number > (run.flows?.length ?? 0);
  const past = [...now.values()].filter((context) => isBack || context !== to).map(({ flow }) => flow);
  const crossing = crossingsTo(to.flow, past);
  for (const context of now.values()) context.asking = { number, to, crossing: crossing(context.flow) };
  return now;
}

/** What decides about a conversation; undefined where its version is not known here. */
export const contextFor = (contexts: RunContexts, { flowVersion }: Pick<Conversation, 'flowVersion'>) =>
  contexts.get(flowVersion ?? undefined);

/** It tells of a migration that the run, as it is known here, does not: the run has to be read anew. */
export const isAhead = (
  { migration = 0 }: { migration?: number | undefined },
  run: Pick<Run, 'migration'> | undefined,
): boolean => run !== undefined && migration > (run.migration?.number ?? 0);
