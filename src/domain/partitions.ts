/** Who owns which partition, as the documents say it, and what an observer can tell of it. */
import type { Member, Partition, StreamPosition } from './model.ts';

/**
 * A member's share of `partitions`: they are dealt out in order of the members' ids, so that all who see the same members
 * agree on it, shares add up to all partitions and differ by one at most.
 */
export function shareOf(memberId: string, members: readonly string[], partitions: number): number {
  if (!members.includes(memberId)) return 0;
  const rank = members.filter((id) => id < memberId).length;
  return Math.floor(partitions / members.length) + (rank < partitions % members.length ? 1 : 0);
}

/**
 * The cluster time of a position, seconds since the epoch: a token begins with the type of its first key (82) and that
 * time. Undefined when there is none.
 */
export function positionSeconds(position: Pick<StreamPosition, 'token'> | undefined): number | undefined {
  const seconds = /^82([0-9A-F]{8})/i.exec(String(position?.token))?.[1];
  return seconds === undefined ? undefined : Number.parseInt(seconds, 16);
}

/** Which members an observer has seen alive: whose beat moved since he first saw it. No clock decides it. */
export class BeatWatch {
  private readonly first = new Map<string, number>();
  private readonly moved = new Set<string>();

  /** What was read just now. Who is not among them any more is forgotten. */
  see(members: readonly Pick<Member, '_id' | 'beat'>[]): void {
    const ids = new Set(members.map(({ _id }) => _id));
    for (const id of this.first.keys()) if (!ids.has(id)) this.first.delete(id);
    for (const id of this.moved) if (!ids.has(id)) this.moved.delete(id);
    for (const { _id, beat } of members) {
      const before = this.first.get(_id);
      if (before === undefined) this.first.set(_id, beat);
      else if (before !== beat) this.moved.add(_id);
    }
  }

  get alive(): ReadonlySet<string> {
    return this.moved;
  }
}

export type Life = 'alive' | 'silent' | 'unknown';

/**
 * Whether members live, for an observer who stays: silent is whose beat stood still for `silentAfterMs` of the observer's
 * own clock. Who was not yet seen to move for so long is unknown.
 */
export class Pulse {
  private readonly seen = new Map<string, { beat: number; since: number; moved: boolean; at: number }>();
  private readonly silentAfterMs: number;

  constructor(silentAfterMs: number) {
    this.silentAfterMs = silentAfterMs;
  }

  /** What was read at `at`, ms of a monotonic clock. Who is not among them any more is forgotten. */
  see(members: readonly Pick<Member, '_id' | 'beat'>[], at: number): void {
    const ids = new Set(members.map(({ _id }) => _id));
    for (const id of this.seen.keys()) if (!ids.has(id)) this.seen.delete(id);
    for (const { _id, beat } of members) {
      const before = this.seen.get(_id);
      if (before === undefined) this.seen.set(_id, { beat, since: at, moved: false, at });
      else if (before.beat !== beat) this.seen.set(_id, { beat, since: at, moved: true, at });
      else before.at = at;
    }
  }

  /** The observer saw nothing for a while, which is nobody's fault: everybody is unknown again. */
  forget(): void {
    this.seen.clear();
  }

  of(id: string): Life {
    const known = this.seen.get(id);
    if (known === undefined) return 'unknown';
    if (known.at - known.since > this.silentAfterMs) return 'silent';
    return known.moved ? 'alive' : 'unknown';
  }
}

/** Partitions that nobody works on, by why. */
export interface Ownerless {
  /** Nobody claimed them. */
  unowned: number[];
  /** Their owner has no document: it was taken over or removed. */
  orphaned: number[];
  /** Their owner's beat stood still. */
  silent: number[];
}

export function ownerless(
  partitions: readonly Pick<Partition, '_id' | 'owner'>[],
  members: readonly Pick<Member, '_id'>[],
  alive: ReadonlySet<string>,
): Ownerless {
  const ids = new Set(members.map(({ _id }) => _id));
  const found: Ownerless = { unowned: [], orphaned: [], silent: [] };
  for (const { _id, owner } of partitions) {
    if (owner === undefined) found.unowned.push(_id);
    else if (!ids.has(owner)) found.orphaned.push(_id);
    else if (!alive.has(owner)) found.silent.push(_id);
  }
  return found;
}

export const isAllOwned = ({ unowned, orphaned, silent }: Ownerless): boolean =>
  unowned.length + orphaned.length + silent.length === 0;

/** Whole numbers as a person reads them: `0-3, 7`. */
export function ranges(numbers: readonly number[]): string {
  const parts: { from: number; to: number }[] = [];
  for (const number of numbers.toSorted((a, b) => a - b)) {
    const last = parts.at(-1);
    if (last && number <= last.to + 1) last.to = number;
    else parts.push({ from: number, to: number });
  }
  return parts.map(({ from, to }) => (from === to ? String(from) : `${from}-${to}`)).join(', ');
}
