import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ObjectId } from 'mongodb';
import {
  behindKeys,
  type Found,
  inboxEventOf,
  lookUpKeys,
  type ReadInbound,
  type RoutingContext,
  readInbound,
  route,
} from '../../../src/domain/inbound.ts';
import type { ConversationHead, RowHead } from '../../../src/domain/inboundPorts.ts';
import { seconds, t0 } from './given.ts';

const book = { isKeyed: true, hash: (form: string) => `h${form}`, hashes: (form: string) => [`h${form}`, `~${form}`] };
const context: RoutingContext = {
  book,
  now: t0,
  topicOf: (id) => `topic of ${String(id)}`,
  fieldOf: (name) => (name === 'mail' ? 'email' : name === 'sms' ? 'phone' : undefined),
};
const read = (raw: object): ReadInbound => {
  const { event, fault } = readInbound({ _id: 'e1', type: 'reply', ...raw });
  if (event === undefined) throw new Error(`${fault.path}: ${fault.message}`);
  return event;
};
const head = (_id: string, more: Partial<ConversationHead> = {}): ConversationHead => ({
  ...{ _id, campaignId: 'spring', contact: { id: _id, phone: '+491' }, status: 'active', sequence: 1 },
  ...{ createdAt: new Date(t0), updatedAt: new Date(t0), addresses: ['sms:h+491'], ...more },
});
const row: RowHead = {
  ...{ _id: 'spring:anna/1', conversationId: 'spring:anna', campaignId: 'spring', channel: 'sms', to: '+492' },
};
const routed = (raw: object, found: Partial<Found> = {}) => route(read(raw), { byAddress: [], ...found }, context);
const stop = { channel: 'sms', address: '+49 1', text: 'STOP' };

describe('reading an event', () => {
  test.each([
    [{ type: undefined }, 'type', 'required'],
    [{ type: 5 }, 'type', 'type'],
    [{ type: '' }, 'type', expect.any(String)],
    [{}, 'address', 'required'],
    [{ address: null, channel: 'sms' }, 'address', 'required'],
    [{ address: '+491' }, 'channel', 'required'],
    [{ address: 491, channel: 'sms' }, 'address', 'type'],
    [{ conversationId: {} }, 'conversationId', 'type'],
    [{ conversationId: 'c', at: 'yesterday' }, 'at', expect.any(String)],
    [{ conversationId: 'c', at: new Date(Number.NaN) }, 'at', 'date_invalid'],
    [{ conversationId: 'c', data: 'x' }, 'data', 'type'],
    [{ conversationId: 'c', machine: 'yes' }, 'machine', 'type'],
  ])('%j is refused at %s', (raw, path, code) => {
    expect(readInbound({ _id: 'e1', type: 'reply', ...raw } as never).fault).toMatchObject({ path, code });
  });

  test('fields of the writer, and nulls, are no fault', () => {
    expect(read({ conversationId: 'c', text: null, at: null, mine: { a: 1 } })).toMatchObject({ key: 'e1' });
  });

  test('ids of each type give the key that pushes have', () => {
    const id = new ObjectId();
    const key = (_id: never) => read({ _id, conversationId: 'c' }).key;
    expect([key('a' as never), key(7 as never), key(id as never)]).toEqual(['a', '#7', id.toHexString()]);
  });

  test('whatever is stored is read or refused with its path, and never thrown at', () => {
    const anything = fc.anything({ withDate: true, withNullPrototype: true });
    const raw = fc.dictionary(
      fc.constantFrom('type', 'channel', 'address', 'conversationId', 'data', 'at', 'text', 'x'),
      anything,
    );
    fc.assert(
      fc.property(raw, (fields) => {
        const { event, fault } = readInbound({ ...fields, _id: 'e1' });
        expect(event === undefined ? typeof fault?.path : typeof event.key).toBe('string');
      }),
    );
  });
});

