import { describe, expect, test } from '@jest/globals';
import { lastValueFrom, NEVER, of } from 'rxjs';
import { ServiceError } from '../../../src/domain/errors.ts';
import { campaignPartition } from '../../../src/domain/ids.ts';
import type { Id, Run } from '../../../src/domain/model.ts';
import { waitFor } from '../../support/waitFor.ts';
import { contacts, partitions, world } from './campaignWorld.ts';

const day = 24 * 3_600_000;

describe('a campaign from start to end', () => {
  test('given a pending one, then it starts, is expanded, folded and completed; each step is told at once', async () => {
    const { database, member, submit, count } = world();
    const { campaigns, expandAll, changed, instruments, logger } = member('m1');
    submit('spring');
    await campaigns.look('spring');
    expect(database.campaigns.get('spring')).toMatchObject({ status: 'running', version: 1 });
    expect(await expandAll()).toBe(1);
    expect(database.conversations.find().map(({ _id }) => _id)).toEqual(['spring:c0', 'spring:c1', 'spring:c2']);
    expect(database.runs.get('spring')).toMatchObject({ wake: 1, expansion: { expanded: 3, done: true, after: 3 } });

    await campaigns.foldTick();
    expect(database.campaigns.get('spring')).toMatchObject({ status: 'running', metrics: { total: 3, active: 3 } });
    count('spring', { active: -3, completed: 3, pending: 1 });
    await campaigns.foldTick();
    expect(database.campaigns.get('spring')?.status).toBe('running');
    count('spring', { pending: -1 });
    await campaigns.foldTick();
    expect(database.campaigns.get('spring')).toMatchObject({
      status: 'completed',
      metrics: { total: 3, active: 0, completed: 3 },
    });

    expect(changed.map(({ status, settled, expansion }) => [status, settled, expansion.done])).toEqual([
      ['running', false, false],
      ['running', false, true],
      ['completed', true, true],
    ]);
    expect(instruments.of('event').map(([name]) => name)).toEqual(['campaign_started', 'campaign_settled']);
    expect(instruments.of('conversations')).toEqual([['active', 3]]);
    expect(logger.of('info').map(({ message }) => message)).toEqual([
      'campaign: started',
      'the audience is expanded',
      'a campaign ended',
    ]);
  });

  test('given nobody in the audience, then it completes by itself', async () => {
    const { database, member, submit } = world();
    const { campaigns, expandAll } = member('m1');
    submit('spring', { audience: { contacts: [] } });
    await campaigns.look('spring');
    await expandAll();
    await campaigns.foldTick();
    expect(database.campaigns.get('spring')).toMatchObject({ status: 'completed', metrics: { total: 0 } });
  });

  test('given one that is broken beside a good one, then it fails with a path and the other runs', async () => {
    const { database, member, submit } = world();
    const { campaigns, instruments, logger } = member('m1');
    submit('bad', { flow: 'none', status: 'pending', priority: Number.NaN });
    submit('odd', { status: 7 });
    submit('good');
    await campaigns.sweep();
    expect(database.campaigns.get('bad')).toMatchObject({ status: 'failed', error: { path: 'priority' } });
    expect(database.campaigns.get('odd')).toMatchObject({ status: 'failed', error: { path: 'status' } });
    expect(database.campaigns.get('good')?.status).toBe('running');
    expect(instruments.events('campaign_failed')).toBe(2);
    expect(logger.of('warn').map(({ fields }) => fields['campaignId'])).toEqual(['bad', 'odd']);
    await campaigns.sweep();
    expect(instruments.events('campaign_failed')).toBe(2);
  });

  test.each<[object, Partial<Run>]>([
    [{ status: 'cancelled' }, { status: 'cancelled', endReason: 'campaign_cancelled' }],
    [{ schedule: { endAt: new Date(0) } }, { endReason: 'campaign_ended' }],
  ])('given %p while it runs, then it is settled once nothing is active', async (more, run) => {
    const { database, member, submit, write, count } = world();
    const { campaigns, expandAll } = member('m1');
    submit('spring', { audience: { contacts: contacts(1500) } });
    await campaigns.look('spring');
    await campaigns.expandTick();
    write('spring', more);
    await campaigns.look('spring');
    expect(await expandAll()).toBe(0);
    expect(database.conversations.find()).toHaveLength(1000);
    count('spring', { active: -1000, cancelled: 1000 });
    await campaigns.foldTick();
    expect(database.runs.get('spring')).toMatchObject({ ...run, settled: true });
  });

  test('given the document is deleted, then the run is cancelled and settled', async () => {
    const { database, member, submit, count } = world();
    const { campaigns, expandAll } = member('m1');
    submit('spring');
    await campaigns.look('spring');
    await expandAll();
    database.campaigns.delete('spring');
    await campaigns.look('spring');
    count('spring', { active: -3, cancelled: 3 });
    await campaigns.foldTick();
    expect(database.runs.get('spring')).toMatchObject({
      status: 'cancelled',
      settled: true,
      metrics: { cancelled: 3 },
    });
  });
});

