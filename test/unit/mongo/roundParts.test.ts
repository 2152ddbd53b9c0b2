import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BSON } from 'mongodb';
import type { Unit } from '../../../src/domain/model.ts';
import { splitByBytes } from '../../../src/mongo/roundParts.ts';

/** What a command holds, with room for the command itself. */
const commandBytes = 16_000_000;

const unit = (index: number, text: string): Unit => ({
  ...{ conversationId: `c:${index}`, campaignId: 'c', rows: [], counters: {}, deadLetters: [] },
  inserts: [
    {
      ...{ _id: `c:${index}/1`, campaignId: 'c', conversationId: `c:${index}`, partition: 0, stage: 's', step: 0 },
      ...{ channel: 'email', status: 'sending', attempts: 1, dueAt: new Date(0), queuedAt: new Date(0), worker: 'w' },
      content: { html: text, text: text.slice(0, 10) },
    },
  ],
});

test('every part fits into one command, whatever the alphabet; none is lost and their order is kept', () => {
  const sizes = fc.array(fc.oneof(fc.nat(2_000), fc.nat(900_000), fc.integer({ min: 3_000_000, max: 4_000_000 })), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(sizes, fc.constantFrom('a', 'é', '語'), (lengths, letter) => {
      const units = lengths.map((length, index) => unit(index, letter.repeat(length)));
      const parts = splitByBytes(units);
      expect(parts.flat()).toEqual(units);
      for (const part of parts)
        expect(BSON.calculateObjectSize({ documents: part.flatMap(({ inserts }) => inserts) })).toBeLessThan(
          commandBytes,
        );
    }),
    { numRuns: 15 },
  );
});
