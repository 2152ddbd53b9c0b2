/** Whether a lane (a campaign on a channel, what opens conversations apart) is served in a partition, told by watching what is next due. */

/** What tells whether a conversation had its turn. */
export interface Standing {
  /** When it is due, ms since the epoch; undefined: nothing of it is. */
  at: number | undefined;
  sequence: number;
  /** What tells the event that it consumed last from others. */
  lastEvent: string | undefined;
}

/** A conversation that is the next one due. */
export interface Due extends Standing {
  id: string;
  at: number;
}

/**
 * `served`: the next one due was taken up; what else is due there is behind. `passed_over`: its owner came back to another
 * partition again and again, and not to this one. `still`: neither.
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
  /** What was served, look by look, since partitions last changed hands. */
  private turns: ReadonlySet<number>[] = [];

  /** What was next due at the last look. */
  get ids(): string[] {
    return [...this.heads.values()].map(({ id }) => id);
  }

  /**
   * @param heads By partition. @param since By id, how those that were next due at the last look stand now; read after `heads`.
   * @param owners By partition. @param now ms since the epoch.
   */
  see(
    heads: ReadonlyMap<number, Due>,
    since: ReadonlyMap<string, Standing>,
    owners: ReadonlyMap<number, string | undefined>,
    now: number,
  ): void {
    if (!isSame(this.owners, owners)) this.turns = [];
    const taken = [...this.heads].flatMap(([partition, head]) =>
      wasTaken(head, since.get(head.id), now) ? [partition] : [],
    );
    for (const partition of taken) this.served.add(partition);
    this.turns.push(new Set(taken));
    this.heads = heads;
    this.owners = owners;
  }

  of(partition: number): Service {
    if (this.isPassedOver(partition)) return 'passed_over';
    return this.served.has(partition) ? 'served' : 'still';
  }

  /** Who owns the partition, and all that it owns. */
  ownerOf(partition: number): { owner: string; partitions: number[] } | undefined {
    const owner = this.owners.get(partition);
    if (owner === undefined) return undefined;
    return { owner, partitions: [...this.owners].flatMap(([one, of]) => (of === owner ? [one] : [])) };
  }

  /** Since it was served, if ever it was. */
  private isPassedOver(partition: number): boolean {
    const since = this.turns.slice(this.turns.findLastIndex((turn) => turn.has(partition)) + 1);
    const others = this.ownerOf(partition)?.partitions ?? [];
    return others.some((other) => since.filter((turn) => turn.has(other)).length >= passedOverAfter);
  }
}

/**
 * Only a turn brings a new message. Where it brings none (a pause is over, a message is tried again), the conversation is due at
 * another time or no more; so it may be after an event, without a turn. What was not due yet may have gone for another reason.
 */
function wasTaken(before: Due, after: Standing | undefined, now: number): boolean {
  if (before.at > now || after === undefined) return false;
  return after.sequence > before.sequence || (after.at !== before.at && after.lastEvent === before.lastEvent);
}

const isSame = <K, V>(a: ReadonlyMap<K, V>, b: ReadonlyMap<K, V>): boolean =>
  a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
