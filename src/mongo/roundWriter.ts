import type { ClientSession, Db, Document } from 'mongodb';
import { campaignKey } from '../domain/ids.ts';
import type {
  ConversationChange,
  CounterDelta,
  DeadLetter,
  Id,
  Message,
  MessageChange,
  Unit,
} from '../domain/model.ts';
import { rowTakes } from '../domain/outbox.ts';
import type { Clock } from '../domain/ports.ts';
import { type Collections, collections } from './collections.ts';
import { insertDocuments, type UpdateStatement, updateDocuments } from './commands.ts';
import { counterUpdates } from './counters.ts';

const historyLimit = 100;

/** The document of a unit is no longer as it was read: nothing of the transaction may be written. */
export class GuardMissed extends Error {}

/** What a round writes inside its one transaction. */
export class RoundWriter {
  private readonly db: Db;
  private readonly of: Collections;
  private readonly clock: Clock;
  private readonly memberId: string;

  constructor(params: { db: Db; clock: Clock; memberId: string }) {
    this.db = params.db;
    this.of = collections(params.db);
    this.clock = params.clock;
    this.memberId = params.memberId;
  }

  /** Conversations that are no longer as their unit read them, or whose rows are not, in the snapshot of the transaction. */
  async missing(part: readonly Unit[], session: ClientSession): Promise<Set<string>> {
    const missed = await this.changed(part, session);
    const guarded = part.flatMap(({ conversationId, rows }) =>
      rows.flatMap(({ id, from }) => (from === undefined ? [] : [{ id, from, conversationId }])),
    );
    if (guarded.length === 0) return missed;
    const found = await this.of.messages
      .find({ _id: { $in: guarded.map(({ id }) => id) } }, { session, projection: { status: 1 } })
      .toArray();
    const statuses = new Map(found.map(({ _id, status }) => [_id, status]));
    for (const { id, from, conversationId } of guarded)
      if (!rowTakes(statuses.get(id), from)) missed.add(conversationId);
    return missed;
  }

  private async changed(part: readonly Unit[], session: ClientSession): Promise<Set<string>> {
    const changes = new Map(part.flatMap(({ change }) => (change ? [[change.id, change] as const] : [])));
    const found = await this.of.conversations
      .find({ _id: { $in: [...changes.keys()] } }, { session, projection: { version: 1, inbox: 1 } })
      .toArray();
    const missed = new Set(changes.keys());
    for (const { _id, version, inbox } of found) {
      const change = changes.get(_id);
      const inboxSize = Array.isArray(inbox) ? inbox.length : -1;
      if (change?.version === version && change.inboxSize === inboxSize) missed.delete(_id);
    }
    return missed;
  }

  /**
   * Order: conversations under their guards, new rows, changed rows, counters, dead letters.
   * @param checked What `missing` named is not among the units: rows that match nothing now are left alone.
   * @throws GuardMissed
   */
  async write(units: readonly Unit[], session: ClientSession, checked = false): Promise<void> {
    const now = new Date(this.clock.now());
    await this.writeConversations(units, now, session);
    const inserts: Message[] = [];
    const deadLetters: DeadLetter[] = [];
    const rowChanges = new Map<string, { ids: string[]; change: MessageChange }>();
    let changes = 0;
    const deltas = new Map<string, { campaignId: Id; delta: CounterDelta }>();
    for (const unit of units) {
      for (const row of unit.inserts) inserts.push(row);
      for (const change of unit.rows) {
        changes += 1;
        const same = sameFields(change.set, change.unset);
        const key = same === undefined ? `#${change.id}` : `${change.from} ${same}`;
        const group = rowChanges.get(key);
        if (group) group.ids.push(change.id);
        else rowChanges.set(key, { ids: [change.id], change });
      }
      for (const letter of unit.deadLetters)
        deadLetters.push({
          collection: 'conversation_states',
          conversationId: unit.conversationId,
          campaignId: unit.campaignId,
          at: now,
          ...letter,
        });
      addDelta(deltas, unit.campaignId, unit.counters);
    }
    if (inserts.length > 0) await insertDocuments(this.db, 'messages', inserts, session);
    if (rowChanges.size > 0) {
      const statements = [...rowChanges.values()].map(({ ids, change: { from, set, unset } }) =>
        statement(ids, from ? { status: from } : { pending: true }, { $set: set, ...unsetOf(unset) }),
      );
      const matched = await updateDocuments(this.db, 'messages', statements, session);
      if (matched !== changes && !checked) throw new GuardMissed();
    }
    const counters = counterUpdates(this.memberId, deltas);
    if (counters.length > 0) await updateDocuments(this.db, 'campaign_counters', counters, session);
    if (deadLetters.length > 0) await this.of.deadLetters.insertMany(deadLetters, { session, ordered: false });
  }

