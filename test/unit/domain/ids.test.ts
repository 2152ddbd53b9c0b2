import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  campaignKey,
  campaignPartition,
  conversationId,
  conversationRange,
  encodePart,
  fnv1a32,
  isObjectId,
  messageId,
  partitionOf,
  partitionOfConversation,
  sequenceOf,
} from '../../../src/domain/ids.ts';
import type { Id } from '../../../src/domain/model.ts';

const objectId = (hex: string) => ({ _bsontype: 'ObjectId', toHexString: () => hex });
const hex = fc.stringMatching(/^[0-9a-f]{24}$/);
const id: fc.Arbitrary<Id> = fc.oneof(fc.string({ unit: 'grapheme' }), fc.integer(), hex.map(objectId), hex);
const plain = (value: Id) => (typeof value === 'object' ? { oid: value.toHexString() } : value);

describe('ids', () => {
  test('property: parts are injective over types, printable, and without the separators', () => {
    fc.assert(
      fc.property(id, id, (a, b) => {
        expect(encodePart(a)).toMatch(/^[!-~]*$/);
        expect(encodePart(a)).not.toMatch(/[:/]/);
        expect(encodePart(a) === encodePart(b)).toBe(JSON.stringify(plain(a)) === JSON.stringify(plain(b)));
      }),
    );
  });

  test('a lone surrogate is no reason to fail', () => {
    expect(encodePart('\ud800')).toBe('%EF%BF%BD');
    expect(encodePart('a~b#c:d')).toBe('a%7Eb%23c%3Ad');
  });

  test('property: all entries of a contact share a partition, known from the id alone', () => {
    fc.assert(
      fc.property(
        id,
        id,
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 1024 }),
        (campaign, contact, entry, count) => {
          const partition = partitionOf(campaign, contact, count);
          expect(partitionOfConversation(conversationId(campaign, contact, entry), count)).toBe(partition);
          expect(partition).toBeLessThan(count);
          expect(campaignPartition(campaign, count)).toBe(fnv1a32(campaignKey(campaign)) % count);
        },
      ),
    );
  });

  test('property: the range of a campaign holds its conversations and nobody else’s', () => {
    fc.assert(
      fc.property(id, id, id, (campaign, other, contact) => {
        const { from, to } = conversationRange(campaign);
        const inside = (text: string) => text >= from && text < to;
        expect(inside(conversationId(campaign, contact))).toBe(true);
        if (campaignKey(other) !== campaignKey(campaign)) expect(inside(conversationId(other, contact))).toBe(false);
      }),
    );
  });

  test('FNV-1a, test vectors of the draft', () => {
    expect(fnv1a32('')).toBe(0x811c9dc5);
    expect(fnv1a32('a')).toBe(0xe40c292c);
    expect(fnv1a32('foobar')).toBe(0xbf9cf968);
  });

  test('messages are numbered behind their conversation', () => {
    expect(messageId('c:a', 3)).toBe('c:a/3');
    expect(sequenceOf('c:a/12')).toBe(12);
    expect(conversationId('c', 'a', 2)).toBe('c:a:2');
  });

  test('what is an ObjectId', () => {
    expect(isObjectId(objectId('aa'))).toBe(true);
    for (const value of [null, 'x', 7, {}, { _bsontype: 'ObjectId' }]) expect(isObjectId(value)).toBe(false);
  });
});
