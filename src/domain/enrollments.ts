/** Enrollments: one contact each into a triggered campaign, and what becomes of it. */
import { readContact } from './contact.ts';
import type { Fault } from './errors.ts';
import { campaignPartition, conversationId, partitionOf } from './ids.ts';
import type { Contact, Conversation, Enrollment, Id, Run } from './model.ts';
import { isDate, isId, normalise } from './normalise.ts';
import { isPlain, own } from './plain.ts';
import { printable } from './printable.ts';
import { roughSize } from './roughSize.ts';
import { addDuration, parseDuration } from './timing.ts';

/** As it is stored, whatever its shape. */
export type RawEnrollment = Record<string, unknown>;

/** A contact's last conversation in a campaign. */
export interface LastEntry {
  /** 1 for the first. */
  entry: number;
  status: Conversation['status'];
  createdAt: Date;
}

/** What is written back. */
export type EnrollmentAnswer = Pick<Enrollment, 'conversationId' | 'reason' | 'error'>;

export type ReadEnrollment =
  | { contact: Contact; answer?: never }
  /** It begins no conversation, whatever its campaign does. */
  | { contact?: never; answer: EnrollmentAnswer };

/** Clocks of those who write may be ahead by this much, ms. */
const aheadMs = 60_000;
/** A contact that leaves no room for its conversation's own growth (a document holds 16 MB). */
const contactBytes = 3_000_000;

/** The campaign it names; undefined when that is no id. */
export function campaignOf(raw: RawEnrollment): Id | undefined {
  const id = normalise(own(raw, 'campaignId'));
  return isId(id) ? id : undefined;
}

/** Whose owner handles it: its contact's, so that all of one contact have one; where there is none, that of its own id. */
export function enrollmentPartition(raw: RawEnrollment, partitions: number): number {
  const campaignId = campaignOf(raw);
  const contact = own(raw, 'contact');
  const contactId = isPlain(contact) ? normalise(own(contact, 'id')) : undefined;
  if (campaignId !== undefined && isId(contactId)) return partitionOf(campaignId, contactId, partitions);
  const id = normalise(own(raw, '_id'));
  return isId(id) ? campaignPartition(id, partitions) : 0;
}

const refused = (reason: NonNullable<Enrollment['reason']>, error: Fault): { answer: EnrollmentAnswer } => ({
  answer: { reason, error: { ...error } },
});

/** Its contact, or what is wrong with it. Never throws. */
export function readEnrollment(raw: RawEnrollment, now: number): ReadEnrollment {
  const at = own(raw, 'at');
  const fault = (message: string): ReadEnrollment =>
    refused('not_allowed', { code: 'not_allowed', path: 'at', message });
  if (at !== undefined && (!isDate(at) || Number.isNaN(at.getTime())))
    return fault(`has to be a date, was ${printable(at)}`);
  if (isDate(at) && at.getTime() > now + aheadMs)
    return fault(`was ${printable(at)}, which lies ahead; insert it when its time has come`);
  const { contact, invalid } = readContact(own(raw, 'contact'));
  const why = contact && roughSize(contact) > contactBytes ? `is larger than ${contactBytes} bytes` : invalid;
  if (contact && why === undefined) return { contact };
  return refused('contact_invalid', { code: 'contact_invalid', path: 'contact', message: String(why) });
}

/** The campaign it names cannot be one. */
export const campaignIdInvalid = (raw: RawEnrollment): EnrollmentAnswer => {
  const message = `has to be the _id of a campaign, was ${printable(own(raw, 'campaignId'))}`;
  return refused('not_allowed', { code: 'type', path: 'campaignId', message }).answer;
};

export const campaignNotTriggered = (type: unknown): EnrollmentAnswer => {
  const message = `names a campaign of type ${printable(type)}; only those of type "triggered" take enrollments`;
  return refused('not_allowed', { code: 'not_allowed', path: 'campaignId', message }).answer;
};

/** It waits for its campaign; the fault tells its author in the meantime. */
export const campaignMissing = (campaignId: Id): Fault => ({
  code: 'campaign_missing',
  path: 'campaignId',
  message: `there is no campaign ${printable(campaignId)} yet; it waits for one`,
});

/** Why a campaign that has ended takes nobody. */
export const endedReason = ({ endReason }: Pick<Run, 'endReason'>): 'campaign_cancelled' | 'campaign_ended' =>
  endReason === 'campaign_cancelled' ? 'campaign_cancelled' : 'campaign_ended';

/** Which entry of its contact a new conversation would be; undefined while it is in the campaign, or may not enter again. */
export function nextEntry(last: LastEntry | undefined, reentry: Run['reentry'], now: number): number | undefined {
  if (last === undefined) return 1;
  // one that stands still with a person can be taken up again
  const isOver = last.status !== 'active' && last.status !== 'escalated';
  const wait = reentry && parseDuration(reentry.after ?? 'PT0S');
  if (!isOver || wait === undefined || addDuration(last.createdAt.getTime(), wait) > now) return undefined;
  return last.entry + 1;
}

/** `_id` of the first conversation of a contact, by which its entries are found. */
export const firstConversation = (campaignId: Id, contact: Contact): string => conversationId(campaignId, contact.id);
