/**
 * Another version of its template for a campaign that runs: taken or refused as a whole when it is asked for, over when every
 * active conversation was asked. Nothing is undone by a new wish in between: who was not asked yet is asked for the new one at once.
 */
import { checkCampaign } from './campaignChecks.ts';
import { base, type CampaignDecision, type CampaignInput, campaignSet } from './campaignWrites.ts';
import type { Fault } from './errors.ts';
import type { CampaignDocument, Flow, PinnedVersion, Run, RunMigration, Template } from './model.ts';
import { normalise } from './normalise.ts';
import { isPlain, own } from './plain.ts';
import { printable } from './printable.ts';
import { roughSize } from './roughSize.ts';
import { runAfter } from './runAfter.ts';
import { faultsOf } from './validation.ts';

/** A run is read often, and a document holds 16 MB. */
const mostVersions = 20;
const mostBytes = 4_000_000;

/** The version that a campaign's document asks for; undefined where it asks for none that could be. */
export function versionAsked(raw: Record<string, unknown>): number | undefined {
  const migrate = own(raw, 'migrate');
  const version = isPlain(migrate) ? normalise(own(migrate, 'toVersion')) : undefined;
  return typeof version === 'number' ? version : undefined;
}

/** Asks for what `input.versions` and `input.counted` have to hold. */
export const asksToMigrate = (raw: Record<string, unknown> | undefined): boolean =>
  raw !== undefined && own(raw, 'migrate') !== undefined;
export const mayBeMigrated = (run: Pick<Run, 'migration' | 'settled'> | undefined): boolean =>
  run?.migration !== undefined &&
  run.migration.completedAt === undefined &&
  run.migration.left.length === 0 &&
  !run.settled;

/** Answers what the document asks for, and notes that a migration is over. */
export function withMigration(input: CampaignInput, decision: CampaignDecision): CampaignDecision {
  const { raw } = input;
  const run = decision.write ? runAfter(input.run, decision.write) : input.run;
  if (run?.startedAt === undefined) return decision;
  if (raw !== undefined && asksToMigrate(raw)) return answered(input, raw, run, decision);
  return mayBeMigrated(run) && isOpen(run) ? completed(input, run, decision) : decision;
}

const isOpen = ({ status, settled }: Run): boolean => !settled && (status === 'running' || status === 'paused');

function answered(
  input: CampaignInput,
  raw: Record<string, unknown>,
  run: Run,
  decision: CampaignDecision,
): CampaignDecision {
  const faults = shapeFaults(raw);
  const to = versionAsked(raw);
  if (to === undefined || faults.length > 0) return refused(input, raw, decision, faults);
  if (!isOpen(run)) return refused(input, raw, decision, [notAllowed('the campaign has ended')]);
  if (to === currentVersion(run)) return together(input, raw, decision, { campaign: {}, unset: ['migrate'] });
  const checked = checkMigration(input, run, to);
  if (checked.faults.length > 0) return refused(input, raw, decision, checked.faults);
  const migration: RunMigration = {
    number: (run.migration?.number ?? 0) + 1,
    ...{ from: currentVersion(run) as number, to, startedAt: new Date(input.now) },
    // a recurring campaign has no conversations of its own
    left: run.child === undefined ? Array.from({ length: input.partitions }, (_, n) => n) : [],
  };
  const pinned = checked.pinned === undefined ? {} : { flows: [...(run.flows ?? []), checked.pinned] };
  return together(
    input,
    raw,
    { ...decision, event: decision.event ?? 'migrating' },
    {
      campaign: { templateVersion: to, migration: shown(migration) },
      unset: isOurs(own(raw, 'error')) ? ['migrate', 'error'] : ['migrate'],
      run: { ...pinned, migration },
    },
  );
}

function completed(input: CampaignInput, run: Run, decision: CampaignDecision): CampaignDecision {
  const { counted, raw } = input;
  if (counted === undefined || run.migration === undefined) return decision;
  const { number } = run.migration;
  const migration: RunMigration = { ...run.migration, completedAt: new Date(input.now) };
  const { moved = {}, stayed = {} } = counted.migrations?.[String(number)] ?? {};
  const outcome = { moved: Object.values(moved).reduce((sum, count) => sum + count, 0), stayed };
  return together(
    input,
    raw,
    { ...decision, event: decision.event ?? 'migrated' },
    { campaign: { migration: { ...shown(migration), ...outcome } }, run: { migration } },
  );
}

/** Without what is of use to workers alone. */
const shown = ({ from, to, startedAt, completedAt }: RunMigration): Record<string, unknown> => ({
  ...{ from, to, startedAt },
  ...(completedAt === undefined ? {} : { completedAt }),
});

/** The number of the version that whoever enters follows. */
const currentVersion = (run: Run): number | undefined => run.migration?.to ?? run.template?.version;

/** An error that an earlier answer left. */
const isOurs = (error: unknown): boolean => isPlain(error) && /^(migrate|template)\b/.test(String(own(error, 'path')));

// ---------------------------------------------------------------- what can be wrong

const notAllowed = (message: string): Fault => ({ code: 'not_allowed', path: 'migrate', message });