describe('templates and audiences', () => {
  const flow = { stages: [{ id: 'intro', type: 'message', channel: 'sms', content: { text: 'Hi' } }] };

  test.each([
    [undefined, 10],
    [2, 2],
    [9, undefined],
  ])('given the version %p, then version %p is pinned', async (asked, pinned) => {
    const { database, member, submit } = world();
    const { campaigns } = member('m1');
    for (const version of [2, 10]) database.templates.put({ _id: { id: 'onboarding', version }, flow } as never);
    submit('spring', { templateId: 'onboarding', ...(asked ? { templateVersion: asked } : {}) });
    database.campaigns.update('spring', {}, ['flow']);
    await campaigns.look('spring');
    expect(database.runs.get('spring')?.template?.version).toBe(pinned);
    expect(database.campaigns.get('spring')?.status).toBe(pinned ? 'running' : 'failed');
  });

  test('given an id or version of a template that is none, then it fails and nothing is asked', async () => {
    const { database, member, submit } = world();
    const { campaigns } = member('m1');
    submit('a', { templateId: 7 });
    submit('b', { templateId: 'onboarding', templateVersion: 'latest' });
    await campaigns.sweep();
    expect(['a', 'b'].map((id) => database.campaigns.get(id)?.status)).toEqual(['failed', 'failed']);
  });

  test('given a query the database refuses, then it fails before the start', async () => {
    const { database, member, submit } = world();
    const { campaigns } = member('m1');
    submit('spring', { audience: { collection: 'people', filter: { $where: '1' } } });
    await campaigns.look('spring');
    expect(database.campaigns.get('spring')).toMatchObject({
      ...{ status: 'failed', error: { path: 'audience.filter.$where' } },
    });
    expect(database.runs.get('spring')).toBeUndefined();
  });

  test('given the rest of an audience is refused, then it is paused and says why', async () => {
    const { database, member, submit, people } = world();
    const { campaigns, expandAll } = member('m1');
    people('people', 1200);
    submit('spring', { audience: { collection: 'people' } });
    await campaigns.look('spring');
    await campaigns.expandTick();
    database.hooks.before = (operation) => {
      if (operation === 'audiencePage') throw new ServiceError('document_invalid', 'audience.filter.age: refused');
    };
    await expandAll();
    await waitFor(() => database.campaigns.get('spring')?.status === 'paused', { what: 'the pause' });
    expect(database.campaigns.get('spring')).toMatchObject({
      error: { path: 'audience.filter.age', message: 'refused' },
    });
    expect(database.runs.get('spring')).toMatchObject({ status: 'paused', pausedReason: 'not_allowed' });
  });

  test('given a collection with rules, then contacts are mapped; doubles and invalid ones are counted', async () => {
    const { database, member, submit, people } = world();
    const { campaigns, expandAll, logger } = member('m1');
    people('people', 2500, (n) => ({ user: n === 7 ? '' : `u${n % 2400}`, country: n < 2450 ? 'DE' : 'FR' }));
    submit('spring', {
      audience: { collection: 'people', filter: { country: 'DE' }, map: { id: '$user', name: 'x' } },
    });
    await campaigns.look('spring');
    await expandAll();
    // users 0 to 49 come twice; number 7 cannot be used the first time
    expect(database.runs.get('spring')?.expansion).toEqual({
      expanded: 2400,
      skipped: { duplicate_contact: 49, contact_invalid: 1 },
      after: 2449,
      done: true,
    });
    expect(database.conversations.get('spring:u2399')).toMatchObject({
      contact: { id: 'u2399', name: 'x', phone: '+492399' },
    });
    expect(logger.of('warn')[0]?.fields).toMatchObject({ campaignId: 'spring', first: 'id is empty' });
  });

  test('given large contacts, then a slice ends at about two megabytes', async () => {
    const { database, member, submit, people } = world();
    const { campaigns, expandAll } = member('m1');
    people('people', 12, (n) => ({ attributes: { text: 'x'.repeat(n === 5 ? 5_000_000 : 500_000) } }));
    submit('spring', { audience: { collection: 'people' } });
    await campaigns.look('spring');
    await campaigns.expandTick();
    expect(database.runs.get('spring')?.expansion).toMatchObject({ expanded: 4, after: 3, done: false });
    await expandAll();
    expect(database.runs.get('spring')?.expansion).toMatchObject({
      expanded: 11,
      skipped: { contact_invalid: 1 },
      done: true,
    });
  });

  test('given inline contacts that are gone from the document, then none follow', async () => {
    const { database, member, submit, write } = world();
    const { campaigns, expandAll, logger } = member('m1');
    submit('spring');
    await campaigns.look('spring');
    write('spring', { audience: null });
    await expandAll();
    expect(database.runs.get('spring')?.expansion).toMatchObject({ expanded: 0, done: true });
    expect(logger.of('warn')[0]?.message).toContain('gone from its document');
  });

  test('given a flow of another release, then it is said and the audience waits', async () => {
    const { database, member, submit } = world();
    const { campaigns, expandAll, instruments } = member('m1');
    submit('spring');
    await campaigns.look('spring');
    database.runs.update('spring', { flow: { stages: [{ id: 'a', type: 'split' }] } as never });
    await expandAll();
    expect(instruments.events('flow_unusable')).toBe(1);
    expect(database.runs.get('spring')?.expansion.expanded).toBe(0);
  });
});

