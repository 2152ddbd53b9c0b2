/** Turns over a list of which only a part is looked at each time: the next one begins behind the last that was reached. */
export class Turns {
  private after: string | undefined;
  private last: string | undefined;

  /** Once round, from where this turn begins; the same until `next`. */
  order<T>(all: readonly T[], keyOf: (one: T) => string): T[] {
    const start = all.findIndex((one) => keyOf(one) === this.after) + 1;
    return [...all.slice(start), ...all.slice(0, start)];
  }

  /** Told each that was looked at. */
  reached(key: string): void {
    this.last = key;
  }

  next(): void {
    this.after = this.last;
  }
}