function shapeFaults(raw: Record<string, unknown>): Fault[] {
  const shape = { _id: '', status: 'running', migrate: normalise(own(raw, 'migrate')) };
  return faultsOf('CampaignDocument', shape).filter(({ path }) => path.startsWith('migrate'));
}

type MigrationCheck = Pick<CampaignInput, 'channels' | 'holidays' | 'unsubscribeTokens' | 'versions'>;

/**
 * Everything that keeps a run from going over to a version, each fault with its path, those of the template as at a start; and what of
 * the version is to be pinned, undefined where it is already. What the campaign itself said when it started holds on.
 */
export function checkMigration(
  { channels, holidays, unsubscribeTokens, versions }: MigrationCheck,
  run: Run,
  to: number,
): { faults: Fault[]; pinned?: PinnedVersion } {
  const { template, flows = [] } = run;
  const path = 'migrate.toVersion';
  if (template?.version === undefined)
    return { faults: [notAllowed('the campaign has a flow of its own; only one with a templateId has versions')] };
  if (to === template.version || flows.some(({ version }) => version === to)) return { faults: [] };
  const { from, to: stored = 'missing' } = versions ?? {};
  if (stored === 'missing') {
    const message = `there is no template ${printable(template.id)} with version ${to}`;
    return { faults: [{ code: 'template_missing', path, message }] };
  }
  const { faults, flow, variables, schedule } = checkCampaign(documentOf(run, from, to), {
    ...{ channels, holidays, ...(unsubscribeTokens === undefined ? {} : { unsubscribeTokens }) },
    template: stored,
    reservedCollections: [],
  });
  if (faults.length > 0) return { faults };
  const { sendWindow, late } = schedule as NonNullable<typeof schedule>;
  const own = { ...(sendWindow === undefined ? {} : { sendWindow }), ...(late === undefined ? {} : { late }) };
  const pinned = { version: to, flow: flow as Flow, variables, schedule: own };
  const size = [...flows, pinned].reduce((sum, one) => sum + roughSize(one), 0);
  if (flows.length < mostVersions && size <= mostBytes) return { faults: [], pinned };
  const bound = `at most ${mostVersions} versions of ${mostBytes} bytes together`;
  return { faults: [{ code: 'not_allowed', path, message: `the campaign keeps ${bound} beside that of its start` }] };
}

/** The campaign as it was pinned, with another version. What it had from its first template alone comes from the new one. */
function documentOf(run: Run, from: Template | undefined, to: number): Record<string, unknown> {
  const { campaign, template, transactional, unsubscribe, exitWhen, reentry } = run;
  const before = (from === undefined ? {} : normalise(from)) as Partial<Template>;
  const { startAt: _, ...schedule } = without(run.schedule ?? {}, before.schedule);
  const given = { transactional, unsubscribe, exitWhen, reentry, audience: audienceOf(run) };
  return {
    ...campaign,
    ...{ _id: run._id, status: 'running', templateId: template?.id, templateVersion: to, schedule },
    variables: without(run.variables, before.variables),
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  };
}

function audienceOf({ audience }: Run): Record<string, unknown> | undefined {
  if (audience.kind === 'enrollments') return undefined;
  if (audience.kind === 'inline') return { contacts: [] };
  const { collection, filter, live } = audience;
  return { collection, filter, ...(live ? { mode: 'live' } : {}) };
}

/** The fields that are not just as `defaults` has them. */
const without = (fields: Record<string, unknown>, defaults: unknown): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(fields).filter(
      ([name, value]) => !isPlain(defaults) || JSON.stringify(own(defaults, name)) !== JSON.stringify(normalise(value)),
    ),
  );

// ---------------------------------------------------------------- the write

function refused(
  input: CampaignInput,
  raw: Record<string, unknown>,
  decision: CampaignDecision,
  faults: Fault[],
): CampaignDecision {
  const told = { campaign: { error: { ...(faults[0] as Fault) } }, unset: ['migrate' as const] };
  return together(input, raw, { ...decision, faults: [...(decision.faults ?? []), ...faults] }, told);
}

interface Changes {
  campaign: Partial<CampaignDocument>;
  unset?: (keyof CampaignDocument)[];
  run?: Partial<Run>;
}

/** What a decision writes already, and these beside it. */
function together(
  input: CampaignInput,
  raw: Record<string, unknown> | undefined,
  decision: CampaignDecision,
  { campaign, unset = [], run }: Changes,
): CampaignDecision {
  const write = decision.write ?? base(input, raw);
  const set = raw && (write.campaign ? { ...write.campaign.set, ...campaign } : campaignSet(raw, campaign).set);
  const gone = set && [...new Set([...(write.campaign?.unset ?? []), ...unset])].filter((name) => !(name in set));
  // a run that is inserted has nothing to migrate from
  const before = write.run as { set: Partial<Run>; unset?: (keyof Run)[] } | undefined;
  return {
    ...decision,
    write: {
      ...write,
      ...(set ? { campaign: { set, ...(gone && gone.length > 0 ? { unset: gone } : {}) } } : {}),
      ...(run ? { run: { ...before, set: { ...before?.set, ...run, updatedAt: new Date(input.now) } } } : {}),
      ...(run ? { expectMigration: input.run?.migration?.number ?? 0 } : {}),
    },
  };
}