describe('expansion', () => {
  test('given several at once, then each has its turn', async () => {
    const { database, member, submit } = world();
    const { campaigns } = member('m1');
    const order: string[] = [];
    database.watch(({ collection, id }) => collection === 'campaign_runs' && order.push(String(id)));
    submit('big', { audience: { contacts: contacts(3000) } });
    submit('mid', { audience: { contacts: contacts(2000) } });
    submit('small', { audience: { contacts: contacts(10) } });
    await campaigns.sweep();
    order.length = 0;
    while (await campaigns.expandTick());
    expect(order).toEqual(['big', 'mid', 'small', 'big', 'mid', 'big']);
  });

  test('given a pause, then it stops at once and goes on where it was', async () => {
    const { database, member, submit, write } = world();
    const { campaigns, expandAll } = member('m1');
    submit('spring', { audience: { contacts: contacts(2500) } });
    await campaigns.look('spring');
    await campaigns.expandTick();
    write('spring', { status: 'paused' });
    await campaigns.look('spring');
    expect(campaigns.expansion.size).toBe(0);
    write('spring', { status: 'running' });
    await campaigns.look('spring');
    expect(await expandAll()).toBe(2);
    expect(database.conversations.find()).toHaveLength(2500);
  });

  test('given a pause that only the stored run knows of, then the next slice is not written', async () => {
    const { database, member, submit } = world();
    const { campaigns, expandAll } = member('m1');
    submit('spring');
    await campaigns.look('spring');
    database.runs.update('spring', { status: 'paused' });
    await expandAll();
    expect(database.conversations.find()).toHaveLength(0);
  });

  test('given answers get lost and the database fails, then each contact is there exactly once', async () => {
    const { database, member, submit, clock } = world();
    const { campaigns } = member('m1');
    submit('spring', { audience: { contacts: contacts(4200) } });
    await campaigns.look('spring');
    let calls = 0;
    const fail = (operation: string): void => {
      if (operation === 'expand' && ++calls % 2 === 0) throw new Error('the answer got lost');
    };
    database.hooks = { before: fail, after: fail };
    for (let turn = 0; turn < 50 && !database.runs.get('spring')?.expansion.done; turn++) {
      await campaigns.expandTick();
      await clock.advanceAsync(60_000);
    }
    expect(database.conversations.find()).toHaveLength(4200);
    expect(database.runs.get('spring')?.expansion).toEqual({ expanded: 4200, skipped: {}, after: 4200, done: true });
  });

  test('given another member takes over, then it goes on where the first one was', async () => {
    const { database, member, submit } = world();
    const first = member('m1');
    submit('spring', { audience: { contacts: contacts(2500) } });
    await first.campaigns.look('spring');
    await first.campaigns.expandTick();
    database.fence('m1');
    await first.campaigns.expandTick();
    const second = member('m2');
    await second.campaigns.sweep();
    await second.expandAll();
    expect(database.runs.get('spring')?.expansion).toMatchObject({ expanded: 2500, done: true });
    expect(database.conversations.find()).toHaveLength(2500);
  });

  test('given somebody else moves it again and again, then it rests before it tries on', async () => {
    const { database, member, submit, clock } = world();
    const { campaigns, logger, expandAll } = member('m1');
    submit('spring');
    await campaigns.look('spring');
    let moved = 0;
    database.hooks.before = (operation) => {
      if (operation === 'expand')
        database.runs.update('spring', { expansion: { expanded: 0, skipped: {}, after: ++moved, done: false } });
    };
    await expandAll();
    expect(campaigns.expansion.size).toBe(0);
    expect(logger.of('warn')[0]?.message).toContain('could not be expanded');
    database.hooks = {};
    await clock.advanceAsync(60_000);
    await expandAll();
    expect(database.runs.get('spring')?.expansion.done).toBe(true);
  });
});

