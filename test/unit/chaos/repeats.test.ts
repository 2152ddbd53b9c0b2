import { describe, expect, it } from '@jest/globals';
import { coveredMs, judgeRepeats, type Trouble } from '../../../chaos/repeats.mjs';

const t = 1_700_000_000_000;
const bounds = { inDoubt: 3, leaseTtlMs: 3_000 };
const a = 'w0.1';
const of = (kind: string, at: number, member = 'm0'): Trouble => ({ name: a, member, kind, at });
const lasting = (kind: string, from: number, to: number, member = 'm0'): Trouble => ({
  ...{ name: a, member, kind, from, to },
});
/** Handed over at `at` by one worker, acknowledged, and again at `again`. */
const repeat = (at: number, again: number, by = 'w1.1', key = `k${at}-${again}`) => ({
  key,
  tries: [
    { at, worker: a, acknowledged: true },
    { at: again, worker: by, acknowledged: true },
  ],
});
const many = (count: number, at: number, again: number) =>
  Array.from({ length: count }, (_, n) => repeat(at, again, 'w1.1', `k${at}-${n}`));
const judge = (
  records: ReturnType<typeof repeat>[],
  troubles: Trouble[],
  stills: Parameters<typeof judgeRepeats>[1]['stills'] = [],
) => judgeRepeats(records, { troubles, stills }, bounds);

describe('a repeat of an acknowledged message', () => {
  it.each([
    ['killed', of('killed', t + 1_000)],
    ['taken over, as the other one says', of('taken over', t + 2_500)],
    ['fenced, told within a lease', of('fenced', t + 5_500)],
    ['out of its lease', of('lease lost', t + 2_500)],
    ['frozen', lasting('frozen', t + 500, t + 9_000)],
    ['cut off', lasting('cut off', t + 500, t + 9_000)],
  ])('is explained by a sender that was %s in between', (_, trouble) => {
    expect(judge([repeat(t, t + 3_000)], [trouble])).toMatchObject({ count: 1, unexplained: [], tooMany: [], most: 1 });
  });

  it.each([
    ['well', []],
    ['killed long after the repeat', [of('killed', t + 58_000)]],
    ['killed a little after the repeat', [of('killed', t + 6_000)]],
    ['killed before it handed it over', [of('killed', t - 3_000)]],
    ['frozen and back before', [lasting('frozen', t - 9_000, t - 2_000)]],
    ['frozen later', [lasting('frozen', t + 5_000, t + 9_000)]],
    ['fenced much later, with no fault that kept it from learning', [of('fenced', t + 9_000)]],
    ['another one', [{ ...of('killed', t + 1_000), name: 'w2.1' }]],
  ])('is not explained by a sender that was %s', (_, troubles) => {
    const { unexplained } = judge([repeat(t, t + 3_000)], troubles);
    expect(unexplained).toEqual([expect.stringContaining('w0.1')]);
  });

  it('is not explained by a freeze when the sender itself repeats it, unless it was told that it lost something', () => {
    const frozen = lasting('frozen', t + 500, t + 2_000);
    const own = repeat(t, t + 3_000, a);
    expect(judge([own], [frozen]).unexplained).toHaveLength(1);
    expect(judge([own], [frozen, of('fenced', t + 2_100)]).unexplained).toEqual([]);
  });

  it('is explained by what was told later for as long as nothing could be learned', () => {
    const told = [of('fenced', t + 12_000)];
    const still = (name?: string) => [{ from: t + 2_000, to: t + 11_500, ...(name === undefined ? {} : { name }) }];
    expect(judge([repeat(t, t + 3_000)], told, still(a)).unexplained).toEqual([]);
    expect(judge([repeat(t, t + 3_000)], told, still()).unexplained).toEqual([]);
    expect(judge([repeat(t, t + 3_000)], told, still('w2.1')).unexplained).toHaveLength(1);
  });

  it('does not count when the first one was not acknowledged', () => {
    const { key, tries } = repeat(t, t + 3_000);
    const unanswered = tries.map((one) => ({ ...one, acknowledged: false }));
    expect(judgeRepeats([{ key, tries: unanswered }], { troubles: [] }, bounds)).toMatchObject({
      count: 0,
      unexplained: [],
    });
  });
});

describe('how many one loss explains', () => {
  it('is what a member may have in doubt', () => {
    expect(judge(many(3, t, t + 3_000), [of('killed', t + 1_000)])).toMatchObject({ tooMany: [], most: 3 });
    expect(judge(many(5, t, t + 3_000), [of('killed', t + 1_000)]).tooMany).toEqual([
      'w0.1: 2 more than its losses explain',
    ]);
  });

  it('counts for each of two losses within seconds', () => {
    const losses = [of('fenced', t + 1_000, 'm0'), of('killed', t + 2_500, 'm1')];
    const both = [...many(3, t, t + 4_000), ...many(3, t + 1_500, t + 4_500)];
    expect(judge(both, losses)).toMatchObject({ unexplained: [], tooMany: [], most: 3 });
    // whichever comes first: those that only one explains keep their place there
    expect(judge(both.toReversed(), losses).tooMany).toEqual([]);
    expect(judge([...both, repeat(t, t + 4_100)], losses).tooMany).toHaveLength(1);
  });

  it('moves one on where only the earlier loss explains another', () => {
    const losses = [of('fenced', t + 1_000, 'm0'), of('killed', t + 5_000, 'm1')];
    // these could be of either loss, and are looked at first; the others only of the first
    const either = many(3, t, t + 4_500);
    const first = Array.from({ length: 3 }, (_, n) => repeat(t + 10, t + 3_000 + n, 'w1.1', `f${n}`));
    expect(judge([...either, ...first], losses).tooMany).toEqual([]);
  });

  it('is one number for all that is said of the end of one member', () => {
    const said = [
      lasting('frozen', t + 500, t + 9_000),
      of('taken over', t + 3_500),
      of('lease lost', t + 9_010),
      of('fenced', t + 9_100),
    ];
    expect(judge(many(4, t, t + 4_000), said).tooMany).toHaveLength(1);
  });
});

describe('time covered by spans', () => {
  it('counts no instant twice, and nothing outside', () => {
    const spans = [
      { from: 10, to: 20 },
      { from: 0, to: 5 },
      { from: 12, to: 30 },
      { from: 90, to: 95 },
    ];
    expect(coveredMs(spans, 3, 25)).toBe(2 + 15);
    expect(coveredMs([], 0, 10)).toBe(0);
  });
});
