import type { Filter } from 'mongodb';
import { conversationRange } from '../domain/ids.ts';
import type { Conversation, Id, Lane, Message } from '../domain/model.ts';

/** Queries by name, so that their plans can be asserted on the very same objects. */
export const conversationQueries = {
  due: (lane: Lane, partitions: readonly number[], now: Date, stages?: readonly string[]): Filter<Conversation> => ({
    nextChannel: lane.channel,
    campaignId: lane.campaignId,
    opening: lane.opening ? true : { $exists: false },
    partition: { $in: [...partitions] },
    nextActionAt: { $exists: true, $lte: now },
    ...(stages === undefined ? {} : { stage: { $in: [...stages] }, awaiting: { $exists: false } }),
  }),
  nextDue: (lane: Lane, partitions: readonly number[], after?: Date): Filter<Conversation> => ({
    nextChannel: lane.channel,
    campaignId: lane.campaignId,
    opening: lane.opening ? true : { $exists: false },
    partition: { $in: [...partitions] },
    nextActionAt: { $exists: true, ...(after ? { $gt: after } : {}) },
  }),
  withInbox: (partitions: readonly number[], after: string | undefined): Filter<Conversation> => ({
    'inbox.0': { $exists: true },
    partition: { $in: [...partitions] },
    ...(after === undefined ? {} : { _id: { $gt: after } }),
  }),
  pendingMessages: (partitions: readonly number[], after: string | undefined): Filter<Message> => ({
    pending: { $exists: true },
    partition: { $in: [...partitions] },
    ...(after === undefined ? {} : { _id: { $gt: after } }),
  }),
  activeOf: (
    campaignId: Id,
    partitions: readonly number[],
    after: string | undefined,
    notAsked?: number,
  ): Filter<Conversation> => {
    const { from, to } = conversationRange(campaignId);
    return {
      _id: after === undefined ? { $gte: from, $lt: to } : { $gt: after, $lt: to },
      status: 'active',
      partition: { $in: [...partitions] },
      ...(notAsked === undefined ? {} : { migration: { $not: { $gte: notAsked } } }),
    };
  },
};
