/** `migrate`: asks for another version of a campaign's template, after saying what would come of it. */
import { channelFacts } from '../../channels/facts.ts';
import { checkMigration } from '../../domain/campaignMigration.ts';
import type { ChannelFacts } from '../../domain/channelPorts.ts';
import { wantsHolidays } from '../../domain/compileSchedule.ts';
import type { Obstacle } from '../../domain/crossing.ts';
import { ServiceError } from '../../domain/errors.ts';
import type { FlowContextOptions } from '../../domain/flowContext.ts';
import { type FlowVersion, pinnedAt, versionOf, versionsOf } from '../../domain/flowVersions.ts';
import { loadHolidays } from '../../domain/holidays.ts';
import { conversationRange } from '../../domain/ids.ts';
import type { Run } from '../../domain/model.ts';
import { contextsNow, runContextsOf } from '../../domain/runContexts.ts';
import type { Context, ExitCode } from '../context.ts';
import { type Database, showId, withDatabase } from '../database.ts';
import { findCampaignId, noCampaign } from '../findCampaign.ts';
import { count, plural, safe } from '../output.ts';

export interface MigrateParams {
  campaign: string;
  to: number;
  dryRun?: boolean;
}

/** Conversations that stand in one stage of one version. */
export interface Standing {
  /** Absent: that of the campaign's start. */
  version?: number;
  stage: string;
  conversations: number;
  moves: boolean;
  why?: Obstacle['why'];
  repeats?: string;
}

export const migrate = (params: MigrateParams, context: Context): Promise<ExitCode> =>
  withDatabase(context, async (database) => {
    const run = await runOf(database, params.campaign);
    const channels = channelFacts(database.config.channels);
    const { out } = context;
    const { faults, after, holidays } = await planned(database, run, params.to, channels);
    if (faults.length > 0 || after === undefined) {
      out.value({ campaign: run._id, to: params.to, changed: false, faults });
      if (!out.json) for (const { code, path, message } of faults) out.line(safe(`${path}: ${message} (${code})`));
      return 1;
    }
    const from = run.migration?.to ?? run.template?.version;
    if (from === params.to) {
      out.value({ campaign: run._id, from, to: params.to, changed: false });
      out.line(`${showId(run._id)} follows version ${params.to} already`);
      return 0;
    }
    const standings = await standingsOf(database, after, { channels, worker: '', holidays });
    const lacking = lackingIn(after);
    if (!out.json) say(out, after, params.to, standings, lacking);
    const changed = params.dryRun !== true && (await ask(database, run, params.to));
    out.value({
      ...{ campaign: run._id, from, to: params.to, changed },
      moves: sum(standings.filter(({ moves }) => moves)),
      stays: sum(standings.filter(({ moves }) => !moves)),
      ...{ stages: standings, lacking },
    });
    if (changed)
      out.line(out.color.green(`asked ${showId(run._id)} to go over to version ${params.to}; \`status\` shows it`));
    return 0;
  });

const sum = (standings: readonly Standing[]): number =>
  standings.reduce((all, { conversations }) => all + conversations, 0);

async function runOf({ in: stored }: Database, typed: string): Promise<Run> {
  const id = await findCampaignId(stored, typed);
  const run = id === undefined ? null : await stored.runs.findOne({ _id: id });
  if (run === null) throw noCampaign(typed);
  if (run.startedAt !== undefined && !run.settled && (run.status === 'running' || run.status === 'paused')) return run;
  const why = run.startedAt === undefined ? 'has not started: set its templateVersion' : 'has ended';
  throw new ServiceError('not_found', `${safe(typed)} ${why}; migrate takes running, paused`);
}

