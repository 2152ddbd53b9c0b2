import type { ClientSession, Db, Document } from 'mongodb';
import { campaignKey } from '../domain/ids.ts';
import type { ConversationChange, CounterDelta, DeadLetter, Id, Message, Unit } from '../domain/model.ts';
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

  /** Conversations that are no longer as their unit read them, in the snapshot of the transaction. */
  async missing(part: readonly Unit[], session: ClientSession): Promise<Set<string>> {
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

  /** Order: conversations under their guards, new rows, changed rows, counters, dead letters. */
  async write(units: readonly Unit[], session: ClientSession): Promise<void> {
    const now = new Date(this.clock.now());
    await this.writeConversations(units, now, session);
    const inserts: Message[] = [];
    const deadLetters: DeadLetter[] = [];
    const rowChanges = new Map<string, { ids: string[]; update: Record<string, unknown> }>();
    const deltas = new Map<string, { campaignId: Id; delta: CounterDelta }>();
    for (const unit of units) {
      for (const row of unit.inserts) inserts.push(row);
      for (const row of unit.rows) group(rowChanges, row.id, row.set, { $set: row.set, ...unsetOf(row.unset) });
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
      const statements = [...rowChanges.values()].map(({ ids, update }) => statement(ids, { pending: true }, update));
      await updateDocuments(this.db, 'messages', statements, session);
    }
    const counters = counterUpdates(this.memberId, deltas);
    if (counters.length > 0) await updateDocuments(this.db, 'campaign_counters', counters, session);
    if (deadLetters.length > 0) await this.of.deadLetters.insertMany(deadLetters, { session, ordered: false });
  }

  /** Conversations that take the same step go as one `updateMany`; the guard is part of its filter. */
  private async writeConversations(units: readonly Unit[], now: Date, session: ClientSession): Promise<void> {
    const groups = new Map<string, { ids: string[]; update: Record<string, unknown>; change: ConversationChange }>();
    let expected = 0;
    for (const { change } of units) {
      if (change === undefined) continue;
      expected += 1;
      const update = {
        $set: { ...change.set, version: change.version + 1, updatedAt: now },
        ...unsetOf(change.unset),
        ...(change.history.length > 0 ? { $push: { history: { $each: change.history, $slice: -historyLimit } } } : {}),
      };
      group(groups, change.id, change.set, update, { change }, `${change.inboxSize}|`);
    }
    if (groups.size === 0) return;
    const statements = [...groups.values()].map(({ ids, update, change: { version, inboxSize } }) =>
      statement(ids, { version, inbox: inboxSize < 0 ? { $not: { $type: 'array' } } : { $size: inboxSize } }, update),
    );
    const matched = await updateDocuments(this.db, 'conversation_states', statements, session);
    if (matched !== expected) throw new GuardMissed();
  }
}

const statement = (ids: readonly string[], guard: Document, update: Document): UpdateStatement =>
  ids.length === 1
    ? { q: { _id: ids[0], ...guard }, u: update }
    : { q: { _id: { $in: ids }, ...guard }, u: update, multi: true };

/** Fields whose values have one type each, so that equal JSON means equal values. Changes of any other field go alone. */
const comparable: ReadonlySet<string> = new Set([
  ...['status', 'stage', 'step', 'nextActionAt', 'nextChannel', 'opening', 'delayed', 'sequence', 'awaiting'],
  ...['outcome', 'reason', 'repliedAt', 'attempts', 'worker', 'sentAt', 'handedAt', 'providerMessageId'],
]);

const unsetOf = (fields: readonly string[]): { $unset?: Record<string, ''> } =>
  fields.length > 0 ? { $unset: Object.fromEntries(fields.map((field) => [field, ''])) } : {};

/** Equal for updates that do the same; undefined for one that has to go alone. By hand: it is asked for every unit. */
function groupKey(set: object, update: Record<string, unknown>): string | undefined {
  let key = '';
  for (const [field, value] of Object.entries(set)) {
    if (!comparable.has(field)) return undefined;
    key += `${field}=${value instanceof Date ? value.getTime() : JSON.stringify(value)};`;
  }
  const { $unset, $push, $set } = update as {
    $unset?: object;
    $push?: { history: { $each: unknown[] } };
    $set: { version?: number };
  };
  if ($unset) key += `-${Object.keys($unset).join()}`;
  if ($push) key += JSON.stringify($push.history.$each);
  return `${$set.version ?? ''}|${key}`;
}

function group<T extends object>(
  groups: Map<string, { ids: string[]; update: Record<string, unknown> } & T>,
  id: string,
  set: object,
  update: Record<string, unknown>,
  extra: T = {} as T,
  guard = '',
): void {
  const same = groupKey(set, update);
  const key = same === undefined ? `#${id}` : guard + same;
  const existing = groups.get(key);
  if (existing) existing.ids.push(id);
  else groups.set(key, { ids: [id], update, ...extra });
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
