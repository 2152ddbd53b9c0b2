import { describe, expect, test } from '@jest/globals';
import { Decimal128, Long, ObjectId } from 'bson';
import fc from 'fast-check';
import { addressOf, readContact } from '../../../src/domain/contact.ts';

const oid = new ObjectId('0123456789abcdef01234567');

describe('inline contacts', () => {
  test('given all fields, then they are taken, addresses in their normal form', () => {
    const attributes = { plan: 'pro', seats: Long.fromNumber(3), since: new Date(0) };
    const raw = {
      id: 'anna',
      email: ' Anna@Example.COM ',
      phone: '+49 (170) 123-45.67',
      whatsapp: '0170\u2013123',
      url: ' https://a.test/ ',
      name: ' Anna ',
      locale: 'de-AT',
      timezone: 'Europe/Berlin',
      country: 'DE',
      attributes,
      shoeSize: 42,
    };
    expect(readContact(raw)).toEqual({
      contact: {
        id: 'anna',
        email: 'anna@example.com',
        phone: '+491701234567',
        whatsapp: '0170123',
        url: 'https://a.test/',
        name: ' Anna ',
        locale: 'de-AT',
        timezone: 'Europe/Berlin',
        country: 'DE',
        attributes: { plan: 'pro', seats: 3, since: new Date(0) },
      },
    });
  });

  test.each([
    ['a', 'a'],
    [7, 7],
    [-0, 0],
    [1.5, 1.5],
    [Long.fromNumber(7), 7],
    [Decimal128.fromString('7'), 7],
    [oid, oid],
    ['\u00e4'.repeat(64), '\u00e4'.repeat(64)],
  ])('given the id %p, then it is usable', (id, expected) => {
    expect(readContact({ id }).contact?.id).toBe(expected);
  });

  test.each([
    [undefined, 'id is missing'],
    [null, 'id is missing'],
    ['', 'id is empty'],
    ['\u00e4'.repeat(65), 'id is longer than 128 bytes'],
    [Number.NaN, 'was NaN'],
    [2 ** 53, 'past 2^53, where neighbours become one: write it as text, was 9007199254740992'],
    [Long.fromString('9007199254740993'), 'was Long 9007199254740993'],
    [new Date(0), 'was the date'],
    [{}, 'was an object'],
    [true, 'was true'],
  ])('given the id %p, then the contact is invalid and it says why', (id, why) => {
    expect(readContact({ id }).invalid).toContain(why);
  });

  test.each([
    [{ email: 7 }, 'email has to be a string, was 7'],
    [{ phone: { home: '1' } }, 'phone has to be a string, was an object'],
    [{ name: 'x'.repeat(513) }, 'name is longer than 512 characters'],
    [{ attributes: 'x' }, 'attributes has to be an object, was "x"'],
    [{ attributes: { since: [new Date(Number.NaN)] } }, 'attributes.since.0 is outside the range of a Date'],
    [{ email: 7, phone: 8 }, 'email has to be a string, was 7; phone has to be a string, was 8'],
  ])('given %p, then the contact is invalid and it says why', (fields, why) => {
    expect(readContact({ id: 'a', ...fields }).invalid).toContain(why);
  });

  test('given null or blanks, then the field is not set', () => {
    expect(readContact({ id: 'a', email: ' ', phone: null, name: '', attributes: {} })).toEqual({
      contact: { id: 'a', attributes: {} },
    });
  });

  test.each([[7], [null], ['x'], [[]], [new Date()], [undefined]])(
    'given %p instead of an object, then it is invalid',
    (raw) => {
      expect(readContact(raw).invalid).toContain('has to be an object');
    },
  );

  test('given names of prototypes, then nothing is reached', () => {
    const attributes = JSON.parse('{"__proto__": {"admin": true}, "constructor": 1}');
    const { contact } = readContact({ id: 'a', attributes });
    expect(Object.keys(contact?.attributes ?? {})).toEqual(['__proto__', 'constructor']);
    expect(contact?.attributes?.['admin']).toBeUndefined();
  });
});

describe('contacts of a collection', () => {
  const source = {
    _id: oid,
    id: 'not this',
    email: 'old@a.test',
    work: { email: 'Anna@Work.test', phones: ['+49 1', '+49 2'] },
    names: { first: 'Anna' },
    country: 'DE',
    plan: 'pro',
    vip: true,
  };

  test('given no rules, then fields of the same name are taken, id is _id and the rest is left out', () => {
    expect(readContact(source, {})).toEqual({ contact: { id: oid, email: 'old@a.test', country: 'DE' } });
  });

  test('given rules, then mapped fields win: paths, elements, constants, nested', () => {
    const map = {
      id: '$plan',
      email: '$work.email',
      phone: '$work.phones.1',
      name: '$names.first',
      locale: 'de',
      country: '$missing.country',
      attributes: { plan: '$plan', vip: '$vip', since: '$since', source: ['crm', '$names.first'], level: 3 },
      nickname: '$names.first',
    };
    expect(readContact(source, map)).toEqual({
      contact: {
        id: 'pro',
        email: 'anna@work.test',
        phone: '+492',
        name: 'Anna',
        locale: 'de',
        attributes: { plan: 'pro', vip: true, source: ['crm', 'Anna'], level: 3 },
        nickname: 'Anna',
      },
    });
  });

  test('given a path through what is no object, then the field is not set', () => {
    expect(readContact(source, { name: '$country.name', url: '$vip.x' })).toEqual({
      contact: { id: oid, email: 'old@a.test', country: 'DE' },
    });
  });

  test('given a path of prototypes, then there is nothing', () => {
    const { contact } = readContact(source, { name: '$constructor.name', locale: '$__proto__.x' });
    expect(contact).toEqual({ id: oid, email: 'old@a.test', country: 'DE' });
  });
});

test('the address is the field the channel uses', () => {
  expect(addressOf({ id: 'a', phone: '+491' }, 'phone')).toBe('+491');
  expect(addressOf({ id: 'a' }, 'phone')).toBeUndefined();
  expect(addressOf({ id: 'a' }, 'constructor')).toBeUndefined();
});

test('whatever comes, it is a contact or says why not', () => {
  fc.assert(
    fc.property(fc.anything({ withDate: true }), fc.dictionary(fc.string(), fc.anything()), (raw, map) => {
      for (const read of [readContact(raw), readContact(raw, map)]) {
        expect(read.contact !== undefined || (read.invalid ?? '') !== '').toBe(true);
      }
    }),
    { numRuns: 300 },
  );
});
