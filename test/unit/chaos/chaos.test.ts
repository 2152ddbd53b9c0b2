import { describe, expect, it } from '@jest/globals';
import { late } from '../../../chaos/instants.mjs';
import { judgeAudit } from '../../../chaos/meanwhile.mjs';
import { seeded } from '../../../chaos/random.mjs';
import { faultNames, schedule } from '../../../chaos/schedule.mjs';

const t = 1_700_000_000_000;

describe('what left although it was not to', () => {
  const at = (ms: number, campaignId = 'c0') => ({ key: 'k', campaignId, tries: [{ at: t + ms, worker: 'w0.1' }] });
  const campaigns = new Map([
    ['c0', { pauses: [{ from: t, to: t + 8_000 }] }],
    ['c1', { endedAt: t }],
    ['c2', {}],
  ]);

  it('is late more than two seconds into a pause, a stop or after the end', () => {
    expect(late([at(2_000)], campaigns)).toEqual([]);
    expect(late([at(2_001)], campaigns)).toEqual(['k by w0.1 2001 ms into a pause']);
    expect(late([at(8_001)], campaigns)).toEqual([]);
    expect(late([at(2_001, 'c1')], campaigns)).toEqual(['k by w0.1 2001 ms after the end']);
    const stops = [{ from: t + 10_000, to: t + 15_000 }];
    expect(late([at(12_000, 'c2'), at(15_000, 'c2'), at(9_000, 'c2')], campaigns, stops)).toEqual([]);
    expect(late([at(12_500, 'c2')], campaigns, stops)).toEqual(['k by w0.1 2500 ms after sending was stopped']);
  });

  it('is looked at in every try', () => {
    const tries = [100, 5_000].map((ms) => ({ at: t + ms, worker: 'w0.1' }));
    expect(late([{ key: 'k', campaignId: 'c0', tries }], campaigns)).toHaveLength(1);
  });
});

describe('an audit while everything fails', () => {
  const quiet = { away: false, restoring: false };
  const proved = { code: 0, findings: [] };

  it('counts when it ended as one', () => {
    expect(judgeAudit(proved, quiet)).toEqual({ counts: true, wrong: [] });
    const gap = { kind: 'sequence_gap' };
    expect(judgeAudit({ code: 1, findings: [gap] }, { away: true, restoring: false })).toEqual({
      counts: true,
      wrong: [gap],
    });
    expect(judgeAudit({ code: 1, findings: [{ kind: 'partition_unowned' }] }, quiet).wrong).toEqual([]);
  });

  it('that crashed is a failure, unless the database was away', () => {
    const crashed = { code: 1, findings: [{ kind: 'unreadable' }], unreadable: 'TypeError' };
    expect(judgeAudit(crashed, quiet)).toMatchObject({ counts: false, wrong: [{ kind: 'audit_crashed', code: 1 }] });
    expect(judgeAudit({ ...crashed, code: 0 }, quiet).wrong).toHaveLength(1);
    expect(judgeAudit({ ...crashed, code: 'SIGSEGV' }, quiet).wrong).toHaveLength(1);
    expect(judgeAudit({ ...crashed, code: 2 }, quiet).wrong).toHaveLength(1);
    expect(judgeAudit(crashed, { ...quiet, away: true })).toEqual({ counts: false, wrong: [] });
    expect(judgeAudit({ code: 3, findings: [], unreadable: '' }, quiet)).toEqual({ counts: false, wrong: [] });
  });

  it('finds nothing that counts while campaigns are being put back', () => {
    const found = { code: 1, findings: [{ kind: 'run_orphaned' }] };
    expect(judgeAudit(found, { ...quiet, restoring: true })).toEqual({ counts: false, wrong: [] });
    expect(judgeAudit(proved, { ...quiet, restoring: true }).counts).toBe(true);
  });
});

describe('the schedule of faults', () => {
  const world = { workers: { count: 3 }, leaseTtlMs: 3_000 };
  const plan = (seed: number, minutes: number) =>
    schedule(world, seeded(seed).fork(), { totalMs: minutes * 60_000, everyMs: 3_500 });

  it('follows from the seed', () => {
    expect(JSON.stringify(plan(7, 5))).toBe(JSON.stringify(plan(7, 5)));
    expect(JSON.stringify(plan(7, 5))).not.toBe(JSON.stringify(plan(8, 5)));
  });

  it('has a calm at the end of every three minutes, in which nothing begins', () => {
    for (let seed = 0; seed < 50; seed++)
      for (const { at } of plan(seed, 20)) expect(at % 180_000).toBeLessThanOrEqual(145_000);
  });

  it('has every kind in a run of ninety seconds', () => {
    for (let seed = 0; seed < 50; seed++)
      expect([seed, new Set(plan(seed, 1.5).map(({ name }) => name)).size]).toEqual([seed, faultNames.length]);
  });

  it('never stops sending, or takes servers away, twice at a time', () => {
    const servers = ['kill a server', 'freeze the primary', 'campaigns are dropped and put back'];
    for (let seed = 0; seed < 50; seed++)
      for (const group of [['sending is stopped for all'], ['the provider misbehaves'], servers]) {
        const own = plan(seed, 10).filter(({ name }) => group.includes(name));
        for (const [index, { at, particulars }] of own.slice(0, -1).entries())
          expect(own[index + 1]?.at).toBeGreaterThan(at + (particulars.ms ?? 0));
      }
  });
});
