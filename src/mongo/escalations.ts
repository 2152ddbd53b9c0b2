import type { ClientSession, Db, Document } from 'mongodb';
import type { Escalation, EscalationChange, HistoryEntry, Message, Unit } from '../domain/model.ts';
import { transcriptIds, transcriptOf } from '../domain/transcript.ts';
import { type Collections, collections } from './collections.ts';
import { insertDocuments, updateDocuments } from './commands.ts';

type Opened = Extract<EscalationChange, { kind: 'opened' }>;
type Ended = Extract<EscalationChange, { kind: 'ended' }>;

/** Of a row, what a transcript says of it. */
const said: Document = {
  ...{ conversationId: 1, channel: 1, status: 1, queuedAt: 1, sentAt: 1 },
  ...{ 'content.subject': 1, 'content.text': 1, 'content.html': 1 },
};

/** The documents by which people are asked in, inside the transaction of the round that hands the conversations over. */
export class EscalationWriter {
  private readonly db: Db;
  private readonly of: Collections;

  constructor(db: Db) {
    this.db = db;
    this.of = collections(db);
  }

  /** Behind the writes of conversations and rows: transcripts are read as they are then. Two reads and two writes, however many there are. */
  async write(units: readonly Unit[], session: ClientSession): Promise<void> {
    const changes = units.flatMap(({ escalations = [] }) => escalations);
    const opened = changes.filter((change): change is Opened => change.kind === 'opened');
    const ended = changes.filter((change): change is Ended => change.kind === 'ended');
    if (opened.length > 0)
      await insertDocuments(this.db, 'escalations', await this.documents(opened, session), session);
    if (ended.length === 0) return;
    // whoever handled one may have deleted it
    const statements = ended.map(({ id, set }) => ({ q: { _id: id }, u: { $set: set } }));
    await updateDocuments(this.db, 'escalations', statements, session);
  }

  private async documents(opened: readonly Opened[], session: ClientSession): Promise<Escalation[]> {
    const rowIds = opened.flatMap(({ document, sequence }) => transcriptIds(document.conversationId, sequence));
    const ids = opened.map(({ document }) => document.conversationId);
    const rows = new Map<string, Message[]>();
    for await (const row of this.of.messages.find({ _id: { $in: rowIds } }, { session, projection: said })) {
      const { conversationId } = row;
      rows.set(conversationId, [...(rows.get(conversationId) ?? []), row]);
    }
    const histories = new Map<string, HistoryEntry[]>();
    const conversations = this.of.conversations.find({ _id: { $in: ids } }, { session, projection: { history: 1 } });
    for await (const { _id, history } of conversations) histories.set(_id, history);
    return opened.map(({ document }) => {
      const { conversationId } = document;
      return {
        ...document,
        transcript: transcriptOf(rows.get(conversationId) ?? [], histories.get(conversationId) ?? []),
      };
    });
  }
}
