/** The second look: what moved since it was suspected is no finding. */
import { setTimeout as pause } from 'node:timers/promises';
import { markOf, suspicions, unsettled } from '../domain/auditStuck.ts';
import { campaignKey, messageId } from '../domain/ids.ts';
import { AuditReader, type CampaignHead } from '../mongo/auditReader.ts';
import type { Db } from '../mongo/values.ts';
import { settledMark } from './auditCampaign.ts';
import type { Suspect } from './auditReport.ts';

const relookMs = 5_000;
const everyMs = 500;
const pageSize = 1_000;

/** Those that stood still for five seconds more; ends early when all of them moved. */
export async function relook(db: Db, suspects: readonly Suspect[], overdueMs: number): Promise<readonly Suspect[]> {
  const deadline = performance.now() + relookMs;
  let left = suspects;
  while (left.length > 0) {
    left = await standingStill(db, left, overdueMs);
    if (performance.now() >= deadline) break;
    if (left.length > 0) await pause(everyMs);
  }
  return left;
}

async function standingStill(db: Db, suspects: readonly Suspect[], overdueMs: number): Promise<Suspect[]> {
  const byCampaign = new Map<string, Suspect[]>();
  for (const suspect of suspects) {
    const key = campaignKey(suspect.campaign);
    const known = byCampaign.get(key);
    if (known) known.push(suspect);
    else byCampaign.set(key, [suspect]);
  }
  const left: Suspect[] = [];
  for (const group of byCampaign.values()) {
    await using reader = await AuditReader.latest(db);
    const head = group[0] && (await reader.head(group[0].campaign));
    if (head === undefined) continue;
    const open = unsettled(head, { active: 0, pending: 0 }, overdueMs) !== undefined;
    left.push(...group.filter((one) => one.conversation === undefined && open && one.mark === settledMark(head)));
    const conversations = group.filter(({ conversation }) => conversation !== undefined);
    for (let at = 0; at < conversations.length; at += pageSize)
      left.push(...(await still(reader, head, conversations.slice(at, at + pageSize), overdueMs)));
  }
  return left;
}

/** The same conversation, suspected of the same, as nobody wrote it since. */
async function still(
  reader: AuditReader,
  head: CampaignHead,
  suspects: readonly Suspect[],
  overdueMs: number,
): Promise<Suspect[]> {
  const ids = new Set(suspects.flatMap(({ conversation }) => conversation ?? []));
  const found = await reader.byIds([...ids]);
  const rows = await reader.rows(found.map(({ _id, sequence }) => messageId(_id, sequence)));
  const now = new Map(
    found.map((conversation) => {
      const newest = rows.get(messageId(conversation._id, conversation.sequence));
      const claims = suspicions(conversation, newest, head, overdueMs);
      return [conversation._id, { mark: markOf(conversation), kinds: new Set(claims.map(({ kind }) => kind)) }];
    }),
  );
  return suspects.filter(({ conversation = '', claim, mark }) => {
    const is = now.get(conversation);
    return is !== undefined && is.mark === mark && is.kinds.has(claim.kind);
  });
}
