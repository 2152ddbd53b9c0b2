/** The inbound pipeline over the in-memory store, when things go wrong in the middle of it. */
import { describe, expect, test } from '@jest/globals';
import { merge } from 'rxjs';
import type { CompiledFlow } from '../../../src/domain/flow.ts';
import type { Conversation, Id, InboundEvent, Message } from '../../../src/domain/model.ts';
import { addressBook } from '../../../src/worker/addressBook.ts';
import { Inbound } from '../../../streams/inbound.ts';
import { clockScheduler } from '../../../streams/operators/clockScheduler.ts';
import { OptOuts } from '../../../streams/optOuts.ts';
import { conversation, row } from '../../contract/harness.ts';
import { manualClock } from '../../support/clock.ts';
import { recordingInstruments, recordingLogger } from '../../support/fakes.ts';
import { MemoryDatabase } from '../../support/memory/database.ts';
import { MemoryInbound } from '../../support/memory/inbound.ts';
import { MemoryLedger } from '../../support/memory/ledger.ts';
import { MemoryReceipts } from '../../support/memory/receipts.ts';
import { MemorySuppressions } from '../../support/memory/suppressions.ts';
import { contextOf, t0 } from '../domain/given.ts';

const book = addressBook('a key of at least sixteen bytes');
const at = (phone: string): string[] => [`sms:${book.hash(phone)}`];
class Away extends Error {}

function world({ owns = true } = {}) {
  const clock = manualClock(t0);
  const database = new MemoryDatabase({ clock });
  const store = new MemoryInbound({ database, memberId: 'm1' });
  database.members.insert({
    ...{ _id: 'm1', host: 'test', thread: 0, beat: 0, filterVersion: 1, channels: [], version: '0' },
    startedAt: new Date(t0),
  });
  const ledger = new MemoryLedger({ database, memberId: 'm1', clock });
  const flows = new Map<string, { flows: CompiledFlow[]; migration: number }>();
  const [logger, instruments] = [recordingLogger(), recordingInstruments()];
  const controller = new AbortController();
  const common = {
    ...{ store, book, clock, random: () => 0.5, logger, signal: controller.signal },
    topicsOf: async () => () => 'default',
    fieldOf: (channel: string) => (channel === 'sms' ? 'phone' : undefined),
    isNoFaultOfDocuments: (error: unknown) => error instanceof Away,
  };
  const suppressions = new MemorySuppressions({ database, memberId: 'm1' });
  const optOuts = new OptOuts({ ...common, suppressions, wrote: () => {} });
  const inbound = new Inbound({
    ...{ ...common, optOuts, partitions: 4, owns: () => owns, instruments, scheduler: clockScheduler(clock) },
    ...{ receipts: new MemoryReceipts({ database, ledger }), flowsOf: (id: Id) => flows.get(String(id)) },
  });
  const subscription = merge(inbound.stream$, optOuts.stream$).subscribe();
  subscription.add(() => controller.abort());
  const add = (id: string, more: Partial<Conversation> = {}): void =>
    database.conversations.insert({ ...conversation('spring', id), sequence: 1, addresses: at('+491'), ...more });
  const event = (_id: string, more: Partial<InboundEvent> = {}): void =>
    database.inbound.insert({ _id, type: 'reply', channel: 'sms', address: '+491', ...more } as InboundEvent);
  const inboxes = () =>
    Object.fromEntries(database.conversations.find().map(({ _id, inbox }) => [_id, inbox.map(({ id }) => id)]));
  const handle = async (...ids: string[]): Promise<void> => {
    let isDone = false;
    void inbound.offer(ids).then(() => {
      isDone = true;
    });
    for (let n = 0; n < 100 && !isDone; n++) await clock.advanceAsync(100);
    expect(isDone).toBe(true);
  };
  return { clock, database, inbound, optOuts, flows, logger, instruments, subscription, add, event, inboxes, handle };
}

describe('an event goes where it went first', () => {
  test.each(['aim', 'push', 'mark'])(
    'though the answer of %s was lost and another conversation is the newer one by then',
    async (operation) => {
      const { database, add, event, inboxes, handle, subscription } = world();
      add('a', { updatedAt: new Date(t0 + 2) });
      add('b', { updatedAt: new Date(t0 + 1) });
      event('e');
      let lost = 0;
      database.hooks.after = (name) => {
        if (name !== operation || lost > 0) return;
        lost += 1;
        database.conversations.update('spring:b', { updatedAt: new Date(t0 + 9) });
        throw new Away('the answer was lost');
      };
      await handle('e');
      expect([lost, inboxes()]).toEqual([1, { 'spring:a': ['e'], 'spring:b': [] }]);
      expect(database.inbound.get('e')).toMatchObject({ conversations: ['spring:a'], handledAt: expect.any(Date) });
      subscription.unsubscribe();
    },
  );

  test('though its former owner noted another one at the same moment', async () => {
    const { database, add, event, inboxes, handle, subscription } = world();
    add('a', { updatedAt: new Date(t0 + 2) });
    add('b', { updatedAt: new Date(t0 + 1) });
    event('e');
    database.hooks.before = (name) => {
      if (name === 'aim') database.inbound.update('e', { conversations: ['spring:b'] });
    };
    await handle('e');
    expect(inboxes()).toEqual({ 'spring:a': [], 'spring:b': ['e'] });
    subscription.unsubscribe();
  });
});

