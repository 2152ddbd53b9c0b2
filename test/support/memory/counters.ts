import { campaignKey } from '../../../src/domain/ids.ts';
import type { CounterDelta, Counters, Id } from '../../../src/domain/model.ts';
import type { MemoryDatabase } from './database.ts';

/** Adds a delta to the member's document of the campaign, within a transaction. */
export function addCounters(database: MemoryDatabase, memberId: string, campaignId: Id, delta: CounterDelta): void {
  const changes = Object.entries(delta).filter(([, by]) => by !== 0);
  if (changes.length === 0) return;
  const _id = `${memberId}|${campaignKey(campaignId)}`;
  const document: Counters = database.counters.get(_id) ?? { _id, campaignId, memberId };
  const { counts = {} } = document;
  for (const [path, by] of changes) {
    if (path === 'pending') document.pending = (document.pending ?? 0) + by;
    else add(counts, path.split('.'), by);
  }
  if (Object.keys(counts).length > 0) document.counts = counts;
  document.unfolded = true;
  document.updatedAt = new Date(database.clock.now());
  database.counters.put(document);
}

function add(counts: Record<string, unknown>, [name = '', ...rest]: string[], by: number): void {
  if (rest.length === 0) {
    counts[name] = Number(counts[name] ?? 0) + by;
    return;
  }
  const inner = (counts[name] ?? {}) as Record<string, unknown>;
  add(inner, rest, by);
  counts[name] = inner;
}
