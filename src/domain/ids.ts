import type { Id, ObjectIdLike } from './model.ts';

export const isObjectId = (value: unknown): value is ObjectIdLike =>
  typeof value === 'object' &&
  value !== null &&
  (value as { _bsontype?: unknown })._bsontype === 'ObjectId' &&
  typeof (value as ObjectIdLike).toHexString === 'function';

/** What `encodeURIComponent` leaves as it is, but "~". */
const unreserved = /^[\w.!*'()-]*$/;

/** One part of a conversation id: a string percent-encoded ("~" too), an ObjectId as `~<hex>`, a number as `#<n>`. Injective over the types. */
export function encodePart(id: Id): string {
  if (typeof id === 'number') return `#${id}`;
  if (typeof id !== 'string') return `~${id.toHexString()}`;
  if (unreserved.test(id)) return id;
  return encodeURIComponent(id.toWellFormed()).replaceAll('~', '%7E');
}

/** A key for maps by campaign: ids of different types never meet. */
export const campaignKey: (id: Id) => string = encodePart;

/** `<campaignId>:<contactId>`; `entry` from the second entry of a contact on. */
export function conversationId(campaignId: Id, contactId: Id, entry = 1): string {
  const base = `${encodePart(campaignId)}:${encodePart(contactId)}`;
  return entry > 1 ? `${base}:${entry}` : base;
}

/** The idempotency key of the `sequence`-th message (from 1) of a conversation. */
export const messageId = (conversation: string, sequence: number): string => `${conversation}/${sequence}`;

export const sequenceOf = (message: string): number => Number(message.slice(message.lastIndexOf('/') + 1));

/** All conversation ids of a campaign lie in `[from, to)`. */
export function conversationRange(campaignId: Id): { from: string; to: string } {
  const part = encodePart(campaignId);
  return { from: `${part}:`, to: `${part};` };
}

const encoder = new TextEncoder();

/** FNV-1a, 32 bit, over the UTF-8 of the text (draft-eastlake-fnv). */
export function fnv1a32(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of encoder.encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** The partition of a conversation: all entries of one contact in a campaign share it. */
export const partitionOf = (campaignId: Id, contactId: Id, partitions: number): number =>
  fnv1a32(conversationId(campaignId, contactId)) % partitions;

/** The partition of a conversation by its id alone: later entries of a contact go with the first. */
export function partitionOfConversation(id: string, partitions: number): number {
  const entry = id.indexOf(':', id.indexOf(':') + 1);
  return fnv1a32(entry < 0 ? id : id.slice(0, entry)) % partitions;
}

/** The partition whose owner starts, expands, folds and completes the campaign. */
export const campaignPartition = (campaignId: Id, partitions: number): number =>
  fnv1a32(encodePart(campaignId)) % partitions;
