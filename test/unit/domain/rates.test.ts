import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { rateOfCampaign, rateOfChannel, rateOfDomain } from '../../../src/domain/ratePorts.ts';
import {
  domainOf,
  isBurst,
  limitInForce,
  paceOf,
  parseDomainRates,
  parseRate,
  rateLimit,
  takeSlots,
} from '../../../src/domain/rates.ts';

describe('a rate', () => {
  test.each([
    ['100/s', 100],
    [' 30 / m ', 0.5],
    ['5/h', 5 / 3_600],
    ['1/d', 1 / 86_400],
    ['0.5/s', 0.5],
    ['1000000/s', 1_000_000],
  ])('%s', (text, perSecond) => expect(parseRate(text)).toBeCloseTo(perSecond, 10));

  test.each(['', '0/s', '100', '100/w', '-1/s', '1e3/s', '1000001/s', '0.5/d', 'NaN/s', '1/s/s'])('none: %j', (text) =>
    expect(parseRate(text)).toBeUndefined(),
  );

  test('without a burst it has what a second allows, and one at least', () => {
    expect([rateLimit(100).burst, rateLimit(2.5).burst, rateLimit(0.1).burst, rateLimit(5, 40).burst]).toEqual([
      100, 2, 1, 40,
    ]);
    expect([1, 1_000_000, 0, 1.5, '3', 1_000_001].map(isBurst)).toEqual([true, true, false, false, false, false]);
  });
});

describe('domains', () => {
  test.each([
    ['anna@Example.test', 'example.test'],
    ['"a@b"@example.test', 'example.test'],
    ['anna@example.test.', 'example.test'],
    ['anna@München.test', 'xn--mnchen-3ya.test'],
    ['anna@ü ü', 'ü ü'],
    ['anna', undefined],
    [undefined, undefined],
    [{ url: 'x' }, undefined],
  ])('of %j', (address, domain) => expect(domainOf(address)).toBe(domain));

  test('each domain once, and a rate that is one', () => {
    expect(parseDomainRates('a.test=1/s, *=5/h')).toEqual({ 'a.test': 1, '*': 5 / 3_600 });
    expect(parseDomainRates('München.test=1/s')).toEqual({ 'xn--mnchen-3ya.test': 1 });
    expect(parseDomainRates('a.test=1/s=2')).toBeUndefined();
    for (const text of ['', 'a.test', 'a.test=', '=1/s', 'a.test=1/s,', 'a..=1/w'])
      expect(parseDomainRates(text)).toBeUndefined();
  });

  test('ids of limits', () => {
    expect([rateOfChannel('sms'), rateOfCampaign('a:b'), rateOfDomain('email', 'a.test')]).toEqual([
      'channel:sms',
      'campaign:a%3Ab',
      'domain:email:a.test',
    ]);
  });
});

describe('what operators wrote', () => {
  const own = rateLimit(100);

  test.each([
    ['nothing', undefined, own],
    ['a rate', { rate: '10/s' }, { perSecond: 10, burst: 10 }],
    ['a rate as a number', { rate: 7 }, { perSecond: 7, burst: 7 }],
    ['both', { rate: '10/s', burst: 3 }, { perSecond: 10, burst: 3 }],
    ['a burst', { burst: 3 }, { perSecond: 100, burst: 3 }],
  ])('%s', (_, words, limit) => expect(limitInForce(words, own)).toEqual({ limit, faults: [] }));

  test('a channel without a rate of its own gets one, or none', () => {
    expect(limitInForce({ rate: '10/s' }, undefined).limit).toEqual({ perSecond: 10, burst: 10 });
    expect(limitInForce({ burst: 3 }, undefined).limit).toBeUndefined();
    expect(limitInForce(undefined, undefined).limit).toBeUndefined();
  });

  test('what cannot be used is told, and the environment holds', () => {
    const found = limitInForce({ rate: 'fast', burst: 0 }, own);
    expect(found.limit).toEqual(own);
    expect(found.faults).toEqual([
      expect.stringMatching(/^rate was "fast"; allowed: messages a second/),
      'burst was 0; allowed: a whole number from 1 to 1000000',
    ]);
    for (const rate of [0, Number.NaN, Number.POSITIVE_INFINITY, -1, true]) {
      expect(limitInForce({ rate }, own)).toMatchObject({ limit: own, faults: [expect.any(String)] });
    }
  });
});

