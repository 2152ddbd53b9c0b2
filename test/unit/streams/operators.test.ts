import { describe, expect, test } from '@jest/globals';
import { concat, concatMap, defer, delay, EMPTY, interval, map, of, throwError, timer } from 'rxjs';
import { type RunHelpers, TestScheduler } from 'rxjs/testing';
import { type BatchOptions, batchWhileBusy } from '../../../streams/operators/batchWhileBusy.ts';
import { clockScheduler } from '../../../streams/operators/clockScheduler.ts';
import { readLoop } from '../../../streams/operators/readLoop.ts';
import { retryBackoff } from '../../../streams/operators/retryBackoff.ts';
import { manualClock } from '../../support/clock.ts';

/** Virtual time: a frame of a marble is one ms. */
const marbles = (spec: (helpers: RunHelpers) => void): void =>
  new TestScheduler((actual, expected) => expect(actual).toEqual(expected)).run(spec);

describe('batchWhileBusy', () => {
  /** Each batch is busy for `busyMs`, then tells its members. */
  const batches = (busyMs: number, options: BatchOptions) =>
    batchWhileBusy<string, string>((batch) => of(batch.join('')).pipe(delay(busyMs)), options);

  test('what arrives while one batch runs is the next one; its window starts when the first is done', () =>
    marbles(({ hot, expectObservable }) => {
      const source = hot('   a-bc------|');
      const expected = '     -----x----(y|)';
      const result = source.pipe(batches(5, { windowMs: 0, maxSize: 10 }));
      expectObservable(result).toBe(expected, { x: 'a', y: 'bc' });
    }));

  test('an input waits for company, for the window and no longer', () =>
    marbles(({ hot, expectObservable }) => {
      const source = hot('   ab-------c----|');
      const expected = '     ----x--------y|';
      expectObservable(source.pipe(batches(1, { windowMs: 3, maxSize: 10 }))).toBe(expected, { x: 'ab', y: 'c' });
    }));

  test('a full batch does not wait, and none is larger', () =>
    marbles(({ hot, expectObservable }) => {
      const source = hot('   (abcde)---------|');
      const expected = '     --x-y--------z--|';
      const result = source.pipe(batches(2, { windowMs: 7, maxSize: 2 }));
      expectObservable(result).toBe(expected, { x: 'ab', y: 'cd', z: 'e' });
    }));

  test('a batch that filled up within the window leaves no window behind', () =>
    marbles(({ hot, expectObservable }) => {
      const source = hot('   abc----------|');
      const expected = '     -------x-----|';
      expectObservable(source.pipe(batches(5, { windowMs: 4, maxSize: 3 }))).toBe(expected, { x: 'abc' });
    }));

  test('what is enough starts at once, and is asked anew each time', () =>
    marbles(({ hot, expectObservable }) => {
      const source = hot('   a----b-c---|');
      const expected = '     -x------y--|';
      let wanted = 1;
      const result = source.pipe(
        batches(1, { windowMs: 50, maxSize: 10, enough: () => wanted }),
        map((batch) => {
          wanted = 2;
          return batch;
        }),
      );
      expectObservable(result).toBe(expected, { x: 'a', y: 'bc' });
    }));

  test('the end of the source: what waits goes at once, and what runs is waited for', () =>
    marbles(({ hot, expectObservable }) => {
      const waiting = hot('  a-|            ');
      const expected = '     ---(x|)        ';
      expectObservable(waiting.pipe(batches(1, { windowMs: 50, maxSize: 10 }))).toBe(expected, { x: 'a' });
      const busy = hot('     ab|            ');
      const after = '        ----x---(y|)   ';
      expectObservable(busy.pipe(batches(4, { windowMs: 0, maxSize: 10 }))).toBe(after, { x: 'a', y: 'b' });
      expectObservable(hot('--|').pipe(batches(4, { windowMs: 0, maxSize: 10 }))).toBe('--|');
    }));

  test.each([
    ['at once', [0]],
    ['in their own time', [3, 0, 5, 1]],
  ])('batches that are done %s never overlap and keep the order of arrival', (_, busyMs) => {
    let running = 0;
    let most = 0;
    const seen: string[] = [];
    const project = (batch: string[]) => {
      running += 1;
      most = Math.max(most, running);
      const ms = busyMs[seen.length % busyMs.length] ?? 0;
      seen.push(batch.join(''));
      const done = defer(() => {
        running -= 1;
        return EMPTY;
      });
      return concat(ms === 0 ? of('x') : of('x').pipe(delay(ms)), done);
    };
    marbles(({ hot, flush }) => {
      hot('(abcde)f-ghi-j|')
        .pipe(batchWhileBusy(project, { windowMs: 0, maxSize: 2 }))
        .subscribe();
      flush();
    });
    expect(most).toBe(1);
    expect(running).toBe(0);
    expect(seen.join('')).toBe('abcdefghij');
  });

  test('an error of the source, or of a batch, goes on at once', () =>
    marbles(({ hot, expectObservable }) => {
      const ofSource = hot(' ab-#');
      expectObservable(ofSource.pipe(batches(9, { windowMs: 0, maxSize: 10 }))).toBe('---#');
      const failing = batchWhileBusy(() => timer(2).pipe(concatMap(() => throwError(() => 'error'))), {
        windowMs: 0,
        maxSize: 10,
      });
      expectObservable(hot('a-b-c|').pipe(failing)).toBe('--#');
    }));

  test('unsubscribing ends the source, the batch on its way and the window', () =>
    marbles(({ hot, cold, expectObservable, expectSubscriptions }) => {
      const source = hot('   a-b----');
      const batch = cold('   ------x|');
      const stop = '         ----!  ';
      const result = source.pipe(batchWhileBusy(() => batch, { windowMs: 0, maxSize: 10 }));
      expectObservable(result, stop).toBe('-----');
      expectSubscriptions(source.subscriptions).toBe('^---!');
      expectSubscriptions(batch.subscriptions).toBe('^---!');
      const waiting = hot('  a------');
      expectObservable(waiting.pipe(batches(0, { windowMs: 3, maxSize: 10 })), '--!').toBe('---');
    }));
});

