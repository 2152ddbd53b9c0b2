import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Change } from '../../../src/domain/changePorts.ts';
import type { StreamPosition } from '../../../src/domain/model.ts';
import { PositionTracker } from '../../../src/domain/positions.ts';
import { Changes, type Handled } from '../../../streams/changes.ts';
import { manualClock } from '../../support/clock.ts';
import { recordingInstruments, recordingLogger } from '../../support/fakes.ts';
import { MemoryChangeSource, MemoryLog, memoryPosition } from '../../support/memory/changeSource.ts';
import { waitFor } from '../../support/waitFor.ts';

const change = (id: number): Change => ({ kind: 'conversation', id: `c${id}` });
const idsOf = (changes: readonly Change[]): string[] => changes.map((one) => ('id' in one ? String(one.id) : one.kind));

interface Options {
  position?: StreamPosition;
  batchSize?: number;
  handle?: (changes: readonly Change[]) => Promise<unknown>;
  sweep?: () => Promise<void>;
}

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** A member's stream over a history in memory; `handled` has what was handled to the end, in order. */
function follow(log: MemoryLog, { position, batchSize = 1, handle, sweep }: Options = {}) {
  const clock = manualClock();
  const source = new MemoryChangeSource({ log, clock, batchSize });
  const tracker = new PositionTracker();
  tracker.rewind(position);
  const logger = recordingLogger();
  const instruments = recordingInstruments();
  const begun: string[] = [];
  const handled: string[] = [];
  let sweeps = 0;
  const changes = new Changes({
    ...{ source, tracker, clock, logger, instruments, random: () => 0 },
    handle: async (batch) => {
      begun.push(...idsOf(batch));
      const left = await handle?.(batch);
      handled.push(...idsOf(batch));
      return left as Handled | undefined;
    },
    sweep: async () => {
      sweeps += 1;
      await sweep?.();
    },
  });
  const subscription = changes.stream$.subscribe();
  ends.push(() => {
    subscription.unsubscribe();
    void changes.close();
  });
  const until = (condition: () => boolean | Promise<boolean>, what: string) =>
    waitFor(condition, { what, intervalMs: 1 });
  return { clock, source, tracker, logger, instruments, changes, begun, handled, until, sweeps: () => sweeps };
}

