/** The fence that all transactions of a member begin with, and its place among the others. Each has an in-memory fake and a real adapter, which pass one suite (`test/contract`). */
import type { Member, Partition, StreamPosition } from './model.ts';

/** The member's one writer. Every fenced transaction goes through its queue and session, raises `beat` and stores `position`. */
export interface Ledger {
  readonly memberId: string;
  /**
   * Ms of lease left, by the larger of monotonic and wall time since the last successful fence statement was sent; 0 or less
   * when it ran out or none was written yet. Nothing may be handed over then.
   */
  leaseRemaining(): number;
  /** Monotonic ms of the last successful fence statement; undefined before the first. */
  readonly fencedAt: number | undefined;
  /** An empty round: extends the lease, stores the position. Throws ServiceError `fenced` when the member was taken over. */
  beat(): Promise<void>;
  /** Waits for what is queued; nothing is accepted afterwards. */
  close(): Promise<void>;
}

/** No round leaves its transaction alone for so long, ms: between two of its statements there is a way to the server and back. */
export const forgottenAfterMs = 500;

/** Transactions of others: how many were ended, and how many more stand open, to be looked at again. */
export interface Forgotten {
  ended: number;
  open: number;
}

export interface MembershipStore {
  /** Inserts the `members` document (beat 0). */
  join(member: Member): Promise<void>;
  members(): Promise<Member[]>;
  partitions(): Promise<Partition[]>;
  /**
   * Ends transactions of other members in which nothing happened since an earlier call, `forgottenAfterMs` ago or more: they keep
   * others from writing. Whoever is alive tries again.
   */
  endForgotten(members: readonly Member[]): Promise<Forgotten>;
  /** Ends the session of a dead member, then, if its beat is still `beat`, removes it and frees its partitions with its position. False when it lived on. */
  takeOver(member: Member): Promise<boolean>;
  /** Claims those of the partitions that nobody owns; returns the claimed ones with their positions. */
  claim(partitions: readonly number[]): Promise<Partition[]>;
  /** Frees own partitions, leaving `position` behind for the next owner. */
  release(partitions: readonly number[], position: StreamPosition | undefined): Promise<void>;
  /** Frees everything and removes the `members` document. */
  leave(position: StreamPosition | undefined): Promise<void>;
}
