/** The versions of a template that a run has pinned: the one of its start, and those it was migrated to. */
import { channelsOf } from './channelsOf.ts';
import type { Conversation, Run, Stage } from './model.ts';

/** What a version pins. */
export type PinnedFlow = Pick<Run, 'flow' | 'variables' | 'schedule'>;
type Versioned = Pick<Run, 'flow'> & Partial<Pick<Run, 'flows' | 'migration' | 'template'>>;

/** What conversations say: undefined stands for the version of the start, whatever number it has. */
export type FlowVersion = Conversation['flowVersion'];

/** The version that whoever enters follows. */
export function versionOf({ migration, template }: Omit<Versioned, 'flow'>): FlowVersion {
  return migration === undefined || migration.to === template?.version ? undefined : migration.to;
}

/** All that are pinned, the one of the start first. */
export const versionsOf = ({ flows = [] }: Pick<Versioned, 'flows'>): FlowVersion[] => [
  undefined,
  ...flows.map(({ version }) => version),
];

/** The run as one of its versions pins it. */
export function pinnedAt<R extends PinnedFlow & Versioned>(run: R, version: FlowVersion): R {
  const found = run.flows?.find((one) => one.version === version);
  if (found === undefined) return run;
  const { sendWindow: _, late: __, ...schedule } = run.schedule ?? {};
  return {
    ...run,
    flow: found.flow,
    variables: found.variables,
    schedule: { ...schedule, ...found.schedule },
  };
}

/** The run with what whoever enters follows. */
export const currentOf = <R extends PinnedFlow & Versioned>(run: R): R => pinnedAt(run, versionOf(run));

/** What a conversation that begins now says of it. */
export const enteringAt = (run: Omit<Versioned, 'flow'>): Pick<Conversation, 'flowVersion' | 'migration'> => {
  const version = versionOf(run);
  return {
    ...(version === undefined ? {} : { flowVersion: version }),
    ...(run.migration === undefined ? {} : { migration: run.migration.number }),
  };
};

/** Stages of all versions, each id once: those of the current version in its order, then what only others have. */
export function stagesOf(run: Versioned): Stage[] {
  const current = versionOf(run);
  const flows = [{ version: undefined as FlowVersion, flow: run.flow }, ...(run.flows ?? [])];
  const found = new Map<string, Stage>();
  for (const { flow } of [...flows.filter(({ version }) => version === current), ...flows])
    for (const stage of flow.stages) if (!found.has(stage.id)) found.set(stage.id, stage);
  return [...found.values()];
}

/** Stages of the version that a conversation follows, as far as it is known. */
export const stagesFor = (run: Versioned, { flowVersion }: Pick<Conversation, 'flowVersion'>): readonly Stage[] =>
  (flowVersion === undefined ? run.flow : run.flows?.find(({ version }) => version === flowVersion)?.flow)?.stages ??
  [];

/** Channels that any of its versions names, each once. */
export const channelsOfRun = ({ flow, flows = [] }: Pick<Versioned, 'flow' | 'flows'>): string[] => [
  ...new Set([flow, ...flows.map((pinned) => pinned.flow)].flatMap(channelsOf)),
];
