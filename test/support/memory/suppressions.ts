import type { SuppressionStore } from '../../../src/domain/inboundPorts.ts';
import type { Suppression, SuppressionChange } from '../../../src/domain/model.ts';
import { isWill, liftable, weakerThan } from '../../../src/domain/suppression.ts';
import type { MemoryDatabase } from './database.ts';

export function applySuppression(database: MemoryDatabase, change: SuppressionChange): void {
  const { suppressions } = database;
  if (change.kind === 'add') {
    const { _id, reason } = change.suppression;
    const there = suppressions.get(_id);
    const isWilled = isWill(reason) || there?.willed === true || (there !== undefined && isWill(there.reason));
    const willed = isWilled ? { willed: true as const } : {};
    if (there === undefined) suppressions.insert({ ...change.suppression, ...willed });
    else {
      const kept = weakerThan(reason).includes(there.reason) ? change.suppression : there;
      suppressions.put({ ...kept, ...willed, at: new Date(Math.max(Number(there.at), Number(change.suppression.at))) });
    }
    return;
  }
  const found = suppressions.get(change.id);
  if (found === undefined || found.at > change.at) return;
  const { willed, ...rest } = found;
  if (liftable.includes(found.reason)) suppressions.delete(change.id);
  else if (!isWill(found.reason) && willed) suppressions.put(rest);
}

export class MemorySuppressions implements SuppressionStore {
  private readonly database: MemoryDatabase;
  private readonly memberId: string;

  constructor({ database, memberId }: { database: MemoryDatabase; memberId: string }) {
    this.database = database;
    this.memberId = memberId;
  }

  among(ids: readonly string[]): Promise<Map<string, Pick<Suppression, 'reason' | 'willed'>>> {
    return this.database.run('suppressed', this.memberId, () => {
      const found = ids.flatMap((id) => this.database.suppressions.get(id) ?? []);
      return new Map(found.map(({ _id, reason, willed }) => [_id, { reason, ...(willed ? { willed } : {}) }]));
    });
  }

  page(after: string | undefined, limit: number): Promise<string[]> {
    return this.database.run('suppressions', this.memberId, () =>
      this.database.suppressions
        .find(({ _id }) => after === undefined || _id > after)
        .slice(0, limit)
        .map(({ _id }) => _id),
    );
  }

  write(changes: readonly SuppressionChange[]): Promise<void> {
    return this.database.run('suppress', this.memberId, () => {
      for (const change of changes) applySuppression(this.database, change);
    });
  }
}
