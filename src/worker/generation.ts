import { EMPTY, type Observable } from 'rxjs';
import { conversations$ } from '../../streams/conversations.ts';
import { clockScheduler } from '../../streams/operators/clockScheduler.ts';
import type { Partition } from '../domain/model.ts';
import type { MemberStatus } from './protocol.ts';
import { type GenerationParams, Wiring } from './wiring.ts';

/** One life of a member, from joining under an id to leaving or being fenced. */
export class Generation {
  private readonly params: GenerationParams;
  private readonly abort = new AbortController();
  private readonly parts: Wiring;
  private fail: (error: unknown) => void = () => {};
  private end: () => void = () => {};
  private joined = false;
  private running = true;
  private cancelGuard: (() => void) | undefined;

  constructor(params: GenerationParams) {
    this.params = params;
    this.parts = new Wiring(params, this.abort.signal, {
      fail: (error) => this.fail(error),
      gained: (partitions) => this.gained(partitions),
      lost: (partitions) => this.lost(partitions),
    });
  }

  /** Everything that has to be subscribed to while the member lives. They end with an error, never by themselves. */
  get pipelines$(): Observable<unknown>[] {
    const { config, clock } = this.params;
    const rounds$ = conversations$({
      ...{ results$: this.parts.dispatch.results$, due$: this.parts.schedule.due$, hints: this.parts.hints },
      round: (inputs) => this.parts.ownership.during(() => this.parts.round.run(inputs)),
      ...{ batchSize: config.batchSize, windowMs: config.batchWindowMs, inDoubt: () => this.parts.dispatch.inDoubt },
      scheduler: clockScheduler(clock),
    });
    const inbound$ = [this.parts.inbound.stream$, this.parts.optOuts.stream$];
    return [
      rounds$,
      ...inbound$,
      this.parts.changes.stream$,
      this.parts.campaigns.run$(EMPTY),
      this.parts.reconcile.stream$,
      this.parts.vitals.stream$,
    ];
  }

  onFailure(fail: (error: unknown) => void): void {
    this.fail = fail;
  }

  onEnd(end: () => void): void {
    this.end = end;
  }

  /** Inserts the member and takes its first share. The pipelines are running already. */
  async join(): Promise<void> {
    await this.parts.attention.loadRuns();
    await this.parts.rates.load();
    await this.parts.membership.tick();
    this.joined = true;
    this.params.instruments.event('joined');
    this.params.logger.info('member joined', { channels: [...this.params.channels.keys()] });
    this.guardLease();
    this.parts.membership.run(this.abort.signal).catch((error: unknown) => this.fail(error));
  }

  status(): MemberStatus {
    const leaseValid = this.parts.stores.ledger.leaseRemaining() > 0;
    return {
      memberId: this.params.memberId,
      joined: this.joined,
      streamOpen: this.parts.changes.isOpen,
      leaseValid,
      partitions: this.parts.ownership.active.length,
      inDoubt: this.parts.dispatch.inDoubt,
      pipelinesRunning: this.running,
      ...(leaseValid ? {} : { detail: 'no commit within the lease' }),
    };
  }

  /** Takes no more, finishes what is in flight within the grace, hands the partitions over with their position. */
  async stop(graceMs: number): Promise<void> {
    this.joined = false;
    try {
      await this.parts.membership.leave(graceMs);
      this.params.instruments.event('left');
      this.params.logger.info('member left; its partitions are handed over');
    } finally {
      await this.close();
    }
  }

  /**
   * Fenced, or failed: aborts every unsent message at once. Who only failed still owns its partitions and frees them, so
   * that they need not wait for the end of its lease.
   */
  async abandon(fenced: boolean): Promise<void> {
    this.joined = false;
    this.parts.dispatch.abortAll();
    if (!fenced) await this.parts.membership.leave(0).catch(() => {});
    await this.close();
  }

  private async close(): Promise<void> {
    this.running = false;
    this.cancelGuard?.();
    this.parts.runs.stop();
    this.parts.rates.stop();
    this.parts.dispatch.abortAll();
    this.abort.abort();
    this.end();
    // others have them, or will
    this.params.instruments.partitionsOwned(0);
    this.params.instruments.inDoubt(0);
    await this.parts.changes.close().catch(() => {});
    await this.parts.stores.ledger.close().catch(() => {});
  }

  private guardLease(): void {
    const { clock, config } = this.params;
    this.cancelGuard = clock.after(Math.min(250, config.leaseTtlMs / 20), () => {
      this.parts.dispatch.guardLease();
      this.guardLease();
    });
  }

  private gained(partitions: readonly Partition[]): void {
    this.params.logger.info('partitions were gained', { count: partitions.length });
    void this.parts.changes.reopen();
    void this.parts.attention.gained(partitions);
  }

  private lost(partitions: readonly number[]): void {
    this.params.logger.info('partitions were given up', { count: partitions.length });
    this.parts.ownership.lost(partitions);
  }
}
