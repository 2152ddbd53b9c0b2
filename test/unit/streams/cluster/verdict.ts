/** What has to add up once nothing fails any more. */

import { foldCounters } from '../../../../src/domain/metrics.ts';
import type { Conversation, Message } from '../../../../src/domain/model.ts';
import { isAnswered } from '../../../../src/domain/replay.ts';
import type { Cluster } from './cluster.ts';
import { partitions } from './cluster.ts';
import type { Taken } from './provider.ts';

/** An hour: whatever is due later than that nobody waits for. */
const farMs = 3_600_000;

/** Each conversation ended or waits for long, nothing is pending, partitions are shared out evenly among those who live. */
export function unsettled({ database, clock, living }: Cluster): string[] {
  const open = database.conversations
    .find(
      ({ status, nextActionAt }) =>
        status === 'active' && !(nextActionAt && nextActionAt.getTime() > clock.now() + farMs),
    )
    .map(({ _id, stage, step, nextActionAt }) => `${_id} waits at ${stage}/${step} for ${nextActionAt?.toISOString()}`);
  const inboxes = database.conversations.find(({ inbox }) => inbox.length > 0).map(({ _id }) => `${_id} has an inbox`);
  const pending = database.messages.find((row) => row.pending === true).map(({ _id, status }) => `${_id} is ${status}`);
  const members = new Map(database.members.find().map(({ _id }) => [_id, 0]));
  const owners = database.partitions.find().map(({ _id, owner }) => {
    const count = members.get(owner ?? '');
    if (owner === undefined || count === undefined) return `partition ${_id} is of ${owner}`;
    members.set(owner, count + 1);
    return undefined;
  });
  const counts = [...members.values()];
  const strangers = members.size === living.length ? [] : [`${members.size} members of ${living.length}`];
  const uneven = Math.max(...counts) - Math.min(...counts) > 1 ? [`shares are ${counts.join()} of ${partitions}`] : [];
  const campaigns = database.campaigns.find().flatMap(({ _id, status, type }) => {
    const active = database.conversations.find((one) => one.campaignId === _id && one.status === 'active').length;
    const open = type === 'triggered' ? ['running', 'cancelled', 'failed'] : ['completed', 'cancelled'];
    const expected = active > 0 ? ['running'] : open;
    return expected.includes(String(status))
      ? []
      : [`campaign ${String(_id)} is ${String(status)} with ${active} active`];
  });
  const waiting = database.enrollments
    .find(({ handledAt, campaignId }) => handledAt === undefined && database.campaigns.get(campaignId) !== undefined)
    .map(({ _id, campaignId }) => `enrollment ${String(_id)} waits for ${String(campaignId)}`);
  // who counted after the end and could not know that it did is found by a look a minute
  const unfolded = database.counters
    .find(({ campaignId, unfolded }) => unfolded === true && database.runs.get(campaignId)?.settled === true)
    .map(({ _id }) => `${_id} is in no metrics`);
  return [
    ...open,
    ...waiting,
    ...unfolded,
    ...inboxes,
    ...pending,
    ...owners.filter((one) => one !== undefined),
    ...strangers,
    ...uneven,
    ...campaigns,
  ];
}

/** A key leaves again only when the last try is known to have failed, or nobody is left who could know. */
function repeated(cluster: Cluster, tries: readonly Taken[]): string[] {
  return tries.slice(1).flatMap((taken, index) => {
    const last = tries[index];
    const isOver = last !== undefined && last.memberId !== taken.memberId && cluster.watch.isOver(last.memberId);
    const mayRepeat = taken.channel === 'push' ? last?.refused : last?.told === 'retry' || isOver;
    // a person asked for it, who knew that it had failed, or took the risk
    const isAskedFor = cluster.replays.has(taken.key) && (last?.told !== 'sent' || isOver);
    return mayRepeat || isAskedFor ? [] : [`${taken.key} left again: ${JSON.stringify([last, taken])}`];
  });
}

const countBy = <T>(items: readonly T[], key: (item: T) => string | undefined): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const item of items) {
    const name = key(item);
    if (name !== undefined) counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
};

