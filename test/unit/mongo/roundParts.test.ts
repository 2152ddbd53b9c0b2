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

test('what a transcript reads counts, and what a conversation learnt', () => {
  const plain = (index: number): Unit => ({ ...unit(index, ''), inserts: [] });
  const asks = (index: number): Unit => ({
    ...plain(index),
    escalations: [{ kind: 'opened', document: { _id: `c:${index}/e1` } as never, sequence: 250 }],
  });
  const all = (make: (index: number) => Unit) => splitByBytes(Array.from({ length: 512 }, (_, index) => make(index)));
  expect(all(plain)).toHaveLength(1);
  expect(Math.max(...all(asks).map((part) => part.length))).toBeLessThanOrEqual(25);
  const ends = (index: number): Unit => ({
    ...plain(index),
    escalations: [{ kind: 'ended', id: 'x', set: { status: 'closed' } }],
  });
  expect(all(ends)).toHaveLength(1);
  const large = { text: 'x'.repeat(100_000) };
  const learns =
    (set: object) =>
    (index: number): Unit => ({
      ...plain(index),
      change: { id: 'c', version: 1, inboxSize: 0, set, unset: [], history: [] },
    });
  for (const set of [{ variables: large }, { event: large }, { contact: large }])
    expect(all(learns(set)).length).toBeGreaterThan(5);
  expect(all((index) => ({ ...plain(index), deadLetters: [{ reason: 'r', document: large }] })).length).toBeGreaterThan(
    5,
  );
});
