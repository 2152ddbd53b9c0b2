/** `resume`: says first what would become of whom, and asks where there is somebody to ask. */
import type { Run } from '../../domain/model.ts';
import { stopWords } from '../../domain/stopSwitch.ts';
import { pausedBy } from '../../domain/storyWhy.ts';
import { serverTime } from '../../mongo/client.ts';
import { readStopSwitch } from '../../mongo/control.ts';
import type { Context, ExitCode } from '../context.ts';
import { type Database, showId, withDatabase } from '../database.ts';
import { findCampaign, noCampaign } from '../findCampaign.ts';
import { count, type Output, safe } from '../output.ts';
import { type CampaignParams, change } from './campaigns.ts';
import { type CampaignOutlook, outlookOf } from './outlook.ts';
import { outlookLines, ratePerSecond } from './outlookText.ts';

export interface ResumeParams extends CampaignParams {
  /** Only says it. */
  dryRun?: boolean;
  /** Looks at everybody who is due. */
  exact?: boolean;
  /** Does not ask. */
  yes?: boolean;
}

/** 1 when the campaign is not paused, or the answer is no. */
export const resume = (params: ResumeParams, context: Context): Promise<ExitCode> =>
  withDatabase(context, async (database): Promise<ExitCode> => {
    const { out } = context;
    const { in: stored } = database;
    const campaign = await findCampaign(stored, params.campaign);
    if (campaign?.['status'] !== 'paused') {
      if (params.dryRun !== true) return change('resume', stored, params, context);
      if (campaign === undefined) throw noCampaign(params.campaign);
      return notPaused(campaign, out);
    }
    const run = await stored.runs.findOne({ _id: campaign._id });
    const told = run?.startedAt === undefined ? undefined : await look(run, database, params, out);
    const stop = await readStopSwitch(stored);
    showHead(campaign, run, out);
    for (const line of told === undefined ? [untold(run)] : outlookLines(told, out)) out.line(line);
    if (stop.sending === 'stopped')
      out.line(
        out.color.red(`sending is stopped for all campaigns${safe(stopWords(stop))}: nothing leaves before start-all`),
      );
    const more = told === undefined ? {} : { overdue: told.due, outlook: told };
    const left = { campaign: campaign._id, status: 'paused', changed: false, ...more };
    if (params.dryRun === true) {
      out.value(left);
      return 0;
    }
    if (params.yes !== true && !(await out.confirm(`resume ${showId(campaign._id)}?`))) {
      out.line(`${showId(campaign._id)} stays paused`);
      return 1;
    }
    return change('resume', stored, params, context, async () => ({ more, lines: [] }));
  });

const untold = (run: Run | null): string =>
  run?.startedAt === undefined
    ? 'it has not started: nobody is due'
    : 'what becomes of whom cannot be told: this release cannot read its flow';

function notPaused({ _id, status }: Record<string, unknown>, out: Output): ExitCode {
  out.value({ campaign: _id, status, changed: false });
  out.line(`${showId(_id)} is ${safe(status)}: there is nothing to go on with`);
  return 1;
}

interface Told extends CampaignOutlook {
  /** Messages a second that it made so far, as far as that says anything. */
  rate?: number;
  /** ms until what would be sent has left, at that rate. */
  takesMs?: number;
}

async function look(run: Run, database: Database, { exact }: ResumeParams, out: Output): Promise<Told | undefined> {
  const now = (await serverTime(database.db)).getTime();
  const found = await outlookOf(run, database, {
    now,
    ...(exact === true ? { exact } : {}),
    onLooked: (looked, due) => out.panel([`looked at ${count(looked)} of ${count(due)}`]),
  }).finally(() => {
    out.panel([]);
    out.endPanel();
  });
  if (found === undefined) return undefined;
  const rate = ratePerSecond(run);
  return { ...found, ...(rate === undefined ? {} : { rate, takesMs: (found.fates.sent / rate) * 1000 }) };
}

function showHead(campaign: Record<string, unknown>, run: Run | null, out: Output): void {
  const why = run === null ? '' : pausedBy(run, campaign as Parameters<typeof pausedBy>[1]);
  const from = run?.pauses?.at(-1)?.from;
  const since = from === undefined ? '' : ` since ${from.toISOString()}`;
  out.line(`${showId(campaign['_id'])} is paused${since}${safe(why)}`);
}
