import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BSONRegExp } from 'mongodb';
import { compileQuery } from '../../../src/domain/query.ts';

class ObjectIdOf {
  readonly hex: string;
  constructor(hex: string) {
    this.hex = hex;
  }
  get _bsontype(): string {
    return 'ObjectId';
  }
  toHexString(): string {
    return this.hex;
  }
}

const contact = {
  country: 'DE',
  age: 41,
  vip: true,
  none: null,
  tags: ['a', 'b', ['c']],
  orders: [{ total: 3 }, { total: 7, items: [1, 2] }, 'odd'],
  since: new Date(86_400_000),
  ref: new ObjectIdOf('aa'),
  address: { city: 'Kiel', zip: '24103' },
  nothing: [],
  odd: Number.NaN,
};

const matches = (query: unknown): boolean => {
  const compiled = compileQuery(query, 'when');
  expect(compiled.faults).toEqual([]);
  return compiled.query?.matches({ contact }) ?? false;
};

describe('a condition holds, and its opposite does not', () => {
  test.each<[string, Record<string, unknown>]>([
    ['equality', { 'contact.country': 'DE', 'contact.age': { $eq: 41 } }],
    ['equality of a document, fields in order', { 'contact.address': { city: 'Kiel', zip: '24103' } }],
    [
      'equality of a list, or of one of its items',
      { 'contact.tags': 'a', $and: [{ 'contact.tags': ['a', 'b', ['c']] }] },
    ],
    [
      'null for what is not there, or is null',
      { 'contact.missing': null, 'contact.none': null, 'contact.age.x': null },
    ],
    ['equality of dates and ObjectIds', { 'contact.since': new Date(86_400_000), 'contact.ref': new ObjectIdOf('aa') }],
    ['NaN is itself', { 'contact.odd': Number.NaN }],
    ['$ne', { 'contact.country': { $ne: 'AT' }, 'contact.missing': { $ne: 1 } }],
    ['order of numbers', { 'contact.age': { $gt: 40, $gte: 41, $lt: 42, $lte: 41 } }],
    ['order of texts', { 'contact.country': { $gt: 'DD', $gte: 'D', $lt: 'DEU' } }],
    ['texts go by code points', { 'contact.country': { $lt: '\u{1f600}' } }],
    [
      'order of dates and ObjectIds',
      { 'contact.since': { $gt: new Date(0) }, 'contact.ref': { $lt: new ObjectIdOf('ab') } },
    ],
    ['order of true and false', { 'contact.vip': { $gt: false } }],
    ['$in, $nin', { 'contact.country': { $in: ['AT', 'DE'] }, 'contact.age': { $nin: [1] } }],
    ['$exists', { 'contact.none': { $exists: true }, 'contact.missing': { $exists: false } }],
    ['$type', { 'contact.age': { $type: 'number' }, 'contact.tags': { $type: ['string', 'array'] } }],
    [
      '$type of each kind',
      {
        'contact.vip': { $type: 'bool' },
        'contact.since': { $type: 'date' },
        'contact.ref': { $type: 'objectId' },
        'contact.address': { $type: 'object' },
        'contact.none': { $type: 'null' },
      },
    ],
    ['$size', { 'contact.tags': { $size: 3 }, 'contact.nothing': { $size: 0 } }],
    ['$all', { 'contact.tags': { $all: ['a', ['c']] } }],
    ['$mod', { 'contact.age': { $mod: [2, 1] } }],
    ['$elemMatch of documents', { 'contact.orders': { $elemMatch: { total: { $gt: 5 }, items: 2 } } }],
    ['$elemMatch of values', { 'contact.tags': { $elemMatch: { $gt: 'a', $ne: 'c' } } }],
    ['$elemMatch of values, all of it', { 'contact.tags': { $elemMatch: { $not: { $all: ['a'] } } } }],
    ['$elemMatch sees a list as a document of its places', { 'contact.tags': { $elemMatch: { 0: 'c' } } }],
    ['$not', { 'contact.age': { $not: { $gt: 100 } }, 'contact.country': { $not: /^A/ } }],
    ['$regex', { 'contact.country': { $regex: '^d', $options: 'i' }, 'contact.address.city': /iel$/ }],
    ['$regex of an expression', { 'contact.country': { $regex: /^d/i } }],
    ['an expression of BSON', { 'contact.country': new BSONRegExp('^d.$', 'is') }],
    ['$regex of one of BSON', { 'contact.country': { $regex: new BSONRegExp('^d', 'i') } }],
    ['$not of one of BSON', { 'contact.country': { $not: new BSONRegExp('^x') } }],
    ['$regex over lines', { 'contact.country': { $regex: '^D.$', $options: 'ms' } }],
    ['a path through lists', { 'contact.orders.total': 7, 'contact.orders.1.items.0': 1, 'contact.tags.1': 'b' }],
    ['$or, $and, $nor', { $or: [{ 'contact.age': 1 }, { 'contact.vip': true }], $nor: [{ 'contact.age': 1 }] }],
    ['nothing asked', {}],
  ])('%s', (_, query) => {
    expect(matches(query)).toBe(true);
    expect(matches({ $nor: [query] })).toBe(false);
  });

  test.each<[string, Record<string, unknown>]>([
    ['other types are never equal', { 'contact.age': '41' }],
    ['nor in order', { 'contact.age': { $lt: 'z' } }],
    ['NaN is in no order', { 'contact.odd': { $lt: 1 } }],
    ['a text comes before a longer one', { 'contact.country': { $gt: 'DEU' } }],
    ['a document with other fields', { 'contact.address': { city: 'Kiel' } }],
    ['a document with its fields in another order', { 'contact.address': { zip: '24103', city: 'Kiel' } }],
    ['a list that is longer', { 'contact.tags': ['a', 'b'] }],
    ['a value that has a class of its own', { 'contact.age': Symbol.iterator }],
    ['an index leads to the item as it is', { 'contact.tags.2': 'c' }],
    ['no path leads on from what is no document', { 'contact.tags.0.total': null }],
    ['a prototype is out of reach', { 'contact.constructor': { $exists: true } }],
    ['$size of no list', { 'contact.age': { $size: 1 } }],
    ['$mod of no number', { 'contact.country': { $mod: [2, 1] } }],
    ['$elemMatch of no list', { 'contact.age': { $elemMatch: { $gt: 1 } } }],
    ['$regex of no text', { 'contact.age': /4/ }],
  ])('not: %s', (_, query) => {
    expect(matches(query)).toBe(false);
  });
});

