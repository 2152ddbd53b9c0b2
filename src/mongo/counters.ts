import { campaignKey } from '../domain/ids.ts';
import type { CounterDelta, Id } from '../domain/model.ts';
import type { UpdateStatement } from './commands.ts';

/** One document per campaign and member: a shared one costs four times, every commit would conflict on it. */
const counterId = (memberId: string, campaignId: Id): string => `${memberId}|${campaignKey(campaignId)}`;

/**
 * Statements that add the deltas to the member's counter documents, which are made when needed: for the
 * fenced transaction that writes what is counted. Zeros are left out. `updatedAt` is the server's time.
 */
export function counterUpdates(
  memberId: string,
  deltas: ReadonlyMap<string, { campaignId: Id; delta: CounterDelta }>,
): UpdateStatement[] {
  const statements: UpdateStatement[] = [];
  for (const { campaignId, delta } of deltas.values()) {
    const changes = Object.entries(delta).filter(([, by]) => by !== 0);
    if (changes.length === 0) continue;
    statements.push({
      q: { _id: counterId(memberId, campaignId) },
      u: {
        $inc: Object.fromEntries(changes.map(([path, by]) => [path === 'pending' ? path : `counts.${path}`, by])),
        // taken away when it is folded after the end: whoever counts at that moment begins again
        $set: { unfolded: true },
        $setOnInsert: { campaignId, memberId },
        $currentDate: { updatedAt: true },
      },
      upsert: true,
    });
  }
  return statements;
}
