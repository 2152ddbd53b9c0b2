/** Whether a lane (a campaign on a channel, what opens conversations apart) is served in a partition, told by watching what is next due. */

/** A conversation that is the next one due. */
export interface Due {
  id: string;
  /** ms since the epoch. */
  at: number;
}

/**
 * `served`: the next one due was taken up; what else is due there is behind. `passed_over`: its owner came back to another
 * partition again and again, and never to this one. `still`: neither.
 */
export type Service = 'served' | 'passed_over' | 'still';

/**
 * An owner takes from the partitions of a lane in turn, of each the oldest first, so that it comes back to one of them only
 * after all others. A round that is short of room may leave some out, and one may be seen in two parts: so often is none
 * passed over by chance.
 */
const passedOverAfter = 5;

/** Watches one lane in all partitions. */
export class LaneWatch {
  private heads: ReadonlyMap<number, Due> = new Map();
  private owners: ReadonlyMap<number, string | undefined> = new Map();
  private readonly served = new Set<number>();
  /** How often each was seen to be served since partitions last changed hands. */
  private readonly turns = new Map<number, number>();

  /** @param heads By partition. @param owners By partition. @param now ms since the epoch. */
  see(heads: ReadonlyMap<number, Due>, owners: ReadonlyMap<number, string | undefined>, now: number): void {
    if (!isSame(this.owners, owners)) this.turns.clear();
    for (const [partition, before] of this.heads) {
      if (!wasTaken(before, heads.get(partition), now)) continue;
      this.served.add(partition);
      this.turns.set(partition, (this.turns.get(partition) ?? 0) + 1);
    }
    this.heads = heads;
    this.owners = owners;
  }

  of(partition: number): Service {
    if (this.served.has(partition)) return 'served';
    const owner = this.owners.get(partition);
    if (owner === undefined) return 'still';
    const isPassedOver = [...this.turns].some(
      ([other, many]) => many >= passedOverAfter && this.owners.get(other) === owner,
    );
    return isPassedOver ? 'passed_over' : 'still';
  }

  /** Who owns the partition, and all that it owns. */
  ownerOf(partition: number): { owner: string; partitions: number[] } | undefined {
    const owner = this.owners.get(partition);
    if (owner === undefined) return undefined;
    return { owner, partitions: [...this.owners].flatMap(([one, of]) => (of === owner ? [one] : [])) };
  }
}

/** What was not due yet may have gone for another reason; an older one in its place was inserted. */
function wasTaken(before: Due, after: Due | undefined, now: number): boolean {
  if (before.at > now) return false;
  return after === undefined || (after.at >= before.at && (after.id !== before.id || after.at !== before.at));
}

const isSame = <K, V>(a: ReadonlyMap<K, V>, b: ReadonlyMap<K, V>): boolean =>
  a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
