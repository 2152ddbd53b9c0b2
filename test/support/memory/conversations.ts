import type { ConversationStore, RoundReceipt } from '../../../src/domain/conversationPorts.ts';
import { isServiceError } from '../../../src/domain/errors.ts';
import type { Conversation, ConversationChange, Id, Lane, Message, Unit } from '../../../src/domain/model.ts';
import { rowTakes } from '../../../src/domain/outbox.ts';
import { transcriptIds, transcriptOf } from '../../../src/domain/transcript.ts';
import { compare } from './bson.ts';
import { addCounters } from './counters.ts';
import { writeLimits } from './limits.ts';
import { MemoryStore } from './store.ts';
import { applySuppression } from './suppressions.ts';

const historyLimit = 100;

export class MemoryConversations extends MemoryStore implements ConversationStore {
  byIds(ids: readonly string[]): Promise<Conversation[]> {
    return this.read('byIds', () => ids.flatMap((id) => this.database.conversations.get(id) ?? []));
  }

  async due(
    lane: Lane,
    partitions: readonly number[],
    now: Date,
    limit: number,
    stages?: readonly string[],
  ): Promise<Conversation[]> {
    return this.read('due', () => {
      return this.waiting(lane, partitions)
        .filter(({ nextActionAt }) => nextActionAt !== undefined && nextActionAt <= now)
        .filter(({ stage, awaiting }) => stages === undefined || (awaiting === undefined && stages.includes(stage)))
        .sort((a, b) => partitions.indexOf(a.partition) - partitions.indexOf(b.partition))
        .slice(0, limit);
    });
  }

  nextDue(lane: Lane, partitions: readonly number[], after?: Date): Promise<Date | undefined> {
    return this.read('nextDue', () => {
      const later = (at: Date | undefined): boolean => after === undefined || (at !== undefined && at > after);
      return this.waiting(lane, partitions).find(({ nextActionAt }) => later(nextActionAt))?.nextActionAt;
    });
  }

  withInbox(partitions: readonly number[], after: string | undefined, limit: number): Promise<string[]> {
    return this.read('withInbox', () => {
      const found = this.database.conversations.find(
        ({ _id, inbox, partition }) => inbox.length > 0 && partitions.includes(partition) && behind(_id, after),
      );
      return found.slice(0, limit).map(({ _id }) => _id);
    });
  }

  pendingMessages(partitions: readonly number[], after: string | undefined, limit: number): Promise<Message[]> {
    return this.read('pendingMessages', () => {
      const found = this.database.messages.find(
        ({ _id, pending, partition }) => pending !== undefined && partitions.includes(partition) && behind(_id, after),
      );
      return found.slice(0, limit);
    });
  }

  messages(ids: readonly string[]): Promise<Message[]> {
    return this.read('messages', () => ids.flatMap((id) => this.database.messages.get(id) ?? []));
  }

  async activeOf(
    campaignId: Id,
    partitions: readonly number[],
    after: string | undefined,
    limit: number,
    notAsked?: number,
  ): Promise<string[]> {
    return this.read('activeOf', () => {
      const found = this.database.conversations.find(
        (one) =>
          compare(one.campaignId, campaignId) === 0 &&
          one.status === 'active' &&
          (notAsked === undefined || (one.migration ?? 0) < notAsked) &&
          partitions.includes(one.partition) &&
          behind(one._id, after),
      );
      return found.slice(0, limit).map(({ _id }) => _id);
    });
  }

  /** One transaction for all. */
  commitInOrder(units: readonly Unit[]): Promise<Set<string>> {
    if (units.length === 0) return Promise.resolve(new Set());
    return this.ledger.transact('round', () => {
      try {
        return this.database.atomically(() => {
          if (!units.every((unit) => this.write(unit))) throw new Missed();
          return new Set<string>();
        });
      } catch (error) {
        if (isServiceError(error)) throw error;
        return new Set(units.map(({ conversationId }) => conversationId));
      }
    });
  }

  /** One transaction; a unit that throws is undone alone. */
  commit(units: readonly Unit[]): Promise<RoundReceipt> {
    const receipt: RoundReceipt = { missed: new Set(), poisoned: new Map() };
    if (units.length === 0) return Promise.resolve(receipt);
    return this.ledger.transact('round', () => {
      for (const unit of units) {
        try {
          if (!this.database.atomically(() => this.write(unit))) receipt.missed.add(unit.conversationId);
        } catch (error) {
          if (error instanceof Missed) {
            receipt.missed.add(unit.conversationId);
            continue;
          }
          if (isServiceError(error)) throw error;
          receipt.poisoned.set(unit.conversationId, error as Error);
        }
      }
      return receipt;
    });
  }

  private write(unit: Unit): boolean {
    const { database } = this;
    if (!unit.rows.every(({ id, from }) => rowTakes(database.messages.get(id)?.status, from))) return false;
    const run = database.runs.find(({ _id }) => compare(_id, unit.campaignId) === 0)[0];
    if (unit.reopens && (run?.settled !== false || run.status === 'cancelled' || run.endReason)) return false;
    if (unit.change && !this.change(unit.change)) return false;
    if (!writeLimits(database, unit)) throw new Missed();
    for (const row of unit.inserts) database.messages.insert(row);
    for (const { id, from, set, unset } of unit.rows)
      if (from !== undefined || database.messages.get(id)?.pending) database.messages.update(id, set, unset);
    for (const change of unit.suppressions ?? []) applySuppression(database, change);
    for (const event of unit.inbound ?? [])
      if (database.inbound.get(event._id) === undefined) database.inbound.insert(event);
    addCounters(database, this.ledger.memberId, unit.campaignId, unit.counters);
    for (const change of unit.escalations ?? []) {
      if (change.kind === 'ended') database.escalations.update(change.id, change.set);
      else {
        const rows = transcriptIds(unit.conversationId, change.sequence).flatMap(
          (id) => database.messages.get(id) ?? [],
        );
        const history = database.conversations.get(unit.conversationId)?.history ?? [];
        database.escalations.insert({ ...change.document, transcript: transcriptOf(rows, history) });
      }
    }
    for (const letter of unit.deadLetters) {
      const { conversationId, campaignId } = unit;
      database.letter({ collection: 'conversation_states', conversationId, campaignId, at: this.now(), ...letter });
    }
    return true;
  }

  private change({ id, version, inboxSize, set, unset, history }: ConversationChange): boolean {
    const found = this.database.conversations.get(id);
    const size = Array.isArray(found?.inbox) ? found.inbox.length : -1;
    if (found === undefined || found.version !== version || size !== inboxSize) return false;
    const kept = history.length === 0 ? {} : { history: [...found.history, ...history].slice(-historyLimit) };
    const stamps = { version: version + 1, updatedAt: this.now() };
    return this.database.conversations.update(id, { ...set, ...kept, ...stamps }, unset);
  }

  private waiting(lane: Lane, partitions: readonly number[]): Conversation[] {
    return this.database.conversations
      .find(
        (one) =>
          one.nextActionAt !== undefined &&
          one.nextChannel === lane.channel &&
          compare(one.campaignId, lane.campaignId) === 0 &&
          (one.opening === true) === lane.opening &&
          partitions.includes(one.partition),
      )
      .sort((a, b) => compare(a.nextActionAt, b.nextActionAt));
  }

  private now(): Date {
    return new Date(this.clock.now());
  }
}

class Missed extends Error {}

const behind = (id: string, after: string | undefined): boolean => after === undefined || compare(id, after) > 0;
