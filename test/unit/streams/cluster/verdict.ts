/** What has to add up once nothing fails any more. */

import { foldCounters } from '../../../../src/domain/metrics.ts';
import type { Conversation, Message } from '../../../../src/domain/model.ts';
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
  const campaigns = database.campaigns.find().flatMap(({ _id, status }) => {
    const active = database.conversations.find((one) => one.campaignId === _id && one.status === 'active').length;
    const expected = active > 0 ? ['running'] : ['completed', 'cancelled'];
    return expected.includes(String(status))
      ? []
      : [`campaign ${String(_id)} is ${String(status)} with ${active} active`];
  });
  return [
    ...open,
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
    return mayRepeat ? [] : [`${taken.key} left again: ${JSON.stringify([last, taken])}`];
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
  for (const [step, count] of Object.entries(countBy(rows, (row) => `${row.stage}/${row.step}`)))
    if (count > 1) faults.push(`${_id} has ${count} rows for ${step}`);
  if (inbox.length > 0) faults.push(`${_id} has events left`);
  for (const id of cluster.events.get(_id) ?? []) {
    const seen = history.filter(({ detail }) => (detail as { id?: unknown } | undefined)?.id === id).length;
    if (seen !== 1 || consumed.filter((one) => one === id).length !== 1)
      faults.push(`${_id} consumed ${id} ${seen} times`);
  }
  return faults;
}

function rowFaults(cluster: Cluster, { _id, status }: Message): string[] {
  const tries = cluster.provider.of(_id);
  if (status === 'sent' && !tries.some(({ told }) => told === 'sent')) return [`${_id} is sent and nobody took it`];
  // who was told and is gone could not record it
  if (status === 'failed' && tries.some(({ told, memberId }) => told === 'sent' && !cluster.watch.isOver(memberId)))
    return [`${_id} is failed and was taken`];
  return [];
}

/** What documents say, as `metrics` counts it. */
function counted({ database }: Cluster, campaignId: unknown) {
  const conversations = database.conversations.find((one) => one.campaignId === campaignId);
  const rows = database.messages.find((row) => row.campaignId === campaignId);
  const sent = rows.filter(({ status }) => status === 'sent');
  const { sent: _, ...others } = countBy(rows, ({ status, pending }) => (pending ? undefined : status));
  return {
    total: conversations.length,
    ...countBy(conversations, ({ status }) => status),
    replied: conversations.filter(({ repliedAt }) => repliedAt !== undefined).length,
    messages: { ...others, sent: sent.length, followUps: sent.filter(({ step }) => step > 0).length },
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
    ...database.deadLetters.find().map((letter) => `dead letter ${JSON.stringify(letter)}`),
  ];
}
