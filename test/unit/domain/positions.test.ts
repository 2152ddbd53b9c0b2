import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { earlier, PositionTracker } from '../../../src/domain/positions.ts';

const at = (token: number) => ({ token: String(token).padStart(6, '0'), replicaSet: 'rs', filterVersion: 1 });

describe('PositionTracker', () => {
  test('property: the position is that of the last batch finished together with all before it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(4), { minLength: 1, maxLength: 12 }),
        fc.infiniteStream(fc.nat(1000)),
        (sizes, picks) => {
          const tracker = new PositionTracker();
          const open = sizes.map((size, index) => ({ index, left: size, done: tracker.begin(at(index), size) }));
          const pick = picks[Symbol.iterator]();
          const expected = () => {
            const first = open.findIndex(({ left }) => left > 0);
            const last = first < 0 ? sizes.length - 1 : first - 1;
            return last < 0 ? undefined : at(last);
          };
          expect(tracker.done).toEqual(expected());
          for (
            let busy = open.filter(({ left }) => left > 0);
            busy.length > 0;
            busy = busy.filter(({ left }) => left > 0)
          ) {
            const batch = busy[Number(pick.next().value) % busy.length];
            if (batch === undefined) break;
            batch.left -= 1;
            batch.done();
            expect(tracker.done).toEqual(expected());
          }
          expect(tracker.open).toBe(0);
        },
      ),
    );
  });

  test('rewind goes back; what belonged to the old stream no longer moves the position', () => {
    const tracker = new PositionTracker();
    tracker.begin(at(1), 0);
    const late = tracker.begin(at(2), 1);
    tracker.rewind(at(0));
    late();
    expect(tracker.done).toEqual(at(0));
    tracker.rewind(undefined);
    expect(tracker.done).toBeUndefined();
  });
});

test('earlier: the smaller token; no position is earlier than any', () => {
  expect(earlier(at(1), at(2))).toEqual(at(1));
  expect(earlier(at(2), at(1))).toEqual(at(1));
  expect(earlier(undefined, at(1))).toBeUndefined();
  expect(earlier(at(1), undefined)).toBeUndefined();
});