describe('what cannot be handled for a reason of its own', () => {
  test('a conversation that others replaced holds up nobody: its event says why, the others come', async () => {
    const { database, add, event, inboxes, handle, logger, instruments, subscription } = world();
    add('a', { contact: undefined as never, addresses: at('+492') });
    add('b', { addresses: at('+492') });
    add('c');
    event('bad', { address: '+492' });
    event('good');
    await handle('bad', 'good');
    expect(inboxes()['spring:c']).toEqual(['good']);
    expect(database.inbound.get('bad')).toMatchObject({ status: 'failed', error: { code: 'internal' } });
    expect(instruments.events('inbound_failed')).toBe(1);
    expect(logger.of('warn')).toHaveLength(1);
    subscription.unsubscribe();
  });

  test('an event that cannot even be marked is left alone, and is nobody forgot', async () => {
    const { database, inbound, event, add, handle, logger, subscription } = world();
    add('a');
    event('large');
    database.hooks.before = (name) => {
      if (name === 'mark') throw new Error('larger than a document can be');
    };
    await handle('large');
    expect(logger.of('error')).toMatchObject([{ fields: { inboundEvent: 'large' } }]);
    expect(await inbound.forgotten()).toEqual(new Map());
    subscription.unsubscribe();
  });

  test('one that could not be marked for the database alone is found again', async () => {
    const { database, inbound, event, add, handle, subscription } = world();
    add('a');
    event('e');
    let marks = 0;
    database.hooks.before = (name) => {
      if (name !== 'mark') return;
      marks += 1;
      throw marks === 1 ? new Error('refused') : new Away('away');
    };
    await handle('e');
    expect([...(await inbound.forgotten()).values()]).toEqual(['e']);
    database.hooks = {};
    await handle('e');
    expect(database.inbound.get('e')?.handledAt).toBeDefined();
    subscription.unsubscribe();
  });
});

test('START without a time takes nothing back, and says so', async () => {
  const { database, add, event, inboxes, handle, subscription } = world();
  add('a');
  event('stop', { text: 'STOP' });
  event('start', { text: 'START' });
  await handle('stop');
  await handle('start');
  expect(database.suppressions.find()).toHaveLength(1);
  expect(database.inbound.get('start')).toMatchObject({ error: { code: 'required', path: 'at' } });
  expect(inboxes()).toEqual({ 'spring:a': ['stop', 'start'] });
  event('later', { text: 'START', at: new Date(t0 + 3_600_000) });
  await handle('later');
  expect(database.suppressions.find()).toEqual([]);
  subscription.unsubscribe();
});

