/** Opt-outs go before everything that waits, whoever they belong to. */
import { describe, expect, test } from '@jest/globals';
import type { InboundEvent, Suppression } from '../../../src/domain/model.ts';
import { addressBook } from '../../../src/worker/addressBook.ts';
import { OptOuts } from '../../../streams/optOuts.ts';
import { conversation, row } from '../../contract/harness.ts';
import { manualClock } from '../../support/clock.ts';
import { recordingLogger } from '../../support/fakes.ts';
import { MemoryDatabase } from '../../support/memory/database.ts';
import { MemoryInbound } from '../../support/memory/inbound.ts';
import { MemorySuppressions } from '../../support/memory/suppressions.ts';
import { t0 } from '../domain/given.ts';

const book = addressBook('a key of at least sixteen bytes');
const boundMs = 2_000;
class Away extends Error {}

function member(memberId = 'm1', database = new MemoryDatabase({ clock: manualClock(t0) })) {
  const clock = database.clock as ReturnType<typeof manualClock>;
  const controller = new AbortController();
  const told: string[] = [];
  const logger = recordingLogger();
  const optOuts = new OptOuts({
    ...{
      store: new MemoryInbound({ database, memberId }),
      suppressions: new MemorySuppressions({ database, memberId }),
    },
    ...{ book, clock, random: () => 1, logger, signal: controller.signal },
    isNoFaultOfDocuments: (error) => error instanceof Away,
    topicsOf: async () => () => 'news',
    fieldOf: (channel) => (channel === 'mail' ? 'email' : 'phone'),
    wrote: (changes) => told.push(...changes.map((change) => (change.kind === 'add' ? change.suppression._id : ''))),
  });
  const subscription = optOuts.stream$.subscribe();
  const event = (_id: unknown, more: object = {}): void =>
    database.inbound.insert({
      _id,
      type: 'reply',
      channel: 'sms',
      address: '+491',
      text: 'STOP',
      ...more,
    } as InboundEvent);
  const stored = (): [string, Suppression['reason']][] =>
    database.suppressions.find().map(({ _id, reason }) => [_id, reason]);
  const end = (): void => {
    controller.abort();
    subscription.unsubscribe();
  };
  return { database, clock, optOuts, logger, told, event, stored, end };
}
const sms = (address: string, topic = '*'): string => `sms:${topic}:${book.hash(address)}`;

