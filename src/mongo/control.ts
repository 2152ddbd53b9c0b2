/** The stop switch as it is stored. Who throws it is no member: nothing here is fenced. */
import type { Document } from 'mongodb';
import { MongoServerError } from 'mongodb';
import { conversationRange } from '../domain/ids.ts';
import type { Id } from '../domain/model.ts';
import { type StopSwitch, stopSwitchOf } from '../domain/stopSwitch.ts';
import type { Collections } from './collections.ts';

const duplicateKey = 11000;
/** Rows that are looked at to say how many are in flight. */
const countedRows = 10_000;

export const readStopSwitch = async ({ settings }: Pick<Collections, 'settings'>): Promise<StopSwitch> =>
  stopSwitchOf(await settings.findOne({ _id: 'control' }));

/** Throws the switch, by the clock of the server. False when it stands so already: then whoever did it first is not replaced. */
export async function throwStopSwitch(
  { settings }: Pick<Collections, 'settings'>,
  { sending, by, reason }: Pick<StopSwitch, 'sending' | 'by' | 'reason'>,
): Promise<boolean> {
  const text = (value: string | undefined): unknown => (value === undefined ? '$$REMOVE' : { $literal: value });
  const set = { sending, at: '$$NOW', by: text(by), reason: text(reason) };
  // what nobody ever wrote sends
  const isOther = sending === 'on' ? 'stopped' : { $ne: 'stopped' };
  try {
    const { matchedCount, upsertedCount } = await settings.updateOne(
      { _id: 'control', sending: isOther } as Document,
      [{ $set: set }],
      { upsert: sending === 'stopped', writeConcern: { w: 'majority' } },
    );
    return matchedCount + upsertedCount > 0;
  } catch (error) {
    if (error instanceof MongoServerError && error.code === duplicateKey) return false;
    throw error;
  }
}

/** Messages that may be with their providers, of one campaign or of all: committed, and not answered. `more`: there are more than were looked at. */
export async function inFlight(
  { messages }: Pick<Collections, 'messages'>,
  campaignId?: Id,
): Promise<{ count: number; more: boolean }> {
  const { from, to } = campaignId === undefined ? { from: undefined, to: undefined } : conversationRange(campaignId);
  const [found] = await messages
    .aggregate<{ looked: number; count: number }>(
      [
        { $match: { pending: { $exists: true }, ...(from === undefined ? {} : { _id: { $gte: from, $lt: to } }) } },
        { $limit: countedRows },
        {
          $group: {
            _id: null,
            looked: { $sum: 1 },
            count: { $sum: { $cond: [{ $eq: ['$status', 'sending'] }, 1, 0] } },
          },
        },
      ],
      { hint: 'pending', maxTimeMS: 10_000 },
    )
    .toArray();
  return { count: found?.count ?? 0, more: (found?.looked ?? 0) >= countedRows };
}
