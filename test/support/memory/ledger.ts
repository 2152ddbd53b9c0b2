import { ServiceError } from '../../../src/domain/errors.ts';
import type { Ledger } from '../../../src/domain/memberPorts.ts';
import type { StreamPosition } from '../../../src/domain/model.ts';
import type { Clock } from '../../../src/domain/systemPorts.ts';
import type { MemoryDatabase } from './database.ts';

export interface MemoryLedgerParams {
  database: MemoryDatabase;
  memberId: string;
  clock: Clock;
  /** Default 15,000. */
  leaseTtlMs?: number;
  position?: () => StreamPosition | undefined;
}

/** The one queue of a member: each transaction begins with the fence, an update of its `members` document. */
export class MemoryLedger implements Ledger {
  readonly memberId: string;
  private readonly params: MemoryLedgerParams;
  private readonly ttlMs: number;
  private readonly marginMs: number;
  private queue: Promise<unknown> = Promise.resolve();
  private closed = false;
  private lastFence: { monotonic: number; wall: number } | undefined;

  constructor(params: MemoryLedgerParams) {
    this.params = params;
    this.memberId = params.memberId;
    this.ttlMs = params.leaseTtlMs ?? 15_000;
    this.marginMs = Math.max(200, this.ttlMs * 0.1);
  }

  get fencedAt(): number | undefined {
    return this.lastFence?.monotonic;
  }

  leaseRemaining(): number {
    if (this.lastFence === undefined) return 0;
    const { clock } = this.params;
    const elapsed = Math.max(clock.monotonic() - this.lastFence.monotonic, clock.now() - this.lastFence.wall);
    return this.ttlMs - this.marginMs - elapsed;
  }

  beat(): Promise<void> {
    return this.transact('beat', () => {});
  }

  /** `work` is synchronous, so nobody comes in between; a throw undoes all of it. */
  transact<T>(name: string, work: () => T): Promise<T> {
    if (this.closed) return Promise.reject(new ServiceError('internal', `the ledger is closed (${name})`));
    const turn = this.queue.then(() => this.once(name, work));
    this.queue = turn.catch(() => {});
    return turn;
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.queue;
  }

  private async once<T>(name: string, work: () => T): Promise<T> {
    const { database, clock } = this.params;
    // before it is on its way: the lease runs from here
    const fence = { monotonic: clock.monotonic(), wall: clock.now() };
    const written = (): T =>
      database.atomically(() => {
        this.fence();
        return work();
      });
    const result = await database.run(name, this.memberId, written);
    this.lastFence = fence;
    return result;
  }

  private fence(): void {
    const { members } = this.params.database;
    const member = members.get(this.memberId);
    if (member === undefined) throw new ServiceError('fenced', `member ${this.memberId} was taken over`);
    const position = this.params.position?.();
    members.put({ ...member, beat: member.beat + 1, ...(position ? { position } : {}) });
  }
}
