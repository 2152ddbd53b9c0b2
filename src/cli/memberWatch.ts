/** Who is alive in the cluster, by watching for beats: no clock is compared between machines. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Member, Partition } from '../domain/model.ts';
import { BeatWatch, isAllOwned, type Ownerless, ownerless } from '../domain/partitions.ts';
import type { Collections } from '../mongo/collections.ts';

export interface Cluster {
  members: Member[];
  partitions: Partition[];
  /** Ids of the members whose beat moved while they were watched. */
  alive: ReadonlySet<string>;
  ownerless: Ownerless;
}

const pollMs = 250;
/** A member that is alive beats within its lease; a poll and a slow answer come on top. */
const patienceMs = 750;

const seenAlive = ({ members, alive, ownerless }: Cluster): boolean =>
  members.every(({ _id }) => alive.has(_id)) && isAllOwned(ownerless);

/**
 * Watches until `enough` (by default: every member's beat moved and every partition has a live owner), at most a lease and a
 * little. Partitions that change hands meanwhile are waited for. Without any member there is nothing to wait for.
 */
export async function watchMembers(
  { members, partitions }: Pick<Collections, 'members' | 'partitions'>,
  leaseTtlMs: number,
  enough: (cluster: Cluster) => boolean = seenAlive,
): Promise<Cluster> {
  const watch = new BeatWatch();
  const deadline = performance.now() + leaseTtlMs + patienceMs;
  for (;;) {
    const [seen, owned] = await Promise.all([
      members.find({}, { projection: { sessionId: 0 }, sort: { _id: 1 } }).toArray(),
      partitions.find({}, { sort: { _id: 1 } }).toArray(),
    ]);
    watch.see(seen);
    const { alive } = watch;
    const cluster = { members: seen, partitions: owned, alive, ownerless: ownerless(owned, seen, alive) };
    if (seen.length === 0 || enough(cluster) || performance.now() > deadline) return cluster;
    await pause(pollMs);
  }
}
