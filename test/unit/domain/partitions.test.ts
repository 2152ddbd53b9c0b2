import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  BeatWatch,
  isAllOwned,
  ownerless,
  Pulse,
  positionSeconds,
  ranges,
  shareOf,
} from '../../../src/domain/partitions.ts';

describe('shareOf', () => {
  test('shares add up, differ by one at most, and nobody unknown has one', () => {
    const input = [
      fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 200 }),
    ] as const;
    fc.assert(
      fc.property(...input, (members, partitions) => {
        const shares = members.map((id) => shareOf(id, members, partitions));
        expect(shares.reduce((a, b) => a + b)).toBe(partitions);
        expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
      }),
    );
    expect(shareOf('x', ['a'], 8)).toBe(0);
  });
});

describe('positionSeconds', () => {
  test('is the cluster time a token begins with', () => {
    expect(positionSeconds({ token: '8266A1B2C3000000012B' })).toBe(0x66a1b2c3);
  });
  test.each([[undefined], [{ token: '' }], [{ token: '8166A1B2C3' }], [{ token: 7 as never }]])(
    'of %j: none',
    (position) => {
      expect(positionSeconds(position)).toBeUndefined();
    },
  );
});

describe('BeatWatch', () => {
  const at = (beats: Record<string, number>) => Object.entries(beats).map(([_id, beat]) => ({ _id, beat }));

  test('who was seen once is not known to live; whose beat moved is', () => {
    const watch = new BeatWatch();
    watch.see(at({ a: 1, b: 5 }));
    expect([...watch.alive]).toEqual([]);
    watch.see(at({ a: 2, b: 5, c: 0 }));
    expect([...watch.alive]).toEqual(['a']);
    watch.see(at({ a: 2, b: 5, c: 1 }));
    expect([...watch.alive]).toEqual(['a', 'c']);
  });

  test('who is gone is forgotten, even under the same id', () => {
    const watch = new BeatWatch();
    watch.see(at({ a: 1 }));
    watch.see(at({ a: 2 }));
    watch.see([]);
    watch.see(at({ a: 3 }));
    expect([...watch.alive]).toEqual([]);
  });
});

describe('ownerless', () => {
  const members = [{ _id: 'a' }, { _id: 'b' }];
  test('tells nobody, gone and silent owners apart', () => {
    const partitions = [{ _id: 0, owner: 'a' }, { _id: 1 }, { _id: 2, owner: 'gone' }, { _id: 3, owner: 'b' }];
    const found = ownerless(partitions, members, new Set(['a']));
    expect(found).toEqual({ unowned: [1], orphaned: [2], silent: [3] });
    expect(isAllOwned(found)).toBe(false);
    expect(isAllOwned(ownerless([{ _id: 0, owner: 'a' }], members, new Set(['a'])))).toBe(true);
  });
});

describe('ranges', () => {
  test('a person reads them at a glance', () => {
    expect(ranges([])).toBe('');
    expect(ranges([7, 0, 1, 2, 3])).toBe('0-3, 7');
  });
  test('name exactly the numbers given', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(100)), (numbers) => {
        const read = ranges(numbers)
          .split(', ')
          .filter((part) => part !== '')
          .flatMap((part) => {
            const [from = 0, to = from] = part.split('-').map(Number);
            return Array.from({ length: to - from + 1 }, (_, n) => from + n);
          });
        expect(read).toEqual(numbers.toSorted((a, b) => a - b));
      }),
    );
  });
});

describe('Pulse', () => {
  const see = (pulse: Pulse, at: number, beat: number): string => {
    pulse.see([{ _id: 'a', beat }], at);
    return pulse.of('a');
  };

  test('alive is whose beat moves, silent whose beat stood still for long, and unknown who was not watched for long', () => {
    const pulse = new Pulse(1000);
    expect(pulse.of('a')).toBe('unknown');
    expect(see(pulse, 0, 7)).toBe('unknown');
    expect(see(pulse, 1000, 7)).toBe('unknown');
    expect(see(pulse, 1001, 7)).toBe('silent');
    expect(see(pulse, 1100, 8)).toBe('alive');
    expect(see(pulse, 2100, 8)).toBe('alive');
    expect(see(pulse, 2101, 8)).toBe('silent');
  });

  test('who left is forgotten, and everybody when nothing could be seen', () => {
    const pulse = new Pulse(1000);
    see(pulse, 0, 7);
    pulse.see([], 100);
    expect(see(pulse, 5000, 7)).toBe('unknown');
    expect(see(pulse, 5100, 8)).toBe('alive');
    pulse.forget();
    expect(see(pulse, 9000, 8)).toBe('unknown');
  });
});
