import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isServiceError } from '../../../src/domain/errors.ts';
import { type Forgotten, forgottenAfterMs } from '../../../src/domain/memberPorts.ts';
import type { Member, Partition, StreamPosition } from '../../../src/domain/model.ts';
import type { Clock } from '../../../src/domain/systemPorts.ts';
import { Membership } from '../../../streams/membership.ts';
import { type ManualClock, manualClock } from '../../support/clock.ts';
import { recordingInstruments, recordingLogger } from '../../support/fakes.ts';
import { MemoryDatabase } from '../../support/memory/database.ts';
import { MemoryLedger } from '../../support/memory/ledger.ts';
import { MemoryMembership } from '../../support/memory/membership.ts';

const leaseTtlMs = 10_000;
const at = (token: string): StreamPosition => ({ token, replicaSet: 'rs0', filterVersion: 1 });

interface Actor {
  id: string;
  ledger: MemoryLedger;
  membership: Membership;
  instruments: ReturnType<typeof recordingInstruments>;
  logger: ReturnType<typeof recordingLogger>;
  position: StreamPosition | undefined;
  gained: Partition[];
  lost: number[];
  /** Drains under way: what is asked for, and how to end it. */
  drains: { partitions: readonly number[]; end: (error?: Error) => void }[];
}

interface Options {
  /** Drains end at once; else the test ends them. */
  drainsAtOnce?: boolean;
  endForgotten?: () => Promise<Forgotten>;
  members?: () => Promise<Member[]>;
  clock?: Clock;
}

function join(database: MemoryDatabase, id: string, clock: ManualClock, options: Options = {}): Actor {
  const own = options.clock ?? clock;
  const ledger = new MemoryLedger({ database, memberId: id, leaseTtlMs, clock: own, position: () => actor.position });
  const member: Member = {
    ...{ _id: id, host: 'h', thread: 0, beat: 0, filterVersion: 1, channels: [], version: '1' },
    startedAt: new Date(0),
  };
  const [instruments, logger] = [recordingInstruments(), recordingLogger()];
  const actor: Omit<Actor, 'membership'> = {
    ...{ id, ledger, instruments, logger, position: undefined, gained: [], lost: [], drains: [] },
  };
  const drain = (partitions: readonly number[]): Promise<void> =>
    new Promise((resolve, reject) => {
      if (options.drainsAtOnce !== false) return resolve();
      actor.drains.push({ partitions, end: (error) => (error ? reject(error) : resolve()) });
    });
  const store = new MemoryMembership({ database, ledger });
  if (options.endForgotten) store.endForgotten = options.endForgotten;
  if (options.members) store.members = options.members;
  const membership = new Membership({
    ...{ store, ledger, member, leaseTtlMs, clock: own, random: () => 0.5 },
    ...{ logger, instruments, drain },
    position: () => actor.position,
    onGained: (partitions) => actor.gained.push(...partitions),
    onLost: (partitions) => actor.lost.push(...partitions),
  });
  return Object.assign(actor, { membership });
}

function cluster(partitions: number): { database: MemoryDatabase; clock: ManualClock } {
  const clock = manualClock();
  return { database: new MemoryDatabase({ clock, partitions }), clock };
}

/** While it is, whatever is asked of the database fails. */
function away(database: MemoryDatabase, isAway: boolean): void {
  const before = (): void => {
    throw new Error('the database is away');
  };
  database.hooks = isAway ? { before } : {};
}

/** A second at a time, everybody ticks. */
async function pass(clock: ManualClock, seconds: number, ...actors: Actor[]): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    clock.advance(1_000);
    for (const { membership } of actors) await membership.tick();
  }
}
const sizes = (...actors: Actor[]): number[] => actors.map(({ membership }) => membership.owned.size);

