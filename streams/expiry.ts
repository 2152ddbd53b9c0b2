import type { Member } from '../src/domain/model.ts';
import type { Clock, Ledger } from '../src/domain/ports.ts';

/** Tells which members are gone by what one observer saw himself: no clock but his own monotonic one counts. */
export class ExpiryWatch {
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #leaseTtlMs: number;
  /** When each of the others was first seen with the beat it still has. */
  readonly #seen = new Map<string, { beat: number; since: number }>();
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(params: { ledger: Ledger; clock: Clock; leaseTtlMs: number }) {
    this.#ledger = params.ledger;
    this.#clock = params.clock;
    this.#leaseTtlMs = params.leaseTtlMs;
  }

  /** Something of ours failed: who cannot write cannot tell a dead member from a database that was away. */
  restart(): void {
    this.#seen.clear();
  }

  /** Ms until the first of the others will have stood still for a full lease, should its beat not move; undefined when none is watched. */
  get nextIn(): number | undefined {
    const since = Math.min(...[...this.#seen.values()].map((seen) => seen.since));
    return since === Number.POSITIVE_INFINITY ? undefined : since + this.#leaseTtlMs - this.#clock.monotonic();
  }

  /**
   * Members whose beat stood still for a full lease, without a gap in what was seen and with a lease of our own: an
   * election, a clock step or our own freeze makes nobody look dead. `asked`: monotonic ms when the members were asked for.
   */
  expired(members: readonly Member[], asked: number): Member[] {
    const heard = this.#clock.monotonic();
    if (heard - this.#lookedAt > this.#leaseTtlMs / 2 || this.#ledger.leaseRemaining() <= 0) this.restart();
    this.#lookedAt = heard;
    const ids = new Set(members.map(({ _id }) => _id));
    for (const id of this.#seen.keys()) if (!ids.has(id)) this.#seen.delete(id);
    return members.filter(({ _id, beat }) => {
      if (_id === this.#ledger.memberId) return false;
      const seen = this.#seen.get(_id);
      if (seen?.beat === beat) return asked - seen.since >= this.#leaseTtlMs;
      this.#seen.set(_id, { beat, since: heard });
      return false;
    });
  }
}
