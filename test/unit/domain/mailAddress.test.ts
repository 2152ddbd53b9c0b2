import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { asciiDomain, isInternational, parseAddress, parseMailbox } from '../../../src/domain/mailAddress.ts';

describe('parseAddress', () => {
  test.each([
    ['ada@example.com', 'ada@example.com'],
    ['  Ada.Lovelace+news@Example.COM ', 'Ada.Lovelace+news@example.com'],
    ["o'brien!#$%&*/=?^_`{|}~-@example.com", "o'brien!#$%&*/=?^_`{|}~-@example.com"],
    ['jörg@müller.example', 'jörg@xn--mller-kva.example'],
    ['用户@例子.测试', '用户@xn--fsqu00a.xn--0zwm56d'],
    ['root@localhost', 'root@localhost'],
  ])('%s is %s', (text, address) => expect(parseAddress(text)).toBe(address));

  test.each([
    ...['', 'ada', '@', 'ada@', '@example.com', 'ada@@example.com', 'a@b@example.com', 'ada@exa mple.com'],
    ...['ada example@example.com', 'ada@example..com', 'ada@.example.com', 'ada@-a.example', 'ada@a-.example'],
    ...['.ada@example.com', 'ada.@example.com', 'a..da@example.com', '"ada"@example.com', 'ada@[127.0.0.1]'],
    ...['ada@127.1', 'ada@1', 'ada@example.com,eve@example.com', 'ada@example.com; eve@example.com'],
    ...['Ada <ada@example.com>', 'ada@example.com\r\nRCPT TO:<eve@example.com>', 'ada\0@example.com'],
    ...['ada\u2028x@example.com', '\u202eada@example.com', 'ada@example.com/x', 'ada@exa%2emple.com', 'ada@a:25'],
    ...[`${'a'.repeat(65)}@example.com`, `${'é'.repeat(33)}@example.com`, `a@${'b'.repeat(64)}.example`],
    ...[`a@${'b.'.repeat(130)}example`, `${'a'.repeat(20)}@${'b.'.repeat(118)}example`],
  ])('%j is none', (text) => expect(parseAddress(text)).toBeUndefined());

  test('what comes out has one @, no spaces, controls, brackets or separators, and is its own normal form', () => {
    const text = fc.string({ unit: fc.constantFrom(...'aZ1.@-_<>,;:"\\ \r\n\0ü\u2028[]()%é') });
    fc.assert(
      fc.property(fc.oneof(text, fc.emailAddress(), fc.string()), (given) => {
        const address = parseAddress(given);
        if (address === undefined) return;
        expect(address).not.toMatch(/[\s\p{Cc}<>,;:"\\()[\]]/u);
        expect(address.split('@')).toHaveLength(2);
        expect(parseAddress(address)).toBe(address);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('parseMailbox', () => {
  test.each([
    ['ada@example.com', { address: 'ada@example.com' }],
    ['<ada@example.com>', { address: 'ada@example.com' }],
    ['Ada <ada@example.com>', { name: 'Ada', address: 'ada@example.com' }],
    ['Łukasz Żółć 👩‍🚀 <l@example.com>', { name: 'Łukasz Żółć 👩‍🚀', address: 'l@example.com' }],
    ['"Compass, Inc. \\"HQ\\" <x>" <ada@example.com>', { name: 'Compass, Inc. "HQ" <x>', address: 'ada@example.com' }],
    ['"" <ada@example.com>', { address: 'ada@example.com' }],
  ])('%s', (text, mailbox) => expect(parseMailbox(text)).toEqual(mailbox));

  test.each([
    ...['', 'Ada', 'Ada <ada>', 'Ada <ada@example.com', 'Ada <ada@example.com> x', 'a@b.test, c@d.test'],
    ...['Compass, Inc. <ada@example.com>', 'eve@x.test, Ada <ada@example.com>', 'A <eve@x.test> <ada@example.com>'],
    ...['"A" B" <ada@example.com>', 'Ada\r\nBcc: eve@x.test <ada@example.com>'],
  ])('%j is none', (text) => expect(parseMailbox(text)).toBeUndefined());
});

test('domains', () => {
  expect(asciiDomain('Example.COM')).toBe('example.com');
  expect(asciiDomain('')).toBeUndefined();
  expect(asciiDomain('xn--a')).toBeUndefined();
});

test('an address needs SMTPUTF8 when its local part is not ASCII', () => {
  expect(isInternational('jörg@example.com')).toBe(true);
  expect(isInternational('joerg@xn--mller-kva.example')).toBe(false);
});
