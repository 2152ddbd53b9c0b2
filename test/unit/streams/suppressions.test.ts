import { describe, expect, test } from '@jest/globals';
import type { Channel } from '../../../src/domain/channelPorts.ts';
import type { FlowContext } from '../../../src/domain/decision.ts';
import type { Conversation, Message } from '../../../src/domain/model.ts';
import type { RowResult } from '../../../src/domain/outbox.ts';
import { Dispatch } from '../../../streams/dispatch.ts';
import { Suppressions } from '../../../streams/suppressions.ts';
import { manualClock } from '../../support/clock.ts';
import { recordingInstruments, silentLogger } from '../../support/fakes.ts';
import { contextOf, facts } from '../domain/given.ts';

const book = { isKeyed: true, hash: (form: string) => `h${form}`, hashes: (form: string) => [`h${form}`, `~${form}`] };
const ask = { id: 'ask', type: 'message', channel: 'sms', content: { text: 'Hello' } };
const conversation = (id: string, more: Partial<Conversation> = {}): Conversation =>
  ({
    ...{ _id: id, campaignId: 'spring', contact: { id, phone: `+${id}` }, addresses: [`sms:h+${id}`] },
    ...{ status: 'active', stage: 'ask', step: 1, sequence: 1, version: 2, ...more },
  }) as Conversation;

function fixture(more: Partial<FlowContext> = {}) {
  const clock = manualClock();
  const stored = new Set<string>();
  /** Of those that are stored: why. */
  const bounced = new Set<string>();
  /** Of those that bounced: somebody said something, too. */
  const willed = new Set<string>();
  const asked: string[][] = [];
  const state = { hangs: false };
  const context = contextOf([ask], { addressBook: book, topic: 'news', ...more });
  const suppressions = new Suppressions({
    store: {
      among: async (ids) => {
        asked.push([...ids]);
        const found = ids.filter((id) => stored.has(id));
        const reasonOf = (id: string) => (bounced.has(id) ? ('bounce' as const) : ('opt_out' as const));
        const willOf = (id: string) => (willed.has(id) ? { willed: true as const } : {});
        return new Map(found.map((id) => [id, { reason: reasonOf(id), ...willOf(id) }]));
      },
      page: (after, limit) =>
        state.hangs
          ? new Promise(() => {})
          : Promise.resolve(
              [...stored]
                .sort()
                .filter((id) => after === undefined || id > after)
                .slice(0, limit),
            ),
    },
    contextOf: ({ campaignId }) => (campaignId === 'spring' ? context : undefined),
    clock,
  });
  const now = () => ({ monotonic: clock.monotonic(), wall: clock.now() });
  /** The change stream tells of these, and that it left nothing behind. */
  const hear = (...ids: string[]): void =>
    suppressions.heard(
      ids.map((id) => ({ kind: 'suppression', id })),
      now(),
    );
  const refused = async (...conversations: Conversation[]) => {
    const found = await suppressions.refusals(conversations);
    return {
      refused: [...found.refused].map(([id, channels]) => [id, ...[...channels].flat()]),
      clear: [...found.clear],
    };
  };
  return {
    clock,
    stored,
    bounced,
    willed,
    asked,
    suppressions,
    hear,
    refused,
    hold: () => Object.assign(state, { hangs: true }),
  };
}

