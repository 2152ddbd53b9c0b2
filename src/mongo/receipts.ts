import type { ClientSession, Db } from 'mongodb';
import { campaignKey } from '../domain/ids.ts';
import type { DirectReceipt, ReceiptStore, Stamped } from '../domain/inboundPorts.ts';
import type { CounterDelta, Id, InboundEvent, Message, Run } from '../domain/model.ts';
import { isAnswered, stampingOf } from '../domain/receipts.ts';
import { type UpdateStatement, updateDocuments } from './commands.ts';
import { counterUpdates } from './counters.ts';
import type { MongoLedger } from './ledger.ts';

const rowFields = {
  ...{ campaignId: 1, channel: 1, status: 1, pending: 1, deliveredAt: 1, openedAt: 1, clickedAt: 1, bouncedAt: 1 },
} as const;

/**
 * Receipts on their rows, past the conversations: two writes each, where they would cost five. What was read is what is changed:
 * whoever else writes a row at the same moment makes the transaction begin again.
 */
export class MongoReceipts implements ReceiptStore {
  private readonly db: Db;
  private readonly ledger: MongoLedger;

  constructor({ db, ledger }: { db: Db; ledger: MongoLedger }) {
    this.db = db;
    this.ledger = ledger;
  }

  async stamp(receipts: readonly DirectReceipt[], at: Date): Promise<Stamped> {
    if (receipts.length === 0) return { left: new Set(), moved: [] };
    return this.ledger.transact('receipts', (session) => this.write(receipts, at, session));
  }

  private async write(receipts: readonly DirectReceipt[], at: Date, session: ClientSession): Promise<Stamped> {
    const open = await this.open(receipts, session);
    const rows = await this.rows(open, session);
    const migrations = await this.migrations(open, session);
    const left = new Set<Id>();
    const deltas = new Map<string, { campaignId: Id; delta: CounterDelta }>();
    const stamps = new Map<string, Partial<Message>>();
    const marks: UpdateStatement[] = [];
    for (const { id, event, at: happenedAt, row: head, migration } of open) {
      const row = rows.get(head._id);
      const isKnown = (migrations.get(campaignKey(head.campaignId)) ?? 0) === migration;
      if (row === undefined || !isAnswered(row) || !isKnown) {
        left.add(id);
        continue;
      }
      const { set, counters } = stampingOf(row, event, happenedAt);
      if (set !== undefined) {
        rows.set(head._id, { ...row, ...set });
        stamps.set(head._id, { ...stamps.get(head._id), ...set });
      }
      const key = campaignKey(row.campaignId);
      const delta = deltas.get(key)?.delta ?? {};
      for (const [path, by] of Object.entries(counters)) delta[path] = (delta[path] ?? 0) + by;
      deltas.set(key, { campaignId: row.campaignId, delta });
      marks.push({ q: { _id: id }, u: { $set: { handledAt: at, conversations: [head.conversationId] } } });
    }
    const statements = [...stamps].map(([_id, set]) => ({ q: { _id }, u: { $set: set } }));
    if (statements.length > 0) await updateDocuments(this.db, 'messages', statements, session);
    const counted = counterUpdates(this.ledger.memberId, deltas);
    if (counted.length > 0) await updateDocuments(this.db, 'campaign_counters', counted, session);
    if (marks.length > 0) await updateDocuments(this.db, 'inbound_events', marks, session);
    const moved = [...stamps].flatMap(([id, { status }]) => {
      const row = rows.get(id);
      return status === undefined || row === undefined ? [] : [{ channel: row.channel, status }];
    });
    return { left, moved };
  }

  /** Those that nobody handled, or aimed at an inbox. */
  private async open(receipts: readonly DirectReceipt[], session: ClientSession): Promise<DirectReceipt[]> {
    const byId = new Map(receipts.map((receipt) => [campaignKey(receipt.id), receipt]));
    const filter = {
      _id: { $in: receipts.map(({ id }) => id as never) },
      ...{ handledAt: null as never, conversations: null as never },
    };
    const found = await this.db
      .collection<InboundEvent>('inbound_events')
      .find(filter, { session, projection: { _id: 1 } })
      .toArray();
    return found.flatMap(({ _id }) => byId.get(campaignKey(_id as Id)) ?? []);
  }

  /** Numbers of the last migrations, by campaign: a version that was pinned meanwhile may listen. */
  private async migrations(receipts: readonly DirectReceipt[], session: ClientSession): Promise<Map<string, number>> {
    const ids = new Map(receipts.map(({ row }) => [campaignKey(row.campaignId), row.campaignId]));
    const found = await this.db
      .collection<Run>('campaign_runs')
      .find({ _id: { $in: [...ids.values()] } }, { session, projection: { 'migration.number': 1 } })
      .toArray();
    return new Map(found.map(({ _id, migration }) => [campaignKey(_id), migration?.number ?? 0]));
  }

  private async rows(receipts: readonly DirectReceipt[], session: ClientSession): Promise<Map<string, Message>> {
    const ids = [...new Set(receipts.map(({ row }) => row._id))];
    const found = await this.db
      .collection<Message>('messages')
      .find({ _id: { $in: ids } }, { session, projection: rowFields })
      .toArray();
    return new Map(found.map((row) => [row._id, row]));
  }
}
