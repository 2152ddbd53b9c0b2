import { describe, expect, test } from '@jest/globals';
import { ages, type Mark } from '../../../src/domain/guard.ts';
import type { Run } from '../../../src/domain/model.ts';
import { Guards } from '../../../streams/guards.ts';
import { given } from '../domain/given.ts';
import { contacts, world } from './campaignWorld.ts';

const none = ages.map(() => 0);
const mark = (at: number, answered: number, failed: number): Mark => ({
  ...{ at, answered, failed },
  receipts: { bounced: none, complained: none },
});
const run = (more: Partial<Run> = {}): Run =>
  ({ _id: 'spring', status: 'running', startedAt: new Date(0), guard: { errorRate: 0.5, over: 10 }, ...more }) as Run;
const resumed = (until: number): Partial<Run> => ({ pauses: [{ from: new Date(1), until: new Date(until) }] });

describe('what a guard looks back on', () => {
  test('all since the start, whoever looks first', () => {
    expect(new Guards().see(run(), mark(9, 10, 6))?.path).toBe('guard.errorRate');
    expect(new Guards().see(run(), mark(9, 10, 5))).toBeUndefined();
  });

  test('nothing without a guard, before the start, and of what is being ended', () => {
    const guards = new Guards();
    for (const one of [run({ startedAt: undefined as never }), run({ endReason: 'campaign_ended' })])
      expect(guards.see(one, mark(9, 10, 10))).toBeUndefined();
    const { guard: _, ...bare } = run();
    expect(guards.see(bare as Run, mark(9, 10, 10))).toBeUndefined();
  });

  test('after a resume only what was counted since it was paused, by the member that saw it', () => {
    const guards = new Guards();
    guards.see(run(), mark(2, 10, 6));
    expect(guards.see(run({ status: 'paused' }), mark(3, 12, 8))).toBeUndefined();
    // in flight when it was paused
    guards.see(run({ status: 'paused' }), mark(4, 20, 16));
    expect(guards.see(run(resumed(5)), mark(6, 29, 25))).toBeUndefined();
    expect(guards.see(run(resumed(5)), mark(7, 30, 21))).toBeUndefined();
    expect(guards.see(run(resumed(5)), mark(8, 40, 31))?.message).toContain('10 of the newest 10 messages');
  });

  test('after a resume that was not seen, or by another member, what is counted from then on', () => {
    const guards = new Guards();
    guards.see(run(), mark(2, 9, 9));
    expect(guards.see(run(resumed(3)), mark(4, 30, 30))).toBeUndefined();
    expect(guards.see(run(resumed(3)), mark(5, 39, 39))).toBeUndefined();
    expect(guards.see(run(resumed(3)), mark(6, 40, 40))).toBeDefined();
    const other = new Guards();
    expect(other.see(run(resumed(3)), mark(7, 50, 50))).toBeUndefined();
    expect(other.see(run(resumed(3)), mark(8, 60, 60))).toBeDefined();
  });
});

