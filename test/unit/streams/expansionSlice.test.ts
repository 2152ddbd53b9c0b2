import { expect, test } from '@jest/globals';
import { BSON } from 'mongodb';
import { campaignKey } from '../../../src/domain/ids.ts';
import type { Run } from '../../../src/domain/model.ts';
import { sliceOf } from '../../../streams/expansionSlice.ts';
import { contextOf } from '../domain/given.ts';

/** What a command holds, with room for the command itself. */
const commandBytes = 16_000_000;

const run = { _id: 'c', expansion: { expanded: 0, skipped: {}, done: false } } as unknown as Run;

const slice = (contacts: { id: string; attributes?: Record<string, unknown> }[]) =>
  sliceOf(
    contacts.map((raw, index) => ({ raw, after: index + 1 })),
    {
      ...{ run, flow: contextOf([{ id: 's', type: 'message', channel: 'sms', content: { text: 'Hi' } }]).flow },
      ...{
        done: true,
        partitions: 8,
        now: 0,
        traceparent: () => 't',
        rules: { key: campaignKey, existing: async () => new Set<string>() },
      },
    },
  );

test.each([
  ['text of three bytes a character', { text: '語'.repeat(1_900_000) }, { text: '語'.repeat(2_950_000) }],
  ['numbers', { list: Array(120_000).fill(1.5) }, { list: Array(180_000).fill(1.5) }],
])('a slice fits into one command at its largest: %s', async (_, almost, one) => {
  const contacts = [
    { id: 'a', attributes: almost },
    { id: 'b', attributes: one },
    { id: 'c', attributes: one },
  ];
  const { conversations, expansion } = await slice(contacts);
  expect(conversations.map(({ contact }) => contact.id)).toEqual(['a', 'b']);
  expect(expansion).toMatchObject({ expanded: 2, after: 2, done: false });
  expect(BSON.calculateObjectSize({ documents: conversations })).toBeLessThan(commandBytes);
});

test('a contact that is too large is skipped with its reason, the others are taken', async () => {
  const { conversations, expansion, firstInvalid } = await slice([
    { id: 'a', attributes: { text: 'x'.repeat(3_100_000) } },
    { id: 'b' },
  ]);
  expect(conversations.map(({ contact }) => contact.id)).toEqual(['b']);
  expect(expansion.skipped).toEqual({ contact_invalid: 1 });
  expect(firstInvalid).toMatch(/larger than/);
});