describe('membership', () => {
  test('a member alone joins, beats and owns everything after one tick', async () => {
    const { database, clock } = cluster(8);
    const a = join(database, 'a', clock);
    await a.membership.tick();
    expect(a.membership.owned).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7]));
    expect(new Set(a.gained.map(({ _id }) => _id))).toEqual(a.membership.owned);
    expect(a.ledger.leaseRemaining()).toBeGreaterThan(0);
    expect(a.instruments.of('partitionsOwned').at(-1)).toEqual([8]);
  });

  test('beats when nothing was committed for a quarter of the lease, and only then', async () => {
    const { database, clock } = cluster(1);
    const a = join(database, 'a', clock);
    await a.membership.tick();
    const beat = (): number | undefined => database.members.get('a')?.beat;
    const before = beat() ?? 0;
    clock.advance(2_400);
    await a.membership.tick();
    expect(beat()).toBe(before);
    clock.advance(200);
    await a.membership.tick();
    expect(beat()).toBe(before + 1);
    clock.advance(2_000);
    await a.ledger.beat();
    clock.advance(2_000);
    await a.membership.tick();
    expect(beat()).toBe(before + 2);
  });

  test('members that come together share without drains', async () => {
    const { database, clock } = cluster(64);
    const actors = ['c', 'a', 'b'].map((id) => join(database, id, clock));
    for (const { ledger } of actors) database.members.put({ _id: ledger.memberId, beat: 0 } as Member);
    await Promise.all(actors.map(({ membership }) => membership.tick()));
    await pass(clock, 2, ...actors);
    expect(sizes(...actors)).toEqual([21, 22, 21]);
  });

  test('a newcomer waits until the others have drained and released, with their position', async () => {
    const { database, clock } = cluster(9);
    const a = join(database, 'a', clock, { drainsAtOnce: false });
    const b = join(database, 'b', clock);
    await pass(clock, 1, a, b);
    expect(sizes(a, b)).toEqual([9, 0]);
    await pass(clock, 3, a, b);
    expect(sizes(a, b)).toEqual([9, 0]);
    expect(a.drains.map(({ partitions }) => partitions.length)).toEqual([4]);
    expect(a.lost).toEqual([]);

    a.position = at('0a');
    a.drains[0]?.end();
    await pass(clock, 1, a, b);
    expect(sizes(a, b)).toEqual([5, 4]);
    expect(a.lost).toEqual(a.drains[0]?.partitions);
    expect(b.gained.every(({ position }) => position?.token === '0a')).toBe(true);
  });

  test('beats go on while a drain lasts, and a drain that failed is asked for again', async () => {
    const { database, clock } = cluster(4);
    const a = join(database, 'a', clock, { drainsAtOnce: false });
    const b = join(database, 'b', clock);
    await pass(clock, 30, a, b);
    expect(database.members.get('a') !== undefined).toBe(true);
    expect(a.drains).toHaveLength(1);
    a.drains[0]?.end(new Error('no'));
    await pass(clock, 2, a, b);
    expect(a.drains).toHaveLength(2);
    expect(a.logger.of('warn')).toHaveLength(1);
    a.drains[1]?.end();
    await pass(clock, 1, a, b);
    expect(sizes(a, b)).toEqual([2, 2]);
  });

  test('a dead member is taken over after its lease and within two seconds more', async () => {
    const { database, clock } = cluster(8);
    const [a, b] = [join(database, 'a', clock), join(database, 'b', clock)];
    await pass(clock, 4, a, b);
    b.position = at('0b');
    await b.ledger.beat();
    await pass(clock, 10, a);
    expect(b.ledger.leaseRemaining()).toBeLessThanOrEqual(0);
    expect(a.membership.owned.size).toBe(4);
    await pass(clock, 2, a);
    expect(a.membership.owned.size).toBe(8);
    expect(a.gained.slice(-4).map(({ position }) => position?.token)).toEqual(['0b', '0b', '0b', '0b']);
    expect(a.instruments.events('taken_over')).toBe(1);
  });

  test('left to itself, it takes over within two seconds after the lease, whenever the last beat came', async () => {
    for (const lastBeatMs of [0, 300, 600, 900]) {
      const { database, clock } = cluster(8);
      const [a, b] = [join(database, 'a', clock), join(database, 'b', clock)];
      const abort = new AbortController();
      void a.membership.run(abort.signal);
      await clock.advanceAsync(3_000 + lastBeatMs);
      await b.membership.tick();
      const diedAt = clock.monotonic();
      while (database.members.get('b') !== undefined && clock.monotonic() < 60_000) await clock.advanceAsync(10);
      const tookMs = clock.monotonic() - diedAt;
      expect(tookMs).toBeGreaterThanOrEqual(leaseTtlMs);
      expect(tookMs).toBeLessThanOrEqual(leaseTtlMs + 1_000);
      abort.abort();
    }
  });

  test('others are looked at beside the own beat, which may be held up by what somebody dead has locked', async () => {
    const { database, clock } = cluster(8);
    const [a, b] = [join(database, 'a', clock), join(database, 'b', clock)];
    await pass(clock, 4, a, b);
    clock.advance(3_000);
    await b.membership.tick();
    const diedAt = clock.monotonic();
    // the tick that sees the last beat is held up for four seconds in its own
    database.hooks.before = async (operation, memberId) => {
      if (operation !== 'beat' || memberId !== 'a' || clock.monotonic() > diedAt) return;
      database.hooks = {};
      // whatever else was asked is answered meanwhile
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(4_000);
    };
    await a.membership.tick();
    while (database.members.get('b') !== undefined && clock.monotonic() < diedAt + 60_000) {
      clock.advance(100);
      await a.membership.tick();
    }
    expect(clock.monotonic() - diedAt).toBeLessThanOrEqual(leaseTtlMs + 100);
  });

  test('of what an observer could not watch half a lease counts at most, and what he watched before is', async () => {
    const { database, clock } = cluster(8);
    const [a, b] = [join(database, 'a', clock), join(database, 'b', clock)];
    await pass(clock, 4, a, b);
    await pass(clock, 4, a);
    clock.advance(9_000);
    await a.membership.tick();
    expect(database.members.get('b') !== undefined).toBe(true);
    await pass(clock, 2, a);
    expect(database.members.get('b') !== undefined).toBe(false);
  });

  test.each([
    ['fails', () => Promise.reject(new Error('away'))],
    ['hangs', () => new Promise<never>(() => {})],
  ])('a look at the others that %s keeps no beat from going out', async (_, members) => {
    const { database, clock } = cluster(2);
    const a = join(database, 'a', clock, { members });
    const tick = a.membership.tick().catch((error: Error) => error.message);
    clock.advance(leaseTtlMs / 2);
    await Promise.race([tick, new Promise((resolve) => setImmediate(resolve))]);
    expect(a.ledger.leaseRemaining()).toBeGreaterThan(0);
    expect(a.ledger.fencedAt).toBeDefined();
  });

  test('transactions that others left open are looked for beside each tick, one look at a time, and whatever comes of it', async () => {
    const { database, clock } = cluster(1);
    const looks: { resolve: (found: Forgotten) => void; reject: (error: Error) => void }[] = [];
    const endForgotten = () => new Promise<Forgotten>((resolve, reject) => looks.push({ resolve, reject }));
    const a = join(database, 'a', clock, { endForgotten });
    await pass(clock, 3, a);
    expect(looks).toHaveLength(1);
    looks[0]?.resolve({ ended: 2, open: 0 });
    await pass(clock, 1, a);
    await pass(clock, 1, a);
    expect(looks).toHaveLength(2);
    looks[1]?.reject(new Error('the database is away'));
    await pass(clock, 2, a);
    expect(looks).toHaveLength(3);
    looks[2]?.resolve({ ended: 0, open: 1 });
    await clock.advanceAsync(forgottenAfterMs + 1);
    expect(looks).toHaveLength(4);
    looks[3]?.resolve({ ended: 0, open: 1 });
    await clock.advanceAsync(0);
    await a.membership.tick();
    expect(looks).toHaveLength(5);
    await clock.advanceAsync(2 * forgottenAfterMs);
    looks[4]?.resolve({ ended: 0, open: 0 });
    await clock.advanceAsync(2 * forgottenAfterMs);
    expect(looks).toHaveLength(5);
    expect(a.logger.of('warn')).toMatchObject([{ fields: { count: 2 } }]);
  });

  test('what was freed is claimed at once by whoever is told of it', async () => {
    const { database, clock } = cluster(8);
    const [a, b] = [join(database, 'a', clock), join(database, 'b', clock)];
    const abort = new AbortController();
    await pass(clock, 4, a, b);
    void a.membership.run(abort.signal);
    await clock.advanceAsync(1_000);
    await b.membership.leave(0);
    expect(a.membership.owned.size).toBe(4);
    for (let n = 0; n < 5; n++) a.membership.wake();
    await clock.advanceAsync(100);
    expect(a.membership.owned.size).toBe(8);
    abort.abort();
  });

  test('what is freed while a tick is under way is not left for the next regular one', async () => {
    const { database, clock } = cluster(8);
    const [a, b] = [join(database, 'a', clock), join(database, 'b', clock)];
    const abort = new AbortController();
    await pass(clock, 4, a, b);
    let reading: Promise<void> | undefined;
    database.hooks.after = async (operation, memberId) => {
      if (operation !== 'partitions' || memberId !== 'a' || reading !== undefined) return;
      reading = b.membership.leave(0).then(() => a.membership.wake());
      await reading;
    };
    void a.membership.run(abort.signal);
    await clock.advanceAsync(0);
    await clock.advanceAsync(150);
    expect([reading === undefined, a.membership.owned.size]).toEqual([false, 8]);
    abort.abort();
  });

  test('a member that was taken over is told so, and owns nothing', async () => {
    const { database, clock } = cluster(8);
    const [a, b] = [join(database, 'a', clock), join(database, 'b', clock)];
    await pass(clock, 4, a, b);
    await pass(clock, 13, a);
    await expect(b.membership.tick()).rejects.toMatchObject({ code: 'fenced' });
    expect(b.membership.owned.size).toBe(0);
    expect(b.lost).toEqual([4, 5, 6, 7]);
    await expect(b.membership.run(new AbortController().signal)).rejects.toMatchObject({ code: 'fenced' });
  });

  test('nobody is taken over for an outage of the database, however long', async () => {
    const { database, clock } = cluster(8);
    const [a, b] = [join(database, 'a', clock), join(database, 'b', clock)];
    await pass(clock, 4, a, b);
    away(database, true);
    for (let second = 0; second < 60; second++) {
      clock.advance(1_000);
      await expect(a.membership.tick()).rejects.toThrow('away');
    }
    away(database, false);
    await pass(clock, 9, a);
    expect(database.members.get('b') !== undefined).toBe(true);
    await pass(clock, 3, a);
    expect(database.members.get('b') !== undefined).toBe(false);
  });

  test('nobody is taken over for a freeze of the observer or a step of his wall clock', async () => {
    const { database, clock } = cluster(8);
    const [a, b] = [join(database, 'a', clock), join(database, 'b', clock)];
    await pass(clock, 4, a, b);
    await pass(clock, 3, a);
    clock.advance(60_000);
    await a.membership.tick();
    expect(database.members.get('b') !== undefined).toBe(true);
    clock.stepWall(3_600_000);
    await a.membership.tick();
    await pass(clock, 2, a, b);
    expect(database.members.get('b') !== undefined).toBe(true);
    expect(sizes(a, b)).toEqual([4, 4]);
  });

  test('a claim whose answer was lost counts; a partition that went elsewhere does not', async () => {
    const { database, clock } = cluster(2);
    const a = join(database, 'a', clock);
    database.members.put({ _id: 'z', beat: 0 } as Member);
    await a.membership.tick();
    database.partitions.put({ _id: 1, owner: 'a' });
    database.partitions.put({ _id: 0, owner: 'z' });
    await a.membership.tick();
    expect(a.membership.owned).toEqual(new Set([1]));
    expect(a.lost).toEqual([0]);
  });

  test('partitions of an owner who does not exist are claimed', async () => {
    const { database, clock } = cluster(2);
    database.partitions.put({ _id: 0, owner: 'ghost' });
    const a = join(database, 'a', clock);
    await a.membership.tick();
    expect(a.membership.owned.size).toBe(2);
  });

  test('leaves after the drain, beating meanwhile, and hands everything over with its position', async () => {
    const { database, clock } = cluster(4);
    const a = join(database, 'a', clock, { drainsAtOnce: false });
    await a.membership.tick();
    let left = false;
    const leaving = a.membership.leave(25_000).then(() => {
      left = true;
    });
    const running = a.membership.run(new AbortController().signal);
    const before = database.members.get('a')?.beat ?? 0;
    for (let second = 0; second < 15; second++) await clock.advanceAsync(1_000);
    expect(left).toBe(false);
    expect(database.members.get('a')?.beat).toBeGreaterThan(before + 3);
    a.position = at('0f');
    a.drains[0]?.end();
    await clock.advanceAsync(1_000);
    await Promise.all([leaving, running]);
    expect(database.members.find().length).toBe(0);
    expect(database.partitions.find()).toEqual([0, 1, 2, 3].map((_id) => ({ _id, position: at('0f') })));
    expect(a.membership.owned.size).toBe(0);
    expect(clock.pending).toBe(0);
    await a.membership.tick();
    expect(database.members.find().length).toBe(0);
  });

  test('leaves when the grace is over, drained or not', async () => {
    const { database, clock } = cluster(4);
    const a = join(database, 'a', clock, { drainsAtOnce: false });
    await a.membership.tick();
    const leaving = a.membership.leave(5_000);
    await clock.advanceAsync(5_000);
    await leaving;
    expect(database.members.find().length).toBe(0);
    expect(a.logger.of('warn')).toHaveLength(1);
  });

  test('who never joined leaves without a trace', async () => {
    const { database, clock } = cluster(1);
    await join(database, 'a', clock).membership.leave(1_000);
    expect(clock.pending).toBe(0);
  });

  test('run ticks every second at most, goes on after failures with one warning, and ends with its signal', async () => {
    const { database, clock } = cluster(2);
    const a = join(database, 'a', clock);
    const stop = new AbortController();
    const running = a.membership.run(stop.signal);
    await clock.advanceAsync(0);
    expect(a.membership.owned.size).toBe(2);
    expect(clock.nextIn).toBeGreaterThan(500);
    expect(clock.nextIn).toBeLessThanOrEqual(1_000);
    away(database, true);
    await clock.advanceAsync(5_000);
    away(database, false);
    await clock.advanceAsync(5_000);
    expect(a.logger.of('warn')).toHaveLength(1);
    expect(database.members.get('a')?.beat).toBeGreaterThan(3);
    stop.abort();
    await running;
    expect(clock.pending).toBe(0);
  });
});

