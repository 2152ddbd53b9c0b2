import type { ClientSession, Db, Document } from 'mongodb';
import { campaignKey } from '../domain/ids.ts';
import type {
  ConversationChange,
  CounterDelta,
  DeadLetter,
  Id,
  Message,
  MessageChange,
  SuppressionChange,
  Unit,
} from '../domain/model.ts';
import { rowTakes } from '../domain/outbox.ts';
import type { Clock } from '../domain/systemPorts.ts';
import { type Collections, collections } from './collections.ts';
import { insertDocuments, type UpdateStatement, updateDocuments } from './commands.ts';
import { counterUpdates } from './counters.ts';
import { EscalationWriter } from './escalations.ts';
import { LimitWriter } from './limits.ts';
import { suppressionDeletes, suppressionStatements } from './suppressions.ts';

const historyLimit = 100;

/** The document of a unit is no longer as it was read: nothing of the transaction may be written. */
class GuardMissed extends Error {}

/** What a round writes inside its one transaction. */
export class RoundWriter {
  private readonly db: Db;
  private readonly of: Collections;
  private readonly clock: Clock;
  private readonly memberId: string;
  private readonly escalations: EscalationWriter;
  private readonly limits: LimitWriter;

  constructor(params: { db: Db; clock: Clock; memberId: string }) {
    this.db = params.db;
    this.of = collections(params.db);
    this.clock = params.clock;
    this.memberId = params.memberId;
    this.escalations = new EscalationWriter(params.db);
    this.limits = new LimitWriter(params.db);
  }

  /** Conversations that are no longer as their unit read them, or whose rows are not, in the snapshot of the transaction. */
  async missing(part: readonly Unit[], session: ClientSession): Promise<Set<string>> {
    const missed = await this.changed(part, session);
    for (const unit of await this.closed(part, session)) missed.add(unit.conversationId);
    const guarded = part.flatMap(({ conversationId, rows }) =>
      rows.flatMap(({ id, from }) => (from === undefined ? [] : [{ id, from, conversationId }])),
    );
    const found =
      guarded.length === 0
        ? []
        : await this.of.messages
            .find({ _id: { $in: guarded.map(({ id }) => id) } }, { session, projection: { status: 1 } })
            .toArray();
    const statuses = new Map(found.map(({ _id, status }) => [_id, status]));
    for (const { id, from, conversationId } of guarded)
      if (!rowTakes(statuses.get(id), from)) missed.add(conversationId);
    const left = part.filter(({ conversationId }) => !missed.has(conversationId));
    for (const id of await this.limits.missing(left, session)) missed.add(id);
    return missed;
  }

  /** Units that reopen a conversation of a run that is over. */
  private async closed(units: readonly Unit[], session: ClientSession): Promise<Unit[]> {
    const byRun = new Map<string, Unit[]>();
    for (const unit of units) {
      if (!unit.reopens) continue;
      const key = campaignKey(unit.campaignId);
      byRun.set(key, [...(byRun.get(key) ?? []), unit]);
    }
    const closed: Unit[] = [];
    for (const [first, ...others] of byRun.values())
      if (first && !(await this.isOpen(first, session))) closed.push(first, ...others);
    return closed;
  }

  /** Writes to the run, so that whoever settles it at this moment begins again. */
  private async isOpen({ campaignId }: Unit, session: ClientSession): Promise<boolean> {
    const { matchedCount } = await this.of.runs.updateOne(
      { _id: campaignId, settled: false, status: { $ne: 'cancelled' }, endReason: { $exists: false } },
      { $set: { updatedAt: new Date(this.clock.now()) } },
      { session },
    );
    return matchedCount > 0;
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
   * Order: limits, conversations under their guards, new rows, changed rows, counters, dead letters, escalations.
   * @param checked What `missing` named is not among the units: rows that match nothing now are left alone.
   * @throws GuardMissed
   */
  async write(units: readonly Unit[], session: ClientSession, checked = false): Promise<void> {
    const now = new Date(this.clock.now());
    if (!checked && (await this.closed(units, session)).length > 0) throw new GuardMissed();
    // who takes of the same ramp, or writes to the same contact, loses little by beginning again
    if (!(await this.limits.write(units, session))) throw new GuardMissed();
    await this.writeConversations(units, now, session);
    const inserts: Message[] = [];
    const deadLetters: DeadLetter[] = [];
    const rowChanges = new Map<string, { ids: string[]; change: MessageChange }>();
    let changes = 0;
    const suppressions: SuppressionChange[] = [];
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
      if (unit.suppressions) suppressions.push(...unit.suppressions);
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
    if (suppressions.length > 0) await this.suppress(suppressions, session);
    await this.tell(units, session);
    const counters = counterUpdates(this.memberId, deltas);
    if (counters.length > 0) await updateDocuments(this.db, 'campaign_counters', counters, session);
    if (deadLetters.length > 0) await this.of.deadLetters.insertMany(deadLetters, { session, ordered: false });
    await this.escalations.write(units, session);
  }

  /** As anybody writes them; what was told before stays as it is. */
  private async tell(units: readonly Unit[], session: ClientSession): Promise<void> {
    const events = units.flatMap(({ inbound = [] }) => inbound);
    const statements = events.map(({ _id, ...event }) => ({ q: { _id }, u: { $setOnInsert: event }, upsert: true }));
    if (statements.length > 0) await updateDocuments(this.db, 'inbound_events', statements, session);
  }

  private async suppress(changes: readonly SuppressionChange[], session: ClientSession): Promise<void> {
    const statements = suppressionStatements(changes);
    if (statements.length > 0) await updateDocuments(this.db, 'suppressions', statements, session);
    for (const filter of suppressionDeletes(changes)) await this.of.suppressions.deleteOne(filter, { session });
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
  ...[
    'status',
    'stage',
    'step',
    'flowVersion',
    'migration',
    'nextActionAt',
    'nextChannel',
    'opening',
    'fallback',
    'delayed',
    'sequence',
    'awaiting',
  ],
  ...['outcome', 'reason', 'repliedAt', 'attempts', 'worker', 'sentAt', 'handedAt', 'providerMessageId'],
  ...['deliveredAt', 'openedAt', 'clickedAt', 'bouncedAt', 'complainedAt'],
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
