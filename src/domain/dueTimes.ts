/** When the conversations of a lane are due, as far as this member knows it without asking. */

/** Times are kept to this many ms, later rather than earlier. */
const resolutionMs = 10;
/** Distinct times kept; the later ones are left to a look into the database. */
const kept = 4096;

/**
 * Distinct due times in order. Everything a member writes is noted here, so that it need not ask the database when
 * something is next due; what it cannot know (or had no room for) is told by `lookAt`.
 */
export class DueTimes {
  private readonly times: number[] = [];
  private lookTime = Number.POSITIVE_INFINITY;

  /** Earliest time known, ms since the epoch; undefined when there is none. */
  get next(): number | undefined {
    const earliest = Math.min(this.times[0] ?? Number.POSITIVE_INFINITY, this.lookTime);
    return earliest === Number.POSITIVE_INFINITY ? undefined : earliest;
  }

  /** Whether the database has to be asked what comes after `now`: the time it last told has passed. */
  needsLook(now: number): boolean {
    return this.lookTime <= now;
  }

  /** A conversation of ours is due at `at`. */
  note(at: number): void {
    const time = Math.ceil(at / resolutionMs) * resolutionMs;
    const { times } = this;
    const index = lowerBound(times, time);
    if (times[index] === time) return;
    times.splice(index, 0, time);
    this.lookTime = Math.min(this.lookTime, ...times.splice(kept));
  }

  /** The database says that nothing it knows is due before `at`; undefined: nothing at all waits. */
  lookedUp(at: number | undefined): void {
    this.lookTime = at ?? Number.POSITIVE_INFINITY;
  }

  /** Everything due up to `now` was taken. */
  taken(now: number): void {
    this.times.splice(0, lowerBound(this.times, now + 1));
  }
}

/** Index of the first element that is not less than `value`. */
function lowerBound(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (Number(sorted[middle]) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