type Step =
  | { kind: 'tick'; who: number }
  | { kind: 'round'; who: number }
  | { kind: 'wait'; ms: number }
  | { kind: 'join' }
  | { kind: 'crash'; who: number }
  | { kind: 'leave'; who: number }
  | { kind: 'step'; who: number; ms: number }
  | { kind: 'away' };

const who = fc.nat(9);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: fc.record({ kind: fc.constant('tick' as const), who }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('round' as const), who }) },
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(3_000) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(20_000) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('join' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const), who }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const), who }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('step' as const),
        who,
        ms: fc.integer({ min: -300_000, max: 300_000 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('away' as const) }) },
  ),
  { maxLength: 120 },
);

/** Members that come, freeze, die and leave at random over one cluster; a fenced one rejoins under a new id. */
class Simulation {
  readonly clock: ManualClock;
  readonly database: MemoryDatabase;
  alive: { actor: Actor; stepWall: (ms: number) => void }[] = [];
  #names = 0;

  constructor(partitions: number) {
    const { database, clock } = cluster(partitions);
    this.database = database;
    this.clock = clock;
  }

  join(): void {
    let offset = 0;
    const clock: Clock = {
      now: () => this.clock.now() + offset,
      monotonic: () => this.clock.monotonic(),
      after: (ms, callback) => this.clock.after(ms, callback),
    };
    this.#names += 1;
    const id = `${(this.#names * 7919) % 1000}-${this.#names}`;
    const stepWall = (ms: number): void => {
      offset += ms;
    };
    this.alive.push({ actor: join(this.database, id, this.clock, { clock }), stepWall });
  }