/** The run as the migration would leave it. */
async function planned({ in: stored }: Database, run: Run, to: number, channels: ReadonlyMap<string, ChannelFacts>) {
  const { template, flows = [] } = run;
  const version = async (number: number | undefined) =>
    (template && (await stored.templates.findOne({ '_id.id': template.id, '_id.version': number } as never))) ??
    undefined;
  const [from, target] = [await version(template?.version), await version(to)];
  const holidays = wantsHolidays(run, target) ? await loadHolidays() : undefined;
  const { faults, pinned } = checkMigration(
    { channels, holidays, versions: { from, to: target ?? 'missing' } },
    run,
    to,
  );
  if (faults.length > 0) return { faults };
  const { number = 0, to: before = template?.version ?? to } = run.migration ?? {};
  const migration = { number: number + 1, from: before, to, startedAt: new Date(), left: [] };
  return {
    faults,
    after: { ...run, ...(pinned ? { flows: [...flows, pinned] } : {}), migration } satisfies Run,
    holidays,
  };
}

/** Active conversations by where they stand, with what would become of them. */
async function standingsOf({ in: stored }: Database, run: Run, options: FlowContextOptions): Promise<Standing[]> {
  const { from, to } = conversationRange(run._id);
  const found = await stored.conversations
    .aggregate<{ _id: { version?: number; stage: string }; count: number }>([
      { $match: { _id: { $gte: from, $lt: to }, status: 'active' } },
      { $group: { _id: { version: '$flowVersion', stage: '$stage' }, count: { $sum: 1 } } },
      { $sort: { '_id.version': 1, '_id.stage': 1 } },
    ])
    .toArray();
  const contexts = contextsNow(runContextsOf(run, options).contexts, run);
  return found.map(({ _id: { version, stage }, count: conversations }) => {
    const own: FlowVersion = version ?? undefined;
    const crossing = contexts.get(own)?.asking?.crossing;
    const obstacle: Obstacle | undefined = crossing?.has(stage) ? crossing.get(stage) : { why: 'stage_missing' };
    const moves = own === versionOf(run) || obstacle === undefined;
    return {
      ...(own === undefined ? {} : { version: own }),
      ...{ stage, conversations, moves },
      ...(moves || obstacle === undefined ? {} : obstacle),
    };
  });
}

/** Stages of versions that are followed by now which the new one does not have. */
function lackingIn(run: Run): string[] {
  const there = new Set(pinnedAt(run, versionOf(run)).flow.stages.map(({ id }) => id));
  const before = versionsOf(run).flatMap((version) => pinnedAt(run, version).flow.stages.map(({ id }) => id));
  return [...new Set(before)].filter((id) => !there.has(id));
}

const words: Readonly<Record<Obstacle['why'], string>> = {
  stage_missing: 'stays: the new version has no such stage',
  stage_type: 'stays: its stage is of another type there',
  would_repeat: 'stays: it leads back to',
};

function say(
  out: Context['out'],
  run: Run,
  to: number,
  standings: readonly Standing[],
  lacking: readonly string[],
): void {
  const first = run.template?.version;
  if (standings.length === 0) out.line('no conversation is active');
  else
    out.table(
      ['version', 'stage', 'active', ''],
      standings.map(({ version = first, stage, conversations, moves, why, repeats }) => [
        String(version),
        safe(stage),
        count(conversations),
        moves
          ? version === to
            ? 'follows it'
            : 'goes over'
          : `${words[why ?? 'stage_missing']}${repeats ? ` ${safe(repeats)}` : ''}`,
      ]),
      ['left', 'left', 'right', 'left'],
    );
  if (lacking.length > 0)
    out.line(`version ${to} lacks ${plural(lacking.length, 'stage')}: ${safe(lacking.join(', '))}`);
}

/** False when it ended in between. */
async function ask({ in: stored }: Database, { _id }: Run, toVersion: number): Promise<boolean> {
  const { matchedCount } = await stored.campaigns.updateOne(
    { _id, status: { $in: ['running', 'paused'] } },
    { $set: { migrate: { toVersion } } },
  );
  return matchedCount === 1;
}