describe('looking', () => {
  test('given it is not ours, then nothing is done, and what was ours is let go', async () => {
    const { database, member, submit, operations, clock } = world();
    let owned = false;
    const { campaigns } = member('m1', {
      owns: (partition) => owned && partition === campaignPartition('spring', partitions),
    });
    submit('spring', { schedule: { startAt: new Date(clock.now() + day) } });
    await campaigns.look('spring');
    expect(operations).toEqual([]);
    owned = true;
    await campaigns.sweep();
    expect(database.campaigns.get('spring')?.status).toBe('scheduled');
    expect(clock.pending).toBe(1);
    owned = false;
    await campaigns.look('spring');
    await campaigns.foldTick();
    expect(clock.pending).toBe(0);
    expect(operations).not.toContain('changedCounters');
  });

  test('given an _id that is none, then the owner of the first partition fails it', async () => {
    const { database, member, submit } = world();
    const { campaigns } = member('m1', { owns: (partition) => partition === 0 });
    const id = new Date(0) as unknown as Id;
    submit(id);
    await campaigns.look(id);
    expect(database.campaigns.find()[0]).toMatchObject({ status: 'failed', error: { path: '_id' } });
  });

  test('given startAt ahead, then it starts by itself, also when a timer cannot wait that long', async () => {
    const { database, member, submit, clock } = world();
    const { campaigns } = member('m1');
    submit('spring', {
      schedule: { startAt: new Date(clock.now() + 60 * day), endAt: new Date(clock.now() + 61 * day) },
    });
    await campaigns.look('spring');
    expect(clock.nextIn).toBeLessThan(2 ** 31);
    const status = (): string | undefined => database.campaigns.get('spring')?.status;
    const settle = (expected: string): Promise<unknown> =>
      waitFor(() => status() === expected && clock.pending === 1, { what: expected });
    for (let days = 0; days < 59; days += 1) {
      await clock.advanceAsync(day);
      await settle('scheduled');
    }
    await clock.advanceAsync(day);
    await settle('running');
    await clock.advanceAsync(day);
    await waitFor(() => database.runs.get('spring')?.endReason === 'campaign_ended', { what: 'its end' });
  });

  test('given it changes between reading and writing, then it is read again', async () => {
    const { database, member, submit, write } = world();
    const { campaigns } = member('m1');
    submit('spring');
    let changes = 1;
    database.hooks.before = (operation) => {
      if (operation === 'campaign' && database.campaigns.get('spring')?.status === 'pending' && changes-- === 0)
        write('spring', { status: 'paused' });
    };
    await campaigns.look('spring');
    expect(database.campaigns.get('spring')?.status).toBe('paused');
    expect(database.runs.get('spring')).toBeUndefined();
  });

  test('given it ends after its run was read and before its document is, then the end stands', async () => {
    const { database, member, submit, count } = world();
    const { campaigns, expandAll } = member('m1');
    submit('spring');
    await campaigns.look('spring');
    await expandAll();
    count('spring', { active: -3, completed: 3 });
    let isFirst = true;
    database.hooks.before = async (operation) => {
      if (operation !== 'campaign' || !isFirst) return;
      isFirst = false;
      await campaigns.foldTick();
    };
    await campaigns.look('spring');
    expect(database.runs.get('spring')?.settled).toBe(true);
    expect(database.campaigns.get('spring')).toMatchObject({ status: 'completed' });
    expect(database.campaigns.get('spring')).not.toHaveProperty('error');
  });

  test('given it never stands still or the database fails, then it is tried again with back-off', async () => {
    const { database, member, submit, clock } = world();
    const { campaigns, logger } = member('m1');
    submit('spring');
    const store = database.campaigns;
    let tries = 0;
    database.hooks.before = (operation) => {
      if (operation !== 'campaign') return;
      tries += 1;
      if (tries === 1) throw new Error('away');
      if (tries <= 11)
        store.update('spring', { status: store.get('spring')?.status === 'pending' ? 'running' : 'pending' });
    };
    await campaigns.look('spring');
    expect(logger.of('warn')).toHaveLength(1);
    expect(database.campaigns.get('spring')?.status).toBe('pending');
    for (let turn = 0; turn < 5; turn++) await clock.advanceAsync(60_000);
    await waitFor(() => database.runs.get('spring') !== undefined, { what: 'the start' });
    expect(clock.pending).toBe(0);
  });

  test('given looks pile up, then they are one, in order', async () => {
    const { database, member, submit, operations } = world();
    const { campaigns } = member('m1');
    submit('spring', { status: 'draft' });
    const looks = [campaigns.look('spring'), campaigns.look('spring'), campaigns.look('spring')];
    await Promise.all(looks);
    expect(operations.filter((operation) => operation === 'run').length).toBeLessThanOrEqual(2);
    database.campaigns.update('spring', { status: 'pending' });
    await campaigns.look('spring');
    expect(database.campaigns.get('spring')?.status).toBe('running');
  });

  test('given the collection of campaigns is gone, then runs are paused, not cancelled', async () => {
    const { database, member, submit } = world();
    let collection: string | undefined = 'first';
    const { campaigns } = member('m1', { campaignsUuid: async () => collection });
    submit('spring');
    await campaigns.look('spring');
    const kept = database.campaigns.get('spring');
    database.campaigns.delete('spring');
    collection = undefined;
    await campaigns.sweep();
    expect(database.runs.get('spring')).toMatchObject({ status: 'paused', pausedReason: 'collection_missing' });
    collection = 'second';
    database.campaigns.insert(kept as never);
    await campaigns.look('spring');
    expect(database.runs.get('spring')).toMatchObject({ status: 'running', collectionUuid: 'second' });
    database.campaigns.delete('spring');
    await campaigns.look('spring');
    expect(database.runs.get('spring')).toMatchObject({ status: 'cancelled' });
  });

  test('given a document is missing because its collection is just dropped, then the run is paused, not cancelled', async () => {
    const { database, member, submit } = world();
    let isDropped = false;
    const { campaigns } = member('m1', {
      campaignsUuid: async () => {
        const asked = isDropped ? undefined : 'first';
        // between the question and the read that follows it
        if (database.runs.get('spring') !== undefined) {
          database.campaigns.delete('spring');
          isDropped = true;
        }
        return asked;
      },
    });
    submit('spring');
    await campaigns.look('spring');
    await campaigns.look('spring');
    expect(database.runs.get('spring')).toMatchObject({ status: 'paused', pausedReason: 'collection_missing' });
  });

  test('given the document is gone before its contacts were read, then none are left out', async () => {
    const { clock, database, member, submit } = world();
    const { campaigns, expandAll } = member('m1', { campaignsUuid: async () => 'first' });
    submit('spring');
    await campaigns.look('spring');
    const kept = database.campaigns.get('spring');
    database.campaigns.delete('spring');
    await campaigns.expandTick();
    expect(database.runs.get('spring')?.expansion.done).toBe(false);
    database.campaigns.insert(kept as never);
    await clock.advanceAsync(30_000);
    await expandAll();
    expect(database.runs.get('spring')?.expansion).toMatchObject({ done: true });
    expect(database.conversations.find().length).toBeGreaterThan(0);
  });

  test('given an ended campaign is set to run again, then it is put back', async () => {
    const { database, member, submit, write } = world();
    const { campaigns, expandAll, instruments } = member('m1');
    submit('spring', { audience: { contacts: [] } });
    await campaigns.look('spring');
    await expandAll();
    await campaigns.foldTick();
    write('spring', { status: 'running' });
    await campaigns.look('spring');
    expect(database.campaigns.get('spring')).toMatchObject({
      status: 'completed',
      error: { code: 'status_not_allowed' },
    });
    expect(instruments.events('campaign_put_back')).toBe(1);
  });
});

