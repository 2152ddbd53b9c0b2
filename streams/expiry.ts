import type { Ledger } from '../src/domain/memberPorts.ts';
import type { Member } from '../src/domain/model.ts';
import type { Clock } from '../src/domain/systemPorts.ts';

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
   * Members whose beat stood still for a full lease that was watched, with a lease of our own: an election, a clock step or
   * our own freeze makes nobody look dead. Monotonic ms: `asked`, when the members were asked for, `heard`, when they were told.
   */
  expired(members: readonly Member[], { asked, heard }: { asked: number; heard: number }): Member[] {
    const gap = heard - this.#lookedAt;
    if (gap > this.#leaseTtlMs || this.#ledger.leaseRemaining() <= 0) this.restart();
    // what held us up for longer may have held them up; what was watched before counts all the same
    const unwatched = gap - this.#leaseTtlMs / 2;
    if (unwatched > 0) for (const seen of this.#seen.values()) seen.since += unwatched;
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