/** Something that ends when told. */
function gate() {
  let open = (): void => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

describe('the change stream of a member', () => {
  test('the position follows what is handled, one batch is read ahead, not two', async () => {
    const log = new MemoryLog();
    const first = gate();
    const at = follow(log, {
      position: memoryPosition(0),
      handle: ([one]) => (one === a ? first.passed : Promise.resolve()),
    });
    const a = change(1);
    log.append(a, change(2), change(3));
    await at.until(() => at.begun.length === 1, 'the first batch');
    await new Promise(setImmediate);
    expect(at.begun).toEqual(['c1']);
    expect(at.tracker.done).toEqual(memoryPosition(0));
    expect(at.tracker.open).toBe(2);
    first.open();
    await at.until(() => at.handled.length === 3, 'all of them');
    await at.until(() => at.tracker.done?.token === memoryPosition(3).token, 'the position');
    expect(at.handled).toEqual(['c1', 'c2', 'c3']);
  });

  test('what takes longer holds back the position, and nothing else', async () => {
    const log = new MemoryLog();
    const slow = gate();
    const a = change(1);
    const at = follow(log, {
      position: memoryPosition(0),
      handle: async ([one]) => (one === a ? { rest: slow.passed } : undefined),
    });
    log.append(a, change(2), change(3));
    await at.until(() => at.handled.length === 3, 'all of them');
    expect([at.tracker.done, at.changes.caughtUpTo]).toEqual([memoryPosition(0), Number.NEGATIVE_INFINITY]);
    slow.open();
    await at.until(() => at.tracker.done?.token === memoryPosition(3).token, 'the position');
    expect(at.handled).toEqual(['c1', 'c2', 'c3']);
  });

  test('what fails later is read again from its position, with what came behind it', async () => {
    const log = new MemoryLog();
    let failures = 1;
    const at = follow(log, {
      position: memoryPosition(0),
      handle: async () => ({ rest: failures-- > 0 ? Promise.reject(new Error('later')) : Promise.resolve() }),
    });
    log.append(change(1), change(2));
    const reached = async (): Promise<boolean> => {
      if (at.clock.pending > 0) at.clock.advance(1_000);
      return at.tracker.done?.token === memoryPosition(2).token;
    };
    await at.until(reached, 'the position');
    expect(at.handled.filter((id) => id === 'c1')).toHaveLength(2);
    expect(at.instruments.of('event')).toContainEqual(['stream_reopened']);
  });

  test('it has caught up once everything that was there when it asked was handled', async () => {
    const log = new MemoryLog();
    const second = gate();
    const at = follow(log, {
      position: memoryPosition(0),
      handle: ([one]) => (one === b ? second.passed : Promise.resolve()),
    });
    const b = change(2);
    log.append(change(1), b);
    at.clock.advance(10);
    await at.until(() => at.begun.length === 2, 'both batches');
    expect(at.changes.caughtUpTo).toBe(Number.NEGATIVE_INFINITY);
    second.open();
    await at.until(() => at.handled.length === 2, 'both of them');
    await at.until(() => at.changes.caughtUpTo >= 0, 'it to have caught up');
    const emptyBatch = async (): Promise<boolean> => {
      if (at.clock.pending > 0) at.clock.advance(1_000);
      return at.changes.caughtUpTo >= 1_000;
    };
    await at.until(emptyBatch, 'an empty batch');
  });

  test('without a position it opens at now and sweeps; no position is stored before the sweep is done', async () => {
    const log = new MemoryLog();
    log.append(change(0));
    const sweeping = gate();
    const at = follow(log, { sweep: () => sweeping.passed });
    await at.until(() => at.changes.isOpen, 'it to be open');
    log.append(change(1), change(2));
    await at.until(() => at.handled.length === 2, 'what came after');
    expect(at.handled).toEqual(['c1', 'c2']);
    expect([at.sweeps(), at.tracker.done]).toEqual([1, undefined]);
    sweeping.open();
    await at.until(() => at.tracker.done?.token === memoryPosition(3).token, 'the position');
  });

  test.each([
    ['that the history no longer holds', { ...memoryPosition(0) }, 1, 'warn'],
    ['of another replica set', { ...memoryPosition(1), replicaSet: 'other' }, 1, 'warn'],
    ['of another filter, which is planned', { ...memoryPosition(1), filterVersion: 99 }, 0, 'info'],
  ] as const)('a position %s is given up and a sweep closes the gap', async (_, position, alerts, level) => {
    const log = new MemoryLog();
    log.append(change(1));
    log.truncate();
    const at = follow(log, { position });
    await at.until(() => at.changes.isOpen, 'it to be open');
    log.append(change(2));
    await at.until(() => at.tracker.done?.token === memoryPosition(2).token, 'the position');
    expect([at.sweeps(), at.instruments.events('position_lost')]).toEqual([1, alerts]);
    expect(at.logger.of(level).map(({ fields }) => fields['code'])).toEqual(['position_lost']);
  });

  test('what could not be handled is read again from the position', async () => {
    const log = new MemoryLog();
    let failures = 2;
    const at = follow(log, {
      position: memoryPosition(0),
      handle: async (batch) => {
        if (idsOf(batch).includes('c2') && failures-- > 0) throw new Error('not now');
      },
    });
    log.append(change(1), change(2), change(3));
    await at.until(() => at.tracker.done?.token === memoryPosition(3).token, 'the position');
    expect(at.instruments.events('stream_reopened')).toBe(2);
    expect(at.handled.slice(-2)).toEqual(['c2', 'c3']);
    expect(at.sweeps()).toBe(0);
  });

  test('a sweep that fails is not forgotten', async () => {
    const log = new MemoryLog();
    let failures = 1;
    const at = follow(log, {
      sweep: async () => {
        if (failures-- > 0) throw new Error('not now');
      },
    });
    await at.until(() => at.changes.isOpen, 'it to be open');
    log.append(change(1));
    await at.until(() => at.begun.length > 0, 'the batch that meets the failure');
    log.append(change(2));
    await at.until(() => {
      at.clock.advance(1_000);
      return at.sweeps() === 2;
    }, 'another sweep');
    log.append(change(3));
    await at.until(() => at.tracker.done?.token === memoryPosition(3).token, 'the position');
  });

  test('after the position went back, what was being read does not move it; it is read again from there', async () => {
    const log = new MemoryLog();
    log.append(change(1), change(2), change(3));
    const slow = gate();
    const at = follow(log, {
      position: memoryPosition(2),
      handle: (batch) => (idsOf(batch).includes('c3') ? slow.passed : Promise.resolve()),
    });
    await at.until(() => at.begun.length === 1, 'the third change');
    at.changes.rewind(memoryPosition(1));
    slow.open();
    await new Promise(setImmediate);
    expect(at.tracker.done).toEqual(memoryPosition(1));
    await at.changes.reopen();
    await at.until(() => at.tracker.done?.token === memoryPosition(3).token, 'the position');
    expect(at.handled).toEqual(['c3', 'c2', 'c3']);
    expect(at.instruments.events('stream_reopened')).toBe(0);
  });

  test('whatever breaks, every change is handled, and the position never passes one that is not', async () => {
    const plan = fc.array(fc.constantFrom('append', 'break', 'fail', 'wait'), { minLength: 1, maxLength: 25 });
    await fc.assert(
      fc.asyncProperty(plan, fc.integer({ min: 1, max: 3 }), async (steps, batchSize) => {
        const log = new MemoryLog();
        let failing = 0;
        const done = new Set<string>();
        const violations: string[] = [];
        const at = follow(log, {
          ...{ position: memoryPosition(0), batchSize },
          handle: async (batch) => {
            await new Promise(setImmediate);
            if (failing > 0) {
              failing -= 1;
              throw new Error('not now');
            }
            for (const id of idsOf(batch)) done.add(id);
          },
        });
        const check = (): void => {
          const upTo = Number.parseInt(at.tracker.done?.token ?? '0', 16);
          for (let n = 1; n <= upTo; n++) if (!done.has(`c${n}`)) violations.push(`c${n} is passed at ${upTo}`);
        };
        for (const step of steps) {
          if (step === 'append') log.append(change(log.end + 1));
          else if (step === 'break') at.source.fail(new Error('the connection is gone'));
          else if (step === 'fail') failing += 1;
          else await new Promise(setImmediate);
          check();
        }
        failing = 0;
        // a failure is met by the batch that follows
        log.append(change(log.end + 1));
        await at.until(() => {
          check();
          if (done.size < log.end && at.tracker.open === 0) log.append(change(log.end + 1));
          return done.size === log.end && at.tracker.done?.token === memoryPosition(log.end).token;
        }, 'everything to be handled');
        expect(violations).toEqual([]);
        for (const end of ends.splice(0)) end();
      }),
      { numRuns: 60 },
    );
  });
});
