import { describe, expect, test } from '@jest/globals';
import { candidatesOf, delayOf } from '../../../src/domain/replyDelay.ts';

const at = (ms: number): Date => new Date(1_767_600_000_000 + ms);
const replied = { id: 'x:a', repliedAt: at(20_007), sequence: 3 };

describe('the delay of a first reply', () => {
  test('is counted from the last message sent before it, not from later ones', () => {
    const sent = new Map([
      ['x:a/1', at(0)],
      ['x:a/2', at(5)],
      ['x:a/3', at(20_008)],
    ]);
    expect(delayOf(replied, sent)).toEqual({ bucketMs: 20_000, count: 1, maxMs: 20_002 });
  });

  test('of the same moment it is nothing; without a message before it there is none', () => {
    expect(delayOf(replied, new Map([['x:a/2', at(20_007)]]))).toEqual({ bucketMs: 0, count: 1, maxMs: 0 });
    expect(delayOf(replied, new Map([['x:a/3', at(20_008)]]))).toBeUndefined();
    expect(delayOf({ ...replied, sequence: 0 }, new Map())).toBeUndefined();
  });

  test('is looked for among the last thousand messages', () => {
    expect(candidatesOf(replied)).toEqual(['x:a/3', 'x:a/2', 'x:a/1']);
    const many = candidatesOf({ ...replied, sequence: 5000 });
    expect([many.length, many[0], many.at(-1)]).toEqual([1000, 'x:a/5000', 'x:a/4001']);
  });
});