describe('a campaign with a guard', () => {
  const guard = { errorRate: 0.1, over: 200 };
  const started = async () => {
    const at = world();
    const member = at.member('m1');
    at.submit('spring', { audience: { contacts: contacts(1000) }, guard });
    await member.campaigns.look('spring');
    await member.expandAll();
    const answer = (sent: number, failed: number) =>
      at.count('spring', {
        ...{ active: -sent - failed, completed: sent, failed },
        ...{ 'messages.sent': sent, 'messages.failed': failed, 'reasons.provider_rejected': failed },
      });
    const look = async (more: object) => {
      at.write('spring', more);
      await member.campaigns.look('spring');
    };
    return { ...at, ...member, answer, look, fold: () => member.campaigns.foldTick() };
  };

  test('pauses itself with its figures, told once; resumed by a person it goes on, until new ones fail', async () => {
    const { database, campaigns, changed, logger, instruments, answer, look, fold } = await started();
    answer(180, 20);
    await fold();
    expect(database.campaigns.get('spring')?.status).toBe('running');
    answer(0, 3);
    await fold();
    const error = {
      code: 'guard_tripped',
      path: 'guard.errorRate',
      message: expect.stringContaining('23 of the newest 203'),
    };
    expect(database.campaigns.get('spring')).toMatchObject({ status: 'paused', error, metrics: { failed: 23 } });
    expect(database.runs.get('spring')).toMatchObject({ status: 'paused', pausedReason: 'guard_tripped' });
    expect(changed.at(-1)).toMatchObject({ status: 'paused' });
    // what was in flight fails, too
    answer(0, 50);
    await fold();
    await fold();
    await look({ status: 'running' });
    expect(database.campaigns.get('spring')).not.toHaveProperty('error');
    expect(database.runs.get('spring')).not.toHaveProperty('pausedReason');
    answer(185, 14);
    await fold();
    answer(1, 0);
    await fold();
    expect(database.runs.get('spring')?.status).toBe('running');
    expect(instruments.events('guard_tripped')).toBe(1);
    expect(logger.of('warn')).toHaveLength(1);
    expect(logger.of('warn')[0]).toMatchObject({ message: 'campaign: paused', fields: { faults: [error] } });
    answer(100, 100);
    await campaigns.foldTick();
    expect(database.runs.get('spring')?.status).toBe('paused');
    expect(instruments.events('guard_tripped')).toBe(2);
  });

  test('counts what bounced at once among its bounces', async () => {
    const { database, answer, fold, count, look } = await started();
    await look({ guard: { bounceRate: 0.05, over: 200 } });
    const dead = { kind: 'rejected', code: 'smtp_550', message: 'nobody', bounce: true } as const;
    const story = given([{ id: 'a', type: 'message', channel: 'sms', content: { text: 'a' } }])
      .due(0)
      .answer(1, dead);
    const counted = Object.entries(story.counters).filter(([path]) => /^(messages|reasons|aged)\./.test(path));
    const bounce = (times: number): void =>
      count('spring', Object.fromEntries(counted.map(([path, by]) => [path, by * times])));
    answer(190, 0);
    bounce(10);
    await fold();
    expect(database.campaigns.get('spring')?.status).toBe('running');
    bounce(1);
    await fold();
    expect(database.campaigns.get('spring')).toMatchObject({
      status: 'paused',
      error: { path: 'guard.bounceRate', message: expect.stringContaining('11 of the newest 201 messages bounced') },
    });
  });

  test('that cannot be paused just then is looked at again in the next turn', async () => {
    const { database, answer, fold } = await started();
    answer(0, 200);
    let refuse = true;
    database.hooks.before = (operation) => {
      if (operation === 'campaign' && refuse) throw new Error('the database is away');
    };
    await fold();
    expect(database.campaigns.get('spring')?.status).toBe('running');
    refuse = false;
    await fold();
    expect(database.campaigns.get('spring')?.status).toBe('paused');
  });

  test('of which nothing is left ends; there is nothing to guard', async () => {
    const { database, answer, fold } = await started();
    answer(0, 1000);
    await fold();
    expect(database.campaigns.get('spring')).toMatchObject({ status: 'completed' });
  });

  test('that had none before is judged by what comes from then on', async () => {
    const { database, answer, look, fold } = await started();
    await look({ guard: undefined });
    answer(0, 200);
    await fold();
    await look({ guard });
    await fold();
    answer(200, 0);
    await fold();
    expect(database.campaigns.get('spring')?.status).toBe('running');
    answer(0, 200);
    await fold();
    expect(database.campaigns.get('spring')?.status).toBe('paused');
  });

  test('that gets another one while it runs is judged by all of it', async () => {
    const { database, answer, look, fold } = await started();
    await look({ guard: { bounceRate: 0.9 } });
    answer(150, 50);
    await fold();
    expect(database.campaigns.get('spring')?.status).toBe('running');
    await look({ guard });
    await fold();
    expect(database.campaigns.get('spring')?.status).toBe('paused');
  });
});
