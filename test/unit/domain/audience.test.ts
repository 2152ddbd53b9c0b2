import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ObjectId } from 'mongodb';
import {
  addressKey,
  addressRange,
  audienceFaults,
  firstChannel,
  idsAt,
  pinnedAudience,
} from '../../../src/domain/audience.ts';
import type { Audience, Flow } from '../../../src/domain/model.ts';
import { channels, facts } from './given.ts';

const message = { id: 'intro', type: 'message', channel: 'sms', content: { text: 'Hi' } };
const flow = { stages: [{ id: 'w', type: 'wait', for: 'P1D' }, message, { ...message, id: 'b', channel: 'email' }] };
const context = { channels, reservedCollections: ['campaigns', 'suppressions'] };
const faults = (audience: unknown, ofFlow: unknown = flow, more: object = {}) =>
  audienceFaults(audience, ofFlow, { ...context, ...more });

describe('what can be wrong with an audience', () => {
  test.each<[string, unknown]>([
    ['inline contacts', { contacts: [] }],
    ['a collection', { collection: 'people', exclude: { collection: 'customers' }, dedupeBy: 'address' }],
    ['what has no shape', { collection: 7, exclude: 'x', dedupeBy: 8 }],
    ['none at all', undefined],
  ])('%s: nothing', (_, audience) => {
    expect(faults(audience)).toEqual([]);
  });

  test.each(['campaigns', 'system.users', 'a$b', '.a', 'a..b', 'a\0'])(
    'the collection "%s" is refused',
    (collection) => {
      expect(faults({ collection })).toMatchObject([{ code: 'not_allowed', path: 'audience.collection' }]);
      expect(faults({ contacts: [], exclude: { collection } })).toMatchObject([
        { code: 'not_allowed', path: 'audience.exclude.collection' },
      ]);
    },
  );

  test('addresses cannot be compared where the flow has none', () => {
    const path = 'audience.dedupeBy';
    const audience = { contacts: [], dedupeBy: 'address' };
    expect(faults(audience, { stages: [{ id: 'e', type: 'end', outcome: 'ok' }] })).toMatchObject([{ path }]);
    const deaf = new Map([['sms', facts('sms', '')]]);
    expect(faults(audience, flow, { channels: deaf })).toMatchObject([
      { path, message: expect.stringMatching(/"sms"/) },
    ]);
    // told elsewhere: there is no flow, or no such channel
    expect(faults(audience, null)).toEqual([]);
    expect(faults(audience, flow, { channels: new Map() })).toEqual([]);
  });

  test('what the database says counts where nothing else is wrong', () => {
    const audienceFault = { code: 'not_allowed', path: 'audience.filter', message: 'unknown operator' };
    expect(faults({ collection: 'people' }, flow, { audienceFault })).toEqual([audienceFault]);
    expect(faults({ collection: 'campaigns' }, flow, { audienceFault })).toHaveLength(1);
  });
});

test.each<[unknown, string | undefined]>([
  [flow, 'sms'],
  [{ stages: 'x' }, undefined],
  [{ stages: [7, null, { type: 'wait' }] }, undefined],
  [{ stages: [{ type: 'message', channel: 7 }] }, undefined],
])('the first channel of %j is %s', (of, channel) => {
  expect(firstChannel(of as Flow)).toBe(channel);
});

describe('what a run pins', () => {
  const pin = (audience: object) =>
    pinnedAudience(audience as Audience, audience as Record<string, unknown>, flow as Flow, channels);

  test.each<[object, object]>([
    [{ contacts: [{ id: 1 }] }, { kind: 'inline' }],
    [{ collection: 'people' }, { kind: 'collection', collection: 'people', filter: {}, map: {} }],
    [
      { collection: 'people', mode: 'live' },
      { kind: 'collection', collection: 'people', filter: {}, map: {}, live: true },
    ],
    [
      { collection: 'people', filter: { a: 1 }, map: { id: '$n' }, dedupeBy: 'id' },
      { kind: 'collection', collection: 'people', filter: { a: 1 }, map: { id: '$n' } },
    ],
    [
      { contacts: [], dedupeBy: 'address', exclude: { collection: 'customers' } },
      { kind: 'inline', dedupeBy: 'phone', exclude: { collection: 'customers', filter: {}, idPath: '_id' } },
    ],
    [
      { contacts: [], exclude: { collection: 'orders', filter: { open: true }, map: { id: '$customer.id' } } },
      { kind: 'inline', exclude: { collection: 'orders', filter: { open: true }, idPath: 'customer.id' } },
    ],
  ])('%j', (audience, pinned) => {
    expect(pin(audience)).toEqual(pinned);
  });

  test('a channel that is gone since the checks leaves the addresses uncompared', () => {
    expect(pinnedAudience({ contacts: [], dedupeBy: 'address' }, {}, { stages: [] } as never, channels)).toEqual({
      kind: 'inline',
    });
  });
});

test.each<[unknown, string, unknown[]]>([
  [{ _id: 'a' }, '_id', ['a']],
  [{ a: { b: 7 } }, 'a.b', [7]],
  [{ a: [{ b: 1 }, { b: [2, 3] }, 4] }, 'a.b', [1, 2, 3]],
  [{ a: null }, 'a', [undefined]],
  [{}, 'a.b', []],
  ['x', 'a', []],
])('ids in %j at %s', (document, path, ids) => {
  expect(idsAt(document, path)).toEqual(ids);
});

test('the addresses of a campaign lie in its range, and in no other', () => {
  const id = fc.oneof(fc.string({ minLength: 1 }), fc.integer(), fc.constant(new ObjectId()));
  fc.assert(
    fc.property(id, id, fc.string(), (a, b, address) => {
      const key = addressKey(a, 'email', address, (text) => text);
      const within = ({ from, to }: { from: string; to: string }): boolean => key >= from && key < to;
      expect(within(addressRange(a))).toBe(true);
      expect(within(addressRange(b))).toBe(a === b);
    }),
  );
});
