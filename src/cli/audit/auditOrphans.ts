/** Rows of a campaign that belong to none of its conversations. */
import { type AuditedRow, type Claim, conversationOf, isSequence, orphanClaim } from '../../domain/audit.ts';
import { sequenceOf } from '../../domain/ids.ts';
import type { Id } from '../../domain/model.ts';
import type { AuditReader } from '../../mongo/auditReader.ts';

export interface Orphan {
  row: AuditedRow;
  conversation: string;
  claim: Claim;
}

const pageSize = 1_000;

/** Reads every row of the campaign, a page at a time. */
export async function* orphans(reader: AuditReader, campaignId: Id): AsyncGenerator<Orphan> {
  let after: string | undefined;
  for (;;) {
    const page = await reader.rowsAfter(campaignId, after, pageSize);
    const owners = await reader.byIds([...new Set(page.map(({ _id }) => conversationOf(_id)))]);
    const sequences = new Map(owners.map(({ _id, sequence }) => [_id, sequence]));
    for (const row of page) {
      const conversation = conversationOf(row._id);
      const sequence = sequences.get(conversation);
      const number = sequenceOf(row._id);
      if (sequence !== undefined && isSequence(number) && number >= 1 && number <= sequence) continue;
      yield { row, conversation, claim: orphanClaim(row, sequence) };
    }
    after = page.at(-1)?._id;
    if (page.length < pageSize) return;
  }
}
