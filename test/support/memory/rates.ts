import { idleMs, type RateStore, rateOfCampaign } from '../../../src/domain/ratePorts.ts';
import { type Grant, type Pace, type RateLimit, type RateWords, takeSlots } from '../../../src/domain/rates.ts';
import type { MemoryDatabase } from './database.ts';

export class MemoryRates implements RateStore {
  private readonly database: MemoryDatabase;
  private readonly memberId: string;

  constructor({ database, memberId }: { database: MemoryDatabase; memberId: string }) {
    this.database = database;
    this.memberId = memberId;
  }

  take(_id: string, inForce: RateLimit, pace: Pace, want: number): Promise<Grant> {
    return this.database.run('take_slots', this.memberId, () => {
      const found = this.database.rates.get(_id) ?? { _id };
      const now = this.database.clock.now();
      const { grant, tat } = takeSlots(found.tat, now, pace, want);
      const taken = { at: now, count: grant.count, first: now + grant.firstInMs };
      this.database.rates.put({ ...found, tat, inForce, taken });
      return grant;
    });
  }

  forget(id: string): Promise<void> {
    return this.database.run('forget_rate', this.memberId, () => {
      this.database.rates.delete(id);
    });
  }

  forgetIdle(): Promise<void> {
    return this.database.run('forget_rate', this.memberId, () => {
      const before = this.database.clock.now() - idleMs;
      const open = this.database.runs.find(({ settled }) => !settled).map(({ _id }) => rateOfCampaign(_id));
      const isUnused = (id: string): boolean =>
        id.startsWith('domain:') || (id.startsWith('campaign:') && !open.includes(id));
      const idle = this.database.rates.find(
        ({ _id, rate, burst, tat = 0 }) => isUnused(_id) && rate === undefined && burst === undefined && tat <= before,
      );
      for (const { _id } of idle) this.database.rates.delete(_id);
    });
  }

  words(): Promise<ReadonlyMap<string, RateWords>> {
    return this.database.run('rate_words', this.memberId, () => {
      const written = this.database.rates.find(({ rate, burst }) => rate !== undefined || burst !== undefined);
      return new Map(written.map(({ _id, rate, burst }) => [_id, { rate, burst }]));
    });
  }
}
