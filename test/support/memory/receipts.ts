import type { DirectReceipt, ReceiptStore, Stamped } from '../../../src/domain/inboundPorts.ts';
import type { Id } from '../../../src/domain/model.ts';
import { isAnswered, stampingOf } from '../../../src/domain/receipts.ts';
import { addCounters } from './counters.ts';
import type { MemoryDatabase } from './database.ts';
import type { MemoryLedger } from './ledger.ts';

export class MemoryReceipts implements ReceiptStore {
  private readonly database: MemoryDatabase;
  private readonly ledger: MemoryLedger;

  constructor({ database, ledger }: { database: MemoryDatabase; ledger: MemoryLedger }) {
    this.database = database;
    this.ledger = ledger;
  }

  async stamp(receipts: readonly DirectReceipt[], at: Date): Promise<Stamped> {
    return this.ledger.transact('receipts', () => {
      const left = new Set<Id>();
      const moved = new Map<string, Stamped['moved'][number]>();
      for (const receipt of receipts) if (!this.write(receipt, at, moved)) left.add(receipt.id);
      return { left, moved: [...moved.values()] };
    });
  }

  private write(
    { id, event, at: happenedAt, row: head, migration }: DirectReceipt,
    at: Date,
    moved: Map<string, Stamped['moved'][number]>,
  ): boolean {
    const { database, ledger } = this;
    const stored = database.inbound.get(id);
    if (stored === undefined || stored.handledAt !== undefined || stored.conversations !== undefined) return true;
    const row = database.messages.get(head._id);
    if (row === undefined || !isAnswered(row)) return false;
    if ((database.runs.get(head.campaignId)?.migration?.number ?? 0) !== migration) return false;
    const { set, counters } = stampingOf(row, event, happenedAt);
    if (set !== undefined) database.messages.update(head._id, set);
    if (set?.status !== undefined) moved.set(head._id, { channel: row.channel, status: set.status });
    addCounters(database, ledger.memberId, row.campaignId, counters);
    database.inbound.update(id, { handledAt: at, conversations: [head.conversationId] });
    return true;
  }
}
