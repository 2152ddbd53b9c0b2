/** A process of the model: it can be frozen or killed, its way to the database is slow, cut, or loses answers. */

import { ServiceError } from '../../../../src/domain/errors.ts';
import type { Clock } from '../../../../src/domain/systemPorts.ts';
import type { ManualClock } from '../../../support/clock.ts';

export type CrashAt = 'now' | 'before' | 'after';

export interface HostParams {
  clock: ManualClock;
  /** Uniform in [0, 1). */
  chance: () => number;
  /** Is the database away for everybody? */
  databaseIsAway: () => boolean;
}

/** Those of the ledger: what they wrote is in doubt when their answer is lost. */
const transactions: ReadonlySet<string> = new Set([
  ...['round', 'beat', 'campaign', 'expand', 'enroll', 'fold', 'settle', 'take_over', 'claim', 'release', 'leave'],
]);

const unreachable = (): Error => new ServiceError('database_unreachable', 'the database is away');
const unknown = (): Error => new ServiceError('commit_unknown', 'nobody knows');
const never = (): Promise<never> => new Promise(() => {});

/** Whatever runs in the process is called by way of `enter`, or waits for `awake`. */
export class Host {
  readonly clock: Clock;
  isAway = false;
  private readonly params: HostParams;
  private wallOffsetMs = 0;
  private isFrozen = false;
  private isDead = false;
  private waiting: (() => void)[] = [];
  private crash: { at: Exclude<CrashAt, 'now'>; calls: number } | undefined;
  private losing: { calls: number; isApplied: boolean } = { calls: 0, isApplied: false };
  private readonly timers = new Set<() => void>();

  constructor(params: HostParams) {
    this.params = params;
    const { clock } = params;
    this.clock = {
      now: () => clock.now() + this.wallOffsetMs,
      monotonic: () => clock.monotonic(),
      after: (ms, callback) => this.after(ms, callback),
    };
  }

  get isUp(): boolean {
    return !this.isDead;
  }

  /** Dead for good: no call comes back, none that is under way has an effect. */
  kill(): void {
    this.isDead = true;
    this.waiting = [];
    for (const cancel of this.timers) cancel();
    this.timers.clear();
  }

  /** At one of the next calls into the database, before or after its effect; or now. */
  crashAt(at: CrashAt, calls: number): void {
    if (at === 'now') this.kill();
    else this.crash = { at, calls };
  }

  freeze(): void {
    this.isFrozen = true;
  }

  /** What should have happened meanwhile happens now. */
  thaw(): void {
    this.isFrozen = false;
    for (const call of this.waiting.splice(0)) this.enter(call);
  }

  stepWall(ms: number): void {
    this.wallOffsetMs += ms;
  }

  /** Answers to the next transactions are lost. */
  loseCommits(calls: number, isApplied: boolean): void {
    this.losing = { calls, isApplied };
  }

  /** Nothing is wrong with it any more. */
  heal(): void {
    this.isAway = false;
    this.wallOffsetMs = 0;
    this.losing = { calls: 0, isApplied: false };
    this.crash = undefined;
    this.thaw();
  }

  enter(call: () => void): void {
    if (this.isDead) return;
    if (this.isFrozen) this.waiting.push(call);
    else call();
  }

  awake(): Promise<void> {
    return new Promise((resolve) => this.enter(resolve));
  }

  /** A call on its way to the database. */
  async request(operation: string): Promise<void> {
    if (this.isDead || this.crashes('before')) return never();
    await this.wire();
    if (this.isDead) return never();
    if (this.unreachable) return this.fail(unreachable());
    if (this.losing.calls > 0 && !this.losing.isApplied && transactions.has(operation)) return this.lose();
  }

  /** And its answer on the way back. */
  async answer(operation: string): Promise<void> {
    if (this.crashes('after')) return never();
    await this.wire();
    const isTransaction = transactions.has(operation);
    if (this.unreachable) return this.fail(isTransaction ? unknown() : unreachable());
    if (this.losing.calls > 0 && this.losing.isApplied && isTransaction) return this.lose();
    await this.awake();
  }

  private get unreachable(): boolean {
    return this.isAway || this.params.databaseIsAway();
  }

  private async fail(error: Error): Promise<never> {
    await this.awake();
    throw error;
  }

  private lose(): Promise<never> {
    this.losing.calls -= 1;
    return this.fail(unknown());
  }

  private crashes(at: CrashAt): boolean {
    if (this.crash?.at !== at) return this.isDead;
    this.crash.calls -= 1;
    if (this.crash.calls <= 0) this.kill();
    return this.isDead;
  }

  private wire(): Promise<void> {
    const { clock, chance } = this.params;
    const ms = chance() < 0.95 ? chance() * 4 : chance() * 400;
    return new Promise((resolve) => {
      clock.after(ms, resolve);
    });
  }

  private after(ms: number, callback: () => void): () => void {
    let isCancelled = false;
    const cancelTimer = this.params.clock.after(ms, () => {
      this.timers.delete(cancelTimer);
      this.enter(() => {
        if (!isCancelled) callback();
      });
    });
    this.timers.add(cancelTimer);
    return () => {
      isCancelled = true;
      cancelTimer();
      this.timers.delete(cancelTimer);
    };
  }
}
