import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Long, ObjectId } from 'mongodb';
import {
  campaignIdInvalid,
  campaignMissing,
  campaignNotTriggered,
  campaignOf,
  endedReason,
  enrollmentPartition,
  firstConversation,
  type LastEntry,
  nextEntry,
  readEnrollment,
} from '../../../src/domain/enrollments.ts';
import { campaignPartition, conversationId, partitionOf, partitionOfConversation } from '../../../src/domain/ids.ts';

const now = Date.UTC(2026, 0, 5, 9);
const day = 24 * 3_600_000;

describe('reading an enrollment', () => {
  test.each<[object, object]>([
    [{ contact: { id: 'a', email: ' Ada@X.org' } }, { contact: { id: 'a', email: 'ada@x.org' } }],
    [{ contact: { id: Long.fromNumber(7) }, at: new Date(now) }, { contact: { id: 7 } }],
    [{ contact: { id: 'a' }, at: new Date(now + 60_000) }, { contact: { id: 'a' } }],
  ])('%j', (raw, read) => {
    expect(readEnrollment(raw as Record<string, unknown>, now)).toEqual(read);
  });

  test.each<[string, object, string, string, RegExp]>([
    ['no contact', {}, 'contact_invalid', 'contact', /object/],
    ['no id', { contact: { email: 'a@x' } }, 'contact_invalid', 'contact', /id is missing/],
    [
      'a contact too large',
      { contact: { id: 'a', attributes: { t: 'x'.repeat(3_000_001) } } },
      'contact_invalid',
      'contact',
      /larger/,
    ],
    ['a date that is none', { contact: { id: 'a' }, at: 'tomorrow' }, 'not_allowed', 'at', /date, was "tomorrow"/],
    ['a date out of range', { contact: { id: 'a' }, at: new Date(Number.NaN) }, 'not_allowed', 'at', /date/],
    ['a time ahead', { contact: { id: 'a' }, at: new Date(now + 60_001) }, 'not_allowed', 'at', /lies ahead/],
  ])('%s is told with its path', (_, raw, reason, path, message) => {
    const { answer } = readEnrollment(raw as Record<string, unknown>, now);
    expect(answer).toMatchObject({ reason, error: { path, message: expect.stringMatching(message) } });
  });

  test('whatever comes, it answers', () => {
    const value = fc.anything({ withDate: true, withNullPrototype: true });
    fc.assert(
      fc.property(fc.record({ _id: value, campaignId: value, contact: value, at: value }), (raw) => {
        const read = readEnrollment(raw, now);
        expect([read.contact, read.answer].filter((one) => one !== undefined)).toHaveLength(1);
        const partition = enrollmentPartition(raw, 16);
        expect(partition >= 0 && partition < 16).toBe(true);
      }),
    );
  });
});

describe('whose it is', () => {
  const hex = new ObjectId();
  test.each<[object, number]>([
    [{ campaignId: 'c', contact: { id: 'a' } }, partitionOf('c', 'a', 64)],
    [{ campaignId: Long.fromNumber(7), contact: { id: hex } }, partitionOf(7, hex, 64)],
    [{ _id: 'e', campaignId: 'c', contact: { id: {} } }, campaignPartition('e', 64)],
    [{ _id: 'e', campaignId: {}, contact: { id: 'a' } }, campaignPartition('e', 64)],
    [{ _id: 'e', campaignId: 'c' }, campaignPartition('e', 64)],
    [{ _id: {}, campaignId: 'c', contact: null }, 0],
  ])('%j', (raw, partition) => {
    expect(enrollmentPartition(raw as Record<string, unknown>, 64)).toBe(partition);
  });

  test('all entries of a contact are of one partition', () => {
    for (const entry of [1, 2, 17])
      expect(partitionOfConversation(conversationId('c', 'a', entry), 64)).toBe(
        enrollmentPartition({ campaignId: 'c', contact: { id: 'a' } }, 64),
      );
    expect(firstConversation('c', { id: 'a' })).toBe('c:a');
  });

  test('the campaign it names', () => {
    expect(campaignOf({ campaignId: Long.fromNumber(7) })).toBe(7);
    expect(campaignOf({ campaignId: null })).toBeUndefined();
  });
});

describe('may a contact enter?', () => {
  const last = (status: LastEntry['status'], ago: number, entry = 1): LastEntry => ({
    ...{ entry, status },
    createdAt: new Date(now - ago),
  });
  const after = { policy: 'after', after: 'P30D' } as const;
  const afterEnd = { policy: 'afterEnd' } as const;
  test.each<[LastEntry | undefined, Parameters<typeof nextEntry>[1], number | undefined]>([
    [undefined, undefined, 1],
    [undefined, after, 1],
    [last('completed', 90 * day), undefined, undefined],
    [last('active', 90 * day), afterEnd, undefined],
    [last('escalated', 90 * day), afterEnd, undefined],
    [last('completed', 0), afterEnd, 2],
    [last('failed', 1, 2), afterEnd, 3],
    [last('suppressed', 1, 2), afterEnd, 3],
    [last('cancelled', 1, 2), afterEnd, 3],
    [last('completed', 30 * day - 1), after, undefined],
    [last('completed', 30 * day, 4), after, 5],
    [last('active', 30 * day, 4), after, undefined],
    // pinned by a release that knows more
    [last('completed', 90 * day), { policy: 'after', after: 'now and then' }, undefined],
  ])('last %j, reentry %j: entry %p', (entry, reentry, next) => {
    expect(nextEntry(entry, reentry, now)).toBe(next);
  });
});

test('what its author is told', () => {
  expect(campaignIdInvalid({ campaignId: [1] })).toMatchObject({
    reason: 'not_allowed',
    error: { path: 'campaignId' },
  });
  expect(campaignNotTriggered('broadcast').error?.message).toContain('"broadcast"');
  expect(campaignMissing('spring')).toMatchObject({
    code: 'campaign_missing',
    message: expect.stringContaining('"spring"'),
  });
  expect(endedReason({ endReason: 'campaign_cancelled' })).toBe('campaign_cancelled');
  expect(endedReason({ endReason: 'campaign_ended' })).toBe('campaign_ended');
  expect(endedReason({})).toBe('campaign_ended');
});