describe('receipts', () => {
  const ask = { id: 'ask', type: 'message', channel: 'sms', content: { text: 'Coming?' }, waitForReply: 'P1D' };
  function sent(stages: unknown[] = [ask], over: Partial<Message> = {}) {
    const of = world();
    of.flows.set('spring', { flows: [contextOf(stages).flow], migration: 0 });
    of.add('a');
    const { pending: _, ...answered } = row(conversation('spring', 'a'), 1, {
      ...{ channel: 'sms', status: 'sent', providerMessageId: 'p', ...over },
    });
    of.database.messages.insert(over.pending === undefined ? answered : { ...answered, pending: over.pending });
    return of;
  }
  const about = { address: undefined, channel: undefined, providerMessageId: 'p' } as unknown as Partial<InboundEvent>;

  test('that nobody listens to cost two writes each, and nothing of the conversation', async () => {
    const { database, event, inboxes, handle, subscription, instruments } = sent();
    const types = ['delivered', 'opened', 'clicked'];
    for (const type of types) event(type, { type, ...about });
    const writes: string[] = [];
    const stop = database.watch(({ collection }) => writes.push(collection));
    await handle(...types);
    stop();
    const of = (name: string) => writes.filter((collection) => collection === name).length;
    expect([of('messages'), of('inbound_events'), of('conversation_states')]).toEqual([3, 3, 0]);
    expect(instruments.of('messages')).toEqual([['sms', 'delivered', 1]]);
    expect(inboxes()).toEqual({ 'spring:a': [] });
    const stamped = { status: 'delivered', deliveredAt: expect.any(Date), clickedAt: expect.any(Date) };
    expect(database.messages.get('spring:a/1')).toMatchObject(stamped);
    expect(database.inbound.get('clicked')).toMatchObject({ conversations: ['spring:a'] });
    subscription.unsubscribe();
  });

  test.each([
    ['its stage listens', [{ ...ask, on: { delivered: 'ask' } }], {}, 'delivered'],
    ['a stage waits for it', [ask, { id: 'w', type: 'wait', event: 'delivered' }], {}, 'delivered'],
    ['its message is on its way', [ask], { status: 'sending', pending: true }, 'delivered'],
    ['it says that it failed', [ask], {}, 'failed'],
    ['it is a bounce', [ask], {}, 'bounce'],
  ] as const)('go by the conversation where %s', async (_what, stages, over, type) => {
    const { database, event, inboxes, handle, subscription } = sent([...stages], over);
    event('e', { type, ...about });
    await handle('e');
    expect(inboxes()).toEqual({ 'spring:a': ['e'] });
    expect(database.messages.get('spring:a/1')).not.toHaveProperty('deliveredAt');
    subscription.unsubscribe();
  });

  test('go by the conversation where the run is not known here, or they were noted for its inbox', async () => {
    const { flows, event, inboxes, handle, subscription } = sent();
    event('noted', { type: 'delivered', ...about, conversations: ['spring:a'] });
    await handle('noted');
    flows.clear();
    event('strange', { type: 'delivered', ...about });
    await handle('strange');
    expect(inboxes()).toEqual({ 'spring:a': ['noted', 'strange'] });
    subscription.unsubscribe();
  });

  test('of messages that nobody knows yet: one timer, ever rarer looks, and an end after a minute', async () => {
    const { clock, database, event, inbound, subscription } = sent();
    const ids = Array.from({ length: 50 }, (_, n) => `e${n}`);
    for (const id of ids) event(id, { type: 'delivered', ...about, providerMessageId: `unknown ${id}` });
    let looks = 0;
    database.hooks.before = (operation) => {
      if (operation === 'rowsOf') looks += 1;
    };
    const before = clock.pending;
    void inbound.offer(ids);
    await clock.advanceAsync(100);
    expect(clock.pending - before).toBe(1);
    await clock.advanceAsync(64_000);
    expect(looks).toBeLessThanOrEqual(20);
    expect(database.inbound.find(({ unmatched }) => unmatched === true)).toHaveLength(50);
    expect(clock.pending).toBeLessThanOrEqual(before);
    subscription.unsubscribe();
  });

  test('of a message that becomes known meanwhile are stamped a second later', async () => {
    const { clock, database, event, inbound, subscription } = sent([ask], { providerMessageId: 'other' });
    event('e', { type: 'delivered', ...about });
    void inbound.offer(['e']);
    await clock.advanceAsync(100);
    database.messages.update('spring:a/1', { providerMessageId: 'p' });
    await clock.advanceAsync(1_000);
    expect(database.messages.get('spring:a/1')?.status).toBe('delivered');
    subscription.unsubscribe();
  });
});

test('an opt-out by the id of a message ends the other conversations of its address, too', async () => {
  const { database, add, event, inboxes, handle, subscription } = world();
  add('a', { addresses: at('+497') });
  add('b', { addresses: at('+497') });
  add('c');
  database.messages.insert(row(conversation('spring', 'a'), 1, { channel: 'sms', to: '+497', providerMessageId: 'p' }));
  event('e', { type: 'complaint', address: undefined, providerMessageId: 'p' } as never);
  event('u', { type: 'unsubscribe', address: undefined, conversationId: 'spring:b' } as never);
  await handle('e', 'u');
  expect(inboxes()).toEqual({ 'spring:a': ['e', 'u'], 'spring:b': ['e', 'u'], 'spring:c': [] });
  expect(database.inbound.get('e')).toMatchObject({ conversations: ['spring:a', 'spring:b'] });
  subscription.unsubscribe();
});

test('any number of events is handled, also when not all of them can be read at once', async () => {
  const { database, event, handle, subscription } = world();
  const ids = Array.from({ length: 450 }, (_, n) => `e${n}`);
  for (const id of ids) event(id, { text: 'yes', address: `+1${id.slice(1)}` });
  await handle(...ids);
  expect(database.inbound.find(({ handledAt }) => handledAt === undefined)).toEqual([]);
  subscription.unsubscribe();
});