describe('readLoop', () => {
  test('reads, handles, and only then reads again', () =>
    marbles(({ expectObservable }) => {
      let reads = 0;
      const read = () => of(reads++).pipe(delay(2));
      const handle = (n: number) => of(`${n}`).pipe(delay(3));
      expectObservable(readLoop(read, handle), '16ms !').toBe('5ms a 4ms b 4ms c', { a: '0', b: '1', c: '2' });
    }));

  test('the next read begins when the handler answers, whatever it goes on with', () =>
    marbles(({ expectObservable }) => {
      let reads = 0;
      const read = () => of(reads++).pipe(delay(2));
      expectObservable(
        readLoop(read, (n) => of(n)),
        '7ms !',
      ).toBe('--a-b-c', { a: 0, b: 1, c: 2 });
    }));

  test('ends with the error of a read or of its handling, and reads no more', () =>
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const broken = cold('--#');
      expectObservable(
        readLoop(
          () => broken,
          (n) => of(n),
        ),
      ).toBe('--#');
      expectSubscriptions(broken.subscriptions).toBe('^-!');
      const read = cold('--(a|)');
      expectObservable(
        readLoop(
          () => read,
          () => cold('-#'),
        ),
      ).toBe('---#');
      expectSubscriptions(read.subscriptions).toBe('^-!');
    }));

  test('unsubscribing ends the read on its way', () =>
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const read = cold('-----a|');
      expectObservable(
        readLoop(
          () => read,
          (n) => of(n),
        ),
        '--!',
      ).toBe('---');
      expectSubscriptions(read.subscriptions).toBe('^-!');
    }));
});

describe('retryBackoff', () => {
  test('waits longer each time, and from the start again once a value came through', () => {
    const told: [unknown, number][] = [];
    marbles(({ cold, expectObservable }) => {
      const tries = [cold('#'), cold('#', {}, 'second'), cold('-a#'), cold('(b|)')];
      let n = 0;
      const source = defer(() => tries[n++] ?? cold('|'));
      const result = source.pipe(
        retryBackoff({ delayMs: (attempt) => 10 ** attempt, onRetry: (error, attempt) => told.push([error, attempt]) }),
      );
      // 10 + 100 ms, a at 111, its error at 112, 10 ms again
      expectObservable(result).toBe('111ms a 10ms (b|)');
    });
    expect(told).toEqual([
      ['error', 1],
      ['second', 2],
      ['error', 1],
    ]);
  });

  test('an error that is not to be retried goes on at once, untold', () => {
    const told: unknown[] = [];
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('-#', {}, 'fenced');
      const result = source.pipe(
        retryBackoff({
          delayMs: () => 5,
          when: (error) => error !== 'fenced',
          onRetry: (error) => told.push(error),
        }),
      );
      expectObservable(result).toBe('-#', {}, 'fenced');
      expectSubscriptions(source.subscriptions).toBe('^!');
    });
    expect(told).toEqual([]);
  });

  test('unsubscribing ends the wait', () =>
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('#');
      expectObservable(source.pipe(retryBackoff({ delayMs: () => 5 })), '---!').toBe('----');
      expectSubscriptions(source.subscriptions).toBe('(^!)');
    }));
});

test('operators have the time of the clock they are given, and leave no timer behind', () => {
  const clock = manualClock();
  const scheduler = clockScheduler(clock);
  const seen: number[] = [];
  const subscription = interval(10, scheduler).subscribe((value) => seen.push(value));
  clock.advance(35);
  expect(seen).toEqual([0, 1, 2]);
  expect(scheduler.now()).toBe(clock.now());
  subscription.unsubscribe();
  expect(clock.pending).toBe(0);
});