function conversationFaults(cluster: Cluster, conversation: Conversation): string[] {
  const { _id, sequence, history, inbox, consumed } = conversation;
  const rows = cluster.database.messages.find((row) => row.conversationId === _id);
  const expected = Array.from({ length: sequence }, (_, n) => `${_id}/${n + 1}`);
  const faults: string[] = [];
  if (rows.length !== sequence || !expected.every((id) => rows.some((row) => row._id === id)))
    faults.push(`${_id} has ${rows.length} rows of ${sequence}`);
  // a bounce of the last message that left may lead back to a step whose own message never did
  const isBounced = history.some(({ event }) => event === 'bounce');
  const neverLeft = ({ _id: key, status }: Message): boolean =>
    status === 'skipped' && cluster.provider.of(key).every(({ refused }) => refused);
  const own = rows.filter((row) => row.replayOf === undefined && !(isBounced && neverLeft(row)));
  const steps = countBy(own, ({ stage, step, fallback }) => `${stage}/${step}${fallback ? ' by its fallback' : ''}`);
  for (const [step, count] of Object.entries(steps)) if (count > 1) faults.push(`${_id} has ${count} rows for ${step}`);
  for (const { _id: id, stage, step } of rows.filter(({ fallback }) => fallback)) {
    const first = rows.find((row) => row.stage === stage && row.step === step && row.fallback !== true);
    if (first && !['failed', 'skipped', 'bounced'].includes(first.status))
      faults.push(`${id} took the place of one that is ${first.status}`);
  }
  if (inbox.length > 0) faults.push(`${_id} has events left`);
  for (const id of cluster.events.get(_id) ?? []) {
    const seen = history.filter(({ detail }) => (detail as { id?: unknown } | undefined)?.id === id).length;
    if (seen !== 1 || consumed.filter((one) => one === id).length !== 1)
      faults.push(`${_id} consumed ${id} ${seen} times`);
  }
  return faults;
}

function rowFaults(cluster: Cluster, { _id, status, reason, bouncedAt }: Message): string[] {
  const tries = cluster.provider.of(_id);
  if (reason === 'superseded' && bouncedAt === undefined && tries.some(({ refused }) => !refused))
    return [`${_id} gave way and may have been taken`];
  if (status === 'sent' && !tries.some(({ told }) => told === 'sent')) return [`${_id} is sent and nobody took it`];
  // who was told and is gone could not record it
  if (status === 'failed' && tries.some(({ told, memberId }) => told === 'sent' && !cluster.watch.isOver(memberId)))
    return [`${_id} is failed and was taken`];
  return [];
}

/** Each enrollment began one conversation, or was told why not; nobody came another way, and each is counted. */
function enrollmentFaults({ database }: Cluster): string[] {
  const all = database.enrollments.find();
  const faults: string[] = [];
  for (const { _id, campaignId, handledAt, conversationId, reason, error } of all) {
    const isThere = database.campaigns.get(campaignId) !== undefined;
    const answers = [conversationId, reason].filter((answer) => answer !== undefined).length;
    if (isThere && answers !== 1) faults.push(`enrollment ${String(_id)} has ${answers} answers`);
    if (!isThere && (handledAt !== undefined || (error as { code?: string } | undefined)?.code !== 'campaign_missing'))
      faults.push(`enrollment ${String(_id)} should wait for its campaign`);
    if (reason === undefined && isThere && error !== undefined)
      faults.push(`enrollment ${String(_id)} has an error left`);
  }
  for (const { _id, expansion } of database.runs.find(({ audience }) => audience.kind === 'enrollments')) {
    const own = all.filter(({ campaignId }) => campaignId === _id);
    const begun = own
      .flatMap(({ conversationId }) => (conversationId === undefined ? [] : String(conversationId)))
      .sort();
    const there = database.conversations.find(({ campaignId }) => campaignId === _id);
    if (begun.join() !== there.map((one) => one._id).join()) faults.push(`${begun.join()} began in ${String(_id)}`);
    const entries = countBy(there, ({ contact }) => String(contact.id));
    for (const { _id: id, contact, entries: said = 1 } of there.filter(
      (one) => one._id === `${String(_id)}:${String(one.contact.id)}`,
    ))
      if (said !== entries[String(contact.id)])
        faults.push(`${id} says ${said} entries, there are ${entries[String(contact.id)]}`);
    const left = own.filter(({ reason }) => reason === 'duplicate_contact').length;
    if (expansion.expanded !== there.length || (expansion.skipped.duplicate_contact ?? 0) !== left)
      faults.push(`${String(_id)} counts ${JSON.stringify(expansion)}, there are ${there.length} and ${left}`);
  }
  return faults;
}

/** What documents say, as `metrics` counts it. */
function counted({ database }: Cluster, campaignId: unknown) {
  const conversations = database.conversations.find((one) => one.campaignId === campaignId);
  const rows = database.messages.find((row) => row.campaignId === campaignId);
  const sent = rows.filter(({ sentAt }) => sentAt !== undefined);
  // receipts move a row on: it was sent, and may have been delivered, all the same
  const receipts = {
    delivered: rows.filter(({ deliveredAt }) => deliveredAt !== undefined).length,
    bounced: rows.filter(({ bouncedAt }) => bouncedAt !== undefined).length,
    complained: rows.filter(({ complainedAt }) => complainedAt !== undefined).length,
  };
  const { sent: _, ...others } = countBy(rows, ({ status, pending }) => (pending ? undefined : status));
  return {
    total: conversations.length,
    ...countBy(conversations, ({ status }) => status),
    replied: conversations.filter(({ repliedAt }) => repliedAt !== undefined).length,
    messages: { ...others, ...receipts, sent: sent.length, followUps: sent.filter(({ step }) => step > 0).length },
    outcomes: countBy(conversations, ({ outcome }) => outcome),
    reasons: countBy(rows, ({ reason }) => reason),
    stageSent: countBy(sent, ({ stage }) => stage),
    pending: rows.filter(({ pending }) => pending).length,
  };
}