describe('whose an event is', () => {
  test('conversations of an address are looked up in every hash there may be', () => {
    expect(lookUpKeys(read({ channel: 'sms', address: '0049 1234' }), book)).toEqual(['sms:h+491234', 'sms:~+491234']);
    expect(lookUpKeys(read({ conversationId: 'c' }), book)).toEqual([]);
  });

  test('a reply is for the newest that was written to; opt-outs, bounces and complaints are for all, newest first', () => {
    const byAddress = [
      head('old', { updatedAt: new Date(seconds(1)) }),
      head('silent', { updatedAt: new Date(seconds(9)), sequence: 0 }),
      head('newest', { updatedAt: new Date(seconds(5)) }),
      head('b', { updatedAt: new Date(seconds(1)) }),
      head('strange', { updatedAt: undefined as never, createdAt: undefined as never }),
    ];
    const all = ['newest', 'b', 'old', 'strange', 'silent'];
    const of = (more: object) => routed({ channel: 'sms', address: '+491', ...more }, { byAddress }).conversations;
    expect([of({ text: 'Yes' }), of({ type: 'mine' }), of({ type: 'opened' })]).toEqual([
      ['newest'],
      ['newest'],
      ['newest'],
    ]);
    expect([
      of({ text: 'stop' }),
      of({ type: 'unsubscribe' }),
      of({ type: 'bounce' }),
      of({ type: 'complaint' }),
    ]).toEqual([...[all, all, all, all]]);
  });

  test('two ways to write a number that are two contacts are nobody, and the opt-out is kept all the same', () => {
    const [a, b] = [
      { id: 'a', phone: '+551187654321' },
      { id: 'b', phone: '+5511987654321' },
    ];
    const both = { byAddress: [head('x', { contact: a }), head('y', { contact: b })] };
    const event = { channel: 'sms', address: '+55 11 8765 4321', text: 'Yes' };
    expect(routed(event, both).conversations).toEqual([]);
    expect(routed(event, { byAddress: both.byAddress.slice(0, 1) }).conversations).toEqual(['x']);
    expect(routed({ ...event, text: 'stop' }, both)).toMatchObject({
      conversations: [],
      suppressions: [{ suppression: { _id: 'sms:*:h+5511987654321' } }],
    });
    const one = [head('x', { contact: a }), head('y', { contact: { ...b, id: 'a' } })];
    expect(routed(event, { byAddress: one }).conversations).toEqual(['x']);
    const elsewhere = [head('x', { contact: { id: 'a' } }), head('y', { contact: { id: 'b', url: 'x' } })];
    expect(routed(event, { byAddress: elsewhere }).conversations).toEqual(['x']);
  });

  test('an opt-out that names a message or a conversation is for all open ones of the address behind it', () => {
    const byAddress = [head('old'), head('spring:anna', { updatedAt: new Date(seconds(5)) }), head('new')];
    const ids = ['spring:anna', 'new', 'old'];
    const of = (more: object, found: Partial<Found>) => routed(more, { byAddress, ...found }).conversations;
    const byMessage = { providerMessageId: 'p' };
    for (const event of [{ type: 'bounce' }, { type: 'complaint' }, { type: 'unsubscribe' }, { text: 'STOP' }])
      expect(of({ ...byMessage, ...event }, { row })).toEqual(ids);
    const byId = head('c');
    expect(of({ conversationId: 'c', type: 'unsubscribe' }, { byId })).toEqual(['c', ...ids]);
    for (const event of [{ type: 'bounce', data: { soft: true } }, { type: 'delivered' }, { text: 'yes' }])
      expect(of({ ...byMessage, ...event }, { row })).toEqual(['spring:anna']);
    expect(of({ conversationId: 'gone', type: 'unsubscribe' }, { byAddress: [] })).toEqual([]);
  });

  test('of two contacts that share a number, written in two ways, only the one that is named hears of it', () => {
    const [a, b] = [
      { id: 'a', phone: '+551187654321' },
      { id: 'b', phone: '+5511987654321' },
    ];
    const byAddress = [head('x', { contact: a }), head('y', { contact: b })];
    const found = { byAddress, row: { ...row, conversationId: 'x', to: '+551187654321' } };
    expect(routed({ type: 'complaint', providerMessageId: 'p' }, found).conversations).toEqual(['x']);
  });

  test('the address behind what an opt-out names is looked up in every hash; of anything else it is not', () => {
    const of = (raw: object, found: Partial<Found>) => behindKeys(read(raw), { byAddress: [], ...found }, context);
    const byMessage = { providerMessageId: 'p' };
    expect(of({ type: 'bounce', ...byMessage }, { row })).toEqual(['sms:h+492', 'sms:~+492']);
    expect(of({ type: 'unsubscribe', conversationId: 'c' }, { byId: head('c') })).toEqual(['sms:h+491']);
    expect(of({ type: 'delivered', ...byMessage }, { row })).toEqual([]);
    expect(of({ type: 'bounce', ...byMessage }, {})).toEqual([]);
  });

  test('by conversation, in whatever state it is', () => {
    expect(routed({ conversationId: 'c' }, { byId: head('c', { status: 'completed' }) }).conversations).toEqual(['c']);
    expect(routed({ conversationId: 'c' })).toMatchObject({ conversations: [], isEarly: false });
  });

  test("by the provider's id of a message; what is not known yet is early, unless its conversation is", () => {
    const event = { type: 'delivered', providerMessageId: 'p' };
    expect(routed(event, { row })).toMatchObject({ conversations: ['spring:anna'], isEarly: false });
    expect(routed(event)).toMatchObject({ conversations: [], isEarly: true });
    expect(routed({ ...event, conversationId: 'c' })).toMatchObject({ isEarly: true });
    expect(routed({ ...event, conversationId: 'c' }, { byId: head('c') })).toMatchObject({
      conversations: ['c'],
      isEarly: false,
    });
    const address = { channel: 'sms', address: '+491' };
    expect(routed({ ...event, ...address }, { byAddress: [head('x')] })).toMatchObject({
      conversations: ['x'],
      isEarly: true,
    });
  });
});

