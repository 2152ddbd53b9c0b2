import { expect, test } from '@jest/globals';
import type { Id, Run } from '../../../src/domain/model.ts';
import { Attention, type AttentionParams } from '../../../streams/attention.ts';
import type { KnownRun } from '../../../streams/runs.ts';
import { run } from '../../contract/harness.ts';
import { manualClock } from '../../support/clock.ts';
import { recordingLogger } from '../../support/fakes.ts';

const never = new Promise<never>(() => {});

/** Attention over parts that tell what they were asked for. */
function given(more: { looks?: () => Promise<void>; enrollments?: () => Promise<void>; open?: () => Run[] } = {}) {
  const clock = manualClock();
  const asked: string[] = [];
  const known = new Map<Id, { key: string; run: Run; state: string }>();
  const { open = () => [] } = more;
  const tell =
    (what: string, work = async (): Promise<void> => {}) =>
    async (): Promise<void> => {
      asked.push(what);
      await work();
    };
  const params = {
    campaignStore: {
      ...{ openRunHeads: async () => open().map(({ flow: _, ...head }) => head), heads: async () => new Map() },
      runs: async (ids: readonly Id[]) => {
        asked.push(...ids.map(String));
        return open().filter(({ _id }) => ids.includes(_id));
      },
    },
    conversations: { withInbox: () => tell('inboxes')().then(() => []), activeOf: async () => [] },
    campaigns: {
      ...{ lookAtAll: tell('looks', more.looks), sweep: tell('campaigns', more.looks) },
      folding: { hasEnded: (id: Id) => asked.push(`ended ${id}`) },
    },
    enrollments: {
      isNews: () => false,
      offer: tell('offer', more.enrollments),
      lookAtEnded: tell('ended'),
      look: tell('enrollments', more.enrollments),
    },
    runs: {
      ...{ get: (id: Id) => known.get(id), all: () => [], ready: () => undefined },
      update: (one: Run) => {
        known.set(one._id, { key: String(one._id), run: one, state: 'running' });
        return known.get(one._id);
      },
    },
    schedule: { lookAtAll: () => asked.push('schedule'), wake: () => {}, setRun: () => {} },
    dispatch: { expire: () => {} },
    ownership: { isActive: () => true, active: [0] },
    hints: { offer: tell('hints') },
    inbound: { offer: tell('inbound'), sweep: tell('inbound') },
    ...{ partitions: 8, clock, random: () => 0.5, logger: recordingLogger(), signal: new AbortController().signal },
    ownershipChanged: () => {},
    fail: () => {},
  } as unknown as AttentionParams;
  return { attention: new Attention(params), asked, clock };
}

test.each<[string, Parameters<typeof given>[0]]>([
  ['a look at a campaign', { looks: () => never }],
  ['an enrollment', { enrollments: () => never }],
])('given %s that takes long, then replies and opt-outs are taken in, and what comes next', async (_, more) => {
  const { attention, asked } = given(more);
  const { rest } = await attention.handle([
    { kind: 'campaign', id: 'spring', deleted: false },
    { kind: 'enrollment', id: 1 },
    { kind: 'inbound', id: 'out' },
    { kind: 'conversation', id: 'spring:ada' },
  ]);
  expect(asked.toSorted()).toEqual(['ended', 'hints', 'inbound', 'looks', 'offer']);
  expect(await Promise.race([rest, Promise.resolve('open')])).toBe('open');
});

test('given a run that was open here and has settled, then what was counted in it as it ended is looked for once', () => {
  const { attention, asked } = given();
  const changed = (key: string, settled: boolean) =>
    attention.runChanged({ key, run: { ...run(key), settled }, state: 'running' } as KnownRun);
  changed('late', true);
  changed('spring', false);
  expect(asked).toEqual([]);
  changed('spring', true);
  changed('spring', true);
  expect(asked).toEqual(['ended spring']);
});

test('given enrollments that cannot be decided, then it is told with what takes longer', async () => {
  const { attention } = given({ enrollments: () => Promise.reject(new Error('away')) });
  const { rest } = await attention.handle([{ kind: 'enrollment', id: 1 }]);
  await expect(rest).rejects.toThrow('away');
});

test('given campaigns that cannot be swept after a gap, then opt-outs and replies are all the same', async () => {
  let failures = 1;
  const { attention, asked, clock } = given({
    looks: async () => {
      if (failures-- > 0) throw new Error('no');
    },
    enrollments: () => never,
  });
  void attention.sweepAll();
  await clock.advanceAsync(10_000);
  expect(asked.toSorted()).toEqual(['campaigns', 'campaigns', 'enrollments', 'inbound', 'inboxes', 'schedule']);
  expect(attention.isSweeping).toBe(true);
});

test('given runs that were taken in as they are stored, then only those that changed since are read whole again', async () => {
  const stored = [run('a'), run('b')];
  const { attention, asked } = given({ open: () => stored });
  await attention.loadRuns();
  expect(asked.splice(0)).toEqual(['a', 'b']);
  await attention.loadRuns();
  expect(asked).toEqual([]);
  stored[1] = run('b', { wake: 1 });
  await attention.loadRuns();
  expect(asked.splice(0)).toEqual(['b']);
  stored[0] = run('a', { updatedAt: new Date(7) });
  stored.push(run('c'));
  await attention.loadRuns();
  expect(asked).toEqual(['a', 'c']);
});
