import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { campaignKey } from '../../../src/domain/ids.ts';
import type { Contact } from '../../../src/domain/model.ts';
import { type AdmissionRules, admit } from '../../../streams/admission.ts';

const people = (...list: Contact[]): Map<string, Contact> =>
  new Map(list.map((contact) => [`c:${contact.id}`, contact]));
const rules = (more: Partial<AdmissionRules> = {}): AdmissionRules => ({
  key: campaignKey,
  existing: async () => new Set<string>(),
  ...more,
});
const addresses = (...known: string[]): NonNullable<AdmissionRules['addresses']> => ({
  field: 'email',
  keyOf: (address) => `k|${address}`,
  taken: async (keys) => new Set(keys.filter((key) => known.includes(key))),
});

test('given no rules, then everybody enters, and nothing is asked for nobody', async () => {
  const all = people({ id: 'a' }, { id: 'b' });
  expect(await admit(all, rules())).toEqual({ entering: all, skipped: {}, addresses: [] });
  const never = (): never => {
    throw new Error('asked');
  };
  const strict = rules({ existing: never, excluded: never, addresses: { field: 'email', keyOf: never, taken: never } });
  expect((await admit(new Map(), strict)).entering.size).toBe(0);
});

test('given several reasons, then the first counts: in it already, left out, the address', async () => {
  const all = people(
    { id: 'in', email: 'a@x' },
    { id: 'out', email: 'a@x' },
    { id: 'one', email: 'a@x' },
    { id: 'two', email: 'a@x' },
    { id: 'three', email: 'b@x' },
    { id: 'bare' },
    { id: 'bare2' },
  );
  const found = await admit(
    all,
    rules({
      existing: async () => new Set(['c:in']),
      excluded: async (ids) => {
        expect(ids).not.toContain('in');
        return new Set(['in', 'out']);
      },
      addresses: addresses('k|b@x'),
    }),
  );
  expect([...found.entering.keys()]).toEqual(['c:one', 'c:bare', 'c:bare2']);
  expect(found.skipped).toEqual({ duplicate_contact: 1, excluded: 1, duplicate_address: 2 });
  expect(found.addresses).toEqual(['k|a@x']);
});

test('given any slices of any list, then each address enters once, and everybody enters or is counted', async () => {
  const contact = fc.record({
    id: fc.nat(40),
    email: fc.option(fc.constantFrom('a', 'b', 'c', 'd'), { nil: undefined }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(contact, { maxLength: 8 }), { maxLength: 8 }), async (slices) => {
      const taken = new Set<string>();
      const entered = new Map<string, Contact>();
      let counted = 0;
      let asked = 0;
      for (const slice of slices) {
        const all = people(...(slice as Contact[]));
        asked += all.size;
        const found = await admit(
          all,
          rules({
            existing: async (ids) => new Set(ids.filter((id) => entered.has(id))),
            addresses: { ...addresses(), taken: async (keys) => new Set(keys.filter((key) => taken.has(key))) },
          }),
        );
        for (const key of found.addresses) {
          expect(taken.has(key)).toBe(false);
          taken.add(key);
        }
        for (const [id, one] of found.entering) entered.set(id, one);
        counted += found.entering.size + Object.values(found.skipped).reduce((sum, by) => sum + by, 0);
      }
      expect(counted).toBe(asked);
      const used = [...entered.values()].flatMap(({ email }) => email ?? []);
      expect(new Set(used).size).toBe(used.length);
    }),
  );
});