describe('what an event says of its address', () => {
  const written = (raw: object, found: Partial<Found> = {}) =>
    routed(raw, found).suppressions.map((change) =>
      change.kind === 'add'
        ? [change.suppression._id, change.suppression.reason, change.suppression.campaignId]
        : change,
    );

  test('it is suppressed, conversation or not', () => {
    expect(written(stop)).toEqual([['sms:*:h+491', 'opt_out', undefined]]);
    expect(written({ ...stop, text: 'Bye', type: 'unsubscribe' })).toEqual([['sms:*:h+491', 'unsubscribe', undefined]]);
    expect(written({ channel: 'mail', address: 'Ada@x.de', type: 'complaint' })).toEqual([
      ['mail:*:hada@x.de', 'complaint', undefined],
    ]);
  });

  test('a word is read as it is meant where it was written', () => {
    expect(written({ channel: 'other', address: 'ada@x.de', text: 'end' })).toEqual([]);
    expect(written({ channel: 'other', address: '+491', text: 'end' })).toHaveLength(1);
    const byId = head('c', { addresses: ['mail:h1'] });
    expect(written({ conversationId: 'c', channel: 'mail', text: 'end' }, { byId })).toEqual([]);
    expect(written({ conversationId: 'c', channel: 'mail', text: 'stop' }, { byId })).toEqual([
      ['mail:*:h1', 'opt_out', 'spring'],
    ]);
  });

  test('it is as of when it was said, and of no time to come', () => {
    const when = (more: object) =>
      routed({ ...stop, ...more }).suppressions.map(
        (change) => change.kind === 'add' && change.suppression.at.getTime(),
      );
    expect(when({ at: new Date(t0 - 9) })).toEqual([t0 - 9]);
    expect(when({ at: new Date(t0 + 9_000_000) })).toEqual([t0]);
    expect(when({})).toEqual([t0]);
  });

  test('an event that was aimed goes there, whatever is found now', () => {
    expect(routed({ ...stop, conversations: ['x'] })).toMatchObject({ conversations: ['x'], isEarly: false });
  });

  test('a message tells its address and campaign', () => {
    const found = { row };
    expect(written({ type: 'bounce', providerMessageId: 'p' }, found)).toEqual([['sms:*:h+492', 'bounce', 'spring']]);
    expect(written({ type: 'unsubscribe', providerMessageId: 'p' }, found)).toEqual([
      ['sms:topic%20of%20spring:h+492', 'unsubscribe', 'spring'],
    ]);
  });

  test('a conversation of one address tells it too; of several only with the channel, else its flow has to', () => {
    const event = { type: 'complaint', conversationId: 'c' };
    expect(written(event, { byId: head('c') })).toEqual([['sms:*:h+491', 'complaint', 'spring']]);
    const byId = head('c', { addresses: ['sms:h1', 'push%3Ax:h2'] });
    expect(written(event, { byId })).toEqual([]);
    expect(written({ ...event, channel: 'push:x' }, { byId })).toEqual([['push%3Ax:*:h2', 'complaint', 'spring']]);
    expect(written({ ...event, channel: 'fax' }, { byId })).toEqual([]);
    const { addresses: _, ...none } = head('c');
    expect(written(event, { byId: none })).toEqual([]);
    expect(written(event)).toEqual([]);
  });

  test('START takes it back in every hash, as of its own time; robots and other words say nothing', () => {
    const at = new Date(seconds(3));
    expect(written({ ...stop, text: 'start', at })).toEqual([
      { kind: 'lift', id: 'sms:*:h+491', at },
      { kind: 'lift', id: 'sms:*:~+491', at },
    ]);
    expect(written({ ...stop, text: 'start' })).toEqual([]);
    expect(routed({ ...stop, text: 'start' }).fault).toMatchObject({ code: 'required', path: 'at' });
    const _id = ObjectId.createFromTime(Math.floor(t0 / 1000) + 5);
    expect(written({ ...stop, text: 'start', _id })).toMatchObject([{ at: new Date(seconds(5)) }, {}]);
    for (const more of [{ auto: true }, { machine: true }, { type: 'clicked' }, { text: 'yes' }])
      expect(written({ ...stop, ...more })).toEqual([]);
  });
});