test.each<[string, unknown, string, RegExp]>([
  ['no object', 'x', 'when', /has to be a query like .* was "x"/],
  ['an unknown word at the top', { $where: '1' }, 'when.$where', /is none of "\$and"/],
  ['a slip of the pen', { $orr: [{}] }, 'when.$orr', /Did you mean "\$or"/],
  ['no list', { $or: {} }, 'when.$or', /list of queries/],
  ['an empty list', { $and: [] }, 'when.$and', /not empty/],
  ['a path that begins elsewhere', { 'contcat.age': 1 }, 'when["contcat.age"]', /Did you mean "contact"/],
  ['an empty name', { 'contact..age': 1 }, 'when["contact..age"]', /a name is empty/],
  ['an unknown operator', { contact: { $gtt: 1 } }, 'when.contact.$gtt', /Did you mean "\$gt"/],
  ['order of a document', { contact: { $gt: {} } }, 'when.contact.$gt', /a number, a text/],
  ['$in of no list', { contact: { $in: 1 } }, 'when.contact.$in', /has to be a list, was 1/],
  ['$in with an expression', { contact: { $nin: [1, /x/] } }, 'when.contact.$nin[1]', /has to be a value/],
  ['$in with an operator', { contact: { $in: [{ $gt: 1 }] } }, 'when.contact.$in[0]', /has to be a value/],
  ['$exists of a word', { contact: { $exists: 'yes' } }, 'when.contact.$exists', /true or false/],
  ['$type of an unknown name', { contact: { $type: ['text'] } }, 'when.contact.$type', /one or several of "string"/],
  ['$type of nothing', { contact: { $type: [] } }, 'when.contact.$type', /one or several/],
  ['$size below zero', { contact: { $size: -1 } }, 'when.contact.$size', /a number of items/],
  ['$size of a fraction', { contact: { $size: 1.5 } }, 'when.contact.$size', /a number of items/],
  ['$mod by zero', { contact: { $mod: [0, 1] } }, 'when.contact.$mod', /the first not 0/],
  ['$mod of one number', { contact: { $mod: [2] } }, 'when.contact.$mod', /two whole numbers/],
  ['$mod with a word', { contact: { $mod: [2, 'x'] } }, 'when.contact.$mod', /two whole numbers/],
  ['$all of nothing', { contact: { $all: [] } }, 'when.contact.$all', /not empty/],
  ['$elemMatch of a word', { contact: { $elemMatch: 'x' } }, 'when.contact.$elemMatch', /has to be a query/],
  ['$not of a value', { contact: { $not: 1 } }, 'when.contact.$not', /operators like/],
  ['$not of nothing', { contact: { $not: {} } }, 'when.contact.$not', /operators like/],
  ['$not of a query', { contact: { $not: { $or: [] } } }, 'when.contact.$not', /operators like/],
  ['$options alone', { contact: { $options: 'i' } }, 'when.contact.$options', /without \$regex/],
  ['$regex of a number', { contact: { $regex: 1 } }, 'when.contact.$regex', /as text/],
  ['$options of a number', { contact: { $regex: 'a', $options: 1 } }, 'when.contact.$regex', /as text/],
  [
    'an option that RE2 does not have',
    { contact: { $regex: 'a', $options: 'x' } },
    'when.contact.$regex',
    /options other than/,
  ],
  ['one of BSON that RE2 does not have', { contact: new BSONRegExp('a b', 'x') }, 'when.contact', /options other than/],
  ['$in with one of BSON', { contact: { $in: [new BSONRegExp('a')] } }, 'when.contact.$in[0]', /has to be a value/],
  [
    'an expression that could take for ever',
    { contact: { $regex: '(a)\\1' } },
    'when.contact.$regex',
    /expression of RE2/,
  ],
])('refused: %s', (_, query, path, message) => {
  const { faults } = compileQuery(query, 'when');
  expect(faults[0]).toMatchObject({ code: 'query_invalid', path });
  expect(faults[0]?.message).toMatch(message);
});

