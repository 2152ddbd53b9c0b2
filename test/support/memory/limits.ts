import type { LimitStore } from '../../../src/domain/limitPorts.ts';
import type { CampaignRamp, ContactPressure, Id, Unit } from '../../../src/domain/model.ts';
import type { MemoryDatabase } from './database.ts';

export class MemoryLimits implements LimitStore {
  private readonly database: MemoryDatabase;
  private readonly memberId: string;

  constructor({ database, memberId }: { database: MemoryDatabase; memberId: string }) {
    this.database = database;
    this.memberId = memberId;
  }

  pressures(ids: readonly string[]): Promise<ContactPressure[]> {
    return this.database.run('pressures', this.memberId, () =>
      ids.flatMap((id) => this.database.pressures.get(id) ?? []),
    );
  }

  ramps(campaignIds: readonly Id[]): Promise<CampaignRamp[]> {
    return this.database.run('ramps', this.memberId, () =>
      campaignIds.flatMap((id) => this.database.ramps.get(id) ?? []),
    );
  }
}

/** The limits of one unit; false when something is not as it was read. */
export function writeLimits(database: MemoryDatabase, { campaignId, limits = [] }: Unit): boolean {
  const { pressures, ramps } = database;
  for (const change of limits) {
    if (change.kind !== 'raise') continue;
    if (pressures.get(change.document._id)?.version !== change.version) return false;
    pressures.put(change.document);
  }
  for (const change of limits) {
    const found = change.kind === 'lower' ? pressures.get(change.id) : undefined;
    if (change.kind !== 'lower' || !found?.sends.some(({ id }) => id === change.messageId)) continue;
    const sends = found.sends.filter(({ id }) => id !== change.messageId);
    pressures.put({ ...found, sends, version: found.version + 1 });
  }
  for (const change of limits) {
    const stored = change.kind === 'return' ? ramps.get(campaignId) : undefined;
    if (change.kind === 'return' && stored?.from.getTime() === change.from.getTime())
      ramps.put({ ...stored, used: stored.used - 1 });
  }
  for (const change of limits) {
    if (change.kind !== 'take') continue;
    const stored = ramps.get(campaignId);
    const isLater = stored !== undefined && stored.from >= change.from;
    const used = isLater ? stored.used : 0;
    if (used >= change.limit) return false;
    ramps.put({ _id: campaignId, from: isLater ? stored.from : change.from, used: used + 1 });
  }
  return true;
}
