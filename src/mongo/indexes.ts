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
  { collection: 'campaign_counters', name: 'campaign', key: { campaignId: 1 }, reason: 'folding one campaign' },
  { collection: 'campaign_counters', name: 'updated', key: { updatedAt: 1 }, reason: 'counters that changed since' },
  {
    collection: 'templates',
    name: 'latest',
    key: { '_id.id': 1, '_id.version': -1 },
    reason: 'the latest version of a template',
  },
];