describe('folding', () => {
  test('given no open run, then nothing is asked; given one fails, then the others are folded and it is tried again', async () => {
    const { database, member, submit, operations } = world();
    const { campaigns, logger } = member('m1');
    await campaigns.foldTick();
    expect(operations).toEqual([]);
    submit('a');
    submit('b');
    await campaigns.sweep();
    let failures = 0;
    database.hooks.before = (operation) => {
      if (operation === 'changedCounters' && failures === 0) throw new Error(`away ${++failures}`);
      if (operation === 'fold' && failures++ === 1) throw new Error('away');
    };
    await campaigns.foldTick();
    await campaigns.foldTick();
    await campaigns.foldTick();
    expect(logger.of('warn')).toHaveLength(2);
    expect(database.runs.get('a')?.metrics).toMatchObject({ total: 0 });
  });

  test('given nothing changed, then nothing is written', async () => {
    const { member, submit, operations, clock } = world();
    const { campaigns, expandAll } = member('m1');
    submit('spring');
    await campaigns.look('spring');
    await expandAll();
    await campaigns.foldTick();
    clock.advance(10 * 60_000);
    await campaigns.foldTick();
    operations.length = 0;
    await campaigns.foldTick();
    expect(operations).toEqual(['changedCounters']);
  });

  test('given it was settled by somebody else, then it is forgotten', async () => {
    const { database, member, submit, operations } = world();
    const { campaigns, expandAll, changed } = member('m1');
    submit('spring', { audience: { contacts: [] } });
    await campaigns.look('spring');
    await expandAll();
    database.runs.update('spring', { settled: true, status: 'completed' });
    await campaigns.foldTick();
    operations.length = 0;
    await campaigns.foldTick();
    expect(operations).toEqual([]);
    expect(changed.at(-1)?.settled).toBe(true);
  });
});

