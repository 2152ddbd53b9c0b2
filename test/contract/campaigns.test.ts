import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ObjectId } from 'mongodb';
import type { CampaignDocument, Conversation, ExpansionSlice, Id, Run, Unit } from '../../src/domain/model.ts';
import { conversation, type Harness, type Make, memoryHarness, mongoHarnesses, run, unit } from './harness.ts';

const states = 'conversation_states';
type Described = { _id: Id; status: unknown } & Record<string, unknown>;

function describeCampaignStore(name: string, make: Make): void {
  let harness: Harness;
  beforeEach(async () => {
    harness = await make();
  });
  afterEach(() => harness.close());
  const campaign = (over: object = {}): Described => ({
    _id: 'c',
    status: 'running',
    audience: { contacts: [] },
    ...over,
  });
  const given = async (campaigns: readonly Described[], runs: readonly Run[] = []): Promise<void> => {
    if (campaigns.length > 0) await harness.insert('campaigns', campaigns);
    if (runs.length > 0) await harness.insert('campaign_runs', runs);
  };
  const now = (): Date => new Date(harness.clock.now());
  const stored = (id: Id = 'c') => harness.campaigns.campaign(id);

  describe(`${name}: reading`, () => {
    test('campaigns come as they are stored, whatever their shape', async () => {
      const odd = campaign({ _id: new ObjectId(), status: 7, flow: 'a string', limits: { perSecond: Number.NaN } });
      await given([odd, campaign({ _id: 7 }), campaign({ _id: '7', status: 'draft' })]);
      expect(await stored(odd._id)).toEqual(odd);
      expect(await stored(7)).toMatchObject({ status: 'running' });
      expect(await stored('nothing')).toBeUndefined();
      const heads = await harness.campaigns.heads([odd._id, 7, '7', 'nothing']);
      expect([...heads.values()].map(({ status }) => status).sort()).toEqual([7, 'draft', 'running']);
      expect(heads.get('#7')).toMatchObject({ status: 'running' });
    });

    test('templates by version, and the latest by number', async () => {
      const flow = run('c').flow;
      const versions = [1, 9, 10].map((version) => ({ _id: { id: 'welcome', version }, flow }));
      await harness.insert('templates', [...versions, { _id: { id: 'other', version: 99 }, flow }]);
      const { campaigns } = harness;
      expect(await campaigns.template('welcome', 9)).toEqual(versions[1]);
      expect(await campaigns.template('welcome', 2)).toBeUndefined();
      expect(await campaigns.latestTemplate('welcome')).toEqual(versions[2]);
      expect(await campaigns.latestTemplate('nothing')).toBeUndefined();
    });

    test('runs by id, and those that are open', async () => {
      const id = new ObjectId();
      const all = [run('a'), run('b', { settled: true, status: 'completed' }), run(7, { status: 'paused' }), run(id)];
      await given([], all);
      expect(await harness.campaigns.run(id)).toEqual(all[3]);
      expect(await harness.campaigns.run('x')).toBeUndefined();
      expect(keysOf(await harness.campaigns.runs(['a', 'b', 'x']))).toEqual(['a', 'b']);
      expect(keysOf(await harness.campaigns.openRuns())).toEqual(keysOf([run('a'), run(7), run(id)]));
    });

    test('needing attention are those to start, running or held, and those of no known status', async () => {
      const resting = ['draft', 'completed', 'failed', 'cancelled'];
      const asking = ['pending', 'scheduled', 'running', 'paused', 'Completed', '', 'zzz', 7, null, { a: 1 }, true];
      const all = [...resting, ...asking].map((status, index) => campaign({ _id: `c${index}`, status }));
      const { status: _, ...bare } = campaign({ _id: 'bare' });
      await given([...all, bare as Described]);
      const found: Id[] = [];
      for await (const id of harness.campaigns.needingAttention()) found.push(id);
      expect(found.sort()).toEqual(['bare', ...asking.map((_, index) => `c${index + 4}`)].sort());
    });

    test('the stop switch', async () => {
      expect(await harness.campaigns.sending()).toBe('on');
      await harness.insert('settings', [{ _id: 'control', sending: 'stopped' }]);
      expect(await harness.campaigns.sending()).toBe('stopped');
      await harness.update('settings', 'control', { sending: 'on' });
      expect(await harness.campaigns.sending()).toBe('on');
    });

    test('which conversations exist', async () => {
      await harness.insert(states, [conversation('c', 'a'), conversation('c', 'b')]);
      expect(await harness.campaigns.existing(['c:a', 'c:x', 'c:b'])).toEqual(new Set(['c:a', 'c:b']));
      expect(await harness.campaigns.existing([])).toEqual(new Set());
    });
  });

  describe(`${name}: audience`, () => {
    const ids = [3, 1, 2.5, 'b', 'a', 'é', new ObjectId(), new ObjectId(), new Date(5), new Date(1), true, false];
    const nested = [{ a: 1, b: 'x' }, { a: 1, b: 'y' }, { a: { c: 1 } }, {}];
    const documents = [...ids, ...nested].map((_id) => ({ _id, country: 'DE' }));

    const pages = async (limit: number, filter: Record<string, unknown>, between = async () => {}) => {
      const seen: unknown[] = [];
      for (let after: unknown, done = false; !done; await between()) {
        const page = await harness.campaigns.audiencePage({ collection: 'contacts', filter }, after, limit);
        expect(page.documents.length).toBeLessThanOrEqual(limit);
        seen.push(...page.documents.map(({ raw }) => raw['_id']));
        after = page.documents.at(-1)?.after;
        done = page.done;
      }
      return seen;
    };

    test.each([1, 3, 16, 100])('pages of %i give ids of mixed types once each, in one order', async (limit) => {
      await harness.insert('contacts', documents);
      await harness.insert('contacts', [{ _id: 'other', country: 'FR' }]);
      const seen = await pages(limit, { country: 'DE' });
      expect(seen).toHaveLength(documents.length);
      expect(seen).toEqual(await pages(100, { country: 'DE' }));
      expect(new Set(seen.map((id) => JSON.stringify([typeof id, id]))).size).toBe(documents.length);
    });

    test('a page resumes behind a document that is gone or that no longer fits', async () => {
      await harness.insert('contacts', documents);
      const { documents: first } = await harness.campaigns.audiencePage(
        { collection: 'contacts', filter: {} },
        undefined,
        4,
      );
      const after = first.at(-1)?.after;
      await harness.remove('contacts', after);
      const rest = await harness.campaigns.audiencePage({ collection: 'contacts', filter: {} }, after, 100);
      expect(rest.documents).toHaveLength(documents.length - 4);
      expect(rest.done).toBe(true);
    });

    test('the filter may speak of _id, too', async () => {
      await harness.insert('contacts', documents);
      expect(await pages(2, { _id: { $gte: 2 } })).toEqual([2.5, 3]);
    });

    test('a collection that is not there is empty', async () => {
      const page = await harness.campaigns.audiencePage({ collection: 'nowhere', filter: {} }, undefined, 10);
      expect(page).toEqual({ documents: [], done: true });
    });

    test('JavaScript on the server is refused', async () => {
      const source = { collection: 'contacts', filter: { $where: 'true' } };
      await expect(harness.campaigns.audiencePage(source, undefined, 10)).rejects.toMatchObject({
        code: 'document_invalid',
      });
    });
  });

  describe(`${name}: committing`, () => {
    test('campaign and run are written together, the version is raised', async () => {
      await given([campaign({ status: 'pending', error: { code: 'x', message: 'y' } })]);
      const set = { status: 'running', startedAt: now() } as const;
      const write = { campaignId: 'c', expectStatus: 'pending', campaign: { set, unset: ['error' as const] } };
      expect(await harness.campaigns.commit({ ...write, run: { insert: run('c') } })).toBe(true);
      expect(await stored()).toEqual({ ...campaign(), ...set, version: 1 });
      expect(await harness.campaigns.run('c')).toEqual(run('c'));
      const paused = { set: { status: 'paused', pausedReason: 'x' } as const };
      expect(await harness.campaigns.commit({ campaignId: 'c', expectStatus: 'running', run: paused })).toBe(true);
      expect(await stored()).toMatchObject({ version: 1 });
      const resumed = { set: { status: 'running' } as const, unset: ['pausedReason' as const] };
      harness.clock.advance(1_000);
      expect(await harness.campaigns.commit({ campaignId: 'c', expectStatus: '*', run: resumed })).toBe(true);
      expect(await harness.campaigns.run('c')).toEqual({ ...run('c'), updatedAt: now() });
    });

    test.each<[string, string | undefined]>([
      ['another status', 'pending'],
      ['a document that should be gone', undefined],
    ])('%s: nothing is written', async (_, expectStatus) => {
      await given([campaign()]);
      const set = { status: 'failed' } as const;
      const insert = run('c');
      expect(
        await harness.campaigns.commit({ campaignId: 'c', expectStatus, campaign: { set }, run: { insert } }),
      ).toBe(false);
      expect(await stored()).toEqual(campaign());
      expect(await harness.campaigns.run('c')).toBeUndefined();
    });

    test('a run is inserted once, ever', async () => {
      await given([campaign({ status: 'pending' })], [run('c', { wake: 5, settled: true })]);
      const write = { campaignId: 'c', expectStatus: 'pending', campaign: { set: { status: 'running' as const } } };
      expect(await harness.campaigns.commit({ ...write, run: { insert: run('c') } })).toBe(false);
      expect(await stored()).toMatchObject({ status: 'pending' });
      expect(await harness.campaigns.run('c')).toMatchObject({ wake: 5 });
      expect(
        await harness.campaigns.commit({ campaignId: 'x', expectStatus: '*', run: { set: { priority: 1 } } }),
      ).toBe(false);
    });

    test.each([
      ['none', 'open', 'settled'],
      ['open', 'none', 'settled'],
      ['settled', 'none', 'open'],
    ] as const)('only while its run is as it was read: %s', async (state, ...others) => {
      await given([campaign()], state === 'none' ? [] : [run('c', { settled: state === 'settled' })]);
      const set = { priority: 7 };
      const write = { campaignId: 'c', expectStatus: 'running', campaign: { set } };
      for (const expectRun of others) expect(await harness.campaigns.commit({ ...write, expectRun })).toBe(false);
      expect(await stored()).toEqual(campaign());
      expect(await harness.campaigns.commit({ ...write, expectRun: state })).toBe(true);
      expect(await stored()).toMatchObject(set);
    });

    test('members that start the same campaign at once: one does', async () => {
      await given([campaign({ status: 'pending' })]);
      const members = [harness, await harness.member('m2'), await harness.member('m3')];
      const set = { status: 'running' } as const;
      const write = { campaignId: 'c', expectStatus: 'pending', campaign: { set }, run: { insert: run('c') } };
      const started = await Promise.all(members.map(({ campaigns }) => campaigns.commit(write)));
      expect(started.filter(Boolean)).toHaveLength(1);
      expect(await stored()).toMatchObject({ version: 1 });
    });

    test('an expansion that went on since it was read is not set back', async () => {
      await given([campaign({ status: 'running' })], [run('c')]);
      const stale = { expanded: 0, skipped: { duplicate_contact: 1 }, done: true };
      const write = (expansion: Run['expansion']) => ({
        ...{ campaignId: 'c', expectStatus: '*', campaign: { set: { status: 'cancelled' as const } } },
        run: { set: { status: 'cancelled' as const, expansion } },
      });
      expect(await harness.campaigns.commit(write(stale))).toBe(false);
      expect(await harness.campaigns.commit(write({ ...stale, expanded: 7, skipped: {} }))).toBe(false);
      expect(await stored()).toMatchObject({ status: 'running' });
      const { expansion } = (await harness.campaigns.run('c')) as Run;
      expect(await harness.campaigns.commit(write({ ...expansion, done: true }))).toBe(true);
      expect(await harness.campaigns.run('c')).toMatchObject({ status: 'cancelled', expansion: { done: true } });
    });

    test('a campaign that is gone: only the run', async () => {
      await given([], [run('c')]);
      const write = { campaignId: 'c', expectStatus: undefined, run: { set: { status: 'cancelled' as const } } };
      expect(await harness.campaigns.commit(write)).toBe(true);
      const both = { ...write, expectStatus: '*', campaign: { set: { status: 'cancelled' as const } } };
      expect(await harness.campaigns.commit(both)).toBe(true);
      expect(await harness.campaigns.run('c')).toMatchObject({ status: 'cancelled' });
      expect(await stored()).toBeUndefined();
    });

    test('a version that others made a string or NaN becomes a number', async () => {
      await given([
        campaign({ _id: 'a', version: 'x' }),
        campaign({ _id: 'b', version: Number.NaN }),
        campaign({ version: 41 }),
      ]);
      for (const campaignId of ['a', 'b', 'c'])
        await harness.campaigns.commit({
          campaignId,
          expectStatus: 'running',
          campaign: { set: { status: 'failed' } },
        });
      const versions = await Promise.all(['a', 'b', 'c'].map(async (id) => (await stored(id))?.['version']));
      expect(versions).toEqual([1, 1, 42]);
    });

    test('a fenced member writes nothing', async () => {
      await given([campaign()]);
      await harness.fence();
      const write = { campaignId: 'c', expectStatus: 'running', campaign: { set: { status: 'failed' as const } } };
      await expect(harness.campaigns.commit(write)).rejects.toMatchObject({ code: 'fenced' });
      expect(await stored()).toEqual(campaign());
    });

    test('an occurrence is inserted with what its parent has begun, once, and only while that is as it was read', async () => {
      const next = now();
      const occurrences = { begun: 0, missed: 0, next };
      await given([campaign(), campaign({ _id: 'taken', status: 'draft' })], [run('c', { child: {}, occurrences })]);
      const begin = (childId: string) =>
        harness.campaigns.commit({
          ...{ campaignId: 'c', expectStatus: 'running', expectRun: 'open', expectNext: next },
          run: { set: { occurrences: { begun: 1, missed: 0, last: next, next: new Date(next.getTime() + 1) } } },
          child: { ...campaign({ _id: childId, parentId: 'c', status: 'pending' }), _id: childId },
        });
      expect(await begin('c@1')).toBe(true);
      expect(await stored('c@1')).toMatchObject({ parentId: 'c', status: 'pending' });
      expect(await stored('c@1')).not.toHaveProperty('version');
      expect(await begin('c@2')).toBe(false);
      expect(await stored('c@2')).toBeUndefined();
      expect((await harness.campaigns.run('c'))?.occurrences?.begun).toBe(1);
      await harness.update('campaign_runs', 'c', { occurrences });
      expect(await begin('taken')).toBe(true);
      expect(await stored('taken')).toMatchObject({ status: 'draft' });
    });
  });

  describe(`${name}: expanding`, () => {
    const slice = (from: unknown, to: unknown, conversations: Conversation[], done = false): ExpansionSlice => ({
      campaignId: 'c',
      from,
      expansion: { expanded: conversations.length, skipped: { duplicate_contact: 1 }, after: to, done },
      conversations,
      counters: { total: conversations.length, active: conversations.length },
    });
    const people = (...contacts: string[]) => contacts.map((contact) => conversation('c', contact));

    test.each<[string, unknown, unknown]>([
      ['numbers', 500, 1_000],
      ['ObjectIds', new ObjectId(), new ObjectId()],
      ['nested documents', { a: 1, b: [2] }, { a: 1, b: [3] }],
      ['mixed types', 'z', new Date(5)],
    ])('slices follow one another by where they begin: %s', async (_, first, second) => {
      await given([campaign()], [run('c')]);
      const { campaigns } = harness;
      expect(await campaigns.expand(slice(undefined, first, people('a', 'b')))).toBe(true);
      expect(await campaigns.expand(slice(undefined, first, people('x')))).toBe(false);
      expect(await campaigns.expand(slice(second, first, people('x')))).toBe(false);
      expect(await campaigns.expand(slice(first, second, people('d'), true))).toBe(true);
      expect(await campaigns.run('c')).toMatchObject({ wake: 2, expansion: { after: second, done: true } });
      expect(await stored()).toMatchObject({
        expansion: { expanded: 1, skipped: { duplicate_contact: 1 }, done: true },
      });
      expect(((await stored())?.['expansion'] as object) ?? {}).not.toHaveProperty('after');
      expect(await harness.find(states)).toEqual(people('a', 'b', 'd'));
      expect((await campaigns.counters('c')).metrics).toMatchObject({ total: 3, active: 3 });
    });

    test('the copy in the campaign is there from the first slice, with a raised version', async () => {
      await given([campaign({ version: 3 })], [run('c')]);
      await harness.campaigns.expand(slice(undefined, 1, people('a')));
      expect(await stored()).toMatchObject({ version: 4, expansion: { expanded: 1, done: false } });
    });

    test('a slice without conversations wakes nobody, and a campaign that is gone does no harm', async () => {
      await given([], [run('c')]);
      expect(await harness.campaigns.expand(slice(undefined, 1, []))).toBe(true);
      expect(await harness.campaigns.run('c')).toMatchObject({ wake: 0, expansion: { after: 1 } });
      expect(await harness.find('campaign_counters')).toEqual([]);
    });

    test('a conversation that somebody inserted in between: nothing of the slice is written', async () => {
      await given([campaign()], [run('c')]);
      await harness.insert(states, people('b'));
      expect(await harness.campaigns.expand(slice(undefined, 2, people('a', 'b')))).toBe(false);
      expect(await harness.find(states)).toEqual(people('b'));
      expect(await harness.campaigns.run('c')).toEqual(run('c'));
      expect(await harness.campaigns.expand(slice(undefined, 2, people('a')))).toBe(true);
    });

    test.each<[string, Partial<Run>]>([
      ['cancelled', { status: 'cancelled' }],
      ['settled', { settled: true, status: 'completed' }],
      ['at its endAt', { endReason: 'campaign_ended' }],
    ])('a run that is %s is not expanded', async (_, over) => {
      await given([campaign()], [run('c', over)]);
      expect(await harness.campaigns.expand(slice(undefined, 1, people('a')))).toBe(false);
      expect(await harness.find(states)).toEqual([]);
    });

    test('two members with the same slice: one expands it', async () => {
      await given([campaign()], [run('c')]);
      const second = await harness.member('m2');
      const same = slice(undefined, 1, people('a', 'b'));
      const done = await Promise.all([harness, second].map(({ campaigns }) => campaigns.expand(same)));
      expect(done.filter(Boolean)).toHaveLength(1);
      expect((await harness.campaigns.counters('c')).metrics.active).toBe(2);
    });

    test('a slice of the version before a migration is refused', async () => {
      const migration = { number: 2, from: 3, to: 4, startedAt: now(), left: [1, 2, 3] };
      await given([campaign()], [run('c', { migration })]);
      const { campaigns } = harness;
      expect(await campaigns.expand(slice(undefined, 1, people('a')))).toBe(false);
      expect(await campaigns.expand({ ...slice(undefined, 1, people('a')), migration: 1 })).toBe(false);
      expect(await campaigns.expand({ ...slice(undefined, 1, people('a')), migration: 2 })).toBe(true);
      await campaigns.asked('c', 1, [1, 2]);
      expect((await campaigns.run('c'))?.migration?.left).toEqual([1, 2, 3]);
      await campaigns.asked('c', 2, [1, 3, 9]);
      expect((await campaigns.run('c'))?.migration).toEqual({ ...migration, left: [2] });
      const write = { campaignId: 'c', expectStatus: 'running', run: { set: { wake: 9 } } };
      expect(await campaigns.commit({ ...write, expectMigration: 1 })).toBe(false);
      expect(await campaigns.commit({ ...write, expectMigration: 2 })).toBe(true);
      await given([campaign({ _id: 'd' })], [run('d')]);
      expect(await campaigns.expand({ ...slice(undefined, 1, []), campaignId: 'd', migration: 1 })).toBe(false);
      expect(await campaigns.commit({ ...write, campaignId: 'd', expectMigration: 0 })).toBe(true);
    });

    test('a slice that leaves the place as it is counts on what was expanded, where it says so', async () => {
      await given([campaign()], [run('c')]);
      const again = (who: string, expectExpanded: number): ExpansionSlice => {
        const one = slice(undefined, undefined, people(who));
        return { ...one, expectExpanded, expansion: { ...run('c').expansion, expanded: expectExpanded + 1 } };
      };
      const { campaigns } = harness;
      expect(await campaigns.expand(again('a', 0))).toBe(true);
      expect(await campaigns.expand(again('b', 0))).toBe(false);
      expect(await campaigns.expand(again('b', 1))).toBe(true);
      expect((await campaigns.run('c'))?.expansion).toMatchObject({ expanded: 2 });
      expect(await harness.find(states)).toHaveLength(2);
    });
  });

  describe(`${name}: counters and completion`, () => {
    const counted = async (
      counters: Unit['counters'],
      member: Pick<Harness, 'conversations'> = harness,
      campaignId: Id = 'c',
    ) => {
      const { change: _, ...rest } = unit(conversation(campaignId, 'x'), { inserts: [], counters });
      await member.conversations.commit([rest]);
    };
    const ended: Partial<Run> = { expansion: { expanded: 2, skipped: {}, after: 1, done: true } };

    test('counters are folded over all members, also of those that are gone', async () => {
      const second = await harness.member('m2');
      await counted({ total: 3, active: 3, pending: 2, 'messages.sent': 1, 'stages.intro.entered': 3 });
      await counted({ active: -1, completed: 1, pending: -1, 'messages.sent': 2, 'stages.intro.sent': 2 }, second);
      await counted({ active: 9 }, harness, new ObjectId());
      await counted({ 'aged.bounced.10s': 2, 'aged.complained.older': 1 });
      await counted({ 'aged.bounced.10s': 1, 'aged.bounced.1d': 4 }, second);
      await second.fence();
      const { metrics, pending, aged } = await harness.campaigns.counters('c');
      expect(aged).toEqual({ bounced: [3, 0, 0, 0, 4, 0], complained: [0, 0, 0, 0, 0, 1] });
      expect(pending).toBe(1);
      expect(metrics).toMatchObject({
        total: 3,
        active: 2,
        completed: 1,
        messages: { sent: 3, failed: 0 },
        stages: { intro: { entered: 3, sent: 2 } },
        updatedAt: now(),
      });
      expect(await harness.campaigns.counters('nothing')).toMatchObject({ pending: 0, metrics: { total: 0 } });
    });

    test('changed counters are told once for each change, whoever made it', async () => {
      const second = await harness.member('m2');
      const changed = async () => (await harness.campaigns.changedCounters()).map(String).sort();
      expect(await changed()).toEqual([]);
      await counted({ active: 1 });
      await counted({ active: 1 }, second);
      await counted({ active: 1 }, second, 7);
      expect(await changed()).toEqual(['7', 'c']);
      expect(await changed()).toEqual([]);
      await counted({ active: -1 }, second);
      expect(await changed()).toEqual(['c']);
      await counted({ pending: 1 });
      await counted({ pending: 0 }, second, 7);
      expect(await changed()).toEqual(['c']);
    });

    test('folding writes metrics to campaign and run, and the expansion beside', async () => {
      await given([campaign()], [run('c', ended)]);
      await counted({ active: 2 });
      const { metrics } = await harness.campaigns.counters('c');
      harness.clock.advance(500);
      await harness.campaigns.fold('c', metrics);
      const expansion = { expanded: 2, skipped: {}, done: true };
      expect(await stored()).toEqual({ ...campaign(), metrics, expansion, version: 1 });
      expect(await harness.campaigns.run('c')).toEqual({ ...run('c', ended), metrics, updatedAt: now() });
      await harness.remove('campaigns', 'c');
      await harness.campaigns.fold('c', { ...metrics, active: 1 });
      expect(await harness.campaigns.run('c')).toMatchObject({ metrics: { active: 1 } });
      expect(await stored()).toBeUndefined();
    });

    test.each<[string, Partial<Run>, Unit['counters'], unknown, boolean]>([
      ['all ended', ended, { active: 0, completed: 2 }, 'running', true],
      ['no contacts at all', ended, {}, 'running', true],
      ['expansion goes on', {}, { completed: 2 }, 'running', false],
      ['one is active', ended, { active: 1, completed: 1 }, 'running', false],
      ['one row is pending', ended, { completed: 2, pending: 1 }, 'running', false],
      ['endAt came during expansion', { endReason: 'campaign_ended' }, { cancelled: 2 }, 'running', true],
      ['endAt came in a pause', { endReason: 'campaign_ended', status: 'paused' }, { cancelled: 2 }, 'paused', true],
      ['paused', { ...ended, status: 'paused' }, { completed: 2 }, 'paused', false],
      ['paused by others a moment ago', ended, { completed: 2 }, 'paused', false],
      ['cancelled by others a moment ago', ended, { completed: 2 }, 'cancelled', false],
      ['settled before', { ...ended, settled: true }, { completed: 2 }, 'completed', false],
      ['a status nobody knows', ended, { completed: 2 }, 7, true],
    ])('settling, %s', async (_, over, counters, status, settles) => {
      await given([campaign({ status })], [run('c', over)]);
      await counted(counters);
      const before = [await stored(), await harness.campaigns.run('c')];
      expect(await harness.campaigns.settle('c')).toBe(settles);
      const after = [await stored(), await harness.campaigns.run('c')];
      if (!settles) return expect(after).toEqual(before);
      const { metrics } = await harness.campaigns.counters('c');
      const both = { status: 'completed', metrics, completedAt: now() };
      expect(after[0]).toMatchObject({ ...both, version: 1, results: expect.anything() });
      expect(after[1]).toMatchObject({ ...both, settled: true });
      expect(await harness.campaigns.settle('c')).toBe(false);
      return undefined;
    });

    test('what a ramp has used goes when its run settles, also where it was taken away before', async () => {
      await given([campaign({ status: 'running' })], [run('c', ended)]);
      await harness.insert('campaign_ramps', [{ _id: 'c', from: now(), used: 3 }]);
      await counted({ active: 1 });
      expect(await harness.campaigns.settle('c')).toBe(false);
      expect(await harness.find('campaign_ramps')).toHaveLength(1);
      await counted({ active: -1, completed: 1 });
      expect(await harness.campaigns.settle('c')).toBe(true);
      expect(await harness.find('campaign_ramps')).toEqual([]);
    });

    const ofAuthor: Partial<Run> = { status: 'cancelled', endReason: 'campaign_cancelled' };
    const atItsEnd: Partial<Run> = { status: 'cancelled', endReason: 'campaign_ended' };
    test.each<[string, Partial<Run>, unknown, 'cancelled' | 'completed']>([
      ['by its author', ofAuthor, 'cancelled', 'cancelled'],
      ['by its author, the document says pending', ofAuthor, 'pending', 'cancelled'],
      ['without a reason', { status: 'cancelled' }, 'cancelled', 'cancelled'],
      ['at its endAt', atItsEnd, 'running', 'completed'],
      ['at its endAt in a pause', atItsEnd, 'paused', 'completed'],
      ['at its endAt, and its author cancelled meanwhile', atItsEnd, 'cancelled', 'cancelled'],
    ])('a run that was cancelled %s settles once nothing is active', async (_, over, status, final) => {
      await given([campaign({ status })], [run('c', over)]);
      await counted({ total: 3, cancelled: 2, active: 1 });
      expect(await harness.campaigns.settle('c')).toBe(false);
      await counted({ active: -1, cancelled: 1 });
      expect(await harness.campaigns.settle('c')).toBe(true);
      const metrics = expect.objectContaining({ total: 3, active: 0, cancelled: 3 });
      expect(await stored()).toMatchObject({ status: final, metrics, completedAt: now() });
      expect(await harness.campaigns.run('c')).toMatchObject({ status: final, settled: true, metrics });
    });

    test('a migration that was asked for a moment ago is answered before the run settles', async () => {
      const migration = { number: 1, from: 1, to: 2, startedAt: new Date(0), left: [3] };
      await given([campaign()], [run('c', { ...ended, migration })]);
      await counted({ completed: 2 });
      expect(await harness.campaigns.settle('c')).toBe(false);
      await harness.update('campaign_runs', 'c', { migration: { ...migration, completedAt: new Date(1), left: [] } });
      expect(await harness.campaigns.settle('c')).toBe(true);
    });

    test('a deleted campaign keeps its metrics in the run; without a run nothing settles', async () => {
      await given([], [run('c', { status: 'cancelled' })]);
      await counted({ cancelled: 2 });
      expect(await harness.campaigns.settle('c')).toBe(true);
      expect(await harness.campaigns.run('c')).toMatchObject({ settled: true, metrics: { cancelled: 2 } });
      expect(await stored()).toBeUndefined();
      expect(await harness.campaigns.settle('nothing')).toBe(false);
    });

    test('what is counted after the end is folded by whoever asks, as often as that may be; results stay', async () => {
      await given([campaign()], [run('c', ended), run('open', ended)]);
      const second = await harness.member('m2');
      await counted({ total: 2, completed: 2, 'messages.sent': 2 });
      await counted({ active: 1 }, harness, 'open');
      expect(await harness.campaigns.unfolded()).toEqual([]);
      expect(await harness.campaigns.settle('c')).toBe(true);
      const { results } = (await stored()) as { results: unknown };
      expect(await harness.campaigns.unfolded()).toEqual([]);
      await counted({ 'messages.delivered': 1 });
      await counted({ 'messages.bounced': 1 }, second);
      expect(await harness.campaigns.unfolded()).toEqual(['c']);
      await Promise.all([harness, second].map(({ campaigns }) => campaigns.foldLate('c')));
      expect(await harness.campaigns.unfolded()).toEqual([]);
      const metrics = { completed: 2, messages: { sent: 2, delivered: 1, bounced: 1 } };
      expect(await stored()).toMatchObject({ metrics, results, status: 'completed' });
      expect(await harness.campaigns.run('c')).toMatchObject({ metrics, settled: true });
      // whoever folded before the end comes too late
      await harness.campaigns.fold('c', { ...(await harness.campaigns.counters('open')).metrics });
      expect(await harness.campaigns.run('c')).toMatchObject({ metrics });
      await harness.campaigns.foldLate('open');
      expect(await harness.campaigns.run('open')).not.toHaveProperty('metrics.active', 1);
      await harness.remove('campaigns', 'c');
      await counted({ 'messages.delivered': 1 });
      await harness.campaigns.foldLate('c');
      expect(await harness.campaigns.run('c')).toMatchObject({ metrics: { messages: { delivered: 2 } } });
    });

    test('a receipt that is counted at the very moment of the end is in the metrics or told by its flag', async () => {
      await given([campaign()], [run('c', ended)]);
      await counted({ completed: 2, 'messages.delivered': 1 });
      const second = await harness.member('m2');
      const settles = harness.campaigns.settle('c');
      await Promise.all([settles, ...Array.from({ length: 5 }, () => counted({ 'messages.delivered': 1 }, second))]);
      expect(await settles).toBe(true);
      for (const id of await harness.campaigns.unfolded()) await harness.campaigns.foldLate(id);
      expect(await harness.campaigns.run('c')).toMatchObject({ metrics: { messages: { delivered: 6 } } });
    });

    test('members that settle at once: one does', async () => {
      await given([campaign()], [run('c', ended)]);
      await counted({ completed: 2 });
      const second = await harness.member('m2');
      const settled = await Promise.all([harness, second].map(({ campaigns }) => campaigns.settle('c')));
      expect(settled.filter(Boolean)).toHaveLength(1);
      expect(await stored()).toMatchObject({ status: 'completed', version: 1 } satisfies Partial<CampaignDocument>);
    });
  });
}

const keysOf = (documents: readonly { _id: Id }[]): string[] => documents.map(({ _id }) => String(_id)).sort();

describe('memory', () => describeCampaignStore('MemoryCampaigns', memoryHarness));
describe('mongo', () => {
  const { make, close } = mongoHarnesses();
  afterAll(close);
  describeCampaignStore('MongoCampaigns', make);
});
