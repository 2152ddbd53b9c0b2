import { isServiceError } from '../../../src/domain/errors.ts';
import type { Forgotten, MembershipStore } from '../../../src/domain/memberPorts.ts';
import type { Member, Partition, StreamPosition } from '../../../src/domain/model.ts';
import { earlier } from '../../../src/domain/positions.ts';
import type { MemoryDatabase } from './database.ts';
import type { MemoryLedger } from './ledger.ts';

export interface MemoryMembershipParams {
  database: MemoryDatabase;
  ledger: MemoryLedger;
  onClaim?: (from: StreamPosition | undefined) => void;
}

export class MemoryMembership implements MembershipStore {
  private readonly database: MemoryDatabase;
  private readonly ledger: MemoryLedger;
  private readonly onClaim: (from: StreamPosition | undefined) => void;

  constructor({ database, ledger, onClaim }: MemoryMembershipParams) {
    this.database = database;
    this.ledger = ledger;
    this.onClaim = onClaim ?? (() => {});
  }

  join(member: Member): Promise<void> {
    const { members } = this.database;
    return this.run('join', () => {
      if (members.get(member._id) === undefined) members.insert({ ...member, beat: 0 });
    });
  }

  members(): Promise<Member[]> {
    return this.run('members', () => this.database.members.find());
  }

  partitions(): Promise<Partition[]> {
    return this.run('partitions', () => this.database.partitions.find());
  }

  /** No transaction is ever left open here. */
  endForgotten(): Promise<Forgotten> {
    return Promise.resolve({ ended: 0, open: 0 });
  }

  /** A transaction of the dead member is never open here: there is no session to end. */
  async takeOver({ _id, beat }: Member): Promise<boolean> {
    const { members } = this.database;
    if (!(await this.run('find_dead', () => members.get(_id)?.beat === beat))) return false;
    return this.ledger.transact('take_over', () => {
      const dead = members.get(_id);
      if (dead?.beat !== beat) return false;
      members.delete(_id);
      this.free(this.ownedBy(_id), dead.position);
      return true;
    });
  }

  claim(ids: readonly number[]): Promise<Partition[]> {
    if (ids.length === 0) return Promise.resolve([]);
    const { members, partitions } = this.database;
    return this.ledger.transact('claim', () => {
      const owner = this.ledger.memberId;
      const found = partitions.find(
        (one) => ids.includes(one._id) && (one.owner === undefined || members.get(one.owner) === undefined),
      );
      if (found.length === 0) return [];
      const from = this.readFrom(found);
      const claimed = found.map((partition) => ({ ...partition, owner }));
      for (const partition of claimed) partitions.put(partition);
      members.update(owner, from ? { position: from } : {}, from ? [] : ['position']);
      this.onClaim(from);
      return claimed;
    });
  }

  async release(ids: readonly number[], position: StreamPosition | undefined): Promise<void> {
    if (ids.length === 0) return;
    const { memberId } = this.ledger;
    await this.ledger.transact('release', () =>
      this.free(
        this.ownedBy(memberId).filter(({ _id }) => ids.includes(_id)),
        position,
      ),
    );
  }

  async leave(position: StreamPosition | undefined): Promise<void> {
    const { memberId } = this.ledger;
    try {
      await this.ledger.transact('leave', () => {
        this.free(this.ownedBy(memberId), position);
        this.database.members.delete(memberId);
      });
    } catch (error) {
      if (!isServiceError(error, 'fenced')) throw error;
    }
  }

  private run<T>(operation: string, work: () => T): Promise<T> {
    return this.database.run(operation, this.ledger.memberId, work);
  }

  private ownedBy(owner: string): Partition[] {
    return this.database.partitions.find((partition) => partition.owner === owner);
  }

  private free(partitions: readonly Partition[], position: StreamPosition | undefined): void {
    for (const { _id } of partitions) this.database.partitions.update(_id, position ? { position } : {}, ['owner']);
  }

  /** As the real one: the earliest of all; undefined when one has none of this history. */
  private readFrom(claimed: readonly Partition[]): StreamPosition | undefined {
    const { memberId } = this.ledger;
    const own = this.database.members.get(memberId)?.position;
    const positions = claimed.map(({ position }) => position);
    if (own !== undefined || this.ownedBy(memberId).length > 0) positions.push(own);
    return positions.reduce((a, b) =>
      a?.replicaSet === b?.replicaSet && a?.filterVersion === b?.filterVersion ? earlier(a, b) : undefined,
    );
  }
}