describe('an opt-out that nobody handles', () => {
  test.each([
    ['a word', {}, sms('+491'), 'opt_out'],
    ['a click on unsubscribe', { type: 'unsubscribe', data: { topic: 'tips' } }, sms('+491', 'tips'), 'unsubscribe'],
    [
      'a complaint about a message',
      { type: 'complaint', address: undefined, providerMessageId: 'p' },
      sms('+497'),
      'complaint',
    ],
    ['a hard bounce', { type: 'bounce' }, sms('+491'), 'bounce'],
    [
      'one that names a conversation',
      { type: 'unsubscribe', address: undefined, conversationId: 'spring:a' },
      sms('+492', 'news'),
      'unsubscribe',
    ],
  ])('%s is suppressed within two seconds, and stays unhandled for its owner', async (_, more, id, reason) => {
    const { database, clock, event, stored, told, end } = member();
    const a = conversation('spring', 'a', { addresses: [`sms:${book.hash('+492')}`] });
    database.conversations.insert(a);
    database.messages.insert(row(a, 1, { channel: 'sms', to: '+497', providerMessageId: 'p' }));
    // behind any number of events that are none
    for (let n = 0; n < 20; n++) event(`e${n}`, { text: 'yes', address: '+494' });
    event('z', more);
    await clock.advanceAsync(boundMs);
    expect([stored(), told]).toEqual([[[id, reason]], [id]]);
    expect(database.inbound.get('z')).toMatchObject({ type: expect.any(String) });
    expect(database.inbound.get('z')?.handledAt).toBeUndefined();
    end();
  });

  test('is left to its owner while that is at it: one that was just stored costs nobody a read', async () => {
    const { database, clock, event, stored, end } = member();
    const operations: string[] = [];
    await clock.advanceAsync(450);
    event('e');
    database.hooks.before = (operation) => void operations.push(operation);
    await clock.advanceAsync(100);
    database.inbound.update('e', { handledAt: new Date(clock.now()) });
    await clock.advanceAsync(boundMs);
    expect([stored(), new Set(operations)]).toEqual([[], new Set(['optOuts'])]);
    end();
  });

  test('what says nothing, or cannot be read, is read once and left alone', async () => {
    const { database, clock, event, stored, end } = member();
    event('yes', { text: 'yes' });
    event('soft', { type: 'bounce', data: { soft: true } });
    event('early', { type: 'complaint', address: undefined, providerMessageId: 'unknown' });
    event('bad', { at: 'yesterday' });
    event({ not: 'an id' });
    event('start', { text: 'START', at: new Date(t0) });
    let reads = 0;
    database.hooks.before = (operation) => {
      if (operation === 'inboundEvents') reads += 1;
    };
    await clock.advanceAsync(10_000);
    expect([stored(), reads]).toEqual([[], 1]);
    end();
  });

  test('one that makes the others fail is looked at alone, and they are heeded', async () => {
    const { database, clock, event, stored, logger, end } = member();
    database.hooks.before = (operation) => {
      if (operation === 'heads') throw new Error('not this one');
    };
    event('a', { type: 'unsubscribe', conversationId: 'spring:a' });
    event('b');
    const all = database.hooks.before;
    let calls = 0;
    // only a question for conversations by their ids fails
    database.hooks.before = (operation, id) => (operation === 'heads' && ++calls <= 2 ? all(operation, id) : undefined);
    await clock.advanceAsync(boundMs);
    expect(stored()).toContainEqual([sms('+491'), 'opt_out']);
    expect(logger.of('debug').length).toBeGreaterThan(0);
    end();
  });

  test('looks go on when the database comes back', async () => {
    const { database, clock, event, stored, end } = member();
    event('e');
    database.hooks.before = () => {
      throw new Error('away');
    };
    await clock.advanceAsync(5_000);
    expect(stored()).toEqual([]);
    database.hooks = {};
    await clock.advanceAsync(boundMs);
    expect(stored()).toHaveLength(1);
    end();
  });

  test('while the database is away they are not tried one by one, and after the end not at all', async () => {
    const { database, clock, event, stored, logger, end } = member();
    for (let n = 0; n < 20; n++) event(`e${n}`, { address: `+49${n}` });
    let tries = 0;
    database.hooks.before = (operation) => {
      if (operation !== 'inboundEvents') return;
      tries += 1;
      throw new Away();
    };
    await clock.advanceAsync(1_200);
    expect([tries, logger.of('warn').length]).toEqual([1, 1]);
    database.hooks = {};
    await clock.advanceAsync(boundMs);
    expect(stored()).toHaveLength(20);
    for (let n = 20; n < 40; n++) event(`e${n}`, { address: `+49${n}` });
    await clock.advanceAsync(500);
    database.hooks.before = (operation) => {
      if (operation !== 'inboundEvents') return;
      tries += 1;
      end();
      throw new Error('at fault');
    };
    await clock.advanceAsync(boundMs);
    expect(tries).toBe(2);
  });

  test('two members at a time write it once', async () => {
    const one = member();
    const other = member('m2', one.database);
    one.event('e');
    await one.clock.advanceAsync(boundMs);
    expect(one.stored()).toHaveLength(1);
    one.end();
    other.end();
  });
});

test('what was taken back by its own member is not said again by a look that comes later', async () => {
  const { database, clock, optOuts, event, stored, end } = member();
  event('stop', { at: new Date(t0) });
  event('start', { text: 'START', at: new Date(t0 + 1) });
  await clock.advanceAsync(450);
  const at = new Date(t0);
  const id = sms('+491');
  // both written, neither marked: the owner is in the middle of it
  await optOuts.write(
    [
      { kind: 'add', suppression: { _id: id, reason: 'opt_out', at } },
      { kind: 'lift', id, at: new Date(t0 + 1) },
    ],
    ['string:stop', 'string:start'],
  );
  await clock.advanceAsync(boundMs);
  expect(stored()).toEqual([]);
  optOuts.marked(['string:stop', 'string:start']);
  database.inbound.update('stop', { handledAt: at });
  await clock.advanceAsync(boundMs);
  expect(stored()).toEqual([]);
  end();
});

test('nothing is looked for once the member ends', async () => {
  const { database, clock, optOuts, end } = member();
  end();
  let looks = 0;
  database.hooks.before = () => void looks++;
  await optOuts.look();
  await clock.advanceAsync(5_000);
  expect(looks).toBe(0);
});