describe('the pipeline', () => {
  test('given ids, then it looks, expands and folds until it is told to stop, and leaves no timer', async () => {
    const { database, member, submit, clock, count } = world();
    const { campaigns, abort, instruments } = member('m1');
    submit('spring', { audience: { contacts: contacts(1500) } });
    submit('late', { schedule: { startAt: new Date(clock.now() + day) } });
    const done = lastValueFrom(campaigns.run$(of('spring', 'late', 'nobody')), { defaultValue: undefined });
    await waitFor(() => database.runs.get('spring')?.expansion.done, { what: 'the expansion' });
    count('spring', { active: -1500, completed: 1500 });
    await waitFor(
      async () => {
        await clock.advanceAsync(1000);
        return database.campaigns.get('spring')?.status === 'completed';
      },
      { what: 'the end' },
    );
    expect(instruments.events('campaign_settled')).toBe(1);
    abort.abort();
    await done;
    expect(clock.pending).toBe(0);
    expect(await campaigns.expandTick()).toBe(false);
    await campaigns.look('late');
    await campaigns.foldTick();
  });

  test('given it was stopped before, then it is over at once', async () => {
    const { member } = world();
    const { campaigns, abort } = member('m1');
    abort.abort();
    await lastValueFrom(campaigns.run$(NEVER), { defaultValue: undefined });
  });
});

