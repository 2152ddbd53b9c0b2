import { ServiceError } from '../../../src/domain/errors.ts';
import type { Member, Partition, StreamPosition } from '../../../src/domain/model.ts';
import type { Clock, Ledger, MembershipStore } from '../../../src/domain/ports.ts';
import { earlier } from '../../../src/domain/positions.ts';

/** What the members share. While `away` is set, whatever is asked of it fails, as if the database were out of reach. */
export class MemoryCluster {
  readonly members = new Map<string, Member>();
  readonly partitions = new Map<number, Partition>();
  away: boolean = false;

  constructor(partitions: number) {
    for (let _id = 0; _id < partitions; _id++) this.partitions.set(_id, { _id });
  }

  /** Yields first, as every answer of a database does, so that callers meet what others did meanwhile. */
  async reach(): Promise<void> {
    await Promise.resolve();
    if (this.away) throw new Error('the cluster is away');
  }

  free(owner: string, ids: readonly number[], position: StreamPosition | undefined): void {
    for (const id of ids) {
      const partition = this.partitions.get(id);
      if (partition?.owner !== owner) continue;
      const left = position ?? partition.position;
      this.partitions.set(id, { _id: id, ...(left ? { position: left } : {}) });
    }
  }

  ownedBy(owner: string): number[] {
    return [...this.partitions.values()].filter((partition) => partition.owner === owner).map(({ _id }) => _id);
  }
}

export interface MemoryLedgerParams {
  cluster: MemoryCluster;
  memberId: string;
  leaseTtlMs: number;
  clock: Clock;
  position?: () => StreamPosition | undefined;
}

/** The fence without transactions: what `transact` runs is one step, for nothing else runs meanwhile. */
export class MemoryLedger implements Ledger {
  readonly memberId: string;
  readonly cluster: MemoryCluster;
  readonly #clock: Clock;
  readonly #leaseTtlMs: number;
  readonly #position: () => StreamPosition | undefined;
  #fence: { monotonic: number; wall: number } | undefined;

  constructor({ cluster, memberId, leaseTtlMs, clock, position }: MemoryLedgerParams) {
    this.cluster = cluster;
    this.memberId = memberId;
    this.#clock = clock;
    this.#leaseTtlMs = leaseTtlMs;
    this.#position = position ?? (() => undefined);
  }

  get fencedAt(): number | undefined {
    return this.#fence?.monotonic;
  }

  leaseRemaining(): number {
    if (this.#fence === undefined) return 0;
    const elapsed = Math.max(this.#clock.monotonic() - this.#fence.monotonic, this.#clock.now() - this.#fence.wall);
    return this.#leaseTtlMs * 0.9 - elapsed;
  }

  beat(): Promise<void> {
    return this.transact(() => {});
  }

  async transact<T>(work: () => T): Promise<T> {
    const fence = { monotonic: this.#clock.monotonic(), wall: this.#clock.now() };
    await this.cluster.reach();
    const member = this.cluster.members.get(this.memberId);
    if (member === undefined) throw new ServiceError('fenced', `member ${this.memberId} was taken over`);
    const position = this.#position();
    this.cluster.members.set(this.memberId, { ...member, beat: member.beat + 1, ...(position ? { position } : {}) });
    const result = work();
    this.#fence = fence;
    return result;
  }

  async close(): Promise<void> {}
}

export class MemoryMembership implements MembershipStore {
  readonly #cluster: MemoryCluster;
  readonly #ledger: MemoryLedger;
  readonly #onClaim: (from: StreamPosition | undefined) => void;

  constructor(params: { ledger: MemoryLedger; onClaim?: (from: StreamPosition | undefined) => void }) {
    this.#ledger = params.ledger;
    this.#cluster = params.ledger.cluster;
    this.#onClaim = params.onClaim ?? (() => {});
  }

  async join(member: Member): Promise<void> {
    await this.#cluster.reach();
    if (!this.#cluster.members.has(member._id)) this.#cluster.members.set(member._id, { ...member, beat: 0 });
  }

  async members(): Promise<Member[]> {
    await this.#cluster.reach();
    return [...this.#cluster.members.values()].sort((a, b) => (a._id < b._id ? -1 : 1));
  }

  async partitions(): Promise<Partition[]> {
    await this.#cluster.reach();
    return [...this.#cluster.partitions.values()];
  }

  async takeOver({ _id, beat }: Member): Promise<boolean> {
    await this.#cluster.reach();
    if (this.#cluster.members.get(_id)?.beat !== beat) return false;
    return this.#ledger.transact(() => {
      const dead = this.#cluster.members.get(_id);
      if (dead?.beat !== beat) return false;
      this.#cluster.members.delete(_id);
      this.#cluster.free(_id, this.#cluster.ownedBy(_id), dead.position);
      return true;
    });
  }

  async claim(ids: readonly number[]): Promise<Partition[]> {
    if (ids.length === 0) return [];
    return this.#ledger.transact(() => {
      const { partitions, members } = this.#cluster;
      const owner = this.#ledger.memberId;
      const found = ids
        .map((id) => partitions.get(id))
        .filter((partition) => partition !== undefined)
        .filter((partition) => partition.owner === undefined || !members.has(partition.owner))
        .sort((a, b) => a._id - b._id);
      if (found.length === 0) return [];
      this.#lower(
        owner,
        found.map(({ position }) => position),
      );
      const claimed = found.map((partition) => ({ ...partition, owner }));
      for (const partition of claimed) partitions.set(partition._id, partition);
      return claimed;
    });
  }

  async release(partitions: readonly number[], position: StreamPosition | undefined): Promise<void> {
    if (partitions.length === 0) return;
    await this.#ledger.transact(() => this.#cluster.free(this.#ledger.memberId, partitions, position));
  }

  async leave(position: StreamPosition | undefined): Promise<void> {
    const { memberId } = this.#ledger;
    await this.#cluster.reach();
    this.#cluster.free(memberId, this.#cluster.ownedBy(memberId), position);
    this.#cluster.members.delete(memberId);
  }

  #lower(owner: string, claimed: (StreamPosition | undefined)[]): void {
    const member = this.#cluster.members.get(owner);
    if (member === undefined) return;
    const { position: own, ...rest } = member;
    if (own !== undefined || this.#cluster.ownedBy(owner).length > 0) claimed.push(own);
    const from = claimed.reduce((a, b) =>
      a?.replicaSet === b?.replicaSet && a?.filterVersion === b?.filterVersion ? earlier(a, b) : undefined,
    );
    this.#cluster.members.set(owner, { ...rest, ...(from ? { position: from } : {}) });
    this.#onClaim(from);
  }
}
