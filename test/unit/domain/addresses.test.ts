import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  addressesOf,
  addressKey,
  addressOn,
  normalAddress,
  plainAddress,
  suppressedAddress,
  suppressionId,
  suppressionsOf,
} from '../../../src/domain/addresses.ts';
import { createAddressFilter } from '../../../src/domain/addressFilter.ts';

const book = {
  isKeyed: true,
  hash: (form: string) => `h(${form})`,
  hashes: (form: string) => [`h(${form})`, `~(${form})`],
};

describe('the normal form of an address', () => {
  test.each([
    ['+49 151 123-45', '+4915112345'],
    ['0049 151 12345', '+4915112345'],
    // as WhatsApp names people
    ['4915112345', '+4915112345'],
    ['whatsapp:+4915112345', '+4915112345'],
    ['tel:+49(151)123.45', '+4915112345'],
    ['Ada@Example.COM ', 'ada@example.com'],
    ['Ada L <Ada@Example.com>', 'ada@example.com'],
    ['mailto:ada@example.com', 'ada@example.com'],
    ['ada@bücher.example', 'ada@xn--bcher-kva.example'],
    ['ada@@nowhere', 'ada@@nowhere'],
    [' https://a.test/X ', 'https://a.test/X'],
    ['112', '112'],
    ['', ''],
  ])('%j is %j', (text, form) => {
    expect(normalAddress(text)).toBe(form);
  });

  test.each([
    ['+55 11 8765-4321', '+55 11 98765-4321', '+5511987654321'],
    ['+52 1 55 1234 5678', '+52 55 1234 5678', '+525512345678'],
    ['+54 9 11 2345 6789', '+54 11 2345 6789', '+541123456789'],
  ])('%j and %j are one number', (a, b, form) => {
    expect([normalAddress(a), normalAddress(b)]).toEqual([form, form]);
    expect(plainAddress(a)).not.toBe(plainAddress(b));
  });

  test('a landline of Brazil has no ninth digit, and the other number keeps its own', () => {
    expect(normalAddress('+55 11 3333-4444')).toBe('+551133334444');
  });

  test('made twice it is the same', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const once = normalAddress(text);
        // a scheme before a scheme is nobody's address
        fc.pre(!/^(?:mailto|tel|sms|whatsapp):/i.test(once));
        expect(normalAddress(once)).toBe(once);
      }),
    );
  });
});

describe('keys', () => {
  const contact = { id: 'ada', email: 'Ada@example.com', phone: '+491' };
  const channels = new Map([
    ['mail', { address: 'email' }],
    ['news', { address: 'email' }],
    ['sms', { address: 'phone' }],
    ['push', { address: 'url' }],
  ]);

  test('a conversation keeps one address for each channel of its flow that the contact can be reached on', () => {
    const flow = { channels: ['mail', 'news', 'push', 'strange'] };
    const addresses = addressesOf(contact, flow, channels, book);
    expect(addresses).toEqual(['mail:h(ada@example.com)', 'news:h(ada@example.com)']);
    expect([addressOn(addresses, 'news'), addressOn(addresses, 'new'), addressOn(undefined, 'news')]).toEqual([
      'news:h(ada@example.com)',
      undefined,
      undefined,
    ]);
  });

  test('topics and channels of any name lead to the address they are about, and to no other', () => {
    const name = fc.string({ minLength: 1 });
    fc.assert(
      fc.property(name, name, (channel, topic) => {
        const id = suppressionId(channel, topic, 'abc_-');
        expect(suppressedAddress(id)).toBe(addressKey(channel, 'abc_-'));
        expect(suppressionsOf(addressKey(channel, 'abc_-'), topic)).toEqual([suppressionId(channel, '*', 'abc_-'), id]);
      }),
    );
    expect(suppressedAddress('nonsense')).toBe('nonsense');
  });
});

describe('the filter of addresses', () => {
  test('never misses one that was added, and takes few others for it', () => {
    const filter = createAddressFilter();
    const name = (n: number): string => `sms:${(n * 2654435761) % 4294967296}x${n}`;
    expect([filter.size, filter.mayHave(name(1))]).toEqual([0, false]);
    const count = 50_000;
    for (let n = 0; n < count; n++) filter.add(name(n));
    let missed = 0;
    let mistaken = 0;
    for (let n = 0; n < count; n++) {
      if (!filter.mayHave(name(n))) missed += 1;
      if (filter.mayHave(name(count + n))) mistaken += 1;
    }
    expect([filter.size, missed]).toEqual([count, 0]);
    expect(mistaken).toBeLessThan(count * 0.01);
  });
});