  async apply(step: Step): Promise<void> {
    if (step.kind === 'wait') this.clock.advance(step.ms);
    else if (step.kind === 'join') this.join();
    else if (step.kind === 'away') away(this.database, this.database.hooks.before === undefined);
    else await this.act(step);
  }

  async act(step: Exclude<Step, { kind: 'wait' | 'join' | 'away' }>): Promise<void> {
    const chosen = this.alive[step.who % Math.max(1, this.alive.length)];
    if (chosen === undefined) return;
    const { actor } = chosen;
    const gone = (): void => {
      this.alive = this.alive.filter((other) => other !== chosen);
    };
    try {
      if (step.kind === 'tick') await actor.membership.tick();
      else if (step.kind === 'round') await actor.ledger.beat();
      else if (step.kind === 'step') chosen.stepWall(step.ms);
      else {
        if (step.kind === 'leave') await actor.membership.leave(0);
        gone();
      }
    } catch (error) {
      if (step.kind === 'leave' || isServiceError(error, 'fenced')) gone();
      if (isServiceError(error, 'fenced')) this.join();
    }
  }

  /** Partitions that two members hold who both have a lease to act under. */
  doubles(): number[] {
    const seen = new Set<number>();
    const holders = this.alive.filter(({ actor }) => actor.ledger.leaseRemaining() > 0);
    return holders.flatMap(({ actor }) => [...actor.membership.owned]).filter((id) => seen.size === seen.add(id).size);
  }
}

test('whatever happens, no partition has two owners under a lease, and in the end all are shared out evenly', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 24 }), steps, async (partitions, script) => {
      const simulation = new Simulation(partitions);
      simulation.join();
      for (const step of script) {
        await simulation.apply(step);
        expect(simulation.doubles()).toEqual([]);
      }
      away(simulation.database, false);
      if (simulation.alive.length === 0) simulation.join();
      for (let second = 0; second < 40; second++) {
        simulation.clock.advance(1_000);
        for (let index = 0; index < simulation.alive.length; index++)
          await simulation.act({ kind: 'tick', who: index });
        expect(simulation.doubles()).toEqual([]);
      }
      const owned = simulation.alive.map(({ actor }) => actor.membership.owned.size);
      expect(owned.reduce((a, b) => a + b, 0)).toBe(partitions);
      expect(Math.max(...owned) - Math.min(...owned)).toBeLessThanOrEqual(1);
      expect(simulation.database.members.find().length).toBe(simulation.alive.length);
    }),
    { numRuns: 150 },
  );
});