describe('what a member knows of suppressions', () => {
  test('what the filter rules out is never asked for', async () => {
    const { suppressions, hear, asked, refused, stored } = fixture();
    stored.add('sms:*:h+7');
    await suppressions.load();
    hear();
    expect(await refused(conversation('1'), conversation('2'))).toEqual({ refused: [], clear: [] });
    expect([suppressions.isClear(conversation('1'), 'sms'), asked]).toEqual([true, []]);
  });

  test('who is named is asked for by name: for all topics, and for that of the campaign', async () => {
    const { suppressions, hear, asked, refused, stored } = fixture();
    for (const id of ['sms:*:h+7', 'sms:news:h+8', 'sms:tips:h+9']) stored.add(id);
    await suppressions.load();
    hear('sms:*:h+6');
    const all = ['1', '6', '7', '8', '9'].map((id) => conversation(id));
    expect(await refused(...all)).toEqual({
      refused: [
        ['7', 'sms', 'suppressed'],
        ['8', 'sms', 'unsubscribed_topic'],
      ],
      clear: ['6', '9'],
    });
    expect(asked[0]).toContain('sms:news:h+6');
    expect(all.map((one) => suppressions.isClear(one, 'sms'))).toEqual([true, false, false, false, false]);
  });

  test('that an address bounced is told apart, unless something else speaks against it, too', async () => {
    const { suppressions, hear, refused, stored, bounced, willed } = fixture();
    for (const id of ['sms:*:h+6', 'sms:*:h+7', 'sms:*:~+7', 'sms:*:h+8', 'sms:news:h+8', 'sms:*:h+9', 'sms:*:~+9'])
      stored.add(id);
    for (const id of ['sms:*:h+6', 'sms:*:h+7', 'sms:*:~+7', 'sms:*:h+8', 'sms:*:h+9']) bounced.add(id);
    // STOP before the bounce, or behind it
    for (const set of [stored, bounced, willed]) set.add('sms:*:h+5');
    await suppressions.load();
    hear();
    expect((await refused(...['5', '6', '7', '8', '9'].map((id) => conversation(id)))).refused).toEqual([
      ['5', 'sms', 'suppressed'],
      ['6', 'sms', 'bounced'],
      ['7', 'sms', 'bounced'],
      ['8', 'sms', 'suppressed'],
      ['9', 'sms', 'suppressed'],
    ]);
  });

  test('a member without a key heeds what was said without one, whatever key made the addresses of a conversation', async () => {
    const hash = (form: string): string => `~${form}`;
    const unkeyed = { isKeyed: false, hash, hashes: (form: string) => [hash(form)] };
    const { suppressions, hear, refused, stored } = fixture({ addressBook: unkeyed });
    for (const id of ['sms:*:~+7', 'sms:*:h+8']) stored.add(id);
    await suppressions.load();
    hear();
    const all = [
      ...['1', '7', '8'].map((id) => conversation(id)),
      conversation('71', { contact: { id: '7', phone: '+7' }, addresses: ['sms:~+7'] }),
      conversation('72', { contact: { id: '2', phone: '+2' }, addresses: ['sms:~+2'] }),
      // of before and after a migration
      conversation('81', { contact: { id: '8', phone: '+8' }, addresses: ['sms:~+8', 'sms:h+8'] }),
    ];
    expect((await refused(...all)).refused.map(([id]) => id)).toEqual(['7', '8', '71', '81']);
    expect(all.map((one) => suppressions.isClear(one, 'sms'))).toEqual([true, false, false, false, true, false]);
    const waiting = new Map(all.map((one) => [one._id, { conversation: one, channel: 'sms' }]));
    expect([...(await suppressions.refused(waiting, new AbortController().signal))]).toEqual(['7', '8', '71', '81']);
  });

  test('what was said before there was a key is asked for also while it is not known that there is any', async () => {
    const { refused, stored } = fixture();
    stored.add('sms:*:~+7');
    expect((await refused(conversation('7'), conversation('1'))).refused).toEqual([['7', 'sms', 'suppressed']]);
  });

  test.each([
    ['before it is filled', async ({ hear }: ReturnType<typeof fixture>) => hear()],
    ['before the stream told anything', ({ suppressions }: ReturnType<typeof fixture>) => suppressions.load()],
    [
      'a second after the stream fell silent',
      async ({ suppressions, hear, clock }: ReturnType<typeof fixture>) => {
        await suppressions.load();
        hear();
        clock.advance(1_001);
      },
    ],
    [
      'while the stream left something behind',
      async ({ suppressions }: ReturnType<typeof fixture>) => {
        await suppressions.load();
        suppressions.heard([], undefined);
      },
    ],
    [
      'after the machine slept',
      async ({ suppressions, hear, clock }: ReturnType<typeof fixture>) => {
        await suppressions.load();
        hear();
        clock.stepWall(1_001);
      },
    ],
    [
      'while it is filled anew, after a gap',
      async ({ suppressions, hear, hold }: ReturnType<typeof fixture>) => {
        await suppressions.load();
        hear();
        hold();
        void suppressions.load();
      },
    ],
  ])('%s everybody is asked for', async (_, prepare) => {
    const known = fixture();
    await prepare(known);
    expect(known.suppressions.isClear(conversation('1'), 'sms')).toBe(false);
    expect(await known.refused(conversation('1'))).toEqual({ refused: [], clear: ['1'] });
  });

  test('what was written by ourselves is known before the stream tells', async () => {
    const { suppressions, hear } = fixture();
    await suppressions.load();
    hear();
    suppressions.wrote([
      { kind: 'add', suppression: { _id: 'sms:*:h+1', reason: 'bounce', at: new Date(0) } },
      { kind: 'lift', id: 'sms:*:h+2', at: new Date(0) },
    ]);
    expect(['1', '2'].map((id) => suppressions.isClear(conversation(id), 'sms'))).toEqual([false, true]);
  });

  test('a suppression from before HASH_KEY was set holds, and so does a conversation from then', async () => {
    const { suppressions, hear, refused, stored } = fixture();
    stored.add('sms:*:~+1');
    await suppressions.load();
    hear();
    expect(await refused(conversation('1'))).toMatchObject({ refused: [['1', 'sms', 'suppressed']] });
    expect([suppressions.isClear(conversation('1'), 'sms'), suppressions.isClear(conversation('2'), 'sms')]).toEqual([
      false,
      true,
    ]);
    const keyed = fixture();
    keyed.stored.add('sms:*:h+1');
    await keyed.suppressions.load();
    keyed.hear();
    const old = conversation('1', { addresses: ['sms:~+1'] });
    expect(keyed.suppressions.isClear(old, 'sms')).toBe(false);
    expect(await keyed.refused(old)).toMatchObject({ refused: [['1', 'sms', 'suppressed']] });
  });

  test('a conversation that others replaced is left to its decision', async () => {
    const { refused, suppressions } = fixture();
    const broken = conversation('1', { contact: null as never, addresses: undefined as never });
    expect(await refused(broken, conversation('2'))).toEqual({ refused: [], clear: ['2'] });
    expect(suppressions.isClear(undefined, 'sms')).toBe(false);
    expect(await refused(conversation('3', { campaignId: 'other' }))).toMatchObject({ clear: ['3'] });
  });
});

