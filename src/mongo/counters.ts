import type { AnyBulkWriteOperation } from 'mongodb';
import { campaignKey } from '../domain/ids.ts';
import type { CounterDelta, Counters, Id } from '../domain/model.ts';

/** One document per campaign and member: a shared one costs four times, every commit would conflict on it. */
export const counterId = (memberId: string, campaignId: Id): string => `${memberId}|${campaignKey(campaignId)}`;

/**
 * Operations that add the deltas to the member's counter documents, which are made when needed: for a `bulkWrite` within
 * the fenced transaction that writes what is counted. Zeros are left out. `updatedAt` is the server's time.
 */
export function counterUpdates(
  memberId: string,
  deltas: ReadonlyMap<string, { campaignId: Id; delta: CounterDelta }>,
): AnyBulkWriteOperation<Counters>[] {
  const operations: AnyBulkWriteOperation<Counters>[] = [];
  for (const { campaignId, delta } of deltas.values()) {
    const changes = Object.entries(delta).filter(([, by]) => by !== 0);
    if (changes.length === 0) continue;
    operations.push({
      updateOne: {
        filter: { _id: counterId(memberId, campaignId) },
        update: {
          $inc: Object.fromEntries(changes.map(([path, by]) => [path === 'pending' ? path : `counts.${path}`, by])),
          $setOnInsert: { campaignId, memberId },
          $currentDate: { updatedAt: true },
        },
        upsert: true,
      },
    });
  }
  return operations;
}
