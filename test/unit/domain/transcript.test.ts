import { expect, test } from '@jest/globals';
import type { HistoryEntry, Message } from '../../../src/domain/model.ts';
import { transcriptIds, transcriptOf } from '../../../src/domain/transcript.ts';
import { seconds } from './given.ts';

const row = (sequence: number, more: object): Message =>
  ({
    _id: `c:1/${sequence}`,
    channel: 'sms',
    status: 'sent',
    queuedAt: new Date(seconds(sequence)),
    ...more,
  }) as Message;
const entry = (second: number, event: string, detail?: Record<string, unknown>): HistoryEntry =>
  ({ at: new Date(seconds(second)), stage: 's', event, ...(detail ? { detail } : {}) }) as HistoryEntry;

test('what was said, in order, and nothing of the machinery', () => {
  const rows = [
    row(1, { content: { text: 'Hello', subject: 'Hi' }, sentAt: new Date(seconds(4)) }),
    row(2, { content: { html: '<p>Again</p>' } }),
    row(3, { status: 'skipped' }),
    row(5, { content: { text: 'x'.repeat(3_000) } }),
  ];
  const history = [
    entry(0, 'entered'),
    entry(1, 'reply', { id: 'e1', text: 'Yes?' }),
    entry(6, 'reply'),
    entry(7, 'purchased', { id: 'e2' }),
    entry(8, 'chat', { text: 'more' }),
  ];
  const told = transcriptOf(rows, history);
  expect(told.map(({ from, event, messageId }) => event ?? `${from} ${messageId}`)).toEqual([
    'reply',
    'us c:1/2',
    'us c:1/3',
    'us c:1/1',
    'us c:1/5',
    'reply',
    'chat',
  ]);
  expect(told.find(({ messageId }) => messageId === 'c:1/1')).toMatchObject({
    subject: 'Hi',
    text: 'Hello',
    channel: 'sms',
  });
  expect(told.find(({ messageId }) => messageId === 'c:1/2')?.text).toBe('<p>Again</p>');
  expect(told.find(({ messageId }) => messageId === 'c:1/5')?.text).toHaveLength(2_000);
  expect(told[0]).toEqual({ at: new Date(seconds(1)), from: 'contact', event: 'reply', text: 'Yes?' });
});

test('no more text than one reads, the newest', () => {
  const history = Array.from({ length: 25 }, (_, n) =>
    entry(n, 'reply', { text: String.fromCharCode(97 + n).repeat(8_000) }),
  );
  expect(
    transcriptOf([], history)
      .map(({ text }) => text?.[0])
      .join(''),
  ).toBe('nopqrstuvwxy');
});

test('the newest hundred', () => {
  expect(transcriptIds('c:1', 2)).toEqual(['c:1/2', 'c:1/1']);
  expect(transcriptIds('c:1', 250)).toHaveLength(100);
  const rows = Array.from({ length: 100 }, (_, n) => row(n, { content: { text: `${n}` } }));
  const told = transcriptOf(rows, [entry(200, 'reply', { text: 'last' })]);
  expect(told).toHaveLength(100);
  expect([told[0]?.text, told.at(-1)?.text]).toEqual(['1', 'last']);
});