describe('what is pushed', () => {
  test('all that the event says, with the message it names', () => {
    const event = read({
      providerMessageId: 'p',
      type: 'delivered',
      data: { a: 1 },
      text: 't',
      auto: true,
      machine: false,
      mine: 1,
    });
    expect(inboxEventOf(event, row)).toEqual({
      ...{ id: 'e1', type: 'delivered', channel: 'sms', text: 't', auto: true, machine: false },
      data: { a: 1, providerMessageId: 'p', messageId: 'spring:anna/1' },
    });
  });

  test('what somebody left, whichever campaign hears of it', () => {
    const event = read({ providerMessageId: 'p', type: 'unsubscribe' });
    expect(routed({ providerMessageId: 'p', type: 'unsubscribe' }, { row }).topic).toBe('topic of spring');
    expect(inboxEventOf(event, row, 'news').data).toMatchObject({ topic: 'news' });
    const said = read({ conversationId: 'c', type: 'unsubscribe', data: { topic: 'tips' } });
    expect(inboxEventOf(said, undefined, 'tips').data).toEqual({ topic: 'tips' });
    expect(inboxEventOf(read({ conversationId: 'c', text: 'STOP' }), undefined, '*').data).toBeUndefined();
  });

  test('nothing that it does not say', () => {
    expect(inboxEventOf(read({ conversationId: 'c', at: new Date(5) }), undefined)).toEqual({
      ...{ id: 'e1', type: 'reply', at: new Date(5) },
    });
    expect(inboxEventOf(read({ ...stop }), row)).toMatchObject({
      channel: 'sms',
      data: { messageId: 'spring:anna/1' },
    });
  });
});