test('what is too deep, or too much, is refused, and the list of faults has an end', () => {
  const endless: Record<string, unknown> = {};
  endless['$and'] = [endless];
  expect(compileQuery(endless, 'when').faults[0]?.message).toMatch(/deeper than 20/);
  const many = Object.fromEntries(Array.from({ length: 501 }, (_, n) => [`contact.f${n}`, n]));
  expect(compileQuery(many, 'when').faults.map(({ message }) => message)).toEqual(['has more than 500 conditions']);
  const wrong = Object.fromEntries(Array.from({ length: 90 }, (_, n) => [`x${n}`, n]));
  expect(compileQuery(wrong, 'when').faults).toHaveLength(50);
});

test('paths begin with what the caller says', () => {
  expect(compileQuery({ lead: 1 }, 'when', ['lead']).query?.matches({ lead: 1 })).toBe(true);
});

test('property: whatever the query is, it is compiled or refused, and asked of anything it answers', () => {
  fc.assert(
    fc.property(fc.anything({ withDate: true, withNullPrototype: true }), fc.anything(), (query, subject) => {
      const compiled = compileQuery({ contact: query }, 'when');
      if (compiled.query) expect(typeof compiled.query.matches({ contact: subject })).toBe('boolean');
      else expect(compiled.faults.length).toBeGreaterThan(0);
    }),
  );
});

test('texts are in the order of their code points, and are compared in no time', () => {
  const order = (a: string, b: string): number => {
    const [left, right] = [
      Array.from(a, (c) => Number(c.codePointAt(0))),
      Array.from(b, (c) => Number(c.codePointAt(0))),
    ];
    const at = left.findIndex((point, n) => point !== right[n]);
    return at < 0 ? left.length - right.length : Number(left[at]) - (right[at] ?? -1);
  };
  const text = fc
    .array(fc.constantFrom('a', 'b', 'é', '\ue000', '\uffff', '\u{1f600}', '\u{10ffff}'))
    .map((all) => all.join(''));
  fc.assert(
    fc.property(text, text, (a, b) => {
      const asked = (query: object): boolean =>
        compileQuery({ 'contact.x': query }, 'w').query?.matches({ contact: { x: a } }) ?? false;
      expect(asked({ $lt: b })).toBe(order(a, b) < 0);
      expect(asked({ $eq: b })).toBe(a === b);
    }),
  );
  const long = 'x'.repeat(100_000);
  const among = Array.from({ length: 300 }, (_, n) => `${long}${n}`);
  const { query } = compileQuery({ 'contact.x': { $in: among } }, 'w');
  const before = process.cpuUsage();
  expect(query?.matches({ contact: { x: `${long}y` } })).toBe(false);
  expect(process.cpuUsage(before).user).toBeLessThan(200_000);
});
