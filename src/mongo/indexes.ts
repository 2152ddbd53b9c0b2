import type { IndexDescription } from 'mongodb';
import type { collections } from '../domain/generated/schemas.ts';

export interface IndexEntry extends IndexDescription {
  collection: keyof typeof collections;
  name: string;
  /** The query it is for. */
  reason: string;
}

/**
 * Every index beside `_id`. Partial filters use `$exists`, the only form that `{$lte: date}` implies, so what is not set
 * must be absent, never null.
 */
export const indexes: readonly IndexEntry[] = [
  {
    collection: 'conversation_states',
    name: 'due',
    key: { nextChannel: 1, campaignId: 1, opening: 1, partition: 1, nextActionAt: 1 },
    partialFilterExpression: { nextActionAt: { $exists: true } },
    reason: 'what of a lane is due in these partitions, in order of due time; ended conversations are not in it',
  },
  {
    collection: 'conversation_states',
    name: 'inbox',
    // `_id` last: the pages come in order of id without a sort in memory.
    key: { partition: 1, _id: 1 },
    partialFilterExpression: { 'inbox.0': { $exists: true } },
    reason: 'conversations with a pending inbox, for whoever gains a partition and for sweeps',
  },
  {
    collection: 'messages',
    name: 'pending',
    key: { partition: 1, _id: 1 },
    partialFilterExpression: { pending: { $exists: true } },
    reason: 'rows queued or sending, for whoever gains a partition',
  },
  {
    collection: 'conversation_states',
    name: 'addresses',
    key: { addresses: 1 },
    // What has ended is not in it: an update that leaves `status` alone does not touch the index.
    partialFilterExpression: { status: 'active' },
    reason: 'open conversations of the address that an inbound event names',
  },
  {
    collection: 'messages',
    name: 'provider',
    key: { providerMessageId: 1 },
    partialFilterExpression: { providerMessageId: { $exists: true } },
    reason: 'the message that a receipt names; only those whose provider gave an id are in it',
  },
  {
    collection: 'messages',
    name: 'failed',
    // `_id` last: the pages of a replay come in its order, and go on behind it
    key: { campaignId: 1, 'error.code': 1, queuedAt: 1, _id: 1 },
    // nothing in it is written as a message goes its way: by its status it cost the server a fifth more a message
    partialFilterExpression: { error: { $exists: true } },
    reason: 'messages that failed or are uncertain, by campaign and code: they are counted, and tried again',
  },
  {
    collection: 'conversation_states',
    name: 'failed',
    key: { campaignId: 1, 'error.code': 1, createdAt: 1, _id: 1 },
    partialFilterExpression: { error: { $exists: true } },
    reason: 'conversations that failed, by campaign and code; of nothing that their steps write, as that of messages',
  },
  {
    collection: 'dead_letters',
    name: 'groups',
    key: { campaignId: 1, reason: 1, at: 1, _id: 1 },
    reason: 'what could not be used, by campaign and reason',
  },
  {
    collection: 'inbound_events',
    name: 'unmatched',
    key: { channel: 1, type: 1, handledAt: 1, _id: 1 },
    partialFilterExpression: { unmatched: true },
    reason: "events that were found to be nobody's",
  },
  {
    collection: 'inbound_events',
    name: 'failed',
    key: { channel: 1, 'error.code': 1, handledAt: 1, _id: 1 },
    partialFilterExpression: { status: 'failed' },
    reason: 'events that cannot be used',
  },
  {
    collection: 'inbound_events',
    name: 'unhandled',
    // `_id` last: the pages of a sweep come in its order without a sort in memory.
    key: { handledAt: 1, _id: 1 },
    reason: 'events that nobody handled, for whoever gains a partition and for sweeps',
  },
  {
    collection: 'inbound_events',
    name: 'opt_outs',
    // `_id` last: the look reads the index alone
    key: { handledAt: 1, type: 1, _id: 1 },
    reason:
      'what may be an opt-out and was not handled, looked for by every member twice a second, among any number of receipts',
  },
  {
    collection: 'campaigns',
    name: 'status',
    key: { status: 1 },
    reason: 'campaigns that ask for something, for sweeps',
  },
  {
    collection: 'campaign_runs',
    name: 'open',
    key: { settled: 1 },
    partialFilterExpression: { settled: false },
    reason: 'runs with something left to do',
  },
  {
    collection: 'escalations',
    name: 'open',
    key: { to: 1, createdAt: 1 },
    partialFilterExpression: { status: 'open' },
    reason: 'what waits for somebody, oldest first, for those who take it up',
  },
  { collection: 'campaign_counters', name: 'campaign', key: { campaignId: 1 }, reason: 'folding one campaign' },
  {
    collection: 'campaign_counters',
    name: 'unfolded',
    // with `campaignId` the campaigns are told by keys alone
    key: { unfolded: 1, campaignId: 1 },
    partialFilterExpression: { unfolded: { $exists: true } },
    reason: 'campaigns that something was counted of since it was folded for good, for what comes after their end',
  },
  { collection: 'campaign_counters', name: 'updated', key: { updatedAt: 1 }, reason: 'counters that changed since' },
  {
    collection: 'enrollments',
    name: 'waiting',
    // with `handledAt` first it has what waits of one campaign, and of all
    key: { handledAt: 1, campaignId: 1, _id: 1 },
    reason: 'enrollments that wait, for whoever gains a partition, when their campaign starts or ends, and for sweeps',
  },
  {
    collection: 'contact_pressure',
    name: 'expired',
    key: { expireAt: 1 },
    expireAfterSeconds: 0,
    reason: 'removes what counts no more',
  },
  {
    collection: 'templates',
    name: 'latest',
    key: { '_id.id': 1, '_id.version': -1 },
    reason: 'the latest version of a template',
  },
];