describe('what was forgotten', () => {
  test('nothing of what is in hand; then what nobody was told of: a start, a pause, an audience, an end', async () => {
    const { database, clock, member, submit, write } = world();
    const { campaigns, expandAll } = member('m1');
    const forgotten = async (): Promise<object> => Object.fromEntries(await campaigns.forgotten());
    submit('spring');
    submit('later', { schedule: { startAt: new Date(clock.now() + day) } });
    expect(await forgotten()).toEqual({ spring: 'undecided, pending', later: 'undecided, pending' });
    await campaigns.sweep();
    expect(await forgotten()).toEqual({});
    await expandAll();
    expect(await forgotten()).toEqual({});
    write('spring', { status: 'paused' });
    expect(await forgotten()).toEqual({ spring: 'undecided, paused' });
    await campaigns.look('spring');
    expect(await forgotten()).toEqual({});
    const schedule = { startAt: new Date(clock.now() - 1) };
    database.runs.update('later', { schedule });
    write('later', { schedule });
    expect(await forgotten()).toEqual({ later: 'undecided, scheduled' });
    // another member, which has not looked at anything yet
    const other = member('m2').campaigns;
    expect(Object.keys(Object.fromEntries(await other.forgotten()))).toEqual(['later', 'spring']);
    await other.sweep();
    expect(await other.forgotten()).toEqual(new Map());
  });

  test('given the clock on the wall is set forward past its start, then it starts within half a minute', async () => {
    const { database, clock, member, submit } = world();
    const { campaigns } = member('m1');
    submit('spring', { schedule: { startAt: new Date(clock.now() + 60_000) } });
    await campaigns.look('spring');
    clock.stepWall(120_000);
    await clock.advanceAsync(30_000);
    expect(database.campaigns.get('spring')?.status).toBe('running');
  });

  test('an audience that waits for another try is not forgotten', async () => {
    const { database, clock, member, submit, people } = world();
    const { campaigns } = member('m1');
    people('customers', 3);
    submit('spring', { audience: { collection: 'customers' } });
    await campaigns.sweep();
    database.hooks.before = (operation) => {
      if (operation === 'audiencePage') throw new Error('away');
    };
    await campaigns.expandTick();
    expect([campaigns.expansion.size, await campaigns.forgotten()]).toEqual([0, new Map()]);
    database.hooks.before = () => {};
    await clock.advanceAsync(60_000);
    await campaigns.expandTick();
    expect(database.runs.get('spring')?.expansion).toMatchObject({ expanded: 3, done: true });
  });
});
