/** `audit`: proves from the stored documents that all is well. */
import { type Finding, type FindingKind, findingKinds } from '../../domain/audit.ts';
import { type Patience, patience } from '../../domain/auditStuck.ts';
import type { Id } from '../../domain/model.ts';
import { isAllOwned, ranges } from '../../domain/partitions.ts';
import { readCluster } from '../../mongo/collections.ts';
import type { Context, ExitCode } from '../context.ts';
import { type Database, showId, withDatabase } from '../database.ts';
import { type Cluster, watchMembers } from '../memberWatch.ts';
import { count, type Output, plural, safe, span } from '../output.ts';
import { CampaignAudit } from './auditCampaign.ts';
import { Relook } from './auditRelook.ts';
import { AuditReport } from './auditReport.ts';
import { scope } from './auditScope.ts';

export interface AuditParams {
  campaign?: string;
  /** Seconds after which what is due counts as stuck. */
  overdue: number;
}

/** Findings of a kind that are told, to people and to programs; all are counted. */
const shownOfKind = 20;
const keptOfKind = 10_000;

/** Prints every finding; 1 when there is any. Reads only, beside workers at work. */
export const audit = (params: AuditParams, context: Context): Promise<ExitCode> =>
  withDatabase(context, async (database): Promise<ExitCode> => {
    const { out } = context;
    const started = performance.now();
    const { partitions } = await readCluster(database.db);
    const report = new AuditReport(out.json ? keptOfKind : shownOfKind);
    const { ids, watched } = await scope(database, params.campaign, report);
    const { channels, leaseTtlMs, sendConcurrency } = database.config;
    const allowed = patience(params.overdue * 1000, channels, sendConcurrency);
    const [cluster] = await Promise.all([
      watched ? watchMembers(database.in, leaseTtlMs) : undefined,
      auditAll(database, ids, { partitions, patience: allowed, leaseTtlMs, report, out }),
    ]);
    if (cluster) addOwnerless(cluster, report);
    out.endPanel();
    show(report, performance.now() - started, out);
    return report.found > 0 ? 1 : 0;
  });

interface Work {
  partitions: number;
  patience: Patience;
  leaseTtlMs: number;
  report: AuditReport;
  out: Output;
}

async function auditAll({ client, db }: Database, ids: readonly Id[], work: Work): Promise<void> {
  const { report, out, partitions, patience: allowed, leaseTtlMs } = work;
  for (const [index, campaignId] of ids.entries()) {
    const onPage = (): void =>
      out.panel([
        `campaign ${count(index + 1)} of ${count(ids.length)}  ${showId(campaignId)}`,
        `${plural(report.conversations, 'conversation')}, ${plural(report.messages, 'message')}, ${plural(report.found, 'finding')}`,
      ]);
    const campaign = new CampaignAudit({ client, db, campaignId, partitions, patience: allowed, report, onPage });
    if (await campaign.run()) report.campaigns += 1;
  }
  const again = report.suspects.length + report.waiting.length;
  if (again > 0) out.panel([`looking again at ${plural(again, 'document')} that should move`]);
  await new Relook({ db, report, patience: allowed, leaseTtlMs }).run();
  report.noteClocks();
}

function addOwnerless({ members, ownerless }: Cluster, report: AuditReport): void {
  if (isAllOwned(ownerless)) return;
  const expected = 'a live owner for every partition';
  if (members.length === 0) {
    report.add({ kind: 'partition_unowned', found: 'no worker runs', expected });
    return;
  }
  const { unowned, orphaned, silent } = ownerless;
  const say = (numbers: readonly number[], why: string): void => {
    if (numbers.length > 0) report.add({ kind: 'partition_unowned', found: `${why}: ${ranges(numbers)}`, expected });
  };
  say(unowned, 'no owner');
  say(orphaned, 'the owner is no member');
  say(silent, 'the owner is silent');
}

function show(report: AuditReport, tookMs: number, out: Output): void {
  const { campaigns, conversations, messages, unknown, expired, complete, findings, notes, found, byKind } = report;
  const { color } = out;
  const kinds = Object.fromEntries(byKind);
  out.value({
    ...{ ok: found === 0, complete, campaigns, conversations, messages, unknown, expired, kinds, findings, notes },
    seconds: Math.round(tookMs) / 1000,
  });
  for (const [kind, many] of byKind) showKind(kind, many, findings, out);
  for (const note of notes) out.line(color.yellow(note));
  const looked = [
    plural(campaigns, 'campaign'),
    plural(conversations, 'conversation'),
    plural(messages, 'message'),
  ].join(', ');
  out.line(`looked at ${looked} in ${span(tookMs)}`);
  if (unknown > 0)
    out.line(`unknown: ${plural(unknown, 'message')} with a channel, of conversations that have ended meanwhile`);
  if (expired > 0) out.line(`expired: ${plural(expired, 'document')}, of which nothing can be proved`);
  const summary = [...byKind].map(([kind, many]) => `${count(many)} ${kind}`).join(', ');
  if (!complete) out.line(color.yellow('not everything could be proved, see above'));
  out.line(found === 0 ? color.green('no findings') : color.red(`${plural(found, 'finding')}: ${summary}`));
}

function showKind(kind: FindingKind, many: number, findings: readonly Finding[], out: Output): void {
  const { color } = out;
  out.line(`${color.bold(kind)}: ${findingKinds[kind]}`);
  out.table(
    ['campaign', 'conversation or message', 'found', 'expected'],
    findings
      .filter((finding) => finding.kind === kind)
      .map(({ campaign, conversation, message, found, expected }) => [
        campaign === undefined ? '-' : showId(campaign),
        safe(message ?? conversation ?? '-'),
        safe(found),
        safe(expected),
      ]),
  );
  const all = many > keptOfKind ? `the first ${count(keptOfKind)}` : 'all';
  if (many > shownOfKind) out.line(color.dim(`and ${count(many - shownOfKind)} more; --json has ${all}`));
  out.line();
}
