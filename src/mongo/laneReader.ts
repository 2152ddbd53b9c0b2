/** What `audit` reads of lanes while it watches them: what is next due in each partition, who owns it, and what is on its way. */
import type { Db, Document } from 'mongodb';
import { time } from '../domain/audit.ts';
import type { Due, Standing } from '../domain/auditLanes.ts';
import type { Lane, Member } from '../domain/model.ts';
import { horizonMs } from '../domain/rates.ts';
import { isArray } from './auditReader.ts';
import { type Collections, collections } from './collections.ts';
import { conversationQueries } from './conversationQueries.ts';

/** Entries of the history about what we did tell where it led; those of events do not. */
const ofEvent: Document = {
  $and: [
    { $ne: ['$$this.event', 'entered'] },
    { $eq: [{ $ifNull: ['$$this.detail.sequence', '$$this.detail.messageId', '$$this.detail.status', null] }, null] },
  ],
};
const standingFields: Document = {
  ...{ nextActionAt: 1, sequence: 1 },
  lastEvent: { $last: { $filter: { input: { $cond: [isArray('history'), '$history', []] }, cond: ofEvent } } },
};

type StoredStanding = { nextActionAt?: unknown; sequence: number; lastEvent?: unknown };
const standing = ({ nextActionAt, sequence, lastEvent }: StoredStanding): Standing => ({
  at: time(nextActionAt),
  sequence,
  lastEvent: JSON.stringify(lastEvent),
});

/** Sees the documents as they are at each read. */
export class LaneReader {
  private readonly of: Collections;

  constructor(db: Db) {
    this.of = collections(db);
  }

  /** By partition: what is next due of a lane. */
  async heads(lane: Lane, partitions: readonly number[]): Promise<Map<number, Due>> {
    const options = { projection: standingFields, sort: { nextActionAt: 1 } } as const;
    const heads = new Map<number, Due>();
    const look = async (partition: number): Promise<void> => {
      const found = await this.of.conversations.findOne(conversationQueries.nextDue(lane, [partition]), options);
      if (found === null) return;
      const { at, ...rest } = standing(found as StoredStanding);
      if (at !== undefined) heads.set(partition, { id: found._id, at, ...rest });
    };
    await Promise.all(partitions.map(look));
    return heads;
  }

  /** By id: how these conversations stand, as far as they are there. */
  async standings(ids: readonly string[]): Promise<Map<string, Standing>> {
    const found = this.of.conversations.find({ _id: { $in: [...ids] } }, { projection: standingFields });
    return new Map((await found.toArray()).map((one) => [one._id, standing(one as StoredStanding)]));
  }

  /** By partition: its owner. */
  async owners(): Promise<Map<number, string | undefined>> {
    const found = await this.of.partitions.find({}, { projection: { owner: 1 } }).toArray();
    return new Map(found.map(({ _id, owner }) => [_id, owner]));
  }

  /** By member: the channels that it leaves alone. */
  async channelStates(): Promise<Map<string, NonNullable<Member['channelStates']>>> {
    const found = await this.of.members.find({}, { projection: { channelStates: 1 } }).toArray();
    return new Map(found.map(({ _id, channelStates = {} }) => [_id, channelStates]));
  }

  /** By channel, or id of the limit of a campaign: messages a second, where its rate is used up. @param now ms since the epoch. */
  async usedUp(now: number): Promise<Map<string, number>> {
    // slots are given out ahead of their time only where others are waited for
    const ahead = { _id: { $not: /^domain:/ }, tat: { $gt: now + horizonMs / 2 } };
    const found = await this.of.rates.find(ahead, { projection: { inForce: 1 } }).toArray();
    return new Map(found.map(({ _id, inForce }) => [_id.replace(/^channel:/, ''), inForce?.perSecond ?? 0]));
  }

  /** Whether a message of these partitions is on its way on the channel, and it or its conversation was written since then: each try writes the conversation. */
  async isOnItsWay(channel: string, partitions: readonly number[], since: Date): Promise<boolean> {
    const { messages, conversations: of } = this.of;
    const sending = { ...conversationQueries.pendingMessages(partitions, undefined), status: 'sending', channel };
    const found = messages.aggregate([
      { $match: sending },
      { $lookup: { from: of.collectionName, localField: 'conversationId', foreignField: '_id', as: 'of' } },
      { $match: { $or: [{ queuedAt: { $gte: since } }, { 'of.updatedAt': { $gte: since } }] } },
      { $limit: 1 },
      { $project: { _id: 1 } },
    ]);
    return await found.hasNext();
  }
}