describe('slots', () => {
  const pace = paceOf({ perSecond: 100, burst: 100 });

  test('of the burst some come at once, and the rest is for those that are used late', () => {
    expect(pace).toEqual({ everyMs: 10, atOnce: 30, usableMs: 500 });
    expect(paceOf({ perSecond: 1, burst: 1 })).toEqual({ everyMs: 1_000, atOnce: 1, usableMs: 500 });
    expect(paceOf({ perSecond: 0.01, burst: 5 })).toMatchObject({ atOnce: 1, usableMs: 2_000 });
    expect(paceOf({ perSecond: 10_000, burst: 10 }).usableMs).toBe(50);
  });

  test('after a pause what comes at once, then as many as the rate gives, and never far ahead', () => {
    const first = takeSlots(undefined, 50_000, pace, 1_000);
    // 30 at once, and those of the next 250 ms
    expect(first.grant).toMatchObject({ count: 55, firstInMs: -290 });
    expect(first.grant.againInMs).toBe(10);
    expect(takeSlots(first.tat, 50_000, pace, 1_000).grant).toMatchObject({ count: 0, againInMs: 10 });
    expect(takeSlots(first.tat, 50_100, pace, 1_000).grant).toMatchObject({ count: 10, firstInMs: 160 });
    expect(takeSlots(undefined, 0, pace, 25).grant).toMatchObject({ count: 25, againInMs: 0 });
  });

  test('however many ask whenever they like and use what they got as late as they may: no span has more than rate and burst', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.5, max: 500, noNaN: true }),
        fc.integer({ min: 2, max: 300 }),
        fc.array(
          fc.record({
            gap: fc.integer({ min: 0, max: 400 }),
            want: fc.integer({ min: 1, max: 100 }),
            late: fc.double({ min: 0, max: 1, noNaN: true }),
          }),
          { maxLength: 60 },
        ),
        (perSecond, burst, asks) => {
          const own = paceOf({ perSecond, burst });
          const used: number[] = [];
          let now = 1_000_000;
          let tat: number | undefined;
          for (const { gap, want, late } of asks) {
            now += gap;
            const taken = takeSlots(tat, now, own, want);
            tat = taken.tat;
            for (let n = 0; n < taken.grant.count; n++) {
              const at = Math.max(now, now + taken.grant.firstInMs + n * own.everyMs);
              used.push(at + late * own.usableMs);
            }
          }
          used.sort((a, b) => a - b);
          // the least lateness of 50 ms is beyond a burst that is next to nothing
          const most = (ms: number): number =>
            (ms / 1_000) * perSecond + Math.max(burst, own.atOnce + own.usableMs / own.everyMs) + 1e-6;
          let from = 0;
          let over = 0;
          for (const spanMs of [0, 100, 1_000, 5_000]) {
            from = 0;
            for (let to = 0; to < used.length; to++) {
              while ((used[to] as number) - (used[from] as number) > spanMs) from += 1;
              over = Math.max(over, to - from - Math.floor(most(spanMs)));
            }
          }
          expect(over).toBe(0);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('a limit that was raised holds at once, whatever the slower one gave out before', () => {
    const slow = paceOf({ perSecond: 5 / 3_600, burst: 1 });
    const { tat } = takeSlots(undefined, 50_000, slow, 1);
    expect(tat).toBe(50_000 + 720_000);
    expect(takeSlots(tat, 50_100, pace, 25).grant).toMatchObject({ count: 0, againInMs: 10 });
    expect(takeSlots(tat, 50_200, pace, 1_000).grant.count).toBeLessThanOrEqual(1);
    const cut = takeSlots(tat, 50_100, pace, 25).tat;
    expect(takeSlots(cut, 50_200, pace, 1_000).grant.count).toBe(10);
  });

  test('while somebody asks none is lost: over a minute the rate is used in full', () => {
    let tat: number | undefined;
    let count = 0;
    for (let now = 0; now < 60_000; now += 100) {
      const taken = takeSlots(tat, now, pace, 25);
      tat = taken.tat;
      count += taken.grant.count;
    }
    expect(count).toBeGreaterThanOrEqual(6_000);
    expect(count).toBeLessThanOrEqual(6_000 + 30 + 25);
  });
});
