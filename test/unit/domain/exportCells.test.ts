import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Decimal128, Long, ObjectId } from 'mongodb';
import { exportColumns, exportRow, harmless } from '../../../src/domain/exportCells.ts';

const namesOf = (kind: 'Conversation' | 'Message'): string[] => exportColumns(kind).map(({ name }) => name);
const columns = (...names: string[]) =>
  names.map((name) => {
    const [field = '', inner] = name.split('.');
    return { name, field, ...(inner === undefined ? {} : { inner }) };
  });

test('columns are the fields of the schema, those of contact and error by themselves, without the machinery', () => {
  const conversation = namesOf('Conversation');
  expect(conversation.slice(0, 5)).toEqual(['_id', 'campaignId', 'tenant', 'contact.id', 'contact.email']);
  expect(conversation).toEqual(
    expect.arrayContaining(['contact.attributes', 'status', 'outcome', 'error.code', 'variables']),
  );
  expect(namesOf('Message')).toEqual(expect.arrayContaining(['conversationId', 'channel', 'to', 'content', 'sentAt']));
  for (const name of ['inbox', 'partition', 'history', 'trace'])
    expect([...conversation, ...namesOf('Message')]).not.toContain(name);
});

describe('cells', () => {
  const large = Long.fromString('9007199254740993');
  const exactly = '{"a":["9007199254740993","0.10000000000000000001"]}';
  const id = new ObjectId();
  test.each<[string, unknown, string]>([
    ['nothing', undefined, ''],
    ['null', null, ''],
    ['a date', new Date('2026-01-05T09:00:00Z'), '2026-01-05T09:00:00.000Z'],
    ['a date that is none', new Date(Number.NaN), ''],
    ['an ObjectId', id, String(id)],
    ['an object', { a: [1, '=x'] }, '{"a":[1,"=x"]}'],
    ['a list', ['-'], '["-"]'],
    ['a negative number', -5, '-5'],
    ['true', true, 'true'],
    ['a number too large for a double', large, '9007199254740993'],
    ['the same within', { a: [large, Decimal128.fromString('0.10000000000000000001')] }, exactly],
    ['what would be a formula of its own in a list', { text: 'a;=1;"=2' }, '{"text":"a;\'=1;\\"=2"}'],
    ['text of several lines', 'a\n=1', "a\n'=1"],
    ['a formula', '=HYPERLINK("http://evil")', '\'=HYPERLINK("http://evil")'],
  ])('%s', (_, value, cell) => {
    expect(exportRow(columns('x'), { x: value })).toEqual([cell]);
  });

  test('within contact and error, whatever they are', () => {
    expect(exportRow(columns('contact.name', 'error.code'), { contact: { name: '@x' } })).toEqual(["'@x", '']);
    expect(exportRow(columns('contact.name'), { contact: 'text' })).toEqual(['']);
    expect(exportRow(columns('contact.name'), { contact: { name: '@x' } }, { keepFormulas: true })).toEqual(['@x']);
  });
});

describe('formulas', () => {
  test.each(['=1+1', '+1+1', '-1+1', '@SUM(A1)', '＝1', '＋1', '－1', '＠A', '+49 30', '+', '+1234567890123456'])(
    '%j is made harmless',
    (cell) => {
      expect(harmless(cell)).toBe(`'${cell}`);
    },
  );
  test.each([
    ['\t=1', "'\t'=1"],
    ['\r\nx', "'\r\nx"],
    ['a;=1+1', "a;'=1+1"],
    ['a;; \t@A;-1', "a;; \t'@A;'-1"],
    ['a\n=1', "a\n'=1"],
    ['a;"=1+1;b', 'a;"\'=1+1;b'],
    ['+4930123456;+1+1', "+4930123456;'+1+1"],
  ])('%j becomes %j, for those who expect ";" or tabs', (cell, expected) => {
    expect(harmless(cell)).toBe(expected);
  });
  test.each(['', 'a=1', '+4930123456', 'a;+4930123456', '12', ' x', "'=1", 'a; b=1', 'https://x.example/?a=1'])(
    '%j stays',
    (cell) => {
      expect(harmless(cell)).toBe(cell);
    },
  );
  test('no cell is left that begins like one, but for phone numbers', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(harmless(text)).toMatch(/^(?:[^=+\-@\t\r\n＝＋－＠]|$|\+\d{1,15}(?:[;\t\r\n]|$))/);
      }),
    );
  });
});
