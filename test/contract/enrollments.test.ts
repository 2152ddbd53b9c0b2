import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ObjectId } from 'mongodb';
import type { RawEnrollment } from '../../src/domain/enrollments.ts';
import { conversationId } from '../../src/domain/ids.ts';
import type { Conversation, EnrollmentSlice, Id, Run } from '../../src/domain/model.ts';
import { conversation, type Harness, type Make, memoryHarness, mongoHarnesses, run } from './harness.ts';

const states = 'conversation_states';
const taking = (over: Partial<Run> = {}): Run => run('c', { audience: { kind: 'enrollments' }, ...over });
const enrollment = (_id: unknown, campaignId: unknown = 'c', more: object = {}) => ({
  ...{ _id, campaignId, contact: { id: `of ${String(_id)}`, email: 'a@x' } },
  ...more,
});

function describeEnrollmentStore(name: string, make: Make): void {
  let harness: Harness;
  beforeEach(async () => {
    harness = await make();
  });
  afterEach(() => harness.close());
  const now = (): Date => new Date(harness.clock.now());
  const stored = async (id: unknown) => (await harness.find<RawEnrollment>('enrollments', { _id: id }))[0];

  const slice = (
    of: Conversation[],
    more: Partial<NonNullable<EnrollmentSlice['entering']>> = {},
  ): EnrollmentSlice => ({
    entering: {
      ...{ campaignId: 'c', conversations: of, again: [], skipped: {} },
      counters: { total: of.length, active: of.length },
      ...more,
    },
    answers: of.map(({ _id, contact }) => ({ id: String(contact.id), set: { conversationId: _id } })),
    faults: [],
  });

  describe(`${name}: reading`, () => {
    const pagesOf = async (campaignId: Id | undefined, limit: number): Promise<RawEnrollment[]> => {
      const seen: RawEnrollment[] = [];
      for (let after: unknown, done = false; !done; ) {
        const page = await harness.enrollments.page(campaignId, after, limit);
        expect(page.heads.length).toBeLessThanOrEqual(limit);
        seen.push(...page.heads);
        after = page.after;
        done = page.done;
      }
      return seen;
    };
    const hex = new ObjectId();
    const all = [
      ...['a', 'b', 7, hex].map((_id) => enrollment(_id)),
      ...['d', 'e'].map((_id) => enrollment(_id, 7)),
      enrollment('f', hex),
      enrollment('g', null),
      { _id: 'h', contact: 7 },
      enrollment('i', { odd: true }),
    ];

    test.each([1, 2, 100])('pages of %i have what waits, once each, whatever its campaign', async (limit) => {
      await harness.insert('enrollments', [...all, enrollment('z', 'c', { handledAt: now() })]);
      const ids = (found: RawEnrollment[]) => found.map(({ _id }) => String(_id)).sort();
      expect(ids(await pagesOf(undefined, limit))).toEqual(all.map(({ _id }) => String(_id)).sort());
      expect(ids(await pagesOf('c', limit))).toEqual(['7', 'a', 'b', String(hex)].sort());
      expect(ids(await pagesOf(7, limit))).toEqual(['d', 'e']);
      expect(ids(await pagesOf('nothing', limit))).toEqual([]);
    });

    test('a head has what routes it, and no more', async () => {
      await harness.insert('enrollments', [enrollment('a')]);
      expect((await harness.enrollments.page('c', undefined, 5)).heads).toEqual([
        { _id: 'a', campaignId: 'c', contact: { id: 'of a' } },
      ]);
    });

    test('heads of those that are named, with what their author was told', async () => {
      const told = enrollment('a', 'c', { error: { code: 'campaign_missing', message: 'none' } });
      await harness.insert('enrollments', [told, enrollment('z', 'c', { handledAt: now() })]);
      const head = { _id: 'a', campaignId: 'c', contact: { id: 'of a' }, error: { code: 'campaign_missing' } };
      expect(await harness.enrollments.waiting(['z', 'a'], true)).toEqual({ documents: [head], rest: [] });
      expect((await harness.enrollments.page('c', undefined, 5)).heads).toEqual([head]);
    });

    test('the rest of a campaign can be passed over', async () => {
      await harness.insert('enrollments', all);
      const numbered = await harness.enrollments.page(7, undefined, 1);
      const next = await harness.enrollments.page(undefined, numbered.afterCampaign, 1);
      expect(next.heads[0]?.['_id']).toBe(7);
    });

    test('those that wait, whole and in the order asked for', async () => {
      await harness.insert('enrollments', [...all, enrollment('z', 'c', { handledAt: now() })]);
      const { documents, rest } = await harness.enrollments.waiting(['b', 'nothing', hex, 'z', 'a']);
      expect(documents.map(({ _id }) => _id)).toEqual(['b', hex, 'a']);
      expect(documents[0]).toMatchObject(enrollment('b'));
      expect(rest).toEqual([]);
    });

    test('the last entry of contacts', async () => {
      const later = (n: number, over: object) => ({
        ...conversation('c', 'b', over),
        _id: conversationId('c', 'b', n),
      });
      await harness.insert(states, [
        conversation('c', 'a', { status: 'completed' }),
        conversation('c', 'b', { status: 'completed', entries: 3 }),
        later(2, { status: 'completed' }),
        later(3, { status: 'failed', createdAt: new Date(5) }),
        // somebody removed the last one
        conversation('c', 'x', { status: 'completed', entries: 2 }),
      ]);
      const found = await harness.campaigns.lastEntries(['c:a', 'c:b', 'c:x', 'c:nobody']);
      expect([...found.keys()].sort()).toEqual(['c:a', 'c:b', 'c:x']);
      expect(found.get('c:a')).toMatchObject({ entry: 1, status: 'completed' });
      expect(found.get('c:b')).toEqual({ entry: 3, status: 'failed', createdAt: new Date(5) });
      expect(found.get('c:x')).toMatchObject({ entry: 2, status: 'completed' });
    });
  });

  describe(`${name}: answering`, () => {
    test('answers, conversations, counters and the run are written together', async () => {
      await harness.insert('campaign_runs', [
        taking({ expansion: { expanded: 5, skipped: { contact_invalid: 1 }, done: false } }),
      ]);
      await harness.insert('enrollments', [
        enrollment('a', 'c', { error: { code: 'x', message: 'y' } }),
        enrollment('b'),
      ]);
      const entering = slice([conversation('c', 'a')], { skipped: { duplicate_contact: 1, contact_invalid: 2 } });
      const answers = [...entering.answers, { id: 'b', set: { reason: 'duplicate_contact' as const } }];
      expect(await harness.enrollments.answer({ ...entering, answers })).toBe(true);
      expect(await stored('a')).toEqual({ ...enrollment('a'), handledAt: now(), conversationId: 'c:a' });
      expect(await stored('b')).toEqual({ ...enrollment('b'), handledAt: now(), reason: 'duplicate_contact' });
      expect(await harness.find(states)).toEqual([conversation('c', 'a')]);
      expect((await harness.campaigns.counters('c')).metrics).toMatchObject({ total: 1, active: 1 });
      expect(await harness.campaigns.run('c')).toMatchObject({
        wake: 1,
        expansion: { expanded: 6, skipped: { duplicate_contact: 1, contact_invalid: 3 }, done: false },
      });
    });

    test('whoever enters follows the version that the run follows', async () => {
      const migration = { number: 2, from: 3, to: 4, startedAt: now(), left: [] };
      await harness.insert('campaign_runs', [taking({ migration })]);
      await harness.insert('enrollments', [enrollment('a')]);
      for (const [read, taken] of [
        [{}, false],
        [{ migration: 1 }, false],
        [{ migration: 2 }, true],
      ] as const)
        expect(await harness.enrollments.answer(slice([conversation('c', 'a')], read))).toBe(taken);
    });

    test('who enters again: the first conversation says how many there are', async () => {
      await harness.insert('campaign_runs', [taking()]);
      await harness.insert(
        'enrollments',
        ['a', 'b', 'x'].map((_id) => enrollment(_id)),
      );
      await harness.insert(states, [conversation('c', 'k', { status: 'completed', version: 7 })]);
      const entry = (n: number, id: string): EnrollmentSlice => ({
        ...slice([{ ...conversation('c', 'k'), _id: conversationId('c', 'k', n) }], {
          again: [{ id: 'c:k', entries: n }],
        }),
        answers: [{ id, set: { conversationId: conversationId('c', 'k', n) } }],
      });
      expect(await harness.enrollments.answer(entry(3, 'x'))).toBe(false);
      expect(await harness.enrollments.answer(entry(2, 'a'))).toBe(true);
      expect(await harness.enrollments.answer(entry(2, 'x'))).toBe(false);
      expect(await harness.enrollments.answer(entry(3, 'b'))).toBe(true);
      expect(await harness.find(states, { _id: 'c:k' })).toMatchObject([{ entries: 3, version: 9 }]);
      expect((await stored('x'))?.['handledAt']).toBeUndefined();
    });

    test.each(['active', 'escalated'] as const)(
      'nobody enters again whose conversation is %s meanwhile',
      async (status) => {
        await harness.insert('campaign_runs', [taking()]);
        await harness.insert('enrollments', [enrollment('a')]);
        await harness.insert(states, [conversation('c', 'k', { status, version: 7 })]);
        const second = { ...conversation('c', 'k'), _id: conversationId('c', 'k', 2) };
        const entry: EnrollmentSlice = {
          ...slice([second], { again: [{ id: 'c:k', entries: 2 }] }),
          answers: [{ id: 'a', set: { conversationId: second._id } }],
        };
        expect(await harness.enrollments.answer(entry)).toBe(false);
        expect(await harness.find(states)).toMatchObject([{ _id: 'c:k', status, version: 7 }]);
        expect((await stored('a'))?.['handledAt']).toBeUndefined();
      },
    );

    test('answers and faults of no campaign', async () => {
      await harness.insert('enrollments', [enrollment('a'), enrollment('b', 'nothing')]);
      const error = { code: 'campaign_missing', message: 'none', path: 'campaignId' };
      const answers = [{ id: 'a', set: { reason: 'not_allowed' as const, error } }];
      expect(await harness.enrollments.answer({ answers, faults: [{ id: 'b', error }] })).toBe(true);
      expect(await stored('a')).toEqual({ ...enrollment('a'), handledAt: now(), reason: 'not_allowed', error });
      expect(await stored('b')).toEqual({ ...enrollment('b', 'nothing'), error });
    });

    test('what nothing can be written to is told to operators', async () => {
      await harness.insert('enrollments', [enrollment('a')]);
      const error = { code: 'poisoned', message: 'too large' };
      const deadLetters = [{ documentId: 'a', reason: 'poisoned', error }];
      expect(await harness.enrollments.answer({ answers: [], faults: [], deadLetters })).toBe(true);
      expect(await harness.find('dead_letters')).toMatchObject([
        { collection: 'enrollments', documentId: 'a', reason: 'poisoned', error, at: now() },
      ]);
      expect(await stored('a')).toEqual(enrollment('a'));
    });

    const nothing = async (): Promise<void> => {
      expect((await stored('a'))?.['handledAt']).toBeUndefined();
      expect(await harness.campaigns.existing(['c:a'])).toEqual(new Set());
      expect((await harness.campaigns.counters('c')).metrics.total).toBe(0);
    };

    test.each<[string, Partial<Run>]>([
      ['paused', { status: 'paused' }],
      ['cancelled', { status: 'cancelled' }],
      ['settled', { settled: true, status: 'completed' }],
      ['at its endAt', { endReason: 'campaign_ended' }],
    ])('a run that is %s takes nobody', async (_, over) => {
      await harness.insert('campaign_runs', [taking(over)]);
      await harness.insert('enrollments', [enrollment('a')]);
      expect(await harness.enrollments.answer(slice([conversation('c', 'a')]))).toBe(false);
      await nothing();
    });

    test.each<[string, object[], object[]]>([
      ['handled', [enrollment('a', 'c', { handledAt: new Date(0) })], []],
      ['gone', [], []],
      ['one whose conversation exists', [enrollment('a')], [conversation('c', 'a')]],
    ])('an enrollment that is %s meanwhile: nothing is written', async (_, enrollments, conversations) => {
      await harness.insert('campaign_runs', [taking()]);
      if (enrollments.length > 0) await harness.insert('enrollments', enrollments);
      if (conversations.length > 0) await harness.insert(states, conversations);
      expect(await harness.enrollments.answer(slice([conversation('c', 'a')]))).toBe(false);
      expect(await harness.find(states)).toEqual(conversations);
      expect(await harness.campaigns.run('c')).toEqual(taking());
    });

    test('two members with the same enrollment: one takes it', async () => {
      await harness.insert('campaign_runs', [taking()]);
      await harness.insert('enrollments', [enrollment('a')]);
      const second = await harness.member('m2');
      const same = slice([conversation('c', 'a')]);
      const done = await Promise.all([harness, second].map(({ enrollments }) => enrollments.answer(same)));
      expect(done.filter(Boolean)).toHaveLength(1);
      expect((await harness.campaigns.counters('c')).metrics.active).toBe(1);
    });

    test('members that enroll into one campaign at once: both do, and all is counted', async () => {
      await harness.insert('campaign_runs', [taking()]);
      const ids = Array.from({ length: 20 }, (_, n) => `k${n}`);
      await harness.insert(
        'enrollments',
        ids.map((id) => enrollment(id)),
      );
      const members = [harness, await harness.member('m2'), await harness.member('m3')];
      const answers = ids.map((id, n) => members[n % 3]?.enrollments.answer(slice([conversation('c', id)])));
      expect(new Set(await Promise.all(answers))).toEqual(new Set([true]));
      expect(await harness.campaigns.run('c')).toMatchObject({ wake: 20, expansion: { expanded: 20 } });
      expect((await harness.campaigns.counters('c')).metrics).toMatchObject({ total: 20, active: 20 });
    });

    test('a fenced member writes nothing', async () => {
      await harness.insert('campaign_runs', [taking()]);
      await harness.insert('enrollments', [enrollment('a')]);
      await harness.fence();
      await expect(harness.enrollments.answer(slice([conversation('c', 'a')]))).rejects.toMatchObject({
        code: 'fenced',
      });
      await nothing();
    });
  });
}

describe('memory', () => describeEnrollmentStore('MemoryEnrollments', memoryHarness));
describe('mongo', () => {
  const { make, close } = mongoHarnesses();
  afterAll(close);
  describeEnrollmentStore('MongoEnrollments', make);
});