function counterFaults(cluster: Cluster): string[] {
  const { database, clock } = cluster;
  return database.campaigns.find().flatMap(({ _id, metrics: stored }) => {
    const folded = foldCounters(
      database.counters.find(({ campaignId }) => campaignId === _id),
      new Date(clock.now()),
    );
    const { metrics, pending } = folded;
    const { stageSent, ...rest } = counted(cluster, _id);
    const wanted: Record<string, unknown> = { ...rest, ...prefixed('stages', stageSent, 'sent') };
    const all: Record<string, unknown> = { ...metrics, pending };
    const faults = differences(wanted, all).map((what) => `counters of ${String(_id)}: ${what}`);
    const { updatedAt: _at, ...figures } = metrics;
    if (metrics.total > 0)
      faults.push(
        ...differences(figures, { ...stored } as Record<string, unknown>).map(
          (what) => `metrics of ${String(_id)}: ${what}`,
        ),
      );
    return faults;
  });
}

/** A wish was answered, and whoever is left was asked; in a campaign that was cut short nobody is. */
function migrationFaults({ database }: Cluster): string[] {
  return database.runs.find().flatMap(({ _id, migration, status, settled, endReason, metrics }) => {
    // of one that ended before its owner saw the wish nobody looks for it after a gap in the stream
    const isAsking = database.campaigns.get(_id)?.migrate !== undefined && !settled;
    const asked = isAsking ? [`${String(_id)} still asks to be migrated`] : [];
    if (migration === undefined || status === 'cancelled' || endReason !== undefined) return asked;
    const left = database.conversations.find(
      (one) => one.campaignId === _id && one.status === 'active' && one.migration !== migration.number,
    );
    const faults = left.map((one) => `${one._id} was not asked by migration ${migration.number}`);
    if (migration.completedAt === undefined) faults.push(`the migration of ${String(_id)} is not over`);
    const counts = Object.values(metrics?.migrations ?? {}).flatMap(({ moved, stayed }) => [moved, stayed]);
    const count = counts.flatMap(Object.values).reduce((sum: number, one: number) => sum + one, 0);
    const told = database.conversations
      .find((one) => one.campaignId === _id)
      .flatMap(({ history }) => history.filter(({ event }) => event === 'migrated' || event === 'stayed'));
    if (count !== told.length)
      faults.push(`${count} were asked in ${String(_id)}, conversations tell of ${told.length}`);
    return [...asked, ...faults];
  });
}

const prefixed = (group: string, counts: Record<string, number>, name: string) => ({
  [group]: Object.fromEntries(Object.entries(counts).map(([key, count]) => [key, { [name]: count }])),
});

/** Paths of `wanted` at which `found` says something else; a count of nothing may be missing. */
function differences(wanted: Record<string, unknown>, found: Record<string, unknown>, path = ''): string[] {
  return Object.entries(wanted).flatMap(([name, value]) => {
    const other = found[name];
    if (typeof value === 'object' && value !== null)
      return differences(value as Record<string, unknown>, (other ?? {}) as Record<string, unknown>, `${path}${name}.`);
    return value === (other ?? 0) ? [] : [`${path}${name} is ${String(other)}, documents say ${String(value)}`];
  });
}

/** Who asked for another try is told what became of that. */
function replayFaults({ database, replays }: Cluster): string[] {
  return [...replays].flatMap(([id, count]) => {
    const row = database.messages.get(id);
    return row !== undefined && isAnswered(row, count) ? [] : [`nobody answers for another try of ${id}`];
  });
}

export function faultsOf(cluster: Cluster): string[] {
  const { database, provider } = cluster;
  return [
    ...cluster.watch.violations,
    ...cluster.errors(),
    ...unsettled(cluster),
    ...[...provider.taken.values()].flatMap((tries) => repeated(cluster, tries)),
    ...database.conversations.find().flatMap((one) => conversationFaults(cluster, one)),
    ...database.messages.find().flatMap((row) => rowFaults(cluster, row)),
    ...counterFaults(cluster),
    ...migrationFaults(cluster),
    ...enrollmentFaults(cluster),
    ...replayFaults(cluster),
    ...database.deadLetters.find().map((letter) => `dead letter ${JSON.stringify(letter)}`),
  ];
}
