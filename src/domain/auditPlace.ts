/** What must hold of where documents belong, and of a conversation and a run that are over. */
import {
  awaitsReplay,
  conversationOf,
  instant,
  isPendingStatus,
  isReplayedAlone,
  type Subject,
} from './auditSubject.ts';
import type { Claim } from './findings.ts';
import { campaignKey, partitionOfConversation } from './ids.ts';
import { isId } from './normalise.ts';

export function inPartition({ rows, conversation, context }: Subject): Claim[] {
  const hashed = partitionOfConversation(conversation._id, context.partitions);
  const expected = String(hashed);
  const wrong = rows.filter(({ partition }) => partition !== hashed);
  return [
    ...(conversation.partition === hashed
      ? []
      : [{ kind: 'partition_wrong' as const, found: String(conversation.partition), expected }]),
    ...wrong.map(
      ({ _id, partition }): Claim => ({ kind: 'partition_wrong', message: _id, found: String(partition), expected }),
    ),
  ];
}

/** The part of an id of a conversation or of a row that names the campaign; undefined where there is none. */
export function campaignPart(id: string): string | undefined {
  const end = id.indexOf(':');
  return end < 0 ? undefined : id.slice(0, end);
}

/** An id that is none has a key too. */
export const keyOfAny = (id: unknown): string => (isId(id) ? campaignKey(id) : `?${String(id)}`);

function ofCampaign(id: string, campaignId: unknown): Omit<Claim, 'kind'>[] {
  const part = campaignPart(id);
  const key = keyOfAny(campaignId);
  return part === key ? [] : [{ found: `campaignId ${key}`, expected: `${part}, as its id says` }];
}

/** Whoever looks by these fields finds it where it is not. */
export function belongs({ rows, conversation: { _id, campaignId } }: Subject): Claim[] {
  const wrong = (claims: Omit<Claim, 'kind'>[], message?: string): Claim[] =>
    claims.map((claim) => ({ kind: 'belongs_wrong', ...(message === undefined ? {} : { message }), ...claim }));
  return [
    ...wrong(ofCampaign(_id, campaignId)),
    ...rows.flatMap((row) => {
      const conversation = conversationOf(row._id);
      const other = {
        found: `conversationId ${String(row.conversationId)}`,
        expected: `${conversation}, as its id says`,
      };
      return wrong(
        [...(row.conversationId === conversation ? [] : [other]), ...ofCampaign(row._id, row.campaignId)],
        row._id,
      );
    }),
  ];
}

export const consumedOnce = ({ conversation: { repeated } }: Subject): Claim[] =>
  repeated === 0
    ? []
    : [{ kind: 'consumed_twice', found: `${repeated} ids in consumed again`, expected: 'each of them once' }];

export const endedIsOver = (subject: Subject): Claim[] => {
  const { status, nextActionAt } = subject.conversation;
  return status === 'active' || nextActionAt === undefined || awaitsReplay(subject)
    ? []
    : [{ kind: 'ended_wrong', found: `${status}, due at ${instant(nextActionAt)}`, expected: 'nothing is due' }];
};

/** The history keeps the newest entries only. */
const historyLimit = 100;

/** What is quarantined is taken out of the way with the smallest write: its `error` tells its end. */
export const endIsTold = ({ conversation: { status, endedAt, told, error } }: Subject): Claim[] =>
  status === 'active' || endedAt !== undefined || told >= historyLimit || error?.code === 'poisoned'
    ? []
    : [
        {
          kind: 'ended_untold',
          found: `${status}, no entry that says so`,
          expected: 'an entry "ended" in its history',
        },
      ];

/** Nothing is left of a run that is settled. Events that come later are consumed all the same: those are looked at again. */
export function settledIsOver({ rows, conversation: { status }, context: { settled } }: Subject): Claim[] {
  if (!settled) return [];
  const expected = 'nothing is left when a run is settled';
  const pending = rows.filter((row) => (row.pending === true || isPendingStatus(row)) && !isReplayedAlone(row));
  return [
    ...(status === 'active' ? [{ kind: 'settled_wrong' as const, found: 'an active conversation', expected }] : []),
    ...pending.map(
      ({ _id, status: of }): Claim => ({
        kind: 'settled_wrong',
        message: _id,
        found: `a pending row, ${of}`,
        expected,
      }),
    ),
  ];
}