describe('a row that waits in dispatch', () => {
  function waiting(more: Partial<FlowContext> = {}) {
    const known = fixture(more);
    const { clock, suppressions } = known;
    const begun: string[] = [];
    const state = { mayBegin: undefined as (() => boolean) | undefined };
    let free = (): void => {};
    const slow: Channel = {
      ...facts('sms', 'phone', {}),
      concurrency: 1,
      send: ({ conversationId }, _, mayBegin = () => true) => {
        state.mayBegin = mayBegin;
        if (!mayBegin()) return Promise.resolve({ kind: 'retry', code: 'not_begun', message: '', counts: false });
        begun.push(conversationId);
        return new Promise((resolve) => {
          free = () => resolve({ kind: 'sent' });
        });
      },
      close: async () => {},
    };
    const dispatch = new Dispatch({
      random: () => 0,
      ...{ channels: new Map([['sms', slow]]), concurrency: 64, clock, logger: silentLogger, suppressions },
      ...{ instruments: recordingInstruments(), ledger: { leaseRemaining: () => 10_000 } },
      campaigns: { heads: async () => new Map(), sending: async () => 'on' as const },
      ...{ seen: () => {}, maySend: () => true, onFresh: () => {} },
    });
    const results: RowResult[] = [];
    dispatch.results$.subscribe((result) => results.push(result));
    const enqueue = (...ids: string[]): void =>
      dispatch.enqueue(
        ids.map((id) => ({
          row: { _id: `${id}/1`, conversationId: id, campaignId: 'spring', channel: 'sms', to: `+${id}` } as Message,
          conversation: conversation(id),
          decidedAt: 0,
        })),
      );
    const next = async (): Promise<void> => {
      free();
      await clock.advanceAsync(0);
    };
    return { ...known, dispatch, begun, results, enqueue, next, state };
  }
  /** A live stream: batches come, each leaving nothing behind. */
  const tell = async ({ clock, hear }: ReturnType<typeof waiting>, ms: number, ...ids: string[]): Promise<void> => {
    hear(...ids);
    for (let at = 0; at < ms; at += 250) {
      await clock.advanceAsync(250);
      hear();
    }
  };

  test('is held back when a suppression is told meanwhile; the others leave', async () => {
    const it = waiting();
    await it.suppressions.load();
    it.enqueue('1', '2', '3');
    await tell(it, 500);
    expect(it.begun).toEqual(['1']);
    it.stored.add('sms:*:h+2');
    await tell(it, 1_000, 'sms:*:h+2');
    await it.next();
    await tell(it, 1_000);
    expect([it.begun, it.results.map(({ row, outcome }) => [row._id, outcome.kind])]).toEqual([
      ['1', '3'],
      [
        ['1/1', 'sent'],
        ['2/1', 'held'],
      ],
    ]);
  });

  test('is asked for while the stream is silent, and not handed over later than two seconds after it was stored', async () => {
    const it = waiting();
    it.enqueue('1', '2', '3');
    await it.clock.advanceAsync(5_000);
    expect(it.begun).toEqual(['1']);
    it.stored.add('sms:*:h+2');
    await it.clock.advanceAsync(2_000);
    await it.next();
    await it.clock.advanceAsync(1_000);
    expect([it.begun, it.results.map(({ outcome }) => outcome.kind)]).toEqual([
      ['1', '3'],
      ['sent', 'held'],
    ]);
  });

  test('that was handed over and has not begun is refused at its first byte', async () => {
    const it = waiting();
    await it.suppressions.load();
    it.hear();
    it.enqueue('1');
    await tell(it, 250);
    expect([it.begun, it.state.mayBegin?.()]).toEqual([['1'], true]);
    it.hear('sms:*:h+1');
    expect(it.state.mayBegin?.()).toBe(false);
    it.stored.add('sms:*:h+1');
  });

  test('of a transactional campaign heeds no topic', async () => {
    const it = waiting({ transactional: true });
    it.stored.add('sms:news:h+1');
    it.stored.add('sms:*:h+2');
    it.enqueue('1', '2');
    await it.clock.advanceAsync(1_000);
    await it.next();
    await it.clock.advanceAsync(1_000);
    expect([it.begun, it.results.map(({ outcome }) => outcome.kind)]).toEqual([['1'], ['sent', 'held']]);
  });

  test('one that the filter mistakes for another leaves by what was asked', async () => {
    const it = waiting();
    await it.suppressions.load();
    await tell(it, 250, 'sms:*:h+1');
    it.enqueue('1');
    await tell(it, 1_000);
    expect(it.begun).toEqual(['1']);
  });
});
