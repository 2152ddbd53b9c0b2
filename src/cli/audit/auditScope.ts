/** Which campaigns there are to audit, and those that have no run although they should. */
import { campaignPart, keyOfAny } from '../../domain/auditPlace.ts';
import { campaignKey, conversationRange } from '../../domain/ids.ts';
import type { Id } from '../../domain/model.ts';
import { isId } from '../../domain/normalise.ts';
import { AuditReader, isSnapshotGone } from '../../mongo/auditReader.ts';
import { candidates, type Database } from '../database.ts';
import { findCampaign, noCampaign } from '../findCampaign.ts';
import type { AuditReport } from './auditReport.ts';

export interface Scope {
  /** The runs to audit. */
  ids: readonly Id[];
  /** Whether anybody has to be at work. */
  watched: boolean;
}

/** One campaign, or all of them; what has no run goes to the report. */
export async function scope(database: Database, campaign: string | undefined, report: AuditReport): Promise<Scope> {
  await using reader = await AuditReader.snapshot(database.client, database.db);
  // awaited here: the session ends with this function
  return await (campaign === undefined ? all(reader, report) : one(database, reader, campaign, report));
}

async function all(reader: AuditReader, report: AuditReport): Promise<Scope> {
  const runs = await reader.runs();
  const known = new Set(runs.map(({ _id }) => keyOfAny(_id)));
  for (const { _id, status } of await reader.waiting())
    if (!known.has(keyOfAny(_id))) report.waiting.push({ campaign: _id, status });
  try {
    await withoutRun(reader, known, report);
  } catch (error) {
    if (!isSnapshotGone(error)) throw error;
    report.unproved(
      'there are too many campaigns to be listed within 5 minutes: not all were looked for that lack a run',
    );
  }
  return { ids: runs.map(({ _id }) => _id), watched: true };
}

async function one({ in: stored }: Database, reader: AuditReader, typed: string, report: AuditReport): Promise<Scope> {
  const ids = candidates(typed);
  const runs = await reader.runs(ids);
  const [run] = ids.flatMap((id) => runs.filter(({ _id }) => keyOfAny(_id) === keyOfAny(id)));
  if (run) return { ids: [run._id], watched: !run.settled };
  for (const id of ids) await leftOf(reader, id, report);
  const known = (await findCampaign(stored, typed)) !== undefined;
  if (!known && report.found === 0) throw noCampaign(typed);
  for (const { _id, status } of await reader.withoutRun(ids)) report.waiting.push({ campaign: _id, status });
  return { ids: [], watched: known };
}

const collections = ['conversations', 'messages'] as const;
type Collection = (typeof collections)[number];

const addMissing = (campaign: Id | undefined, of: Collection, _id: string, report: AuditReport): void =>
  report.add({
    kind: 'run_missing',
    ...(campaign === undefined ? {} : { campaign }),
    ...(of === 'conversations' ? { conversation: _id } : { message: _id }),
    found: `${of}, this is the first, and no run`,
    expected: 'a run for each campaign',
  });

/** Steps from the first id of one campaign to the first of the next: a look at the index each, however many there are. */
async function withoutRun(reader: AuditReader, known: ReadonlySet<string>, report: AuditReport): Promise<void> {
  for (const of of collections)
    for (let found = await reader.first(of, ''); found !== undefined; ) {
      const { _id, campaignId } = found;
      const part = campaignPart(_id);
      if (part === undefined || !known.has(part)) {
        const campaign = isId(campaignId) && campaignKey(campaignId) === part ? campaignId : undefined;
        addMissing(campaign, of, _id, report);
      }
      found = await reader.first(of, part === undefined ? `${_id}\u0000` : `${part};`);
    }
}

/** What there is of a campaign that has no run. */
async function leftOf(reader: AuditReader, campaign: Id, report: AuditReport): Promise<void> {
  const { from, to } = conversationRange(campaign);
  for (const of of collections) {
    const found = await reader.first(of, from);
    if (found !== undefined && found._id < to) addMissing(campaign, of, found._id, report);
  }
}
