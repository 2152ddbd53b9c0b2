import type { ConversationHead, InboundMark, InboundStore, RowHead } from '../../../src/domain/inboundPorts.ts';
import type { Conversation, Id, InboundEvent, InboxEvent } from '../../../src/domain/model.ts';
import { optOutTypes } from '../../../src/domain/suppression.ts';
import { compare } from './bson.ts';
import type { MemoryDatabase } from './database.ts';

const headOf = ({ history: _, inbox: __, consumed: ___, ...head }: Conversation): ConversationHead => head;

const mostRead = 100;

export class MemoryInbound implements InboundStore {
  private readonly database: MemoryDatabase;
  private readonly memberId: string;

  constructor({ database, memberId }: { database: MemoryDatabase; memberId: string }) {
    this.database = database;
    this.memberId = memberId;
  }

  events(ids: readonly Id[]) {
    return this.run('inboundEvents', () => {
      const events = ids.flatMap((id) => {
        const found = this.database.inbound.get(id);
        return found === undefined || found.handledAt !== undefined
          ? []
          : [found as Record<string, unknown> & { _id: Id }];
      });
      // so few, that whoever reads them has to ask again
      const rest = events.slice(mostRead).map(({ _id }) => _id);
      return { events: events.slice(0, mostRead), rest };
    });
  }

  unhandled(after: Id | undefined, limit: number): Promise<Id[]> {
    return this.run('unhandled', () =>
      this.database.inbound
        .find(({ _id, handledAt }) => handledAt === undefined && (after === undefined || compare(_id, after) > 0))
        .slice(0, limit)
        .map(({ _id }) => _id),
    );
  }

  optOuts(limit: number): Promise<Id[]> {
    return this.run('optOuts', () => {
      const of = (types: readonly string[]) =>
        this.database.inbound
          .find(({ type, handledAt }) => handledAt === undefined && types.includes(type))
          .map(({ _id }) => _id);
      const all = of(optOutTypes);
      return all.length < limit ? all : optOutTypes.flatMap((type) => of([type]).slice(-limit));
    });
  }

  openAt(addresses: readonly string[]): Promise<ConversationHead[]> {
    return this.run('openAt', () =>
      this.database.conversations
        .find((one) => one.status === 'active' && (one.addresses ?? []).some((address) => addresses.includes(address)))
        .map(headOf),
    );
  }

  conversations(ids: readonly string[]): Promise<ConversationHead[]> {
    return this.run('heads', () => ids.flatMap((id) => this.database.conversations.get(id) ?? []).map(headOf));
  }

  rowsOf(providerMessageIds: readonly string[]): Promise<RowHead[]> {
    return this.run('rowsOf', () =>
      this.database.messages.find(({ providerMessageId: id }) => id !== undefined && providerMessageIds.includes(id)),
    );
  }

  aim(aims: readonly { id: Id; conversations: readonly string[] }[]): Promise<number> {
    return this.run('aim', () => {
      const open = aims.filter(({ id }) => {
        const found = this.database.inbound.get(id);
        return found !== undefined && found.handledAt === undefined && found.conversations === undefined;
      });
      for (const { id, conversations } of open) this.database.inbound.update(id, { conversations: [...conversations] });
      return open.length;
    });
  }

  push(pushes: readonly { conversation: string; event: InboxEvent & { id: string } }[]): Promise<Map<number, Error>> {
    return this.run('push', () => {
      const refused = new Map<number, Error>();
      for (const [index, { conversation, event }] of pushes.entries()) {
        const found = this.database.conversations.get(conversation);
        if (found === undefined || found.consumed.includes(event.id)) continue;
        if (!Array.isArray(found.inbox)) refused.set(index, new Error('the inbox is no array'));
        else if (!found.inbox.some(({ id }) => id === event.id)) this.database.push(conversation, event);
      }
      return refused;
    });
  }

  mark(marks: readonly { id: Id; mark: InboundMark }[], at: Date): Promise<void> {
    return this.run('mark', () => {
      for (const { id, mark } of marks)
        if (this.database.inbound.get(id)?.handledAt === undefined)
          this.database.inbound.update(id, { handledAt: at, ...fieldsOf(mark) });
    });
  }

  private run<T>(operation: string, work: () => T): Promise<T> {
    return this.database.run(operation, this.memberId, work);
  }
}

function fieldsOf(mark: InboundMark): Partial<InboundEvent> {
  const error = mark.error === undefined ? {} : { error: { ...mark.error } };
  if (mark.kind === 'moved') return { conversations: [...mark.conversations], ...error };
  return mark.kind === 'unmatched' ? { unmatched: true, ...error } : { status: 'failed', ...error };
}