  /** Conversations that take the same step go as one multi-update; the guard is part of its filter. */
  private async writeConversations(units: readonly Unit[], now: Date, session: ClientSession): Promise<void> {
    const groups = new Map<string, { ids: string[]; change: ConversationChange }>();
    let expected = 0;
    for (const { change } of units) {
      if (change === undefined) continue;
      expected += 1;
      const key = sameStep(change);
      const group = groups.get(key);
      if (group) group.ids.push(change.id);
      else groups.set(key, { ids: [change.id], change });
    }
    if (groups.size === 0) return;
    const statements = [...groups.values()].map(({ ids, change }) => {
      const { version, inboxSize, set, unset, history } = change;
      // null for what others replaced without one: undefined would be no guard at all
      const guard = {
        version: version ?? null,
        inbox: inboxSize < 0 ? { $not: { $type: 'array' } } : { $size: inboxSize },
      };
      return statement(ids, guard, {
        $set: { ...set, version: version + 1, updatedAt: now },
        ...unsetOf(unset),
        ...(history.length > 0 ? { $push: { history: { $each: history, $slice: -historyLimit } } } : {}),
      });
    });
    const matched = await updateDocuments(this.db, 'conversation_states', statements, session);
    if (matched !== expected) throw new GuardMissed();
  }
}

const statement = (ids: readonly string[], guard: Document, update: Document): UpdateStatement =>
  ids.length === 1
    ? { q: { _id: ids[0], ...guard }, u: update }
    : { q: { _id: { $in: ids }, ...guard }, u: update, multi: true };

/** Fields whose values have one type each, so that equal text means equal values. Changes of any other field go alone. */
const comparable: ReadonlySet<string> = new Set([
  ...['status', 'stage', 'step', 'nextActionAt', 'nextChannel', 'opening', 'delayed', 'sequence', 'awaiting'],
  ...['outcome', 'reason', 'repliedAt', 'attempts', 'worker', 'sentAt', 'handedAt', 'providerMessageId'],
]);

const unsetOf = (fields: readonly string[]): { $unset?: Record<string, ''> } =>
  fields.length > 0 ? { $unset: Object.fromEntries(fields.map((field) => [field, ''])) } : {};

/** Equal for changes that do the same to documents of the same guard, an id's own for one that has to go alone. Asked for every unit: by hand. */
function sameStep({ id, version, inboxSize, set, unset, history }: ConversationChange): string {
  let key = sameFields(set, unset);
  if (key === undefined) return `#${id}`;
  key += `|${version}|${inboxSize}`;
  for (const { at, stage, event, detail } of history)
    key += `|${at.getTime()} ${stage?.length} ${stage} ${event} ${detail === undefined ? '' : JSON.stringify(detail)}`;
  return key;
}

/** Equal for the same fields with the same values; undefined for a change that has to go alone. */
function sameFields(set: object, unset: readonly string[]): string | undefined {
  let key = unset.join();
  for (const field in set) {
    if (!comparable.has(field)) return undefined;
    const value = (set as Record<string, unknown>)[field];
    key +=
      value instanceof Date
        ? `,${field}@${value.getTime()}`
        : typeof value === 'string'
          ? `,${field}"${value.length} ${value}`
          : `,${field}=${value}`;
  }
  return key;
}

function addDelta(
  deltas: Map<string, { campaignId: Id; delta: CounterDelta }>,
  campaignId: Id,
  counters: CounterDelta,
): void {
  const key = campaignKey(campaignId);
  let entry = deltas.get(key);
  if (entry === undefined) {
    entry = { campaignId, delta: {} };
    deltas.set(key, entry);
  }
  for (const path of Object.keys(counters)) entry.delta[path] = (entry.delta[path] ?? 0) + (counters[path] ?? 0);
}
