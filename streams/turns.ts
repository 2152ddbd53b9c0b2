/** Turns over a list that changes, of which only a part is looked at each time: who has waited longest is first. */
export class Turns {
  /** By key: since when it waits, its arrival or the end of the turn in which it was looked at last. */
  private since = new Map<string, number>();
  private readonly reachedNow = new Set<string>();
  private now = 0;

  /** The same until `next`, whatever comes or goes meanwhile: who was looked at stays in front. */
  order<T>(all: readonly T[], keyOf: (one: T) => string): T[] {
    const waiting = all.map((one) => {
      const key = keyOf(one);
      const since = this.since.get(key) ?? this.now;
      return { one, key, since, rank: this.reachedNow.has(key) ? -1 : since };
    });
    this.since = new Map(waiting.map(({ key, since }) => [key, since]));
    return waiting.sort((a, b) => a.rank - b.rank).map(({ one }) => one);
  }

  /** Told each that was looked at. */
  reached(key: string): void {
    this.reachedNow.add(key);
  }

  /** The turn is over. */
  next(): void {
    this.now += 1;
    for (const key of this.reachedNow) this.since.set(key, this.now);
    this.reachedNow.clear();
    this.now += 1;
  }
}
