import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ObjectId } from 'mongodb';
import type { Conversation, Counters, Escalation, Id, Member, Message, Unit } from '../../src/domain/model.ts';
import {
  allPartitions,
  conversation,
  type Harness,
  type Make,
  memoryHarness,
  mongoHarnesses,
  row,
  run,
  unit,
} from './harness.ts';

const states = 'conversation_states';
const minute = 60_000;

function describeConversationStore(name: string, make: Make): void {
  describe(`${name}: reading`, () => {
    let harness: Harness;
    beforeEach(async () => {
      harness = await make();
    });
    afterEach(() => harness.close());
    const at = (minutes: number): Date => new Date(harness.clock.now() + minutes * minute);
    const due = (minutes: number, over: Partial<Conversation> = {}): Partial<Conversation> => ({
      nextActionAt: at(minutes),
      nextChannel: 'console',
      partition: 1,
      ...over,
    });

    test('byIds gives whole documents and leaves out what does not exist', async () => {
      const ada = conversation('c', 'ada', { variables: { when: at(0), oid: new ObjectId(), list: [1, { a: null }] } });
      await harness.insert(states, [ada]);
      expect(await harness.conversations.byIds([ada._id, 'c:nobody'])).toEqual([ada]);
      expect(await harness.conversations.byIds([])).toEqual([]);
    });

    test.each<[string, Id, Id]>([
      ['strings', 'c', 'd'],
      ['ObjectIds', new ObjectId(), new ObjectId()],
      ['numbers', 7, 8],
      ['a number and the string of it', 7, '7'],
    ])(
      'a lane is its campaign, its channel, and opening apart from continuing; ids are %s',
      async (_, campaignId, other) => {
        const lane = { campaignId, channel: 'console', opening: false };
        await harness.insert(states, [
          conversation(campaignId, 'late', due(-1)),
          conversation(campaignId, 'early', due(-3)),
          conversation(campaignId, 'now', due(0)),
          conversation(campaignId, 'ahead', due(5)),
          conversation(campaignId, 'opens', due(-9, { opening: true })),
          conversation(campaignId, 'elsewhere', due(-9, { nextChannel: 'http' })),
          conversation(campaignId, 'ended', { status: 'completed' }),
          conversation(other, 'early', due(-9)),
        ]);
        const contacts = async (limit: number, opening = false) =>
          (await harness.conversations.due({ ...lane, opening }, allPartitions, at(0), limit)).map(
            ({ contact }) => contact.id,
          );
        expect(await contacts(10)).toEqual(['early', 'late', 'now']);
        expect(await contacts(2)).toEqual(['early', 'late']);
        expect(await contacts(10, true)).toEqual(['opens']);
        expect(await harness.conversations.due({ ...lane, channel: '-' }, allPartitions, at(0), 10)).toEqual([]);
        const next = (after?: Date) => harness.conversations.nextDue(lane, allPartitions, after);
        expect(await next()).toEqual(at(-3));
        expect(await next(at(-3))).toEqual(at(-1));
        expect(await next(at(0))).toEqual(at(5));
        expect(await next(at(5))).toBeUndefined();
      },
    );

    test('only the partitions asked for are looked at', async () => {
      const lane = { campaignId: 'c', channel: 'console', opening: false };
      const all = [1, 2, 3].map((partition) => conversation('c', `p${partition}`, due(-partition, { partition })));
      await harness.insert(states, all);
      const found = await harness.conversations.due(lane, [1, 3], at(0), 10);
      expect(found.map(({ partition }) => partition)).toEqual([1, 3]);
      const turned = await harness.conversations.due(lane, [2, 3, 1], at(0), 2);
      expect(turned.map(({ partition }) => partition)).toEqual([2, 3]);
      expect(await harness.conversations.nextDue(lane, [1, 2])).toEqual(at(-2));
      expect(await harness.conversations.due(lane, [], at(0), 10)).toEqual([]);
    });

    test('a document whose inbox is no array is only matched by a change that knows it', async () => {
      const [ada, bob] = [conversation('c', 'ada'), conversation('c', 'bob')];
      await harness.insert(states, [{ ...ada, inbox: 'hello' }, bob]);
      const change = (read: Conversation, inboxSize: number): Unit => ({
        ...unit(read, { inserts: [], counters: {} }),
        change: { id: read._id, version: read.version, inboxSize, set: { inbox: [] }, unset: [], history: [] },
      });
      const first = await harness.conversations.commit([change(ada, 0), change(bob, -1)]);
      expect([...first.missed].sort()).toEqual([ada._id, bob._id].sort());
      const second = await harness.conversations.commit([change(ada, -1), change(bob, 0)]);
      expect([...second.missed]).toEqual([]);
      expect((await harness.conversations.byIds([ada._id]))[0]?.inbox).toEqual([]);
    });

    test('withInbox and pendingMessages give pages by id over as many partitions as there may be', async () => {
      const event = { type: 'reply', id: 'e' };
      const people = Array.from({ length: 60 }, (_, index) => `n${index}`);
      const wanted = people.map((id, index) =>
        conversation('c', id, { inbox: [event], partition: (index * 37) % 700 }),
      );
      await harness.insert(states, wanted);
      await harness.insert(
        'messages',
        wanted.map((one) => row(one)),
      );
      const ids = wanted.map(({ _id }) => _id).sort();
      const own = Array.from({ length: 700 }, (_, partition) => partition);
      const { conversations } = harness;
      expect(await paged((after) => conversations.withInbox(own, after, 7))).toEqual(ids);
      const rows = await paged(async (after) =>
        (await conversations.pendingMessages(own, after, 7)).map(({ _id }) => _id),
      );
      expect(rows).toEqual(ids.map((id) => `${id}/1`));
    });

    test('withInbox, activeOf and pendingMessages give pages by id that lose and repeat nothing', async () => {
      const event = { type: 'reply', id: 'e' };
      const people = Array.from({ length: 25 }, (_, index) => `n${index}`);
      const wanted = people.map((id) => conversation('c', id, { inbox: [event], partition: id.length }));
      const done = conversation('c', 'done', { status: 'completed', partition: 2 });
      const foreign = conversation('c', 'foreign', { inbox: [event], partition: 9 });
      const other = conversation('c2', 'n1', { partition: 2 });
      await harness.insert(states, [...wanted, done, foreign, other]);
      await harness.insert('messages', [...wanted.map((one) => row(one)), row(foreign)]);
      const { pending: _, ...sent } = row(done, 1, { status: 'sent' });
      await harness.insert('messages', [sent]);
      const ids = wanted.map(({ _id }) => _id).sort();
      const { conversations } = harness;
      expect(await paged((after) => conversations.withInbox([2, 3], after, 7))).toEqual(ids);
      expect(await paged((after) => conversations.activeOf('c', [2, 3], after, 7))).toEqual(ids);
      await harness.update(states, ids[0], { migration: 2 });
      await harness.update(states, ids[1], { migration: 1 });
      expect(await paged((after) => conversations.activeOf('c', [2, 3], after, 7, 2))).toEqual(ids.slice(1));
      expect(await paged((after) => conversations.activeOf('c', [2, 3], after, 7, 1))).toEqual(ids.slice(2));
      const pages: Message[] = [];
      const rows = await paged(async (after) => {
        const page = await conversations.pendingMessages([2, 3], after, 7);
        pages.push(...page);
        return page.map(({ _id }) => _id);
      });
      expect(rows).toEqual(ids.map((id) => `${id}/1`));
      expect(pages[0]).toEqual(row(wanted.find(({ _id }) => _id === ids[0]) ?? done));
      expect((await conversations.messages([`${done._id}/1`, 'nothing'])).map(({ status }) => status)).toEqual([
        'sent',
      ]);
    });
  });

  describe(`${name}: committing`, () => {
    let harness: Harness;
    beforeEach(async () => {
      harness = await make();
    });
    afterEach(() => harness.close());

    const stored = async (one: Conversation) => (await harness.conversations.byIds([one._id]))[0];
    const rowIds = async () => (await harness.find<Message>('messages')).map(({ _id }) => _id);
    const people = (count: number, over: Partial<Conversation> = {}): Conversation[] =>
      Array.from({ length: count }, (_, index) => conversation('c', `n${index}`, over));

    test('a unit is written as a whole: state, rows, counters, dead letters, one version on', async () => {
      const [ada = conversation('c', 'x')] = people(1, { awaiting: 'old', nextActionAt: new Date(0), sequence: 1 });
      await harness.insert(states, [ada]);
      await harness.insert('messages', [row(ada)]);
      const step = unit(ada);
      const change = step.change && { ...step.change, unset: ['awaiting' as const, 'nextActionAt' as const] };
      const receipt = await harness.conversations.commit([
        {
          ...step,
          ...(change ? { change } : {}),
          rows: [
            {
              id: `${ada._id}/1`,
              channel: 'console',
              from: 'sending' as const,
              set: { status: 'sent', sentAt: new Date(5) },
              unset: ['pending'],
            },
          ],
          counters: { pending: 0, 'messages.sent': 1 },
          deadLetters: [{ reason: 'no_id', document: { type: 'reply' } }],
        },
      ]);
      expect(receipt).toEqual({ missed: new Set(), poisoned: new Map() });
      const { awaiting: _, nextActionAt: __, ...rest } = ada;
      const now = new Date(harness.clock.now());
      expect(await stored(ada)).toEqual({
        ...rest,
        step: 1,
        sequence: 2,
        version: 2,
        updatedAt: now,
        history: change?.history,
      });
      const [first, second] = await harness.find<Message>('messages');
      expect(first).toMatchObject({ status: 'sent', sentAt: new Date(5) });
      expect(first).not.toHaveProperty('pending');
      expect(second).toEqual(row(ada, 2));
      expect(await harness.find('dead_letters')).toMatchObject([
        { collection: states, conversationId: ada._id, campaignId: 'c', reason: 'no_id', document: { type: 'reply' } },
      ]);
    });

    test('who is asked in finds what was said; how that ends is written to the same document', async () => {
      const [ada = conversation('c', 'x')] = people(1, { sequence: 2 });
      await harness.insert(states, [ada]);
      await harness.insert('messages', [
        row(ada, 1, { content: { text: 'Hello' } }),
        row(ada, 2, { content: { text: 'Still there?' } }),
      ]);
      const reply = { at: new Date(0), stage: 'intro', event: 'reply', detail: { text: 'Help!' } };
      const { contact, campaignId, _id: conversationId } = ada;
      const document: Escalation = {
        ...{ _id: `${ada._id}/e2`, campaignId, conversationId, contact, stage: 'intro', to: 'support' },
        ...{ status: 'open', transcript: [], createdAt: new Date(7) },
      };
      const step = unit(ada, { inserts: [], counters: {} });
      const change = step.change && { ...step.change, history: [reply] };
      await harness.conversations.commit([
        { ...step, ...(change ? { change } : {}), escalations: [{ kind: 'opened', document, sequence: 2 }] },
      ]);
      const [open] = await harness.find<Escalation>('escalations');
      expect(open).toMatchObject({ ...document, transcript: expect.anything() });
      expect(open?.transcript.map(({ from, text }) => `${from} ${text}`)).toEqual([
        'contact Help!',
        'us Hello',
        'us Still there?',
      ]);
      const ended = {
        kind: 'ended' as const,
        id: document._id,
        set: { status: 'resumed' as const, endedAt: new Date(9) },
      };
      const again = unit({ ...ada, version: 2 }, { inserts: [], counters: {} });
      await harness.conversations.commitInOrder([{ ...again, escalations: [ended, { ...ended, id: 'gone' }] }]);
      expect(await harness.find('escalations')).toMatchObject([{ ...ended.set, to: 'support' }]);
    });

    test('a conversation goes on again only while its run is open', async () => {
      const [ada = conversation('c', 'x'), bob = conversation('d', 'y'), eve = conversation('c', 'z')] = [
        conversation('c', 'ada'),
        conversation('d', 'bob'),
        conversation('c', 'eve'),
      ];
      await harness.insert(states, [ada, bob, eve]);
      await harness.insert('campaign_runs', [
        run('c'),
        run('d', { settled: true, status: 'completed' }),
        run('e', { status: 'cancelled' }),
      ]);
      const reopening = (one: Conversation): Unit => ({ ...unit(one), reopens: true });
      expect(await harness.conversations.commitInOrder([unit(eve), reopening(bob)])).toEqual(
        new Set([eve._id, bob._id]),
      );
      const gus = conversation('e', 'gus');
      await harness.insert(states, [gus]);
      const { missed } = await harness.conversations.commit([
        reopening(ada),
        reopening(bob),
        reopening(gus),
        unit(eve),
      ]);
      expect([...missed]).toEqual([bob._id, gus._id]);
      expect(await rowIds()).toEqual([`${ada._id}/1`, `${eve._id}/1`]);
    });

    test.each([[1], [3], [9]])('a unit read at version 5 misses when version %i is stored', async (version) => {
      const [ada, bob] = [conversation('c', 'ada', { version }), conversation('c', 'bob')];
      await harness.insert(states, [ada, bob]);
      const receipt = await harness.conversations.commit([unit({ ...ada, version: 5 }), unit(bob)]);
      expect(receipt.missed).toEqual(new Set([ada._id]));
      expect(await stored(ada)).toEqual(ada);
      expect(await rowIds()).toEqual([`${bob._id}/1`]);
    });

    test('a unit decided from what the same member wrote over since misses, also by one version', async () => {
      const [ada = conversation('c', 'x'), bob = conversation('c', 'y')] = people(2);
      await harness.insert(states, [ada, bob]);
      await harness.conversations.commit([unit(ada)]);
      const before = await stored(ada);
      const again = { ...unit(ada), inserts: [row(ada, 9)] };
      const receipt = await harness.conversations.commit([again, unit(bob)]);
      expect(receipt.missed).toEqual(new Set([ada._id]));
      expect(await stored(ada)).toEqual(before);
      expect(await rowIds()).toEqual([`${ada._id}/1`, `${bob._id}/1`]);
      expect(await harness.find<Counters>('campaign_counters')).toMatchObject([{ pending: 2 }]);
    });

    test('a conversation that is gone misses', async () => {
      const receipt = await harness.conversations.commit([unit(conversation('c', 'ghost'))]);
      expect(receipt.missed.size).toBe(1);
      expect(await rowIds()).toEqual([]);
      expect(await harness.find('campaign_counters')).toEqual([]);
    });

    test('an event pushed between read and commit wins over the change; the other units are written', async () => {
      const all = people(20);
      await harness.insert(states, all);
      const [first = conversation('c', 'x')] = all;
      await harness.push(first._id, { id: 'e1', type: 'reply' });
      const receipt = await harness.conversations.commit(all.map((one) => unit(one)));
      expect(receipt.missed).toEqual(new Set([first._id]));
      expect(await stored(first)).toEqual({ ...first, inbox: [{ id: 'e1', type: 'reply' }] });
      expect(await rowIds()).toHaveLength(19);
      expect(await rowIds()).not.toContain(`${first._id}/1`);
      expect(await harness.find<Counters>('campaign_counters')).toMatchObject([{ pending: 19 }]);
    });

    test('the inbox is consumed by setting what remains', async () => {
      const events = [1, 2, 3].map((n) => ({ id: `e${n}`, type: 'reply', text: `${n}` }));
      const ada = conversation('c', 'ada', { inbox: events });
      await harness.insert(states, [ada]);
      const step = unit(ada, { inserts: [] });
      if (step.change) step.change.set = { inbox: events.slice(2), consumed: ['e1', 'e2'] };
      expect((await harness.conversations.commit([step])).missed.size).toBe(0);
      expect(await stored(ada)).toMatchObject({ inbox: events.slice(2), consumed: ['e1', 'e2'], version: 2 });
    });

    test('history keeps the newest hundred', async () => {
      const entry = (n: number) => ({ at: new Date(n), event: `e${n}` });
      const ada = conversation('c', 'ada', { history: Array.from({ length: 99 }, (_, n) => entry(n)) });
      await harness.insert(states, [ada]);
      const step = unit(ada);
      if (step.change) step.change.history = [entry(99), entry(100), entry(101)];
      await harness.conversations.commit([step]);
      const history = (await stored(ada))?.history ?? [];
      expect(history.map(({ event }) => event)).toEqual(Array.from({ length: 100 }, (_, n) => `e${n + 2}`));
    });

    test('a unit may change rows alone, and only rows that are still pending', async () => {
      const ada = conversation('c', 'ada');
      await harness.insert(states, [ada]);
      const { pending: _, ...settled } = row(ada, 2, { status: 'skipped' });
      await harness.insert('messages', [row(ada, 1), settled]);
      const { change: __, ...rest } = unit(ada, { inserts: [] });
      const sent = (sequence: number) => ({
        id: `${ada._id}/${sequence}`,
        channel: 'console',
        from: undefined,
        set: { status: 'sent' as const },
        unset: ['pending' as const],
      });
      await harness.conversations.commit([{ ...rest, rows: [sent(1), sent(2)] }]);
      expect((await harness.find<Message>('messages')).map(({ status }) => status)).toEqual(['sent', 'skipped']);
      expect(await stored(ada)).toEqual(ada);
    });

    test.each(['sent', 'queued'] as const)(
      'an answer counts once: a unit misses as a whole when its row is %s meanwhile, the others are written',
      async (status) => {
        const [ada = conversation('c', 'x'), bob = conversation('c', 'y')] = people(2);
        await harness.insert(states, [ada, bob]);
        await harness.insert('messages', [row(ada, 1, { status }), row(bob, 1)]);
        const answered = (one: Conversation) => ({
          ...unit(one, { inserts: [] }),
          rows: [
            {
              id: `${one._id}/1`,
              channel: 'console',
              from: 'sending' as const,
              set: { attempts: 7 },
              unset: ['pending' as const],
            },
          ],
          counters: { 'messages.sent': 1 },
        });
        const receipt = await harness.conversations.commit([answered(ada), answered(bob)]);
        expect(receipt).toEqual({ missed: new Set([ada._id]), poisoned: new Map() });
        expect(await stored(ada)).toEqual(ada);
        expect((await harness.find<Message>('messages')).map(({ attempts }) => attempts)).toEqual([1, 7]);
        expect(await harness.find<Counters>('campaign_counters')).toMatchObject([
          { counts: { messages: { sent: 1 } } },
        ]);
      },
    );

    test('what does the same to two rows keeps the status that each has to have', async () => {
      const [ada = conversation('c', 'x'), bob = conversation('c', 'y')] = people(2);
      await harness.insert(states, [ada, bob]);
      await harness.insert('messages', [row(ada, 1), row(bob, 1, { status: 'queued' })]);
      const skipped = (one: Conversation, from: 'sending' | undefined): Unit => ({
        ...unit(one, { inserts: [] }),
        rows: [{ id: `${one._id}/1`, channel: 'console', from, set: { status: 'skipped' }, unset: ['pending'] }],
      });
      const receipt = await harness.conversations.commit([skipped(ada, 'sending'), skipped(bob, undefined)]);
      expect(receipt.missed.size).toBe(0);
      expect((await harness.find<Message>('messages')).map(({ status }) => status)).toEqual(['skipped', 'skipped']);
    });

    test.each<[string, Partial<Message> | undefined]>([
      ['gone', undefined],
      ['ended', { status: 'skipped' }],
      ['with a channel', { status: 'sending' }],
    ])('another try misses as a whole when its row is %s', async (_, over) => {
      const [ada = conversation('c', 'x'), bob = conversation('c', 'y')] = people(2);
      await harness.insert(states, [ada, bob]);
      await harness.insert('messages', [...(over ? [row(ada, 1, over)] : []), row(bob, 1, { status: 'queued' })]);
      const resend = (one: Conversation): Unit => ({
        ...unit(one, { inserts: [] }),
        rows: [{ id: `${one._id}/1`, channel: 'console', from: 'queued', set: { status: 'sending' }, unset: [] }],
      });
      const receipt = await harness.conversations.commit([resend(ada), resend(bob)]);
      expect(receipt).toEqual({ missed: new Set([ada._id]), poisoned: new Map() });
      expect(await stored(ada)).toEqual(ada);
      expect((await harness.conversations.messages([`${bob._id}/1`]))[0]?.status).toBe('sending');
    });

    test('the answer to a row that somebody deleted counts', async () => {
      const ada = conversation('c', 'ada');
      await harness.insert(states, [ada]);
      const counters = { 'messages.sent': 1 };
      const set = { status: 'sent' as const };
      const rows = [{ id: `${ada._id}/1`, channel: 'console', from: 'sending' as const, set, unset: [] }];
      const receipt = await harness.conversations.commit([unit(ada, { inserts: [], rows, counters })]);
      expect(receipt).toEqual({ missed: new Set(), poisoned: new Map() });
      expect(await stored(ada)).toMatchObject({ version: 2 });
      expect(await harness.find<Counters>('campaign_counters')).toMatchObject([{ counts: { messages: { sent: 1 } } }]);
    });

    test('1,000 units of one step go in one round; counters are exact, nested and by campaign and member', async () => {
      const all = people(1_000);
      await harness.insert(states, all);
      await harness.insert(states, [conversation(7, 'x'), conversation('7', 'x')]);
      const others = [unit(conversation(7, 'x')), unit(conversation('7', 'x'), { counters: { active: -1 } })];
      await harness.conversations.commit([...all.map((one) => unit(one)), ...others]);
      const second = await harness.member('m2');
      const [ada = conversation('c', 'x')] = await harness.conversations.byIds(all.slice(0, 1).map(({ _id }) => _id));
      await second.conversations.commit([unit(ada, { counters: { active: -1, completed: 1 } })]);
      const found = await harness.find<Counters>('campaign_counters');
      const plain = found.map(({ updatedAt, ...rest }) => ({ ...rest, stamped: updatedAt instanceof Date }));
      const of = (memberId: string, campaignId: Id, figures: object) => ({
        campaignId,
        memberId,
        stamped: true,
        unfolded: true,
        ...figures,
      });
      expect(plain).toEqual([
        { _id: 'm1|#7', ...of('m1', 7, { pending: 1, counts: { stages: { intro: { entered: 1 } } } }) },
        { _id: 'm1|7', ...of('m1', '7', { counts: { active: -1 } }) },
        { _id: 'm1|c', ...of('m1', 'c', { pending: 1_000, counts: { stages: { intro: { entered: 1_000 } } } }) },
        { _id: 'm2|c', ...of('m2', 'c', { counts: { active: -1, completed: 1 } }) },
      ]);
      expect(await harness.find(states, { campaignId: 'c', version: 2 })).toHaveLength(999);
    });

    test('units of different steps in one round get each their own', async () => {
      const all = people(30).map((one, index) => ({ ...one, version: 1 + (index % 3) }));
      await harness.insert(states, all);
      const units = all.map((one, index) => {
        const step = unit(one);
        if (step.change)
          step.change.set = index % 2 === 0 ? { stage: 'even' } : { stage: 'odd', nextActionAt: new Date(index) };
        return step;
      });
      expect((await harness.conversations.commit(units)).missed.size).toBe(0);
      for (const [index, one] of all.entries())
        expect(await stored(one)).toMatchObject({ version: one.version + 1, stage: index % 2 === 0 ? 'even' : 'odd' });
    });

    test('values that only look alike stay apart', async () => {
      const all = people(3);
      await harness.insert(states, all);
      const values = [new Date(0), new Date(0).toISOString(), Number.NaN];
      const units = all.map((one, index) => {
        const step = unit(one);
        if (step.change) step.change.set = { variables: { value: values[index] } };
        return step;
      });
      await harness.conversations.commit(units);
      for (const [index, one] of all.entries())
        expect((await stored(one))?.variables).toEqual({ value: values[index] });
    });

    test.each<[string, object]>([
      ['a document over 16 MB', { text: 'x'.repeat(17_000_000) }],
      ['a key BSON cannot hold', { 'a\0b': 1 }],
    ])('%s is isolated, the rest of the round is written', async (_, variables) => {
      const all = people(9);
      await harness.insert(states, all);
      const [poisoned = conversation('c', 'x'), ...others] = all.map((one) => unit(one));
      if ('change' in poisoned && poisoned.change)
        poisoned.change.set = { variables: variables as Record<string, unknown> };
      const units = [...others.slice(0, 4), poisoned, ...others.slice(4)] as typeof others;
      const receipt = await harness.conversations.commit(units);
      expect([...receipt.poisoned.keys()]).toEqual([all[0]?._id]);
      expect(receipt.poisoned.get(all[0]?._id ?? '')).toBeInstanceOf(Error);
      expect(receipt.missed.size).toBe(0);
      expect(await rowIds()).toHaveLength(8);
      expect(await harness.find(states, { version: 1 })).toEqual([all[0]]);
      expect(await harness.find<Counters>('campaign_counters')).toMatchObject([{ pending: 8 }]);
    });

    test('a row that exists already poisons its unit alone', async () => {
      const [ada = conversation('c', 'x'), bob = conversation('c', 'y')] = people(2);
      await harness.insert(states, [ada, bob]);
      await harness.insert('messages', [row(ada, 1, { status: 'sent' })]);
      const receipt = await harness.conversations.commit([unit(ada), unit(bob)]);
      expect([...receipt.poisoned.keys()]).toEqual([ada._id]);
      expect(await stored(ada)).toEqual(ada);
      expect(await stored(bob)).toMatchObject({ version: 2 });
    });

    test('a fenced member writes nothing', async () => {
      const ada = conversation('c', 'ada');
      await harness.insert(states, [ada]);
      await harness.fence();
      await expect(harness.conversations.commit([unit(ada)])).rejects.toMatchObject({ code: 'fenced' });
      await expect(harness.conversations.commitInOrder([unit(ada)])).rejects.toMatchObject({ code: 'fenced' });
      expect(await stored(ada)).toEqual(ada);
      expect(await rowIds()).toEqual([]);
      expect(await harness.find('campaign_counters')).toEqual([]);
    });

    test('in order: everything is written in one transaction', async () => {
      const all = people(20);
      await harness.insert(states, all);
      const beat = async () => (await harness.find<Member>('members'))[0]?.beat ?? 0;
      const before = await beat();
      expect(await harness.conversations.commitInOrder(all.map((one) => unit(one)))).toEqual(new Set());
      expect(await rowIds()).toHaveLength(20);
      expect(await harness.find(states, { version: 2 })).toHaveLength(20);
      expect(await beat()).toBe(before + 1);
    });

    const same = () => ({});
    test.each<[string, (one: Conversation) => Promise<unknown>, (one: Conversation) => Partial<Unit>]>([
      ['an event came', (one) => harness.push(one._id, { id: 'e1', type: 'reply' }), same],
      ['a row is there already', (one) => harness.insert('messages', [row(one, 1, { status: 'sent' })]), same],
      [
        'an answered row is queued again',
        (one) => harness.insert('messages', [row(one, 7, { status: 'queued' })]),
        (one) => ({
          rows: [
            { id: `${one._id}/7`, channel: 'console', from: 'sending', set: { status: 'sent' }, unset: ['pending'] },
          ],
        }),
      ],
      [
        'a document is too large',
        async () => {},
        (one) => ({ inserts: [row(one, 1, { content: { text: 'x'.repeat(17 * 2 ** 20) } })] }),
      ],
      ['the conversation is gone', (one) => harness.remove(states, one._id), same],
    ])('in order: where %s, it and what is behind it is left, and nothing else', async (_, happens, more) => {
      const all = people(9);
      await harness.insert(states, all);
      const [, , , fourth = conversation('c', 'x')] = all;
      await happens(fourth);
      const rows = await rowIds();
      const units = all.map((one) => ({ ...unit(one), ...(one === fourth ? more(one) : {}) }));
      const left = await harness.conversations.commitInOrder(units);
      const written = all.slice(0, -left.size);
      expect(written.length).toBeLessThan(4);
      expect(left).toEqual(new Set(all.slice(written.length).map(({ _id }) => _id)));
      expect((await harness.find<Conversation>(states, { version: 2 })).map(({ _id }) => _id)).toEqual(
        written.map(({ _id }) => _id),
      );
      expect((await rowIds()).filter((id) => !rows.includes(id))).toEqual(written.map(({ _id }) => `${_id}/1`));
      const pending = written.length === 0 ? [] : [{ pending: written.length }];
      expect(await harness.find<Counters>('campaign_counters')).toMatchObject(pending);
    });

    test('nothing to commit is no transaction', async () => {
      const [before] = await harness.find('members');
      expect(await harness.conversations.commit([])).toEqual({ missed: new Set(), poisoned: new Map() });
      expect(await harness.conversations.commitInOrder([])).toEqual(new Set());
      expect(await harness.find('members')).toEqual([before]);
    });
  });
}

async function paged(page: (after: string | undefined) => Promise<string[]>): Promise<string[]> {
  const all: string[] = [];
  for (let found = await page(undefined); found.length > 0; found = await page(all.at(-1))) all.push(...found);
  return all;
}

describe('memory', () => describeConversationStore('MemoryConversations', memoryHarness));
describe('mongo', () => {
  const { make, close } = mongoHarnesses();
  afterAll(close);
  describeConversationStore('MongoConversations', make);
});
