/** `report`: what came of a campaign, or how far it is. Reads only, beside workers at work. */
import { ServiceError } from '../../domain/errors.ts';
import type { Id } from '../../domain/model.ts';
import { type Report, type ReportHead, report as reportOf } from '../../domain/report.ts';
import { ReportTally } from '../../domain/reportTally.ts';
import { fineStepMs } from '../../domain/timeline.ts';
import { ReportReader } from '../../mongo/reportReader.ts';
import { version } from '../../worker/version.ts';
import type { Context, ExitCode } from '../context.ts';
import { type Database, showId, withDatabase } from '../database.ts';
import { findCampaignId, noCampaign } from '../findCampaign.ts';
import { type Output, plural, safe } from '../output.ts';
import { WholeFile } from '../wholeFile.ts';
import { showReport } from './reportText.ts';

export interface ReportParams {
  campaign: string;
  /** A file for the page, "-" for stdout. */
  html?: string;
}

/** Prints the report, or writes it as a page; 1 when there is no such campaign, 130 when it was interrupted. */
export async function report({ campaign, html }: ReportParams, context: Context): Promise<ExitCode> {
  const { out, signal } = context;
  if (html === '-' && out.json)
    throw new ServiceError('usage', '--html - and --json both write to stdout: give --html a file');
  if (html === '') throw new ServiceError('usage', '--html is ""; it takes a file, or "-" for stdout');
  await using file = html === undefined || html === '-' ? undefined : await WholeFile.open(html, '--html');
  const made = await withDatabase(context, async (database) => {
    const id = await findCampaignId(database.in, campaign);
    if (id === undefined) throw noCampaign(campaign);
    return read(database, id, { out, signal, quiet: html === '-' });
  });
  if (made === undefined) return interrupted(out);
  out.value(made);
  if (html === undefined) {
    showReport(made, out);
    return 0;
  }
  const { reportPage } = await import('./reportHtml.ts');
  const page = await reportPage(made);
  if (signal.aborted) return interrupted(out);
  if (file === undefined) {
    await out.data(page);
    return 0;
  }
  await file.write(page);
  await file.finish();
  const size = `${Math.ceil(Buffer.byteLength(page) / 1024)} KB`;
  out.line(`${out.color.green('wrote')} the report of ${showId(made.campaign.id)} to ${safe(html)} (${size})`);
  return 0;
}

function interrupted(out: Output): ExitCode {
  out.failure({ code: 'interrupted', message: 'interrupted; nothing was written' });
  return 130;
}

interface Work {
  out: Output;
  signal: AbortSignal;
  /** Nothing is shown meanwhile. */
  quiet: boolean;
}

/** Undefined when it was interrupted. */
async function read({ client, db }: Database, id: Id, { out, signal, quiet }: Work): Promise<Report | undefined> {
  await using reader = await ReportReader.open(client, db, id);
  const head = await reader.head();
  const tally = new ReportTally();
  const fineMs = fineStepMs(lifeMs(head, reader.asOf));
  const options = { fineMs, pauses: head.run?.pauses ?? [] };
  const onPage = (): void => {
    if (quiet) return;
    const done = `${plural(tally.conversations, 'conversation')}, ${plural(tally.rows, 'message')}`;
    out.panel([`reading ${showId(id)}`, done]);
  };
  try {
    for await (const { page } of reader.conversations(options)) {
      tally.addConversations(page);
      if (signal.aborted) return undefined;
      onPage();
    }
    for await (const { page } of reader.rows(options)) {
      tally.addRows(page);
      if (signal.aborted) return undefined;
      onPage();
    }
  } finally {
    out.panel([]);
    out.endPanel();
  }
  const consistency = reader.isSnapshot ? 'snapshot' : head.run?.settled ? 'ended' : 'parts';
  return reportOf(head, { tally, fineMs, asOf: reader.asOf, generatedAt: new Date(), version, consistency });
}

const lifeMs = ({ run }: ReportHead, asOf: Date): number =>
  run?.startedAt === undefined ? 0 : (run.completedAt ?? asOf).getTime() - run.startedAt.getTime();
